//! Most tests run on a real server, the peer `nats`.

use std::sync::{Mutex, PoisonError};

use async_nats::jetstream::{self, stream};
use spanledger_event::CostEvent;
use spanledger_testkit::Nats;

use super::*;
use crate::{
    BoxSink, Fault, Opened, Opening, Purpose, Sink, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK, batch, event, events},
};

const STREAM: &str = "openai_event_revisions";

fn sink(server: &str, more: &str) -> NatsSink {
    let config: NatsConfig = toml::from_str(&format!("servers = {server:?}\n{more}")).unwrap();
    config.build().unwrap()
}

async fn open(sink: &mut NatsSink, purpose: Purpose) -> Result<Opened, Fault> {
    sink.open(&Opening { ledger: LEDGER.to_owned(), sink: SINK.to_owned(), purpose }).await
}

/// The reason and the remedy of a fault that blocks.
fn blocked<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> (String, String) {
    match outcome {
        Err(Fault::Blocked { reason, remedy }) => (reason, remedy),
        other => panic!("it must be blocked: {other:?}"),
    }
}

async fn context(server: &str) -> jetstream::Context {
    jetstream::new(async_nats::connect(server).await.unwrap())
}

/// The events of the stream, as a reader without the sink sees them.
async fn stored(server: &str) -> Vec<CostEvent> {
    let Ok(stream) = context(server).await.get_stream(STREAM).await else { return Vec::new() };
    let state = stream.cached_info().state.clone();
    let mut events = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let event: CostEvent = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(message.headers.get("event_id").unwrap().as_str(), event.event_id.as_str());
        assert_eq!(message.headers.get("revision").unwrap().as_str(), event.revision.to_string());
        events.push(event);
    }
    events
}

struct Destination {
    server: Mutex<Nats>,
    url: String,
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(sink(&self.url, "timeout_seconds = 2"))
    }

    async fn stored(&self) -> Vec<CostEvent> {
        stored(&self.url).await
    }

    async fn set_broken(&self, broken: bool) -> bool {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if broken {
            server.kill();
        } else {
            server.run();
        }
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.cost_detail = Some("x".repeat(2 << 20));
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_passes_the_conformance_suite() {
    let Some(server) = Nats::start("") else { return };
    let url = server.url();
    conformance::check(&Destination { server: Mutex::new(server), url }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_published_again_adds_no_message() {
    let Some(server) = Nats::start("") else { return };
    let batch = batch(0, events(0..20));
    for _ in 0..3 {
        let mut sink = sink(&server.url(), "");
        open(&mut sink, Purpose::Deliver).await.unwrap();
        assert_eq!(sink.write(&batch).await.unwrap().rejected, []);
        sink.commit().await.unwrap();
        sink.close().await;
    }
    assert_eq!(stored(&server.url()).await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_makes_no_stream_and_says_what_delivery_will_make() {
    let Some(server) = Nats::start("") else { return };
    let opened = open(&mut sink(&server.url(), ""), Purpose::Check).await.unwrap();
    assert!(opened.remarks[0].contains("the first delivery makes it"), "{opened:?}");
    let context = context(&server.url()).await;
    assert!(context.get_stream(STREAM).await.is_err());

    let (reason, remedy) =
        blocked(open(&mut sink(&server.url(), "create_stream = false"), Purpose::Deliver).await);
    assert!(reason.contains("does not exist") && remedy.contains("nats stream add"), "{reason}: {remedy}");

    open(&mut sink(&server.url(), ""), Purpose::Deliver).await.unwrap();
    let stream = context.get_stream(STREAM).await.unwrap();
    assert_eq!(stream.cached_info().config.duplicate_window.as_secs(), 600);
    let opened = open(&mut sink(&server.url(), ""), Purpose::Check).await.unwrap();
    assert_eq!((opened.cursor, opened.remarks.len()), (None, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_does_not_suit_is_named_with_the_remedy() {
    let Some(server) = Nats::start("") else { return };
    let context = context(&server.url()).await;
    let make = |subject: &str, config: stream::Config| stream::Config {
        name: STREAM.to_owned(),
        subjects: vec![subject.to_owned()],
        ..config
    };
    context.create_stream(make("other.*", stream::Config::default())).await.unwrap();
    let (reason, remedy) = blocked(open(&mut sink(&server.url(), ""), Purpose::Deliver).await);
    assert!(reason.contains("does not store the subject") && remedy.contains("nats stream edit"), "{reason}");
    open(&mut sink(&server.url(), "subject = \"other.costs\""), Purpose::Deliver).await.unwrap();
    context.delete_stream(STREAM).await.unwrap();

    // The stream is full, and wants no further message.
    let full = stream::Config {
        max_messages: 1,
        discard: stream::DiscardPolicy::New,
        duplicate_window: std::time::Duration::from_secs(5),
        ..stream::Config::default()
    };
    context.create_stream(make(STREAM, full)).await.unwrap();
    let mut sink = sink(&server.url(), "");
    let opened = open(&mut sink, Purpose::Deliver).await.unwrap();
    assert!(
        opened.remarks[0].contains("duplicate window") && opened.remarks[0].contains("5 s"),
        "{opened:?}"
    );
    let (reason, _) = blocked(sink.write(&batch(0, events(0..3))).await);
    assert!(reason.contains("is full"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_and_a_missing_right_block_the_sink() {
    let users = "authorization { users: [
        { user: admin, password: secret },
        { user: reader, password: secret, permissions: { publish: [\"$JS.API.>\"], subscribe: \">\" } }
    ] }";
    let Some(server) = Nats::start(users) else { return };
    let (reason, remedy) = blocked(
        open(&mut sink(&server.url(), "user = \"admin\"\npassword = \"wrong\""), Purpose::Deliver).await,
    );
    assert!(remedy.contains("correct `user` and `password`"), "{reason}: {remedy}");
    let missing = "user = \"admin\"\npassword = { env = \"SPANLEDGER_NO_SUCH_VARIABLE\" }";
    let (reason, _) = blocked(open(&mut sink(&server.url(), missing), Purpose::Deliver).await);
    assert!(reason.contains("SPANLEDGER_NO_SUCH_VARIABLE"), "{reason}");

    let mut reader = sink(&server.url(), "user = \"reader\"\npassword = \"secret\"\ntimeout_seconds = 2");
    open(&mut reader, Purpose::Deliver).await.unwrap();
    let (reason, remedy) = blocked(reader.write(&batch(0, vec![event(0)])).await);
    assert!(remedy.contains("the right to publish"), "{reason}: {remedy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_asked_again() {
    let Some(mut server) = Nats::start("") else { return };
    server.kill();
    let outcome = open(&mut sink(&server.url(), "timeout_seconds = 1"), Purpose::Deliver).await;
    assert!(matches!(outcome, Err(Fault::Retry { .. })), "{outcome:?}");
}

#[test]
fn options_that_cannot_be_meant_are_refused() {
    for (options, option) in [
        ("servers = \"\"", "servers"),
        ("servers = \"a\"\nstream = \"a.b\"", "stream"),
        ("servers = \"a\"\nsubject = \"a.*\"", "subject"),
        ("servers = \"a\"\nsubject = \"a..b\"", "subject"),
    ] {
        let config: NatsConfig = toml::from_str(options).unwrap();
        assert_eq!(config.build().unwrap_err().option, option);
    }
}
