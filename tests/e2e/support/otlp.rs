//! Sends calls to the program.

use spanledger_testkit::otlp::{self, SpanBuilder};

/// Posts one attributed call with this number of input tokens and the response id `chatcmpl-<number>`.
/// Returns the HTTP status.
pub(crate) async fn post_call(
    client: &reqwest::Client,
    url: &str,
    model: &str,
    number: u64,
    input_tokens: i64,
) -> Result<u16, reqwest::Error> {
    let call = SpanBuilder::chat(model)
        .number(number)
        .attributed()
        .response_id(format!("chatcmpl-{number}"))
        .tokens(input_tokens, 0);
    let body = otlp::protobuf(&otlp::traces([call.build()]));
    let request = client.post(format!("{url}/v1/traces")).header("content-type", otlp::PROTOBUF).body(body);
    Ok(request.send().await?.status().as_u16())
}
