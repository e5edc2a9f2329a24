//! `<PROVIDER>_…`: overrides of the built-in rows, and the credentials that variables name.

use serde_json::json;
use url::Url;

use super::{
    CredentialValue, NamedCredential,
    file::Section,
    names,
    reader::Reader,
    urls::{self, Carries, HttpHosts, override_url},
    variables,
};
use crate::{
    provider::{self, Catalog, GrantKind, LoginKind, Model, ModelRef, Provider, ProviderId},
    secret::Secret,
};

/// The only other names for a provider's client, from the days when there was one Gemini.
const CLIENT_ALIASES: &[(&str, &str)] = &[("gemini_cli", "GEMINI"), ("qwen_code", "QWEN")];

/// The prefixes under which a provider's variable is read: its own, and for its client the alias.
pub(super) fn prefixes(row: &Provider, suffix: &str) -> Vec<String> {
    let mut prefixes = vec![row.id.variable_prefix()];
    if ["CLIENT_ID", "CLIENT_SECRET"].contains(&suffix) {
        let aliases = CLIENT_ALIASES.iter().filter(|(id, _)| *id == row.id.as_str());
        prefixes.extend(aliases.map(|(_, alias)| (*alias).to_owned()));
    }
    prefixes
}

/// The built-in rows and the operator's own, with every override applied, in `PROVIDER_ORDER`.
pub(super) fn catalog(reader: &mut Reader<'_>, hosts: &HttpHosts, file: &mut Section) -> Catalog {
    let mut rows: Vec<Provider> = Catalog::builtin().iter().cloned().collect();
    let own = file.section(reader, "providers").sections(reader);
    rows.extend(own.into_iter().filter_map(|(name, section)| own_row(reader, hosts, &name, section)));
    for row in &mut rows {
        override_row(reader, hosts, row);
    }
    let mut catalog = Catalog::new(rows);
    accept_terms(reader, &mut catalog);
    let first = ids(reader, "PROVIDER_ORDER", &catalog);
    catalog.order(&first);
    catalog
}

/// A provider of `cortana.toml`, unless something in it is wrong.
fn own_row(reader: &mut Reader<'_>, hosts: &HttpHosts, name: &str, section: Section) -> Option<Provider> {
    let (place, table) = section.into_table();
    let row = provider::own(name, table).and_then(|mut row| {
        check_addresses(&mut row, hosts)?;
        Ok(row)
    });
    row.map_err(|problem| reader.secret_mistake(&place, problem)).ok()
}

/// Holds the addresses of an own provider to what overrides are held to ("where secrets may go").
fn check_addresses(row: &mut Provider, hosts: &HttpHosts) -> Result<(), String> {
    let checked = |key: &str, url: &Url, carries: Carries| {
        urls::check(url.as_str(), carries, hosts).map_err(|expected| format!("{key}: {expected}"))
    };
    let carries = match &row.login {
        LoginKind::OAuth(_) => Carries::Token,
        LoginKind::ApiKey => Carries::Key,
    };
    for base in &mut row.api_bases {
        *base = checked("api_base", base, carries)?;
    }
    let LoginKind::OAuth(spec) = &mut row.login else { return Ok(()) };
    spec.token_endpoint = checked("oauth.token_endpoint", &spec.token_endpoint, Carries::Token)?;
    let others = [
        ("oauth.authorize_endpoint", &mut spec.authorize_endpoint),
        ("oauth.device_endpoint", &mut spec.device_endpoint),
        ("oauth.userinfo_endpoint", &mut spec.userinfo_endpoint),
        ("oauth.revoke_endpoint", &mut spec.revoke_endpoint),
    ];
    for (key, endpoint) in others {
        if let Some(url) = endpoint {
            *url = checked(key, url, Carries::Token)?;
        }
    }
    Ok(())
}

/// `DEFAULT_MODEL`, which must be in a row.
pub(super) fn default_model(reader: &mut Reader<'_>, catalog: &Catalog) -> Option<ModelRef> {
    const NAME: &str = "DEFAULT_MODEL";
    let text = reader.text(NAME)?;
    let known: Vec<String> = catalog
        .iter()
        .flat_map(|row| row.models.iter().map(|model| format!("{}/{}", row.id, model.id)))
        .collect();
    let Ok(wanted) = text.parse::<ModelRef>() else {
        let same = known.iter().find(|name| name.split_once('/').is_some_and(|(_, model)| model == text));
        let example = same.or(known.first()).map_or("", String::as_str);
        reader.mistake(NAME, &text, format!("expected provider/model, such as {example}"));
        return None;
    };
    let Some(row) = catalog.get(&wanted.provider) else {
        let ids: Vec<_> = catalog.iter().map(|row| row.id.as_str()).collect();
        let near = names::suggestion(wanted.provider.as_str(), ids.iter().copied());
        reader.mistake(
            NAME,
            &text,
            format!("there is no such provider: expected one of {}{near}", ids.join(", ")),
        );
        return None;
    };
    if row.models.iter().any(|model| model.id == wanted.model) {
        return Some(wanted);
    }
    let models: Vec<_> = row.models.iter().map(|model| model.id.as_str()).collect();
    let near = names::suggestion(&wanted.model, models.iter().copied());
    reader.mistake(
        NAME,
        &text,
        format!(
            "{} offers {}{near} (a model that it has beyond these goes into {}_MODELS)",
            row.id,
            models.join(", "),
            row.id.variable_prefix()
        ),
    );
    None
}

/// The credentials that variables name, in the order of the catalog and of their numbers.
pub(super) fn named_credentials(reader: &mut Reader<'_>, catalog: &Catalog) -> Vec<NamedCredential> {
    let mut found = Vec::new();
    for row in catalog.iter() {
        for variable in variables::PROVIDER_VARIABLES {
            if !variable.is_numbered() || !variable.concerns(row) {
                continue;
            }
            let base = format!("{}_{}", row.id.variable_prefix(), variable.suffix);
            for name in numbered(reader, &base) {
                let value = match variable.suffix {
                    "API_KEY" => reader.secret(&name).map(CredentialValue::ApiKey),
                    _ => login(reader, &name),
                };
                if let Some(value) = value {
                    found.push(NamedCredential { variable: name, provider: row.id.clone(), value });
                }
            }
        }
        found.extend(own_client(reader, row));
        let has_key = found.iter().any(|known| known.provider == row.id);
        // Who names a server that wants no key wants it asked.
        if row.key_optional && row.api_base_overridden && !has_key {
            let variable = format!("{}_API_BASE", row.id.variable_prefix());
            let value = CredentialValue::ApiKey(row.no_key());
            found.push(NamedCredential { variable, provider: row.id.clone(), value });
        }
    }
    found
}

/// The client of a provider where nobody logs in, in the notation of its dialect.
fn own_client(reader: &mut Reader<'_>, row: &Provider) -> Option<NamedCredential> {
    let spec = row.oauth().filter(|spec| spec.grant == GrantKind::ClientCredentials)?;
    let prefix = row.id.variable_prefix();
    let variable = format!("{prefix}_CLIENT_SECRET");
    let (id, secret) = match (&spec.client_id, &spec.client_secret) {
        (Some(id), Some(secret)) => (id, secret),
        // The id of a row alone says nothing; one that was set lacks its secret.
        (_, None) if reader.text(&format!("{prefix}_CLIENT_ID")).is_none() => return None,
        (_, None) => {
            reader.secret_mistake(&variable, format!("is not set, but {prefix}_CLIENT_ID is: set both"));
            return None;
        }
        (None, Some(_)) => {
            let name = format!("{prefix}_CLIENT_ID");
            reader.secret_mistake(&name, format!("is not set, but {variable} is: set both"));
            return None;
        }
    };
    let mut missing = Vec::new();
    if row.quirks.azure_api_version.is_some() {
        missing.extend((!row.api_base_overridden).then(|| format!("{prefix}_OPENAI_ENDPOINT")));
        missing.extend((!spec.token_endpoint_overridden).then(|| format!("{prefix}_TOKEN_ENDPOINT")));
    }
    for name in &missing {
        reader.secret_mistake(
            name,
            format!("is not set, but {variable} is: the address is your own resource's"),
        );
    }
    let text = json!({ "type": "client_credentials", "client_id": id, "client_secret": secret.expose() });
    let value = CredentialValue::Inline(Secret::new(text.to_string()));
    missing.is_empty().then(|| NamedCredential { variable, provider: row.id.clone(), value })
}

/// A login: the JSON itself, or the path of its file. `…_FILE` names the same file, so that a refresh can be written
/// back to it where it lies.
fn login(reader: &mut Reader<'_>, name: &str) -> Option<CredentialValue> {
    let file_name = format!("{name}_FILE");
    match (reader.text(name), reader.text(&file_name)) {
        (Some(_), Some(_)) => {
            reader.secret_mistake(name, format!("set either {name} or {file_name}, not both"));
            None
        }
        (Some(json), None) if json.starts_with('{') => Some(CredentialValue::Inline(Secret::new(json))),
        (Some(path), None) => login_path(reader, name, &path),
        (None, Some(path)) => login_path(reader, &file_name, &path),
        (None, None) => None,
    }
}

/// The path of a login. What neither exists nor looks like one may be a token that was pasted: it is not repeated, here
/// or later as a file's name.
fn login_path(reader: &mut Reader<'_>, name: &str, text: &str) -> Option<CredentialValue> {
    let path = reader.expand(text);
    if path.extension().is_some_and(|extension| extension == "json") || path.exists() {
        return Some(CredentialValue::Path(path));
    }
    reader.secret_mistake(name, "expected the path of a file that exists, or JSON that begins with `{`");
    None
}

/// The set names of a numbered variable, without their `_FILE`: the bare one first, then by number.
fn numbered(reader: &Reader<'_>, base: &str) -> Vec<String> {
    let mut found: Vec<(Option<u32>, String)> = reader
        .source()
        .names()
        .into_iter()
        .filter_map(|name| {
            let stem = name.strip_suffix("_FILE").unwrap_or(&name);
            let rest = stem.strip_prefix(base)?;
            let number = match rest.strip_prefix('_') {
                Some(digits) => Some(digits.parse().ok()?),
                None if rest.is_empty() => None,
                None => return None,
            };
            Some((number, stem.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().map(|(_, name)| name).collect()
}

fn override_row(reader: &mut Reader<'_>, hosts: &HttpHosts, row: &mut Provider) {
    let prefix = row.id.variable_prefix();
    let carries = match &row.login {
        LoginKind::OAuth(_) => Carries::Token,
        LoginKind::ApiKey => Carries::Key,
    };
    if let Some(base) = override_url(reader, &format!("{prefix}_API_BASE"), carries, hosts) {
        row.api_bases = vec![base];
        row.api_base_overridden = true;
    }
    azure(reader, hosts, row, carries);
    vertex(reader, row);
    if let Some(agent) = user_agent(reader, &format!("{prefix}_USER_AGENT")) {
        row.user_agent = Some(agent);
    }
    override_models(reader, row);
    let of_row = |suffix: &str| {
        variables::PROVIDER_VARIABLES
            .iter()
            .any(|variable| variable.suffix == suffix && variable.concerns(row))
    };
    let project = of_row("PROJECT").then(|| reader.text(&format!("{prefix}_PROJECT"))).flatten();
    let client_id = client(reader, row, "CLIENT_ID", |reader, name| reader.text(name));
    let client_secret = client(reader, row, "CLIENT_SECRET", Reader::secret);
    let token_endpoint = override_url(reader, &format!("{prefix}_TOKEN_ENDPOINT"), Carries::Token, hosts);
    let scopes = reader.list(&format!("{prefix}_SCOPE"));
    row.project = project.or_else(|| row.project.take());
    let LoginKind::OAuth(spec) = &mut row.login else { return };
    if let Some(id) = client_id {
        spec.client_id = Some(id);
    }
    if let Some(secret) = client_secret {
        spec.client_secret = Some(secret);
    }
    if !scopes.is_empty() {
        spec.scopes = scopes;
    }
    if let Some(endpoint) = token_endpoint {
        spec.override_token_endpoint(endpoint);
    }
}

/// `_OPENAI_ENDPOINT`, below which the deployments are, and `_API_VERSION`.
fn azure(reader: &mut Reader<'_>, hosts: &HttpHosts, row: &mut Provider, carries: Carries) {
    let Some(known) = &mut row.quirks.azure_api_version else { return };
    let prefix = row.id.variable_prefix();
    let name = format!("{prefix}_API_VERSION");
    if let Some(version) = reader.text(&name) {
        if version.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            *known = version;
        } else {
            reader.mistake(&name, &version, "expected a version such as 2024-10-21");
        }
    }
    if let Some(mut endpoint) = override_url(reader, &format!("{prefix}_OPENAI_ENDPOINT"), carries, hosts) {
        let path = endpoint.path().trim_end_matches('/').to_owned();
        endpoint.set_path(&if path.ends_with("/openai") { path } else { format!("{path}/openai") });
        row.api_bases = vec![endpoint];
        row.api_base_overridden = true;
    }
}

/// `_LOCATION`, a part of a host's name.
fn vertex(reader: &mut Reader<'_>, row: &mut Provider) {
    if row.quirks.vertex_location.is_none() {
        return;
    }
    let name = format!("{}_LOCATION", row.id.variable_prefix());
    let Some(location) = reader.text(&name) else { return };
    let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if location.chars().all(is_label) && location.starts_with(|first: char| first.is_ascii_lowercase()) {
        row.set_vertex_location(&location);
    } else {
        reader.mistake(&name, &location, "expected a location such as global or europe-west4");
    }
}

/// A part of the client under its own name or its alias; both set differently is a mistake.
fn client<'a, T: PartialEq>(
    reader: &mut Reader<'a>,
    row: &Provider,
    suffix: &str,
    read: impl Fn(&mut Reader<'a>, &str) -> Option<T>,
) -> Option<T> {
    row.oauth()?;
    let mut found: Option<(String, T)> = None;
    for prefix in prefixes(row, suffix) {
        let name = format!("{prefix}_{suffix}");
        let Some(value) = read(reader, &name) else { continue };
        match &found {
            Some((first, known)) if *known != value => {
                reader.secret_mistake(
                    &name,
                    format!("differs from {first}, of which it is another name; set one"),
                );
            }
            Some(_) => {}
            None => found = Some((name, value)),
        }
    }
    found.map(|(_, value)| value)
}

fn user_agent(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let agent = reader.text(name)?;
    if agent.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Some(agent);
    }
    reader.mistake(name, &agent, "expected printable ASCII only, as a header demands");
    None
}

/// Replaces the list of models; what is known of those that stay stays known.
fn override_models(reader: &mut Reader<'_>, row: &mut Provider) {
    let ids = reader.list(&format!("{}_MODELS", row.id.variable_prefix()));
    let Some(first) = ids.first().cloned() else { return };
    let known = |id: String| row.model(&id).cloned().unwrap_or_else(|| Model::named(id));
    let mut seen = std::collections::BTreeSet::new();
    let ids = ids.into_iter().filter(|id| seen.insert(id.clone()));
    let models: Vec<Model> = ids.map(known).collect();
    if !models.iter().any(|model| model.id == row.default_model) {
        row.default_model = first;
    }
    row.models = models;
    row.models_named = true;
}

fn accept_terms(reader: &mut Reader<'_>, catalog: &mut Catalog) {
    const NAME: &str = "ACCEPT_PROVIDER_TERMS";
    for id in ids(reader, NAME, catalog) {
        let Some(row) = catalog.get_mut(&id) else { continue };
        if row.terms.is_none() {
            reader.warn(format!("{NAME} names {id}, which has no terms to accept"));
        }
        row.terms_accepted = true;
    }
}

/// A list of provider ids that must be in the catalog.
fn ids(reader: &mut Reader<'_>, name: &str, catalog: &Catalog) -> Vec<ProviderId> {
    reader.list(name).iter().filter_map(|part| known(reader, name, part, catalog)).collect()
}

/// A provider id that must be in the catalog.
pub(super) fn known(
    reader: &mut Reader<'_>,
    name: &str,
    text: &str,
    catalog: &Catalog,
) -> Option<ProviderId> {
    let id = text.parse::<ProviderId>().ok().filter(|id| catalog.get(id).is_some());
    if id.is_none() {
        let known: Vec<_> = catalog.iter().map(|row| row.id.as_str()).collect();
        let near = names::suggestion(text, known.iter().copied());
        reader.mistake(name, text, format!("expected providers among {}{near}", known.join(", ")));
    }
    id
}
