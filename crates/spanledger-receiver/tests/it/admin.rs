//! The operator's port.

use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Pipeline, Server};

use crate::support::{Http1, head, soon};

/// Guarantees: `/readyz` is 200 while requests are accepted, and 503 while a stopping server answers its last
/// requests. `/healthz` is 200 as long as the process answers.
#[tokio::test]
async fn ready_means_that_requests_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    let pipeline = Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default());
    assert!(!pipeline.is_ready(), "nothing serves it");
    let any = "127.0.0.1:0".parse().unwrap();
    let running = Server::builder().admin(Some(any)).bind().await.unwrap().spawn(pipeline.clone());
    let addresses = running.addresses();
    let base = format!("http://{}", addresses.admin.unwrap());
    let status =
        async |path: &str| soon(reqwest::get(format!("{base}{path}"))).await.unwrap().status().as_u16();
    while status("/readyz").await != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status("/healthz").await, 200);

    let mut unfinished = Http1::connect(addresses.http).await;
    unfinished.send(head("Content-Length: 1\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(unfinished.answer().await.unwrap().status, 100, "the request was begun");
    let stopping = tokio::spawn(running.stop());
    while status("/readyz").await != 503 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status("/healthz").await, 200);
    drop(unfinished);
    soon(stopping).await.unwrap().unwrap();
    assert!(!pipeline.is_ready());
}
