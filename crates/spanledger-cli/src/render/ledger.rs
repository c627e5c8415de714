//! Formats what a ledger holds, as text or JSON.

use std::path::Path;

use serde::Serialize;
use spanledger_event::Timestamp;
use spanledger_ledger::{FollowerInfo, LedgerInfo, Reason, Reasons};

use super::{
    amount::grouped,
    parts::{self, WIDTH},
    reasons::reasons,
    text::{printable, wrapped},
};
use crate::args::LedgerFormat;

/// What is known about a ledger.
pub(crate) struct LedgerView<'a> {
    pub(crate) path: &'a Path,
    pub(crate) info: &'a LedgerInfo,
    /// The times of the first and the last event.
    pub(crate) period: Option<(Timestamp, Timestamp)>,
    pub(crate) reasons: &'a Reasons,
}

/// Formats what is known. `width` is the width of the terminal.
pub(crate) fn ledger(
    view: &LedgerView<'_>,
    format: LedgerFormat,
    width: Option<usize>,
) -> anyhow::Result<String> {
    match format {
        LedgerFormat::Table => Ok(text(view, width)),
        LedgerFormat::Json => parts::json(&JsonLedger::new(view)),
    }
}

fn text(view: &LedgerView<'_>, width: Option<usize>) -> String {
    let LedgerInfo { sizes, pages, keys, summary, .. } = view.info;
    let bytes = |bytes: u64| grouped(i64::try_from(bytes).unwrap_or(i64::MAX));
    let columns = width.unwrap_or(WIDTH);
    let line = |label: &str, text: &str| wrapped(&format!("{label:<14}"), 14, &printable(text), columns);
    let mut text = line("ledger", &view.path.display().to_string());
    text.push_str(&line("id", &view.info.id));
    text.push_str(&line("schema", &format!("version {}", view.info.schema_version)));
    let size = format!("{} bytes, and {} in the write-ahead log", bytes(sizes.database), bytes(sizes.log));
    text.push_str(&line("size", &size));
    let free = format!("{} bytes, which later events use", bytes(pages.free * pages.bytes));
    let free = if pages.can_shrink {
        free
    } else {
        free + "; the file cannot shrink until `spanledger ledger compact` has run once without `serve`"
    };
    text.push_str(&line("free", &free));
    let index = format!(
        "{} keys in {} bytes on disk; the keys of deleted events stay",
        grouped(keys.keys),
        grouped(keys.pages.saturating_mul(i64::try_from(pages.bytes).unwrap_or_default()))
    );
    text.push_str(&line("key index", &index));
    text.push_str(&line("observations", &grouped(summary.observations)));
    let events = format!(
        "{}, {} of them quarantined; {} more are void",
        grouped(summary.events),
        grouped(summary.quarantined),
        grouped(summary.void)
    );
    text.push_str(&line("events", &events));
    if let Some((first, last)) = view.period {
        text.push_str(&line("period", &format!("{first} to {last}")));
    }
    text.push_str(&line("repricings", &grouped(view.info.repricings)));
    if view.info.followers.is_empty() {
        text.push_str(&line("followers", "none"));
    } else {
        text.push('\n');
        text.push_str(&followers(&view.info.followers));
    }
    // The failed and the retried requests are the subject of a report.
    let explained = Reasons {
        unpriced: view.reasons.unpriced.clone(),
        quarantined: view.reasons.quarantined.clone(),
        ..Reasons::default()
    };
    let explained = reasons(&explained, width);
    if !explained.is_empty() {
        text.push('\n');
        text.push_str(&explained);
    }
    text
}

fn followers(followers: &[FollowerInfo]) -> String {
    let row = |follower: &FollowerInfo| {
        let batches: Vec<String> =
            follower.in_flight.iter().map(|(after, last)| format!("{} to {last}", after + 1)).collect();
        let in_flight = if batches.is_empty() { "–".to_owned() } else { batches.join(", ") };
        vec![
            follower.name.clone(),
            follower.cursor.to_string(),
            grouped(follower.behind),
            grouped(follower.dead_letters),
            in_flight,
        ]
    };
    let rows = followers.iter().map(row).collect();
    parts::grid(
        &["follower", "cursor", "behind", "dead letters", "batches in flight"],
        &[1, 2, 3],
        rows,
        false,
    )
}

#[derive(Serialize)]
struct JsonLedger<'a> {
    ledger: String,
    id: &'a str,
    schema_version: i64,
    database_bytes: u64,
    wal_bytes: u64,
    free_bytes: u64,
    can_shrink: bool,
    indexed_keys: i64,
    key_index_bytes: u64,
    observations: i64,
    events: i64,
    quarantined: i64,
    void: i64,
    repricings: i64,
    first_event: Option<String>,
    last_event: Option<String>,
    followers: Vec<JsonFollower<'a>>,
    unpriced_reasons: Vec<JsonReason<'a>>,
    quarantined_reasons: Vec<JsonReason<'a>>,
}

#[derive(Serialize)]
struct JsonFollower<'a> {
    name: &'a str,
    cursor: i64,
    behind: i64,
    dead_letters: i64,
    in_flight: Vec<JsonBatch>,
}

#[derive(Serialize)]
struct JsonBatch {
    first: i64,
    last: i64,
}

#[derive(Serialize)]
struct JsonReason<'a> {
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    requests: i64,
}

impl<'a> JsonLedger<'a> {
    fn new(view: &'a LedgerView<'a>) -> Self {
        let LedgerInfo { id, schema_version, repricings, sizes, pages, keys, summary, followers } = view.info;
        let follower = |follower: &'a FollowerInfo| JsonFollower {
            name: &follower.name,
            cursor: follower.cursor,
            behind: follower.behind,
            dead_letters: follower.dead_letters,
            in_flight: follower
                .in_flight
                .iter()
                .map(|&(after, last)| JsonBatch { first: after + 1, last })
                .collect(),
        };
        let reason = |reason: &'a Reason| JsonReason {
            reason: &reason.name,
            detail: reason.detail.as_deref(),
            requests: reason.requests,
        };
        Self {
            ledger: view.path.display().to_string(),
            id,
            schema_version: *schema_version,
            database_bytes: sizes.database,
            wal_bytes: sizes.log,
            free_bytes: pages.free * pages.bytes,
            can_shrink: pages.can_shrink,
            indexed_keys: keys.keys,
            key_index_bytes: u64::try_from(keys.pages).unwrap_or_default() * pages.bytes,
            observations: summary.observations,
            events: summary.events,
            quarantined: summary.quarantined,
            void: summary.void,
            repricings: *repricings,
            first_event: view.period.map(|(first, _)| first.to_string()),
            last_event: view.period.map(|(_, last)| last.to_string()),
            followers: followers.iter().map(follower).collect(),
            unpriced_reasons: view.reasons.unpriced.iter().map(reason).collect(),
            quarantined_reasons: view.reasons.quarantined.iter().map(reason).collect(),
        }
    }
}
