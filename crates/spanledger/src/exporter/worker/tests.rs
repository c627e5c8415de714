//! The worker on its thread, against a server whose answers the test chooses.

use std::{sync::atomic::AtomicBool, thread};

use spanledger_otlp::record::LogRecord;

use crate::exporter::{
    Disk, Exporter, ExporterConfig, ToRecord,
    test_server::{TestServer, log, logged, ok, record_with, status},
};

use super::*;

const TIMEOUT: Duration = Duration::from_secs(20);

fn config(server: &TestServer) -> ExporterConfig {
    ExporterConfig::to(&server.url)
        .linger(Duration::from_millis(20))
        .backoff(Duration::from_millis(1))
        .backoff_max(Duration::from_millis(10))
}

fn send(exporter: &Exporter, texts: &[&str]) {
    for text in texts {
        exporter.send(Box::new(record_with(text)), None);
    }
}

/// A name that no other test uses, for its records and its lines of the log.
macro_rules! exporter {
    ($server:ident, $($config:tt)*) => {
        Exporter::start(config(&$server)$($config)*).unwrap()
    };
}

#[test]
fn a_record_at_which_the_receiver_fails_does_not_hold_up_the_others() {
    let answers = ["500 Internal Server Error", "503 Service Unavailable"];
    for answer in answers {
        let server =
            TestServer::start(move |request| if request.has("poison") { status(answer, "") } else { ok() });
        let exporter = exporter!(server,);
        send(&exporter, &["a", "b", "poison", "c", "d"]);
        while exporter.stats().acknowledged < 4 {
            thread::sleep(Duration::from_millis(1));
        }
        let error = exporter.flush_blocking(Duration::from_millis(200)).unwrap_err();
        assert_eq!((error.pending, error.lost), (1, 0), "{error}");
        // The receiver is mended.
        server.answer(|_| ok());
        exporter.flush_blocking(TIMEOUT).unwrap();
        assert_eq!(exporter.stats().acknowledged, 5);
    }
}

/// Scenario: the receiver closes the connection when it reads a record.
#[test]
fn a_record_that_breaks_the_connection_does_not_hold_up_the_others() {
    let server = TestServer::start(|request| {
        assert!(!request.has("poison"), "this ends the thread of the connection");
        ok()
    });
    let exporter = exporter!(server,);
    send(&exporter, &["a", "poison", "b"]);
    while exporter.stats().acknowledged < 2 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_refused_record_is_lost_alone() {
    let server =
        TestServer::start(|request| if request.has("bad") { status("400 Bad Request", "") } else { ok() });
    let exporter = exporter!(server,);
    send(&exporter, &["a", "b", "bad", "c"]);
    let error = exporter.flush_blocking(TIMEOUT).unwrap_err();
    assert_eq!((error.pending, error.lost), (0, 1), "{error}");
    assert_eq!(exporter.stats().acknowledged, 3);
    exporter.flush_blocking(TIMEOUT).unwrap();
}

#[test]
fn a_server_that_refuses_everything_loses_nothing_and_is_told_once() {
    log();
    let server = TestServer::start(|_| status("400 Bad Request", ""));
    let exporter = exporter!(server,);
    send(&exporter, &["a", "b", "c", "d"]);
    server.wait_for(20);
    assert_eq!(exporter.stats().lost, 0);
    let told: Vec<_> = logged(&server.url).into_iter().filter(|line| line.contains("refused_all")).collect();
    assert!(told.len() == 1 && told[0].contains("SPANLEDGER_ENDPOINT"), "{told:?}");
    server.answer(|_| ok());
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert_eq!(exporter.stats().acknowledged, 4);
}

#[test]
fn a_flush_ends_the_wait_after_a_failure() {
    let hour = Duration::from_hours(1);
    let server = TestServer::start(|_| status("503 Service Unavailable", ""));
    let exporter = exporter!(server, .backoff(hour).backoff_max(hour));
    send(&exporter, &["a"]);
    server.wait_for(1);
    server.answer(|_| ok());
    exporter.flush_blocking(TIMEOUT).unwrap();
}

#[test]
fn a_shorter_wait_that_the_receiver_asks_for_is_kept() {
    let hour = Duration::from_hours(1);
    let server = TestServer::start(|_| status("503 Service Unavailable", "retry-after: 0\r\n"));
    let exporter = exporter!(server, .backoff(hour).backoff_max(hour));
    send(&exporter, &["a"]);
    server.wait_for(2);
    server.answer(|_| ok());
    while exporter.stats().acknowledged < 1 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn records_that_the_receiver_rejects_are_counted_and_its_message_is_logged() {
    log();
    // Two rejected records; then none, with a warning.
    for (body, lost, level) in
        [("\n\u{b}\u{8}\u{2}\u{12}\u{7}too old", 2, "ERROR"), ("\n\u{5}\u{12}\u{3}odd", 0, "WARN")]
    {
        let server = TestServer::start(move |_| {
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\n";
            format!("{head}spanledger-receiver: 0.1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        });
        let exporter = exporter!(server,);
        send(&exporter, &["a", "b", "c"]);
        let flushed = exporter.flush_blocking(TIMEOUT);
        assert_eq!(flushed.err().map_or(0, |error| error.lost), lost);
        assert_eq!(exporter.stats().acknowledged, 3 - lost);
        let message = &body[body.len() - 3..];
        assert!(logged(&server.url).iter().any(|line| line.starts_with(level) && line.contains(message)));
    }
}

#[test]
fn an_acknowledgement_by_something_else_is_told_once() {
    log();
    let server = TestServer::start(|_| status("200 OK", ""));
    let exporter = exporter!(server,);
    for _ in 0..3 {
        send(&exporter, &["a"]);
        exporter.flush_blocking(TIMEOUT).unwrap();
    }
    let told = logged(&server.url);
    assert_eq!(told.iter().filter(|line| line.contains("acknowledged_by_other")).count(), 1, "{told:?}");

    server.answer(|_| ok());
    let exporter = exporter!(server,);
    log().lock().unwrap().retain(|line| !line.contains(&server.url));
    send(&exporter, &["a"]);
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert_eq!(logged(&server.url), [""; 0]);
}

#[test]
fn a_trace_backend_and_a_web_page_are_no_receivers() {
    let answers = [status("404 Not Found", ""), status("200 OK", "content-type: text/html\r\n")];
    for answer in answers {
        let server = TestServer::start(move |_| answer.clone());
        let exporter = exporter!(server,);
        send(&exporter, &["a", "b"]);
        let error = exporter.flush_blocking(Duration::from_millis(200)).unwrap_err();
        assert_eq!((error.pending, error.lost), (2, 0));
        assert!(error.to_string().contains("set SPANLEDGER_ENDPOINT"), "{error}");
    }
}

#[test]
fn requests_have_the_configured_headers_and_compression() {
    let server = TestServer::start(|_| ok());
    let exporter = exporter!(server, .header("x-key", "k").compression(crate::Compression::Gzip));
    send(&exporter, &["aaaaaaaa"; 100]);
    exporter.flush_blocking(TIMEOUT).unwrap();
    let request = server.requests().remove(0);
    assert_eq!(request.headers["x-key"], "k");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert!(request.body.len() < 400 && !request.has("aaaaaaaa"));
}

/// Guarantees: records that were queued after the flush began do not prolong it, and records are counted by
/// themselves: one that was sent later does not stand for one that waits.
#[test]
fn a_flush_waits_for_the_records_that_are_queued_and_for_no_others() {
    let server =
        TestServer::start(
            |request| {
                if request.has("poison") { status("500 Internal Server Error", "") } else { ok() }
            },
        );
    let exporter = exporter!(server,);
    send(&exporter, &["poison"]);
    send(&exporter, &["a"; 10]);
    let error = exporter.flush_blocking(Duration::from_millis(300)).unwrap_err();
    assert_eq!(error.pending, 1);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                send(&exporter, &["later"; 10]);
                thread::sleep(Duration::from_millis(1));
            }
        });
        server.answer(|_| ok());
        exporter.flush_blocking(TIMEOUT).unwrap();
        is_done.store(true, Ordering::Release);
    });
}

struct Panics;

impl ToRecord for Panics {
    fn queue_bytes(&self) -> usize {
        1
    }

    fn into_record(self: Box<Self>) -> LogRecord {
        panic!("a defect")
    }
}

#[test]
fn a_record_that_cannot_be_made_does_not_end_the_export() {
    let server = TestServer::start(|_| ok());
    let exporter = exporter!(server,);
    exporter.send(Box::new(Panics), None);
    send(&exporter, &["a"]);
    assert_eq!(exporter.flush_blocking(TIMEOUT).unwrap_err().lost, 1);
    assert_eq!(exporter.stats().acknowledged, 1);
}

/// A record whose making takes until the sender is dropped, as a function of the service can.
struct Blocks(std::sync::mpsc::Receiver<()>);

impl ToRecord for Blocks {
    fn queue_bytes(&self) -> usize {
        1
    }

    fn into_record(self: Box<Self>) -> LogRecord {
        self.0.recv().unwrap_or_default();
        record_with("late")
    }
}

#[test]
fn a_flush_returns_in_time_also_if_the_worker_is_blocked() {
    let server = TestServer::start(|_| ok());
    let exporter = exporter!(server,);
    let (release, blocked) = std::sync::mpsc::channel();
    exporter.send(Box::new(Blocks(blocked)), None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(exporter.flush(Duration::from_millis(10))).unwrap_err();
    assert_eq!((error.pending, error.lost), (1, 0));
    assert_eq!(exporter.flush_blocking(Duration::from_millis(10)).unwrap_err().pending, 1);
    drop(release);
    runtime.block_on(exporter.flush(TIMEOUT)).unwrap();
}

/// Scenario: the process was forked, while the worker slept or was busy. The fork has a copy of the queue, but no
/// thread that empties it.
#[test]
fn a_forked_process_starts_a_worker_of_its_own() {
    for is_asleep in [true, false] {
        let server = TestServer::start(|_| ok());
        // The exporter's worker belongs to another process, as far as this one can tell.
        let shared = Shared::new(&server.url, 1);
        let exporter = Exporter::start_with(config(&server), shared, Disk::Required).unwrap();
        while !exporter.worker.as_ref().unwrap().queue.wakes_worker() {
            thread::sleep(Duration::from_millis(1));
        }
        if is_asleep {
            exporter.worker.as_ref().unwrap().queue.mark_asleep();
        }
        send(&exporter, &["a", "b"]);
        exporter.flush_blocking(TIMEOUT).unwrap();
        assert_eq!((exporter.stats().recorded, exporter.stats().acknowledged), (2, 2));
        let own = exporter.of_fork.get().unwrap();
        assert_eq!(own.stats().acknowledged, 2);
    }
}

/// Guarantees: while records gather, a sender has nothing to wake.
#[test]
fn one_record_of_a_batch_wakes_the_worker() {
    let server = TestServer::start(|_| ok());
    let exporter = exporter!(server, .linger(Duration::from_hours(1)));
    let queue = &exporter.worker.as_ref().unwrap().queue;
    while !queue.wakes_worker() {
        thread::sleep(Duration::from_millis(1));
    }
    queue.mark_asleep();
    let woken = (0..1_000)
        .filter(|_| {
            let wakes = queue.wakes_worker();
            send(&exporter, &["a"]);
            wakes
        })
        .count();
    assert_eq!(woken, 1);
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert_eq!(server.requests().iter().map(|request| request.records()).collect::<Vec<_>>(), [512, 488]);
}

/// The number of lost calls that the server was told of.
fn gaps(server: &TestServer) -> u64 {
    let gaps = |request: crate::exporter::test_server::Request| {
        let logs = spanledger_otlp::Logs::decode(&request.body, spanledger_otlp::Encoding::Protobuf).unwrap();
        spanledger_otlp::ObservationReader::default().logs(&logs).gaps
    };
    // A request that was repeated has the same gap event again.
    let mut gaps: Vec<_> = server.requests().into_iter().flat_map(gaps).collect();
    gaps.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
    gaps.dedup_by(|a, b| a.id == b.id);
    gaps.iter().map(|gap| gap.calls).sum()
}

/// Guarantees: what is lost is told to the receiver when it is back, with its number.
#[test]
fn lost_records_are_told_by_a_gap_event() {
    let server = TestServer::start(|_| status("503 Service Unavailable", ""));
    let exporter = exporter!(server, .queue_max(2));
    for _ in 0..10 {
        send(&exporter, &["a"]);
    }
    // The record of one more call cannot even be made.
    exporter.count_loss(None);
    assert_eq!(exporter.stats().lost, 9);
    server.wait_for(1);
    server.answer(|_| ok());
    while gaps(&server) < 9 {
        thread::sleep(Duration::from_millis(5));
    }
    let error = exporter.flush_blocking(TIMEOUT).unwrap_err();
    assert_eq!((error.lost, error.pending), (9, 0));
    assert_eq!((gaps(&server), exporter.stats().acknowledged), (9, 2));
}

#[test]
fn a_sender_can_wait_for_room() {
    let server = TestServer::start(|_| ok());
    let exporter = exporter!(server, .queue_max(4).when_full(crate::WhenFull::Block(TIMEOUT)));
    (0..100).for_each(|_| send(&exporter, &["a"]));
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert_eq!(exporter.stats().acknowledged, 100);
}

/// Scenario: the receiver is down for long, and there is little memory.
#[cfg(feature = "spool")]
#[test]
fn records_without_room_in_memory_are_on_disk_until_they_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(|_| status("503 Service Unavailable", ""));
    let full = crate::WhenFull::Block(TIMEOUT);
    let exporter = exporter!(server, .queue_max(20).when_full(full).spool(folder.path().to_owned()));
    for n in 0..3_000 {
        send(&exporter, &[&format!("record {n}")]);
    }
    let error = exporter.flush_blocking(Duration::from_millis(100)).unwrap_err();
    assert_eq!((error.pending, error.lost), (3_000, 0));
    server.answer(|_| ok());
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert_eq!((exporter.stats().acknowledged, exporter.stats().lost), (3_000, 0));
    drop(exporter);
}

/// Scenario: the file of the spool is damaged while the records in it wait for the receiver.
/// Guarantees: the loss is counted, logged and told to the receiver, the flush ends, and the spool is used again.
#[cfg(feature = "spool")]
#[test]
fn records_that_are_gone_from_the_disk_are_told_by_a_gap_event() {
    log();
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(|_| status("503 Service Unavailable", ""));
    let full = crate::WhenFull::Block(TIMEOUT);
    let config = config(&server).queue_max(20).when_full(full).spool(folder.path().to_owned());
    let config = ExporterConfig { spool_retry: Duration::from_millis(20), ..config };
    let exporter = Exporter::start(config).unwrap();
    // More than the store keeps in memory.
    let large = "x".repeat(20_000);
    for n in 0..500 {
        send(&exporter, &[&format!("record {n} {large}")]);
    }
    assert_eq!(exporter.flush_blocking(Duration::from_millis(100)).unwrap_err().pending, 500);
    std::fs::write(folder.path().join("records-0.redb"), "damage").unwrap();
    server.answer(|_| ok());
    let error = exporter.flush_blocking(TIMEOUT).unwrap_err();
    let lost = usize::try_from(error.lost).unwrap();
    assert!(error.pending == 0 && lost > 200, "{error}");
    assert_eq!(exporter.stats().acknowledged + error.lost, 500);
    assert!(!logged("spanledger.spool.lost").is_empty());
    while gaps(&server) < error.lost {
        thread::sleep(Duration::from_millis(1));
    }
    send(&exporter, &["a"; 100]);
    exporter.flush_blocking(TIMEOUT).unwrap();
    assert!(folder.path().join("records-0.damaged").exists());
}

/// Notes a call on disk, and waits until the disk has it.
#[cfg(feature = "spool")]
fn noted(exporter: &Exporter, text: &str) -> Intent {
    let (intent, is_noted) = exporter.intent(Box::new(record_with(text))).unwrap();
    is_noted.blocking_recv().unwrap();
    intent
}

/// Waits until the next process would send a record with this text, if there is one, and the record of no intent.
#[cfg(feature = "spool")]
fn wait_for_spool_without_intents(folder: &std::path::Path, text: Option<&str>) {
    let deadline = std::time::Instant::now() + TIMEOUT;
    loop {
        // A copy, as if the process had died now.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.join("records-0.redb"), copy.path().join("records-0.redb")).unwrap();
        let spool = crate::exporter::spool::Spool::open(copy.path()).unwrap();
        let (records, _) = spool.load(0, u64::MAX, usize::MAX, usize::MAX).unwrap();
        let has = |text: &str| {
            let is_text = |window: &[u8]| window == text.as_bytes();
            records.iter().any(|(_, bytes)| bytes.windows(text.len()).any(is_text))
        };
        if text.is_none_or(has) && !has("intent") {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{} records", records.len());
        thread::sleep(Duration::from_millis(10));
    }
}

/// Scenario: the queue has no room for the record of a call that was noted on disk before it was sent.
/// Guarantees: the call is told of once, by the gap event.
#[cfg(feature = "spool")]
#[test]
fn the_intent_of_a_lost_record_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(|_| status("503 Service Unavailable", ""));
    let config =
        config(&server).queue_max(2).spool(folder.path().to_owned()).spool_bytes_max(0).intents(true);
    let exporter = Exporter::start(config).unwrap();
    for n in 0..5 {
        let intent = noted(&exporter, &format!("intent {n}"));
        exporter.send(Box::new(record_with(&format!("record {n}"))), Some(intent));
    }
    assert_eq!(exporter.stats().lost, 3);
    drop(exporter.flush_blocking(Duration::from_millis(100)));
    wait_for_spool_without_intents(folder.path(), Some("record 0"));
}

/// Scenario: the record of a call that was noted on disk cannot be made, on the exporter's thread or the caller's.
/// Guarantees: as above.
#[cfg(feature = "spool")]
#[test]
fn the_intent_of_a_record_that_cannot_be_made_ends() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::start(|_| ok());
    let config = config(&server).spool(folder.path().to_owned()).intents(true);
    let exporter = Exporter::start(config).unwrap();
    exporter.send(Box::new(Panics), Some(noted(&exporter, "intent that panics")));
    exporter.count_loss(Some(noted(&exporter, "intent without a record")));
    let error = exporter.flush_blocking(TIMEOUT).unwrap_err();
    assert_eq!((error.lost, error.pending), (2, 0));
    wait_for_spool_without_intents(folder.path(), None);
}
