use std::sync::{Arc, Mutex};

use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_sinks::{Batch, Delivery, DeliveryOutcome};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::*;

/// Against hanging; far above what a test takes.
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

/// Stops the server and asserts that this does not take longer than it may.
async fn stop_in_time(running: RunningServer) {
    let started = Instant::now();
    tokio::time::timeout(PATIENCE, running.stop()).await.expect("the shutdown ends").unwrap();
    // Much more than the timeout, since the machine may be busy, and much less than for ever.
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
    // Above the size that is decoded on the runtime's own threads.
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

/// A sink that never answers, in one of the two ways of doing so.
struct Stuck {
    /// Blocks the thread that polls it, which a sink must not do.
    blocks: Option<Arc<Mutex<()>>>,
    calls: watch::Sender<usize>,
}

impl Sink for Stuck {
    fn name(&self) -> &'static str {
        "stuck"
    }

    fn deliver(&mut self, _: Batch) -> Delivery<'_> {
        self.calls.send_modify(|calls| *calls += 1);
        let blocks = self.blocks.clone();
        Box::pin(async move {
            if let Some(blocks) = blocks {
                drop(blocks.lock().unwrap());
            }
            std::future::pending::<DeliveryOutcome>().await
        })
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
        let running = bind().await.with_sink(Box::new(sink)).spawn(pipeline.clone());
        called.wait_for(|calls| *calls > 0).await.unwrap();
        stop_in_time(running).await;
        let reader = pipeline.ledger().reader().unwrap();
        assert_eq!(reader.cursor("stuck").unwrap(), 0, "the event is delivered after the next start");
        drop(held);
    }
}

/// Delivers into a list.
struct Collect(Arc<Mutex<Vec<EventId>>>);

impl Sink for Collect {
    fn name(&self) -> &'static str {
        "collect"
    }

    fn deliver(&mut self, batch: Batch) -> Delivery<'_> {
        self.0.lock().unwrap().extend(batch.iter().map(|event| event.event_id.clone()));
        Box::pin(std::future::ready(DeliveryOutcome::Delivered))
    }
}

#[tokio::test]
async fn a_shutdown_delivers_what_is_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&folder);
    let delivered: Arc<Mutex<Vec<EventId>>> = Arc::default();
    let running = bind().await.with_sink(Box::new(Collect(Arc::clone(&delivered)))).spawn(pipeline.clone());
    append(&pipeline).await;
    tokio::time::timeout(PATIENCE, running.stop()).await.unwrap().unwrap();
    assert_eq!(delivered.lock().unwrap().len(), 1);
}

/// A taken port is found by `bind`, before anything else of a program starts.
#[tokio::test]
async fn a_taken_port_is_named_with_the_way_out() {
    let taken = bind().await;
    let address = taken.addresses().grpc;
    let error = Server::builder().grpc(address).bind().await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot listen on {address} for OTLP/gRPC: ")), "{text}");
    assert!(text.ends_with("choose another address with --grpc-addr"), "{text}");
}
