//! Reloads price files that have changed.
//!
//! The metadata of the files is checked once a second. Notifications by the operating system are not used:
//! they are missed on network file systems, and in containers whose files are replaced through a symbolic
//! link. Changed files are read when two consecutive checks find the same metadata, so that a file that is
//! still being written is not read in part.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{sync::Notify, task::spawn_blocking, time::MissedTickBehavior};

use super::{PriceFiles, PriceFilesError, Prices};

#[cfg(test)]
mod tests;

/// The interval between two checks of the files' metadata.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The greatest number of mistakes that are logged for one reload.
const LOGGED_MAX: usize = 50;

/// The metadata that changes with a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Device, inode, and the time of the last change of content or metadata (ctime). A program cannot set
    /// the ctime, so even a copy that keeps the modification time of its source is noticed.
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

/// A handle that makes a [`PriceWatch`] read its files at once.
#[derive(Clone, Debug, Default)]
pub struct PriceReload(Arc<Notify>);

impl PriceReload {
    /// Requests a reload. The result is logged.
    pub fn reload(&self) {
        self.0.notify_one();
    }
}

/// Keeps [`Prices`] up to date with the files.
///
/// A valid change takes effect. If changed files have mistakes, or a file is missing, the last valid book
/// stays in force. The same mistakes are logged only once.
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
        // The metadata is read before the files, so that a change during the read is found by the next check.
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

    /// The prices that the watch keeps up to date.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// A handle that requests a reload, for example on a signal.
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
                    // The result of a requested reload is always logged, even if the mistakes are known.
                    self.logged = None;
                    self.reload().await;
                }
                _ = ticks.tick(), if !self.files.paths().is_empty() => self.look().await,
            }
        }
    }

    /// Checks the metadata. Reads the files if they have changed since the last read, but not since the
    /// last check.
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
                let mistakes = vec![format!("reading the price files failed: {error}")];
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
                    // The cause may be temporary, such as too many open files: the next check reads again.
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
