//! Logins on another device. Each waits the five seconds that RFC 8628 wants between two polls.

use cortana::sandbox::vendor::Kind;

use super::desk::{Desk, page};

#[tokio::test(flavor = "multi_thread")]
async fn qwen_is_confirmed_by_a_code_and_proves_who_asked() {
    let desk = Desk::new().await;
    desk.served.vendors.sign_in("qwen_code", "kim@example.com");
    let mut login = desk.start(&["login", "qwen_code"]);
    let address = login.address().await;
    let code = login.line(|line| line.starts_with("The code there is ")).await;
    let code = code.trim().trim_start_matches("The code there is ").to_owned();
    assert!(address.query().is_some_and(|query| query.contains(&code)), "{address} has {code}");
    assert_eq!(page(&address).await.0, 200);
    let ended = desk.ended(login).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("an account that the provider does not name"), "{}", ended.out);
    let requests = desk.served.vendors.requests();
    let begun = requests.iter().find(|request| request.kind == Kind::Device).expect("a beginning");
    assert_eq!(begun.body["code_challenge_method"], "S256");
    let polls: Vec<_> = requests.iter().filter(|request| request.kind == Kind::Token).collect();
    assert!(polls.iter().all(|poll| poll.body.get("code_verifier").is_some()), "{polls:?}");
    assert!(desk.the_credential().1["resource_url"].is_string(), "where its chats go");
    desk.answers("qwen_code").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hugging_face_takes_a_code_where_it_is_asked_for_one() {
    let desk = Desk::new().await;
    desk.served.vendors.sign_in("huggingface", "ada@example.com");
    let mut login = desk.start(&["login", "huggingface", "--device"]);
    let address = login.address().await;
    assert_eq!(page(&address).await.0, 200);
    let ended = desk.ended(login).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("as ad…@example.com"), "{}", ended.out);
    desk.answers("huggingface").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_on_the_other_device_ends_it_and_keeps_nothing() {
    let desk = Desk::new().await;
    desk.served.vendors.decline("acme");
    let mut login = desk.start(&["login", "acme", "--device"]);
    let address = login.address().await;
    assert_eq!(page(&address).await.0, 200);
    let ended = desk.ended(login).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("declined"), "{}", ended.err);
    assert_eq!(desk.credentials(), [""; 0]);
}
