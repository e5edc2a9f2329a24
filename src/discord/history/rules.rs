//! Which message a message continues: the rules of a conversation, without any reading.

use std::time::Duration;

use super::seen::{Kind, Seen};

/// What a channel is to a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) enum Ground {
    /// Direct messages: everything continues by itself, and a mention begins afresh.
    Direct,
    /// A channel of a server: replies continue, and what one person writes in a row belongs together.
    Channel,
    /// A thread: the same, and what continues nothing else continues the message that it was opened from.
    Thread(Thread),
}

/// A thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::discord) struct Thread {
    /// Its id, which its starter shares.
    pub(in crate::discord) id: u64,
    /// Who opened it.
    pub(in crate::discord) owner: Owner,
    /// Where its starter stands.
    pub(in crate::discord) starter: Starter,
}

/// Who opened a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::discord) enum Owner {
    /// The bot: the thread is one conversation with it.
    Bot,
    /// Somebody else.
    Other,
}

/// Where the message stands that a thread hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::discord) enum Starter {
    /// In the channel with this id.
    Above(u64),
    /// In the thread itself: a post in a forum.
    Within,
    /// There is none: a private thread.
    Nowhere,
}

/// What the rules depend on besides the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manners {
    /// The bot's user id.
    pub(super) bot: u64,
    /// After so long a silence nothing continues by itself.
    pub(super) silence: Duration,
    /// The asker began afresh with this id: nothing continues across it by itself.
    pub(super) afresh: u64,
}

/// What a message continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parent {
    /// Nothing: a conversation begins with it.
    Nobody,
    /// The message before it in the channel.
    Previous,
    /// The message that it replies to.
    Answered(u64),
    /// The message with this id in the same channel, on which the thread hangs.
    Within(u64),
    /// The message on which the thread hangs, in another channel.
    Above {
        /// That channel.
        channel: u64,
        /// The message.
        message: u64,
    },
}

/// Whether everything in a channel is one conversation, so that what stands before the bot's words counts more than what
/// they reply to.
fn flows(ground: &Ground) -> bool {
    match ground {
        Ground::Direct | Ground::Thread(Thread { owner: Owner::Bot, .. }) => true,
        Ground::Channel | Ground::Thread(Thread { owner: Owner::Other, .. }) => false,
    }
}

/// The reply that a message is, where that decides.
fn reply(message: &Seen, ground: &Ground, bot: u64) -> Option<u64> {
    message.answers.filter(|_| !(flows(ground) && message.author == bot))
}

/// Whether the message before it has to be known.
pub(super) fn wants_previous(message: &Seen, ground: &Ground, manners: &Manners) -> bool {
    let begins = match ground {
        Ground::Thread(Thread { owner: Owner::Bot, .. }) => false,
        Ground::Direct => message.mentions(manners.bot),
        Ground::Channel | Ground::Thread(_) => message.mentions(manners.bot) || message.inquiry.is_some(),
    };
    message.kind == Kind::Talk && reply(message, ground, manners.bot).is_none() && !begins
}

/// What a message continues. A reply continues what it answers, however old. Otherwise it continues the message before
/// it, unless the silence between them was long or one of them is Discord's own: in a flowing ground whoever wrote that,
/// elsewhere only its own author. A mention begins afresh, and so does a command outside of direct messages, but in a thread of the bot's, where there is nothing else to
/// begin. What remains continues a thread's starter.
pub(super) fn parent(message: &Seen, previous: Option<&Seen>, ground: &Ground, manners: &Manners) -> Parent {
    if let Some(id) = reply(message, ground, manners.bot) {
        return Parent::Answered(id);
    }
    let crosses = |id: u64| id < manners.afresh && manners.afresh <= message.id;
    let continues = |previous: &Seen| {
        let silence = (message.at - previous.at).to_std().unwrap_or_default();
        let is_near = previous.kind == Kind::Talk && silence <= manners.silence && !crosses(previous.id);
        is_near && (flows(ground) || previous.author == message.author)
    };
    if wants_previous(message, ground, manners) && previous.is_some_and(continues) {
        return Parent::Previous;
    }
    if let Some(id) = message.answers.filter(|id| !crosses(*id)) {
        return Parent::Answered(id);
    }
    match ground {
        Ground::Direct | Ground::Channel => Parent::Nobody,
        Ground::Thread(thread) if message.id == thread.id || crosses(thread.id) => Parent::Nobody,
        Ground::Thread(thread) => match thread.starter {
            Starter::Above(channel) => Parent::Above { channel, message: thread.id },
            Starter::Within => Parent::Within(thread.id),
            Starter::Nowhere => Parent::Nobody,
        },
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{super::seen::Being, *};

    const BOT: u64 = 1;

    fn seen(id: u64, author: u64, content: &str) -> Seen {
        Seen {
            id,
            kind: Kind::Talk,
            author,
            being: Being::Person,
            name: format!("person {author}"),
            content: content.to_owned(),
            files: Vec::new(),
            embedded: String::new(),
            at: DateTime::from_timestamp(i64::try_from(id).unwrap() * 60, 0).unwrap(),
            answers: None,
            inquiry: None,
        }
    }

    fn manners() -> Manners {
        Manners { bot: BOT, silence: Duration::from_mins(30), afresh: 0 }
    }

    fn thread(owner: Owner, starter: Starter) -> Ground {
        Ground::Thread(Thread { id: 3, owner, starter })
    }

    #[test]
    fn d13_the_parent_of_a_message_without_a_reply() {
        let foreign = thread(Owner::Other, Starter::Above(7));
        let own = thread(Owner::Bot, Starter::Above(7));
        let post = thread(Owner::Other, Starter::Within);
        let secret = thread(Owner::Other, Starter::Nowhere);
        let above = Parent::Above { channel: 7, message: 3 };
        // Who wrote the message before, what was written, where: what it continues.
        let table = [
            (5, "and this", Ground::Channel, Parent::Previous),
            (5, "<@1> and this", Ground::Channel, Parent::Nobody),
            (6, "and this", Ground::Channel, Parent::Nobody),
            (BOT, "and this", Ground::Channel, Parent::Nobody),
            (BOT, "and this", Ground::Direct, Parent::Previous),
            (5, "and this", Ground::Direct, Parent::Previous),
            (BOT, "<@!1> and this", Ground::Direct, Parent::Nobody),
            (5, "and this", foreign.clone(), Parent::Previous),
            (6, "and this", foreign.clone(), above),
            (BOT, "and this", foreign.clone(), above),
            (5, "<@1> and this", foreign, above),
            (6, "and this", own.clone(), Parent::Previous),
            (BOT, "<@1> and this", own, Parent::Previous),
            (6, "and this", post, Parent::Within(3)),
            (6, "and this", secret, Parent::Nobody),
        ];
        for (before, text, ground, expected) in table {
            let found = parent(&seen(11, 5, text), Some(&seen(10, before, "x")), &ground, &manners());
            assert_eq!(found, expected, "{text} after {before} in {ground:?}");
        }
    }

    #[test]
    fn d13_replies_continue_whatever_lies_between() {
        let reply = Seen { answers: Some(4), ..seen(9000, 5, "<@1> and this") };
        let manners = Manners { afresh: 8000, ..manners() };
        for ground in [Ground::Channel, Ground::Direct, thread(Owner::Bot, Starter::Above(7))] {
            let found = parent(&reply, Some(&seen(8999, 5, "x")), &ground, &manners);
            assert_eq!(found, Parent::Answered(4), "{ground:?}");
        }
        let answer = Seen { author: BOT, answers: Some(4), ..seen(9, BOT, "so") };
        let previous = seen(8, 5, "x");
        assert_eq!(parent(&answer, Some(&previous), &Ground::Channel, &manners), Parent::Answered(4));
        assert_eq!(parent(&answer, Some(&previous), &Ground::Direct, &manners), Parent::Previous);
        assert_eq!(parent(&answer, None, &Ground::Direct, &manners), Parent::Answered(4));
    }

    #[test]
    fn d13_nothing_continues_by_itself_after_a_silence_or_a_reset_or_discords_own_words() {
        let own = thread(Owner::Bot, Starter::Above(7));
        let above = Parent::Above { channel: 7, message: 3 };
        let late = seen(100, 5, "late");
        for (previous, ground, expected) in [
            (seen(69, 5, "x"), Ground::Direct, Parent::Nobody),
            (seen(70, 5, "x"), Ground::Direct, Parent::Previous),
            (seen(69, 5, "x"), Ground::Channel, Parent::Nobody),
            (seen(69, 5, "x"), own.clone(), above),
            (Seen { kind: Kind::System, ..seen(99, 5, "x") }, Ground::Direct, Parent::Nobody),
            (Seen { kind: Kind::ThreadStarter, ..seen(99, 5, "") }, own.clone(), above),
        ] {
            assert_eq!(parent(&late, Some(&previous), &ground, &manners()), expected, "{previous:?}");
        }
        let reset = Manners { afresh: 100, ..manners() };
        // An answer that was asked for before the reset and came after it.
        let answer = Seen { author: BOT, answers: Some(99), ..seen(101, BOT, "so") };
        for ground in [Ground::Direct, own.clone()] {
            for previous in [Some(seen(99, 5, "x")), None] {
                assert_eq!(parent(&answer, previous.as_ref(), &ground, &reset), Parent::Nobody, "{ground:?}");
            }
            let piece = Seen { author: BOT, answers: Some(101), ..seen(102, BOT, "and") };
            assert_eq!(parent(&piece, Some(&answer), &ground, &reset), Parent::Previous);
        }
        for ground in [Ground::Direct, own] {
            assert_eq!(parent(&late, Some(&seen(99, 5, "x")), &ground, &reset), Parent::Nobody);
            let next = seen(101, 5, "x");
            assert_eq!(
                parent(&next, Some(&late), &ground, &reset),
                Parent::Previous,
                "after it all is as ever"
            );
        }
    }
}
