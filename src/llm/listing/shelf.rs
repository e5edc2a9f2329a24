//! Lists on disk, in `STATE_DIR/models`: a restart asks nobody for what is known.

use std::path::PathBuf;

use super::lists::List;
use crate::{
    fs::{self, Disk, at_rest},
    provider::ProviderId,
};

/// Bytes of a file: a thousand models with all that is known of them have less.
const LONGEST: u64 = 1 << 20;

/// Where the lists are kept.
#[derive(Debug, Clone)]
pub(in crate::llm) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn file(&self, provider: &ProviderId) -> PathBuf {
        self.folder.join(format!("{provider}.json"))
    }

    /// What is kept of a provider's list; `None`: nothing, or nothing that can be read.
    pub(super) async fn read(&self, provider: &ProviderId) -> Option<List> {
        let file = self.file(provider);
        let text = at_rest(move || fs::read_text(&file, LONGEST)).await.ok()?;
        let read = serde_json::from_str(&text);
        read.inspect_err(|_| tracing::debug!(provider = %provider, "A kept list of models is no list")).ok()
    }

    /// Keeps a list. A failure costs one more request after a restart, and is said.
    pub(super) async fn keep(&self, provider: &ProviderId, list: &List) {
        let (folder, file) = (self.folder.clone(), self.file(provider));
        let temporary = folder.join(format!(".{provider}.{}.new", std::process::id()));
        // Names and numbers: nothing in them can fail.
        let text = serde_json::to_string(list).unwrap_or_default();
        let kept = at_rest(move || {
            let disk = Disk::default();
            disk.create_folder(&folder)?;
            disk.replace(&file, &temporary, text.as_bytes())?;
            Ok::<(), std::io::Error>(())
        });
        if let Err(error) = kept.await {
            let problem = fs::problem(&error);
            tracing::warn!(provider = %provider, problem, "A list of models could not be kept in STATE_DIR");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "somebody else wrote into the folder")]
    async fn what_is_no_list_counts_for_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let shelf = Shelf::new(folder.path().to_owned());
        let provider: ProviderId = "openai".parse().expect("an id");
        assert_eq!(shelf.read(&provider).await, None);
        for text in ["", "[]", "{\"models\": 1}", "\u{fffd}"] {
            std::fs::write(folder.path().join("openai.json"), text).expect("written");
            assert_eq!(shelf.read(&provider).await, None, "{text}");
        }
    }
}
