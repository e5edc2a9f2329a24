//! Logins that must not come about.

use super::desk::{Desk, page};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_with_another_state_is_refused_and_waited_past() {
    let desk = Desk::new().await;
    let mut login = desk.start(&["login", "gemini_cli"]);
    let address = login.address().await;
    let back = login.browse(&address).await;
    let mut strange = back.clone();
    strange.query_pairs_mut().clear().append_pair("code", "4/0FAKE-strange").append_pair("state", "FAKE");
    let (status, shown) = page(&strange).await;
    assert!(status == 400 && shown.contains("another login"), "{shown}");
    assert_eq!(desk.served.vendors.counts_of("gemini_cli").token_requests, 0, "nothing was sent");
    assert_eq!(page(&back).await.0, 200, "the right one still counts");
    let ended = desk.ended(login).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(desk.served.vendors.counts_of("gemini_cli").token_requests, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_somebody_elses_login_is_refused_by_the_challenge() {
    let desk = Desk::new().await;
    // Pasted, so that both come back to one address and the challenge alone tells them apart.
    let mut login = desk.start(&["login", "acme", "--no-browser"]);
    let mut other = desk.start(&["login", "acme", "--no-browser"]);
    let (address, others) = (login.address().await, other.address().await);
    desk.served.vendors.sign_in("acme", "mallory@example.com");
    let theirs = other.browse(&others).await;
    let (_, code) = theirs.query_pairs().find(|(name, _)| name == "code").expect("a code");
    let (_, state) = address.query_pairs().find(|(name, _)| name == "state").expect("a state");
    login.types(&format!("?code={code}&state={state}")).await;
    let ended = desk.ended(login).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("the provider refused the login (invalid_grant)"), "{}", ended.err);
    assert_eq!(desk.credentials(), [""; 0], "nobody is logged in as mallory");
    other.interrupt();
    assert_eq!(desk.ended(other).await.code, Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_in_the_browser_and_ctrl_c_keep_nothing() {
    let desk = Desk::new().await;
    desk.served.vendors.decline("gemini_cli");
    let mut login = desk.start(&["login", "gemini_cli"]);
    let address = login.address().await;
    let back = login.browse(&address).await;
    let (status, shown) = page(&back).await;
    assert!(status == 200 && shown.contains("declined"), "{shown}");
    let ended = desk.ended(login).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("the login was declined in the browser"), "{}", ended.err);
    for options in
        [&["login", "gemini_cli"][..], &["login", "gemini_cli", "--no-browser"], &["login", "qwen_code"]]
    {
        let mut login = desk.start(options);
        login.address().await;
        // It listens for the signal once it waits.
        login.line(|line| line.contains("Ctrl-C") || line.contains("paste here")).await;
        login.interrupt();
        let ended = desk.ended(login).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{options:?}: {ended:?}");
        assert!(ended.err.contains("interrupted by SIGINT; nothing was kept"), "{options:?}: {}", ended.err);
    }
    assert_eq!(desk.credentials(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_begin_says_what_to_do_before_anybody_is_asked() {
    for (without, arguments, parts) in [
        (
            "ANTIGRAVITY_CLIENT_SECRET",
            &["login", "antigravity"][..],
            &["set ANTIGRAVITY_CLIENT_SECRET", "docs/providers.md"][..],
        ),
        ("HUGGINGFACE_CLIENT_ID", &["login", "huggingface"], &["set HUGGINGFACE_CLIENT_ID"]),
        ("", &["login", "openai"], &["takes API keys", "OPENAI_API_KEY"]),
        ("", &["login", "azure"], &["nobody logs in", "AZURE_CLIENT_ID"]),
        ("", &["login", "vertex"], &["gcloud auth application-default login"]),
        ("", &["login", "gemini_cil"], &["did you mean `gemini_cli`?", "acme"]),
        ("", &["login", "gemini_cli", "--device"], &["no login by a code", "--no-browser"]),
        ("", &["login", "acme", "--name", "../x"], &["--name", "letters"]),
    ] {
        let desk = Desk::without(without).await;
        let ended = desk.cortana(arguments).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        for part in parts {
            assert!(ended.err.contains(part), "{arguments:?}: {part}\n---\n{}", ended.err);
        }
        assert_eq!(desk.served.vendors.requests(), [], "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_a_folder_that_takes_no_file_is_told_before_anybody_is_asked() {
    let desk = Desk::new().await;
    std::fs::remove_dir(desk.home.path().join("credentials")).expect("an empty folder");
    #[expect(clippy::disallowed_methods, reason = "a file stands where the folder should be")]
    std::fs::write(desk.home.path().join("credentials"), "").expect("written");
    let mut login = desk.start(&["login", "gemini_cli"]);
    login.line(|line| line.contains("the credentials folder takes no file")).await;
    assert_eq!(desk.served.vendors.requests(), []);
}
