//! A service in Python without any code of Spanledger: the OpenAI SDK, the official instrumentation, the
//! OpenTelemetry exporters.

use std::path::Path;

use serde_json::Value;
use spanledger_event::{CostEvent, EventState, UsageSource, Usd};
use spanledger_testkit::{Provider, Reply, Usage};

use crate::support::{Serve, peer, peer_command};

/// The event that a call of the client must become.
struct Expected {
    name: &'static str,
    endpoint: &'static str,
    model: &'static str,
    response_model: Option<&'static str>,
    /// The provider's counts: input, its cached part, its cache-write part, output, its reasoning part.
    tokens: Option<[i64; 5]>,
    /// The cost in dollars, or the reason of an unpriced call.
    cost: Result<&'static str, &'static str>,
    error: Option<&'static str>,
    stream: bool,
}

const CHAT: &str = "gpt-5.5";
/// The model's dated name, which the provider answers with.
const SNAPSHOT: &str = "gpt-5.5-2026-04-23";
const EMBEDDING: &str = "text-embedding-3-small";
const REFUSED: &str = "fail-400";

/// The expected events, in the order of the calls. A million tokens of gpt-5.5 cost 5 dollars (input), 0.50
/// (cached input) and 30 (output and reasoning). The model has no price for cache writes, so they cost what
/// input costs.
const EXPECTED: [Expected; 6] = [
    Expected {
        name: "chat",
        endpoint: "chat",
        model: CHAT,
        response_model: Some(SNAPSHOT),
        tokens: Some([15_234, 12_000, 0, 5_312, 4_500]),
        // 3,234 × 5 = 16,170; 12,000 × 0.5 = 6,000; 5,312 × 30 = 159,360; in all 181,530 millionths.
        cost: Ok("0.18153"),
        error: None,
        stream: false,
    },
    Expected {
        name: "chat_stream_usage",
        endpoint: "chat",
        model: CHAT,
        response_model: Some(SNAPSHOT),
        tokens: Some([2_100, 1_024, 0, 410, 128]),
        // 1,076 × 5 = 5,380; 1,024 × 0.5 = 512; 410 × 30 = 12,300; in all 18,192 millionths.
        cost: Ok("0.018192"),
        error: None,
        stream: true,
    },
    Expected {
        name: "chat_stream",
        endpoint: "chat",
        model: CHAT,
        response_model: Some(SNAPSHOT),
        // The client did not request the usage of this stream.
        tokens: None,
        cost: Err("no_usage"),
        error: None,
        stream: true,
    },
    Expected {
        name: "responses",
        endpoint: "responses",
        model: CHAT,
        response_model: Some(SNAPSHOT),
        tokens: Some([4_020, 1_000, 500, 900, 640]),
        // 2,520 × 5 = 12,600; 1,000 × 0.5 = 500; 500 × 5 = 2,500; 900 × 30 = 27,000; in all 42,600
        // millionths.
        cost: Ok("0.0426"),
        error: None,
        stream: false,
    },
    Expected {
        name: "embeddings",
        endpoint: "embeddings",
        model: EMBEDDING,
        response_model: Some(EMBEDDING),
        tokens: Some([37, 0, 0, 0, 0]),
        // 37 × 0.02 = 0.74 millionths.
        cost: Ok("0.00000074"),
        error: None,
        stream: false,
    },
    Expected {
        name: "chat_failing",
        endpoint: "chat",
        model: REFUSED,
        response_model: None,
        tokens: None,
        // The provider refused the call before the model ran. The call is known to be free, so it is not
        // unpriced.
        cost: Ok("0"),
        // The instrumentation reports the qualified name of the exception.
        error: Some("openai.BadRequestError"),
        stream: false,
    },
];

/// The number of the client's calls, each of which is one event.
pub(crate) const CALLS: usize = EXPECTED.len();

/// A provider that answers the client's calls as [`EXPECTED`] says.
pub(crate) async fn provider() -> Provider {
    let provider = Provider::builder().seed(11).start().await.unwrap();
    for call in &EXPECTED {
        let reply = match (call.error, call.tokens) {
            (Some(_), _) => Reply::invalid_request("The client asked for a refusal."),
            (None, Some([input, cached, cache_write, output, reasoning])) => {
                let count = |tokens: i64| u64::try_from(tokens).unwrap();
                let usage = Usage::new(count(input), count(output)).cached(count(cached));
                Reply::new().usage(usage.cache_write(count(cache_write)).reasoning(count(reasoning)))
            }
            // The provider knows the usage of this stream, but the client did not request it.
            (None, None) => Reply::new().usage(Usage::new(900, 90)),
        };
        provider.push_for(call.model, reply);
    }
    provider
}

/// Runs the client to its end and returns its report of the provider's answers.
pub(crate) fn run_client(python: &Path, protocol: &str, endpoint: &str, provider: &Provider) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/openai_client.py");
    let output = peer_command(python)
        .arg(script)
        .args(["--protocol", protocol, "--otlp-endpoint", endpoint])
        .args(["--provider-base-url", &provider.base_url()])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the client failed: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The first of these numbers that a usage object has; zero if it has neither.
fn number(usage: &Value, pointers: [&str; 2]) -> i64 {
    pointers.iter().find_map(|pointer| usage.pointer(pointer)?.as_i64()).unwrap_or(0)
}

/// Compares every event of the client with the provider's answers and with [`EXPECTED`].
pub(crate) fn check(events: &[CostEvent], report: &Value) {
    assert_eq!(events.len(), CALLS, "{events:#?}");
    let calls = report["calls"].as_array().unwrap();
    assert_eq!(calls.len(), CALLS);
    // The client makes one call after the other, so the events are in the order of the calls.
    for ((event, call), expected) in events.iter().zip(calls).zip(&EXPECTED) {
        assert_eq!(call["name"], expected.name);
        check_call(event, call, expected);
        assert_eq!(event.trace_id.as_deref(), report["trace_id"].as_str());
        assert_eq!(event.service_name.as_deref(), report["service"].as_str());
        // The attribution is on the spans; only the environment is on the resource.
        assert_eq!(event.environment.as_deref(), report["environment"].as_str());
        for (key, value) in [
            ("spanledger.feature", &event.feature),
            ("spanledger.customer_id", &event.customer_id),
            ("spanledger.route", &event.route),
        ] {
            assert!(value.is_some(), "{key} is missing: {event:#?}");
            assert_eq!(value.as_deref(), report["attribution"][key].as_str());
        }
    }
}

fn check_call(event: &CostEvent, call: &Value, expected: &Expected) {
    let name = expected.name;
    assert_eq!(event.event, "openai.request", "{name}");
    assert_eq!(event.state, EventState::Live, "{name}");
    assert_eq!(event.endpoint, expected.endpoint, "{name}");
    assert_eq!(event.model.as_deref(), Some(expected.model), "{name}");
    assert_eq!(event.response_model.as_deref(), expected.response_model, "{name}");
    assert_eq!(event.response_model.as_deref(), call["model"].as_str(), "{name}");
    assert_eq!(event.response_id.as_deref(), call["response_id"].as_str(), "{name}");
    assert_eq!(event.stream, expected.stream, "{name}");
    assert_eq!((event.attempts, event.flags.len()), (1, 0), "{name}");
    assert!(event.span_id.is_some() && event.parent_span_id.is_some(), "{name}");

    let usage = &call["usage"];
    let tokens = (!usage.is_null()).then(|| {
        [
            number(usage, ["/prompt_tokens", "/input_tokens"]),
            number(usage, ["/prompt_tokens_details/cached_tokens", "/input_tokens_details/cached_tokens"]),
            number(
                usage,
                ["/prompt_tokens_details/cache_write_tokens", "/input_tokens_details/cache_write_tokens"],
            ),
            number(usage, ["/completion_tokens", "/output_tokens"]),
            number(
                usage,
                ["/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"],
            ),
        ]
    });
    assert_eq!(tokens, expected.tokens, "the provider's counts of {name}");
    let counts = [
        event.prompt_tokens,
        event.cached_tokens,
        event.cache_write_tokens,
        event.completion_tokens,
        event.reasoning_tokens,
    ];
    // The event counts only visible output as completion tokens.
    let wanted = tokens.map(|[input, cached, write, output, reasoning]| {
        [input, cached, write, output - reasoning, reasoning].map(Some)
    });
    assert_eq!(counts, wanted.unwrap_or([None; 5]), "tokens of {name}");
    let source = if tokens.is_some() { UsageSource::Provider } else { UsageSource::None };
    assert_eq!(event.usage_source, source, "{name}");

    let cost = event.cost_usd.map(|usd| usd.to_string());
    assert_eq!(cost.as_deref(), expected.cost.ok(), "cost of {name}");
    let lines: Usd = event.cost_lines.iter().map(|line| line.usd).sum();
    assert_eq!(lines, event.cost_usd.unwrap_or(Usd::ZERO), "lines of {name}");
    assert_eq!(event.billed_usd, event.cost_usd, "{name}");
    let reason = event.cost_reason.as_deref();
    assert_eq!(reason, expected.cost.err(), "{name}");
    assert_eq!(event.cost_state, if expected.cost.is_ok() { "priced" } else { "unpriced" }, "{name}");
    assert_eq!(event.error_code.as_deref(), expected.error, "{name}");
}

/// Asserts that no attribution reached the provider.
pub(crate) fn check_nothing_leaked(provider: &Provider, requests: usize) {
    assert_eq!((provider.requests().len(), provider.scripted()), (requests, 0));
    for request in provider.requests() {
        assert!(!request.headers.contains_key("baggage"));
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let body = String::from_utf8_lossy(&request.body);
        let all = format!("{} {:?} {headers:?} {body}", request.path, request.query);
        for secret in ["spanledger", "checkout", "cust-4711", "/search", "acme", "staging"] {
            assert!(!all.to_ascii_lowercase().contains(secret), "`{secret}` is in {all}");
        }
    }
}

async fn a_service_is_priced_over(protocol: &str, url: fn(&Serve) -> String) {
    let Some(python) = peer("venv/bin/python") else { return };
    let provider = provider().await;
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("l.db"), &[]);
    let report = run_client(&python, protocol, &url(&serve), &provider);
    // The client ends after its spans were acknowledged, so they are in the ledger.
    check(&serve.events(), &report);
    check_nothing_leaked(&provider, CALLS);
}

/// Guarantees: the six calls are six events with exact costs; the spans of the official instrumentation
/// arrive uncompressed over gRPC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_in_python_is_priced_over_grpc() {
    a_service_is_priced_over("grpc", Serve::grpc_url).await;
}

/// Guarantees: as above; the spans arrive compressed over HTTP.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_in_python_is_priced_over_http() {
    a_service_is_priced_over("http/protobuf", Serve::http_url).await;
}
