//! Prices a file of calls, one on each line.

use std::{
    io::{BufRead, Read as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use spanledger_event::{Cost, Timestamp, UnpricedReason, Usd};
use spanledger_price::PriceBook;

use super::{
    Input,
    line::{self, Line},
    progress::Progress,
};
use crate::{render::parts::counted, terminal};

/// A longer line is refused, so that the use of memory is bounded.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Answers are written at the latest when they have this many bytes.
const OUTPUT_BYTES: usize = 1 << 16;

/// The sums of a run.
#[derive(Default)]
struct Tally {
    priced: usize,
    unpriced: usize,
    refused: usize,
    usd: Usd,
}

pub(super) fn run(path: &Path, book: &PriceBook, now: Timestamp) -> anyhow::Result<ExitCode> {
    let Input { name, length, mut reader } = super::open(path)?;
    let mut progress = Progress::new(length);
    let mut tally = Tally::default();
    let (mut bytes, mut answers) = (Vec::new(), String::new());
    let mut number = 0;
    let mut is_first = true;
    loop {
        let next = next(&mut reader, &mut bytes).with_context(|| format!("{name} cannot be read"))?;
        let Some((length, is_whole)) = next else { break };
        number += 1;
        let line = trimmed(&bytes, number);
        if !line.is_empty() {
            if std::mem::take(&mut is_first) {
                refuse_document(&name, line)?;
            }
            answers.push_str(&answer(book, line, is_whole, number, now, &mut tally)?);
        }
        progress.line(length);
        // The next read may block until the writer of the input sends more, so all answers are written first.
        if answers.len() >= OUTPUT_BYTES || reader.buffer().is_empty() {
            terminal::data(&answers)?;
            answers.clear();
        }
    }
    terminal::data(&answers)?;
    progress.end();
    if tally.refused == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let Tally { priced, unpriced, refused, usd } = tally;
    terminal::say(format_args!(
        "error: {name}: {} not valid, the answers say why; {priced} priced with a total of {usd} USD, {unpriced} \
         unpriced",
        if refused == 1 { "1 line was".to_owned() } else { format!("{} were", counted(refused, "line")) },
    ));
    Ok(ExitCode::FAILURE)
}

/// Reads a line into `bytes`. Returns its length and whether all of it was read; `None` at the end of the input.
fn next(input: &mut impl BufRead, bytes: &mut Vec<u8>) -> std::io::Result<Option<(usize, bool)>> {
    bytes.clear();
    let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut length = (&mut *input).take(limit).read_until(b'\n', bytes)?;
    if length == 0 {
        return Ok(None);
    }
    let is_whole = bytes.ends_with(b"\n") || length < LINE_BYTES_MAX;
    if !is_whole {
        length += input.skip_until(b'\n')?;
    }
    Ok(Some((length, is_whole)))
}

fn trimmed(bytes: &[u8], number: usize) -> &[u8] {
    let bytes = if number == 1 { bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes) } else { bytes };
    bytes.trim_ascii()
}

/// Refuses a JSON document that spans several lines, and names the command that converts it to one object on
/// each line. Otherwise each line of the document would be refused.
fn refuse_document(name: &str, line: &[u8]) -> anyhow::Result<()> {
    let starts = |with: &str| {
        let mut rest = line.iter().filter(|byte| !byte.is_ascii_whitespace());
        with.bytes().all(|byte| rest.next() == Some(&byte))
    };
    let filter = if starts("{\"vectors\":") || line == b"{" {
        ".vectors[]"
    } else if line == b"[" || starts("[{") {
        ".[]"
    } else {
        return Ok(());
    };
    anyhow::bail!(
        "{name}:1 begins a JSON document of several lines, but a batch has one object on each line; try\n  \
         jq -c '{filter}' FILE | spanledger price --batch -"
    )
}

/// Prices a line and returns its answer.
fn answer(
    book: &PriceBook,
    line: &[u8],
    is_whole: bool,
    number: usize,
    now: Timestamp,
    tally: &mut Tally,
) -> anyhow::Result<String> {
    let Line { id, unknown_api, call } = if is_whole {
        Line::parse(line, now)
    } else {
        Line::refused(format!("the line is longer than {LINE_BYTES_MAX} bytes"))
    };
    let mut cost = match call {
        Ok(call) => {
            let cost = book.price(&call.resolve().query());
            match cost.usd {
                Some(usd) => {
                    tally.priced += 1;
                    tally.usd = tally.usd + usd;
                }
                None => tally.unpriced += 1,
            }
            cost
        }
        Err(mistake) => {
            tally.refused += 1;
            Cost {
                usd: None,
                reason: Some(UnpricedReason::ContradictoryUsage),
                detail: Some(format!("line {number}: {mistake}")),
                ..Cost::free(book.version(), now)
            }
        }
    };
    if let Some(api) = unknown_api {
        let note = format!("the api `{api}` is unknown");
        cost.detail = Some(cost.detail.map_or_else(|| note.clone(), |detail| format!("{detail}; {note}")));
    }
    line::answer(id, &cost)
}
