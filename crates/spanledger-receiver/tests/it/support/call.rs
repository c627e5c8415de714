//! Calls to send, and the ways of packing them.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{GzEncoder, ZlibEncoder},
};
use opentelemetry_proto::tonic::trace::v1::Span;
use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
use spanledger_otlp::record;
use spanledger_testkit::otlp::{START, SpanBuilder, hex, protobuf, text, traces};

/// A GenAI call that no other test sends: 1,000 tokens of input, 50 of output.
#[derive(Clone, Debug)]
pub(crate) struct Call(SpanBuilder);

impl Call {
    pub(crate) fn new() -> Self {
        Self(SpanBuilder::chat("gpt-5.5").tokens(1_000, 50))
    }

    /// The event that the receiver makes of the span.
    pub(crate) fn id(&self) -> EventId {
        self.0.event_id()
    }

    pub(crate) fn span(&self) -> Span {
        self.0.clone().build()
    }

    pub(crate) fn trace_id(&self) -> String {
        hex(&self.span().trace_id)
    }

    pub(crate) fn protobuf(&self) -> Vec<u8> {
        protobuf(&traces([self.span()]))
    }

    /// The span in JSON, written by hand: only what an emitter must say, spelled as tests replace it.
    pub(crate) fn json_span(&self) -> String {
        let span = self.span();
        format!(
            r#"{{"traceId":"{}","spanId":"{}","name":"chat gpt-5.5","kind":3,"startTimeUnixNano":"{START}","endTimeUnixNano":"{}","attributes":[
                {{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},
                {{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},
                {{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"50"}}}}]}}"#,
            hex(&span.trace_id),
            hex(&span.span_id),
            START + 1,
        )
    }

    pub(crate) fn json(&self) -> String {
        json_traces(&self.json_span())
    }

    /// The project's own record of another call, and its event.
    pub(crate) fn record(&self) -> (Vec<u8>, EventId) {
        let number = hex(&self.span().span_id);
        let id = EventId::of_request(&number, 7);
        let start = Timestamp::from_nanos(i64::try_from(START).unwrap());
        let observation = Observation::new(id.clone(), number, ObservedAs::Record, start);
        (record::request(vec![record::record(&observation)], &[], "0").to_protobuf(), id)
    }
}

pub(crate) fn json_traces(spans: &str) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#)
}

/// A message of exactly `length` bytes with one call in it.
pub(crate) fn message_of(call: &Call, length: usize) -> Vec<u8> {
    let build = |padding: usize| {
        let mut span = call.span();
        span.attributes.push(text("padding", "x".repeat(padding)));
        protobuf(&traces([span]))
    };
    let mut padding = length - build(0).len();
    let mut message = build(padding);
    // The lengths around the padding grow with it.
    while message.len() > length {
        padding -= message.len() - length;
        message = build(padding);
    }
    assert_eq!(message.len(), length, "no message has this length: choose another");
    message
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compresses by the name that stands in `Content-Encoding` or `grpc-encoding`.
pub(crate) fn compress(encoding: Option<&str>, bytes: &[u8]) -> Vec<u8> {
    match encoding {
        None | Some("identity") => bytes.to_owned(),
        Some("gzip") => gzip(bytes),
        Some("deflate") => zlib(bytes),
        Some(other) => panic!("{other} is not a compression of these tests"),
    }
}

/// A gzip body, in members of 1 MiB, that inflates to this many bytes.
pub(crate) fn bomb(inflated: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; 1 << 20]).unwrap();
    encoder.finish().unwrap().repeat(inflated >> 20)
}
