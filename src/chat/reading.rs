//! What bytes that somebody sent are: by their content, whatever their name and their sender say.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{io::AsyncWriteExt as _, process::Command, sync::Semaphore};

use super::{
    file::{Content, Picture, Unread},
    pdf,
};
use crate::llm::ImageFormat;

/// The largest picture: what Anthropic takes, 5 MiB of base64 (docs.anthropic.com/en/docs/build-with-claude/vision);
/// the others take more.
const LARGEST_PICTURE: usize = 3_932_160;
/// The largest text. A model reads less.
const LARGEST_TEXT: usize = 512 << 10;
/// PDFs that are read at once.
const PDFS_AT_ONCE: usize = 2;

/// Reads files. Cheap to clone: clones share its limits.
#[derive(Debug, Clone)]
pub struct FileReader {
    pdfs: Arc<Semaphore>,
    program: Option<PathBuf>,
}

impl FileReader {
    /// `program`, called with `pdf-text`, writes the text of the PDF on its standard input; without one none are read.
    pub fn new(program: Option<PathBuf>) -> Self {
        Self { pdfs: Arc::new(Semaphore::new(PDFS_AT_ONCE)), program }
    }

    /// What is in a file.
    pub async fn read(&self, bytes: Bytes) -> Content {
        if let Some(format) = ImageFormat::of(&bytes) {
            if bytes.len() > LARGEST_PICTURE {
                return Content::Unread(too_large(LARGEST_PICTURE));
            }
            return Content::Picture(Picture { format, bytes });
        }
        if pdf::is_one(&bytes) {
            return match self.pdf(bytes).await {
                Ok(text) => Content::Text(text),
                Err(why) => Content::Unread(why),
            };
        }
        match text(&bytes) {
            Ok(text) => Content::Text(text),
            Err(why) => Content::Unread(why),
        }
    }

    /// In a process of its own, which ends when nobody waits for it any more: a small PDF can take all the memory there is.
    async fn pdf(&self, bytes: Bytes) -> Result<String, Unread> {
        let _place = Arc::clone(&self.pdfs).try_acquire_owned().map_err(|_| Unread::Busy)?;
        let program = self.program.as_ref().ok_or(Unread::Kind)?;
        // The reader looks at its time between pages: one page may take a little longer.
        let within = pdf::PATIENCE + Duration::from_secs(2);
        tokio::time::timeout(within, child(program, &bytes)).await.unwrap_or(Err(Unread::Broken))
    }
}

/// Asks the program for a PDF's text. It gets nothing of our environment.
async fn child(program: &Path, bytes: &[u8]) -> Result<String, Unread> {
    let started = Command::new(program)
        .arg("pdf-text")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let mut child = started.map_err(|error| {
        tracing::warn!(problem = %error.kind(), "The program that reads PDFs does not start");
        Unread::Broken
    })?;
    let input = child.stdin.take();
    let feed = async move {
        if let Some(mut input) = input {
            // It may have understood enough, or nothing, before all of it came.
            drop(input.write_all(bytes).await);
        }
    };
    let (output, ()) = tokio::join!(child.wait_with_output(), feed);
    let output = output.map_err(|_| Unread::Broken)?;
    if output.status.success() {
        return String::from_utf8(output.stdout).map_err(|_| Unread::Broken);
    }
    Err(pdf::why(output.status.code()))
}

/// UTF-8 without the signs that only other files have.
fn text(bytes: &[u8]) -> Result<String, Unread> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| Unread::Kind)?;
    let is_foreign = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    if text.chars().any(is_foreign) {
        return Err(Unread::Kind);
    }
    if text.len() > LARGEST_TEXT {
        return Err(too_large(LARGEST_TEXT));
    }
    Ok(text.to_owned())
}

fn too_large(limit: usize) -> Unread {
    Unread::TooLarge(u64::try_from(limit).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use lopdf::{Document, Object, Stream, dictionary};

    use super::*;

    /// A PDF with a page for each text, uncompressed.
    fn pdf(pages: &[&str]) -> Vec<u8> {
        let mut document = Document::with_version("1.5");
        let tree = document.new_object_id();
        let font = document.add_object(dictionary! {
            "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica",
            "Encoding" => "WinAnsiEncoding",
        });
        let resources = document.add_object(dictionary! { "Font" => dictionary! { "F1" => font } });
        let kids: Vec<Object> = pages
            .iter()
            .map(|text| {
                let drawn = format!("BT /F1 12 Tf 72 720 Td ({text}) Tj ET");
                let content = document.add_object(Stream::new(dictionary! {}, drawn.into_bytes()));
                let page = dictionary! { "Type" => "Page", "Parent" => tree, "Contents" => content };
                document.add_object(page).into()
            })
            .collect();
        let count = i64::try_from(kids.len()).unwrap();
        document.objects.insert(
            tree,
            Object::Dictionary(dictionary! {
                "Type" => "Pages", "Kids" => kids, "Count" => count, "Resources" => resources,
                "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
            }),
        );
        let root = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
        document.trailer.set("Root", root);
        let mut bytes = Vec::new();
        document.save_to(&mut bytes).unwrap();
        bytes
    }

    /// As the bot reads, but PDFs in this process.
    async fn read(bytes: &[u8]) -> Content {
        if pdf::is_one(bytes) {
            return pdf::text(bytes).map_or_else(Content::Unread, Content::Text);
        }
        FileReader::new(None).read(Bytes::copy_from_slice(bytes)).await
    }

    #[tokio::test]
    async fn a_file_is_what_its_bytes_say() {
        assert_eq!(read("\u{feff}Grüße\r\n".as_bytes()).await, Content::Text("Grüße\r\n".to_owned()));
        assert_eq!(read(b"").await, Content::Text(String::new()));
        for other in [&b"PK\x03\x04zip"[..], b"\xff\xfea\0", b"MZ\x90\0", b"latin \xe9"] {
            assert_eq!(read(other).await, Content::Unread(Unread::Kind), "{other:?}");
        }
        let Content::Picture(picture) = read(b"\x89PNG\r\n\x1a\nFAKE").await else { panic!("a picture") };
        assert_eq!(picture.format, ImageFormat::Png);
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read() {
        let long = "x".repeat(LARGEST_TEXT + 1);
        assert_eq!(read(long.as_bytes()).await, Content::Unread(Unread::TooLarge(512 << 10)));
        let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
        picture.resize(LARGEST_PICTURE + 1, 0);
        assert_eq!(read(&picture).await, Content::Unread(Unread::TooLarge(3_932_160)));
    }

    #[tokio::test]
    async fn the_pages_of_a_pdf_are_read_in_order() {
        let Content::Text(text) = read(&pdf(&["First page", "Second page"])).await else { panic!("a text") };
        let places = ["First page", "Second page"].map(|words| text.find(words).expect(&text));
        assert!(places[0] < places[1], "{text}");
    }

    #[tokio::test]
    async fn pages_beyond_the_hundredth_are_left_out_and_that_is_said() {
        let pages: Vec<String> = (1..=103).map(|page| format!("page-{page}.")).collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let Content::Text(text) = read(&pdf(&pages)).await else { panic!("a text") };
        assert!(text.contains("page-100.") && !text.contains("page-101."), "{text}");
        assert!(text.ends_with("[the rest of this PDF was not read]"), "{text}");
    }

    #[tokio::test]
    async fn a_pdf_that_says_nothing_or_is_none_is_told_apart() {
        assert_eq!(read(&pdf(&[""])).await, Content::Unread(Unread::NoText));
        assert_eq!(read(b"%PDF-1.7\nnothing of the kind").await, Content::Unread(Unread::Broken));
    }

    #[tokio::test]
    async fn a_pdf_cut_anywhere_is_read_or_refused_and_nothing_else() {
        let whole = pdf(&["First page", "Second page"]);
        for at in (5..whole.len()).step_by(37) {
            let content = read(&whole[..at]).await;
            assert!(!matches!(content, Content::Picture(_) | Content::Offered(_)), "{content:?}");
        }
    }

    #[tokio::test]
    async fn a_third_pdf_at_once_is_told_to_wait() {
        let reader = FileReader::new(None);
        let places = Arc::clone(&reader.pdfs).try_acquire_many_owned(2).unwrap();
        let bytes = Bytes::from(pdf(&["x"]));
        assert_eq!(reader.read(bytes.clone()).await, Content::Unread(Unread::Busy));
        drop(places);
        assert_eq!(
            reader.read(bytes).await,
            Content::Unread(Unread::Kind),
            "none are read without a program"
        );
    }
}
