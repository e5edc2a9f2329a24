//! `cortana run` as a process of its own, in an emulated world of this one.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::bot::{BETWEEN_STARTS, World};

/// The running binary; killed when a test fails before it ended.
pub(crate) struct Process {
    child: Option<Child>,
    /// Where its admin endpoint listens.
    pub(crate) admin: String,
}

impl Process {
    /// Starts `cortana run` in a world, at this log level.
    pub(crate) fn start(world: &World, log: &str) -> Self {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_cortana")), world, log)
    }

    /// The same under strace, which writes every call that names a file, and when.
    pub(crate) fn start_traced(world: &World, trace: &Path) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-ttt", "-s", "4096", "-e", "trace=%file", "-o"]).arg(trace);
        strace.arg(env!("CARGO_BIN_EXE_cortana"));
        Self::spawn(strace, world, "info")
    }

    fn spawn(mut command: Command, world: &World, log: &str) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let admin = format!("127.0.0.1:{port}");
        world.sandbox.advance(BETWEEN_STARTS);
        let child = command
            .arg("run")
            .current_dir(world.home())
            .env_clear()
            .envs(world.environment())
            .envs([("ADMIN_ADDR", admin.as_str()), ("RUST_LOG", log), ("LOG_FORMAT", "json")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Self { child: Some(child), admin }
    }

    /// `cortana health` against it.
    pub(crate) fn is_healthy(&self, world: &World) -> bool {
        Command::new(env!("CARGO_BIN_EXE_cortana"))
            .arg("health")
            .current_dir(world.home())
            .env_clear()
            .env("ADMIN_ADDR", &self.admin)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// The status and body of `/ready`.
    pub(crate) async fn ready(&self) -> (u16, Value) {
        let answer = reqwest::get(format!("http://{}/ready", self.admin)).await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// What it holds in memory now, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let id = self.child.as_ref().expect("started").id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Sends a signal to the bot.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("started");
        // strace keeps signals to itself; its child is the bot.
        let bot = children(child.id()).first().copied().or(Pid::from_raw(child.id().cast_signed()));
        kill_process(bot.expect("no process has the number 0"), signal).expect("it runs");
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn terminate(self) -> Output {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(mut self) -> Output {
        let child = self.child.take().expect("started");
        tokio::task::spawn_blocking(move || child.wait_with_output())
            .await
            .expect("a thread")
            .expect("an end")
    }
}

/// The children of a process; the bot itself has none.
fn children(of: u32) -> Vec<Pid> {
    let list = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|number| Pid::from_raw(number.parse().ok()?)).collect()
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            for traced in children(child.id()) {
                kill_process(traced, Signal::KILL).ok(); // It may have ended by itself.
            }
            drop(child.kill());
            drop(child.wait());
        }
    }
}
