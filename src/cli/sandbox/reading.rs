//! Discord's markup as a reader's client shows it: times as words, mentions as names.

use chrono::{DateTime, TimeDelta, Utc};

/// The text as a reader sees it at `now`. Markup that is not known stays as it is.
pub(super) fn readable(text: &str, now: DateTime<Utc>, bot: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        shown.push_str(before);
        let Some((inside, behind)) = after.split_once('>') else {
            rest = after;
            shown.push('<');
            continue;
        };
        if let Some(words) = timestamp(inside, now).or_else(|| mention(inside, bot)) {
            shown.push_str(&words);
            rest = behind;
        } else {
            shown.push('<');
            rest = after;
        }
    }
    shown.push_str(rest);
    shown
}

/// `@bot`, or `@…` and `#…` for the ids of others.
fn mention(inside: &str, bot: &str) -> Option<String> {
    let is_id = |id: &str| !id.is_empty() && id.chars().all(|c| c.is_ascii_digit());
    if let Some(id) = inside.strip_prefix('@') {
        return is_id(id).then(|| if id == bot { "@Cortana".to_owned() } else { format!("@{id}") });
    }
    let id = inside.strip_prefix('#')?;
    is_id(id).then(|| format!("#{id}"))
}

/// `t:UNIX:STYLE`: `R` is relative, every other style a date.
fn timestamp(inside: &str, now: DateTime<Utc>) -> Option<String> {
    let mut parts = inside.strip_prefix("t:")?.split(':');
    let at = DateTime::from_timestamp(parts.next()?.parse().ok()?, 0)?;
    Some(match parts.next() {
        Some("R") => relative(at - now),
        Some(_) | None => at.format("%F %H:%M UTC").to_string(),
    })
}

/// `in 59 minutes`, `2 hours ago`.
fn relative(span: TimeDelta) -> String {
    let seconds = span.num_seconds().abs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if span < TimeDelta::zero() {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_shown_as_a_client_shows_it() {
        let now = DateTime::from_timestamp(1_000_000, 0).expect("an instant");
        let shown = |text: &str| readable(text, now, "42");
        assert_eq!(shown("back <t:1003600:R>, since <t:999999:R>"), "back in 1 hour, since 1 second ago");
        assert_eq!(shown("at <t:1000000:f>"), "at 1970-01-12 13:46 UTC");
        assert_eq!(shown("<@42> and <@7> in <#9>"), "@Cortana and @7 in #9");
        assert_eq!(shown("a < b, <b>, <@x>, <t:x:R>, <"), "a < b, <b>, <@x>, <t:x:R>, <");
    }
}
