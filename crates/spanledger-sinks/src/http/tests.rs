use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::value::RawValue;
use spanledger_event::CostEvent;

use super::*;
use crate::{
    Batch, BoxSink, Fault, Opening, Purpose, Sink as _, SinkConfig as _,
    conformance::{self, Harness},
};

/// A request as it arrived.
#[derive(Clone, Debug)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A service that remembers idempotency keys.
#[derive(Clone)]
struct Service {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    requests: Vec<Request>,
    keys: BTreeSet<String>,
    events: Vec<CostEvent>,
    /// The status of all answers, instead of 200.
    status: Option<&'static str>,
    /// Stores the events and closes the connection without an answer.
    loses_answers: bool,
}

/// The name of a feature that the service refuses.
const REFUSED: &str = "refused";

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let this = service.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let this = this.clone();
                std::thread::spawn(move || this.answer(stream));
            }
        });
        service
    }

    fn answer(&self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream) else { return };
        let (status, is_lost) = self.state.lock().unwrap().take(&request);
        if !is_lost {
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 3\r\nconnection: close\r\n\r\nwhy");
            stream.write_all(answer.as_bytes()).unwrap_or_default();
        }
    }

    fn config(&self, more: &str) -> HttpConfig {
        toml::from_str(&format!("url = 'http://{}/costs?token=hidden'\n{more}", self.address)).unwrap()
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }
}

impl State {
    fn take(&mut self, request: &Request) -> (&'static str, bool) {
        self.requests.push(request.clone());
        if let Some(status) = self.status {
            return (status, false);
        }
        let text = String::from_utf8(request.body.clone()).unwrap();
        let events: Vec<CostEvent> = if text.starts_with('[') {
            serde_json::from_str(&text).unwrap()
        } else {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        if events.iter().any(|event| event.feature.as_deref() == Some(REFUSED)) {
            return ("422 Unprocessable Content", false);
        }
        if self.keys.insert(request.header("idempotency-key").unwrap().to_owned()) {
            self.events.extend(events);
        }
        ("200 OK", self.loses_answers)
    }
}

/// Reads a request.
fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut part = [0; 8_192];
    loop {
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let request = Request { head, body: bytes[end + 4..].to_vec() };
        let length: usize = request.header("content-length")?.parse().ok()?;
        if request.body.len() >= length {
            return Some(request);
        }
    }
}

impl Harness for Service {
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.config("").build().unwrap())
    }

    async fn stored(&self) -> Vec<CostEvent> {
        self.state.lock().unwrap().events.clone()
    }

    async fn set_broken(&self, broken: bool) -> bool {
        self.set(|state| state.status = broken.then_some("503 Service Unavailable"));
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.feature = Some(REFUSED.to_owned());
        true
    }
}

fn opening() -> Opening {
    Opening { ledger: "ledger".into(), sink: "http".into(), purpose: Purpose::Deliver }
}

fn batch() -> Batch {
    conformance::batch(0, conformance::events(0..3))
}

async fn send(config: HttpConfig) -> Result<(), Fault> {
    let mut sink = config.build().unwrap();
    sink.open(&opening()).await?;
    sink.write(&batch()).await.map(drop)
}

#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    conformance::check(&Service::start()).await.unwrap();
}

/// Scenario: the service stores a batch, and its answer is lost.
#[tokio::test]
async fn a_batch_whose_answer_was_lost_has_the_same_key_again() {
    let service = Service::start();
    service.set(|state| state.loses_answers = true);
    let mut sink = service.config("").build().unwrap();
    sink.open(&opening()).await.unwrap();
    assert!(matches!(sink.write(&batch()).await, Err(Fault::Retry { .. })));
    service.set(|state| state.loses_answers = false);
    sink.write(&batch()).await.unwrap();
    assert_eq!(service.stored().await.len(), 3, "the service recognizes the batch");
}

#[tokio::test]
async fn a_request_has_its_headers_and_a_signature_over_its_body() {
    let service = Service::start();
    let options = "secret = 'whsec_c2VjcmV0'\nheaders = { authorization = 'Bearer x' }\nomit_columns = ['dims']\n\
                   format = 'json_lines'";
    send(service.config(options)).await.unwrap();
    let request = service.state.lock().unwrap().requests[0].clone();
    assert_eq!(request.header("authorization"), Some("Bearer x"));
    assert_eq!(request.header("content-type"), Some("application/x-ndjson"));
    let id = batch().id.to_string();
    assert_eq!((request.header("webhook-id"), request.header("idempotency-key")), (Some(&*id), Some(&*id)));
    let timestamp = request.header("webhook-timestamp").unwrap().parse().unwrap();
    let key = signature::key("secret").unwrap();
    let expected = signature::sign(&key, &id, timestamp, &request.body);
    assert_eq!(request.header("webhook-signature"), Some(&*expected));
    let text = String::from_utf8(request.body).unwrap();
    let lines: Vec<BTreeMap<String, &RawValue>> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| !line.contains_key("dims") && line.contains_key("event_id")));
}

#[tokio::test]
async fn an_error_names_the_address_without_its_secrets_and_the_remedy() {
    let service = Service::start();
    service.set(|state| state.status = Some("401 Unauthorized"));
    let fault = send(service.config("")).await.unwrap_err();
    let Fault::Blocked { reason, remedy } = &fault else { panic!("{fault:?}") };
    assert!(
        reason.contains(&format!("http://{}/costs", service.address)) && reason.contains("401"),
        "{reason}"
    );
    assert!(!reason.contains("hidden") && remedy.contains("`headers`"), "{fault}");

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config: HttpConfig = toml::from_str(&format!("url = 'http://{closed}/?token=hidden'")).unwrap();
    let fault = send(config).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry { .. }) && !fault.to_string().contains("hidden"), "{fault}");
}

#[tokio::test]
async fn options_that_cannot_be_used_are_named() {
    let service = Service::start();
    for (options, words) in [
        ("secret = { env = 'SPANLEDGER_NO_SUCH_VARIABLE' }", "SPANLEDGER_NO_SUCH_VARIABLE"),
        ("secret = 'whsec_%%'", "`secret`"),
        ("ca_file = '/no/such/file'", "/no/such/file"),
        ("headers = { x = { file = '/no/such/file' } }", "/no/such/file"),
    ] {
        let fault = send(service.config(options)).await.unwrap_err();
        assert!(matches!(fault, Fault::Blocked { .. }) && fault.to_string().contains(words), "{fault}");
    }
    let error = service.config("headers = { 'a b' = 'x' }").build().unwrap_err();
    assert!(error.to_string().contains("`a b`"), "{error}");
}
