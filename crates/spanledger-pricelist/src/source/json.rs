//! Reads JSON so that numbers keep all their digits.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::ImportError;

/// The unparsed text of a part of the file.
pub(super) type Raw<'j> = &'j RawValue;
/// An object of the file.
pub(super) type Object<'j> = BTreeMap<String, Raw<'j>>;

/// The whole file.
pub(super) fn document(text: &str) -> Result<Raw<'_>, ImportError> {
    // Some editors write a byte order mark at the start of a file.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let cause = error.to_string();
        let cause = cause.split(" at line ").next().unwrap_or_default().to_owned();
        ImportError::NotJson { line, column, cause }
    })
}

pub(super) fn object(raw: Raw<'_>) -> Option<Object<'_>> {
    serde_json::from_str(raw.get()).ok()
}

pub(super) fn list(raw: Raw<'_>) -> Option<Vec<Raw<'_>>> {
    serde_json::from_str(raw.get()).ok()
}

pub(super) fn string(raw: Raw<'_>) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// The string of a key.
pub(super) fn text(object: &Object<'_>, key: &str) -> Option<String> {
    object.get(key).and_then(|raw| string(raw))
}

/// The list of a key; empty if the key is missing or is not a list.
pub(super) fn items<'j>(object: &Object<'j>, key: &str) -> Vec<Raw<'j>> {
    object.get(key).and_then(|raw| list(raw)).unwrap_or_default()
}

pub(super) fn is_null(raw: Raw<'_>) -> bool {
    raw.get() == "null"
}
