//! How long a pool takes to start from a folder of files, and how much memory its credentials add (P37).
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

mod support;

use std::fs;

use cortana::clock::instant;

use support::{keys, runtime, settings, start};

/// A page of memory, in KiB; true of every machine that the image is built for.
const PAGE: u64 = 4;

fn main() {
    let runtime = runtime();
    // The first start pays for what every program has once: the provider table, pages of code.
    let first = tempfile::tempdir().expect("a folder");
    drop(runtime.block_on(start(keys(&first, 3))));
    for count in [3, 30, 300, 1_000, 10_000] {
        let folder = tempfile::tempdir().expect("a folder");
        write_logins(&folder, count);
        let before = resident();
        let begun_at = instant();
        let pool = runtime.block_on(start(settings(&folder)));
        let took = begun_at.elapsed();
        let loaded = pool.snapshot().credentials.len();
        let added = resident().saturating_sub(before);
        println!("{count:>6} files: {took:>9.1?} to start, {added:>6} KiB added, {loaded} loaded");
    }
}

#[expect(clippy::disallowed_methods, reason = "an operator puts the files there")]
fn write_logins(folder: &tempfile::TempDir, count: usize) {
    use std::os::unix::fs::PermissionsExt;
    let credentials = folder.path().join("credentials");
    fs::create_dir(&credentials).expect("a folder");
    for number in 0..count {
        let text = format!(
            r#"{{"access_token":"FAKE-access-{number}","refresh_token":"FAKE-refresh-{number}","token_type":"Bearer","expires_at":4102444800}}"#
        );
        let path = credentials.join(format!("qwen_{number}.json"));
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
    }
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}
