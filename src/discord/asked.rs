//! The buttons under an answer, and what they know, so that they work after a restart too (D10, D11).

use serde_json::{Value, json};

use super::{
    history::Sight,
    sink::{Destination, Replies},
};
use crate::{
    chat::{Next, Payload, Verdict},
    language::{Language, say},
};

/// A question that was answered: what the buttons under its answer carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    /// The channel that it stands in, which is not the answer's where the bot opened a thread for that.
    pub(super) channel: u64,
    /// The message.
    pub(super) message: u64,
    /// Who wrote it.
    pub(super) person: u64,
    /// What they could read back there: nobody's click brings more of it into an answer to them (D18).
    pub(super) sight: Sight,
}

/// What somebody wants of an answer that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// Another one in its place.
    Again,
    /// More of it.
    GoOn,
}

impl Wish {
    fn name(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::GoOn => "go-on",
        }
    }
}

impl Asked {
    /// At most 72 of the 100 characters that Discord allows.
    fn id(self, wish: Wish) -> String {
        format!("{}:{}", wish.name(), self.written())
    }

    fn written(self) -> String {
        let Self { channel, message, person, sight } = self;
        let sight = match sight {
            Sight::Whole => 'w',
            Sight::Now => 'n',
        };
        format!("{channel}:{message}:{person}:{sight}")
    }

    /// The question of an answer, from one of its buttons.
    pub(super) fn of_button(id: &str) -> Option<Self> {
        let (wish, rest) = id.split_once(':')?;
        [Wish::Again, Wish::GoOn].iter().any(|known| known.name() == wish).then(|| Self::parse(rest))?
    }

    /// What a button carries behind its wish.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let mut parts = rest.split(':');
        let mut number = || parts.next()?.parse().ok();
        let (channel, message, person) = (number()?, number()?, number()?);
        let sight = match parts.next()? {
            "w" => Sight::Whole,
            "n" => Sight::Now,
            _ => return None,
        };
        parts.next().is_none().then_some(Self { channel, message, person, sight })
    }
}

/// What the buttons under an answer are made of, for the journal: ids alone.
pub(super) fn written(to: &Destination) -> String {
    let replies = match to.replies {
        Replies::ToTheQuestion => "question".to_owned(),
        Replies::To(message) => message.to_string(),
        Replies::None => "none".to_owned(),
    };
    format!("{} {replies} {}", to.asked.written(), to.language.name())
}

/// The same, read back; the last is the name of the answer's language.
pub(super) fn read(written: &str) -> Option<(Asked, Replies, &str)> {
    let (asked, rest) = written.split_once(' ')?;
    let (replies, language) = rest.split_once(' ')?;
    let replies = match replies {
        "question" => Replies::ToTheQuestion,
        "none" => Replies::None,
        message => Replies::To(message.parse().ok()?),
    };
    Some((Asked::parse(asked)?, replies, language))
}

/// What the stop button of an exchange carries.
pub(super) fn stop(exchange: &str) -> String {
    format!("stop:{exchange}")
}

/// The buttons on a message: stop while there is something to stop, afterwards what may be done next.
pub(super) fn buttons(to: &Destination, payload: &Payload) -> Value {
    let language = &to.language;
    if payload.streaming {
        let stop = (say!(language, "button-stop"), stop(&to.exchange));
        return match payload.asks {
            None => row(&[stop]),
            Some(number) => {
                let rule =
                    |label, verdict| (label, format!("{}:{}:{number}", verdict_name(verdict), to.exchange));
                let allow = rule(say!(language, "button-allow"), Verdict::Allow);
                let deny = rule(say!(language, "button-deny"), Verdict::Deny);
                row(&[allow, deny, stop])
            }
        };
    }
    let again = |label| (label, to.asked.id(Wish::Again));
    let go_on = |label| (label, to.asked.id(Wish::GoOn));
    match (payload.next, to.replies) {
        (Next::Nothing, _) => json!([]),
        (Next::Regenerate, _) => row(&[again(say!(language, "button-regenerate"))]),
        (Next::Continue, _) => {
            row(&[go_on(say!(language, "button-continue")), again(say!(language, "button-regenerate"))])
        }
        // What was to be continued is still there.
        (Next::Retry, Replies::To(_)) => row(&[go_on(say!(language, "button-retry"))]),
        (Next::Retry, Replies::ToTheQuestion | Replies::None) => {
            row(&[again(say!(language, "button-retry"))])
        }
    }
}

/// What a button does that answers a call of a tool.
fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allow => "tool-allow",
        Verdict::Deny => "tool-deny",
    }
}

/// What such a button says, from its id: the verdict, the exchange, the number of the call.
pub(super) fn verdict_of(id: &str) -> Option<(Verdict, &str, u32)> {
    let (name, rest) = id.split_once(':')?;
    let verdict =
        [Verdict::Allow, Verdict::Deny].into_iter().find(|verdict| verdict_name(*verdict) == name)?;
    let (exchange, number) = rest.split_once(':')?;
    Some((verdict, exchange, number.parse().ok()?))
}

/// The button under an answer whose question was changed.
pub(super) fn offer_again(asked: &Asked, language: &Language) -> Value {
    row(&[(say!(language, "button-run-again"), asked.id(Wish::Again))])
}

fn row(buttons: &[(String, String)]) -> Value {
    let buttons =
        buttons.iter().map(|(label, id)| json!({ "type": 2, "style": 2, "label": label, "custom_id": id }));
    json!([{ "type": 1, "components": buttons.collect::<Vec<_>>() }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d22_what_the_journal_keeps_is_read_back() {
        let asked = Asked { channel: 1, message: u64::MAX, person: 3, sight: Sight::Now };
        for replies in [Replies::ToTheQuestion, Replies::To(9), Replies::None] {
            let exchange = "0badcafe".to_owned();
            let language = Language::english();
            let to =
                Destination { channel: 5, asked, occasion: 7, replies, exchange, heading: None, language };
            let written = written(&to);
            assert_eq!(read(&written), Some((asked, replies, "en")), "{written}");
        }
        for bad in ["", "1:2:3:w", "1:2:3:w none", "1:2:3:w x en", "1:2:3 none en"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn d11_a_button_carries_what_is_needed_after_a_restart() {
        for sight in [Sight::Whole, Sight::Now] {
            let asked = Asked { channel: u64::MAX, message: u64::MAX, person: u64::MAX, sight };
            for wish in [Wish::Again, Wish::GoOn] {
                let id = asked.id(wish);
                assert!(id.len() <= 100, "{id}");
                let (name, rest) = id.split_once(':').unwrap();
                assert_eq!((name, Asked::parse(rest)), (wish.name(), Some(asked)));
            }
        }
        for bad in ["", "1:2:3", "1:2:3:x", "1:2:x:w", "1:2:3:w:4"] {
            assert_eq!(Asked::parse(bad), None, "{bad}");
        }
    }
}
