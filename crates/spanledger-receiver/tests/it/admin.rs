//! The operator's port.

use std::net::SocketAddr;

use spanledger_ledger::Ledger;
use spanledger_otlp::ObservationReader;
use spanledger_price::PriceBook;
use spanledger_receiver::{Admin, Limits, Pipeline, Receiver};
use tokio::sync::oneshot;

use crate::support::soon;

/// Ready is who takes requests: not before the receiver serves, and not when it has stopped. Alive is
/// who answers.
#[tokio::test]
async fn ready_is_who_takes_requests() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    let pipeline = Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let admin = Admin::bind(any, pipeline.clone()).await.unwrap();
    let base = format!("http://{}", admin.addr().unwrap());
    tokio::spawn(admin.serve());
    let status =
        async |path: &str| soon(reqwest::get(format!("{base}{path}"))).await.unwrap().status().as_u16();
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));

    let receiver = Receiver::bind(any, any, Limits::default(), pipeline).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(receiver.serve(async move { stopped.await.unwrap_or_default() }));
    while status("/readyz").await != 200 {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    soon(served).await.unwrap();
    assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
}
