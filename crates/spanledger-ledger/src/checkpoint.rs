//! Copies the write-ahead log into the file beside the writer.
//!
//! SQLite's own checkpoint runs inside a commit and makes it slow. Here a thread of its own copies most of
//! the log. What was written meanwhile is little; the writer copies it between two commits, so that the
//! log begins anew and stays small.

use std::{
    cell::Cell,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::{LedgerError, error::OpenError, open};

/// The number of pages in the log from which on it is copied.
const PAGES: i32 = 8_000;
/// The number of pages from which on the writer waits for the copy. Without this bound a log could grow
/// faster than it is copied.
const PAGES_MAX: i32 = 64_000;

thread_local! {
    /// The number of pages in the log after the thread's latest commit.
    static LOG_PAGES: Cell<i32> = const { Cell::new(0) };
}

/// The thread that copies the log.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    requests: Option<SyncSender<()>>,
    is_copied: Arc<AtomicBool>,
    is_requested: bool,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    pub(crate) fn start(path: &Path) -> Result<Self, LedgerError> {
        let connection = open::beside_writer(path)?;
        let (requests, queue) = sync_channel(1);
        let is_copied = Arc::new(AtomicBool::new(false));
        let copied = Arc::clone(&is_copied);
        let thread = std::thread::Builder::new()
            .name("spanledger-checkpoint".to_owned())
            .spawn(move || run(&connection, &queue, &copied))
            .map_err(|source| LedgerError::Open { path: path.to_owned(), source: OpenError::from(source) })?;
        Ok(Self { requests: Some(requests), is_copied, is_requested: false, thread: Some(thread) })
    }

    /// Makes the writer's connection count the pages of the log, and not copy it by itself.
    pub(crate) fn watch(connection: &Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.wal_hook(Some(|_, pages| {
            LOG_PAGES.set(pages);
            Ok(())
        }));
        Ok(())
    }

    /// The number of pages in the log.
    pub(crate) fn pages() -> i32 {
        LOG_PAGES.get()
    }

    /// Call it after each commit, on the writer's thread.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let pages = LOG_PAGES.get();
        if pages < PAGES {
            return;
        }
        if self.is_requested && (self.is_copied.swap(false, Ordering::AcqRel) || pages >= PAGES_MAX) {
            // The rest is copied here. If a reader still needs old pages, the log grows and this is tried
            // again later.
            copy(connection);
            self.is_requested = false;
            LOG_PAGES.set(0);
        } else if !self.is_requested
            && let Some(requests) = &self.requests
        {
            self.is_requested = requests.try_send(()).is_ok();
        }
    }
}

fn run(connection: &Connection, queue: &Receiver<()>, is_copied: &AtomicBool) {
    while queue.recv().is_ok() {
        copy(connection);
        is_copied.store(true, Ordering::Release);
    }
}

/// Copies as much of the log as no reader prevents. If this fails, nothing is lost, because the log stays.
fn copy(connection: &Connection) {
    let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    if let Err(error) = copied {
        tracing::warn!(%error, "ledger.checkpoint.failed");
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's checkpointer panicked");
        }
    }
}
