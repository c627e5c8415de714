use std::time::Duration;

use spanledger_event::Usd;
use spanledger_ledger::RowError;
use spanledger_otlp::Encoding;
use spanledger_price::PriceBook;
use spanledger_testkit::otlp::{SpanBuilder, protobuf, traces};

use super::*;
use crate::{Limits, budget::Budget};

fn pipeline(folder: &tempfile::TempDir) -> Pipeline {
    let ledger = Ledger::open(folder.path().join("ledger.db")).unwrap();
    Pipeline::new(ledger, PriceBook::builtin(), ObservationReader::default())
}

fn message(budget: &Budget, plain: &[u8]) -> Message {
    let mut buffer = budget.buffer(plain.len(), 0).unwrap();
    buffer.extend(plain).unwrap();
    Message {
        signal: Signal::Traces,
        encoding: Encoding::Protobuf,
        compression: Compression::Identity,
        bytes: buffer.freeze(),
        budget: budget.clone(),
    }
}

/// A request's future is dropped when its client goes away. A decode that runs on a blocking thread
/// goes on and keeps the bytes in memory; until it has ended, their part of the budget stays reserved.
#[tokio::test]
async fn the_budget_of_a_dropped_request_is_released_when_its_decode_has_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&folder);
    let budget = Budget::new(&Limits::default());
    let all = budget.available();
    // Any number of empty `resource_spans` is valid, and makes the body large enough for a blocking thread.
    let body = [0x0a, 0x00].repeat(INLINE_BYTES_MAX);
    let message = message(&budget, &body);
    let reserved = all - budget.available();
    assert!(reserved >= body.len());

    let gate = pipeline.prices.block();
    {
        let mut request = std::pin::pin!(pipeline.accept(message));
        let polled = futures_util::poll!(&mut request);
        assert!(polled.is_pending(), "the decode waits for the prices");
    }
    assert_eq!(all - budget.available(), reserved, "the bytes are still in memory");
    drop(gate);
    let released = async {
        while budget.available() != all {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), released).await.expect("the decode ends");
}

/// The observations of a request wait for the ledger in memory. Until they are committed, the part of the
/// budget that their message took stays reserved, also when the client goes away.
#[tokio::test]
async fn the_budget_covers_the_wait_for_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let pipeline = pipeline(&folder);
    let budget = Budget::new(&Limits::default());
    let all = budget.available();
    let call = SpanBuilder::chat("gpt-5.5").tokens(1_000, 50).build();
    let message = message(&budget, &protobuf(&traces([call])));
    let reserved = all - budget.available();
    assert!(reserved > 0);

    let lock = rusqlite::Connection::open(pipeline.ledger().path()).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    {
        let mut request = std::pin::pin!(pipeline.accept(message));
        for _ in 0..10 {
            let polled = futures_util::poll!(&mut request);
            assert!(polled.is_pending(), "the ledger is locked");
            tokio::task::yield_now().await;
        }
        assert_eq!(pipeline.counters().spans(), 1, "the message is decoded");
        assert_eq!(all - budget.available(), reserved, "the request waits for the ledger");
    }
    tokio::task::yield_now().await;
    assert_eq!(all - budget.available(), reserved, "the observations still wait for the ledger");
    lock.execute_batch("ROLLBACK").unwrap();
    let released = async {
        while budget.available() != all {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), released).await.expect("the ledger is written");
    assert_eq!(pipeline.counters().observations(), 1, "what was queued is recorded");
}

/// A client drops what is refused for good. So only observations that can never be stored are; whatever
/// else fails in the ledger is ours.
#[test]
fn only_what_can_never_be_stored_is_refused_for_good() {
    let out_of_range = || RowError::OutOfRange { column: "billed_usd", usd: Usd::from_picos(i128::MAX) };
    for (error, is_retryable) in [
        (LedgerError::Closed, true),
        (LedgerError::Damaged(out_of_range()), true),
        (LedgerError::Unstorable(out_of_range()), false),
    ] {
        let refusal = refusal_of(&error);
        assert_eq!(refusal.is_retryable(), is_retryable, "{error:?}");
        // The client is told what to change in its data, and nothing of what is wrong with ours.
        assert_eq!(refusal.to_string().contains("billed_usd"), !is_retryable, "{refusal}");
    }
}
