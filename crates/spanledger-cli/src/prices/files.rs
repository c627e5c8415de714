//! Reads price files, distinguishes complete books from overlays, and replaces files.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use spanledger_price::{BookErrors, PriceBook};
use spanledger_receiver::read_price_file;

/// The argument that names the built-in book.
const BUILTIN: &str = "builtin";

/// Reads files. Returns the name and the text of each.
pub(super) fn read(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    paths.iter().map(|path| Ok((path.display().to_string(), read_price_file(path)?))).collect()
}

pub(super) fn borrowed(files: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(name, text)| (name.as_str(), text.as_str()))
}

/// A book that was read from files.
pub(super) struct Loaded {
    pub(super) book: PriceBook,
    /// Whether the files are a complete book; otherwise they are laid over the built-in book.
    pub(super) is_whole: bool,
    /// Whether the book is one complete file, which has no prices of other providers.
    pub(super) is_one_file: bool,
}

/// Reads the book that an argument names: `builtin`, a file, or a folder of files.
pub(super) fn book(path: &Path) -> anyhow::Result<Loaded> {
    if path.as_os_str() == BUILTIN {
        return Ok(Loaded { book: PriceBook::builtin().clone(), is_whole: true, is_one_file: false });
    }
    let files = read(&expanded(&[path.to_owned()])?)?;
    Ok(of(&files)?)
}

/// Lays the files over the built-in book. This fails for a complete book, because it repeats the names of
/// models; such files are then parsed as a complete book. If both fail, the shorter list of errors is returned.
pub(super) fn of(files: &[(String, String)]) -> Result<Loaded, BookErrors> {
    match PriceBook::builtin().layered(borrowed(files)) {
        Ok(book) => Ok(Loaded { book, is_whole: false, is_one_file: false }),
        Err(over) => match PriceBook::parse(borrowed(files)) {
            Ok(book) => Ok(Loaded { book, is_whole: true, is_one_file: files.len() == 1 }),
            Err(whole) => Err(if whole.0.len() < over.0.len() { whole } else { over }),
        },
    }
}

/// Replaces each folder by the `.toml` files in it.
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

/// Replaces a file atomically: writes a temporary file in the same folder, syncs it and renames it.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    // If the path is a symbolic link, its target is replaced, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut beside: OsString = path.clone().into_os_string();
    beside.push(format!(".{}.new", std::process::id()));
    let written = write(&path, Path::new(&beside), text);
    if written.is_err() {
        // An error is ignored: the temporary file may not have been created.
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
    // The rename is durable only after the folder is synced. Some systems cannot open a folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_leaves_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.toml");
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(replace(&folder.path().join("none/prices.toml"), "three").is_err());
    }

    #[test]
    fn a_complete_book_is_distinguished_from_an_overlay() {
        let whole = "[provider]\nname = \"openai\"\n[sources]\np = \"p\"\n[[model]]\nname = \"gpt-5.5\"\n\
                     [[price]]\nmodel = \"gpt-5.5\"\nsources = [\"p\"]\nprices_checked = 2026-01-01\nstandard = { input_per_1m = \"1\" }\n";
        let over = "[provider]\nname = \"openai\"\n[deployments]\nmine = \"gpt-5.5\"\n";
        let of = |text: &str| of(&[("x.toml".to_owned(), text.to_owned())]).map(|book| book.is_whole);
        assert_eq!((of(whole), of(over)), (Ok(true), Ok(false)));
        let errors = of(&over.replace("gpt-5.5", "gpt-55")).unwrap_err();
        assert!(errors.to_string().contains("x.toml:4: the book has no model `gpt-55`"), "{errors}");
    }
}
