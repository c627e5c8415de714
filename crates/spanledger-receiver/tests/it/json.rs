//! OTLP/JSON, as emitters write it.
//!
//! The reader is that of `opentelemetry-proto`. Where it is stricter than the rule, the request is
//! refused with 400 and nothing is recorded in part; such rows stand in [`refused_today`].

use crate::support::{Call, Harness, JSON, START, TRACES, hex, json_traces};

/// What a row replaces in the span's text, and by what.
type Row = (&'static str, &'static str, String);

async fn send(harness: &Harness, body: String) -> u16 {
    let answer = harness.post(TRACES, &[("content-type", JSON)], body).await;
    if answer.status != 200 {
        answer.refusal();
    }
    answer.status
}

/// What must be read, and is.
#[tokio::test]
async fn accepted() {
    let harness = Harness::start().await;
    let more = |text: &str| text.to_owned();
    let rows: Vec<Row> = vec![
        ("J1 empty parent", "}$", more(r#","parentSpanId":""}"#)),
        ("J1 links", "}$", more(r#","links":[{"traceId":"AB","spanId":"cd"}]}"#)),
        ("J2 number", r#""kind":3"#, more(r#""kind":2"#)),
        ("J3 unknown in a span", "}$", more(r#","later":{"a":[1,{"b":null}]},"x":"y"}"#)),
        ("J3 unknown in a value", r#""chat"}"#, more(r#""chat","later":[{"a":1}]}"#)),
        ("J4 snake case is unknown", "}$", more(r#","trace_id":"zz","kind_of":1}"#)),
        ("J5 number", r#""1763719200000000000""#, START.to_string()),
        ("J6 number", r#"{"intValue":"1000"}"#, more(r#"{"intValue":1000}"#)),
        ("J10 {}", "]$", more(r#",{"key":"empty","value":{}}]"#)),
        ("J10 no value", "]$", more(r#",{"key":"empty"}]"#)),
        ("J11", "]$", more(r#",{"key":"b","value":{"boolValue":true}}]"#)),
        ("J9 null value", "]$", more(r#",{"key":"d","value":{"doubleValue":null}}]"#)),
        ("J15 white space", "{", more(" \r\n\t{")),
        ("J15 NUL", "]$", more(r#",{"key":"n","value":{"stringValue":"a\u0000b"}}]"#)),
    ];
    for (row, old, new) in rows {
        let call = Call::new();
        let span = call.json_span("");
        let span = match old.strip_suffix('$') {
            Some(last) => {
                let at = span.rfind(last).unwrap();
                format!("{}{new}{}", &span[..at], &span[at + last.len()..])
            }
            None => span.replacen(old, &new, 1),
        };
        assert_ne!(span, call.json_span(""), "{row}: the row changes something");
        assert_eq!(send(&harness, json_traces(&span)).await, 200, "{row}: {span}");
        let event = harness.event(&call.id()).unwrap_or_else(|| panic!("{row}: not recorded"));
        assert_eq!(event.prompt_tokens, Some(1_000), "{row}");
    }
}

/// J1: ids are hex of either case, and one call by whichever it is written.
#[tokio::test]
async fn ids() {
    let harness = Harness::start().await;
    let call = Call::new();
    let lower = call.json();
    let upper = lower.replace(&hex(&call.trace), &hex(&call.trace).to_uppercase());
    let mixed = lower.replace("abab", "aBAb");
    assert!(lower != upper && lower != mixed && upper != mixed);
    for body in [lower, upper, mixed] {
        assert_eq!(send(&harness, body).await, 200);
    }
    assert!(harness.holds(&call));
    assert_eq!(harness.summary().observations, 1);
}

/// J3, J12: nothing has to be there, and what is unknown is passed over at every level.
#[tokio::test]
async fn sparse_and_unknown() {
    let harness = Harness::start().await;
    let call = Call::new();
    let span = call.json_span("");
    let body = format!(
        r#"{{"later":[[]],"resourceSpans":[{{}},{{"x":1,"resource":{{"y":{{}}}},"scopeSpans":[{{}},
            {{"z":null,"scope":{{"w":[1]}},"spans":[{{}},{span}]}}]}}]}}"#
    );
    assert_eq!(send(&harness, body).await, 200);
    assert!(harness.holds(&call));
    assert_eq!(harness.summary().events, 1);
}

/// J16: what is unknown is passed over without recursion, however deep it is.
#[tokio::test]
async fn depth_of_the_unknown() {
    let harness = Harness::start().await;
    let call = Call::new();
    let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
    let body = call.json().replacen('{', &format!(r#"{{"unknown":{open}{close},"#), 1);
    assert_eq!(send(&harness, body).await, 200);
    assert!(harness.holds(&call));
}

/// J15: a byte-order mark in front is no part of the JSON.
#[tokio::test]
async fn byte_order_mark() {
    let harness = Harness::start().await;
    let call = Call::new();
    assert_eq!(send(&harness, format!("\u{feff}{}", call.json())).await, 200);
    assert!(harness.holds(&call));
}

/// What must not be read: 400, and nothing of the request is recorded.
#[tokio::test]
async fn refused() {
    let harness = Harness::start().await;
    let value =
        |value: &str| json_traces(&Call::new().json_span("").replace(r#"{"stringValue":"chat"}"#, value));
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

/// Rules that the reader breaks today, by refusing what it should read. A client is told so, and
/// nothing is lost in silence; when a row begins to be accepted, it belongs to [`accepted`].
#[tokio::test]
async fn refused_today() {
    let harness = Harness::start().await;
    let span = |old: &str, new: &str| {
        let call = Call::new();
        let span = call.json_span("");
        let changed = span.replacen(old, new, 1);
        assert_ne!(span, changed);
        (call, json_traces(&changed))
    };
    for (row, old, new) in [
        ("J1 odd length", r#""traceId":""#, r#""traceId":"a"#),
        ("J1 no hex", r#""traceId":"ab"#, r#""traceId":"zz"#),
        ("J2 a name", r#""kind":3"#, r#""kind":"SPAN_KIND_CLIENT""#),
        ("J5 exponent", r#""1763719200000000000""#, "1.7637192e18"),
        ("J6 a whole number with a point", r#"{"intValue":"1000"}"#, r#"{"intValue":1000.0}"#),
        ("J9 null list", r#""name":"#, r#""events":null,"name":"#),
        ("J9 null text", r#""name":"chat gpt-5.5""#, r#""name":null"#),
    ] {
        let (call, body) = span(old, new);
        assert_eq!(send(&harness, body).await, 400, "{row}: now accepted");
        assert!(!harness.holds(&call), "{row}");
    }
    assert_eq!(harness.summary().observations, 0);
}
