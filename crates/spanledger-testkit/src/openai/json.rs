//! Writes values as JSON.

use bytes::Bytes;
use serde::Serialize;

/// Serializes `value`. The types of this crate have only string keys, so this does
/// not fail. If it failed, the client would receive the reason; a panic would look
/// like a dropped connection.
pub(crate) fn bytes(value: &impl Serialize) -> Bytes {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes.into(),
        Err(error) => Bytes::from(format!("testkit could not serialize its reply: {error}")),
    }
}

/// A field of an object that can be null or absent.
#[derive(Debug, Default, Serialize)]
#[serde(untagged)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Is(T),
}

impl<T> Field<T> {
    /// The value or null if the object has the field, absent otherwise.
    pub(crate) fn when(present: bool, value: Option<T>) -> Self {
        match value {
            _ if !present => Self::Absent,
            None => Self::Null,
            Some(value) => Self::Is(value),
        }
    }

    /// For `skip_serializing_if`.
    pub(crate) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}
