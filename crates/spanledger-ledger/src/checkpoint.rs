//! Copies the write-ahead log into the file beside the writer.
//!
//! SQLite's own checkpoint runs inside a commit and makes it slow. Here a thread of its own copies most of
//! the log. What was written meanwhile is little; the writer copies it between two commits, so that the
//! log begins anew and stays small.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI32, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use rusqlite::Connection;

use crate::{
    LedgerError, LedgerHealth,
    error::OpenError,
    open::{self, FileIdentity},
};

/// The number of pages in the log from which on it is copied.
const PAGES: i32 = 8_000;
/// The number of pages from which on the writer waits for the copy. Without this bound a log could grow
/// faster than it is copied.
const PAGES_MAX: i32 = 64_000;

/// The thread that copies the log.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    requests: Option<SyncSender<()>>,
    is_copied: Arc<AtomicBool>,
    is_requested: bool,
    /// The number of pages in the log after the latest commit.
    pages: Arc<AtomicI32>,
    health: Arc<LedgerHealth>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread.
    pub(crate) fn start(file: &FileIdentity, health: &Arc<LedgerHealth>) -> Result<Self, LedgerError> {
        let connection = open::again(file)?;
        let (requests, queue) = sync_channel(1);
        let is_copied = Arc::new(AtomicBool::new(false));
        let (copied, told) = (Arc::clone(&is_copied), Arc::clone(health));
        let thread = std::thread::Builder::new()
            .name("spanledger-checkpoint".to_owned())
            .spawn(move || run(&connection, &queue, &copied, &told))
            .map_err(|source| LedgerError::Open {
                path: file.path().to_owned(),
                source: OpenError::from(source),
            })?;
        Ok(Self {
            requests: Some(requests),
            is_copied,
            is_requested: false,
            pages: Arc::default(),
            health: Arc::clone(health),
            thread: Some(thread),
        })
    }

    /// Makes the writer's connection count the pages of the log, and not copy it by itself.
    pub(crate) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        let pages = Arc::clone(&self.pages);
        connection.wal_hook(Some(move |_: &mut _, count| {
            pages.store(count, Ordering::Relaxed);
            Ok(())
        }))
    }

    /// Call it after each commit, on the writer's thread.
    pub(crate) fn after_commit(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        if pages < PAGES {
            return;
        }
        if self.is_requested && (self.is_copied.swap(false, Ordering::AcqRel) || pages >= PAGES_MAX) {
            // The rest is copied here. If a reader still needs old pages, the log grows and this is tried
            // again later.
            copy(connection, &self.health);
            self.is_requested = false;
            self.pages.store(0, Ordering::Relaxed);
        } else if !self.is_requested
            && let Some(requests) = &self.requests
        {
            self.is_requested = requests.try_send(()).is_ok();
        }
    }
}

fn run(connection: &Connection, queue: &Receiver<()>, is_copied: &AtomicBool, health: &LedgerHealth) {
    while queue.recv().is_ok() {
        copy(connection, health);
        is_copied.store(true, Ordering::Release);
    }
}

/// Copies as much of the log as no reader prevents. If this fails, nothing is lost, because the log stays.
fn copy(connection: &Connection, health: &LedgerHealth) {
    let copied = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
    health.copied_log(copied.map_err(LedgerError::from));
}

impl Checkpointer {
    /// Ends the thread.
    pub(crate) fn stop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the ledger's checkpointer panicked");
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}
