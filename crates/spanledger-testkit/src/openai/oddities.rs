//! Odd values in an otherwise correct answer.

use bytes::Bytes;
use serde_json::Value;

use crate::openai::json;
use crate::openai::sse::Frame;

/// Replaces these fields of a JSON body. Other bodies stay as they are.
pub(crate) fn replace_in(body: Bytes, fields: &[(String, Value)]) -> Bytes {
    replaced(&body, fields, |_| true).unwrap_or(body)
}

/// Replaces these fields in every message that has them and in which they are not null.
pub(crate) fn replace_in_frames(frames: &mut [Frame], fields: &[(String, Value)]) {
    for frame in frames {
        let Some(at) = frame.bytes.windows(6).position(|part| part == b"data: ") else { continue };
        let (head, data) = frame.bytes.split_at(at + 6);
        if let Some(data) = replaced(data, fields, |value| !value.is_null()) {
            frame.bytes = [head, &data, b"\n\n"].concat().into();
        }
    }
}

/// The body with the fields that it has replaced. `None` if nothing changes, so that all other bodies keep the
/// order of their keys.
fn replaced(body: &[u8], fields: &[(String, Value)], applies: impl Fn(&Value) -> bool) -> Option<Bytes> {
    let mut object: Value = (!fields.is_empty()).then(|| serde_json::from_slice(body).ok())??;
    let mut changed = false;
    for (pointer, value) in fields {
        if let Some(field) = object.pointer_mut(pointer).filter(|field| applies(field)) {
            value.clone_into(field);
            changed = true;
        }
    }
    changed.then(|| json::bytes(&object))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::{replace_in, replace_in_frames};
    use crate::openai::sse::Frame;

    #[test]
    fn only_fields_that_are_there_are_replaced() {
        let fields = [("/a".to_owned(), json!(7)), ("/b/0/c".to_owned(), json!({"d": 1}))];
        let replaced = replace_in(Bytes::from_static(br#"{"a":"x","b":[{"c":2}]}"#), &fields);
        assert_eq!(replaced, r#"{"a":7,"b":[{"c":{"d":1}}]}"#);
        let without = Bytes::from_static(br#"{"z":1, "y":2}"#);
        assert_eq!(replace_in(without.clone(), &fields), without, "byte for byte");
        let text = Bytes::from_static(b"plain");
        assert_eq!(replace_in(text.clone(), &fields), text);
    }

    #[test]
    fn in_a_stream_a_null_field_stays_null() {
        let mut frames =
            [Frame::event("e", &json!({"a": null})), Frame::data(&json!({"a": 1})), Frame::done()];
        replace_in_frames(&mut frames, &[("/a".to_owned(), json!([]))]);
        assert_eq!(frames[0].bytes, "event: e\ndata: {\"a\":null}\n\n");
        assert_eq!(frames[1].bytes, "data: {\"a\":[]}\n\n");
        assert_eq!(frames[2].bytes, "data: [DONE]\n\n");
    }
}
