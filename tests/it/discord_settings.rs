//! `/settings` and `/help` on an emulated Discord.

use cortana::sandbox::vendor::Standing;

use crate::support::bot::World;

#[tokio::test]
async fn settings_belong_to_operators_and_others_are_told_kindly() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let landmarks = bot.sandbox().discord().landmarks();
    for line in ["/settings oauth-status", "/settings oauth-refresh gemini_cli"] {
        let interaction = bot.sandbox().slash(landmarks.guest, landmarks.channel, line).unwrap();
        let answers = bot.settled(interaction).await;
        assert_eq!(answers.len(), 1);
        assert!(answers[0].is_ephemeral());
        assert!(answers[0].text().contains("operators") && !answers[0].text().contains("Valid"));
    }
    let typed = "/settings oauth-status provider:";
    let offered = bot.sandbox().autocomplete(landmarks.guest, landmarks.channel, typed).await;
    assert_eq!(offered.unwrap(), [], "a guest is offered nothing");
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").token_requests, 0);
}

#[tokio::test]
async fn p32_status_shows_each_credential_and_its_button_refreshes() {
    let bot = World::new().await.login("gemini_cli", "ann").login("qwen_code", "bob").connect().await;
    let landmarks = bot.sandbox().discord().landmarks();
    let answers = bot.slash("/settings oauth-status").await;
    assert_eq!(answers.len(), 1);
    assert!(answers[0].is_ephemeral());
    let text = answers[0].text();
    assert_eq!(text.matches("✅ Valid · ").count(), 2, "{text}");
    assert!(text.contains("Expires in 00:") && text.contains(":R>") && text.contains("0 attempts"), "{text}");
    let only = bot.slash("/settings oauth-status qwen_code").await[0].text();
    assert!(only.contains("qwen_code") && !only.contains("gemini_cli ·"), "{only}");
    bot.sandbox().click(landmarks.owner, answers[0].id, "refresh:").unwrap();
    let status = answers[0].id;
    let refreshed = bot.sandbox().wait_for(crate::support::bot::SOON, |sandbox| {
        let text = sandbox.message(status)?.text();
        (text.matches("1 attempt").count() == 2).then_some(text)
    });
    let text = refreshed.await.unwrap();
    assert!(text.contains("✅ Successfully refreshed token for **gemini_cli**"), "{text}");
    assert!(text.contains("✅ Successfully refreshed token for **qwen_code**"), "{text}");
}

#[tokio::test]
async fn a_refresh_says_that_it_succeeded() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let answers = bot.slash("/settings oauth-refresh gemini_cli").await;
    assert_eq!(answers.len(), 1);
    assert!(answers[0].is_ephemeral());
    assert!(
        answers[0].text().starts_with("✅ Successfully refreshed token for **gemini_cli**\n✅ Refreshed: ")
    );
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").token_requests, 1);
    let again = bot.slash("/settings oauth-refresh gemini_cli").await;
    assert!(again[0].text().contains("⏸️ Waiting: "), "{}", again[0].text());
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").token_requests, 1, "once a minute");
}

#[tokio::test]
async fn a_refused_refresh_says_why_and_what_next() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    bot.sandbox().vendors().revoke_refresh("gemini_cli", "ann");
    let answers = bot.slash("/settings oauth-refresh gemini_cli").await;
    let text = answers[0].text();
    assert!(text.starts_with("❌ Failed to refresh token"), "{text}");
    assert!(text.contains("invalid_grant") && text.contains("Log in again"), "{text}");
    assert!(text.lines().last().is_some_and(|line| line.starts_with("-# id ")), "{text}");
    let status = bot.slash("/settings oauth-status").await[0].text();
    assert!(!status.contains("ya29"), "{status}");
}

#[tokio::test]
async fn autocomplete_offers_providers_and_their_credentials() {
    let bot = World::new().await.login("gemini_cli", "ann").login("gemini_cli", "bob").connect().await;
    let landmarks = bot.sandbox().discord().landmarks();
    let offer = |typed: &'static str| bot.sandbox().autocomplete(landmarks.owner, landmarks.channel, typed);
    let providers = offer("/settings oauth-refresh provider:gem").await.unwrap();
    assert_eq!(providers.len(), 1);
    assert_eq!(
        (&*providers[0].name, &providers[0].value),
        ("gemini_cli · 2 credentials", &"gemini_cli".into())
    );
    let credentials = offer("/settings oauth-refresh provider:gemini_cli credential:").await.unwrap();
    assert_eq!(credentials.len(), 2);
    for choice in &credentials {
        assert!(choice.name.starts_with("gemini_cli · ") && choice.name.contains(" · valid · expires in "));
    }
    let id = credentials[1].value.as_str().unwrap();
    let answers = bot.slash(&format!("/settings oauth-refresh provider:gemini_cli credential:{id}")).await;
    assert_eq!(answers[0].text().matches("✅ Refreshed: ").count(), 1);
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").token_requests, 1);
}

#[tokio::test]
async fn what_is_submitted_is_checked_again() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let answers = bot.slash("/settings oauth-status nonsense").await;
    assert!(answers[0].text().starts_with("❌ There is no provider `"));
    let answers = bot.slash("/settings oauth-refresh provider:gemini_cli credential:nonsense").await;
    assert!(answers[0].text().starts_with("**gemini_cli** has no such credential"));
    let answers = bot.slash("/settings oauth-refresh provider:qwen_code").await;
    assert!(answers[0].text().starts_with("No OAuth credentials configured for **qwen_code**"));
}

#[tokio::test]
async fn an_empty_pool_is_shown_to_operators_and_everybody_gets_help() {
    let bot = World::new().await.connect().await;
    let answers = bot.slash("/settings oauth-status").await;
    assert!(answers[0].is_ephemeral());
    assert!(answers[0].text().starts_with("No OAuth credentials configured"), "{}", answers[0].text());
    let status = bot.slash("/settings status").await;
    assert!(status[0].text().contains("Answers in progress: 0"), "{}", status[0].text());
    let landmarks = bot.sandbox().discord().landmarks();
    let help = bot.sandbox().slash(landmarks.guest, landmarks.channel, "/help").unwrap();
    let help = bot.settled(help).await;
    assert!(help[0].text().contains("Mention <@") && !help[0].text().contains("oauth"), "{}", help[0].text());
}

#[tokio::test]
async fn an_account_that_the_service_refuses_is_shown_as_refused() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    bot.sandbox().vendors().set_standing("gemini_cli", "ann", Standing::ServiceControls);
    bot.slash("/settings oauth-refresh gemini_cli").await;
    let status = bot.slash("/settings oauth-status").await[0].text();
    assert!(status.contains("gemini_cli · "), "{status}");
}
