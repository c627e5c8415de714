//! A follower that receives every event and does nothing with it.

use std::sync::{
    Barrier,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future;
use spanledger_ledger::Ledger;
use tokio::runtime::Builder;

/// So many batches a follower has in flight.
const IN_FLIGHT: usize = 8;

/// What a follower received.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Followed {
    /// Events that were given with their batch.
    pub(crate) from_memory: usize,
    /// Events that were read from the file.
    pub(crate) from_file: usize,
}

/// Receives everything until the intake is done. Each batch is acknowledged together with the request for the
/// next one.
pub(crate) fn follow(
    ledger: &Ledger,
    name: &str,
    batch: usize,
    start: &Barrier,
    is_done: &AtomicBool,
) -> Followed {
    let runtime = Builder::new_current_thread().build().unwrap();
    let reader = ledger.reader().unwrap();
    let mut changes = ledger.changes();
    let (mut followed, mut cursor) = (Followed::default(), 0);
    runtime.block_on(async {
        ledger.acknowledge(name, 0, Vec::new()).await.unwrap();
        start.wait();
        loop {
            let was_done = is_done.load(Ordering::Acquire);
            changes.mark_unchanged();
            let (acknowledged, next) = future::join(
                ledger.acknowledge(name, cursor, Vec::new()),
                ledger.next_batches(name, cursor, batch, IN_FLIGHT),
            )
            .await;
            acknowledged.unwrap();
            let batches = next.unwrap();
            if batches.is_empty() {
                if was_done {
                    return;
                }
                // The intake may end without another change, so that the follower also looks by itself.
                while !changes.has_changed().unwrap() && !is_done.load(Ordering::Acquire) {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                continue;
            }
            for given in batches {
                match given.changes {
                    Some(changes) => followed.from_memory += changes.len(),
                    None => followed.from_file += reader.batch(&given.range).unwrap().changes.len(),
                }
                cursor = given.range.last;
            }
        }
    });
    followed
}
