//! Operators hear of trouble in direct messages: of a login that is lost, of its return, of a refused account with its link.

use cortana::sandbox::{
    Sandbox,
    discord::{Id, Message},
    vendor::{Act, Fault},
};
use serde_json::json;

use crate::support::bot::{Bot, SOON, World};

/// A login in the credentials folder whose access token is over and whose refresh token is refused.
fn drop_dead_login(world: &World, account: &str) {
    let mut file = world.vendors().mint("gemini_cli", account).official_file();
    file["expiry_date"] = json!(1_700_000_000_000_i64);
    world.vendors().revoke_refresh("gemini_cli", account);
    let path = world.home().join("credentials").join(format!("gemini_cli-{account}.json"));
    #[expect(clippy::disallowed_methods, reason = "a person drops a file")]
    std::fs::write(path, file.to_string()).expect("a written file");
}

/// What the bot wrote to somebody.
fn letters(sandbox: &Sandbox, to: Id) -> Vec<Message> {
    let bot = sandbox.discord().landmarks().bot;
    let mut messages = sandbox.messages(sandbox.direct_channel(to));
    messages.retain(|message| message.author_id == bot);
    messages
}

/// Waits for a direct message that says something, and gives all that were written so far.
async fn told(bot: &Bot, to: Id, part: &str) -> Vec<Message> {
    let found = |sandbox: &Sandbox| {
        let letters = letters(sandbox, to);
        letters.iter().any(|letter| letter.text().contains(part)).then_some(letters)
    };
    let found = bot.sandbox().wait_for(SOON, found).await;
    found.unwrap_or_else(|_| panic!("no {part:?} in {:?}", letters(bot.sandbox(), to)))
}

#[tokio::test]
async fn p34_a_lost_login_and_its_return_are_told_to_each_operator_once_over_a_restart() {
    let world = World::new().await;
    let landmarks = world.sandbox.discord().landmarks();
    let guest = landmarks.guest.to_string();
    let world = world.with("OPERATOR_IDS", &guest).with("ALERT_MIN_HEALTHY", "0");
    drop_dead_login(&world, "ann");
    drop_dead_login(&world, "bob");
    let bot = world.connect().await;
    let operators = [landmarks.owner, landmarks.guest];
    for operator in operators {
        // Two refreshes end one after the other; on a busy machine further apart than what is said together.
        told(&bot, operator, "needs a login").await;
        let both = |sandbox: &Sandbox| {
            let all: String = letters(sandbox, operator).iter().map(Message::text).collect();
            (all.matches("needs a login").count() == 2).then_some(all)
        };
        let all = bot.sandbox().wait_for(SOON, both).await.expect("both are told");
        assert!(all.contains("cortana login gemini_cli") && all.contains("/settings credential "), "{all}");
        assert!(letters(bot.sandbox(), operator).iter().all(|letter| letter.notified().is_nobody()));
    }
    let before = operators.map(|operator| letters(bot.sandbox(), operator).len());
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");

    let bot = world.login("gemini_cli", "ann").connect().await;
    for (operator, before) in operators.into_iter().zip(before) {
        let letters = told(&bot, operator, "Over after ").await;
        let new = letters.get(before..).expect("the earlier ones are still there");
        let [over] = new else { panic!("one message about ann, none about bob again: {new:?}") };
        assert_eq!(over.text().matches("needs a login").count(), 1, "{}", over.text());
    }
}

#[tokio::test]
async fn p34_the_link_of_a_refused_account_is_in_direct_messages_alone() {
    const LINK: &str = "https://accounts.google.com/verify?account=FAKE-CANARY";
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    bot.sandbox().vendors().fault("gemini_cli", Fault::chat(Act::google_validation(LINK)));
    bot.ask("hello").await;
    let landmarks = bot.sandbox().discord().landmarks();
    let letters = told(&bot, landmarks.owner, &format!("opens <{LINK}>;")).await;
    let with_link = letters.iter().filter(|letter| letter.text().contains(LINK));
    assert_eq!(
        with_link.map(|letter| letter.flags).collect::<Vec<_>>(),
        [4],
        "once, and no preview is fetched"
    );
    let direct = format!("/channels/{}/messages", bot.sandbox().direct_channel(landmarks.owner));
    // A request is recorded after its effect is visible.
    let carried = |sandbox: &Sandbox| {
        let requests = sandbox.recorded_requests().into_iter();
        let carried = requests.filter(|sent| sent.body.to_string().contains("FAKE-CANARY"));
        Some(carried.map(|sent| sent.path).collect::<Vec<_>>()).filter(|paths| !paths.is_empty())
    };
    let carried = bot.sandbox().wait_for(SOON, carried).await.expect("it is recorded");
    assert_eq!(carried, [direct]);
    let database = std::fs::read(bot.world.home().join("data/cortana.db")).expect("the database");
    assert!(!database.windows(11).any(|part| part == b"FAKE-CANARY"));
}

#[tokio::test]
async fn p34_closed_direct_messages_are_tried_once_and_keep_nobody_else_uninformed() {
    let world = World::new().await;
    let landmarks = world.sandbox.discord().landmarks();
    // Bots have no direct messages with bots: Discord answers 50007, as for a person who closed theirs.
    let robot = world.sandbox.add_bot("robot");
    let ids = format!("{robot},{}", landmarks.guest);
    let bot = world.with("OPERATOR_IDS", &ids).connect().await;
    for operator in [landmarks.owner, landmarks.guest] {
        told(&bot, operator, "too few credentials can be lent").await;
    }
    let refused = |sandbox: &Sandbox| {
        let wanted = json!({ "recipient_id": robot.to_string() });
        let requests = sandbox.recorded_requests().into_iter().filter(|sent| sent.body == wanted);
        let found: Vec<_> = requests.map(|sent| (sent.status, sent.answer["code"].clone())).collect();
        (!found.is_empty()).then_some(found)
    };
    let found = bot.sandbox().wait_for(SOON, refused).await.expect("it was tried");
    assert_eq!(found, [(403, json!(50_007))]);
    assert_eq!(bot.ask("").await.len(), 1);
}

#[tokio::test]
async fn d16_operators_are_told_of_a_refused_content_intent() {
    let world = World::new().await;
    world.sandbox.set_privileged_intents(0);
    let bot = world.login("gemini_cli", "ann").start();
    let owner = bot.sandbox().discord().landmarks().owner;
    let letters = told(&bot, owner, "Message Content intent").await;
    assert_eq!(letters.len(), 1, "{letters:?}");
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");

    let bot = world.connect().await;
    assert_eq!(bot.ask("hello").await.len(), 1, "mentions are served");
    let letter = bot.sandbox().dm(owner, "hello").unwrap();
    assert_eq!(bot.settled(letter).await.len(), 1, "direct messages too");
    let told = letters_about(&bot, owner, "Message Content intent");
    assert_eq!(told, 1, "known from before the restart");
}

fn letters_about(bot: &Bot, to: Id, part: &str) -> usize {
    letters(bot.sandbox(), to).iter().filter(|letter| letter.text().contains(part)).count()
}
