//! Reloads price files that have changed.
//!
//! A change is noticed by the files' metadata, once a second. A notification by the operating system
//! would be missed on network file systems, and in containers whose files are swapped by a symbolic
//! link. The files are read when their metadata is the same at two looks in a row, so that a file
//! which an editor or a copy is still writing is not read half.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, task::spawn_blocking, time::MissedTickBehavior};

use super::{PriceFiles, PriceFilesError, Prices};

#[cfg(test)]
mod tests;

/// How often the files' metadata is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The most mistakes that are logged of one content.
const LOGGED_MAX: usize = 50;

/// The metadata that changes with a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Device, inode, and the time of the last change of content or metadata. No program can set that
    /// time, so a copy that keeps the modification time of its source is noticed as well.
    #[cfg(unix)]
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            identity: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn stamps(files: &PriceFiles) -> Vec<Option<Stamp>> {
    files.paths().iter().map(|path| fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))).collect()
}

/// Makes a [`PriceWatch`] read its files at once.
#[derive(Clone, Debug, Default)]
pub struct PriceReload(Arc<Notify>);

impl PriceReload {
    /// Orders a reload. The result is logged.
    pub fn reload(&self) {
        self.0.notify_one();
    }
}

/// Keeps [`Prices`] up to date with the files.
///
/// A good change is put in force. When a change has mistakes, or a file is gone, the last good book
/// stays in force, and the mistakes are logged once per content.
#[derive(Debug)]
pub struct PriceWatch {
    files: PriceFiles,
    prices: Prices,
    /// The files' metadata when they were last read.
    read: Vec<Option<Stamp>>,
    /// The files' metadata at the last look.
    last_look: Vec<Option<Stamp>>,
    /// The mistakes that were logged and have not been corrected since.
    logged: Option<PriceFilesError>,
    interval: Duration,
    order: PriceReload,
}

impl PriceWatch {
    /// Reads the files for the first time. Blocks.
    pub fn start(files: PriceFiles) -> Result<Self, PriceFilesError> {
        // Before the files are read, so that what is written meanwhile is found at the next look.
        let read = stamps(&files);
        let prices = Prices::new(files.read()?);
        Ok(Self {
            files,
            prices,
            last_look: read.clone(),
            read,
            logged: None,
            interval: LOOK_INTERVAL,
            order: PriceReload::default(),
        })
    }

    /// The prices that it keeps up to date.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Orders a reload, for instance on a signal.
    pub fn reload_handle(&self) -> PriceReload {
        self.order.clone()
    }

    /// Watches the files until it is dropped.
    pub async fn run(mut self) {
        let order = Arc::clone(&self.order.0);
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = order.notified() => {
                    // A reload that was ordered is always answered in the log.
                    self.logged = None;
                    self.reload().await;
                }
                _ = ticks.tick(), if !self.files.paths().is_empty() => self.look().await,
            }
        }
    }

    /// Reads the files if they have changed since they were read, and have not since the last look.
    async fn look(&mut self) {
        let files = self.files.clone();
        let Ok(now) = spawn_blocking(move || stamps(&files)).await else { return };
        let is_unchanged = now == self.last_look;
        self.last_look = now;
        if is_unchanged && self.last_look != self.read {
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let files = self.files.clone();
        let reading = spawn_blocking(move || (stamps(&files), files.read()));
        let book = match reading.await {
            Ok((stamps, book)) => {
                self.read = stamps;
                book
            }
            Err(error) => {
                let mistakes = vec![format!("reading them failed: {error}")];
                Err(PriceFilesError { mistakes, may_pass: true })
            }
        };
        match book {
            Ok(book) => {
                self.logged = None;
                let new = book.version().to_owned();
                let old = self.prices.replace(book);
                tracing::info!(version = %format_args!("{} -> {new}", old.version()), "receiver.prices.reloaded");
            }
            Err(error) => {
                self.prices.note_failure();
                if error.may_pass {
                    // Too many open files, an unmounted share: read again at the next look.
                    self.read.clear();
                }
                if self.logged.as_ref() != Some(&error) {
                    self.log(&error);
                    self.logged = Some(error);
                }
            }
        }
    }

    fn log(&self, error: &PriceFilesError) {
        for mistake in error.mistakes.iter().take(LOGGED_MAX) {
            tracing::error!(%mistake, "receiver.prices.mistake");
        }
        let (mistakes, kept) = (error.mistakes.len(), self.prices.current());
        tracing::error!(mistakes, kept = kept.version(), "receiver.prices.reload.failed");
    }
}
