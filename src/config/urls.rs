//! Which addresses an operator may put in the place of a provider's or Discord's own ("where secrets may go").
//!
//! https; or http on a loopback literal; or http to a host of `ALLOW_HTTP_HOSTS`, which never gets an OAuth token.

use std::collections::BTreeSet;

use url::{Host, Url};

use super::reader::Reader;

/// What is sent to an address, which decides how it may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// An OAuth token or refresh token, or the bot's token: never over http beyond this machine.
    Token,
    /// An API key, or nothing: http to a host of `ALLOW_HTTP_HOSTS` is the operator's choice.
    Key,
}

/// Hosts of `ALLOW_HTTP_HOSTS`.
#[derive(Debug, Clone, Default)]
pub(super) struct HttpHosts(BTreeSet<String>);

impl HttpHosts {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        const NAME: &str = "ALLOW_HTTP_HOSTS";
        let mut hosts = BTreeSet::new();
        for part in reader.list(NAME) {
            match Host::parse(&part) {
                Ok(host) => {
                    hosts.insert(host.to_string());
                }
                Err(_) => reader.mistake(
                    NAME,
                    &part,
                    "expected host names without scheme, port or path, separated by commas, such as ollama",
                ),
            }
        }
        Self(hosts)
    }
}

/// An address that replaces a built-in one; `None` when unset or refused, with the mistake noted.
pub(super) fn override_url(
    reader: &mut Reader<'_>,
    name: &str,
    carries: Carries,
    hosts: &HttpHosts,
) -> Option<Url> {
    let text = reader.text(name)?;
    match check(&text, carries, hosts) {
        Ok(url) => Some(url),
        // An address with a user part may hold a password: it is not repeated.
        Err(expected) if text.contains('@') => {
            reader.secret_mistake(name, expected);
            None
        }
        Err(expected) => {
            reader.mistake(name, &text, expected);
            None
        }
    }
}

/// Discord's own origin: https or loopback only, and no path, since the version is the bot's to choose.
pub(super) fn discord_origin(reader: &mut Reader<'_>, name: &str) -> Option<Url> {
    let url = override_url(reader, name, Carries::Token, &HttpHosts::default())?;
    if url.path() != "/" {
        reader.mistake(
            name,
            url.as_str(),
            "expected an origin without a path, such as http://127.0.0.1:8787",
        );
        return None;
    }
    Some(url)
}

/// An address to which something may be sent, without a slash at its end; else what is expected.
pub(super) fn check(text: &str, carries: Carries, hosts: &HttpHosts) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|_| "expected an address with its scheme, such as https://models.example/v1".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("expected an address without a user name or password in it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("expected an address without `?` and `#`".to_owned());
    }
    let Some(host) = url.host() else {
        return Err("expected an address with a host, such as https://models.example/v1".to_owned());
    };
    match url.scheme() {
        "https" => Ok(without_trailing_slash(url)),
        "http" if is_loopback_literal(&host) => Ok(without_trailing_slash(url)),
        "http" => {
            let listed = hosts.0.contains(&host.to_string());
            match carries {
                Carries::Key if listed => Ok(without_trailing_slash(url)),
                Carries::Key => Err(format!(
                    "expected https; a key goes over http to this host only if ALLOW_HTTP_HOSTS names {host}"
                )),
                Carries::Token if host.to_string() == "localhost" => Err(
                    "expected https, or http to the loopback address itself: write 127.0.0.1 for localhost"
                        .to_owned(),
                ),
                Carries::Token => Err("expected https, or http to 127.0.0.1 or [::1]: \
                     tokens never travel over http beyond this machine, whatever ALLOW_HTTP_HOSTS says"
                    .to_owned()),
            }
        }
        other => Err(format!("expected https, not {other}")),
    }
}

/// A literal address of this machine; the name `localhost` is not one, since it can resolve to anything.
fn is_loopback_literal<S>(host: &Host<S>) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(_) => false,
    }
}

fn without_trailing_slash(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> HttpHosts {
        HttpHosts(BTreeSet::from(["ollama".to_owned()]))
    }

    #[test]
    fn secrets_go_over_https_or_stay_on_this_machine() {
        for (text, token, key) in [
            ("https://models.example/v1", true, true),
            ("http://127.0.0.1:9/v1", true, true),
            ("http://[::1]:9/v1", true, true),
            ("http://127.9.9.9", true, true),
            ("http://localhost:9", false, false),
            ("http://ollama:11434/v1", false, true),
            ("http://OLLAMA:11434/v1", false, true),
            ("http://ollama.evil.example/v1", false, false),
            ("http://127.0.0.1.evil.example/v1", false, false),
            ("http://models.example/v1", false, false),
            ("https://user:password@models.example/v1", false, false),
            ("http://127.0.0.1@evil.example/", false, false),
            ("https://models.example/v1?key=1", false, false),
            ("file:///etc/passwd", false, false),
            ("models.example/v1", false, false),
        ] {
            assert_eq!(check(text, Carries::Token, &hosts()).is_ok(), token, "a token to {text}");
            assert_eq!(check(text, Carries::Key, &hosts()).is_ok(), key, "a key to {text}");
        }
    }

    #[test]
    fn a_base_ends_without_a_slash() {
        let url = check("https://models.example/v1/", Carries::Key, &hosts()).expect("https");
        assert_eq!(url.as_str(), "https://models.example/v1");
    }
}
