//! Calls that are sent to the program.

use spanledger_testkit::otlp::{self, SpanBuilder};

/// An export request with one attributed call of so many input tokens. Its response id is
/// `chatcmpl-<number>`.
pub(crate) fn export_request(model: &str, number: u64, input_tokens: i64) -> Vec<u8> {
    let call = SpanBuilder::chat(model)
        .number(number)
        .attributed()
        .response_id(format!("chatcmpl-{number}"))
        .tokens(input_tokens, 0);
    otlp::protobuf(&otlp::traces([call.build()]))
}

/// Posts an export request of spans; answers the status.
pub(crate) async fn post_traces(
    client: &reqwest::Client,
    url: &str,
    body: Vec<u8>,
) -> Result<u16, reqwest::Error> {
    let request = client.post(format!("{url}/v1/traces")).header("content-type", otlp::PROTOBUF).body(body);
    Ok(request.send().await?.status().as_u16())
}
