//! Gives the free pages of a ledger's file back to the file system.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use spanledger_ledger::{FileSizes, Ledger, LedgerError};

use super::Pace;

/// How often it is tried to copy the log into the file at the end, and the wait between two attempts: the file
/// becomes smaller only when nothing is appended at that moment.
const COPIES: usize = 5;
const COPY_INTERVAL: Duration = Duration::from_millis(50);

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compaction {
    /// The size of the database before, in bytes.
    pub bytes_before: u64,
    /// The size of the database afterwards.
    pub bytes_after: u64,
    /// The size of the file. It is still larger than `bytes_after` if a reader, or an append at every attempt,
    /// kept the log from being copied into the file; the writer does that later.
    pub file_bytes: u64,
}

/// Takes all free pages out of the file. If it ends early, it can be repeated: what is done stays. `None` if the
/// file cannot shrink, because an earlier version made it.
pub async fn compact(ledger: &Ledger, mut pace: Pace) -> Result<Option<Compaction>, LedgerError> {
    let before = ledger.reader()?.pages()?;
    if !before.can_shrink {
        return Ok(None);
    }
    loop {
        let compacted = ledger.compact(pace.limit()).await?;
        // An append may have used the last free pages meanwhile, so that none was given back.
        if compacted.left.free == 0 || compacted.pages == 0 {
            break;
        }
        pace.worked(compacted.took).await;
    }
    let mut copies = 1;
    loop {
        let file_bytes = copy_log(ledger).await?.database;
        // What others have appended meanwhile is counted, too.
        let after = ledger.reader()?.pages()?;
        let bytes_after = after.total * after.bytes;
        if file_bytes <= bytes_after || copies >= COPIES {
            return Ok(Some(Compaction {
                bytes_before: before.total * before.bytes,
                bytes_after,
                file_bytes,
            }));
        }
        copies += 1;
        tokio::time::sleep(COPY_INTERVAL).await;
    }
}

/// SQLite blocks, so it does not run on a thread of the runtime.
async fn copy_log(ledger: &Ledger) -> Result<FileSizes, LedgerError> {
    let ledger = ledger.clone();
    tokio::task::spawn_blocking(move || ledger.copy_log()).await.map_err(|_| LedgerError::Closed)?
}
