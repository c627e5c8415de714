//! Trace and span ids, which are bytes in OTLP and lower-case hex in observations.

use std::fmt::Write as _;

/// The length of a trace id in bytes.
pub(crate) const TRACE_ID_BYTES: usize = 16;
/// The length of a span id in bytes.
pub(crate) const SPAN_ID_BYTES: usize = 8;

/// An id as lower-case hex. `None` if its length is wrong or all bytes are zero; OTLP calls such an id
/// invalid.
pub(crate) fn valid_id(id: &[u8], length: usize) -> Option<String> {
    (id.len() == length && id.iter().any(|&byte| byte != 0)).then(|| hex(id))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() % 2 == 1 {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}
