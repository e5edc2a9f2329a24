//! Choosing a model on an emulated Discord: for oneself, a thread, a channel, a server; kept, and at once in effect.

use cortana::sandbox::discord::Id;

use crate::support::bot::{Bot, SOON, World};

/// Three accounts at two providers; a guest may ask too.
async fn world() -> World {
    World::new().await.login("gemini_cli", "ann").login("qwen_code", "bob").with("ALLOWED_GUILD_IDS", "*")
}

async fn slash(bot: &Bot, user: Id, channel: Id, line: &str) -> String {
    let interaction = bot.sandbox().slash(user, channel, line).expect("a registered command");
    let answers = bot.settled(interaction).await;
    assert!(answers[0].is_ephemeral());
    answers[0].text()
}

/// What the emulated models say of themselves.
async fn answered_by(bot: &Bot, user: Id, channel: Id) -> String {
    let text = format!("{} who are you?", bot.sandbox().mention());
    let question = bot.sandbox().say(channel, user, &text).expect("people may write there");
    bot.settled(question).await[0].text()
}

#[tokio::test]
async fn a_choice_is_in_effect_at_once_and_survives_a_restart() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("gemini-2.5-pro"));
    let said = bot.slash("/settings model model:qwen_code/coder-model").await[0].text();
    assert!(said.starts_with("✅ Chose `qwen_code/coder-model` for you."), "{said}");
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("coder-model"));
    assert!(answered_by(&bot, marks.guest, marks.channel).await.contains("gemini-2.5-pro"), "one person's");
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    ended.expect("a clean end");
    let bot = world.connect().await;
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("coder-model"));
    let status = bot.slash("/settings status").await[0].text();
    assert!(
        status.starts_with("`qwen_code/coder-model` answers you here, because it was chosen for you."),
        "{status}"
    );
    let said = bot.slash("/settings model model:default").await[0].text();
    assert!(
        said.starts_with("✅ There is no choice for you any more. `gemini_cli/gemini-2.5-pro` answers"),
        "{said}"
    );
}

#[tokio::test]
async fn the_nearest_choice_applies_and_the_status_says_why() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    for line in [
        "/settings provider provider:qwen_code for:this server",
        "/settings model model:gemini_cli/gemini-2.5-flash for:this channel",
    ] {
        assert!(slash(&bot, marks.owner, marks.channel, line).await.starts_with("✅ Chose"), "{line}");
    }
    assert!(answered_by(&bot, marks.guest, marks.channel).await.contains("gemini-2.5-flash"));
    let status = slash(&bot, marks.guest, marks.channel, "/settings status").await;
    assert!(
        status.contains(
            "chosen for this channel.\n-# Chosen for this server, without effect here: `qwen_code`"
        ),
        "{status}"
    );
    let starter = bot.sandbox().ask("the first of a thread").unwrap();
    bot.settled(starter).await;
    let thread = bot.sandbox().start_thread(marks.owner, starter, "aside").unwrap();
    assert!(
        answered_by(&bot, marks.owner, thread).await.contains("gemini-2.5-flash"),
        "a thread is of its channel"
    );
    let said =
        slash(&bot, marks.owner, thread, "/settings provider provider:qwen_code for:this thread").await;
    assert!(
        said.starts_with("✅ Chose `qwen_code` for this thread. `qwen_code/coder-model` answers"),
        "{said}"
    );
    assert!(answered_by(&bot, marks.owner, thread).await.contains("coder-model"));
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("gemini-2.5-flash"));
}

#[tokio::test]
async fn choosing_for_others_needs_manage_server_and_unknown_names_bring_the_nearest() {
    let bot = world()
        .await
        .with("GUILD_MODELS", "gemini_cli/gemini-2.5-pro,gemini_cli/gemini-2.5-flash")
        .connect()
        .await;
    let marks = bot.sandbox().discord().landmarks();
    let guest = |line: &'static str| slash(&bot, marks.guest, marks.channel, line);
    let refused = guest("/settings model model:gemini_cli/gemini-2.5-flash for:this server").await;
    assert!(refused.starts_with("❌ Choosing for this server needs the permission"), "{refused}");
    let refused = guest("/settings model model:gemini-2.5-flsh").await;
    assert!(refused.contains("Did you mean `gemini_cli/gemini-2.5-flash`?"), "{refused}");
    let refused = guest("/settings model model:qwen_code/coder-model").await;
    assert!(refused.starts_with("❌ There is no model `qwen_code/coder-model`."), "not on offer: {refused}");
    let refused = guest("/settings provider provider:openai").await;
    assert!(refused.starts_with("❌ Nobody here has a credential for **openai**."), "{refused}");
    let refused = guest("/settings model model:gemini_cli/gemini-2.5-flash for:this thread").await;
    assert!(refused.starts_with("❌ This is no thread"), "{refused}");
    let status = guest("/settings status").await;
    assert!(status.contains("nobody chose another"), "nothing was kept: {status}");
    let offered =
        bot.sandbox().autocomplete(marks.guest, marks.channel, "/settings model model:fla").await.unwrap();
    assert_eq!(offered.len(), 1, "{offered:?}");
    assert_eq!(offered[0].name, "gemini_cli/gemini-2.5-flash · ✅ ready");
}

#[tokio::test]
async fn a_choice_that_operators_no_longer_offer_is_passed_over_and_said() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    bot.slash("/settings model model:qwen_code/coder-model").await;
    bot.shutdown.begin();
    let world = bot.ended().await.0.with("GUILD_MODELS", "gemini_cli");
    let bot = world.connect().await;
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("gemini-2.5-pro"));
    let status = bot.slash("/settings status").await[0].text();
    assert!(status.contains("`qwen_code/coder-model` — my operators no longer offer it"), "{status}");
}

#[tokio::test]
async fn those_who_do_not_type_pick_from_menus() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let answers = bot.slash("/settings model").await;
    let picker = answers[0].id;
    let shows = async |what: &str| {
        let found = bot.sandbox().wait_for(SOON, |sandbox| {
            let message = sandbox.message(picker)?;
            serde_json::to_string(&message.components).ok()?.contains(what).then_some(message)
        });
        found.await.unwrap_or_else(|_| panic!("{what}: {:?}", bot.sandbox().message(picker)))
    };
    shows("gemini_cli/gemini-2.5-pro").await;
    bot.sandbox().choose(marks.owner, picker, "choose-provider:", &["qwen_code"]).unwrap();
    shows("qwen_code/coder-model").await;
    bot.sandbox().choose(marks.owner, picker, "choose-for:", &["channel"]).unwrap();
    shows("choose-model:channel:qwen_code:0").await;
    bot.sandbox().choose(marks.owner, picker, "choose-model:", &["qwen_code/coder-model"]).unwrap();
    let said = bot.sandbox().wait_for(SOON, |sandbox| {
        let text = sandbox.message(picker)?.text();
        text.starts_with("✅ Chose `qwen_code/coder-model` for this channel.").then_some(())
    });
    said.await.unwrap();
    assert!(answered_by(&bot, marks.guest, marks.channel).await.contains("coder-model"));
}

#[tokio::test]
async fn a_picker_serves_whoever_is_served_and_names_a_model_once() {
    let bot = world().await.with("QWEN_CODE_MODELS", "coder-model,coder-model").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let open = bot.sandbox().slash(marks.guest, marks.channel, "/settings model").unwrap();
    let picker = bot.settled(open).await[0].id;
    bot.sandbox().choose(marks.guest, picker, "choose-provider:", &["qwen_code"]).unwrap();
    let menus = bot.sandbox().wait_for(SOON, |sandbox| {
        let text = serde_json::to_string(&sandbox.message(picker)?.components).ok()?;
        text.contains("qwen_code/coder-model").then_some(text)
    });
    assert_eq!(menus.await.unwrap().matches("\"qwen_code/coder-model\"").count(), 1);
    bot.shutdown.begin();
    let world = bot.ended().await.0.with("BLOCKED_USER_IDS", &marks.guest.to_string());
    let bot = world.connect().await;
    bot.sandbox().choose(marks.guest, picker, "choose-model:", &["qwen_code/coder-model"]).unwrap();
    let said = bot.sandbox().wait_for(SOON, |sandbox| {
        let text = sandbox.message(picker)?.text();
        (text == "I am not available to you here.").then_some(())
    });
    said.await.unwrap();
    let offered = bot.sandbox().autocomplete(marks.guest, marks.channel, "/settings model model:").await;
    assert_eq!(offered.unwrap(), [], "nor is a blocked person told what there is");
}

#[tokio::test]
async fn models_are_listed_with_a_filter_and_what_answers_is_marked() {
    let bot = world().await.connect().await;
    let all = bot.slash("/settings models").await[0].text();
    assert!(all.contains("`gemini_cli/gemini-2.5-pro` ✅ ready **← answers here**"), "{all}");
    assert!(all.contains("qwen_code/coder-model") && !all.contains("openai/"), "{all}");
    let flash = bot.slash("/settings models filter:FLASH").await[0].text();
    assert!(flash.contains("gemini-2.5-flash") && !flash.contains("coder-model"), "{flash}");
    let none = bot.slash("/settings models provider:qwen_code filter:2.5").await[0].text();
    assert_eq!(none, "No model's name contains `2.5`.");
}

#[tokio::test]
async fn a_database_that_cannot_be_written_says_so_and_chats_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("missing-folder-of-a-file");
    #[expect(clippy::disallowed_methods, reason = "a file stands where a folder should be")]
    std::fs::write(&nowhere, "x").unwrap();
    let address = format!("sqlite://{}/cortana.db", nowhere.display());
    let bot = world().await.with("DATABASE_URL", &address).connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let said = bot.slash("/settings model model:qwen_code/coder-model").await[0].text();
    assert!(said.starts_with("❌ Your choice could not be saved, and nothing changed."), "{said}");
    assert!(answered_by(&bot, marks.owner, marks.channel).await.contains("gemini-2.5-pro"));
}
