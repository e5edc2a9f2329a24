//! What an operator reads. The link of a refused account stands here and on its card, and nowhere else.

use chrono::{DateTime, Utc};

use super::told::{News, Topic, Trouble};
use crate::{
    credential::CredentialId,
    discord::reply::cut,
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
    news: &News<'_>,
    snapshot: &Snapshot,
    link: impl Fn(&CredentialId) -> Option<Secret>,
) -> String {
    let begun = news.begun.iter().map(|trouble| begun(trouble, &link));
    let over = news.over.iter().map(|(topic, since)| over(topic, *since, snapshot));
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
        left_out => format!("… and {left_out} more: `/settings oauth-status` shows all.\n"),
    };
    text + &more + "-# For operators; `ALERT_OPERATORS=off` ends these messages."
}

fn begun(trouble: &Trouble, link: &impl Fn(&CredentialId) -> Option<Secret>) -> String {
    match trouble {
        Trouble::ContentIntent { .. } => {
            "⚠️ Discord refuses me the Message Content intent: I answer mentions, replies with a \
             ping and direct messages alone.\nNext: switch it on under \"Bot\" at \
             <https://discord.com/developers/applications>, and restart me."
                .to_owned()
        }
        Trouble::Pool(alert) => format!("⚠️ {}\nNext: {}", cut(&alert.sentence(), WHAT), next(alert, link)),
    }
}

/// What to do about it.
fn next(alert: &Alert, link: &impl Fn(&CredentialId) -> Option<Secret>) -> String {
    let Some(Subject { credential, provider, .. }) = &alert.subject else {
        return "`/settings oauth-status` shows what each one needs.".to_owned();
    };
    let card = format!("`/settings credential {credential}`");
    match alert.kind {
        AlertKind::NeedsLogin => format!("log in as it says; {card} shows it, with its buttons."),
        AlertKind::Refused => match link(credential).filter(fits) {
            Some(link) => format!(
                "the account's owner, and nobody else, opens <{}>; then enable it with {card}.",
                link.expose()
            ),
            None => format!("{card} shows what the service said, and enables it again."),
        },
        AlertKind::RefreshFailing => provider.as_ref().map_or_else(
            || format!("{card} shows why."),
            |provider| format!("`/settings oauth-refresh {provider}` tries now; {card} shows why."),
        ),
        AlertKind::Unsaved => "`cortana doctor` on the machine says who may write where.".to_owned(),
        AlertKind::FewHealthy => "`/settings oauth-status` shows what each one needs.".to_owned(),
    }
}

/// Whether a link stays whole, and itself, between angle brackets.
fn fits(link: &Secret) -> bool {
    let text = link.expose();
    text.len() <= LINK
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
}

fn over(topic: &Topic, since: DateTime<Utc>, snapshot: &Snapshot) -> String {
    let (kind, subject) = match topic {
        Topic::ContentIntent => return "✅ Discord grants me the Message Content intent again.".to_owned(),
        Topic::Pool(kind, None) => (*kind, None),
        Topic::Pool(kind, Some(id)) => {
            let Some(found) = snapshot.credentials.iter().find(|credential| credential.id == *id) else {
                return format!("✅ Over: credential `{id}` is not configured any more.");
            };
            let subject = Subject {
                credential: id.clone(),
                provider: found.provider.clone(),
                account: found.account.clone(),
            };
            (*kind, Some(subject))
        }
    };
    let cleared_at = Some(snapshot.taken_at);
    cut(&format!("✅ {}", Alert { kind, subject, reason: String::new(), since, cleared_at }.sentence()), WHAT)
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
        written(&news, &snapshot(&["c0ffee"]), |_| link.map(Secret::new))
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
