//! `cortana hf pull`: a download with a bar.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{
    super::{
        arguments::PullOptions,
        failure::Failure,
        output::{print, print_json, remark},
    },
    failed,
};
use crate::{
    hub::{Hub, Progress, Pulled, Wanted, bytes_in_words},
    shutdown,
};

pub(super) async fn pull(hub: &Hub, options: &PullOptions) -> Result<(), Failure> {
    let wanted =
        Wanted { repo: options.repo.clone(), file: options.file.clone(), folder: options.to.clone() };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(style());
    let mut last = None;
    let tell = |progress: Progress| show(&bar, &mut last, progress);
    let pulled = tokio::select! {
        pulled = hub.pull(&wanted, tell) => pulled.map_err(failed),
        signal = shutdown::signal() => Err(Failure::Failed(anyhow::anyhow!(
            "interrupted by {signal}; what came is kept, and the same command goes on from there"
        ))),
    };
    bar.finish_and_clear();
    let pulled = pulled?;
    if options.json { print_json(&pulled) } else { print(&sentence(&pulled)) }
}

fn style() -> ProgressStyle {
    let template = "{msg:9} {bar:28} {bytes:>11} of {total_bytes:<11} {speed:>10} {eta:>4}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("speed", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a speed for people")]
        let speed = state.per_sec().max(0.0) as u64;
        let _infallible = write!(text, "{}/s", bytes_in_words(speed));
    })
}

/// Moves the bar. Where there is none, since nobody looks at a terminal, the beginning and each trouble is a line.
fn show(bar: &ProgressBar, last: &mut Option<&'static str>, progress: Progress) {
    let (what, done, total) = match progress {
        Progress::Checking { done, total } => ("checking", done, total),
        Progress::Fetching { done, total } => ("fetching", done, total),
        Progress::Again { problem } => {
            let text = format!("Another attempt: {problem}");
            if bar.is_hidden() {
                remark(&text);
            } else {
                bar.println(text);
            }
            return;
        }
    };
    if *last != Some(what) {
        *last = Some(what);
        bar.set_message(what);
        bar.set_length(total);
        bar.set_position(done);
        // The speed is that of this call, not of the one before it.
        bar.reset_eta();
        if bar.is_hidden() {
            let from = if what == "fetching" && done > 0 {
                format!(", going on after {}", bytes_in_words(done))
            } else {
                String::new()
            };
            remark(&format!("{what} {}{from}", bytes_in_words(total)));
        }
    }
    bar.set_position(done);
}

fn sentence(pulled: &Pulled) -> String {
    let Pulled { path, bytes, sha256, fetched_bytes, .. } = pulled;
    let checked = match sha256 {
        Some(sha256) => format!("SHA-256 {sha256} as the hub names it"),
        None => "its size is right; the hub names no SHA-256 of small files".to_owned(),
    };
    let done = if *fetched_bytes == 0 && *bytes > 0 { "is there already" } else { "is there" };
    format!("✅ {} {done}: {}, {checked}.", path.display(), bytes_in_words(*bytes))
}
