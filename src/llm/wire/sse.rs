//! Server-sent events, read from bytes as they come (WHATWG HTML, section 9.2.6).
//!
//! Pure and incremental: an incomplete line is no error, and a cut between any two bytes changes nothing. It is
//! laxer than the standard in one place: an event that the end of the body cuts off before its blank line counts,
//! since several providers leave that line out.

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event:` field; empty when there was none.
    pub name: String,
    /// The `data:` lines, joined with newlines.
    pub data: String,
}

/// A line or an event is longer than anything a provider sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line or an event is too long")]
pub struct TooLong;

/// Bytes that one line may have: the largest chunks seen are tens of kilobytes.
const LINE_LIMIT: usize = 1 << 20;
/// Bytes that the data of one event may have.
const EVENT_LIMIT: usize = 4 << 20;

/// Reads events from bytes.
#[derive(Debug, Default)]
pub struct SseDecoder {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed right after it belongs to it.
    after_return: bool,
    /// The first line is complete: a byte order mark can no longer come.
    begun: bool,
    name: String,
    data: String,
    has_data: bool,
}

impl SseDecoder {
    /// A decoder at the start of a body.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes and appends the events that they complete.
    pub fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        for &byte in bytes {
            let follows_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if follows_return => {}
                b'\n' => self.end_line(events)?,
                b'\r' => {
                    self.after_return = true;
                    self.end_line(events)?;
                }
                _ if self.line.len() == LINE_LIMIT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// The body has ended: appends what stood before the end without its blank line.
    pub fn finish(mut self, events: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        if !self.line.is_empty() {
            self.end_line(events)?;
        }
        self.dispatch(events);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes);
        let mut line = text.as_ref();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            self.dispatch(events);
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if self.data.len() + value.len() >= EVENT_LIMIT {
                    return Err(TooLong);
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.name),
            // A comment (an empty field name), `id`, `retry`, and what nobody knows.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self, events: &mut Vec<SseEvent>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            events.push(SseEvent { name, data });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<SseEvent> {
        let mut events = Vec::new();
        let mut decoder = SseDecoder::new();
        for piece in pieces {
            decoder.push(piece, &mut events).expect("short lines");
        }
        decoder.finish(&mut events).expect("short lines");
        events
    }

    fn data(text: &str) -> Vec<String> {
        read([text.as_bytes()]).into_iter().map(|event| event.data).collect()
    }

    #[test]
    fn every_line_ending_and_the_missing_space_are_understood() {
        assert_eq!(
            data("data: one\n\ndata:two\r\n\r\ndata:  three\r\rdata: four\n\n"),
            ["one", "two", " three", "four"]
        );
    }

    #[test]
    fn several_data_lines_are_one_event_and_comments_are_none() {
        let text = "\u{feff}: waiting\n\nevent: delta\ndata: {\ndata: }\nid: 7\nretry: 10\nunknown\n\n";
        assert_eq!(read([text.as_bytes()]), [SseEvent { name: "delta".into(), data: "{\n}".into() }]);
    }

    #[test]
    fn an_event_without_its_last_blank_line_counts_at_the_end_of_the_body() {
        assert_eq!(data("data: a\n\ndata: b\n"), ["a", "b"]);
        assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
        assert_eq!(data("data: a\n\nevent: ping\n\n"), ["a"]);
        assert_eq!(data("data\n\n"), [""]);
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_memory_is_full() {
        let mut decoder = SseDecoder::new();
        let block = vec![b'x'; 64 << 10];
        let refused = (0..1000).position(|_| decoder.push(&block, &mut Vec::new()).is_err());
        assert_eq!(refused, Some(16));
    }

    #[test]
    fn an_event_without_an_end_is_refused_before_memory_is_full() {
        let mut decoder = SseDecoder::new();
        let line = [b"data:".as_slice(), &vec![b'x'; 512 << 10], b"\n"].concat();
        let refused = (0..1000).position(|_| decoder.push(&line, &mut Vec::new()).is_err());
        assert_eq!(refused, Some(7));
    }

    const SAMPLE: &str =
        "\u{feff}data: {\"text\":\"äö🦀\"}\r\n\r\n:c\r\ndata:x\ndata: y\r\rdata: z\n\nevent:e\rdata: last";

    #[test]
    fn a_cut_at_every_byte_changes_nothing() {
        let bytes = SAMPLE.as_bytes();
        let whole = read([bytes]);
        assert_eq!(whole.len(), 4);
        for at in 0..=bytes.len() {
            let (head, tail) = bytes.split_at(at);
            assert_eq!(read([head, tail]), whole, "cut at {at}");
        }
        assert_eq!(read(bytes.chunks(1)), whole);
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_give_the_same_events(
            bytes in proptest::collection::vec(prop_oneof![
                Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), Just(0xef), any::<u8>()
            ], 0..200),
            size in 1_usize..20,
        ) {
            let text = [b"data: a\n".as_slice(), &bytes].concat();
            prop_assert_eq!(read(text.chunks(size)), read([text.as_slice()]));
        }
    }
}
