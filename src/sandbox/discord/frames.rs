//! How payloads become frames: plain text, each one compressed by itself, or all of a connection in one zlib stream
//! (Gateway, "Encoding and Compression").

use std::io::Write as _;

use axum::extract::ws::Message as Frame;
use flate2::{Compress, Compression, FlushCompress, write::ZlibEncoder};
use serde_json::Value;

/// From how many bytes on a payload is compressed by itself; Discord does it for "some events".
const LARGE: usize = 1024;

/// How the payloads of one connection are packed.
#[derive(Debug)]
pub(crate) enum Packing {
    /// As text.
    Plain,
    /// Large ones compressed, each by itself: `compress` in the identify.
    Payloads,
    /// All in one zlib context, each ending with `00 00 FF FF`: `compress=zlib-stream` in the address.
    Stream(Box<Compress>),
}

impl Packing {
    /// What the address asks for. Other compressions (zstd) are not emulated: those clients get plain text.
    pub(crate) fn asked(compress: Option<&str>) -> Self {
        match compress {
            Some("zlib-stream") => Self::Stream(Box::new(Compress::new(Compression::fast(), true))),
            Some(_) | None => Self::Plain,
        }
    }

    /// `compress` in the identify; a stream is compressed already.
    pub(crate) fn compress_payloads(&mut self) {
        if matches!(self, Self::Plain) {
            *self = Self::Payloads;
        }
    }

    /// The frame of a payload.
    pub(crate) fn frame(&mut self, payload: &Value) -> Frame {
        let text = payload.to_string();
        match self {
            Self::Stream(context) => Frame::Binary(flushed(context, text.as_bytes()).into()),
            Self::Payloads if text.len() >= LARGE => Frame::Binary(whole(text.as_bytes()).into()),
            Self::Payloads | Self::Plain => Frame::Text(text.into()),
        }
    }
}

/// The next part of a stream, up to a sync flush.
fn flushed(context: &mut Compress, bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(bytes.len() / 2 + 64);
    let began = context.total_in();
    loop {
        let taken = usize::try_from(context.total_in() - began).unwrap_or(bytes.len());
        let rest = bytes.get(taken..).unwrap_or_default();
        context
            .compress_vec(rest, &mut packed, FlushCompress::Sync)
            .expect("compressing fails only on misuse of its parameters, which are fixed here");
        // Room left over means that everything was taken and flushed (zlib's manual, `deflate`).
        if packed.len() < packed.capacity() {
            return packed;
        }
        packed.reserve(packed.capacity());
    }
}

fn whole(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes everything")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::{Decompress, FlushDecompress, read::ZlibDecoder};
    use serde_json::json;

    use super::*;

    #[test]
    fn one_context_over_all_payloads_each_ending_with_the_flush() {
        let mut packing = Packing::asked(Some("zlib-stream"));
        let mut context = Decompress::new(true);
        let payloads = [json!({"op": 10}), json!({"t": "x".repeat(100_000)}), json!({"op": 10}), json!("é")];
        let mut sizes = Vec::new();
        for payload in payloads.iter().chain(&payloads) {
            let Frame::Binary(bytes) = packing.frame(payload) else { panic!("a binary frame") };
            assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]));
            sizes.push(bytes.len());
            let mut text = Vec::with_capacity(200_000);
            context.decompress_vec(&bytes, &mut text, FlushDecompress::Sync).unwrap();
            assert_eq!(&serde_json::from_slice::<Value>(&text).unwrap(), payload);
        }
        // Only the first one has the two bytes that open a zlib stream.
        assert!(sizes[2] < sizes[0], "{sizes:?}");
    }

    #[test]
    fn payloads_by_themselves_are_compressed_when_they_are_large_and_asked_for() {
        let (small, large) = (json!({"op": 11}), json!({"t": "x".repeat(5000)}));
        let mut packing = Packing::asked(None);
        assert!(matches!(packing.frame(&large), Frame::Text(_)));
        packing.compress_payloads();
        assert!(matches!(packing.frame(&small), Frame::Text(_)));
        for _ in 0..2 {
            let Frame::Binary(bytes) = packing.frame(&large) else { panic!("a binary frame") };
            let mut text = String::new();
            ZlibDecoder::new(&*bytes).read_to_string(&mut text).unwrap();
            assert_eq!(text, large.to_string());
        }
    }
}
