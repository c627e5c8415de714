//! Closed files: their names, their compression, and how long they are kept.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use spanledger_event::Timestamp;

use super::position::beside;
use crate::{
    Fault,
    disk::{OrFault as _, folder, sync_folder},
};

const GZIP: &str = "gz";

/// Closes the file: gives it a name with the time, so that the next one can be begun.
pub(super) fn close(path: &Path) -> Result<(), Fault> {
    let (stem, extension) = name(path);
    loop {
        let closed = path.with_file_name(format!("{stem}.{}{extension}", file_time(SystemTime::now())));
        if !closed.exists() && !compressed(&closed).exists() {
            return fs::rename(path, &closed).and_then(|()| sync_folder(path)).or_fault("renamed", path);
        }
        // Another file was closed in this millisecond.
        thread::sleep(Duration::from_millis(1));
    }
}

/// A moment as a part of a file name: `2026-11-22T07-05-11.042Z`.
fn file_time(moment: SystemTime) -> String {
    let since = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let text = Timestamp::from_nanos(seconds.saturating_mul(1_000_000_000)).to_string().replace(':', "-");
    format!("{}.{:03}Z", text.trim_end_matches('Z'), since.subsec_millis())
}

/// The name without its extension, and the extension with its dot.
fn name(path: &Path) -> (String, String) {
    let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
    let extension =
        path.extension().map_or_else(String::new, |extension| format!(".{}", extension.to_string_lossy()));
    (text(path.file_stem()), extension)
}

/// What happens to closed files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upkeep {
    pub(super) gzip: bool,
    pub(super) keep_files: usize,
    pub(super) keep_days: u32,
}

impl Upkeep {
    /// Whether nothing ever happens to them.
    pub(super) fn is_nothing(self) -> bool {
        !self.gzip && self.keep_files == 0 && self.keep_days == 0
    }

    /// Compresses and removes closed files. A run that was interrupted is made up for by the next one.
    pub(super) fn run(self, path: &Path) -> io::Result<()> {
        let lock = OpenOptions::new().create(true).append(true).open(beside(path, "upkeep"))?;
        // Another sink of the same file is at it.
        if lock.try_lock().is_err() {
            return Ok(());
        }
        let mut files = list(path)?;
        let age_max = Duration::from_secs(u64::from(self.keep_days) * 86_400);
        let is_old = |file: &Path| -> io::Result<bool> {
            let age = SystemTime::now().duration_since(fs::metadata(file)?.modified()?);
            Ok(self.keep_days > 0 && age.is_ok_and(|age| age > age_max))
        };
        let surplus = if self.keep_files > 0 { files.len().saturating_sub(self.keep_files) } else { 0 };
        for file in files.drain(..surplus) {
            fs::remove_file(file)?;
        }
        // A reader may still read the last closed file.
        for (index, file) in files.iter().enumerate() {
            if is_old(file)? {
                fs::remove_file(file)?;
            } else if self.gzip && index + 1 < files.len() && file.extension().is_none_or(|end| end != GZIP) {
                compress(file)?;
            }
        }
        Ok(())
    }
}

/// The closed files, from the oldest to the newest.
fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (stem, extension) = name(path);
    let begin = format!("{stem}.");
    let mut files = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let file = entry?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let time = name.strip_prefix(&begin).and_then(|rest| rest.strip_suffix(extension.as_str()));
        if let Some(time) = time.filter(|time| is_time(time)) {
            files.push((time.to_owned(), file));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// Whether a text has the form `2026-11-22T07-05-11.042Z`.
fn is_time(text: &str) -> bool {
    const FORM: &str = "0000-00-00T00-00-00.000Z";
    let is_digit = |form: char, c: char| if form == '0' { c.is_ascii_digit() } else { form == c };
    text.len() == FORM.len() && text.chars().zip(FORM.chars()).all(|(c, form)| is_digit(form, c))
}

/// The name that a closed file has when it is compressed.
fn compressed(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    name.into()
}

fn compress(file: &Path) -> io::Result<()> {
    let temporary = beside(file, GZIP);
    let mut encoder = GzEncoder::new(File::create(&temporary)?, Compression::default());
    io::copy(&mut File::open(file)?, &mut encoder)?;
    encoder.finish()?.sync_all()?;
    fs::rename(&temporary, compressed(file))?;
    sync_folder(file)?;
    fs::remove_file(file)
}
