//! Pictures of a conversation: what they are by their own first bytes, and who is shown them.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;

use super::{ChatRequest, Message, wire};
use crate::provider::Provider;

/// The formats that models see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    /// RFC 2083.
    Png,
    /// JFIF and Exif.
    Jpeg,
    /// Moving ones are seen as their first frame, or not at all.
    Gif,
    /// RIFF with `WEBP`.
    Webp,
}

impl ImageFormat {
    /// What these bytes are, by their signature: a name or a claimed type proves nothing.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::Webp),
            _ => None,
        }
    }

    /// Its media type, as every wire writes it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

/// A picture. Cheap to clone: its bytes are shared.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    /// What it is.
    pub format: ImageFormat,
    /// The file as it came.
    pub bytes: Bytes,
    /// What a model that cannot see it reads in its place.
    pub unseen: String,
}

impl Image {
    /// The bytes in base64, as every wire carries them.
    pub(super) fn base64(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

/// Of what somebody sent, a log gets the size.
impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Image({}, {} bytes)", self.format.media_type(), self.bytes.len())
    }
}

/// Which pictures of a conversation a model was not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unseen {
    /// All of them: it sees none.
    Pictures,
    /// The GIFs: its provider takes other formats only.
    Gifs,
}

impl ChatRequest {
    /// The request as a model may read it: a picture that it cannot see is replaced by its sentence. A request that shows
    /// everything is not copied.
    pub(super) fn shown_to(&self, row: &Provider, model: &str) -> (Cow<'_, Self>, Option<Unseen>) {
        let sees = row.sees_images(model);
        let is_seen = |image: &Image| sees && wire::takes(row.wire, image.format);
        if self.messages.iter().flat_map(|message| &message.images).all(is_seen) {
            return (Cow::Borrowed(self), None);
        }
        let mut request = self.clone();
        for message in &mut request.messages {
            message.hide(is_seen);
        }
        (Cow::Owned(request), Some(if sees { Unseen::Gifs } else { Unseen::Pictures }))
    }
}

impl Message {
    fn hide(&mut self, is_seen: impl Fn(&Image) -> bool) {
        let (seen, unseen): (Vec<Image>, _) = std::mem::take(&mut self.images).into_iter().partition(is_seen);
        self.images = seen;
        for image in unseen {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.text.push_str(&image.unseen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, llm::Role, provider::Catalog};

    fn picture(format: ImageFormat, unseen: &str) -> Image {
        Image { format, bytes: Bytes::from_static(b"FAKE"), unseen: unseen.to_owned() }
    }

    fn request(images: Vec<Image>) -> ChatRequest {
        ChatRequest {
            id: "0badcafe".to_owned(),
            model: None,
            system: String::new(),
            messages: vec![Message { images, ..Message::new(Role::User, "look") }],
            tools: Vec::new(),
            conversation: "c".to_owned(),
            received_at: clock::instant(),
        }
    }

    /// What a model of a built-in provider gets of a PNG and a GIF.
    fn shown(provider: &str, model: &str) -> (String, usize, Option<Unseen>) {
        let rows = Catalog::builtin();
        let row = rows.get(&provider.parse().unwrap()).unwrap();
        let request = request(vec![picture(ImageFormat::Png, "(no a)"), picture(ImageFormat::Gif, "(no b)")]);
        let (shown, unseen) = request.shown_to(row, model);
        (shown.messages[0].text.clone(), shown.messages[0].images.len(), unseen)
    }

    #[tokio::test]
    async fn who_cannot_see_a_picture_reads_its_sentence() {
        assert_eq!(shown("openai", "gpt-5"), ("look".to_owned(), 2, None));
        assert_eq!(shown("groq", "openai/gpt-oss-120b").1, 0);
        assert_eq!(
            shown("groq", "openai/gpt-oss-120b"),
            ("look\n(no a)\n(no b)".to_owned(), 0, Some(Unseen::Pictures))
        );
        assert_eq!(
            shown("gemini", "gemini-flash-latest"),
            ("look\n(no b)".to_owned(), 1, Some(Unseen::Gifs))
        );
    }

    #[tokio::test]
    async fn a_model_of_which_nothing_is_said_sees_what_the_default_one_does() {
        assert_eq!(shown("openai", "gpt-9").2, None);
        assert_eq!(shown("dashscope", "qwen9").2, Some(Unseen::Pictures));
        assert_eq!(shown("local", "llava").2, Some(Unseen::Pictures));
        assert_eq!(shown("antigravity", "gpt-oss-120b-medium").2, Some(Unseen::Pictures));
    }

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        for (bytes, format) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some(ImageFormat::Png)),
            (b"\xff\xd8\xff\xe0....", Some(ImageFormat::Jpeg)),
            (b"GIF89a..", Some(ImageFormat::Gif)),
            (b"GIF88a..", None),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some(ImageFormat::Webp)),
            (b"RIFF\x10\0\0\0WAVEfmt ", None),
            (b"\x89PNG", None),
            (b"<svg/>", None),
            (b"", None),
        ] {
            assert_eq!(ImageFormat::of(bytes), format, "{bytes:?}");
        }
    }

    #[test]
    fn the_bytes_of_a_picture_stay_out_of_logs() {
        let shown = format!("{:?}", picture(ImageFormat::Png, "(none)"));
        assert_eq!(shown, "Image(image/png, 4 bytes)");
    }
}
