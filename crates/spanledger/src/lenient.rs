//! Reads single fields of an object from outside. A field in an unexpected form counts as absent, and an object
//! that breaks off keeps the fields before that place, so that one odd byte never costs the whole answer.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use spanledger_event::limits::char_boundary;

#[cfg(test)]
mod tests;

/// A field of any form, as it stands in the text.
pub(crate) type Raw<'a> = Option<&'a RawValue>;

/// An object of which some fields are read. [`lenient_object`] implements it.
pub(crate) trait LenientObject<'a>: Default {
    /// The place of a field; `None` for a field that is skipped.
    fn field(&mut self, name: &str) -> Option<&mut Raw<'a>>;
}

/// Declares an object of which some fields are read. The last field of a name is valid. All other fields are
/// skipped, not parsed.
macro_rules! lenient_object {
    ($(#[$meta:meta])* struct $type:ident { $($(#[$doc:meta])* $field:ident: $name:literal,)* }) => {
        $(#[$meta])*
        #[derive(Default)]
        pub(crate) struct $type<'a> { $($(#[$doc])* pub(crate) $field: $crate::lenient::Raw<'a>,)* }

        impl<'a> $crate::lenient::LenientObject<'a> for $type<'a> {
            fn field(&mut self, name: &str) -> Option<&mut $crate::lenient::Raw<'a>> {
                match name {
                    $($name => Some(&mut self.$field),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use lenient_object;

/// Reads an object; bytes after it are ignored. `None` if the bytes are not an object.
pub(crate) fn object<'a, T: LenientObject<'a>>(bytes: &'a [u8]) -> Option<T> {
    let mut fields = Fields { object: T::default(), is_object: false };
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    // An error at the end of an object that breaks off does not matter: its fields were collected before it.
    drop((&mut fields).deserialize(&mut deserializer));
    fields.is_object.then_some(fields.object)
}

/// The object of a field.
pub(crate) fn nested<'a, T: LenientObject<'a>>(raw: Raw<'a>) -> Option<T> {
    object(raw?.get().as_bytes())
}

/// The objects of a list. A member that is not an object counts as an object without fields.
pub(crate) fn list<'a, T: LenientObject<'a>>(raw: Raw<'a>) -> Vec<T> {
    let members: Vec<&'a RawValue> =
        raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    members.into_iter().map(|member| nested(Some(member)).unwrap_or_default()).collect()
}

struct Fields<T> {
    object: T,
    is_object: bool,
}

impl<'a, T: LenientObject<'a>> DeserializeSeed<'a> for &mut Fields<T> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, T: LenientObject<'a>> Visitor<'a> for &mut Fields<T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        self.is_object = true;
        while let Some(Name(name)) = map.next_key()? {
            match self.object.field(&name) {
                Some(field) => *field = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The text of a field. A number counts as its digits, because some servers send ids as numbers.
pub(crate) fn text(raw: Raw<'_>) -> Option<String> {
    let json = raw?.get();
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok(),
        b'0'..=b'9' | b'-' => Some(json.to_owned()),
        _ => None,
    }
}

/// The greatest size of a name or an id in bytes.
const SHORT_BYTES_MAX: usize = 1_024;

/// The beginning of a text, as far as a name or an id can be long.
pub(crate) fn shortened(text: &str) -> &str {
    text.get(..char_boundary(text, SHORT_BYTES_MAX)).unwrap_or(text)
}

/// The text of a field that is a name or an id. A longer one is cut.
pub(crate) fn short_text(raw: Raw<'_>) -> Option<String> {
    let mut text = text(raw)?;
    text.truncate(shortened(&text).len());
    Some(text)
}

/// The integer of a field. A number with a fraction of zero is an integer too: `256.0`.
pub(crate) fn integer(raw: Raw<'_>) -> Option<i64> {
    let json = raw?.get();
    let whole = match json.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => json,
    };
    whole.parse().ok()
}

/// The value of a field in its ordinary form.
pub(crate) fn value<T: DeserializeOwned>(raw: Raw<'_>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// A field that is not null.
pub(crate) fn not_null(raw: Raw<'_>) -> Raw<'_> {
    raw.filter(|raw| raw.get() != "null")
}

/// The number of members of a list.
pub(crate) fn count(raw: Raw<'_>) -> Option<u64> {
    let list: Vec<IgnoredAny> = value(raw)?;
    u64::try_from(list.len()).ok()
}
