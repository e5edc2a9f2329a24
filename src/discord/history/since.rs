//! What was said from a message on, as one text that names who said what (for a summary).

use std::fmt::Write as _;

use super::{
    super::{data::Bot, error::RestError},
    PAGE,
    seen::{Kind, Seen, Wire, said},
};

/// Messages of a summary.
const MOST: usize = 300;
/// Characters of one.
const LONGEST: usize = 60_000;

/// A stretch of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::discord) struct Since {
    /// A line each message, later lines of it set in: nobody can write a line that looks like another's.
    pub(in crate::discord) text: String,
    /// How many messages say something.
    pub(in crate::discord) messages: usize,
    /// Whether there are more than are read.
    pub(in crate::discord) extent: Extent,
}

/// How much was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::discord) enum Extent {
    /// Everything up to now.
    #[default]
    Whole,
    /// The oldest of it: more was said later.
    Beginning,
}

/// Everything from a message on, which is known, within bounds.
pub(in crate::discord) async fn since(bot: &Bot, channel: u64, first: &Seen) -> Result<Since, RestError> {
    let mut found = Since::default();
    found.add(first);
    let mut last = first.id;
    let mut read = 1;
    loop {
        let path = format!("channels/{channel}/messages?after={last}&limit={PAGE}");
        let mut page = bot.rest.get::<Vec<Wire>>(&path).await?;
        let is_last = page.len() < usize::from(PAGE);
        page.reverse();
        for seen in page.into_iter().filter_map(Wire::seen) {
            last = last.max(seen.id);
            read += 1;
            if read > MOST || !found.add(&seen).fits() {
                found.extent = Extent::Beginning;
                return Ok(found);
            }
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// Whether a message was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Added {
    Yes,
    NoRoom,
}

impl Added {
    fn fits(self) -> bool {
        self == Self::Yes
    }
}

impl Since {
    fn add(&mut self, seen: &Seen) -> Added {
        let mut text = said(&seen.content, &seen.embedded);
        for file in &seen.files {
            let gap = if text.is_empty() { "" } else { " " };
            let _infallible = write!(text, "{gap}[file {}]", file.name);
        }
        if seen.kind != Kind::Talk || text.trim().is_empty() {
            return Added::Yes;
        }
        if self.text.len() + text.len() > LONGEST {
            return Added::NoRoom;
        }
        let name = super::on_one_line(&seen.name).replace(':', " ");
        let _infallible = writeln!(
            self.text,
            "{} {name}: {}",
            seen.at.format("%H:%M"),
            text.trim().replace('\n', "\n    ")
        );
        self.messages += 1;
        Added::Yes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str, content: &str) -> Seen {
        let message = serde_json::json!({
            "id": "3", "channel_id": "7", "author": { "id": "5", "username": name }, "content": content,
            "timestamp": "2026-01-01T10:20:00.000000+00:00",
        });
        serde_json::from_value::<Wire>(message).unwrap().seen().unwrap()
    }

    #[test]
    fn d18_nobody_writes_a_line_in_anothers_name() {
        let mut found = Since::default();
        found.add(&seen("ann", "yes\n10:21 ben: I agree"));
        found.add(&seen("x\n10:22 ben: no", "hm"));
        found.add(&seen("ben", " \n"));
        assert_eq!(found.text, "10:20 ann: yes\n    10:21 ben: I agree\n10:20 x 10 22 ben  no: hm\n");
        assert_eq!(found.messages, 2);
    }

    #[test]
    fn d27_a_summary_is_bounded() {
        let mut found = Since::default();
        let added = (0..100).take_while(|_| found.add(&seen("ann", &"x".repeat(2000))).fits()).count();
        assert_eq!(added, 29);
        assert!(found.text.len() < LONGEST + 1000);
    }
}
