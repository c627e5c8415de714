//! OTLP/JSON, as emitters write it.
//!
//! The reader is that of `opentelemetry-proto`. Where it is stricter than the rule, the request is
//! refused with 400 and nothing is recorded in part; such rows are in
//! [`stricter_than_the_rule_is_refused_as_a_whole`].

use spanledger_testkit::otlp::{JSON, START};

use crate::support::{Call, Harness, TRACES, json_traces};

async fn send(harness: &Harness, body: String) -> u16 {
    let answer = harness.post(TRACES, &[("content-type", JSON)], body).await;
    if answer.status != 200 {
        answer.refusal();
    }
    answer.status
}

/// A call whose span differs from the usual one: the first place of `old` is replaced by `new`. An
/// `old` that ends in `$` means its last place.
fn changed(old: &str, new: &str) -> (Call, String) {
    let call = Call::new();
    let span = call.json_span();
    let (at, length) = match old.strip_suffix('$') {
        Some(last) => (span.rfind(last), last.len()),
        None => (span.find(old), old.len()),
    };
    let at = at.unwrap_or_else(|| panic!("{old} is not in {span}"));
    let span = format!("{}{new}{}", &span[..at], &span[at + length..]);
    assert_ne!(span, call.json_span(), "the row changes nothing");
    (call, json_traces(&span))
}

/// J1, J2, J3, J4, J5, J6, J9, J10, J11, J15: every form that the rules allow is read.
#[tokio::test]
async fn every_form_that_the_rules_allow_is_read() {
    let harness = Harness::start().await;
    let time = format!("\"{START}\"");
    for (row, old, new) in [
        ("J1 an empty parent", "}$", r#","parentSpanId":""}"#),
        ("J1 links", "}$", r#","links":[{"traceId":"AB","spanId":"cd"}]}"#),
        ("J2 a number", r#""kind":3"#, r#""kind":2"#),
        ("J3 unknown in a span", "}$", r#","later":{"a":[1,{"b":null}]},"x":"y"}"#),
        ("J3 unknown in a value", r#""chat"}"#, r#""chat","later":[{"a":1}]}"#),
        ("J4 snake case is unknown", "}$", r#","trace_id":"zz","kind_of":1}"#),
        ("J5 a number", time.as_str(), &START.to_string()),
        ("J6 a number", r#"{"intValue":"1000"}"#, r#"{"intValue":1000}"#),
        ("J9 a value of null", "]$", r#",{"key":"d","value":{"doubleValue":null}}]"#),
        ("J10 an empty value", "]$", r#",{"key":"empty","value":{}}]"#),
        ("J10 no value", "]$", r#",{"key":"empty"}]"#),
        ("J11 a truth", "]$", r#",{"key":"b","value":{"boolValue":true}}]"#),
        ("J15 white space", "{", " \r\n\t{"),
        ("J15 NUL", "]$", r#",{"key":"n","value":{"stringValue":"a\u0000b"}}]"#),
    ] {
        let (call, body) = changed(old, new);
        assert_eq!(send(&harness, body).await, 200, "{row}");
        let event = harness.event(&call.id()).unwrap_or_else(|| panic!("{row}: not recorded"));
        assert_eq!(event.prompt_tokens, Some(1_000), "{row}");
    }
}

/// J1: ids are hexadecimal digits of either case, and the case does not make another call.
#[tokio::test]
async fn ids_have_digits_of_any_case() {
    let harness = Harness::start().await;
    let call = Call::new();
    let lower = call.json();
    let upper = lower.replace(&call.trace_id(), &call.trace_id().to_uppercase());
    let mixed = lower.replace("abab", "aBAb");
    assert!(lower != upper && lower != mixed && upper != mixed);
    for body in [lower, upper, mixed] {
        assert_eq!(send(&harness, body).await, 200);
    }
    assert!(harness.holds(&call));
    assert_eq!(harness.summary().observations, 1);
}

/// J3, J12: every field may be missing, and unknown names are ignored at every level.
#[tokio::test]
async fn fields_may_be_missing_or_unknown_at_every_level() {
    let harness = Harness::start().await;
    let call = Call::new();
    let span = call.json_span();
    let body = format!(
        r#"{{"later":[[]],"resourceSpans":[{{}},{{"x":1,"resource":{{"y":{{}}}},"scopeSpans":[{{}},
            {{"z":null,"scope":{{"w":[1]}},"spans":[{{}},{span}]}}]}}]}}"#
    );
    assert_eq!(send(&harness, body).await, 200);
    assert!(harness.holds(&call));
    assert_eq!(harness.summary().events, 1);
}

/// J16: an unknown member is ignored without recursion, however deep it is.
#[tokio::test]
async fn an_unknown_member_may_be_deep() {
    let harness = Harness::start().await;
    let call = Call::new();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let body = call.json().replacen('{', &format!(r#"{{"unknown":{open}{close},"#), 1);
    assert_eq!(send(&harness, body).await, 200);
    assert!(harness.holds(&call));
}

/// J15: a byte-order mark in front is ignored.
#[tokio::test]
async fn a_byte_order_mark_is_ignored() {
    let harness = Harness::start().await;
    let call = Call::new();
    assert_eq!(send(&harness, format!("\u{feff}{}", call.json())).await, 200);
    assert!(harness.holds(&call));
}

/// J5, J6, J11, J15, J16: a form that the rules forbid is answered with 400, and nothing of the request is recorded.
#[tokio::test]
async fn what_the_rules_forbid_is_refused() {
    let harness = Harness::start().await;
    let value =
        |value: &str| json_traces(&Call::new().json_span().replace(r#"{"stringValue":"chat"}"#, value));
    let depth = |open: &str, middle: &str, close: &str, count: usize| {
        value(&format!("{}{middle}{}", open.repeat(count), close.repeat(count)))
    };
    let list = r#"{"arrayValue":{"values":["#;
    let map = r#"{"kvlistValue":{"values":[{"key":"k","value":"#;
    for (row, body) in [
        ("J5 a negative time", Call::new().json().replace(&format!("\"{START}\""), "-1")),
        ("J5 a time of letters", Call::new().json().replace(&format!("\"{START}\""), "\"soon\"")),
        ("J6 too large", value(r#"{"intValue":"9223372036854775808"}"#)),
        ("J11 a truth in words", value(r#"{"boolValue":"true"}"#)),
        ("J11 a truth in numbers", value(r#"{"boolValue":1}"#)),
        ("J15 a lone surrogate", value(r#"{"stringValue":"\ud800"}"#)),
        ("J16 lists", depth(list, r#"{"intValue":1}"#, "]}}", 100_000)),
        ("J16 maps", depth(map, "{}", "}]}}", 100_000)),
        ("J16 brackets", format!(r#"{{"unknown":{}"#, "[".repeat(1_000_000))),
    ] {
        assert_eq!(send(&harness, body).await, 400, "{row}");
    }
    let mut invalid = Call::new().json().into_bytes();
    let at = invalid.windows(4).position(|window| window == b"chat").unwrap();
    invalid[at] = 0xff;
    let answer = harness.post(TRACES, &[("content-type", JSON)], invalid).await;
    assert_eq!(answer.status, 400, "J15 invalid UTF-8");
    assert_eq!(harness.summary().observations, 0);
}

/// J1, J2, J5, J6, J9: the rules allow these forms, but the reader refuses them. The client receives a refusal,
/// so no data is lost silently. If a later version of the reader accepts a row, move the row to
/// [`every_form_that_the_rules_allow_is_read`].
#[tokio::test]
async fn stricter_than_the_rule_is_refused_as_a_whole() {
    let harness = Harness::start().await;
    let time = format!("\"{START}\"");
    for (row, old, new) in [
        ("J1 odd length", r#""traceId":""#, r#""traceId":"a"#),
        ("J1 no hex", r#""traceId":"ab"#, r#""traceId":"zz"#),
        ("J2 a name", r#""kind":3"#, r#""kind":"SPAN_KIND_CLIENT""#),
        ("J5 an exponent", time.as_str(), "1.7952552e18"),
        ("J6 a whole number with a point", r#"{"intValue":"1000"}"#, r#"{"intValue":1000.0}"#),
        ("J9 a list of null", r#""name":"#, r#""events":null,"name":"#),
        ("J9 a text of null", r#""name":"chat gpt-5.5""#, r#""name":null"#),
    ] {
        let (call, body) = changed(old, new);
        assert_eq!(send(&harness, body).await, 400, "{row}: now accepted");
        assert!(!harness.holds(&call), "{row}");
    }
    assert_eq!(harness.summary().observations, 0);
}
