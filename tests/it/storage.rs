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
    storage::{
        Adopted, Beginning, InFlight, Kept, Named, OnDamage, Setting, Storage, StorageError, Stretch, Subject,
    },
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
    Span {
        until,
        set_at,
        step: 1,
        probe_at: None,
        cause: RestCause::Quota,
        reason: "HTTP 429".to_owned(),
        made_at: 0,
    }
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
        let first = StoredState::new(place.settings.clone(), OnDamage::PutAside);
        first.write(&batch("one", 1, 10, lines.clone())).await.unwrap();
        let second = StoredState::new(place.settings.clone(), OnDamage::PutAside);
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
        let state = StoredState::new(place.settings.clone(), OnDamage::PutAside);
        let once = batch("one", 1, 10, vec![line("a", Item::Counts, counts(3))]);
        state.write(&once).await.unwrap();
        state.write(&once).await.unwrap();
        assert_eq!(state.read(0).await.unwrap().lines, [line("a", Item::Counts, counts(3))]);
    }
}

#[tokio::test]
async fn p30_a_batch_of_any_size_is_merged_line_by_line() {
    for place in places().await {
        let state = StoredState::new(place.settings.clone(), OnDamage::PutAside);
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
                let state = StoredState::new(settings, OnDamage::PutAside);
                let name = format!("writer {writer}");
                for serial in 1..=BATCHES {
                    let lines = vec![line("a", Item::Counts, counts(1)), line("b", Item::Counts, counts(2))];
                    state.write(&batch(&name, serial, serial, lines)).await.unwrap();
                }
            }
        });
        join_all(writers).await;
        let read = StoredState::new(place.settings.clone(), OnDamage::PutAside).read(0).await.unwrap();
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
        let state = StoredState::new(place.settings.clone(), OnDamage::PutAside);
        let rests = |until| Value::Rests(Rests { cleared_at: 0, spans: vec![span(until, 1)] });
        let lines = vec![
            line("gone", Item::Counts, counts(1)),
            line("here", Item::Counts, counts(1)),
            line("here", Item::Rest, rests(2 * DAY)),
        ];
        state.write(&batch("one", 1, DAY, lines)).await.unwrap();
        state.write(&batch("one", 2, 92 * DAY, vec![line("here", Item::Counts, counts(1))])).await.unwrap();
        let read = StoredState::new(place.settings.clone(), OnDamage::PutAside).read(0).await.unwrap();
        assert_eq!(read.lines, [line("here", Item::Counts, counts(2))]);
    }
}

#[tokio::test]
async fn p18_the_database_is_its_owners_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("state/cortana.db");
    let state = StoredState::new(file(&path), OnDamage::PutAside);
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
    Storage::open(&file(&loose), OnDamage::PutAside).await.unwrap();
    assert_eq!(mode(&loose), 0o600, "a looser one is tightened");
}

#[tokio::test]
async fn p30_a_damaged_file_is_put_aside_and_a_new_one_made() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    put(&path, &format!("SQLite format 3\0{}", "and then nothing of the kind ".repeat(500)));
    let report = Storage::open(&file(&path), OnDamage::Report).await.unwrap_err();
    assert!(matches!(report, StorageError::Damaged { .. }), "{report:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a command leaves it: the file and its lock");
    let state = StoredState::new(file(&path), OnDamage::PutAside);
    state.write(&batch("one", 1, 10, vec![line("a", Item::Counts, counts(1))])).await.unwrap();
    assert_eq!(state.read(0).await.unwrap().lines.len(), 1);
    let aside: Vec<PathBuf> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("cortana.db.corrupt-"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert!(
        fs::read_to_string(&aside[0]).unwrap().contains("and then nothing of the kind"),
        "nothing is thrown away"
    );
}

/// `DATABASE_URL` may name a wrong file, and a credential must survive that.
#[tokio::test]
async fn p30_a_file_that_is_something_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("qwen.json");
    put(&path, r#"{"refresh_token": "FAKE"}"#);
    let error = Storage::open(&file(&path), OnDamage::PutAside).await.unwrap_err();
    assert_eq!(error, StorageError::Foreign);
    assert_eq!(fs::read_to_string(&path).unwrap(), r#"{"refresh_token": "FAKE"}"#);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "and nothing is put beside it");
}

#[tokio::test]
async fn p30_a_file_that_is_removed_or_replaced_under_a_process_is_made_anew() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    let state = StoredState::new(file(&path), OnDamage::PutAside);
    for serial in 1..4 {
        state.write(&batch("one", serial, 10, vec![line("a", Item::Counts, counts(1))])).await.unwrap();
        let before = state.read(0).await.unwrap();
        assert_eq!(before.lines, [line("a", Item::Counts, counts(1))], "what it held is gone");
        if serial == 1 {
            fs::remove_file(&path).unwrap();
        } else {
            postgres::move_away(&path, &folder.path().join(format!("old-{serial}")));
        }
        let after = state.read(0).await.unwrap();
        assert!(after.lines.is_empty() && after.store != before.store, "{after:?} after {before:?}");
        let other = StoredState::new(file(&path), OnDamage::Report);
        assert_eq!(other.read(0).await.unwrap().store, after.store, "everybody sees the same");
    }
}

#[tokio::test]
async fn p30_a_server_that_is_read_only_is_read_by_who_starts_then() {
    let Some(address) = postgres::fresh_database().await else { return };
    let settings = StorageSettings { database: Database::Postgres(Secret::new(address.clone())) };
    let lines = vec![line("a", Item::Counts, counts(1))];
    let first = StoredState::new(settings.clone(), OnDamage::PutAside);
    first.write(&batch("one", 1, 10, lines.clone())).await.unwrap();
    postgres::make_read_only(&address).await;
    let second = StoredState::new(settings, OnDamage::PutAside);
    assert_eq!(second.read(0).await.unwrap().lines, lines);
    second.write(&batch("two", 1, 20, lines)).await.unwrap_err();
}

#[tokio::test]
async fn p30_a_page_that_is_damaged_inside_is_found_at_the_start() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cortana.db");
    let storage = Storage::open(&file(&path), OnDamage::PutAside).await.unwrap();
    storage.close().await;
    let mut bytes = fs::read(&path).unwrap();
    // The header stays; every page behind the first is overwritten.
    bytes[4096..].fill(0xAB);
    put_bytes(&path, &bytes);
    let state = StoredState::new(file(&path), OnDamage::PutAside);
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
    Storage::open(&file(&path), OnDamage::PutAside).await.unwrap().close().await;
    postgres::run_on_sqlite(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'later', 1, x'00', 0)",
    )
    .await;
    let error = Storage::open(&file(&path), OnDamage::PutAside).await.unwrap_err();
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
    let error = Storage::open(&settings, OnDamage::PutAside).await.unwrap_err();
    assert!(matches!(error, StorageError::Unreachable { .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("canary"), "{error}");
    assert!(error.to_string().contains("DATABASE_URL"), "{error}");
}

#[tokio::test]
async fn p30_a_folder_that_cannot_be_written_is_said() {
    let folder = TempDir::new().unwrap();
    put(&folder.path().join("in-the-way"), "");
    // A file where the folder should be: refused to root too.
    let error = Storage::open(&file(&folder.path().join("in-the-way/cortana.db")), OnDamage::PutAside)
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn settings_are_kept_replaced_and_taken_back() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::PutAside).await.unwrap();
        let server = Subject { scope: "server", id: "7".to_owned() };
        let person = Subject { scope: "person", id: "7".to_owned() };
        let set = |value: &str| Setting {
            name: "model",
            value: value.to_owned(),
            set_by: "5".to_owned(),
            set_at: 1_790_000_000_000,
        };
        storage.set(&server, &set("openai/gpt-5")).await.unwrap();
        storage.set(&person, &set("qwen_code")).await.unwrap();
        storage.set(&person, &set("a 'quoted' 日本")).await.unwrap();
        storage.close().await;
        let storage = Storage::open(&place.settings, OnDamage::PutAside).await.unwrap();
        let nobody = Subject { scope: "channel", id: "7".to_owned() };
        let asked = [person.clone(), nobody, server.clone()];
        let found = storage.settings("model", &asked).await.unwrap();
        let wanted = [(person.clone(), "a 'quoted' 日本"), (server.clone(), "openai/gpt-5")];
        assert_eq!(found, wanted.map(|(subject, value)| (subject, value.to_owned())));
        assert_eq!(storage.settings("persona", &asked).await.unwrap(), []);
        assert!(storage.unset(&person, "model").await.unwrap());
        assert!(!storage.unset(&person, "model").await.unwrap(), "it is gone");
        assert_eq!(storage.settings("model", &asked).await.unwrap().len(), 1);
        storage.close().await;
    }
}

#[tokio::test]
async fn personas_are_kept_by_owner_and_name() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::Report).await.unwrap();
        let owner = |id: &str| Subject { scope: "server", id: id.to_owned() };
        let named = |name: &str, body: &str| Named { name: name.to_owned(), body: body.to_owned() };
        for (id, persona) in [("1", named("b", "old")), ("1", named("a", "x")), ("2", named("b", "other"))] {
            storage.keep_persona(&owner(id), &persona, "7", 1).await.unwrap();
        }
        storage.keep_persona(&owner("1"), &named("b", "new"), "7", 2).await.unwrap();
        assert_eq!(storage.personas(&owner("1")).await.unwrap(), [named("a", "x"), named("b", "new")]);
        assert!(storage.drop_persona(&owner("1"), "a").await.unwrap());
        assert!(!storage.drop_persona(&owner("1"), "a").await.unwrap());
        assert_eq!(storage.personas(&owner("1")).await.unwrap(), [named("b", "new")]);
        assert_eq!(storage.personas(&owner("2")).await.unwrap(), [named("b", "other")]);
    }
}

#[tokio::test]
async fn d12_a_beginning_is_forgotten_with_any_message_that_went_into_it() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::Report).await.unwrap();
        let beginning = |newest, summary: &str| Beginning { newest, summary: summary.to_owned() };
        let of = |channel| Stretch { channel, since: 0 };
        let (first, second) = (beginning(3, "one"), beginning(6, "two"));
        storage.keep_beginning(of(9), &first, &[1, 2, 3], None, 10).await.unwrap();
        storage.keep_beginning(of(9), &second, &[4, 5, 6], Some(3), 20).await.unwrap();
        storage.keep_beginning(of(8), &first, &[13, 3], None, 30).await.unwrap();
        assert_eq!(storage.beginnings(of(9), &[3, 5, 6], 0).await.unwrap().len(), 2);
        assert_eq!(storage.beginnings(of(9), &[5], 0).await.unwrap(), []);
        assert_eq!(storage.forget_message(5).await.unwrap(), 1, "the newer one alone");
        assert_eq!(storage.beginnings(of(9), &[3, 6], 0).await.unwrap(), vec![first.clone()]);
        storage.keep_beginning(of(9), &second, &[4, 5, 6], Some(3), 40).await.unwrap();
        assert_eq!(storage.forget_message(2).await.unwrap(), 2, "it went into both");
        assert_eq!(storage.forget_message(2).await.unwrap(), 0);
        assert_eq!(
            storage.beginnings(of(8), &[3], 0).await.unwrap(),
            vec![first.clone()],
            "another channel's"
        );
        storage.forget_beginnings_before(31).await.unwrap();
        assert_eq!(storage.beginnings(of(8), &[3], 0).await.unwrap(), []);
        // A channel keeps its newest.
        let numbers: Vec<u64> = (100..160).collect();
        for (at, newest) in numbers.iter().enumerate() {
            let at = i64::try_from(at).unwrap();
            storage.keep_beginning(of(9), &beginning(*newest, "x"), &[*newest], None, at).await.unwrap();
        }
        assert_eq!(storage.beginnings(of(9), &numbers, 0).await.unwrap().len(), 50);
    }
}

#[tokio::test]
async fn d12_a_beginning_whose_earlier_one_was_forgotten_meanwhile_is_not_kept() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::Report).await.unwrap();
        let beginning = |newest, summary: &str| Beginning { newest, summary: summary.to_owned() };
        let of = Stretch { channel: 9, since: 0 };
        let keep = async |newest, messages: &[u64], earlier| {
            storage.keep_beginning(of, &beginning(newest, "x"), messages, earlier, 10).await.unwrap()
        };
        assert_eq!(keep(3, &[1, 2, 3], None).await, Kept::Whole);
        assert_eq!(storage.forget_message(2).await.unwrap(), 1);
        assert_eq!(keep(6, &[4, 5, 6], Some(3)).await, Kept::Outdated);
        assert_eq!(storage.beginnings(of, &[3, 6], 0).await.unwrap(), []);
        assert!(storage.messages_of(of, 6).await.unwrap().is_empty());
        assert_eq!(keep(6, &[4, 5, 6], None).await, Kept::Whole);
        assert_eq!(keep(8, &[7, 8], Some(6)).await, Kept::Whole);
        let mut messages = storage.messages_of(of, 8).await.unwrap();
        messages.sort_unstable();
        assert_eq!(messages, [4, 5, 6, 7, 8]);
    }
}

#[tokio::test]
async fn beginnings_are_found_by_stretch_and_age() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::Report).await.unwrap();
        let [all, afresh] = [0, 2].map(|since| Stretch { channel: 9, since });
        let [one, two] = ["one", "two"].map(|text| Beginning { newest: 5, summary: text.to_owned() });
        storage.keep_beginning(all, &one, &[1, 5], None, 10).await.unwrap();
        storage.keep_beginning(afresh, &two, &[3, 5], None, 10).await.unwrap();
        assert_eq!(storage.beginnings(all, &[5], 10).await.unwrap(), std::slice::from_ref(&one));
        assert_eq!(storage.beginnings(afresh, &[5], 10).await.unwrap(), std::slice::from_ref(&two));
        assert_eq!(storage.beginnings(Stretch { channel: 9, since: 3 }, &[5], 10).await.unwrap(), []);
        assert_eq!(storage.beginnings(all, &[5], 11).await.unwrap(), [], "too old");
        assert_eq!(storage.forget_message(1).await.unwrap(), 1, "it went into one of them");
        assert_eq!(storage.beginnings(afresh, &[5], 0).await.unwrap(), [two]);
        assert_eq!(storage.forget_message(5).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn d22_of_several_processes_one_adopts_an_answer_that_nobody_holds() {
    for place in places().await {
        let storage = Storage::open(&place.settings, OnDamage::Report).await.unwrap();
        let answer = |exchange: &str, begun_at| InFlight {
            exchange: exchange.to_owned(),
            application: 1,
            channel: 9,
            newest: u64::MAX,
            offer: "9:8:7:w question".to_owned(),
            begun_at,
        };
        for (exchange, writer, begun_at) in [("a", "one", 5), ("b", "two", 4), ("c", "two", 3)] {
            storage.hold(&answer(exchange, begun_at), writer, 100).await.unwrap();
        }
        storage.renew("one", 200).await.unwrap();
        storage.note_newest("b", (10, 12)).await.unwrap();
        storage.release("c").await.unwrap();
        storage.note_newest("c", (10, 12)).await.unwrap();
        assert_eq!(storage.abandoned(2, 999, 10).await.unwrap(), [], "another application's");
        let found = storage.abandoned(1, 100, 10).await.unwrap();
        let left = InFlight { channel: 10, newest: 12, ..answer("b", 4) };
        assert_eq!((found.len(), &found[0].answer), (1, &left), "the one that lives holds its own");
        let takers = join_all((0..8).map(|_| storage.adopt(&found[0], 300)));
        let taken = takers.await.into_iter().map(Result::unwrap);
        assert_eq!(taken.filter(|adopted| *adopted == Adopted::Here).count(), 1);
        storage.renew("two", 999).await.unwrap();
        let again = storage.abandoned(1, 300, 10).await.unwrap();
        assert_eq!(again.iter().map(|found| found.tries).collect::<Vec<_>>(), [1, 0], "{again:?}");
        storage.forget_inflight_before(5).await.unwrap();
        storage.forget_inflight_before(400).await.unwrap();
        assert_eq!(storage.abandoned(1, 900, 10).await.unwrap(), []);
    }
}
