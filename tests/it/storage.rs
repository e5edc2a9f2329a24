//! The database: made for its owner alone, put aside when damaged, written by several without a loss. The same tests run
//! on PostgreSQL when `TEST_POSTGRES_URL` names a server.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use cortana::{
    app::StoredState,
    config::{Database, StorageSettings},
    credential::{CredentialId, Fingerprint},
    pool::{
        Batch, Counts, Decision, Item, Line, RefusedToken, RestCause, Rests, Span, StateStore as _,
        SwitchedOff, Value,
    },
    secret::Secret,
    storage::{Storage, StorageError},
};
use futures::future::join_all;
use tempfile::TempDir;

use crate::support::{pool::put, postgres};

/// Where a test's database is, in a place of its own.
struct Place {
    _folder: TempDir,
    settings: StorageSettings,
}

fn file(path: &Path) -> StorageSettings {
    StorageSettings { database: Database::Sqlite(path.to_owned()) }
}

/// SQLite, and PostgreSQL where there is one.
async fn places() -> Vec<Place> {
    let folder = TempDir::new().unwrap();
    let settings = file(&folder.path().join("new/folder/a database?.db"));
    let mut places = vec![Place { _folder: folder, settings }];
    if let Some(address) = postgres::fresh_database().await {
        let settings = StorageSettings { database: Database::Postgres(Secret::new(address)) };
        places.push(Place { _folder: TempDir::new().unwrap(), settings });
    }
    places
}

fn line(credential: &str, item: Item, value: Value) -> Line {
    Line { credential: CredentialId::new(credential), item, value }
}

fn counts(requests: u64) -> Value {
    Value::Counts(Counts { requests, ..Counts::default() })
}

fn batch(writer: &str, serial: i64, at: i64, lines: Vec<Line>) -> Batch {
    Batch { writer: writer.to_owned(), serial, at, lines }
}

fn span(until: i64, set_at: i64) -> Span {
    Span { until, set_at, step: 1, probe_at: None, cause: RestCause::Quota, reason: "HTTP 429".to_owned() }
}

#[tokio::test]
async fn p30_what_is_written_is_read_by_the_next_process() {
    for place in places().await {
        let decision = Decision {
            at: 5,
            writer: "one".to_owned(),
            holds: Some(SwitchedOff { reason: Some("a \"quoted\" 日本 reason".to_owned()) }),
        };
        let lines = vec![
            line("a", Item::Rest, Value::Rests(Rests { cleared_at: 1, spans: vec![span(900, 10)] })),
            line("a", Item::ModelRest("models/x-1".to_owned()), Value::Rests(Rests::default())),
            line("a", Item::Switch, Value::Switch(decision)),
            line(
                "b",
                Item::RefusedToken(Fingerprint::of_bytes(b"x")),
                Value::RefusedToken(Decision {
                    at: 5,
                    writer: "one".to_owned(),
                    holds: Some(RefusedToken {}),
                }),
            ),
            line("b", Item::Counts, counts(3)),
        ];
        let first = StoredState::new(place.settings.clone());
        first.write(&batch("one", 1, 10, lines.clone())).await.unwrap();
        let second = StoredState::new(place.settings.clone());
        let mut read = second.read(0).await.unwrap();
        read.lines.sort_by(|one, other| (&one.credential, &one.item).cmp(&(&other.credential, &other.item)));
        assert_eq!(read.lines, lines);
        assert_eq!(second.read(read.revision).await.unwrap().lines, [], "nothing changed since");
        first.write(&batch("one", 2, 20, vec![line("b", Item::Counts, counts(4))])).await.unwrap();
        let changed = second.read(read.revision).await.unwrap();
        assert_eq!(changed.lines, [line("b", Item::Counts, counts(7))], "only what changed, as the sum");
        assert!(changed.revision > read.revision);
    }
}

#[tokio::test]
async fn p30_a_batch_that_is_sent_twice_counts_once() {
    for place in places().await {
        let state = StoredState::new(place.settings.clone());
        let once = batch("one", 1, 10, vec![line("a", Item::Counts, counts(3))]);
        state.write(&once).await.unwrap();
        state.write(&once).await.unwrap();
        assert_eq!(state.read(0).await.unwrap().lines, [line("a", Item::Counts, counts(3))]);
    }
}

#[tokio::test]
async fn p30_a_batch_of_any_size_is_merged_line_by_line() {
    for place in places().await {
        let state = StoredState::new(place.settings.clone());
        let names: Vec<String> = (0..1100).map(|number| format!("credential {number:04}")).collect();
        let mut lines: Vec<Line> = names.iter().map(|name| line(name, Item::Counts, counts(2))).collect();
        state.write(&batch("one", 1, 10, lines.clone())).await.unwrap();
        // One that is there twice counts twice, and a line of another kind is none of its business.
        lines.push(line(&names[0], Item::Counts, counts(2)));
        lines.push(line(&names[0], Item::Rest, Value::Rests(Rests::default())));
        lines.insert(0, line(&names[0], Item::Counts, counts(2)));
        state.write(&batch("one", 2, 20, lines)).await.unwrap();
        let read = state.read(0).await.unwrap().lines;
        assert_eq!(read.len(), 1101);
        for Line { credential, item, value } in read {
            if item == Item::Counts {
                let sum = if credential.as_str() == names[0] { 8 } else { 4 };
                assert_eq!(value, counts(sum), "{credential}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_writers_at_once_lose_no_count() {
    const WRITERS: usize = 4;
    const BATCHES: i64 = 15;
    for place in places().await {
        let writers = (0..WRITERS).map(|writer| {
            let settings = place.settings.clone();
            async move {
                // Opened together too: one makes the file, all find it whole.
                let state = StoredState::new(settings);
                let name = format!("writer {writer}");
                for serial in 1..=BATCHES {
                    let lines = vec![line("a", Item::Counts, counts(1)), line("b", Item::Counts, counts(2))];
                    state.write(&batch(&name, serial, serial, lines)).await.unwrap();
                }
            }
        });
        join_all(writers).await;
        let read = StoredState::new(place.settings.clone()).read(0).await.unwrap();
        let total = u64::try_from(BATCHES).unwrap() * u64::try_from(WRITERS).unwrap();
        let mut values: Vec<Value> = read.lines.into_iter().map(|line| line.value).collect();
        values.sort_by_key(|value| format!("{value:?}"));
        assert_eq!(values, [counts(2 * total), counts(total)]);
    }
}

#[tokio::test]
async fn p30_what_has_ended_and_what_nobody_has_is_forgotten() {
    const DAY: i64 = 86_400_000;
    for place in places().await {
        let state = StoredState::new(place.settings.clone());
        let rests = |until| Value::Rests(Rests { cleared_at: 0, spans: vec![span(until, 1)] });
        let lines = vec![
            line("gone", Item::Counts, counts(1)),
            line("here", Item::Counts, counts(1)),
            line("here", Item::Rest, rests(2 * DAY)),
        ];
        state.write(&batch("one", 1, DAY, lines)).await.unwrap();
        state.write(&batch("one", 2, 92 * DAY, vec![line("here", Item::Counts, counts(1))])).await.unwrap();
        let read = StoredState::new(place.settings.clone()).read(0).await.unwrap();
        assert_eq!(read.lines, [line("here", Item::Counts, counts(2))]);
    }
}

#[tokio::test]
async fn p18_the_database_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/cortana.db");
    let state = StoredState::new(file(&path));
    state.write(&batch("one", 1, 10, vec![line("a", Item::Counts, counts(1))])).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("state")), 0o700);
    for entry in fs::read_dir(folder.path().join("state")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    let loose = folder.path().join("loose.db");
    put(&loose, "");
    fs::set_permissions(&loose, fs::Permissions::from_mode(0o644)).unwrap();
    Storage::open(&file(&loose)).await.unwrap();
    assert_eq!(mode(&loose), 0o600, "a looser one is tightened");
}

#[tokio::test]
async fn p30_a_damaged_file_is_put_aside_and_a_new_one_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    put(&path, &"this is no database ".repeat(500));
    let state = StoredState::new(file(&path));
    state.write(&batch("one", 1, 10, vec![line("a", Item::Counts, counts(1))])).await.unwrap();
    assert_eq!(state.read(0).await.unwrap().lines.len(), 1);
    let aside: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("cortana.db.corrupt-"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(
        fs::read_to_string(&aside[0]).unwrap().starts_with("this is no database"),
        "nothing is thrown away"
    );
}

#[tokio::test]
async fn p30_a_page_that_is_damaged_inside_is_found_at_the_start() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    let storage = Storage::open(&file(&path)).await.unwrap();
    storage.close().await;
    let mut bytes = fs::read(&path).unwrap();
    // The header stays; every page behind the first is overwritten.
    bytes[4096..].fill(0xAB);
    put_bytes(&path, &bytes);
    let state = StoredState::new(file(&path));
    assert_eq!(state.read(0).await.unwrap().lines, []);
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name.to_string_lossy().contains("corrupt-")), "{names:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test plays the disk that loses bits")]
fn put_bytes(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    Storage::open(&file(&path)).await.unwrap().close().await;
    postgres::run_on_sqlite(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .await;
    let error = Storage::open(&file(&path)).await.unwrap_err();
    assert_eq!(error, StorageError::Newer { version: 9999 });
    assert!(
        !fs::read_dir(folder.path())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("corrupt") })
    );
}

#[tokio::test]
async fn p33_an_unreachable_server_is_told_without_its_address() {
    // A port that nothing listens on.
    let settings = StorageSettings {
        database: Database::Postgres(Secret::new(
            "postgres://canary-user:canary-password@127.0.0.1:1/canary-base",
        )),
    };
    assert!(!format!("{settings:?}").contains("canary"));
    let error = Storage::open(&settings).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error}");
    assert!(error.to_string().contains("DATABASE_URL"), "{error}");
}

#[tokio::test]
async fn p30_a_folder_that_cannot_be_written_is_said() {
    let folder = TempDir::new().unwrap();
    put(&folder.path().join("in-the-way"), "");
    // A file where the folder should be: refused to root too.
    let error = Storage::open(&file(&folder.path().join("in-the-way/cortana.db"))).await.unwrap_err();
    assert!(matches!(error, StorageError::NotWritable { .. }), "{error:?}");
}
