use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde_json::json;

use super::Fields;

fn read(content_type: &'static str, body: &'static str) -> Option<Fields> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
    Fields::read(&headers, &Bytes::from_static(body.as_bytes())).ok()
}

const FORM: &str = "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
    Content-Type: audio/mpeg\r\n\r\nbytes\r\n--not the end\r\n\r\n\
    --B\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n\
    --B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n42\r\n--B--\r\n";

#[test]
fn a_form_has_texts_and_files() {
    let fields = read("multipart/form-data; boundary=B", FORM).unwrap();
    assert_eq!(fields.value("model"), json!("42"), "the name of a model is a text");
    assert_eq!(fields.value("stream"), json!(true));
    let file = fields.file("file").unwrap();
    assert_eq!((file.filename.as_str(), &file.bytes[..]), ("a.mp3", &b"bytes\r\n--not the end\r\n"[..]));
}

#[test]
fn a_form_without_its_end_is_refused() {
    let cut = FORM.strip_suffix("--B--\r\n").unwrap();
    assert!(read("multipart/form-data; boundary=B", cut).is_none());
    assert!(read("multipart/form-data; boundary=C", FORM).is_none());
    assert!(read("multipart/form-data; boundary=B", "--B\r\n--B").is_none());
}

#[test]
fn any_other_body_is_json() {
    assert_eq!(read("application/json", r#"{"model":"m"}"#).unwrap().value("model"), json!("m"));
    assert!(read("application/json", FORM).is_none());
}
