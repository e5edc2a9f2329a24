//! `cortana hf` and the search in `/settings models`, against an emulated hub and its store over real sockets.

use std::process::Output;

use crate::support::binary::Home;

fn run(home: &Home, arguments: &[&str]) -> Output {
    home.command(env!("CARGO_BIN_EXE_cortana")).args(arguments).output().expect("the binary runs")
}

/// The exit code, standard output, standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
#[cfg(not(feature = "hub"))]
fn a_build_without_the_hub_says_how_to_get_one() {
    let home = Home::new(Vec::new());
    let (code, _, err) = said(&run(&home, &["hf", "search", "tiny"]));
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--features hub"), "{err}");
}

#[cfg(feature = "hub")]
mod with_hub {
    use std::{fs, path::PathBuf, process::Stdio, time::Duration};

    use cortana::shutdown::Shutdown;
    use rustix::process::{Pid, Signal, kill_process};
    use serde_json::Value;

    use super::{Home, Output, run, said};
    use crate::support::{
        bot::World,
        hub::{COMMIT, EmulatedHub, FILE, Fault, REPO, SIZE, TOKEN, content, sha256},
    };

    /// An emulated hub, and a home whose commands ask it.
    struct Desk {
        hub: EmulatedHub,
        home: Home,
        life: Shutdown,
    }

    impl Desk {
        async fn new() -> Self {
            Self::with(&[]).await
        }

        async fn with(variables: &[(&str, &str)]) -> Self {
            let life = Shutdown::new();
            let hub = EmulatedHub::serve(&life).await;
            let mut all = vec![("HF_ENDPOINT".to_owned(), hub.endpoint.clone())];
            all.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            Self { hub, home: Home::new(all), life }
        }

        fn run(&self, arguments: &[&str]) -> Output {
            run(&self.home, arguments)
        }

        fn pull(&self, repo: &str, file: &str) -> (Option<i32>, String, String) {
            said(&self.run(&["hf", "pull", repo, file, "--to", "models"]))
        }

        /// Pulls the usual file; the JSON that came of it.
        fn pulled(&self) -> Value {
            let output = self.run(&["hf", "pull", REPO, FILE, "--to", "models", "--json"]);
            let (code, out, err) = said(&output);
            assert_eq!(code, Some(0), "{out}{err}");
            serde_json::from_str(&out).expect("JSON")
        }

        fn folder(&self) -> PathBuf {
            self.home.path().join("models")
        }

        /// The names in the folder.
        fn there(&self) -> Vec<String> {
            let Ok(entries) = fs::read_dir(self.folder()) else { return Vec::new() };
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
        }

        fn is_whole(&self) {
            assert!(fs::read(self.folder().join(FILE)).expect("the file") == content(), "byte for byte");
            assert_eq!(self.there(), [FILE], "nothing else is left");
        }

        /// Puts a file there, as something else would have.
        fn put(&self, name: &str, bytes: &[u8]) {
            fs::create_dir_all(self.folder()).expect("a folder");
            #[expect(clippy::disallowed_methods, reason = "the test plays an earlier program")]
            fs::write(self.folder().join(name), bytes).expect("a file");
        }
    }

    impl Drop for Desk {
        fn drop(&mut self) {
            self.life.begin();
        }
    }

    /// The name under which the usual file arrives.
    fn partial() -> String {
        let short: String = sha256(&content()).chars().take(12).collect();
        format!(".{FILE}.{short}.partial")
    }

    fn size() -> u64 {
        u64::try_from(SIZE).expect("small")
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_search_shows_files_sizes_memory_and_what_is_gated() {
        let desk = Desk::new().await;
        let (code, table, err) = said(&desk.run(&["hf", "search", "TINY"]));
        assert_eq!(code, Some(0), "{err}");
        let line = |of: &str| table.lines().find(|line| line.contains(of)).unwrap_or_default().to_owned();
        assert!(line(REPO).contains("12345") && line(REPO).contains("67"), "{table}");
        let large = line("tiny-Q8_0.gguf");
        assert!(large.contains("2.0 GiB") && large.contains("2.9 GiB"), "size and memory: {table}");
        let split = line("BF16-00001-of-00002.gguf");
        assert!(split.contains("4.0 GiB") && split.contains("5.3 GiB"), "both parts: {table}");
        assert!(line("tiny-llama-GGUF").contains("(gated)"), "{table}");
        assert!(table.contains(&format!("{}/gated/tiny-llama-GGUF", desk.hub.endpoint)), "where: {table}");
        assert!(!table.contains("README") && !table.contains("secret"), "{table}");
        let (_, json, _) = said(&desk.run(&["hf", "search", "tiny", "--json", "--limit", "1"]));
        let models: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(models.as_array().map(Vec::len), Some(1), "{models}");
        assert_eq!(models[0]["files"][0]["bytes"], size(), "{models}");
        let (code, none, _) = said(&desk.run(&["hf", "search", "nothing-like-it"]));
        assert_eq!(code, Some(0));
        assert!(none.contains("No model"), "{none}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn private_models_are_found_with_a_token_alone_and_the_token_stays_with_the_hub() {
        let desk = Desk::with(&[("HF_TOKEN", TOKEN)]).await;
        let (_, table, _) = said(&desk.run(&["hf", "search", "tiny"]));
        assert!(table.contains("ann/tiny-secret-GGUF (private)"), "{table}");
        desk.pulled();
        desk.is_whole();
        assert!(desk.hub.at_hub().iter().all(|asked| asked.bearer.as_deref() == Some(TOKEN)));
        assert!(desk.hub.at_store().iter().all(|asked| asked.bearer.is_none()), "the store is another host");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn without_a_token_of_ours_none_is_sent() {
        // Where the crate would look by itself.
        let desk = Desk::with(&[("HF_TOKEN_PATH", "token"), ("HF_HOME", ".")]).await;
        #[expect(clippy::disallowed_methods, reason = "another program's login")]
        fs::write(desk.home.path().join("token"), "hf_FAKEcanary").expect("a file");
        desk.pulled();
        let (code, ..) = said(&desk.run(&["hf", "search", "tiny"]));
        assert_eq!(code, Some(0));
        let asked = desk.hub.at_hub();
        assert!(asked.len() > 3 && asked.iter().all(|asked| asked.bearer.is_none()), "{asked:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_is_fetched_once_and_checked() {
        let desk = Desk::new().await;
        let pulled = desk.pulled();
        assert_eq!(pulled["sha256"], sha256(&content()));
        assert_eq!((&pulled["revision"], &pulled["bytes"]), (&Value::from(COMMIT), &Value::from(size())));
        assert_eq!(pulled["fetched_bytes"], size());
        desk.is_whole();
        let again = desk.pulled();
        assert_eq!(again["fetched_bytes"], 0);
        assert_eq!(desk.hub.at_store().len(), 1, "what is there is compared, not fetched");
        let (code, _, err) = desk.pull("old/tiny-GGUF", FILE);
        assert_eq!(code, Some(0), "under its old name: {err}");
        let (code, out, err) = desk.pull(REPO, "README.md");
        assert_eq!(code, Some(0), "{err}");
        assert!(out.contains("the hub names no SHA-256"), "{out}");
        assert_eq!(fs::read_to_string(desk.folder().join("README.md")).expect("the file"), "# tiny\n");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_connection_that_breaks_is_taken_up_where_it_broke() {
        let desk = Desk::new().await;
        // More faults in a row than the crate asks again by itself.
        let mut faults = vec![Fault::Unavailable; 6];
        faults[0] = Fault::CutAfter(SIZE / 3);
        faults[5] = Fault::CutAfter(SIZE / 3);
        desk.hub.break_store(faults);
        let (code, out, err) = desk.pull(REPO, FILE);
        assert_eq!(code, Some(0), "{out}{err}");
        desk.is_whole();
        assert!(err.contains("Another attempt: the hub cannot be reached"), "{err}");
        let asked = desk.hub.at_store();
        let ranges: Vec<_> = asked.iter().map(|asked| asked.range.clone()).collect();
        assert_eq!(ranges.len(), 7, "{ranges:?}");
        assert_eq!(ranges[0], None);
        assert!(ranges[1..].iter().all(Option::is_some), "{ranges:?}");
        assert!(!err.contains("Signature"), "a signed address: {err}");
        assert!(desk.hub.sent() <= 2 * SIZE, "what arrived is not sent again: {} of {SIZE}", desk.hub.sent());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn ctrl_c_leaves_what_the_next_call_goes_on_with() {
        let desk = Desk::new().await;
        desk.hub.break_store([Fault::StallAfter(SIZE / 2)]);
        let mut command = desk.home.command(env!("CARGO_BIN_EXE_cortana"));
        command.args(["hf", "pull", REPO, FILE, "--to", "models"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let path = desk.folder().join(partial());
        let arrived = async {
            while fs::metadata(&path).map_or(0, |file| file.len()) < size() / 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), arrived).await.expect("half of it arrives");
        let meanwhile = desk.pull(REPO, FILE);
        assert_eq!(meanwhile.0, Some(1), "{meanwhile:?}");
        assert!(meanwhile.2.contains("another process is fetching"), "{meanwhile:?}");
        kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
        let (code, _, err) = said(&child.wait_with_output().expect("an end"));
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("interrupted by SIGINT; what came is kept"), "{err}");
        assert_eq!(desk.there(), [partial()], "half a file has no name");
        let pulled = desk.pulled();
        assert_eq!(pulled["fetched_bytes"], size() - size() / 2, "only the rest");
        desk.is_whole();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_follows_the_hub_to_an_address_without_tls() {
        let desk = Desk::new().await;
        desk.hub.lead_astray("http://store.invalid");
        let (code, _, err) = desk.pull(REPO, FILE);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("it sends us to an address that is not https"), "{err}");
        assert_eq!(desk.there(), Vec::<String>::new());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn wrong_bytes_get_no_name() {
        let desk = Desk::new().await;
        desk.hub.break_store([Fault::OtherBytes]);
        let (code, _, err) = desk.pull(REPO, FILE);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("does not have the SHA-256 that the hub names"), "{err}");
        assert_eq!(desk.there(), Vec::<String>::new());
        assert_eq!(desk.hub.at_store().len(), 1, "from one answer it is not asked for again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn pieces_that_do_not_fit_are_fetched_anew_once() {
        for fault in [None, Some(Fault::WholeFile)] {
            let desk = Desk::new().await;
            // Of another program, or a disk that lost something: wrong bytes. With a store without ranges: right ones.
            let left = if fault.is_none() { vec![7; SIZE / 2] } else { content()[..SIZE / 2].to_vec() };
            desk.put(&partial(), &left);
            desk.hub.break_store(fault);
            let (code, out, err) = desk.pull(REPO, FILE);
            assert_eq!(code, Some(0), "{fault:?}: {out}{err}");
            assert!(err.contains("the pieces do not fit together"), "{fault:?}: {err}");
            desk.is_whole();
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_has_the_name_already_is_never_overwritten() {
        let desk = Desk::new().await;
        for other in [vec![1; 10], vec![1; SIZE]] {
            desk.put(FILE, &other);
            let (code, _, err) = desk.pull(REPO, FILE);
            assert_eq!(code, Some(1), "{err}");
            assert!(err.contains("is there already, with other content"), "{err}");
            assert!(fs::read(desk.folder().join(FILE)).expect("the file") == other, "untouched");
        }
        assert_eq!(desk.hub.at_store().len(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_larger_than_the_disk_is_not_begun() {
        let desk = Desk::new().await;
        let (code, _, err) = desk.pull(REPO, "boundless.gguf");
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("1048576.0 TiB are needed in models, and there is room for"), "{err}");
        assert_eq!(desk.there(), Vec::<String>::new());
        assert_eq!(desk.hub.at_store().len(), 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn every_refusal_has_its_own_sentence() {
        let open = Desk::new().await;
        let known = Desk::with(&[("HF_TOKEN", TOKEN)]).await;
        let wrong = Desk::with(&[("HF_TOKEN", "hf_FAKEwrong")]).await;
        let gated = "gated/tiny-llama-GGUF";
        let page = format!("open {}/{gated}", open.hub.endpoint);
        let cases = [
            (&open, gated, "llama.gguf", 1, &[page.as_str(), "set HF_TOKEN to a token of that account"][..]),
            (&known, gated, "llama.gguf", 1, &["The account of HF_TOKEN may not fetch it yet"]),
            (&open, "ann/tiny-secret-GGUF", "secret.gguf", 1, &["no model", "or it is private; to fetch"]),
            (&known, "ann/nothing", "a.gguf", 1, &["or it is private and the account of HF_TOKEN may not"]),
            (&wrong, REPO, FILE, 1, &["the hub refuses HF_TOKEN"]),
            (
                &open,
                REPO,
                "tiny-Q4_K_S.gguf",
                1,
                &["has no file `tiny-Q4_K_S.gguf`. Did you mean `tiny-Q4_K_M.gguf`?"],
            ),
            (&open, REPO, "bf16", 1, &["Did you mean `BF16/tiny-BF16-00001-of-00002.gguf` or"]),
            (&open, "tiny", FILE, 2, &["`tiny` is no model's name; expected OWNER/MODEL"]),
            (&open, "../tiny", FILE, 2, &["is no model's name"]),
        ];
        for (desk, repo, file, code, words) in cases {
            let (ended, out, err) = desk.pull(repo, file);
            assert_eq!(ended, Some(code), "{repo} {file}: {out}{err}");
            for word in words {
                assert!(err.contains(word), "{repo} {file}: {err}");
            }
            assert!(!format!("{out}{err}").contains("hf_FAKE"), "the token: {err}");
        }
        assert_eq!(open.there(), Vec::<String>::new());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_hub_with_a_fault_is_asked_again_and_one_that_stays_so_is_said() {
        let desk = Desk::new().await;
        desk.hub.break_hub(2);
        desk.pulled();
        desk.hub.break_hub(usize::MAX);
        let (code, _, err) = desk.pull(REPO, FILE);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("the hub answers with 500; try again later"), "{err}");
        let gone = Home::new(vec![("HF_ENDPOINT".to_owned(), "http://127.0.0.1:1".to_owned())]);
        let (code, _, err) = said(&run(&gone, &["hf", "search", "tiny"]));
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains("the hub cannot be reached (could not connect)"), "{err}");
    }

    #[tokio::test]
    async fn operators_search_the_hub_in_discord_and_others_do_not() {
        let life = Shutdown::new();
        let hub = EmulatedHub::serve(&life).await;
        let world = World::new().await.with("HF_ENDPOINT", &hub.endpoint).with("HF_TOKEN", TOKEN);
        let bot = world.with("ALLOWED_GUILD_IDS", "*").connect().await;
        let marks = bot.sandbox().discord().landmarks();
        let answers = bot.slash("/settings models hub:tiny").await;
        assert!(answers[0].is_ephemeral(), "private models are shown to the operator alone");
        let text = answers[0].text();
        assert!(text.contains(REPO) && text.contains("12345 downloads"), "{text}");
        assert!(text.contains("🔒 gated") && text.contains("ann/tiny-secret-GGUF"), "{text}");
        assert!(text.contains("cortana hf pull"), "{text}");
        let asked = hub.at_hub().len();
        let interaction =
            bot.sandbox().slash(marks.guest, marks.channel, "/settings models hub:tiny").expect("a command");
        let refused = bot.settled(interaction).await[0].text();
        assert!(refused.contains("my operators") && !refused.contains("tiny"), "{refused}");
        assert_eq!(hub.at_hub().len(), asked, "nothing was asked on a guest's behalf");
        hub.break_hub(usize::MAX);
        let sorry = bot.slash("/settings models hub:tiny").await[0].text();
        assert!(sorry.starts_with("❌ The hub"), "{sorry}");
        life.begin();
    }
}
