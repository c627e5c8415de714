use proptest::prelude::*;

use crate::{Encoding, Logs, ObservationReader, Traces};

#[test]
fn bytes_that_are_not_a_message_are_an_error() {
    for (bytes, encoding) in [
        (&b"\x0a\xff"[..], Encoding::Protobuf),
        (b"{\"resourceSpans\":", Encoding::Json),
        (b"[]", Encoding::Json),
        (b"\xff\xfe", Encoding::Json),
    ] {
        assert!(
            Traces::decode(bytes, encoding).is_err() && Logs::decode(bytes, encoding).is_err(),
            "{bytes:?}"
        );
    }
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(Traces::decode(deep.as_bytes(), Encoding::Json).is_err());
    assert!(Traces::decode(b"", Encoding::Protobuf).unwrap().span_count() == 0);
    assert!(Traces::decode(b"\xef\xbb\xbf{}", Encoding::Json).unwrap().span_count() == 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Ok(traces) = Traces::decode(&bytes, encoding) {
                let _read = ObservationReader::default().traces(&traces);
            }
            if let Ok(logs) = Logs::decode(&bytes, encoding) {
                let _read = ObservationReader::default().logs(&logs);
            }
        }
    }
}
