use super::*;

#[test]
fn a_response_says_how_many_were_rejected_and_why() {
    let expected = PartialSuccess { rejected: 3, message: "too old".to_owned() };
    // Field 1 of the response is a message with a count (field 1) and a text (field 2).
    let protobuf = b"\x0a\x0b\x08\x03\x12\x07too old";
    assert_eq!(PartialSuccess::of_logs(protobuf, Encoding::Protobuf), expected);
    assert_eq!(PartialSuccess::of_traces(protobuf, Encoding::Protobuf), expected);
    let logs = br#"{"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "too old"}}"#;
    assert_eq!(PartialSuccess::of_logs(logs, Encoding::Json), expected);
    let traces = br#"{"partialSuccess": {"rejectedSpans": 3, "errorMessage": "too old"}}"#;
    assert_eq!(PartialSuccess::of_traces(traces, Encoding::Json), expected);
}

#[test]
fn a_full_success_and_what_cannot_be_read_reject_nothing() {
    for response in [&b""[..], b"{}", b"null", b"\xff\xff", b"<html>", br#"{"partialSuccess": null}"#] {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            assert_eq!(PartialSuccess::of_logs(response, encoding), PartialSuccess::default());
        }
    }
}
