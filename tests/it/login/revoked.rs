//! `cortana logout`.

use cortana::sandbox::vendor::{Act, Fault, Kind};

use super::desk::Desk;

/// A live login of Acme's in a file of the folder.
fn logged_in(desk: &Desk) -> cortana::sandbox::vendor::MintedLogin {
    let login = desk.served.vendors.mint("acme", "ada@example.com");
    desk.home.drop_credential("acme-1.json", &login.simple_file());
    login
}

fn revocations(desk: &Desk) -> usize {
    desk.served.vendors.requests().iter().filter(|request| request.kind == Kind::Revoke).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_at_its_provider_and_nothing_of_it_stays() {
    let desk = Desk::new().await;
    logged_in(&desk);
    // A refresh leaves a lock file beside it.
    assert_eq!(desk.cortana(&["refresh", "acme"]).await.code, Some(0));
    let asked = desk.cortana(&["logout", "acme-1.json"]).await;
    assert_eq!((asked.code, revocations(&desk)), (Some(2), 0), "nobody said yes: {asked:?}");
    assert!(asked.err.contains("--yes"), "{asked:?}");
    let ended = desk.cortana(&["logout", "acme-1.json", "--yes"]).await;
    assert_eq!((ended.code, revocations(&desk)), (Some(0), 1), "{ended:?}");
    assert!(ended.out.contains("✅ Logged out") && ended.out.contains("ended at Acme"), "{}", ended.out);
    let left = std::fs::read_dir(desk.home.path().join("credentials")).expect("a folder").count();
    assert_eq!(left, 0, "no file, no lock");
    let walked = desk.served.vendors.counts_of("acme");
    assert_eq!((walked.granted, walked.reused), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_keeps_the_file() {
    let desk = Desk::new().await;
    logged_in(&desk);
    desk.served.vendors.fault("acme", Fault::revoke(Act::unavailable()));
    let ended = desk.cortana(&["logout", "acme-1.json", "--yes"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(
        ended.err.contains("its file is as it was") && ended.err.contains("--no-revoke"),
        "{}",
        ended.err
    );
    assert_eq!(desk.credentials(), ["acme-1.json"]);
    let ended = desk.cortana(&["logout", "acme-1.json", "--yes", "--no-revoke"]).await;
    assert_eq!((ended.code, revocations(&desk)), (Some(0), 1), "{ended:?}");
    assert!(ended.out.contains("was not told"), "{}", ended.out);
    assert_eq!(desk.credentials(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_google_ended_before_is_no_hindrance() {
    let desk = Desk::new().await;
    let login = desk.served.vendors.mint("gemini_cli", "ada@example.com");
    desk.home.drop_credential("gemini-1.json", &login.official_file());
    desk.served.vendors.revoke_refresh("gemini_cli", "ada@example.com");
    let ended = desk.cortana(&["logout", "gemini-1.json", "--yes"]).await;
    assert_eq!((ended.code, revocations(&desk)), (Some(0), 1), "{ended:?}");
    assert!(ended.out.contains("had ended it before"), "{}", ended.out);
    assert_eq!(desk.credentials(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_programs_file_is_left_alone_and_says_what_to_do() {
    let desk = Desk::new().await;
    let login = desk.served.vendors.mint("qwen_code", "kim@example.com");
    let theirs = desk.home.path().join("oauth_creds.json");
    #[expect(clippy::disallowed_methods, reason = "another program writes its file")]
    std::fs::write(&theirs, login.official_file().to_string()).expect("written");
    std::os::unix::fs::symlink(&theirs, desk.home.credential("qwen.json")).expect("a link");
    let ended = desk.cortana(&["logout", "qwen.json", "--yes"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("log out in that program") && ended.err.contains("rm "), "{}", ended.err);
    assert!(theirs.exists() && desk.home.credential("qwen.json").is_symlink());
    assert_eq!(desk.served.vendors.requests(), []);
}
