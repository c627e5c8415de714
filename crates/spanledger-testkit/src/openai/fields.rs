//! The fields of a request body: a JSON object or a form.
//!
//! Source: the API reference; uploads are `multipart/form-data` (RFC 7578).

use std::collections::HashMap;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::openai::errors::ApiError;

/// The fields of forms that are numbers or booleans in JSON. A form has only text.
const TYPED_FIELDS: [&str; 6] =
    ["stream", "n", "temperature", "partial_images", "output_compression", "duration"];

/// The fields of a request, in one form for JSON and for forms.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: HashMap<String, Box<RawValue>>,
    /// The uploaded files of a form.
    pub(crate) files: Vec<FormFile>,
}

/// A file in a form.
#[derive(Debug)]
pub(crate) struct FormFile {
    /// The name of the field.
    pub(crate) field: String,
    pub(crate) filename: String,
    pub(crate) bytes: Bytes,
}

impl Fields {
    /// Reads a body by its content type. A body without one is JSON.
    pub(crate) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        let content_type =
            headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if content_type.starts_with("multipart/form-data") {
            let form = read_form(content_type, body);
            return form.ok_or_else(|| ApiError::invalid_request("The form is not complete."));
        }
        Self::read_json(body)
    }

    /// Reads a JSON object.
    pub(crate) fn read_json(body: &[u8]) -> Result<Self, ApiError> {
        let values = serde_json::from_slice(body)
            .map_err(|_| ApiError::invalid_request("The body is not a JSON object."))?;
        Ok(Self { values, files: Vec::new() })
    }

    /// The field's value. A null field is the same as an absent one for the provider.
    pub(crate) fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, ApiError> {
        let Some(raw) = self.values.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map_err(|_| {
            ApiError::invalid_request(format!("The parameter '{name}' has the wrong type."))
                .param(name)
                .code("invalid_type")
        })
    }

    pub(crate) fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, ApiError> {
        self.optional(name)?.ok_or_else(|| ApiError::missing(name))
    }

    /// The field as the client wrote it, for answers that repeat it.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        self.values.get(name).map(|value| &**value).filter(|value| value.get() != "null")
    }

    /// The value of the field, if the request has it and it has this type.
    pub(crate) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.raw(name)?.get()).ok()
    }

    /// The field as a value, null if it is absent.
    pub(crate) fn value(&self, name: &str) -> Value {
        self.get(name).unwrap_or_default()
    }

    /// The first file of this field; `image` also finds `image[]`.
    pub(crate) fn file(&self, field: &str) -> Option<&FormFile> {
        self.files.iter().find(|file| file.field.strip_suffix("[]").unwrap_or(&file.field) == field)
    }
}

/// Reads a form. `None` if it is malformed.
fn read_form(content_type: &str, body: &Bytes) -> Option<Fields> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let delimiter = format!("--{}", boundary.split(';').next()?.trim_matches('"'));
    let mut fields = Fields::default();
    let mut at = find(body, delimiter.as_bytes(), 0)? + delimiter.len();
    while !body.get(at..)?.starts_with(b"--") {
        let end = find(body, delimiter.as_bytes(), at)?;
        // A part begins after the line break of its delimiter and ends before the one of the next.
        let (begin, end_of_part) = (at + 2, end.checked_sub(2)?);
        let part = (begin <= end_of_part).then(|| body.slice(begin..end_of_part))?;
        let head = find(&part, b"\r\n\r\n", 0)?;
        fields.add(std::str::from_utf8(&part[..head]).ok()?, part.slice(head + 4..))?;
        at = end + delimiter.len();
    }
    Some(fields)
}

impl Fields {
    /// Adds a part of a form. `None` if it has no name.
    fn add(&mut self, head: &str, content: Bytes) -> Option<()> {
        let parameter = |name: &str| {
            let (_, rest) = head.split_once(&format!(" {name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let field = parameter("name")?;
        if let Some(filename) = parameter("filename") {
            self.files.push(FormFile { field, filename, bytes: content });
            return Some(());
        }
        let text = std::str::from_utf8(&content).ok()?;
        let typed = TYPED_FIELDS.contains(&field.as_str()).then(|| serde_json::from_str::<Value>(text).ok());
        let value = typed.flatten().unwrap_or_else(|| text.into());
        self.values.insert(field, to_raw_value(&value).ok()?);
        Some(())
    }
}

fn find(text: &[u8], part: &[u8], from: usize) -> Option<usize> {
    let found = text.get(from..)?.windows(part.len()).position(|window| window == part)?;
    Some(from + found)
}

#[cfg(test)]
mod tests;
