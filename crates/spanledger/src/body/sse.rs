//! Parses server-sent events from chunks that can end at any byte.
//!
//! The framing is that of the HTML Living Standard, section 9.2.6: lines end in CRLF, LF or CR, and a
//! blank line ends an event.

/// The greatest size of an unfinished event in bytes. The events of providers are far smaller. A larger event
/// is passed on, but not read.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    buffer: Vec<u8>,
    /// The start of the first line that has not been searched yet.
    searched: usize,
}

impl Splitter {
    /// Adds a chunk. [`next`](Self::next) then returns the events that are complete.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, with the blank line that ends it.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        let end = self.end().or_else(|| {
            let overlong = self.buffer.len() > EVENT_BYTES_MAX;
            overlong.then_some(self.buffer.len())
        })?;
        let rest = self.buffer.split_off(end);
        self.searched = 0;
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    /// What is left when the stream ends: an event without its blank line.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.searched = 0;
        std::mem::take(&mut self.buffer)
    }

    /// One past the first blank line.
    fn end(&mut self) -> Option<usize> {
        let mut at = self.searched;
        while at < self.buffer.len() {
            let tail = self.buffer.get(at..)?;
            let Some(line_end) = tail.iter().position(|&byte| byte == b'\n' || byte == b'\r') else { break };
            let first = line_break(tail.get(line_end..)?)?;
            let after = at + line_end + first;
            match self.buffer.get(after) {
                // The next line is not here yet; it may be blank.
                None => return None,
                Some(b'\n' | b'\r') => {
                    let second = line_break(self.buffer.get(after..)?)?;
                    return Some(after + second);
                }
                Some(_) => {
                    at = after;
                    self.searched = after;
                }
            }
        }
        None
    }
}

/// The length of a line break; `None` for a CR at the end, whose LF may still come.
fn line_break(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'\r', b'\n', ..] => Some(2),
        [b'\r'] => None,
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}

/// The data of an event: its `data:` lines, joined.
pub(crate) fn data(event: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(event.len());
    let mut is_first = true;
    for line in event.split(|&byte| byte == b'\n' || byte == b'\r') {
        let Some(value) = line.strip_prefix(b"data:") else { continue };
        if !std::mem::replace(&mut is_first, false) {
            data.push(b'\n');
        }
        data.extend_from_slice(value.strip_prefix(b" ").unwrap_or(value));
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut splitter = Splitter::default();
        let mut events = Vec::new();
        for chunk in chunks {
            splitter.push(chunk);
            while let Some(event) = splitter.next() {
                events.push(event);
            }
        }
        (events, splitter.rest())
    }

    #[test]
    fn events_do_not_depend_on_where_the_chunks_break() {
        let stream =
            b"data: {\"a\":1}\n\nevent: x\r\ndata: one\r\ndata:two\r\n\r\n: comment\r\rdata: [DONE]\n\n";
        let (whole, rest) = split(&[stream]);
        assert_eq!(whole.len(), 4);
        assert!(rest.is_empty());
        assert_eq!(whole.concat(), stream);
        assert_eq!(data(&whole[1]), b"one\ntwo");
        for size in 1..stream.len() {
            let chunks: Vec<&[u8]> = stream.chunks(size).collect();
            let (events, rest) = split(&chunks);
            assert_eq!([events.concat(), rest].concat(), stream, "nothing is lost");
            let payloads = |events: &[Vec<u8>]| {
                events.iter().map(|e| data(e)).filter(|d| !d.is_empty()).collect::<Vec<_>>()
            };
            assert_eq!(payloads(&events), payloads(&whole), "chunks of {size}");
        }
    }

    #[test]
    fn an_event_without_its_blank_line_is_the_rest_of_the_stream() {
        let (events, rest) = split(&[b"data: {}\n\nda", b"ta: {\"x\""]);
        assert_eq!((events.len(), rest.as_slice()), (1, &b"data: {\"x\""[..]));
    }
}
