use std::sync::{Arc, Mutex};

use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_sinks::{Batch, ConfiguredSink, EventSelection, Fault, Opened, Opening, Sink, Written};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::*;

/// A limit that keeps a test from hanging; tests take far less time.
const PATIENCE: Duration = Duration::from_secs(30);
const SHUTDOWN: Duration = Duration::from_millis(200);

fn pipeline(folder: &tempfile::TempDir) -> Pipeline {
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default())
}

async fn bind() -> Server {
    Server::builder().shutdown_timeout(SHUTDOWN).bind().await.unwrap()
}

async fn append(pipeline: &Pipeline) {
    let start = Timestamp::from_nanos(1_763_719_200_000_000_000);
    let call = Observation::new(EventId::of_request("order-7", 1), "call-1", ObservedAs::Record, start);
    pipeline.ledger().append(vec![call]).await.unwrap();
}

/// Stops the server and asserts that this ends in time.
async fn stop_in_time(running: RunningServer) {
    let started = Instant::now();
    tokio::time::timeout(PATIENCE, running.stop()).await.expect("the shutdown ends").unwrap();
    // The limit is far above the timeout, because the machine may be busy.
    assert!(started.elapsed() < SHUTDOWN + ABORT_AFTER + Duration::from_secs(10));
}

#[tokio::test]
async fn a_busy_decoder_does_not_hold_up_the_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&folder);
    let prices = pipeline.prices().clone();
    let gate = prices.block();
    let running = bind().await.spawn(pipeline.clone());
    let mut client = TcpStream::connect(running.addresses().http).await.unwrap();
    // This body is so large that it is decoded on a blocking thread.
    let body = [0x0a, 0x00].repeat(200_000);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: test\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await.unwrap();
    client.write_all(&body).await.unwrap();
    while pipeline.counters().requests() == 0 {
        tokio::task::yield_now().await;
    }
    stop_in_time(running).await;
    drop(gate);
}

/// A sink that also gets quarantined events, as those of these tests are.
fn all_events(name: &str, sink: impl Sink + Clone + Sync) -> ConfiguredSink {
    let mut sink = ConfiguredSink::new(name, move || sink.clone());
    sink.filter.events = EventSelection::All;
    sink
}

/// A sink that never answers: its delivery stays pending or blocks a thread.
#[derive(Clone)]
struct Stuck {
    /// Blocks the thread that polls it, which a sink must not do.
    blocks: Option<Arc<Mutex<()>>>,
    calls: watch::Sender<usize>,
}

impl Sink for Stuck {
    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        Ok(Opened::default())
    }

    async fn write(&mut self, _: &Batch) -> Result<Written, Fault> {
        self.calls.send_modify(|calls| *calls += 1);
        if let Some(blocks) = &self.blocks {
            drop(blocks.lock().unwrap());
        }
        std::future::pending().await
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_sink_that_never_answers_does_not_hold_up_the_shutdown() {
    for blocks in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let pipeline = pipeline(&folder);
        append(&pipeline).await;
        let gate = Arc::new(Mutex::new(()));
        let held = blocks.then(|| gate.lock().unwrap());
        let (calls, mut called) = watch::channel(0);
        let sink = Stuck { blocks: blocks.then(|| Arc::clone(&gate)), calls };
        let running = bind().await.with_sink(all_events("stuck", sink)).spawn(pipeline.clone());
        called.wait_for(|calls| *calls > 0).await.unwrap();
        stop_in_time(running).await;
        let reader = pipeline.ledger().reader().unwrap();
        assert_eq!(reader.cursor("stuck").unwrap(), 0, "the event is delivered after the next start");
        drop(held);
    }
}

/// A sink that collects the ids of delivered events in a list.
#[derive(Clone)]
struct Collect(Arc<Mutex<Vec<EventId>>>);

impl Sink for Collect {
    async fn open(&mut self, _: &Opening) -> Result<Opened, Fault> {
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        self.0.lock().unwrap().extend(batch.events().map(|event| event.event_id.clone()));
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

#[tokio::test]
async fn a_shutdown_delivers_what_is_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&folder);
    let delivered: Arc<Mutex<Vec<EventId>>> = Arc::default();
    let collect = Collect(Arc::clone(&delivered));
    let sink = all_events("collect", collect);
    let running = bind().await.with_sink(sink).spawn(pipeline.clone());
    append(&pipeline).await;
    tokio::time::timeout(PATIENCE, running.stop()).await.unwrap().unwrap();
    assert_eq!(delivered.lock().unwrap().len(), 1);
}

/// Guarantees: `bind` fails if a port is in use, before the program starts anything else.
#[tokio::test]
async fn the_error_for_a_port_in_use_names_the_option() {
    let taken = bind().await;
    let address = taken.addresses().grpc;
    let error = Server::builder().grpc(address).bind().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot listen on {address} for OTLP/gRPC: ")), "{text}");
    assert!(text.ends_with("choose another address with --grpc-addr"), "{text}");
}
