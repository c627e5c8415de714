use std::time::Duration;

use spanledger_event::Usd;
use spanledger_ledger::RowError;
use spanledger_otlp::Encoding;
use spanledger_price::PriceBook;

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

/// Scenario: a client disconnects, so the future of its request is dropped, while a blocking thread still
/// decodes the message. Guarantees: the bytes stay reserved in the budget until the decode has ended.
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

/// Guarantees: only observations that can never be stored are refused without a retry, because the client
/// then drops them. Every other failure of the ledger is a fault of the receiver, and the client retries.
#[test]
fn only_observations_that_can_never_be_stored_are_refused_without_a_retry() {
    let out_of_range = || RowError::OutOfRange { column: "billed_usd", usd: Usd::from_picos(i128::MAX) };
    for (error, is_retryable) in [
        (LedgerError::Closed, true),
        (LedgerError::Damaged(out_of_range()), true),
        (LedgerError::Unstorable(out_of_range()), false),
    ] {
        let refusal = refusal_of(&error);
        assert_eq!(refusal.is_retryable(), is_retryable, "{error:?}");
        // The message names an error in the client's data, but no internal error of the receiver.
        assert_eq!(refusal.to_string().contains("billed_usd"), !is_retryable, "{refusal}");
    }
}
