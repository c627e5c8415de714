//! `spanledger price`: prices one call or a file of calls.

mod answer;
mod batch;
mod call;
mod line;
mod progress;
mod single;

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;

use crate::{args::PriceArguments, prices};

pub(crate) fn run(arguments: &PriceArguments) -> anyhow::Result<ExitCode> {
    let book = prices::book(&arguments.book)?;
    let at = prices::moment(arguments.at.as_deref())?;
    match &arguments.batch {
        Some(path) => batch::run(path, &book, at),
        None => single::run(arguments, &book, at),
    }
}

/// A file, or standard input.
struct Input {
    /// The name for messages.
    name: String,
    /// The length in bytes; `None` if it is unknown.
    length: Option<u64>,
    reader: BufReader<Box<dyn Read>>,
}

/// Opens a file, or standard input if the path is `-`.
fn open(path: &Path) -> anyhow::Result<Input> {
    /// A large buffer needs fewer system calls.
    const BUFFER_BYTES: usize = 1 << 18;
    if path.as_os_str() == "-" {
        let reader = BufReader::with_capacity(BUFFER_BYTES, Box::new(io::stdin().lock()) as Box<dyn Read>);
        return Ok(Input { name: "standard input".to_owned(), length: None, reader });
    }
    let name = path.display().to_string();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let about = file.metadata().with_context(|| format!("{name} cannot be read"))?;
    anyhow::ensure!(!about.is_dir(), "{name} is a folder");
    let length = about.is_file().then_some(about.len());
    Ok(Input { name, length, reader: BufReader::with_capacity(BUFFER_BYTES, Box::new(file)) })
}
