//! The sandbox's page in a real browser: chat, commands, failover, history, hostile text, sizes, the keyboard.

mod keyboard;

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    browser::{Browser, key},
    contract,
};

/// What people, models and files say to make a page run something, and markdown that must not become more than it is.
const HOSTILE: &[&str] = &[
    "<script>window.ran = 1; alert(1)</script>",
    "<img src=x onerror=\"window.ran = 1\">",
    "<svg onload=\"window.ran = 1\"><animate onbegin=\"window.ran = 1\"/></svg>",
    "<iframe srcdoc=\"<script>parent.ran = 1</script>\"></iframe>",
    "<a href=\"javascript:window.ran=1\">press</a>",
    "[press](javascript:window.ran=1)",
    "[press](JaVaScRiPt:window.ran=1)",
    "[press](<javascript:window.ran=1>)",
    "[press](data:text/html,<script>parent.ran=1</script>)",
    "[press](vbscript:window.ran=1)",
    "[press](\u{1}javascript:window.ran=1)",
    "[\"><img src=x onerror=window.ran=1>](https://example.com/\"><img/src=x/onerror=window.ran=1>)",
    "https://example.com/\"onmouseover=\"window.ran=1",
    "```html\n<script>window.ran = 1</script><img src=x onerror=window.ran=1>\n```",
    "```js\"><script>window.ran=1</script>\ncode\n```",
    "`<b onclick=window.ran=1>`",
    "||<img src=x onerror=window.ran=1>||",
    "> <details open ontoggle=window.ran=1>",
    "# <marquee onstart=window.ran=1>",
    "<t:99999999999999:R> <t:8640000000001:F> <@1><@&1><#1>",
    "</settings \"onclick=window.ran=1:1>",
    "&lt;script&gt;window.ran=1&lt;/script&gt; &#60;img src=x onerror=window.ran=1&#62;",
    "{\"type\":\"script\",\"props\":{\"dangerouslySetInnerHTML\":{\"__html\":\"window.ran=1\"}},\"constructor\":null}",
    "<style>*{display:none}</style><base href=//example.com><meta http-equiv=refresh content=0>",
];

/// Elements that the page is made of; nobody's words make another.
const ELEMENTS: &[&str] = &[
    "a",
    "article",
    "aside",
    "b",
    "blockquote",
    "button",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "header",
    "input",
    "label",
    "li",
    "main",
    "nav",
    "ol",
    "option",
    "p",
    "pre",
    "s",
    "section",
    "select",
    "span",
    "strong",
    "summary",
    "textarea",
    "time",
    "u",
    "ul",
];

/// The real binary with its page.
struct Running {
    child: Child,
    // Held open: the program writes to it.
    _out: BufReader<ChildStdout>,
    page: String,
    control: String,
    token: String,
    api: String,
    bot_token: String,
    http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_cortana"));
        command.arg("sandbox").current_dir(folder.path()).env_clear().stdin(Stdio::null());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary runs");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut said = String::new();
        while !said.contains("Ctrl-C") && out.read_line(&mut said).expect("a line") > 0 {}
        let after = |mark: &str| {
            let found = said.lines().find_map(|line| line.split_once(mark));
            found.unwrap_or_else(|| panic!("{mark} in {said}")).1.trim().to_owned()
        };
        Self {
            page: format!("http://{}", after("  http://")),
            control: after("Control API:"),
            token: after("its token:"),
            api: format!("{}/api/v10", after("Discord:")),
            bot_token: after("Bot token:"),
            http: reqwest::Client::builder()
                .no_proxy()
                .user_agent("DiscordBot (https://example.org, 1)")
                .build()
                .expect("a client"),
            child,
            _out: out,
            _folder: folder,
        }
    }

    async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}{path}", self.control)).bearer_auth(&self.token);
        let answer = request.json(&body).send().await.expect("the sandbox answers");
        assert_eq!(answer.status(), 200, "{path} {body}");
        answer.json().await.expect("JSON")
    }

    async fn say(&self, body: Value) -> Value {
        self.control(Method::POST, "/messages", body).await
    }

    /// What the model that answers first says next.
    async fn script(&self, text: &str) {
        self.control(Method::POST, "/vendors/gemini_cli/script", json!({"replies": [text]})).await;
    }

    /// The page, opened and drawn.
    async fn in_browser(&self) -> Option<Browser> {
        let browser = Browser::start().await?;
        browser.open(&self.page).await;
        browser.until("document.activeElement?.id === 'composer'").await;
        browser.until("document.querySelectorAll('.credential').length === 5").await;
        Some(browser)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        contract::judge_process(&self.control, &self.token);
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The texts of all messages, in order.
const TEXTS: &str = "[...document.querySelectorAll('.message .body')].map((body) => body.innerText)";

/// Asks the bot by keyboard, its mention completed from the list.
async fn ask(browser: &Browser, question: &str) {
    browser.keys("@Cor").await;
    browser
        .until("document.querySelector('#offers [aria-selected=true]')?.innerText.includes('@Cortana')")
        .await;
    browser.keys(key::TAB).await;
    browser.until("document.getElementById('composer').value.startsWith('<@')").await;
    browser.keys(question).await;
    browser.keys(key::ENTER).await;
}

/// Waits for an answer that is finished and says this.
async fn answered(browser: &Browser, text: &str) {
    let done = format!(
        "[...document.querySelectorAll('.message')].some((message) => message.getAttribute('aria-label') === 'Cortana' \
         && message.querySelector('.body').innerText.includes({}) \
         && ![...message.querySelectorAll('button')].some((button) => button.innerText.includes('Stop')))",
        json!(text)
    );
    browser.until(&done).await;
}

#[tokio::test]
async fn somebody_chats_by_keyboard_breaks_an_account_and_finds_the_history_again() {
    let running = Running::start();
    let Some(browser) = running.in_browser().await else { return };
    assert_eq!(browser.run("return location.search").await, "", "the token left the address bar");

    let words: Vec<String> = (1..=250).map(|n| format!("word{n}")).collect();
    running.script(&words.join(" ")).await;
    let watch = "window.lengths = new Set(); new MutationObserver(() => { for (const body of \
        document.querySelectorAll('.message[aria-label=Cortana] .markdown')) window.lengths.add(body.innerText.length); \
        }).observe(document.body, {subtree: true, childList: true, characterData: true});";
    browser.run(watch).await;
    ask(&browser, "hello").await;
    answered(&browser, "word250").await;
    let lengths = browser.run("return window.lengths.size").await;
    assert!(lengths.as_u64().is_some_and(|lengths| lengths >= 2), "it grew: {lengths}");

    a_command(&running, &browser).await;
    a_failover(&browser).await;

    let before = browser.run(&format!("return {TEXTS}")).await;
    browser.reload().await;
    let count = before.as_array().map(Vec::len).expect("a list");
    browser.until(&format!("document.querySelectorAll('.message').length === {count}")).await;
    assert_eq!(browser.run(&format!("return {TEXTS}.filter((text) => !text.includes('Only you'))")).await, {
        let kept = before.as_array().expect("a list").iter();
        kept.filter(|text| !text.as_str().unwrap_or_default().contains("Only you"))
            .cloned()
            .collect::<Value>()
    });

    browser.click("//nav//button[contains(., 'Cortana')]").await;
    browser.until("document.activeElement?.placeholder === 'Message @Cortana'").await;
    browser.keys("in private").await;
    browser.keys(key::ENTER).await;
    answered(&browser, "“in private”").await;
    assert_eq!(browser.complaints().await, [] as [String; 0]);
}

/// `/settings oauth-status` with its suggestions by the keyboard alone, and the button on what answers.
async fn a_command(running: &Running, browser: &Browser) {
    let selected = |text: &str| {
        format!("document.querySelector('#offers [aria-selected=true]')?.innerText.includes({})", json!(text))
    };
    browser.keys("/settings oauth-s").await;
    browser.until(&selected("/settings oauth-status")).await;
    browser.keys(key::TAB).await;
    browser.until(&selected("provider:")).await;
    browser.keys(key::TAB).await;
    browser.keys("qwen").await;
    browser
        .until(&format!("{} && document.querySelectorAll('#offers li').length === 1", selected("wen")))
        .await;
    browser.keys(key::ENTER).await;
    browser.until("document.getElementById('composer').value.includes('provider:qwen_code')").await;
    browser.keys(key::ESCAPE).await;
    browser.keys(key::ENTER).await;
    browser.until("document.querySelector('.ephemeral .embed')?.innerText.includes('qwen-joan.json')").await;
    let text = browser.run("return document.querySelector('.ephemeral').innerText").await;
    assert!(!text.as_str().unwrap_or_default().contains("gemini"), "only what was chosen: {text}");

    let callbacks = async || {
        let requests = running.http.get(format!("{}/requests", running.control)).bearer_auth(&running.token);
        let requests: Value = requests.send().await.unwrap().json().await.unwrap();
        let paths = requests.as_array().unwrap().iter().filter_map(|request| request["path"].as_str());
        paths.filter(|path| path.ends_with("/callback")).count()
    };
    let before = callbacks().await;
    browser.click("//article//button[contains(., 'Refresh')]").await;
    let answered = async {
        while callbacks().await == before {
            tokio::time::sleep(std::time::Duration::from_millis(40)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), answered)
        .await
        .expect("the bot answers the button");
    browser.click("//textarea[@id='composer']").await;
}

/// Throttles the account that answered so far, and another one answers.
async fn a_failover(browser: &Browser) {
    let card = "//li[contains(@class, 'credential')][contains(., 'ad…@example.com')]";
    browser.click(&format!("{card}//summary")).await;
    browser.click(&format!("{card}//button[contains(., 'Throttle')]")).await;
    let ada = "[...document.querySelectorAll('.credential')].find((card) => card.innerText.includes('ad…@example.com'))";
    browser.until(&format!("{ada}.querySelector('[aria-pressed=true]') !== null")).await;
    browser.click("//textarea[@id='composer']").await;
    for question in ["one of them", "two of them"] {
        ask(browser, question).await;
        answered(browser, &format!("“{question}”")).await;
    }
    browser.until(&format!("{ada}.innerText.includes('Cooling down')")).await;
    browser
        .until("document.querySelector('.events').innerText.includes('gemini_cli ad…@example.com: rests 30 s for')")
        .await;
    let grace = "[...document.querySelectorAll('.credential')].find((card) => card.innerText.includes('gr…@example.com'))";
    browser.until(&format!("{grace}.innerText.includes('Valid')")).await;
}

#[tokio::test]
async fn what_people_models_and_files_say_is_only_ever_text() {
    let running = Running::start();
    let Some(browser) = running.in_browser().await else { return };
    let scripts = browser.run("return document.scripts.length").await;
    for text in HOSTILE {
        running.say(json!({"content": text})).await;
    }
    let name = "<img src=x onerror=window.ran=1>";
    let person = running.control(Method::POST, "/people", json!({"name": name})).await["id"].clone();
    let file = json!({"filename": "\"><script>window.ran=1</script>.html", "content_type": "text/html", "base64": "PGI+"});
    let drawing = json!({"filename": "x.svg", "content_type": "image/svg+xml", "base64": "PHN2Zy8+"});
    running.say(json!({"content": "files", "user_id": person, "files": [file, drawing]})).await;
    running.control(Method::POST, "/channels", json!({"name": "<script>window.ran=1</script>"})).await;
    let outline: Value = {
        let request = running.http.get(&running.control).bearer_auth(&running.token);
        request.send().await.unwrap().json().await.unwrap()
    };
    let channel = outline["endpoints"]["channel_id"].as_str().expect("an id").to_owned();
    let hostile = HOSTILE[1];
    let embed = json!({"title": hostile, "description": HOSTILE[5], "footer": {"text": hostile}, "author": {"name": hostile},
        "fields": [{"name": hostile, "value": HOSTILE[0]}]});
    let row =
        json!([{"type": 1, "components": [{"type": 2, "style": 2, "label": hostile, "custom_id": "x"}]}]);
    let post = running.http.post(format!("{}/channels/{channel}/messages", running.api));
    let post = post.header("authorization", format!("Bot {}", running.bot_token));
    let posted =
        post.json(&json!({"content": "embed", "embeds": [embed], "components": row})).send().await.unwrap();
    assert_eq!(posted.status(), 200, "{:?}", posted.text().await);

    running.script(&format!("{}\n\nhttps://example.com/end", HOSTILE.join("\n\n"))).await;
    ask(&browser, "say it").await;
    answered(&browser, "https://example.com/end").await;
    browser.until("document.body.innerText.includes('x.svg')").await;
    let open = "for (const spoiler of document.querySelectorAll('button.spoiler')) spoiler.click()";
    browser.run(open).await;

    assert_eq!(browser.run("return window.ran ?? null").await, Value::Null, "something ran");
    assert!(!browser.is_alerting().await);
    assert_eq!(browser.run("return document.scripts.length").await, scripts);
    let found = browser
        .run("return [...new Set([...document.querySelectorAll('#app *')].map((element) => element.localName))]")
        .await;
    let strangers: Vec<&str> = found.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let strangers: Vec<&&str> = strangers.iter().filter(|name| !ELEMENTS.contains(name)).collect();
    assert!(strangers.is_empty(), "{strangers:?}");
    let handlers = "return [...document.querySelectorAll('*')].flatMap((element) => element.getAttributeNames()).filter((name) => name.startsWith('on') || name === 'srcdoc')";
    assert_eq!(browser.run(handlers).await, json!([]));
    let links = browser.run("return [...document.querySelectorAll('a')].map((link) => link.href)").await;
    let links: Vec<&str> = links.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(links.contains(&"https://example.com/end"), "links are made at all: {links:?}");
    assert!(
        links.iter().all(|link| link.starts_with("http://") || link.starts_with("https://")),
        "{links:?}"
    );
    let shown = browser.run("return document.querySelector('.history').textContent").await;
    for text in [HOSTILE[0], HOSTILE[1], "[press](javascript:window.ran=1)", name] {
        assert!(shown.as_str().unwrap_or_default().contains(text), "{text} is shown as it was written");
    }
    let complaints: Vec<String> = browser.complaints().await;
    assert!(complaints.is_empty(), "nothing was tried and refused: {complaints:#?}");
}

#[tokio::test]
async fn it_fits_a_phone_and_a_wide_screen_and_every_control_has_a_name_and_a_visible_focus() {
    let running = Running::start();
    let Some(browser) = running.in_browser().await else { return };
    let wide = format!(
        "```\n{}\n```\n{}\n[a](https://example.com/{})",
        "x ".repeat(300),
        "y".repeat(400),
        "z".repeat(300)
    );
    running.say(json!({"content": wide})).await;
    let slash = json!({"command": "/settings oauth-status"});
    running.control(Method::POST, "/slash", slash).await;
    browser.until("document.querySelector('.ephemeral .embed')").await;
    let fits = "return [document.documentElement.scrollWidth <= innerWidth, document.body.scrollWidth <= innerWidth]";
    let mut backgrounds = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        for width in [360, 1600] {
            browser.resize(width, 800).await;
            for panel in ["chat", "channels", "pool"] {
                if width == 360 {
                    match panel {
                        "channels" => browser.click("//button[@aria-label='Channels']").await,
                        "pool" => {
                            browser.click("//nav//button[contains(., 'general')]").await;
                            browser.click("//main//button[.='Pool']").await;
                        }
                        _ => {}
                    }
                }
                assert_eq!(browser.run(fits).await, json!([true, true]), "{panel} at {width} in {scheme}");
            }
            if width == 360 {
                browser.click("//button[@aria-label='Close the pool']").await;
            }
        }
        backgrounds.push(browser.run("return getComputedStyle(document.body).backgroundColor").await);
    }
    assert_ne!(backgrounds[0], backgrounds[1], "light and dark differ");

    let nameless: Vec<_> = browser
        .names(":is(button, select, textarea, input:not([hidden])):not(details:not([open]) *), summary, nav, aside, [role=log]")
        .await
        .into_iter()
        .filter(|(name, _)| name.trim().is_empty())
        .collect();
    assert!(nameless.is_empty(), "{nameless:#?}");
    focus_goes_everywhere(&browser).await;
}

/// Tab from the beginning: everything that has the focus shows it, and a message's own actions are among it.
async fn focus_goes_everywhere(browser: &Browser) {
    browser.run("document.activeElement.blur(); document.body.tabIndex = -1; document.body.focus()").await;
    let mut seen = Vec::new();
    let look = "const one = document.activeElement; const style = getComputedStyle(one); const box = one.getBoundingClientRect(); \
        return [one.getAttribute('aria-label') ?? one.innerText, style.outlineStyle !== 'none' || one.id === 'composer', box.width > 0 && box.height > 0]";
    for _ in 0..60 {
        browser.keys(key::TAB).await;
        let now = browser.run(look).await;
        assert_eq!((&now[1], &now[2]), (&json!(true), &json!(true)), "the focus shows on {now}");
        seen.push(now[0].as_str().unwrap_or_default().to_owned());
        if now[0] == "Send" {
            break;
        }
    }
    for name in ["To the message box", "Reply", "Attach files", "Send"] {
        assert!(seen.iter().any(|one| one == name), "{name} is reached by Tab: {seen:#?}");
    }
}
