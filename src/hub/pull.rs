//! Fetching a file: goes on where an earlier attempt broke off, checks the SHA-256, and gives the name at the end.

use std::{io::Read as _, path::PathBuf, time::Duration};

use futures::StreamExt as _;
use reqwest::{Method, Response, header::HeaderMap};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{Hub, HubError, SILENCE, bytes_in_words, error::Said, plain};
use crate::{
    config::nearest,
    fs::{self, Disk, Partial},
    http::HttpError,
};

/// How often in a row a connection may break without a byte having come, before that is said.
const ATTEMPTS: u32 = 5;

/// How often a question is asked that meets a fault of the hub.
const QUESTIONS: u32 = 3;

/// How long after the first of them the next one begins; longer each time.
const PAUSE: Duration = Duration::from_millis(500);

/// Bytes that are read and hashed before others get a turn.
const READ: usize = 4 * 1024 * 1024;

/// Names that are suggested, at most.
const SUGGESTIONS: usize = 3;

/// Moves of a repository that are followed, from its old name to the new one.
const MOVES: usize = 3;

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// `owner/model`.
    pub repo: String,
    /// The file's path in it.
    pub file: String,
    /// Where it goes; made when missing.
    pub folder: PathBuf,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// `owner/model`.
    pub repo: String,
    /// The file's path in it.
    pub file: String,
    /// The commit that it is of.
    pub revision: String,
    /// Where it is now.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, which is the one that the hub names; `None` for a small file outside LFS, of which the hub names none and
    /// only the size was checked.
    pub sha256: Option<String>,
    /// Bytes that this call fetched; what an earlier one had fetched already is not among them.
    pub fetched_bytes: u64,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What is there already is read, to check it: so many bytes of so many.
    Checking {
        /// Read so far.
        done: u64,
        /// To be read.
        total: u64,
    },
    /// So many bytes of so many are there.
    Fetching {
        /// There.
        done: u64,
        /// The file's size.
        total: u64,
    },
    /// The connection broke, or what came was wrong; another attempt follows.
    Again {
        /// Why.
        problem: String,
    },
}

/// What the hub says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct About {
    revision: String,
    bytes: u64,
    etag: String,
    sha256: Option<String>,
}

/// A file on its way.
struct Transfer<'a> {
    wanted: &'a Wanted,
    about: About,
    partial: Partial,
    path: PathBuf,
    hash: Sha256,
    fetched: u64,
    begun: Begun,
}

/// Where the bytes of the partial file come from, which decides what a wrong checksum means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// From one answer, from its first byte.
    AtOnce,
    /// From several: one of them may not have been what was asked for.
    InPieces,
}

impl Hub {
    /// Fetches a file into a folder and tells how far it is. Dropping the future leaves what the next call goes on with.
    pub async fn pull(&self, wanted: &Wanted, mut tell: impl FnMut(Progress)) -> Result<Pulled, HubError> {
        let about = match self.about(wanted).await {
            Ok(about) => about,
            Err(HubError::UnknownFile { repo, file, .. }) => {
                let near = near(&file, self.files(&repo).await?.into_iter().map(|(path, _)| path));
                return Err(HubError::UnknownFile { repo, file: plain(&file), near });
            }
            Err(other) => return Err(other),
        };
        // The last part of the path alone: a repository decides on no folders here.
        let name = wanted.file.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || name == ".." {
            return Err(HubError::UnknownFile {
                repo: wanted.repo.clone(),
                file: plain(&wanted.file),
                near: Vec::new(),
            });
        }
        let target = wanted.folder.join(name);
        let pulled = |fetched_bytes| Pulled {
            repo: wanted.repo.clone(),
            file: wanted.file.clone(),
            revision: about.revision.clone(),
            path: target.clone(),
            bytes: about.bytes,
            sha256: about.sha256.clone(),
            fetched_bytes,
        };
        if target.exists() {
            self.compare(&target, &about, &mut tell).await?;
            return Ok(pulled(0));
        }
        // A file that changes on the hub gets another partial file, so that two versions never meet in one.
        let short: String = about.etag.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        let path = wanted.folder.join(format!(".{name}.{short}.partial"));
        let room = fs::room(&wanted.folder).map_err(|error| HubError::disk(&wanted.folder, &error))?;
        let opened = Partial::open(&Disk::default(), &path);
        let mut partial = opened.map_err(|error| HubError::partial(name, &path, &error))?;
        if partial.written() > about.bytes {
            partial.clear().map_err(|error| HubError::disk(&path, &error))?;
        }
        let needed = about.bytes - partial.written();
        if needed > room {
            let nothing = partial.written() == 0;
            if nothing {
                partial.discard().map_err(|error| HubError::disk(&path, &error))?;
            }
            return Err(HubError::NoRoom { needed, room, folder: wanted.folder.display().to_string() });
        }
        let begun = if partial.written() > 0 { Begun::InPieces } else { Begun::AtOnce };
        let hash = Sha256::new();
        let about = about.clone();
        let mut transfer = Transfer { wanted, about, partial, path, hash, fetched: 0, begun };
        transfer.take_up(&mut tell).await?;
        if let Err(error) = transfer.complete(self, &mut tell).await {
            if transfer.partial.written() == 0 {
                // Nothing to go on with; the error says more than one about an empty file.
                drop(transfer.partial.discard());
            }
            return Err(error);
        }
        let fetched = transfer.fetched;
        transfer.partial.finish(&target).map_err(|error| HubError::disk(&target, &error))?;
        Ok(pulled(fetched))
    }

    /// Asks for a file's size, commit and checksum.
    ///
    /// By a request of ours: the crate follows redirects also here, and the store of the bytes knows none of the three.
    async fn about(&self, wanted: &Wanted) -> Result<About, HubError> {
        let repository = self.repository(&wanted.repo)?;
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let parts = [repository.owner(), repository.name(), "resolve", "main"];
            path.pop_if_empty().extend(parts).extend(wanted.file.split('/'));
        }
        for _ in 0..=MOVES {
            let response = self.patient_head(&url).await?;
            let status = response.status();
            if status.is_success() || status.is_redirection() {
                if let Some(about) = About::read(response.headers()) {
                    return Ok(about);
                }
                let moved = response.headers().get("location").and_then(|to| to.to_str().ok());
                // A repository that got another name; the token goes to the same host alone.
                let moved = moved.and_then(|to| url.join(to).ok());
                match moved.filter(|to| to.origin() == url.origin()) {
                    Some(to) => url = to,
                    None => return Err(malformed("no size, commit or checksum of the file")),
                }
                continue;
            }
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            let (code, message) = (text("x-error-code"), text("x-error-message"));
            if code == Some("EntryNotFound") {
                let (repo, file) = (wanted.repo.clone(), wanted.file.clone());
                return Err(HubError::UnknownFile { repo, file, near: Vec::new() });
            }
            let after_secs = text("retry-after").and_then(|secs| secs.parse().ok());
            let said = Said { status: status.as_u16(), code, message, after_secs };
            return Err(HubError::from_answer(said, &self.asking(&wanted.repo)));
        }
        Err(malformed("the repository moved again and again"))
    }

    /// Asks again where a fault may pass.
    async fn patient_head(&self, url: &Url) -> Result<Response, HubError> {
        let mut attempt = 0;
        loop {
            let asked = self.head(url).await;
            let has_fault = asked.as_ref().map_or(true, |response| response.status().is_server_error());
            attempt += 1;
            if !has_fault || attempt == QUESTIONS {
                return asked;
            }
            tokio::time::sleep(PAUSE * attempt).await;
        }
    }

    async fn head(&self, url: &Url) -> Result<Response, HubError> {
        let unreachable = |error: HttpError| HubError::unreachable(&error);
        let mut request = self.http.request(Method::HEAD, url).map_err(unreachable)?.timeout(SILENCE);
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token.expose());
        }
        request.send().await.map_err(|error| unreachable(error.into()))
    }

    /// Whether a file that is there already is the one that was asked for.
    async fn compare(
        &self,
        target: &std::path::Path,
        about: &About,
        tell: &mut impl FnMut(Progress),
    ) -> Result<(), HubError> {
        let broken = |error| HubError::disk(target, &error);
        let other = HubError::OtherContent { path: target.display().to_string() };
        let file = std::fs::File::open(target).map_err(broken)?;
        let metadata = file.metadata().map_err(broken)?;
        if !metadata.is_file() || metadata.len() != about.bytes {
            return Err(other);
        }
        let mut hash = Sha256::new();
        read_all(file, about.bytes, &mut hash, tell).await.map_err(broken)?;
        if about.sha256.as_ref().is_some_and(|expected| *expected != hex(hash)) {
            return Err(other);
        }
        Ok(())
    }
}

impl About {
    /// From the headers of an answer for the file; `None` where it speaks of something else.
    fn read(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let etag = text("x-linked-etag").or_else(|| text("etag"))?;
        let etag = etag.trim_start_matches("W/").trim_matches('"').to_owned();
        let bytes = text("x-linked-size").or_else(|| text("content-length"))?.parse().ok()?;
        // The ETag of a file in LFS is its SHA-256; that of another one is the id of its git object.
        let is_sha256 = etag.len() == 64 && etag.chars().all(|c| c.is_ascii_hexdigit());
        let sha256 = is_sha256.then(|| etag.to_ascii_lowercase());
        Some(Self { revision: text("x-repo-commit")?.to_owned(), bytes, etag, sha256 })
    }
}

impl Transfer<'_> {
    /// Takes into the checksum what an earlier attempt left.
    async fn take_up(&mut self, tell: &mut impl FnMut(Progress)) -> Result<(), HubError> {
        let there = self.partial.written();
        if there == 0 {
            return Ok(());
        }
        let read = async {
            let file = self.partial.content()?;
            read_all(file, there, &mut self.hash, tell).await
        };
        read.await.map_err(|error| HubError::disk(&self.path, &error))
    }

    /// Fetches what is missing, until the checksum is right. A file in pieces whose checksum is wrong is fetched once more
    /// from its beginning; after that, what the hub sends is wrong.
    async fn complete(&mut self, hub: &Hub, tell: &mut impl FnMut(Progress)) -> Result<(), HubError> {
        let mut again = Begun::InPieces;
        loop {
            self.fetch(hub, tell).await?;
            let is_whole = self.partial.written() == self.about.bytes;
            let found = hex(self.hash.clone());
            if is_whole && self.about.sha256.as_ref().is_none_or(|expected| *expected == found) {
                return Ok(());
            }
            self.begin_anew()?;
            if [self.begun, again].contains(&Begun::AtOnce) {
                return Err(HubError::WrongContent { file: plain(&self.wanted.file) });
            }
            (self.begun, again) = (Begun::AtOnce, Begun::AtOnce);
            tell(Progress::Again { problem: "the pieces do not fit together".to_owned() });
        }
    }

    fn begin_anew(&mut self) -> Result<(), HubError> {
        self.hash = Sha256::new();
        self.partial.clear().map_err(|error| HubError::disk(&self.path, &error))
    }

    /// Fetches until all is there, over as many connections as it takes; also returns when too much came.
    async fn fetch(&mut self, hub: &Hub, tell: &mut impl FnMut(Progress)) -> Result<(), HubError> {
        let mut in_vain = 0;
        while self.partial.written() < self.about.bytes {
            let before = self.partial.written();
            let ended = self.connection(hub, tell).await;
            in_vain = if self.partial.written() > before { 0 } else { in_vain + 1 };
            match ended {
                Ok(()) if self.partial.written() == self.about.bytes => return Ok(()),
                // More than there is, so not what was asked for; the caller begins anew.
                Ok(()) if self.partial.written() > self.about.bytes => return Ok(()),
                Err(error) if !error.is_passing() || in_vain >= ATTEMPTS => return Err(error),
                Ok(()) if in_vain >= ATTEMPTS => {
                    return Err(HubError::Unreachable { problem: "it sends nothing".to_owned() });
                }
                Ok(()) => tell(Progress::Again { problem: "the connection ended early".to_owned() }),
                Err(error) => tell(Progress::Again { problem: error.to_string() }),
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(in_vain)).await;
        }
        Ok(())
    }

    /// One connection: from the first byte that is missing until it ends.
    async fn connection(&mut self, hub: &Hub, tell: &mut impl FnMut(Progress)) -> Result<(), HubError> {
        let About { bytes: total, revision, .. } = self.about.clone();
        let from = self.partial.written();
        let range = (from > 0).then_some(from..total);
        if range.is_some() {
            self.begun = Begun::InPieces;
        }
        let asking = hub.asking(&self.wanted.repo);
        let fail = |error| HubError::from_client(error, &asking);
        let repository = hub.repository(&self.wanted.repo)?;
        let asked = repository
            .download_file_stream()
            .filename(self.wanted.file.as_str())
            .revision(revision)
            .maybe_range(range)
            .send();
        let (_, mut stream) = asked.await.map_err(fail)?;
        tell(Progress::Fetching { done: from, total });
        // The bytes may come over a protocol of the crate's own, whose silence only this ends.
        while let Some(piece) = tokio::time::timeout(SILENCE * 2, stream.next())
            .await
            .map_err(|_| HubError::Unreachable { problem: "it fell silent".to_owned() })?
        {
            let piece = piece.map_err(|error| HubError::from_stream(error, &asking))?;
            self.partial.append(&piece).map_err(|error| HubError::disk(&self.path, &error))?;
            self.hash.update(&piece);
            self.fetched += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            tell(Progress::Fetching { done: self.partial.written(), total });
            if self.partial.written() > total {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Reads a file into a checksum; others get a turn in between, an interruption among them.
async fn read_all(
    mut file: std::fs::File,
    total: u64,
    hash: &mut Sha256,
    tell: &mut impl FnMut(Progress),
) -> std::io::Result<()> {
    let mut buffer = vec![0; READ];
    let mut done = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..read).filter(|piece| !piece.is_empty()) else { return Ok(()) };
        hash.update(piece);
        done += u64::try_from(read).unwrap_or(u64::MAX);
        tell(Progress::Checking { done, total });
        tokio::task::yield_now().await;
    }
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

fn malformed(problem: &str) -> HubError {
    HubError::Malformed { problem: problem.to_owned() }
}

/// The names that were probably meant: the nearest, and those that contain what was typed or end like it.
fn near(typed: &str, files: impl Iterator<Item = String>) -> Vec<String> {
    let files: Vec<String> = files.collect();
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_lowercase();
    let wanted = last(typed);
    let nearest = nearest(typed, files.iter().map(String::as_str)).map(str::to_owned);
    let like = files.iter().filter(|path| !wanted.is_empty() && last(path).contains(&wanted)).cloned();
    let mut found: Vec<String> = nearest.into_iter().chain(like).collect();
    if found.is_empty() {
        // Whoever typed a quantisation that is not there wants to see those that are.
        let mut ggufs: Vec<(usize, &String)> = files
            .iter()
            .filter(|path| super::model::is_gguf(path))
            .map(|path| (shared(typed, path), path))
            .collect();
        ggufs.sort_by_key(|(shared, _)| std::cmp::Reverse(*shared));
        found.extend(ggufs.into_iter().map(|(_, path)| path.clone()));
    }
    found.dedup();
    found.truncate(SUGGESTIONS);
    found.iter().map(|path| plain(path)).collect()
}

/// How many characters two names have in common at their beginning.
fn shared(one: &str, other: &str) -> usize {
    one.chars().zip(other.chars()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
}

impl std::fmt::Display for Progress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Checking { done, total } => {
                write!(formatter, "checking {} of {}", bytes_in_words(*done), bytes_in_words(*total))
            }
            Self::Fetching { done, total } => {
                write!(formatter, "{} of {}", bytes_in_words(*done), bytes_in_words(*total))
            }
            Self::Again { problem } => write!(formatter, "once more: {problem}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_file_brings_the_names_that_are_near() {
        let files = ["README.md", "Tiny-Q4_K_M.gguf", "Tiny-Q8_0.gguf", "BF16/Tiny-BF16.gguf"];
        let near = |typed: &str| near(typed, files.map(str::to_owned).into_iter());
        assert_eq!(near("Tiny-Q4_K_S.gguf"), ["Tiny-Q4_K_M.gguf"]);
        assert_eq!(near("tiny-bf16.gguf"), ["BF16/Tiny-BF16.gguf"], "the folder was left out");
        assert_eq!(near("q8_0"), ["Tiny-Q8_0.gguf"]);
        assert_eq!(near("zzz.safetensors").len(), 3, "all that there are: {:?}", near("zzz.safetensors"));
    }

    #[test]
    fn only_an_etag_of_lfs_is_a_checksum() {
        let headers = |pairs: &[(&'static str, String)]| {
            pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
        };
        let commit = ("x-repo-commit", "c0ffee".to_owned());
        let large = [
            commit.clone(),
            ("etag", "\"of the redirect\"".to_owned()),
            ("x-linked-etag", format!("\"{}\"", "AB".repeat(32))),
            ("x-linked-size", "7".to_owned()),
            ("content-length", "999".to_owned()),
        ];
        let about = About::read(&headers(&large)).expect("a file");
        assert_eq!((about.bytes, about.sha256), (7, Some("ab".repeat(32))));
        let small = [
            commit.clone(),
            ("etag", format!("W/\"{}\"", "a".repeat(40))),
            ("content-length", "3".to_owned()),
        ];
        assert_eq!(About::read(&headers(&small)).expect("a file").sha256, None);
        assert_eq!(About::read(&headers(&[commit])), None, "a redirect to another name");
    }
}
