//! Hot reload (P35): the ways in which files come to be replaced, on a clock that the test decides.

use std::{fs, os::unix::fs::symlink, path::Path, time::Duration};

use cortana::{
    config::{CredentialValue, NamedCredential},
    pool::Outcome,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::pool::{Process, World, only, provider, put, qwen};

/// The promise, and what a look at the files takes.
const WITHIN: Duration = Duration::from_secs(2);

fn login(world: &World, name: &str) -> Value {
    json!({
        "access_token": format!("FAKE-access-{name}"),
        "refresh_token": format!("FAKE-refresh-{name}"),
        "token_type": "Bearer",
        "expires_at": world.now().timestamp() + 7200,
    })
}

async fn lent(process: &Process) -> String {
    let lease = qwen(process).await.unwrap();
    let bearer = lease.bearer.expose().to_owned();
    lease.complete(Outcome::Success);
    bearer
}

/// As editors and most programs save.
fn rename_over(path: &Path, content: &Value) {
    let beside = path.with_extension("swp");
    put(&beside, &content.to_string());
    #[expect(clippy::disallowed_methods, reason = "a test plays the program that owns the file")]
    fs::rename(&beside, path).unwrap();
}

#[tokio::test(start_paused = true)]
async fn p35_a_file_that_another_is_renamed_over_counts() {
    let world = World::new();
    world.login("a", 7200);
    let process = world.bot().await;
    let old = qwen(&process).await.unwrap();
    rename_over(&world.path("qwen_a.json"), &login(&world, "b"));
    sleep(WITHIN).await;
    assert_eq!(lent(&process).await, "FAKE-access-b");
    assert_eq!(old.bearer.expose(), "FAKE-access-a", "a lease keeps what it was given");
    old.complete(Outcome::Success);
    assert_eq!(only(&process).in_flight, 0);
}

/// A Kubernetes volume: the files are links into `..data`, which is a link that is swapped as a whole.
#[tokio::test(start_paused = true)]
async fn p35_a_link_in_the_middle_of_the_way_can_be_swapped() {
    let world = World::new();
    let folder = world.settings.credentials_dir.clone();
    for (stamp, name) in [("..2026_01", "a"), ("..2026_02", "b")] {
        fs::create_dir(folder.join(stamp)).unwrap();
        put(&folder.join(stamp).join("qwen.json"), &login(&world, name).to_string());
    }
    symlink("..2026_01", folder.join("..data")).unwrap();
    symlink("..data/qwen.json", folder.join("qwen.json")).unwrap();
    let process = world.bot().await;
    assert_eq!(lent(&process).await, "FAKE-access-a");
    symlink("..2026_02", folder.join("..data_tmp")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a test plays the kubelet")]
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    fs::remove_dir_all(folder.join("..2026_01")).unwrap();
    sleep(WITHIN).await;
    assert_eq!(lent(&process).await, "FAKE-access-b");
    assert_eq!(process.pool.snapshot().credentials.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn p35_a_named_file_elsewhere_may_come_later_and_go() {
    let mut world = World::new();
    let elsewhere = world.settings.credentials_dir.with_file_name("elsewhere");
    let path = elsewhere.join("oauth_creds.json");
    world.settings.named.push(NamedCredential {
        variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned(),
        provider: provider("qwen_code"),
        value: CredentialValue::Path(path.clone()),
    });
    let process = world.bot().await;
    assert!(qwen(&process).await.is_err());
    fs::create_dir(&elsewhere).unwrap();
    put(&path, &login(&world, "a").to_string());
    sleep(WITHIN).await;
    assert_eq!(lent(&process).await, "FAKE-access-a");
    fs::remove_dir_all(&elsewhere).unwrap();
    // A file that is gone may be on its way: it is waited for as a half-written one is.
    sleep(WITHIN * 2).await;
    assert!(qwen(&process).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn p35_the_folder_itself_may_be_made_anew() {
    let world = World::new();
    let folder = world.settings.credentials_dir.clone();
    fs::remove_dir(&folder).unwrap();
    let process = world.bot().await;
    assert_eq!(process.pool.snapshot().credentials.len(), 0);
    for name in ["a", "b"] {
        fs::create_dir(&folder).unwrap();
        put(&folder.join("qwen.json"), &login(&world, name).to_string());
        sleep(WITHIN).await;
        assert_eq!(lent(&process).await, format!("FAKE-access-{name}"));
        fs::remove_dir_all(&folder).unwrap();
        sleep(WITHIN).await;
        assert_eq!(process.pool.snapshot().credentials.len(), 0);
    }
}
