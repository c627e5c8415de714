//! Files of prices: what they are, and how one is replaced.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use spanledger_price::{BookErrors, PriceBook};

/// The word for the book that is in the binary.
const BUILTIN: &str = "builtin";

/// Files and their texts.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let read = |path: &PathBuf| {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
        Ok((name, text))
    };
    paths.iter().map(read).collect()
}

pub(super) fn borrowed(files: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// A book, and whether it is a whole one of its own, not laid over the built-in one.
pub(super) struct Loaded {
    pub(super) book: PriceBook,
    pub(super) is_whole: bool,
    /// Whether it is a whole book in one file: it says nothing of the providers of other files.
    pub(super) is_one_file: bool,
}

/// `builtin`, a file, or a folder of files.
pub(super) fn book(path: &Path) -> anyhow::Result<Loaded> {
    if path.as_os_str() == BUILTIN {
        return Ok(Loaded { book: PriceBook::builtin().clone(), is_whole: true, is_one_file: false });
    }
    let files = read(&expanded(&[path.to_owned()])?)?;
    Ok(of(&files)?)
}

/// Files that can be laid over the built-in book are meant so; a whole book repeats its names and
/// stands by itself. Where neither works, the errors of the better fit are the ones to read.
pub(super) fn of(files: &[(String, String)]) -> Result<Loaded, BookErrors> {
    match PriceBook::builtin().layered(borrowed(files)) {
        Ok(book) => Ok(Loaded { book, is_whole: false, is_one_file: false }),
        Err(over) => match PriceBook::parse(borrowed(files)) {
            Ok(book) => Ok(Loaded { book, is_whole: true, is_one_file: files.len() == 1 }),
            Err(whole) => Err(if whole.0.len() < over.0.len() { whole } else { over }),
        },
    }
}

/// The files, with those of each folder in its place.
pub(super) fn expanded(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn in_folder(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let name = path.display();
    let entries = fs::read_dir(path).with_context(|| format!("{name} cannot be read"))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("{name} cannot be read"))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    anyhow::ensure!(!paths.is_empty(), "{name} has no .toml file");
    paths.sort();
    Ok(paths)
}

/// Writes a file as a whole or not at all: beside it, to the disk, and then in its place.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    // The file that a link leads to is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside: OsString = path.clone().into_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let written = write(&path, Path::new(&beside), text);
    if written.is_err() {
        // What was not made needs no removing.
        drop(fs::remove_file(&beside));
    }
    written
}

fn write(path: &Path, beside: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(beside)?;
    file.write_all(text.as_bytes())?;
    if let Ok(about) = fs::metadata(path) {
        file.set_permissions(about.permissions())?;
    }
    file.sync_all()?;
    fs::rename(beside, path)?;
    // The name is on the disk when the folder is. Some systems cannot open a folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_nothing_stays_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/prices.toml"), "three").is_err());
    }

    #[test]
    fn what_a_file_is_shows_in_it() {
        let whole = "[provider]\nname = \"openai\"\n[sources]\np = \"p\"\n[[model]]\nname = \"gpt-5.5\"\n\
                     [[price]]\nmodel = \"gpt-5.5\"\nsources = [\"p\"]\nprices_checked = 2026-01-01\nstandard = { input_per_1m = \"1\" }\n";
        let over = "[provider]\nname = \"openai\"\n[deployments]\nmine = \"gpt-5.5\"\n";
        let of = |text: &str| of(&[("x.toml".to_owned(), text.to_owned())]).map(|book| book.is_whole);
        assert_eq!((of(whole), of(over)), (Ok(true), Ok(false)));
        let errors = of(&over.replace("gpt-5.5", "gpt-55")).unwrap_err();
        assert!(errors.to_string().contains("x.toml:4: the book has no model `gpt-55`"), "{errors}");
    }
}
