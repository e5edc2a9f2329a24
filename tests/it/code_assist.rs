//! Code Assist's logins as an operator runs them: whose they are, what project they have, and what is left of their quotas,
//! asked for in the background, over real sockets, and counted.

use std::{os::unix::fs::PermissionsExt as _, path::Path, sync::Arc};

use cortana::{
    app::build_pool,
    config::{MapSource, load},
    http::Reach,
    oauth::{Refresh, RefreshError},
    pool::{Background, CredentialView, Pool, State},
    sandbox::vendor::{Act, Fault, Kind, Reply, Standing, Vendors},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::metrics::Metrics,
};
use tempfile::TempDir;
use tokio::time::Duration;

use crate::support::{
    talking::{Bot, put},
    vendors::{Served, exchange, until},
};

const ANN: &str = "ann@example.com";
const NAME: &str = "login.json";

/// A folder with one login in the notation of its provider's own tool, which names neither account nor project.
struct Home {
    served: Served,
    provider: &'static str,
    folder: Arc<TempDir>,
}

/// One life of the pool, with its background.
struct Life {
    pool: Pool,
    shutdown: Shutdown,
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Life {
    fn view(&self) -> CredentialView {
        self.pool.snapshot().credentials.first().cloned().expect("a credential")
    }

    async fn end(self) {
        assert!(self.shutdown.drain(Duration::from_secs(10)).await, "what is under way ends");
    }
}

impl Home {
    async fn of(provider: &'static str, standing: Standing) -> Self {
        let served = Served::start().await;
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        std::fs::create_dir(folder.path().join("credentials")).expect("a folder");
        let home = Self { served, provider, folder };
        home.log_in(ANN);
        home.served.vendors.set_standing(provider, ANN, standing);
        home
    }

    /// Puts a login of this account into the file.
    fn log_in(&self, account: &str) {
        let login = self.served.vendors.mint(self.provider, account);
        let name = format!("{}-{NAME}", self.provider);
        put(&self.folder.path().join("credentials").join(name), &login.official_file());
    }

    fn source(&self) -> MapSource {
        let at = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        let source =
            MapSource::new().with("CREDENTIALS_DIR", at("credentials")).with("STATE_DIR", at("state"));
        self.served.variables().into_iter().fold(source, |source, (name, value)| source.with(name, value))
    }

    async fn live(&self) -> Life {
        self.live_with(Background::On).await
    }

    async fn live_with(&self, background: Background) -> Life {
        let mut settings = load(&self.source()).expect("a good configuration");
        settings.http.reach = Reach::LoopbackOnly;
        let shutdown = Shutdown::new();
        let pool = build_pool(&settings, background, &Metrics::default(), &shutdown).await.expect("a pool");
        Life { pool, shutdown }
    }

    async fn chat(&self, times: usize) {
        let bot = Bot::configured(self.source(), Arc::clone(&self.folder)).await;
        for _ in 0..times {
            bot.ask(&format!("{}/gemini-3-flash", self.provider)).await.expect("an answer");
        }
    }

    fn vendors(&self) -> &Vendors {
        &self.served.vendors
    }

    fn asked(&self, path: &str) -> usize {
        self.vendors().requests().iter().filter(|request| request.path.ends_with(path)).count()
    }

    fn file(&self, suffix: &str) -> String {
        let name = format!("{}-{NAME}{suffix}", self.provider);
        std::fs::read_to_string(self.folder.path().join("credentials").join(name)).unwrap_or_default()
    }
}

fn licensed() -> Standing {
    Standing::Licensed { project: "fake-project-7".to_owned() }
}

#[tokio::test]
async fn whose_a_login_is_and_its_project_are_asked_once_and_remembered_beside_its_file() {
    for provider in ["gemini_cli", "antigravity"] {
        let home = Home::of(provider, licensed()).await;
        let before = home.file("");
        let life = home.live().await;
        assert_eq!(life.view().account, format!("{provider}-{NAME}"), "nobody waits for it");
        until(|| life.view().account == "an…@example.com" && life.view().state == State::Ready).await;
        until(|| [ANN, "fake-project-7"].iter().all(|told| home.file(".lock").contains(told))).await;
        assert_eq!((home.asked(":loadCodeAssist"), home.asked("userinfo")), (1, 1), "{provider}");
        let id = life.view().id;
        life.end().await;
        assert_eq!(home.file(""), before, "{provider}: the tool's own file is left as it is");
        let noted = home.file(".lock");
        assert!(!noted.contains("ya29") && !noted.contains("1//"), "{noted}");

        let life = home.live().await;
        assert_eq!((life.view().account.as_str(), life.view().id), ("an…@example.com", id), "{provider}");
        home.chat(2).await;
        life.end().await;
        assert_eq!((home.asked(":loadCodeAssist"), home.asked("userinfo")), (1, 1), "{provider}");
    }
}

#[tokio::test]
async fn another_persons_login_in_the_same_file_is_asked_about_anew() {
    let home = Home::of("gemini_cli", licensed()).await;
    let life = home.live().await;
    until(|| life.view().account == "an…@example.com").await;
    until(|| home.file(".lock").contains("fake-project-7")).await;
    life.end().await;
    home.log_in("bob@example.com");
    let life = home.live().await;
    until(|| life.view().account == "bo…@example.com").await;
    until(|| home.file(".lock").contains("bob@example.com")).await;
    life.end().await;
    assert_eq!((home.asked(":loadCodeAssist"), home.asked("userinfo")), (2, 2));
    assert!(!home.file(".lock").contains("fake-project-7"), "a project is one account's");
}

#[tokio::test]
async fn p11_a_start_with_userinfo_and_quota_out_of_order_changes_nothing() {
    for act in [
        Act::unavailable(),
        Act::Hang,
        Act::web_page(200),
        Act::google(403, "PERMISSION_DENIED", "TOS_VIOLATION", &serde_json::json!({})),
    ] {
        let home = Home::of("gemini_cli", licensed()).await;
        // Its project is known: else chats would have to wait for it.
        let life = home.live().await;
        until(|| home.file(".lock").contains("fake-project-7")).await;
        life.end().await;
        home.log_in("carl@example.com");
        home.vendors().set_standing("gemini_cli", "carl@example.com", licensed());
        let project = home.source().with("GEMINI_CLI_PROJECT", "fake-project-7");
        let mut settings = load(&project).expect("a good configuration");
        settings.http.reach = Reach::LoopbackOnly;
        home.vendors().clear_requests();
        for at in [Kind::UserInfo, Kind::Setup] {
            home.vendors().fault("gemini_cli", Fault { at, account: None, times: None, act: act.clone() });
        }
        let shutdown = Shutdown::new();
        let pool =
            build_pool(&settings, Background::On, &Metrics::default(), &shutdown).await.expect("a pool");
        let life = Life { pool, shutdown };
        until(|| home.asked("userinfo") == 1 && home.asked(":retrieveUserQuota") == 1).await;
        let bot = Bot::configured(project, Arc::clone(&home.folder)).await;
        bot.ask("gemini_cli/gemini-2.5-pro").await.expect("an answer");
        tokio::time::sleep(Duration::from_millis(100)).await;
        let view = life.view();
        assert_eq!((view.state, view.reason, view.quota), (State::Ready, None, None), "{act:?}");
        assert_eq!(
            (home.asked("userinfo"), home.asked(":retrieveUserQuota")),
            (1, 1),
            "{act:?}: not in a loop"
        );
        life.shutdown.begin();
    }
}

#[tokio::test]
async fn what_is_left_of_a_quota_is_read_in_the_background_and_falls_with_the_chats() {
    for (provider, whats, method) in [
        ("gemini_cli", "gemini-2.5-pro", ":retrieveUserQuota"),
        ("antigravity", "Gemini Models 5h", ":retrieveUserQuotaSummary"),
    ] {
        let home = Home::of(provider, licensed()).await;
        let life = home.live().await;
        until(|| life.view().quota.is_some()).await;
        let first =
            life.view().quota.and_then(|quota| quota.allowances.first().cloned()).expect("an allowance");
        assert_eq!((first.what.as_str(), first.remaining_permille), (whats, 1000), "{provider}");
        assert!(first.resets_at.is_some(), "{provider}");
        assert_eq!(home.asked(method), 1, "{provider}: once for a while");
        life.end().await;

        home.chat(12).await;
        let one_shot = home.live_with(Background::Off).await;
        assert_eq!(one_shot.view().quota, None, "a command sends nothing by itself");
        one_shot.pool.read_quotas(cortana::clock::instant() + Duration::from_secs(10)).await;
        let quota = one_shot.view().quota.expect("read");
        assert_eq!(quota.scarcest().map(|it| it.remaining_permille), Some(988), "{provider}");
        home.vendors().set_remaining(provider, ANN, 0.0);
        one_shot.pool.read_quotas(cortana::clock::instant() + Duration::from_secs(10)).await;
        assert_eq!(home.asked(method), 2, "{provider}: not twice in a while");
        assert_eq!(one_shot.view().state, State::Ready);
    }
}

#[tokio::test]
async fn antigravitys_quota_is_asked_of_the_daily_host_alone() {
    let (daily, production) = (Served::start().await, Served::start().await);
    let login = daily.vendors.mint("antigravity", ANN);
    let mut row = daily.provider("antigravity");
    row.api_bases.extend(production.provider("antigravity").api_bases);
    let access = Secret::new(login.access);
    let read = exchange().quota(&row, &access, None).await.expect("an answer").expect("allowances");
    assert_eq!(read.len(), 4);
    daily
        .vendors
        .fault("antigravity", Fault { at: Kind::Setup, account: None, times: None, act: Act::unavailable() });
    let down = exchange().quota(&row, &access, None).await;
    assert!(matches!(down, Err(RefreshError::Transient { .. })), "{down:?}");
    assert_eq!(production.vendors.requests(), [], "it would answer that nothing was used");
    assert_eq!(daily.vendors.requests().len(), 2);
}

/// Every file below a folder that holds a text. The database's own files come and go.
fn holding(folder: &Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).contains(text) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn p33_the_link_of_a_refused_account_is_kept_for_operators_and_stands_nowhere_else() {
    const LINK: &str = "https://accounts.google.com/verify?plt=FAKEcanary";
    let standing =
        Standing::Ineligible { reason: "VALIDATION_REQUIRED".to_owned(), link: Some(LINK.to_owned()) };
    let home = Home::of("gemini_cli", standing).await;
    let life = home.live().await;
    until(|| life.view().state == State::Refused).await;
    let id = life.view().id;
    let kept = home.folder.path().join("state/tokens").join(format!("{id}.link"));
    until(|| kept.exists()).await;
    let reason = life.view().reason.expect("a reason");
    assert!(reason.contains("VALIDATION_REQUIRED") && reason.contains("verify it under a link"), "{reason}");
    assert!(reason.contains("since 2026-06-18"), "what became of the provider: {reason}");
    let shown = serde_json::to_string(&life.pool.snapshot()).expect("JSON");
    assert!(!shown.contains("canary") && !format!("{:?}", life.pool.snapshot()).contains("canary"));
    life.end().await;
    assert_eq!(holding(home.folder.path(), "FAKEcanary"), std::slice::from_ref(&kept));
    let mode = std::fs::metadata(&kept).expect("the file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let one_shot = home.live_with(Background::Off).await;
    assert_eq!(one_shot.pool.link(&id), None);
    one_shot.pool.recall_links().await;
    assert_eq!(one_shot.pool.link(&id).map(|link| link.expose().to_owned()).as_deref(), Some(LINK));
    one_shot.end().await;

    let life = home.live().await;
    until(|| life.pool.link(&id).is_some()).await;
    assert_eq!(home.asked(":loadCodeAssist"), 1, "a refused account is not asked again");
    home.vendors().set_standing("gemini_cli", ANN, licensed());
    life.pool.enable(&id).expect("a credential");
    until(|| !kept.exists() && life.view().state == State::Ready).await;
    assert_eq!(life.pool.link(&id), None);
    life.end().await;
}

#[tokio::test]
async fn a_refused_version_blames_no_account_and_only_an_error_keeps_others_from_asking() {
    for refuse in [true, false] {
        let home = Home::of("antigravity", licensed()).await;
        if refuse {
            let act = Act::antigravity_version();
            home.vendors().fault("antigravity", Fault { times: None, ..Fault::chat(act) });
        } else {
            let text = "This version of Antigravity is no longer supported. Please update.";
            home.vendors().script("antigravity", vec![Reply::text(text); 3]);
        }
        let bot = Bot::configured(home.source(), Arc::clone(&home.folder)).await;
        for _ in 0..3 {
            let failure = bot.ask("antigravity/gemini-3-flash").await.expect_err("refused");
            assert!(failure.contains("ClientVersion") && failure.contains("CLIENT_VERSION"), "{failure}");
        }
        // A text may be the model's own words: it speaks for the one chat that it answers.
        let asked = if refuse { 1 } else { 3 };
        assert_eq!(home.vendors().counts_of("antigravity").chats, asked, "refused with 503: {refuse}");
        let view = bot.snapshot().credentials.first().cloned().expect("a credential");
        assert_eq!((view.state, view.failures), (State::Ready, 0));
    }
}
