//! Many calls, one a line.

use std::{
    io::{BufRead, Read as _},
    path::Path,
    process::ExitCode,
};

use anyhow::Context as _;
use spanledger_event::{Cost, Timestamp, UnpricedReason, Usd};
use spanledger_price::{
    PriceBook, PriceQuery,
    usage::{Answer, UsageReadError, resolve},
};

use super::{Input, line, progress::Progress};
use crate::{render::parts::counted, terminal};

/// A longer line is no call; memory stays bounded whatever the file is.
const LINE_BYTES_MAX: usize = 4 << 20;
/// Answers that are written at once.
const OUTPUT_BYTES: usize = 1 << 16;

/// What the lines came to.
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
        // Before the next read may have to wait, all that was read is answered.
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
        "error: {name}: {} not understood, the answers say why; {priced} priced with {usd} USD in all, {unpriced} \
         unpriced",
        if refused == 1 { "1 line was".to_owned() } else { format!("{} were", counted(refused, "line")) },
    ));
    Ok(ExitCode::FAILURE)
}

/// Reads a line into `bytes`; its length, and whether all of it is there. `None` at the end.
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

/// A document over several lines would be refused line by line: better once, with the way out.
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
        "{name}:1 begins one JSON document, and a batch is one object a line: try\n  \
         jq -c '{filter}' FILE | spanledger price --batch -"
    )
}

fn answer(
    book: &PriceBook,
    line: &[u8],
    is_whole: bool,
    number: usize,
    now: Timestamp,
    tally: &mut Tally,
) -> anyhow::Result<String> {
    let read = if is_whole {
        line::read(line)
    } else {
        line::Read { id: None, call: Err(format!("the line is longer than {LINE_BYTES_MAX} bytes")) }
    };
    let cost = match &read.call {
        Ok(call) => price(book, call, now),
        Err(words) => {
            tally.refused += 1;
            Cost {
                usd: None,
                reason: Some(UnpricedReason::ContradictoryUsage),
                detail: Some(format!("line {number}: {words}")),
                lines: Vec::new(),
                price_version: book.version().into(),
                priced_at: now,
            }
        }
    };
    match (cost.usd, &read.call) {
        (Some(usd), _) => {
            tally.priced += 1;
            tally.usd = tally.usd + usd;
        }
        (None, Ok(_)) => tally.unpriced += 1,
        (None, Err(_)) => {}
    }
    line::answer(read.id, &cost)
}

fn price(book: &PriceBook, call: &line::Call<'_>, now: Timestamp) -> Cost {
    let resolved = resolve(Answer {
        provider: &call.provider,
        endpoint: call.endpoint,
        service_tier: call.service_tier.as_deref(),
        region: call.region.as_deref(),
        usage_json: call.usage,
        ..Answer::default()
    });
    let problem = resolved.problem.as_ref().map(UsageReadError::to_problem);
    let mut cost = book.price(&PriceQuery {
        provider: &call.provider,
        response_model: call.model.as_deref(),
        endpoint: call.endpoint,
        service_tier: resolved.service_tier.as_deref(),
        region: resolved.region.as_deref(),
        at: call.at.unwrap_or(now),
        usage: resolved.usage.as_ref(),
        usage_problem: problem.as_deref(),
        ..PriceQuery::default()
    });
    if let Some(api) = &call.unknown_api {
        let words = format!("the api `{}` is not known", line::excerpt(api));
        cost.detail = Some(match cost.detail {
            Some(detail) => format!("{detail}; {words}"),
            None => words,
        });
    }
    cost
}
