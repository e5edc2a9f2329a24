//! The real binary killed with -9 at each system call of a write-back (P12), by strace.
//!
//! The calls are not listed here: a run that nobody kills is traced first, and each of its calls on our files is then a
//! run of its own, killed as it enters that call. The provider's refresh tokens are single-use, and a second use ends the
//! login: what a kill loses shows in the next run.

use std::{
    collections::{BTreeSet, HashMap},
    fmt, fs,
    path::Path,
};

use cortana::{credential::Fingerprint, sandbox::vendor::MintedLogin, secret::Secret};
use futures::stream::{self, StreamExt};
use serde_json::Value;

use crate::support::{
    binary::{Home, has_strace},
    vendors::Served,
};

const FILE: &str = "qwen.json";
/// Calls that change a file, or open one.
const CALLS: &[&str] = &[
    "openat",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "truncate",
    "ftruncate",
    "link",
    "linkat",
    "symlink",
    "mkdir",
    "mkdirat",
];
/// Calls that reach somebody else, or start something.
const OUTWARD: &[&str] =
    &["socket", "connect", "sendto", "sendmsg", "sendmmsg", "bind", "clone", "clone3", "fork", "execve"];
/// Runs at once.
const AT_ONCE: usize = 3;

/// One call of the traced run, as a place to kill another run at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    call: String,
    /// Below the home; `NEW` in it stands for the print of the token that is replaced.
    path: String,
    /// Counted in its thread, as strace does.
    nth: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {} ({})", self.call, self.path, self.nth)
    }
}

/// A home with an expired login, and the provider that it belongs to.
struct Scene {
    providers: Served,
    home: Home,
    login: MintedLogin,
}

impl Scene {
    async fn new() -> Self {
        let providers = Served::start().await;
        let login = providers.vendors.mint("qwen_code", "kim@example.com");
        providers.vendors.expire_access("qwen_code", "kim@example.com");
        let home = Home::new(providers.variables());
        let mut file = login.official_file();
        file["expiry_date"] = 1_700_000_000_000_u64.into();
        file["kept"] = "a key that nobody knows".into();
        home.drop_credential(FILE, &file);
        Self { providers, home, login }
    }

    fn print(&self) -> String {
        Fingerprint::of(&Secret::new(self.login.refresh.clone())).to_string()
    }

    fn root(&self) -> String {
        self.home.path().canonicalize().expect("the home is there").display().to_string()
    }

    /// `cortana token` under strace with these options.
    async fn traced(&self, options: &[String]) -> std::process::Output {
        let mut command = self.home.command("strace");
        command.args(["-f", "-y", "-s", "0"]).args(options);
        command.args([env!("CARGO_BIN_EXE_cortana"), "token", "qwen_code"]);
        tokio::task::spawn_blocking(move || command.output().expect("strace starts")).await.expect("a run")
    }

    async fn cortana(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = self.home.command(env!("CARGO_BIN_EXE_cortana"));
        command.args(arguments);
        tokio::task::spawn_blocking(move || command.output().expect("cortana starts")).await.expect("a run")
    }
}

/// One line of a trace: who called what on which path.
struct Line<'a> {
    thread: &'a str,
    call: &'a str,
    path: &'a str,
    text: &'a str,
}

fn read_line(text: &str) -> Option<Line<'_>> {
    let (thread, rest) = text.split_once(' ')?;
    // What is resumed was told when it began; an answer is told when it is there.
    if let Some(resumed) = rest.trim_start().strip_prefix("<... ") {
        let call = resumed.split(' ').next()?;
        return (call == "recvfrom").then_some(Line { thread, call, path: "", text });
    }
    let (call, arguments) = rest.trim_start().split_once('(')?;
    let named = |text: &'_ str, from: char, to: char| -> Option<(usize, usize)> {
        let start = text.find(from)? + 1;
        Some((start, start + text.get(start..)?.find(to)?))
    };
    // `AT_FDCWD</home>` says where a relative path begins, and is none itself.
    let skipped = if arguments.starts_with("AT_FDCWD") { arguments.split_once(", ")?.1 } else { arguments };
    let span = if skipped.starts_with('"') { named(skipped, '"', '"') } else { named(skipped, '<', '>') };
    let path = span.and_then(|(start, end)| skipped.get(start..end)).unwrap_or_default();
    Some(Line { thread, call, path, text })
}

/// What a run does that nobody kills.
struct DryRun {
    /// Before the answer came: what changes a file.
    before: BTreeSet<Point>,
    /// From the answer to the end of the write of the temporary file: the only window where the token can be lost.
    window: BTreeSet<Point>,
    /// From there on.
    after: BTreeSet<Point>,
}

/// Calls are counted by thread: where a step after the answer came to another thread than those before, two points have one
/// name, and such a run shows nothing.
async fn unambiguous_run() -> DryRun {
    for _ in 0..12 {
        let run = dry_run().await;
        if run.before.is_disjoint(&run.after) {
            return run;
        }
    }
    panic!("every run had two points of one name")
}

async fn dry_run() -> DryRun {
    let scene = Scene::new().await;
    let (trace, root) = (scene.home.path().join("trace"), scene.root());
    let output = scene.traced(&["-o".to_owned(), trace.display().to_string()]).await;
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(trace).expect("a trace");
    let lines: Vec<Line<'_>> = text.lines().filter_map(read_line).collect();
    let is_new = |line: &Line<'_>| line.path.ends_with(&format!(".{FILE}.{}.new", scene.print()));
    let asked = lines
        .iter()
        .rposition(|line| {
            line.path.starts_with("socket:") && ["write", "writev", "sendto", "sendmsg"].contains(&line.call)
        })
        .expect("the request");
    let is_answer = |line: &Line<'_>| {
        line.call == "recvfrom"
            && line.text.rsplit("= ").next().is_some_and(|got| got.parse::<u32>().is_ok_and(|got| got > 0))
    };
    let answered = asked + lines.iter().skip(asked).position(is_answer).expect("the answer");
    let created =
        lines.iter().position(|line| line.call == "openat" && is_new(line)).expect("the temporary file");
    let written = lines.iter().position(|line| line.call == "write" && is_new(line)).expect("its content");
    assert!(answered < created && created < written);

    // In the window nothing reaches out, and no file is opened or changed, but for the file itself, which is read so that
    // what others wrote meanwhile is kept (P16), and the temporary one. Threads wake each other by an eventfd.
    // The state store writes what it remembers whenever its threads come to it.
    let stored = |line: &&Line<'_>| line.path.contains("/data/cortana.db");
    for line in lines.get(answered..written).unwrap_or_default().iter().filter(|line| !stored(line)) {
        let is_ours = line.path.ends_with(FILE) && line.text.contains("O_RDONLY") || is_new(line);
        let is_wake = line.path.contains("eventfd");
        assert!(!OUTWARD.contains(&line.call), "between the answer and the write: {}", line.text);
        assert!(
            !CALLS.contains(&line.call) || is_ours || is_wake,
            "between the answer and the write: {}",
            line.text
        );
    }

    let mut counts: HashMap<(&str, &str, String), usize> = HashMap::new();
    let mut run = DryRun { before: BTreeSet::new(), window: BTreeSet::new(), after: BTreeSet::new() };
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| CALLS.contains(&line.call)) {
        let below = line.path.strip_prefix(&root).map_or(line.path, |path| path.trim_start_matches('/'));
        // The state store, beside `data/tokens`, holds no token, and its threads take their turns as they please.
        if !below.starts_with("credentials") && !below.starts_with("data/tokens") {
            continue;
        }
        let path = below.replace(&scene.print(), "NEW");
        let nth = counts.entry((line.thread, line.call, path.clone())).or_default();
        *nth += 1;
        let point = Point { call: line.call.to_owned(), path, nth: *nth };
        // Opening to read changes nothing: what a kill there leaves, a kill at the next change leaves too.
        if line.text.contains("O_RDONLY") {
            continue;
        }
        match at {
            at if at > answered && at <= written => run.window.insert(point),
            at if at > answered => run.after.insert(point),
            _ => run.before.insert(point),
        };
    }
    run
}

/// A killed run, and what the runs after it find.
struct Killed {
    point: Point,
    /// Whether the provider had rotated the token when the process died.
    had_rotated: bool,
    /// Whether the next run printed a valid token.
    has_recovered: bool,
    /// Uses of a dead refresh token by the next run, and by one more.
    reuses: (u64, u64),
    /// Tokens granted in all.
    granted: u64,
    /// The state that `status` shows then.
    state: Value,
    /// The file after the kill.
    file: Value,
}

/// Kills a run as it enters this call. `None`: it never did.
async fn kill_at(point: &Point) -> Option<Killed> {
    let scene = Scene::new().await;
    let below = point.path.replace("NEW", &scene.print());
    let inject = format!("inject={}:signal=KILL:when={}", point.call, point.nth);
    let absolute = Path::new(&scene.root()).join(&below).display().to_string();
    let options = [
        "-o",
        "/dev/null",
        "-P",
        &absolute,
        "-P",
        &below,
        "-e",
        &format!("trace={}", point.call),
        "-e",
        &inject,
    ];
    let first = scene.traced(&options.map(str::to_owned)).await;
    if first.status.success() {
        return None;
    }
    let had_rotated = scene.providers.vendors.counts_of("qwen_code").granted > 0;
    let file = scene.home.read(FILE);
    let next = scene.cortana(&["token", "qwen_code"]).await;
    let has_recovered = next.status.success() && !next.stdout.is_empty();
    let reuses = scene.providers.vendors.counts_of("qwen_code").reused;
    scene.cortana(&["token", "qwen_code"]).await;
    let counts = scene.providers.vendors.counts_of("qwen_code");
    let status = scene.cortana(&["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&status.stdout).expect("the status");
    Some(Killed {
        point: point.clone(),
        had_rotated,
        has_recovered,
        reuses: (reuses, counts.reused),
        granted: counts.granted,
        state: status["credentials"][0]["state"].clone(),
        file,
    })
}

async fn sweep(points: BTreeSet<Point>) -> Vec<Killed> {
    stream::iter(points)
        .map(|point| async move {
            // Which thread of the pool for blocking work gets which step is the runtime's choice, and calls are counted by
            // thread: a run that took another turn is repeated.
            for _ in 0..12 {
                if let Some(killed) = kill_at(&point).await {
                    return killed;
                }
            }
            panic!("no run came to {point}")
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_kill_9_at_every_call_loses_a_token_only_before_the_temporary_file_is_written() {
    if !has_strace("the real binary was not killed") {
        return;
    }
    let DryRun { before, window, after } = unambiguous_run().await;
    let named =
        |points: &BTreeSet<Point>| points.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    println!("before the answer: {}", named(&before));
    println!("window: {}", named(&window));
    println!("after the write: {}", named(&after));
    assert!(before.len() >= 5 && window.len() >= 3 && after.len() >= 5);

    for killed in sweep(before).await {
        let point = &killed.point;
        assert!(!killed.had_rotated, "{point} comes before the request");
        assert!(killed.has_recovered && killed.reuses == (0, 0), "killed at {point}");
        assert_eq!(
            (&killed.file["kept"], killed.granted),
            (&Value::from("a key that nobody knows"), 1),
            "{point}"
        );
    }
    for killed in sweep(after).await {
        let point = &killed.point;
        assert!(killed.had_rotated, "{point} comes after the answer");
        assert!(killed.has_recovered, "killed at {point}: the next run has no token");
        assert_eq!(
            (killed.reuses, killed.granted),
            ((0, 0), 1),
            "killed at {point}: found at rest, nothing was asked"
        );
        assert_eq!(killed.state, "ready", "killed at {point}");
        assert_eq!(killed.file["kept"], "a key that nobody knows", "killed at {point}");
    }
    // The one window that no client can close: the provider has ended the old token, and the new one is nowhere at rest.
    for killed in sweep(window).await {
        let point = &killed.point;
        assert!(killed.had_rotated && !killed.has_recovered, "killed at {point}");
        assert_eq!(
            killed.reuses,
            (1, 1),
            "killed at {point}: the refused token is not sent again by anybody"
        );
        assert_eq!(killed.state, "needs_login", "killed at {point}");
        assert_eq!(
            killed.file["kept"], "a key that nobody knows",
            "killed at {point}: the old file is whole"
        );
    }
}
