//! Who may ask the sandbox: its own `Host`, no foreign `Origin`, and the token for everything but Discord and providers.

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use super::client::World;

/// A world, and a browser that does not follow redirects by itself.
struct Door {
    world: World,
    http: Client,
    origin: String,
    token: String,
}

impl Door {
    async fn new() -> Self {
        let world = World::start().await;
        let endpoints = world.sandbox.endpoints();
        let http = Client::builder().redirect(Policy::none()).build().expect("a client");
        Self { http, origin: endpoints.discord_api_base, token: endpoints.control_token, world }
    }

    fn host(&self) -> &str {
        self.origin.strip_prefix("http://").expect("plain HTTP")
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.origin))
    }

    fn cookie(&self) -> String {
        format!("other=1; cortana_sandbox={}", self.token)
    }

    /// A change through the control API, as JSON and without any proof of who asks.
    fn change(&self) -> RequestBuilder {
        self.request(Method::POST, "/control/messages").json(&json!({"content": "hello"}))
    }

    /// A route of each kind that the address serves.
    fn routes(&self) -> Vec<(Method, String)> {
        let providers = self.world.sandbox.endpoints().providers;
        let chat =
            providers["openai"].api_base.strip_prefix(&self.origin).expect("on this origin").to_owned();
        let token_endpoint = providers["qwen_code"].token_endpoint.clone().expect("it has logins");
        let token_endpoint = token_endpoint.strip_prefix(&self.origin).expect("on this origin").to_owned();
        vec![
            (Method::GET, "/api/v10/users/@me".to_owned()),
            (Method::GET, "/gateway".to_owned()),
            (Method::GET, "/attachments/1/2/note.txt".to_owned()),
            (Method::POST, token_endpoint),
            (Method::POST, format!("{chat}/chat/completions")),
            (Method::GET, "/control".to_owned()),
            (Method::POST, "/control/messages".to_owned()),
            (Method::GET, "/".to_owned()),
            (Method::GET, format!("/?token={}", self.token)),
            (Method::GET, "/page/events".to_owned()),
            (Method::POST, "/page/fault".to_owned()),
            (Method::GET, "/assets/main.js".to_owned()),
        ]
    }
}

async fn status(request: RequestBuilder) -> StatusCode {
    request.send().await.expect("the sandbox answers").status()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_host_that_is_not_the_sandboxs_is_refused_on_every_route() {
    let door = Door::new().await;
    let port = door.host().rsplit_once(':').expect("a port").1.to_owned();
    let hosts = [
        "evil.example",
        &format!("evil.example:{port}"),
        &format!("127.0.0.1.evil.example:{port}"),
        "localhost:1",
    ];
    for (method, path) in door.routes() {
        for host in hosts {
            let request = door.request(method.clone(), &path).bearer_auth(&door.token).header("host", host);
            assert_eq!(status(request).await, 421, "{method} {path} for {host}");
        }
    }
    assert_eq!(door.world.sandbox.vendors().requests(), [], "no provider saw any of it");
    assert_eq!(door.world.sandbox.recorded_requests(), [], "nor did Discord");
}

#[tokio::test]
async fn a_foreign_origin_is_refused_on_every_route() {
    let door = Door::new().await;
    let origins = [
        "http://evil.example",
        "null",
        &door.origin.replace("http:", "https:"),
        &format!("{}0", door.origin),
    ];
    for (method, path) in door.routes() {
        for origin in origins {
            let request =
                door.request(method.clone(), &path).bearer_auth(&door.token).header("origin", origin);
            assert_eq!(status(request).await, 403, "{method} {path} from {origin}");
        }
    }
    assert_eq!(door.world.sandbox.recorded_requests(), [], "Discord saw none of it");
}

#[tokio::test]
async fn localhost_is_the_sandbox_too_when_it_listens_on_loopback() {
    let door = Door::new().await;
    let host = door.host().replace("127.0.0.1", "localhost");
    let page = door.request(Method::GET, "/").header("cookie", door.cookie()).header("host", &host);
    assert_eq!(status(page).await, 200);
    let change = door.change().header("cookie", door.cookie()).header("host", &host);
    assert_eq!(status(change.header("origin", format!("http://{host}"))).await, 200);
    let crossed = door.change().header("cookie", door.cookie()).header("host", &host);
    assert_eq!(status(crossed.header("origin", &door.origin)).await, 403, "the other name is another origin");
}

#[tokio::test]
async fn without_the_token_there_is_no_page_no_push_and_no_control() {
    let door = Door::new().await;
    let almost: String = door.token.chars().skip(1).collect();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/?token=wrong"),
        (Method::GET, "/page/events"),
        (Method::POST, "/page/fault"),
        (Method::POST, "/page/direct"),
        (Method::GET, "/control"),
        (Method::POST, "/control/messages"),
        (Method::POST, "/control/vendors/openai/clear"),
    ] {
        let request = || door.request(method.clone(), path).header("origin", &door.origin).json(&json!({}));
        assert_eq!(status(request()).await, 401, "{method} {path}");
        assert_eq!(status(request().bearer_auth("")).await, 401, "{method} {path}: an empty one");
        assert_eq!(status(request().bearer_auth(&almost)).await, 401, "{method} {path}: a part of it");
        let cookie = format!("cortana_sandbox={almost}; xcortana_sandbox={}", door.token);
        assert_eq!(status(request().header("cookie", cookie)).await, 401, "{method} {path}: a wrong cookie");
    }
    let refused: Value = door.request(Method::GET, "/").send().await.unwrap().json().await.unwrap();
    assert!(refused["error"].as_str().is_some_and(|sentence| sentence.contains("printed at its start")));
}

#[tokio::test]
async fn the_printed_address_becomes_a_strict_cookie_that_scripts_cannot_read() {
    let door = Door::new().await;
    let welcome = door.http.get(door.world.sandbox.page()).send().await.unwrap();
    assert_eq!((welcome.status(), header(&welcome, "location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = header(&welcome, "set-cookie");
    let expected = format!("cortana_sandbox={}; Path=/; HttpOnly; SameSite=Strict", door.token);
    assert_eq!(cookie, expected);
    let pair = cookie.split(';').next().expect("name and value");
    let page = door.request(Method::GET, "/").header("cookie", pair).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains(&door.token), "the page's text does not have it");
    let elsewhere = door.request(Method::GET, &format!("/control?token={}", door.token));
    assert_eq!(status(elsewhere).await, 401, "in an address it counts for nothing but the page");
}

#[tokio::test]
async fn a_change_that_the_cookie_vouches_for_needs_the_pages_own_origin() {
    let door = Door::new().await;
    let with_cookie = || door.change().header("cookie", door.cookie());
    assert_eq!(status(with_cookie()).await, 403, "no origin");
    assert_eq!(status(with_cookie().header("origin", "http://evil.example")).await, 403);
    assert_eq!(door.world.sandbox.messages(door.world.channel()), []);
    assert_eq!(status(with_cookie().header("origin", &door.origin)).await, 200);
    assert_eq!(
        status(door.change().bearer_auth(&door.token)).await,
        200,
        "programs have a header, and no origin"
    );
    let reads = door.request(Method::GET, "/control").header("cookie", door.cookie());
    assert_eq!(status(reads).await, 200, "looking changes nothing");
}

#[tokio::test]
async fn changes_are_json_because_a_form_of_another_page_can_send_anything_else() {
    let door = Door::new().await;
    let body = r#"{"content": "hello"}"#;
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx"]
    {
        for path in ["/control/messages", "/page/fault"] {
            let request = || door.request(Method::POST, path).header("content-type", kind).body(body);
            let by_cookie = request().header("cookie", door.cookie()).header("origin", &door.origin);
            assert_eq!(status(by_cookie).await, 415, "{path} as {kind}");
            assert_eq!(status(request().bearer_auth(&door.token)).await, 415, "{path} as {kind}");
        }
    }
    assert_eq!(door.world.sandbox.messages(door.world.channel()), []);
    let utf8 = door
        .request(Method::POST, "/control/messages")
        .header("content-type", "application/json; charset=utf-8");
    assert_eq!(status(utf8.bearer_auth(&door.token).body(body)).await, 200);
}

#[tokio::test]
async fn the_page_and_its_files_forbid_everything_that_they_do_not_need() {
    let door = Door::new().await;
    for path in ["/", "/assets/main.js", "/assets/style.css", "/assets/vendor/highlight.js"] {
        let response = door.request(Method::GET, path).header("cookie", door.cookie()).send().await.unwrap();
        let policy = header(&response, "content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|part| part == rule), "{path}: {rule} in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn an_attached_document_is_served_without_any_rights() {
    let door = Door::new().await;
    let made: Value = {
        let file = json!({"filename": "x.html", "content_type": "text/html",
            "base64": "PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg=="});
        let say = json!({"content": "", "files": [file]});
        let request = door.request(Method::POST, "/control/messages").bearer_auth(&door.token).json(&say);
        request.send().await.unwrap().json().await.unwrap()
    };
    let id = made["id"].as_str().expect("an id").parse().unwrap();
    let url = door.world.sandbox.message(id).unwrap().attachments[0].url.clone();
    let file = door.http.get(url).send().await.unwrap();
    assert_eq!((file.status(), header(&file, "content-type")), (StatusCode::OK, "text/html"));
    assert_eq!(header(&file, "content-security-policy"), "sandbox; default-src 'none'");
    assert_eq!(header(&file, "x-content-type-options"), "nosniff");
    assert_eq!(file.text().await.unwrap(), "<script>alert(1)</script>");
}
