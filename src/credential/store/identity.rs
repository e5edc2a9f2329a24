//! Ids of credentials, and whose a file is.

use std::path::Path;

use super::super::{CredentialId, Fingerprint, OAuthLogin, dialect::Hint};
use crate::{
    provider::{Catalog, Provider, ProviderId},
    secret::Secret,
};

/// Hex digits of an id: short enough for a button, and a thousand credentials share none.
const ID_DIGITS: usize = 12;

/// File names that do not begin with a provider's id, by the tools that write them.
const NAMES: &[(&str, &str)] =
    &[("gemini", "gemini_cli"), ("qwen", "qwen_code"), ("antigravity", "antigravity"), ("iflow", "iflow")];

/// Folders that the official tools keep their files in.
const FOLDERS: &[(&str, &str)] = &[
    (".gemini", "gemini_cli"),
    ("antigravity-cli", "antigravity"),
    (".qwen", "qwen_code"),
    (".iflow", "iflow"),
];

/// The id of a login whose account has a name: it outlives every token.
pub(super) fn of_account(provider: &ProviderId, account: &str) -> CredentialId {
    digest(&["account", provider.as_str(), &account.to_lowercase()])
}

/// The id of a nameless login, by the first token it was met with.
pub(super) fn of_tokens(provider: &ProviderId, login: &OAuthLogin) -> CredentialId {
    let token = login.tokens.refresh.as_ref().or(login.tokens.access.as_ref());
    digest(&["token", provider.as_str(), token.map_or("", Secret::expose)])
}

/// The id of a client or service account that asks on its own behalf: a token for other scopes, or of another server, is another's.
pub(super) fn of_client(provider: &Provider, login: &OAuthLogin) -> CredentialId {
    let spec = provider.oauth();
    let scopes = spec.map(|spec| spec.scopes.join(" ")).unwrap_or_default();
    let endpoint = login.token_endpoint.as_ref().or(spec.map(|spec| &spec.token_endpoint));
    let client = login.client.as_ref().map_or("", |client| &client.id);
    let endpoint = endpoint.map_or("", |url| url.as_str());
    digest(&["client", provider.id.as_str(), client, &scopes, endpoint])
}

/// The id of an API key.
pub(super) fn of_key(provider: &ProviderId, key: &Secret) -> CredentialId {
    digest(&["key", provider.as_str(), key.expose()])
}

/// The id of a second login of the same account, told from the first by where it was found.
pub(super) fn of_place(id: &CredentialId, label: &str, index: usize) -> CredentialId {
    digest(&["place", id.as_str(), label, &index.to_string()])
}

fn digest(parts: &[&str]) -> CredentialId {
    let text = Fingerprint::of_bytes(parts.join("\0").as_bytes()).to_string();
    CredentialId::new(&text.chars().take(ID_DIGITS).collect::<String>())
}

/// Whose a file is, and what an operator should know about how that was decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) provider: ProviderId,
    /// The clash that was settled.
    pub(super) clash: Option<String>,
}

/// Decides whose a file is: what was said explicitly, then the content, then the name; a clash is told.
pub(super) fn owner(
    explicit: Option<&ProviderId>,
    hint: Hint,
    named: Option<ProviderId>,
    providers: &Catalog,
) -> Option<Owner> {
    let builtin = |id: &str| id.parse().ok().filter(|id| providers.get(id).is_some());
    let is_google = |id: &ProviderId| matches!(id.as_str(), "gemini_cli" | "antigravity" | "vertex");
    let content: Option<ProviderId> = match hint {
        Hint::Provider(id) => builtin(id),
        Hint::Google => named.clone().filter(is_google).or_else(|| builtin("gemini_cli")),
        Hint::GoogleCloud => {
            named.clone().filter(is_google).or_else(|| builtin("vertex")).or_else(|| builtin("gemini_cli"))
        }
        Hint::Nothing => None,
    };
    // A Google-looking token is no proof against a provider that an operator describes in a file of their own.
    let fits = |id: &ProviderId| match hint {
        Hint::Provider(_) => content.as_ref() == Some(id),
        Hint::Google | Hint::GoogleCloud => is_google(id),
        Hint::Nothing => true,
    };
    let (provider, other) = match (explicit, content.clone(), named) {
        (Some(said), content, _) => (said.clone(), content.filter(|_| !fits(said))),
        (None, Some(content), named) => {
            let other = named.filter(|named| !fits(named));
            let clash = other
                .map(|named| format!("its name says {named}, its content {content}: taken as {content}"));
            return Some(Owner { provider: content, clash });
        }
        (None, None, Some(named)) => (named, None),
        (None, None, None) => return None,
    };
    let clash = other
        .map(|content| format!("it looks like {content}, but is named as {provider}: taken as {provider}"));
    Some(Owner { provider, clash })
}

/// Whose a file is by its name, by the name of what it links to, or by the folder that a tool keeps it in.
pub(super) fn by_name(path: &Path, target: &Path, providers: &Catalog) -> Option<ProviderId> {
    let name =
        |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase().replace('-', "_"));
    let folder = target.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let known = |id: &str| id.parse::<ProviderId>().ok().filter(|id| providers.get(id).is_some());
    [name(path), name(target)]
        .into_iter()
        .flatten()
        .find_map(|name| {
            // The longest id wins: `openai_eu.json` is `openai_eu`'s where there is such a provider.
            let longest = |has_logins: fn(&Provider) -> bool| {
                let by_id =
                    providers.iter().filter(|row| has_logins(row) && name.starts_with(row.id.as_str()));
                by_id.max_by_key(|row| row.id.as_str().len()).map(|row| row.id.clone())
            };
            // A login called `gemini.json` is Gemini CLI's: the provider `gemini` takes keys.
            longest(|row| row.oauth().is_some())
                .or_else(|| {
                    NAMES.iter().find(|(prefix, _)| name.starts_with(prefix)).and_then(|(_, id)| known(id))
                })
                .or_else(|| longest(|row| row.oauth().is_none()))
        })
        .or_else(|| {
            let folder = folder?;
            FOLDERS.iter().find(|(name, _)| *name == folder).and_then(|(_, id)| known(id))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ProviderId {
        text.parse().unwrap()
    }

    fn decided(explicit: Option<&str>, hint: Hint, named: Option<&str>) -> Option<(String, bool)> {
        owner(explicit.map(id).as_ref(), hint, named.map(id), &Catalog::builtin())
            .map(|owner| (owner.provider.to_string(), owner.clash.is_some()))
    }

    fn is(provider: &str, clash: bool) -> (String, bool) {
        (provider.to_owned(), clash)
    }

    #[test]
    fn explicit_beats_content_beats_name_and_a_clash_is_told() {
        let qwen = Hint::Provider("qwen_code");
        assert_eq!(decided(Some("iflow"), qwen, None), Some(is("iflow", true)));
        assert_eq!(decided(Some("qwen_code"), qwen, Some("iflow")), Some(is("qwen_code", false)));
        assert_eq!(decided(None, qwen, Some("iflow")), Some(is("qwen_code", true)));
        assert_eq!(decided(None, Hint::Nothing, Some("iflow")), Some(is("iflow", false)));
        assert_eq!(decided(None, Hint::Nothing, None), None);
    }

    #[test]
    fn a_google_login_is_told_apart_by_name_alone() {
        assert_eq!(decided(None, Hint::Google, Some("antigravity")), Some(is("antigravity", false)));
        assert_eq!(decided(None, Hint::Google, None), Some(is("gemini_cli", false)));
        assert_eq!(decided(None, Hint::Google, Some("qwen_code")), Some(is("gemini_cli", true)));
        assert_eq!(decided(Some("antigravity"), Hint::GoogleCloud, None), Some(is("antigravity", false)));
    }

    #[test]
    fn names_are_read_from_the_file_its_target_and_the_tools_folder() {
        let providers = Catalog::builtin();
        let by = |path: &str, target: &str| {
            by_name(Path::new(path), Path::new(target), &providers).map(|id| id.to_string())
        };
        assert_eq!(by("c/qwen-work.json", "c/qwen-work.json").as_deref(), Some("qwen_code"));
        assert_eq!(by("c/gemini-work.json", "c/gemini-work.json").as_deref(), Some("gemini_cli"));
        assert_eq!(
            by("c/openai.json", "c/openai.json").as_deref(),
            Some("openai"),
            "to be told that it has none"
        );
        assert_eq!(by("c/gemini_cli_oauth_1.json", "x").as_deref(), Some("gemini_cli"));
        assert_eq!(by("c/a.json", "/home/u/.iflow/oauth_creds.json").as_deref(), Some("iflow"));
        assert_eq!(by("c/antigravity-oauth-token", "x").as_deref(), Some("antigravity"));
        assert_eq!(by("c/oauth_creds.json", "c/oauth_creds.json"), None);
    }
}
