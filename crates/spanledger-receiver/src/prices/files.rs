//! Reads the user's price files and lays them over the built-in book.

use std::{
    fmt, fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use spanledger_price::PriceBook;

#[cfg(test)]
mod tests;

/// The greatest size of a file in bytes. It is far larger than the built-in book.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Files whose prices are laid over the built-in book.
#[derive(Clone, Debug, Default)]
pub struct PriceFiles {
    paths: Arc<[PathBuf]>,
}

/// All mistakes in the files, each as `prices.toml:12: what is wrong and what to do`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct PriceFilesError {
    /// The mistakes, in the order of the files and their lines.
    pub mistakes: Vec<String>,
    /// Whether a file exists but could not be read. This can be temporary, so the files are read again.
    pub(super) may_pass: bool,
}

impl fmt::Display for PriceFilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.mistakes.len();
        write!(f, "the price files have {count} mistake{}", if count == 1 { "" } else { "s" })?;
        self.mistakes.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl PriceFiles {
    /// The files at these paths, one per provider.
    pub fn new(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { paths: paths.into_iter().collect() }
    }

    /// The paths of the files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Reads the files and lays them over the built-in book. Collects all mistakes of all files. Blocks.
    pub fn read(&self) -> Result<PriceBook, PriceFilesError> {
        if self.paths.is_empty() {
            return Ok(PriceBook::builtin().clone());
        }
        let (mut mistakes, mut may_pass) = (Vec::new(), false);
        let mut files = Vec::new();
        for path in self.paths.iter() {
            let name = path.display().to_string();
            // Only regular files are read: opening a named pipe would wait for its writer.
            if path.exists() && !path.is_file() {
                mistakes.push(format!("{name}: is not a file"));
                continue;
            }
            match read_price_file(path) {
                Ok(text) => files.push((name, text)),
                Err(error) => {
                    may_pass |= error.is_unreadable && path.exists();
                    mistakes.push(error.to_string());
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
}

/// Why the text of a price file could not be read. The message begins with the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{mistake}")]
pub struct PriceFileError {
    mistake: String,
    /// Whether the system could not read the file. Otherwise its content is invalid.
    is_unreadable: bool,
}

/// Reads the text of a price file. Fails if the file is larger than 16 MiB. Blocks.
pub fn read_price_file(path: &Path) -> Result<String, PriceFileError> {
    let name = path.display();
    let mut bytes = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        return Err(PriceFileError {
            mistake: format!("{name}: cannot be read: {error}"),
            is_unreadable: true,
        });
    }
    let wrong = |mistake: String| PriceFileError { mistake, is_unreadable: false };
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(wrong(format!("{name}: is larger than {FILE_BYTES_MAX} bytes")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        wrong(format!("{name}:{line}: is not UTF-8: save the file as UTF-8"))
    })
}
