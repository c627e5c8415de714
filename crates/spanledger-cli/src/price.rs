//! `spanledger price`: what one call costs, or many.

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
    /// The length in bytes, where it is known.
    length: Option<u64>,
    reader: BufReader<Box<dyn Read>>,
}

/// Opens a file; standard input for `-`.
fn open(path: &Path) -> anyhow::Result<Input> {
    /// Large enough for few system calls, small enough for little memory.
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
