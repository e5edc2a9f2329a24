//! What an operator reads. The link of a refused account stands here and on its card, and nowhere else.

use chrono::{DateTime, Utc};

use super::told::{News, Topic, Trouble};
use crate::{
    credential::CredentialId,
    discord::reply::cut,
    language::{Language, say},
    pool::{Alert, AlertKind, Snapshot, Subject},
    secret::Secret,
};

/// Units of all paragraphs together, below Discord's 2000 with room for what stands under them.
const LIMIT: usize = 1800;
/// Units of what is wrong.
const WHAT: usize = 700;
/// A longer link is on the credential's card alone.
const LINK: usize = 800;

/// The message that says all of it; what does not fit is counted.
pub(super) fn written(
    language: &Language,
    news: &News<'_>,
    snapshot: &Snapshot,
    link: impl Fn(&CredentialId) -> Option<Secret>,
) -> String {
    let begun = news.begun.iter().map(|trouble| begun(language, trouble, &link));
    let over = news.over.iter().map(|(topic, since)| over(language, topic, *since, snapshot));
    let (mut text, mut left_out) = (String::new(), 0_usize);
    for paragraph in begun.chain(over) {
        let units = text.encode_utf16().count() + paragraph.encode_utf16().count() + 1;
        if left_out > 0 || units > LIMIT {
            left_out += 1;
        } else {
            text.push_str(&paragraph);
            text.push('\n');
        }
    }
    let more = match left_out {
        0 => String::new(),
        left_out => format!("… {}\n", say!(language, "alert-more", count = left_out)),
    };
    format!("{text}{more}-# {}", say!(language, "alert-footer"))
}

fn begun(language: &Language, trouble: &Trouble, link: &impl Fn(&CredentialId) -> Option<Secret>) -> String {
    match trouble {
        Trouble::ContentIntent { .. } => {
            let next = say!(language, "alert-next", what = say!(language, "alert-intent-next"));
            format!("⚠️ {}\n{next}", say!(language, "alert-intent"))
        }
        Trouble::Pool(alert) => {
            let what = what(language, alert.kind, alert.subject.as_ref());
            let next = say!(language, "alert-next", what = next(language, alert, link));
            format!("⚠️ {}\n{next}", cut(&format!("{what}: {}", alert.reason), WHAT))
        }
    }
}

/// What is wrong with whom. Why, behind it, is what the log says too.
fn what(language: &Language, kind: AlertKind, subject: Option<&Subject>) -> String {
    let who = subject.map_or_else(String::new, ToString::to_string);
    match kind {
        AlertKind::NeedsLogin => say!(language, "alert-needs-login", who = who),
        AlertKind::Refused => say!(language, "alert-refused", who = who),
        AlertKind::RefreshFailing => say!(language, "alert-refresh-failing", who = who),
        AlertKind::Unsaved => say!(language, "alert-unsaved", who = who),
        AlertKind::FewHealthy => say!(language, "alert-few-healthy"),
    }
}

/// What to do about it.
fn next(language: &Language, alert: &Alert, link: &impl Fn(&CredentialId) -> Option<Secret>) -> String {
    let Some(Subject { credential, provider, .. }) = &alert.subject else {
        return say!(language, "alert-next-status");
    };
    let id = credential.as_str();
    match alert.kind {
        AlertKind::NeedsLogin => say!(language, "alert-next-login", id = id),
        AlertKind::Refused => match link(credential).filter(fits) {
            Some(link) => say!(language, "alert-next-link", link = format!("<{}>", link.expose()), id = id),
            None => say!(language, "alert-next-refused", id = id),
        },
        AlertKind::RefreshFailing => provider.as_ref().map_or_else(
            || say!(language, "alert-next-card", id = id),
            |provider| say!(language, "alert-next-refresh", provider = provider.as_str(), id = id),
        ),
        AlertKind::Unsaved => say!(language, "alert-next-doctor"),
        AlertKind::FewHealthy => say!(language, "alert-next-status"),
    }
}

/// Whether a link stays whole, and itself, between angle brackets.
fn fits(link: &Secret) -> bool {
    let text = link.expose();
    text.len() <= LINK
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
}

fn over(language: &Language, topic: &Topic, since: DateTime<Utc>, snapshot: &Snapshot) -> String {
    let (kind, subject) = match topic {
        Topic::ContentIntent => return format!("✅ {}", say!(language, "alert-intent-over")),
        Topic::Pool(kind, None) => (*kind, None),
        Topic::Pool(kind, Some(id)) => {
            let Some(found) = snapshot.credentials.iter().find(|credential| credential.id == *id) else {
                return format!("✅ {}", say!(language, "alert-over-gone", id = id.as_str()));
            };
            let subject = Subject {
                credential: id.clone(),
                provider: found.provider.clone(),
                account: found.account.clone(),
            };
            (*kind, Some(subject))
        }
    };
    let minutes = (snapshot.taken_at - since).num_minutes().max(0);
    let what = what(language, kind, subject.as_ref());
    cut(&format!("✅ {}", say!(language, "alert-over", minutes = minutes, what = what)), WHAT)
}

#[cfg(test)]
mod tests {
    use super::{
        super::told::tests::{alert, at, snapshot},
        *,
    };

    const FOOTER: &str = "-# For operators; `ALERT_OPERATORS=off` ends these messages.";

    fn letter(holds: &[Trouble], over: Vec<(Topic, DateTime<Utc>)>, link: Option<&str>) -> String {
        let news = News { begun: holds.iter().collect(), over };
        written(&Language::english(), &news, &snapshot(&["c0ffee"]), |_| link.map(Secret::new))
    }

    #[test]
    fn p34_an_operator_reads_what_is_wrong_and_what_to_do() {
        let text =
            letter(&[alert(AlertKind::NeedsLogin, Some("c0ffee"))], Vec::new(), Some("https://canary"));
        let expected = "⚠️ qwen_code an…@example.com (c0ffee) needs a login: the refresh token was refused: run `cortana \
                        login qwen_code`\nNext: log in as it says; `/settings credential c0ffee` shows it, with its \
                        buttons.\n";
        assert_eq!(text, format!("{expected}{FOOTER}"), "a link is a refused account's");
    }

    #[test]
    fn p34_what_is_over_is_said_with_its_length() {
        let topic = |id: &str| Topic::Pool(AlertKind::Refused, Some(CredentialId::new(id)));
        let over = vec![(topic("c0ffee"), at(0)), (topic("g0ne"), at(0)), (Topic::ContentIntent, at(0))];
        let expected = "✅ Over after 5 min: qwen_code an…@example.com (c0ffee) is refused by the service\n\
                        ✅ Over: credential `g0ne` is not configured any more.\n\
                        ✅ Discord grants me the Message Content intent again.\n";
        assert_eq!(letter(&[], over, None), format!("{expected}{FOOTER}"));
    }

    #[test]
    fn p34_a_link_stands_whole_or_not_at_all() {
        let refused = [alert(AlertKind::Refused, Some("c0ffee"))];
        let text = letter(&refused, Vec::new(), Some("https://accounts.google.com/verify?FAKE"));
        assert!(text.contains("opens <https://accounts.google.com/verify?FAKE>;"), "{text}");
        for bad in ["https://a.example/> @everyone", "https://a.example/\nx", &"x".repeat(801)] {
            let text = letter(&refused, Vec::new(), Some(bad));
            assert!(text.contains("shows what the service said") && !text.contains("opens"), "{text}");
        }
    }

    #[test]
    fn p34_a_burst_is_one_message_within_discords_limit() {
        let holds: Vec<Trouble> =
            (0..100).map(|number| alert(AlertKind::Refused, Some(&format!("c0ffee{number}")))).collect();
        let text = letter(&holds, Vec::new(), Some(&"x".repeat(800)));
        assert!(text.encode_utf16().count() <= 2000, "{text}");
        let said = text.matches("⚠️").count();
        assert!(said > 0 && text.contains(&format!("… and {} more", 100 - said)), "{text}");
    }
}
