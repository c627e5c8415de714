//! Files of prices of one's own, laid over the built-in book and watched.
//!
//! A change is seen by the files' metadata, once a second: a notification by the system would be
//! missed on network file systems and in containers whose files are swapped by a symbolic link. It
//! is read when the metadata has stood still for one look, so that a file which an editor or a
//! copy is about to write, or to rename into its place, is not read half.

use std::{
    fmt, fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use spanledger_price::PriceBook;
use tokio::{sync::Notify, task::spawn_blocking, time::MissedTickBehavior};

use crate::Prices;

#[cfg(test)]
mod tests;

/// How often the files' metadata is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes of a file; the built-in book has a hundredth of it.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Mistakes that are logged of one content.
const LOGGED_MAX: usize = 50;

/// Files whose prices are laid over the built-in book.
#[derive(Clone, Debug, Default)]
pub struct PriceFiles {
    paths: Arc<[PathBuf]>,
}

/// Every mistake of the files: `prices.toml:12: what is wrong and what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PriceFilesError {
    /// The mistakes, by file and line.
    pub mistakes: Vec<String>,
    /// Whether a file that is there could not be read, which may pass by itself.
    may_pass: bool,
}

impl fmt::Display for PriceFilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(f, "the files of prices have {count} mistake{}", if count == 1 { "" } else { "s" })?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl PriceFiles {
    /// The files at these paths, one per provider.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: paths.into_iter().collect() }
    }

    /// Where they are.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The built-in book with the files over it. All mistakes of all files are collected. It blocks.
    pub fn read(&self) -> Result<PriceBook, PriceFilesError> {
        if self.paths.is_empty() {
            return Ok(PriceBook::builtin().clone());
        }
        let (mut mistakes, mut may_pass) = (Vec::new(), false);
        let mut files = Vec::new();
        for path in self.paths.iter() {
            let name = path.display().to_string();
            match text(path) {
                Ok(text) => files.push((name, text)),
                Err(mistake) => {
                    may_pass |= mistake.starts_with(UNREADABLE) && path.exists();
                    mistakes.push(format!("{name}{mistake}"));
                }
            }
        }
        let files = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        match PriceBook::builtin().layered(files) {
            Ok(book) if mistakes.is_empty() => Ok(book),
            read => {
                let errors = read.err().map(|errors| errors.0).unwrap_or_default();
                mistakes.extend(errors.iter().map(ToString::to_string));
                Err(PriceFilesError { mistakes, may_pass })
            }
        }
    }

    fn stamps(&self) -> Vec<Option<Stamp>> {
        self.paths.iter().map(|path| fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))).collect()
    }
}

const UNREADABLE: &str = ": cannot be read: ";

/// A file's text, or what follows its name in a mistake.
fn text(path: &Path) -> Result<String, String> {
    let unreadable = |error: io::Error| format!("{UNREADABLE}{error}");
    // To open a pipe is to wait for whoever writes into it.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(": is not a file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(format!(": is larger than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        format!(":{line}: is not UTF-8: save the file as such")
    })
}

/// What tells that a file has another content.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Device, inode, and the time of the last change of either content or metadata, which no
    /// program sets: a copy that keeps the time of its source is seen as well.
    #[cfg(unix)]
    place: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;
        Self {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            #[cfg(unix)]
            place: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Keeps [`Prices`] as the files say.
///
/// A good change is put in force; over a bad one, or a file that is gone, the last good book stays,
/// and each mistake is logged once per content.
#[derive(Debug)]
pub struct PriceWatch {
    files: PriceFiles,
    prices: Prices,
    /// How the files stood when they were read, and at the last look.
    read: Vec<Option<Stamp>>,
    seen: Vec<Option<Stamp>>,
    /// What the log has said and is still so.
    logged: Option<PriceFilesError>,
    interval: Duration,
}

impl PriceWatch {
    /// Reads the files for the first time. It blocks.
    pub fn start(files: PriceFiles) -> Result<Self, PriceFilesError> {
        // Before they are read: what is written meanwhile is found at the next look.
        let read = files.stamps();
        let prices = Prices::new(files.read()?);
        Ok(Self { files, prices, seen: read.clone(), read, logged: None, interval: LOOK_INTERVAL })
    }

    /// The prices that it keeps.
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Watches for ever; `order` makes it read the files at once.
    pub async fn run(mut self, order: Arc<Notify>) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = order.notified() => {
                    // Who orders it wants an answer, also when it is the same.
                    self.logged = None;
                    self.reload().await;
                }
                _ = ticks.tick(), if !self.files.paths.is_empty() => self.look().await,
            }
        }
    }

    /// Reads the files when they have changed since they were read, and not since the last look.
    async fn look(&mut self) {
        let files = self.files.clone();
        let Ok(now) = spawn_blocking(move || files.stamps()).await else { return };
        let is_still = now == self.seen;
        self.seen = now;
        if is_still && self.seen != self.read {
            self.reload().await;
        }
    }

    async fn reload(&mut self) {
        let files = self.files.clone();
        let reading = spawn_blocking(move || (files.stamps(), files.read()));
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
                self.prices.keep();
                if error.may_pass {
                    // Too many open files, a share that is away: to be read again at the next look.
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
