//! D27: memory is flat however much is said. The real binary, since what it holds is its process's.

use cortana::sandbox::discord::Message;

use crate::support::{
    bot::{SOON, World},
    running::Process,
};

/// After so many messages somebody asks: the bot has taken in whatever was said before.
const BETWEEN_QUESTIONS: usize = 250;
/// What a process may gain without keeping anything, in KiB: an allocator's slack.
const SLACK: u64 = 3 << 10;

fn is_finished(answers: &[Message]) -> bool {
    !answers.is_empty() && !answers.iter().any(|answer| answer.has_button("stop:"))
}

/// So much is said in a server, most of it not to the bot; the bot's memory after each half, in KiB.
async fn flood(messages: usize) -> [u64; 2] {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let world = world.with("USER_MESSAGES_PER_HOUR", "0");
    let process = Process::start(&world, "warn");
    world.sandbox.connected(SOON).await.expect("it connects");
    let marks = world.sandbox.discord().landmarks();
    let chatter = "nothing that matters ".repeat(80);
    let mut memory = [0; 2];
    for half in &mut memory {
        for number in 0..messages / 2 {
            world.sandbox.say(marks.channel, marks.guest, &format!("{number} {chatter}")).expect("said");
            if number % BETWEEN_QUESTIONS == 0 {
                let asked = world.sandbox.ask("and you?").expect("asked");
                world.sandbox.settled(asked, SOON, is_finished).await.expect("an answer");
            }
        }
        let asked = world.sandbox.ask("is that all?").expect("asked");
        world.sandbox.settled(asked, SOON, is_finished).await.expect("an answer");
        *half = process.memory();
    }
    process.terminate().await;
    memory
}

#[tokio::test(flavor = "multi_thread")]
async fn d27_memory_does_not_grow_with_what_is_said() {
    let [first, second] = flood(8_000).await;
    // Kept, the 4,000 messages of the second half would be 7 MiB and more.
    assert!(second < first + SLACK, "{first} KiB, then {second} KiB");
}

/// The whole figure; it takes minutes. Prints what stands in ARCHITECTURE.md.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run it by hand"]
async fn d27_memory_over_100_000_messages() {
    let [first, second] = flood(100_000).await;
    println!("after 50,000 messages {first} KiB, after 100,000 {second} KiB");
    assert!(second < first + SLACK, "{first} KiB, then {second} KiB");
}
