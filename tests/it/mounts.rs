//! Real file systems instead of a shim: full, read-only, mounted file by file, owned by somebody else, behind links.
//!
//! The real binary runs in a mount namespace of its own, against the emulated provider, whose refresh tokens are single-use.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::Path,
    process::{Command, Output},
};

use cortana::sandbox::vendor::{Act, Fault, Kind};

use crate::support::{
    bench::names,
    binary::Home,
    vendors::{Served, until},
};

const QWEN: &str = "qwen_code";
/// A user without rights, as on every Linux.
const NOBODY: u32 = 65_534;

/// An expired login in a home, and its provider.
struct Scene {
    served: Served,
    home: Home,
    /// The access token that the file holds at first.
    old: String,
}

impl Scene {
    async fn new(variables: &[(&str, &str)]) -> Self {
        let served = Served::start().await;
        let login = served.vendors.mint(QWEN, "kim@example.com");
        served.vendors.expire_access(QWEN, "kim@example.com");
        let more = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let home = Home::new(served.variables().into_iter().chain(more).collect());
        let mut file = login.official_file();
        file["expiry_date"] = 1_700_000_000_000_u64.into();
        let path = home.drop_credential("qwen.json", &file);
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::create_dir(home.path().join("data")).unwrap();
        Self { served, home, old: login.access }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.home.path().join(below)
    }

    /// Runs a script in a mount namespace of its own; `cortana` is the binary there.
    async fn inside(&self, script: &str) -> Output {
        let mut command = self.home.command("unshare");
        command.arg(namespace()).args(["sh", "-ec"]);
        command.arg(format!("cortana() {{ {} \"$@\"; }}\n{script}", env!("CARGO_BIN_EXE_cortana")));
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Runs the binary as somebody without rights, by a descriptor: they may not be able to walk to it.
    async fn as_nobody(&self, arguments: &str) -> Output {
        let mut command = self.home.command("sh");
        let nobody = format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups");
        command.args([
            "-ec",
            &format!("exec 9<'{}'; exec {nobody} /proc/self/fd/9 {arguments}", env!("CARGO_BIN_EXE_cortana")),
        ]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    /// Tokens granted so far, and uses of dead ones.
    fn counts(&self) -> (u64, u64) {
        let counts = self.served.vendors.counts_of(QWEN);
        (counts.granted, counts.reused)
    }

    fn token_requests(&self) -> usize {
        self.served.vendors.requests().iter().filter(|request| request.kind == Kind::Token).count()
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path("credentials/qwen.json")).unwrap()
    }
}

/// Moves a file as its owner does.
#[expect(clippy::disallowed_methods, reason = "a test plays the person who owns these files")]
fn move_file(scene: &Scene, from: &str, to: &str) {
    fs::rename(scene.path(from), scene.path(to)).unwrap();
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A mount namespace; for others than root in a user namespace, where they may mount.
fn namespace() -> &'static str {
    if is_root() { "-m" } else { "-Urm" }
}

#[expect(clippy::print_stdout, reason = "a test that skips says so aloud")]
fn may_mount() -> bool {
    let script = "mount -t tmpfs -o size=64k tmpfs /mnt";
    let allowed = Command::new("unshare").args([namespace(), "sh", "-c", script]).output();
    let allowed = allowed.is_ok_and(|output| output.status.success());
    if !allowed {
        println!(
            "SKIPPED: no mount namespaces here (unshare {} and mount); nothing was mounted",
            namespace()
        );
    }
    allowed
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_on_a_full_disk_no_token_is_spent_unless_the_state_folder_may_take_it() {
    if !may_mount() {
        return;
    }
    let full = "cp credentials/qwen.json kept
        mount -t tmpfs -o size=64k tmpfs credentials
        cp kept credentials/qwen.json; chmod 600 credentials/qwen.json
        dd if=/dev/zero of=credentials/fill bs=1k 2>/dev/null || true
        cortana token qwen_code || echo failed
        cmp kept credentials/qwen.json && ls -A credentials";
    let scene = Scene::new(&[]).await;
    let output = scene.inside(full).await;
    let (said, left) = (text(&output.stderr), text(&output.stdout));
    assert!(left.starts_with("failed"), "{left} {said}");
    assert!(said.contains("no space left on device") && said.contains("ALLOW_STATE_WRITEBACK=1"), "{said}");
    assert!(!left.contains(".new"), "the probe is gone: {left}");
    assert_eq!(scene.token_requests(), 0);

    let allowed = Scene::new(&[("ALLOW_STATE_WRITEBACK", "1")]).await;
    let output = allowed.inside(&format!("{full}; cortana token qwen_code")).await;
    let printed: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(printed.first(), printed.last(), "the next process finds it in the state folder");
    assert_ne!(printed.first(), Some(&allowed.old));
    assert_eq!(allowed.counts(), (1, 0));
}

/// The disk fills up between the proof and the save: while the provider is thinking.
#[tokio::test(flavor = "multi_thread")]
async fn p14_a_disk_that_fills_up_during_the_exchange_costs_no_token() {
    if !may_mount() {
        return;
    }
    let scene = Scene::new(&[]).await;
    scene.served.vendors.fault(QWEN, Fault::token(Act::DelayReply { millis: 1500 }));
    let script = "cp credentials/qwen.json kept
        mount -t tmpfs -o size=64k tmpfs credentials
        cp kept credentials/qwen.json; chmod 600 credentials/qwen.json
        cortana token qwen_code & pid=$!
        while [ ! -e asked ]; do sleep 0.02; done
        dd if=/dev/zero of=credentials/fill bs=1k 2>/dev/null || true
        wait $pid
        cmp kept credentials/qwen.json; ls data/tokens
        cortana token qwen_code
        rm credentials/fill
        cortana token qwen_code
        cat credentials/qwen.json; echo; ls data/tokens";
    let asked = scene.path("asked");
    let (output, ()) = tokio::join!(scene.inside(script), async {
        until(|| scene.token_requests() > 0).await;
        crate::support::bench::write(&asked, "");
    });
    let (said, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said} {told}");
    let lines: Vec<&str> = said.lines().collect();
    let [first, journal, while_full, with_room, file, rest @ ..] = lines.as_slice() else {
        panic!("{said} {told}")
    };
    assert_ne!(*first, scene.old);
    assert!(journal.ends_with(".journal"), "{said}");
    assert_eq!((while_full, with_room), (first, first), "used from the journal, then replayed");
    assert!(file.contains(first), "the file holds it by now: {file}");
    assert!(!rest.iter().any(|name| name.ends_with(".journal")), "{rest:?}");
    assert_eq!(scene.counts(), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn p13_on_a_read_only_mount_no_token_is_spent_unless_the_state_folder_may_take_it() {
    if !may_mount() {
        return;
    }
    let read_only = "mount --bind credentials credentials; mount -o remount,bind,ro credentials";
    let scene = Scene::new(&[]).await;
    let before = scene.file();
    let output = scene.inside(&format!("{read_only}; cortana token qwen_code")).await;
    let said = text(&output.stderr);
    assert!(!output.status.success() && said.contains("read-only file system"), "{said}");
    assert!(said.contains("ALLOW_STATE_WRITEBACK=1"), "{said}");
    assert_eq!((scene.token_requests(), scene.file()), (0, before.clone()));

    let allowed = Scene::new(&[("ALLOW_STATE_WRITEBACK", "1")]).await;
    let before = allowed.file();
    // Two at once: nothing can be put beside the file, so they lock the file itself.
    let twice = format!(
        "{read_only}; cortana token qwen_code & cortana token qwen_code; wait; cortana token qwen_code"
    );
    let output = allowed.inside(&twice).await;
    let said = text(&output.stdout);
    let printed: Vec<&str> = said.lines().collect();
    assert!(output.status.success() && printed.len() == 3, "{output:?}");
    assert!(printed.iter().all(|token| *token == printed[0] && *token != allowed.old), "{printed:?}");
    assert_eq!((allowed.counts(), allowed.file()), ((1, 0), before), "the mount is as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn p17_a_single_file_that_is_mounted_is_written_where_it_stands() {
    if !may_mount() {
        return;
    }
    let scene = Scene::new(&[]).await;
    move_file(&scene, "credentials/qwen.json", "of-the-host.json");
    let host = scene.path("of-the-host.json");
    let inode = fs::metadata(&host).unwrap().ino();
    let output = scene
        .inside(
            "touch credentials/qwen.json; mount --bind of-the-host.json credentials/qwen.json
             mv of-the-host.json credentials/qwen.json 2>/dev/null && echo 'no mount point'
             cortana token qwen_code & cortana token qwen_code; wait; cortana token qwen_code",
        )
        .await;
    let said = text(&output.stdout);
    let printed: Vec<&str> = said.lines().collect();
    assert!(output.status.success() && printed.len() == 3, "{output:?}");
    assert!(printed.iter().all(|token| *token == printed[0] && *token != scene.old), "{printed:?}");
    assert_eq!(scene.counts(), (1, 0), "two at once, one request");
    let written = fs::read_to_string(&host).unwrap();
    assert!(written.contains(printed[0]), "the host's file holds the new token");
    assert_eq!(fs::metadata(&host).unwrap().ino(), inode);
    assert!(
        !names(&scene.path("data/tokens")).iter().any(|name| name.ends_with(".journal")),
        "nothing is left over"
    );
}

/// Owned by nobody, in a folder of root's: it may be rewritten, but nothing can be put beside it.
#[tokio::test(flavor = "multi_thread")]
async fn p13_p17_in_a_folder_without_rights_a_file_is_written_where_it_stands_or_nothing_is_asked() {
    if !is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        println!("SKIPPED: only root can become somebody without rights, by setpriv");
        return;
    }
    let owned = |scene: &Scene, below: &str| chown(scene.path(below), Some(NOBODY), Some(NOBODY)).unwrap();
    let scene = Scene::new(&[]).await;
    fs::set_permissions(scene.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    owned(&scene, "credentials/qwen.json");
    let before = scene.file();
    let output = scene.as_nobody("token qwen_code").await;
    assert!(!output.status.success());
    assert_eq!(
        (scene.token_requests(), scene.file()),
        (0, before),
        "no journal could be kept: nothing was asked"
    );

    owned(&scene, "data");
    let inode = fs::metadata(scene.path("credentials/qwen.json")).unwrap().ino();
    // The first try failed for want of a place, which is told to nobody else: there was no place for that either.
    let output = scene.as_nobody("token qwen_code").await;
    let printed = text(&output.stdout);
    assert!(output.status.success() && printed != scene.old, "{output:?}");
    assert!(scene.file().contains(&printed));
    assert_eq!(fs::metadata(scene.path("credentials/qwen.json")).unwrap().ino(), inode);
    assert_eq!(names(&scene.path("credentials")), ["qwen.json"]);
    assert!(!scene.path("credentials/qwen.json.lock").exists());
    let again = scene.as_nobody("token qwen_code").await;
    assert_eq!((text(&again.stdout), scene.counts()), (printed, (1, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn p17_links_through_folders_stay_links() {
    let scene = Scene::new(&[]).await;
    fs::create_dir(scene.path("of-the-tool")).unwrap();
    move_file(&scene, "credentials/qwen.json", "of-the-tool/oauth_creds.json");
    // A folder that is a link, in it a link to the file.
    symlink("of-the-tool", scene.path("tool")).unwrap();
    symlink("../tool/oauth_creds.json", scene.path("credentials/qwen.json")).unwrap();
    let run = async || {
        let mut command = scene.home.command(env!("CARGO_BIN_EXE_cortana"));
        command.args(["token", QWEN]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let printed = text(&run().await.stdout);
    assert!(!printed.is_empty() && printed != scene.old);
    let link = |below: &str| fs::read_link(scene.path(below)).unwrap();
    assert_eq!(link("credentials/qwen.json"), Path::new("../tool/oauth_creds.json"));
    assert_eq!(link("tool"), Path::new("of-the-tool"));
    assert!(fs::read_to_string(scene.path("of-the-tool/oauth_creds.json")).unwrap().contains(&printed));
    assert!(scene.path("of-the-tool/oauth_creds.json.lock").exists(), "the lock belongs to the target");
    assert_eq!((text(&run().await.stdout), scene.counts()), (printed, (1, 0)));
}
