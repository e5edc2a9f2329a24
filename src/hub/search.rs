//! Searching models that have GGUF files.

use futures::{StreamExt as _, TryStreamExt as _};
use hf_hub::repository::{ModelInfo, RepoTreeEntry};

use super::{GgufFile, Hub, HubError, Model, model::is_gguf, plain};

/// The hub's tag of models with GGUF files.
const TAG: &str = "gguf";

/// Models whose files are listed at once.
const AT_ONCE: usize = 4;

impl Hub {
    /// Models whose names contain `query` and that have GGUF files, the most downloaded first, `limit` at most.
    ///
    /// Private ones are among them when `HF_TOKEN` may read them.
    pub async fn search(&self, query: &str, limit: usize) -> Result<Vec<Model>, HubError> {
        self.check_reach()?;
        let fail = |error| HubError::from_client(error, &self.asking(""));
        let search =
            self.client.list_models().search(query).filter(TAG).sort("downloads").full(true).limit(limit);
        let found: Vec<ModelInfo> = search.send().map_err(fail)?.try_collect().await.map_err(fail)?;
        Ok(futures::stream::iter(found).map(|info| self.with_files(info)).buffered(AT_ONCE).collect().await)
    }

    /// A model with the sizes of its files; without them where the hub lists them to others only.
    async fn with_files(&self, info: ModelInfo) -> Model {
        let named = info.siblings.unwrap_or_default().into_iter().map(|file| (file.rfilename, file.size));
        let named: Vec<(String, Option<u64>)> = named.filter(|(path, _)| is_gguf(path)).collect();
        let sized = match self.repository(&info.id) {
            Ok(_) if named.is_empty() => Vec::new(),
            Ok(_) => self.files(&info.id).await.unwrap_or(named),
            Err(_) => named,
        };
        let files = sized.into_iter().map(|(path, bytes)| (plain(&path), bytes));
        Model {
            page: plain(&self.asking(&info.id).page()),
            id: plain(&info.id),
            downloads: info.downloads.unwrap_or(0),
            likes: info.likes.unwrap_or(0),
            // `false`, or how requests are approved: "auto", "manual".
            gated: info
                .gated
                .is_some_and(|gated| gated != serde_json::Value::Bool(false) && !gated.is_null()),
            private: info.private.unwrap_or(false),
            files: GgufFile::among(files),
        }
    }

    /// The paths and sizes of all files of a repository.
    pub(super) async fn files(&self, repo: &str) -> Result<Vec<(String, Option<u64>)>, HubError> {
        let fail = |error| HubError::from_client(error, &self.asking(repo));
        let repository = self.repository(repo)?;
        let entries = repository.list_tree().recursive(true).send().map_err(fail)?;
        let files = entries.try_filter_map(async |entry| {
            Ok(match entry {
                RepoTreeEntry::File { path, size, .. } => Some((path, Some(size))),
                RepoTreeEntry::Directory { .. } => None,
            })
        });
        files.try_collect().await.map_err(fail)
    }
}
