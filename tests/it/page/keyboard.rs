//! What the keyboard alone does: where the focus goes when what had it is gone, and menus that wait for Enter.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use reqwest::Method;
use serde_json::json;

use super::Running;
use crate::support::browser::{Browser, key};

const ARROW_DOWN: &str = "\u{E015}";

/// Puts the focus on the last element of this selector. A message shows its own actions when the focus is in it.
async fn focus(browser: &Browser, selector: &str) {
    browser.until(&format!("document.querySelector({})", json!(selector))).await;
    let go = "one.closest('.message')?.focus(); one.focus()";
    browser
        .run(&format!("const one = [...document.querySelectorAll({})].at(-1); {go}", json!(selector)))
        .await;
}

const IN_COMPOSER: &str = "document.activeElement?.id === 'composer'";

#[tokio::test]
async fn the_focus_is_never_lost_and_a_menu_waits_for_enter() {
    let running = Running::start();
    let Some(browser) = running.in_browser().await else { return };

    browser.keys("a message of mine").await;
    browser.keys(key::ENTER).await;
    focus(&browser, ".message.mine [aria-label=Edit]").await;
    browser.keys(key::ENTER).await;
    browser.until("document.activeElement?.value === 'a message of mine'").await;
    browser.keys(key::ESCAPE).await;
    browser.until("document.activeElement?.matches('.message.mine')").await;
    focus(&browser, ".message.mine [aria-label=Delete]").await;
    browser.keys(key::ENTER).await;
    browser.until(&format!("{IN_COMPOSER} && !document.querySelector('.message.mine')")).await;

    running.control(Method::POST, "/slash", json!({"command": "/settings oauth-status"})).await;
    browser.until("document.querySelector('.ephemeral .embed')").await;
    browser.run("document.querySelector('.ephemeral .dim > .plain').focus()").await;
    browser.keys(key::ENTER).await;
    browser.until(&format!("{IN_COMPOSER} && !document.querySelector('.ephemeral')")).await;

    a_menu(&running, &browser).await;

    browser.resize(360, 800).await;
    focus(&browser, "main > .bar > [aria-pressed]").await;
    browser.keys(key::ENTER).await;
    browser.until("document.activeElement?.getAttribute('aria-label') === 'Close the pool'").await;
    browser.keys(key::ESCAPE).await;
    browser.until(IN_COMPOSER).await;
    focus(&browser, ".menu").await;
    browser.keys(key::ENTER).await;
    browser.until("document.activeElement?.matches('.sidebar [aria-current]')").await;
    browser.keys(key::ESCAPE).await;
    browser.until(IN_COMPOSER).await;
    assert_eq!(browser.complaints().await, [] as [String; 0]);
}

/// A closed menu would choose with each arrow key, and the bot would act on the first.
async fn a_menu(running: &Running, browser: &Browser) {
    let outline: serde_json::Value = {
        let request = running.http.get(&running.control).bearer_auth(&running.token);
        request.send().await.expect("an answer").json().await.expect("JSON")
    };
    let channel = outline["endpoints"]["channel_id"].as_str().expect("an id");
    let options: Vec<_> =
        (1..=3).map(|n| json!({"label": format!("choice {n}"), "value": format!("v{n}")})).collect();
    let menu = json!({"type": 3, "custom_id": "one", "placeholder": "Pick one", "options": options});
    let message = json!({"content": "a menu", "components": [{"type": 1, "components": [menu]}]});
    let post = running.http.post(format!("{}/channels/{channel}/messages", running.api));
    let post = post.header("authorization", format!("Bot {}", running.bot_token)).json(&message);
    assert_eq!(post.send().await.expect("an answer").status(), 200);
    let watch = "window.chosen = []; const menu = document.querySelector('select.select'); \
        menu.addEventListener('change', () => window.chosen.push(menu.value), true)";
    browser.until("document.querySelector('select.select')").await;
    browser.run(watch).await;
    focus(browser, "select.select").await;
    browser.keys(ARROW_DOWN).await;
    assert_eq!(browser.run("return window.chosen").await, json!([]), "an arrow key opens the menu");
    browser.keys(ARROW_DOWN).await;
    browser.keys(ARROW_DOWN).await;
    browser.keys(key::ENTER).await;
    browser.until("window.chosen.length === 1").await;
    assert_eq!(browser.run("return window.chosen").await, json!(["v2"]));
}

/// A scenario begins when somebody watches, and its steps stand among the pool's news.
#[tokio::test]
async fn a_scenario_can_be_watched() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = Command::new(env!("CARGO_BIN_EXE_cortana"))
        .args(["sandbox", "--scenario", "one-key-throttled", "--page"])
        .current_dir(folder.path())
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut said = String::new();
    while !said.contains("?token=") && out.read_line(&mut said).expect("a line") > 0 {}
    assert!(!said.contains('▸'), "nobody watches yet: {said}");
    if let Some(browser) = Browser::start().await {
        let page = said.lines().find(|line| line.contains("?token=")).expect("an address").trim();
        browser.open(page).await;
        browser.until("document.querySelector('.events')?.innerText.includes('▸ Ada')").await;
        browser.until("[...document.querySelectorAll('.message')].some((one) => one.innerText.includes('You said: “hello”'))").await;
    }
    drop(child.kill());
    drop(child.wait());
}
