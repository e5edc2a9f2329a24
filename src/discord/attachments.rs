//! Files that people attach: fetched from Discord's own file hosts alone, within bounds of number, bytes and time.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use url::{Origin, Url};

use crate::{
    chat::{Content, FileReader, Offer, Turn, Unread},
    http::Http,
};

/// Where Discord keeps files (reference, "CDN formatting").
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Files of one conversation that are read.
const MOST_FILES: usize = 8;
/// Bytes that they may have together: in base64 they still fit into the smallest request that a vendor takes, 20 MB.
const MOST_BYTES: u64 = 12 << 20;
/// The largest file that is fetched.
const LARGEST: u64 = 8 << 20;
/// What all conversations together may hold, in KiB: 64 MiB.
const MEMORY: usize = 64 << 10;
/// Files of one conversation that are fetched at once.
const AT_ONCE: usize = 4;
/// How long the files of one conversation may take together; of a short deadline, a third.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches and reads files.
#[derive(Debug)]
pub(super) struct Attachments {
    http: Http,
    /// The origin that takes Discord's place, where one does.
    own: Option<Origin>,
    /// KiB that may still be held.
    memory: Arc<Semaphore>,
    reader: FileReader,
}

impl Attachments {
    /// Reads from Discord, and from the origin that takes its place.
    pub(super) fn new(http: Http, origin: Option<&Url>, pdf_reader: Option<PathBuf>) -> Self {
        Self {
            http,
            own: origin.map(Url::origin),
            memory: Arc::new(Semaphore::new(MEMORY)),
            reader: FileReader::new(pdf_reader),
        }
    }

    /// Reads the files of a conversation until an instant: the newest, as many as are read of one. One that was not read
    /// says why.
    pub(super) async fn read(&self, turns: &mut [Turn], until: Instant) {
        let chosen = choose(turns);
        let fetched = stream::iter(chosen)
            .map(async |(place, offer)| (place, self.content(&offer, until).await))
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        for ((turn, file), content) in fetched {
            if let Some(file) = turns.get_mut(turn).and_then(|turn| turn.files.get_mut(file)) {
                file.content = content;
            }
        }
    }

    async fn content(&self, offer: &Offer, until: Instant) -> Content {
        let read = async {
            match self.fetch(offer).await {
                Ok(bytes) => self.reader.read(bytes).await,
                Err(why) => Content::Unread(why),
            }
        };
        timeout_at(until, read).await.unwrap_or(Content::Unread(Unread::Unreachable))
    }

    /// The bytes of a file. They count as held until the last clone of them is gone.
    async fn fetch(&self, offer: &Offer) -> Result<Bytes, Unread> {
        let url = Url::parse(&offer.url).ok().filter(|url| self.is_discords(url)).ok_or(Unread::Foreign)?;
        let kib = u32::try_from(offer.size.div_ceil(1024).max(1)).map_err(|_| Unread::TooLarge(LARGEST))?;
        let memory = Arc::clone(&self.memory).try_acquire_many_owned(kib).map_err(|_| Unread::Busy)?;
        let request = self.http.request(Method::GET, &url).map_err(|_| Unread::Unreachable)?;
        // No authorization: the address is signed, and these hosts are not the API.
        let mut answer = request.send().await.map_err(|_| Unread::Unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN | StatusCode::GONE => return Err(Unread::Gone),
            _ => return Err(Unread::Unreachable),
        }
        let size = usize::try_from(offer.size).map_err(|_| Unread::TooLarge(LARGEST))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| Unread::Unreachable)? {
            // More than was told is not this file, and there is no room set aside for it.
            if bytes.len() + chunk.len() > size {
                return Err(Unread::Unreachable);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Bytes::from_owner(Held { bytes, _memory: memory }))
    }

    /// Whether a file's address is Discord's, or that of what takes its place. Exactly: an address is text that somebody else
    /// sent.
    fn is_discords(&self, url: &Url) -> bool {
        let is_plain = url.username().is_empty() && url.password().is_none();
        let is_known = url.scheme() == "https"
            && url.port().is_none()
            && url.host_str().is_some_and(|host| HOSTS.contains(&host));
        is_plain && (is_known || self.own.as_ref() == Some(&url.origin()))
    }
}

/// Bytes that count as held.
struct Held {
    bytes: Vec<u8>,
    _memory: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A file's turn, and its number among that turn's.
type Place = (usize, usize);

/// Which files are read, newest turns first. The others say why not.
fn choose(turns: &mut [Turn]) -> Vec<(Place, Offer)> {
    let mut chosen = Vec::new();
    let mut left = MOST_BYTES;
    for (at, turn) in turns.iter_mut().enumerate().rev() {
        for (number, file) in turn.files.iter_mut().enumerate() {
            let Content::Offered(offer) = &file.content else { continue };
            if offer.size > LARGEST {
                file.content = Content::Unread(Unread::TooLarge(LARGEST));
            } else if chosen.len() == MOST_FILES || offer.size > left {
                file.content = Content::Unread(Unread::TooMany);
            } else {
                left -= offer.size;
                chosen.push(((at, number), offer.clone()));
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat::File, http::HttpOptions};

    fn attachments(origin: Option<&str>) -> Attachments {
        let origin = origin.map(|origin| Url::parse(origin).unwrap());
        Attachments::new(Http::new(&HttpOptions::default()).unwrap(), origin.as_ref(), None)
    }

    #[test]
    fn only_discords_own_file_hosts_are_asked() {
        let real = attachments(None);
        let allowed = |url: &str| real.is_discords(&Url::parse(url).unwrap());
        assert!(allowed("https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3"));
        assert!(allowed("https://media.discordapp.net/attachments/1/2/a.png"));
        assert!(allowed("https://CDN.discordapp.com:443/a.png"), "the same host, as a URL is read");
        for foreign in [
            "http://cdn.discordapp.com/a.png",
            "https://cdn.discordapp.com:8443/a.png",
            "https://cdn.discordapp.com.evil.example/a.png",
            "https://evil.example/cdn.discordapp.com/a.png",
            "https://cdn.discordapp.com@evil.example/a.png",
            "https://somebody@cdn.discordapp.com/a.png",
            "https://discord.com/api/v10/users/@me",
            "https://127.0.0.1/a.png",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "data:text/plain,x",
        ] {
            assert!(!allowed(foreign), "{foreign}");
        }
    }

    #[test]
    fn an_origin_in_discords_place_has_its_files_too() {
        let own = attachments(Some("http://127.0.0.1:8787"));
        let allowed = |url: &str| own.is_discords(&Url::parse(url).unwrap());
        assert!(allowed("http://127.0.0.1:8787/attachments/1/2/a.png"));
        assert!(allowed("https://cdn.discordapp.com/attachments/1/2/a.png"));
        assert!(!allowed("http://127.0.0.1:8788/attachments/1/2/a.png"));
        assert!(!allowed("https://127.0.0.1:8787/attachments/1/2/a.png"));
        assert!(!allowed("http://127.0.0.1:8787@evil.example/a.png"));
    }

    fn turn(sizes: &[u64]) -> Turn {
        let offer = |size: &u64| Offer { url: format!("https://cdn.discordapp.com/{size}"), size: *size };
        let file = |size| File { name: "f".to_owned(), content: Content::Offered(offer(size)) };
        Turn { files: sizes.iter().map(file).collect(), ..Turn::person(1, "Ada", "x") }
    }

    fn unread(turn: &Turn) -> Vec<Option<Unread>> {
        let why = |content: &Content| match content {
            Content::Unread(why) => Some(*why),
            Content::Offered(_) | Content::Text(_) | Content::Picture(_) => None,
        };
        turn.files.iter().map(|file| why(&file.content)).collect()
    }

    #[test]
    fn the_newest_files_are_read_within_number_and_bytes() {
        const MIB: u64 = 1 << 20;
        let mut turns = [turn(&[1; 5]), turn(&[1; 6]), turn(&[2])];
        let places: Vec<Place> = choose(&mut turns).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [(2, 0), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (0, 0)]);
        assert_eq!(unread(&turns[0])[1..], [Some(Unread::TooMany); 4]);

        let mut turns = [turn(&[MIB]), turn(&[7 * MIB, 9 * MIB, 6 * MIB, 4 * MIB])];
        let places: Vec<Place> = choose(&mut turns).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [(1, 0), (1, 3), (0, 0)]);
        let why = [None, Some(Unread::TooLarge(8 * MIB)), Some(Unread::TooMany), None];
        assert_eq!(unread(&turns[1]), why);
    }

    #[tokio::test]
    async fn d27_what_is_held_counts_until_it_is_dropped() {
        let attachments = attachments(None);
        let memory = Arc::clone(&attachments.memory).try_acquire_many_owned(100).unwrap();
        let bytes = Bytes::from_owner(Held { bytes: vec![1, 2], _memory: memory });
        let clone = bytes.slice(1..);
        drop(bytes);
        assert_eq!(attachments.memory.available_permits(), MEMORY - 100);
        assert_eq!(clone.as_ref(), [2]);
        drop(clone);
        assert_eq!(attachments.memory.available_permits(), MEMORY);
    }

    #[tokio::test]
    async fn d27_a_file_without_room_is_not_fetched() {
        let attachments = attachments(Some("http://127.0.0.1:9"));
        let _all = Arc::clone(&attachments.memory).try_acquire_many_owned(u32::try_from(MEMORY).unwrap());
        let offer = Offer { url: "http://127.0.0.1:9/a".to_owned(), size: 1 };
        assert_eq!(attachments.fetch(&offer).await, Err(Unread::Busy));
    }
}
