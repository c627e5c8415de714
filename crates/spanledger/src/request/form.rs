//! Reads the small fields of a multipart form as it is uploaded: the model, and the options that decide the
//! price. The parts with a file pass unread, and nothing of them is kept.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, header};

use crate::body::frames::poll_data;

#[cfg(test)]
mod tests;

/// The greatest size of a field's value in bytes. A prompt is larger, and it is not read.
const VALUE_BYTES_MAX: usize = 1_024;
/// The greatest size of the headers of a part.
const HEADERS_BYTES_MAX: usize = 4_096;
/// The greatest number of fields that are read.
const FIELDS_MAX: usize = 64;

/// The fields of a form that were read so far. The upload adds them while it passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormFields(Arc<Mutex<Vec<(String, String)>>>);

impl FormFields {
    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone())
    }

    fn set(&self, name: String, value: String) {
        let mut fields = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A retry uploads the form again.
        if fields.len() < FIELDS_MAX && !fields.iter().any(|(field, _)| *field == name) {
            fields.push((name, value));
        }
    }
}

/// The boundary of a form's parts. `None` if the content is no form.
pub(crate) fn boundary(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let parameters = content_type.strip_prefix("multipart/form-data")?;
    let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    let boundary = boundary.trim_matches('"');
    (!boundary.is_empty() && boundary.len() <= 256).then(|| boundary.to_owned())
}

/// The same body, whose fields are read while it is sent.
pub(crate) fn observe(body: reqwest::Body, boundary: &str, fields: FormFields) -> reqwest::Body {
    reqwest::Body::wrap_stream(ObservedForm { inner: body, reader: FormReader::new(boundary, fields) })
}

struct ObservedForm {
    inner: reqwest::Body,
    reader: FormReader,
}

impl Stream for ObservedForm {
    type Item = Result<Bytes, reqwest::Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let item = std::task::ready!(poll_data(&mut this.inner, cx));
        if let Some(Ok(chunk)) = &item {
            this.reader.push(chunk);
        }
        Poll::Ready(item)
    }
}

/// Where the reader is in the form.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the value of a part, or before the first part.
    Value,
    /// After a delimiter, in the headers of a part.
    Headers,
    /// After the last part, or in a form that cannot be read.
    End,
}

/// Reads a form in chunks that can end at any byte. The framing is that of RFC 2046, section 5.1.
#[derive(Debug)]
struct FormReader {
    /// CRLF, two hyphens and the boundary.
    delimiter: Vec<u8>,
    place: Place,
    /// In a value: the last bytes, which may be the start of a delimiter. In headers: all bytes so far.
    pending: Vec<u8>,
    /// The field whose value is being read.
    field: Option<(String, Vec<u8>)>,
    fields: FormFields,
}

impl FormReader {
    fn new(boundary: &str, fields: FormFields) -> Self {
        Self {
            delimiter: format!("\r\n--{boundary}").into_bytes(),
            place: Place::Value,
            // The first delimiter has no line break before it.
            pending: b"\r\n".to_vec(),
            field: None,
            fields,
        }
    }

    fn push(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            chunk = match self.place {
                Place::Value => self.read_value(chunk),
                Place::Headers => self.read_headers(chunk),
                Place::End => return,
            };
        }
    }

    /// Reads to the end of the value or of the chunk, and returns the rest of the chunk.
    fn read_value<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let length = self.delimiter.len();
        let overlap = chunk.len().min(length - 1);
        let (start, _) = chunk.split_at(overlap);
        // First the delimiter that began in an earlier chunk, then one in this chunk.
        let pending = std::mem::take(&mut self.pending);
        let seam = [&pending, start].concat();
        if let Some(at) = memchr::memmem::find(&seam, &self.delimiter) {
            self.keep(seam.get(..at).unwrap_or_default());
            self.end_value();
            return chunk.get(at + length - pending.len()..).unwrap_or_default();
        }
        if let Some(at) = memchr::memmem::find(chunk, &self.delimiter) {
            self.keep(&pending);
            self.keep(chunk.get(..at).unwrap_or_default());
            self.end_value();
            return chunk.get(at + length..).unwrap_or_default();
        }
        if chunk.len() >= length - 1 {
            let (value, last) = chunk.split_at(chunk.len() - (length - 1));
            self.keep(&pending);
            self.keep(value);
            self.pending = last.to_vec();
        } else {
            let (value, last) = seam.split_at(seam.len().saturating_sub(length - 1));
            self.keep(value);
            self.pending = last.to_vec();
        }
        &[]
    }

    /// Reads to the end of the headers or of the chunk, and returns the rest of the chunk.
    fn read_headers<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        const END: &[u8] = b"\r\n\r\n";
        let before = self.pending.len();
        let (taken, rest) = chunk.split_at(chunk.len().min(HEADERS_BYTES_MAX));
        self.pending.extend_from_slice(taken);
        if self.pending.starts_with(b"--") {
            self.place = Place::End;
            return &[];
        }
        let Some(at) = memchr::memmem::find(&self.pending, END) else {
            if self.pending.len() > HEADERS_BYTES_MAX {
                self.place = Place::End;
            }
            return rest;
        };
        let headers = String::from_utf8_lossy(self.pending.get(..at).unwrap_or_default());
        self.field = field_name(&headers).map(|name| (name, Vec::new()));
        self.pending.clear();
        self.place = Place::Value;
        chunk.get((at + END.len()).saturating_sub(before)..).unwrap_or_default()
    }

    /// Adds bytes to the value of the field. A value that becomes too large is given up.
    fn keep(&mut self, bytes: &[u8]) {
        if let Some((_, value)) = &mut self.field {
            if value.len() + bytes.len() > VALUE_BYTES_MAX {
                self.field = None;
            } else {
                value.extend_from_slice(bytes);
            }
        }
    }

    fn end_value(&mut self) {
        if let Some((name, value)) = self.field.take()
            && let Ok(value) = String::from_utf8(value)
        {
            self.fields.set(name, value);
        }
        self.place = Place::Headers;
    }
}

/// The name of a field that is not a file.
fn field_name(headers: &str) -> Option<String> {
    let disposition = headers.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let parameters = || disposition.split(';').map(str::trim);
    if parameters().any(|parameter| parameter.starts_with("filename")) {
        return None;
    }
    let name = parameters().find_map(|parameter| parameter.strip_prefix("name="))?;
    Some(name.trim_matches('"').to_owned())
}
