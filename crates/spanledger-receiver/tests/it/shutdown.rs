//! Tests of the shutdown of a receiver.

use spanledger_ledger::LedgerReader;
use spanledger_testkit::otlp::JSON;

use crate::support::{Call, Harness, TRACES, head, request, soon};

/// T44: a shutdown answers the open requests, records them, and then closes the connections.
#[tokio::test]
async fn a_shutdown_answers_requests_that_were_begun() {
    let harness = Harness::start().await;
    let call = Call::new();
    let body = call.protobuf();
    let mut raw = harness.raw().await;
    let idle = harness.raw().await;
    raw.send(head(&format!("Content-Length: {}\r\nExpect: 100-continue\r\n", body.len()))).await;
    assert_eq!(raw.answer().await.unwrap().status, 100);
    let http = harness.receiver.http_addr();
    let stopping = tokio::spawn(harness.receiver.shut_down());
    // The port is closed first, so that no new request is begun. The one that was begun goes on.
    while let Ok(stream) = tokio::net::TcpStream::connect(http).await {
        drop(stream);
        tokio::task::yield_now().await;
    }
    raw.send(body).await;
    assert_eq!(raw.answer().await.unwrap().status, 200);
    drop((raw, idle));
    let (_folder, ledger) = soon(stopping).await.unwrap();
    assert!(LedgerReader::open(ledger.path()).unwrap().event(&call.id()).unwrap().is_some());
}

/// Connections without a request are closed at once.
#[tokio::test]
async fn a_shutdown_closes_idle_connections() {
    let harness = Harness::start().await;
    let mut used = harness.raw().await;
    used.send(request(TRACES, JSON, b"{}")).await;
    assert_eq!(used.answer().await.unwrap().status, 200);
    let mut unused = harness.raw().await;
    let _ledger = soon(harness.receiver.shut_down()).await;
    assert!(used.is_closed().await);
    assert!(unused.is_closed().await);
}
