use super::*;

const FORM: &str = "--b-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
Content-Type: application/octet-stream\r\n\r\n\r\n--b-\r\n--b\r\nsome\r\n\r\naudio\r\n--b-1\r\n\
content-disposition: form-data; name=\"model\"\r\n\r\ngpt-4o-transcribe\r\n--b-1\r\n\
Content-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b-1\r\n\
Content-Disposition: form-data; name=\"n\"\r\n\r\n2\r\n--b-1--\r\n";

fn read(form: &[u8], size: usize) -> FormFields {
    let fields = FormFields::default();
    let mut reader = FormReader::new("b-1", fields.clone());
    form.chunks(size).for_each(|chunk| reader.push(chunk));
    assert!(reader.pending.len() <= HEADERS_BYTES_MAX * 2, "{}", reader.pending.len());
    fields
}

#[test]
fn the_fields_do_not_depend_on_where_the_chunks_break() {
    for size in 1..=FORM.len() {
        let fields = read(FORM.as_bytes(), size);
        assert_eq!(fields.get("model").as_deref(), Some("gpt-4o-transcribe"), "chunks of {size}");
        assert_eq!(fields.get("n").as_deref(), Some("2"), "chunks of {size}");
        assert_eq!(fields.get("empty").as_deref(), Some(""), "chunks of {size}");
        assert_eq!(fields.get("file"), None, "a file is not read");
    }
}

#[test]
fn a_large_value_and_endless_headers_are_not_kept() {
    let large = "x".repeat(VALUE_BYTES_MAX + 1);
    let form = format!(
        "--b-1\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n{large}\r\n--b-1\r\n\
         Content-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b-1--"
    );
    for size in [1, 7, 100, form.len()] {
        let fields = read(form.as_bytes(), size);
        assert_eq!((fields.get("prompt"), fields.get("model").as_deref()), (None, Some("m")));
    }
    let endless = format!("--b-1\r\nx: {}", "y".repeat(100_000));
    assert_eq!(read(endless.as_bytes(), 333).get("x"), None);
}

#[test]
fn the_boundary_is_that_of_the_content_type() {
    let of = |value: &str| boundary(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]));
    assert_eq!(of("multipart/form-data; boundary=abc").as_deref(), Some("abc"));
    assert_eq!(of("multipart/form-data; charset=utf-8; boundary=\"a b\"").as_deref(), Some("a b"));
    assert_eq!(of("multipart/form-data"), None);
    assert_eq!(of("application/json"), None);
}
