//! Delivers dead letters after all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use spanledger_event::SharedEvent;
use spanledger_ledger::{Ledger, LedgerError, StoredDeadLetter};
use spanledger_sinks::{Batch, BatchId, BoxSink, ConfiguredSink, Fault, Opening, Positioned, Purpose};

/// So many dead letters are in memory at once.
const PAGE: usize = 200;

/// What became of dead letters that were sent again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetriedDeadLetters {
    /// Events that the destination took. They are no longer dead letters.
    pub delivered: usize,
    /// Events that it refuses again.
    pub refused: usize,
    /// Why the attempt ended early, if it did.
    pub fault: Option<String>,
}

/// Sends the dead letters of a sink again, one after another. What the destination takes is no longer one.
///
/// The letters have positions of their own, which are their numbers, and the destination knows them under the name
/// of the sink followed by `.dead`.
pub async fn retry_dead_letters(
    ledger: &Ledger,
    sink: &ConfiguredSink,
) -> Result<RetriedDeadLetters, LedgerError> {
    let mut retried = RetriedDeadLetters::default();
    let mut letters = page(ledger, &sink.name, 0).await?;
    if letters.is_empty() {
        return Ok(retried);
    }
    let mut destination = match sink.make() {
        Ok(destination) => destination,
        Err(error) => {
            retried.fault = Some(error.to_string());
            return Ok(retried);
        }
    };
    let opening = Opening {
        ledger: ledger.id().to_owned(),
        sink: format!("{}.dead", sink.name),
        purpose: Purpose::Deliver,
    };
    let told = match destination.open(&opening).await {
        Ok(opened) => opened.cursor,
        Err(fault) => {
            retried.fault = Some(fault.to_string());
            return Ok(retried);
        }
    };
    while let Some(last) = letters.last().map(|letter| letter.number) {
        for letter in letters {
            // A letter with the position of the destination was delivered, and then the ledger could not be told.
            // Letters with lower numbers were not: a later one may have passed them.
            let sent = if told == Some(letter.number) {
                Ok(true)
            } else {
                send(&mut destination, &opening, &letter).await
            };
            match sent {
                Ok(true) => {
                    ledger.remove_dead_letters(&sink.name, vec![letter.number]).await?;
                    retried.delivered += 1;
                }
                Ok(false) => retried.refused += 1,
                Err(fault) => {
                    retried.fault = Some(fault.to_string());
                    return Ok(retried);
                }
            }
        }
        letters = page(ledger, &sink.name, last).await?;
    }
    destination.close().await;
    Ok(retried)
}

/// The next dead letters after this number. A letter holds its whole event, so that only some are in memory.
async fn page(ledger: &Ledger, sink: &str, after: i64) -> Result<Vec<StoredDeadLetter>, LedgerError> {
    let (reader, sink) = (ledger.reader()?, sink.to_owned());
    let read = move || reader.dead_letters_after(&sink, after, PAGE);
    tokio::task::spawn_blocking(read).await.map_err(|_| LedgerError::Closed)?
}

/// Sends one letter. Returns whether the destination took it.
async fn send(sink: &mut BoxSink, opening: &Opening, letter: &StoredDeadLetter) -> Result<bool, Fault> {
    sink.open(opening).await?;
    let id = BatchId {
        ledger: opening.ledger.clone(),
        sink: opening.sink.clone(),
        from: letter.number - 1,
        to: letter.number,
    };
    let event = Arc::new(SharedEvent::new(letter.letter.event.clone()));
    let batch = Batch { id, events: vec![Positioned { position: letter.number, event }] };
    let written = match sink.write(&batch).await {
        Ok(written) if written.rejected.is_empty() => sink.commit().await,
        // It is not committed.
        Ok(_) => return Ok(false),
        Err(fault) => Err(fault),
    };
    match written {
        Ok(()) => Ok(true),
        Err(Fault::Rejected { .. } | Fault::TooLarge { .. }) => Ok(false),
        Err(fault) => Err(fault),
    }
}
