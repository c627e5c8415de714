//! The results as a table for people, or as one JSON object per line for programs.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::run::{Measured, Scenario};

/// A column: its title, how many decimals are shown, its value, and its meaning.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    decimals: usize,
    value: fn(&Measured) -> f64,
    pub(crate) meaning: &'static str,
}

pub(crate) const COLUMNS: [Column; 13] = [
    Column {
        title: "calls",
        decimals: 0,
        value: |m| m.calls_at_rest as f64,
        meaning: "calls in the ledger at the end; the row measures those since the row of the same ledger above it",
    },
    Column {
        title: "calls/s",
        decimals: 0,
        value: |m| m.calls as f64 / m.elapsed.as_secs_f64(),
        meaning: "calls acknowledged per second, each commit synced to disk; the observations are made before",
    },
    Column {
        title: "writer µs",
        decimals: 1,
        value: |m| micros(m.writer_cpu, m),
        meaning: "CPU time of the ledger's writer thread per call",
    },
    Column {
        title: "ledger µs",
        decimals: 1,
        value: |m| micros(m.ledger_cpu, m),
        meaning: "CPU time of the whole ledger per call: the writer, other threads of it, and `append` in its callers",
    },
    Column {
        title: "p50 ms",
        decimals: 2,
        value: |m| percentile(m, 50),
        meaning: "time of one append: median",
    },
    Column { title: "p99 ms", decimals: 2, value: |m| percentile(m, 99), meaning: "99th percentile" },
    Column { title: "max ms", decimals: 2, value: |m| percentile(m, 100), meaning: "the slowest append" },
    Column {
        title: "rest B",
        decimals: 0,
        value: |m| m.bytes_at_rest as f64 / m.calls_at_rest as f64,
        meaning: "bytes of the closed ledger's files per call in it",
    },
    Column {
        title: "written B",
        decimals: 0,
        value: |m| m.bytes_written as f64 / m.calls as f64,
        meaning: "bytes in the process's `write` calls per call (`wchar` of /proc/self/io), with the closing",
    },
    Column {
        title: "disk B",
        decimals: 0,
        value: |m| m.bytes_to_disk as f64 / m.calls as f64,
        meaning: "bytes that the kernel brings to the disk per call, in whole pages (`write_bytes`)",
    },
    Column {
        title: "obs/s",
        decimals: 0,
        value: |m| m.observations as f64 / m.elapsed.as_secs_f64(),
        meaning: "observations acknowledged per second",
    },
    Column {
        title: "open ms",
        decimals: 0,
        value: |m| m.open.as_secs_f64() * 1e3,
        meaning: "opening the ledger before the measurement",
    },
    Column {
        title: "close ms",
        decimals: 0,
        value: |m| m.close.as_secs_f64() * 1e3,
        meaning: "closing it afterwards",
    },
];

/// The columns before those of [`COLUMNS`].
const KEYS: [(&str, usize); 2] = [("scenario", 8), ("request", 7)];

pub(crate) fn header() -> String {
    let keys = KEYS.iter().map(|(title, width)| format!("{title:<width$}"));
    keys.chain(COLUMNS.iter().map(|column| format!("{:>9}", column.title))).collect::<Vec<_>>().join(" ")
}

pub(crate) fn row(scenario: Scenario, size: u64, measured: &Measured) -> String {
    let mut cells = vec![format!("{:<8}", scenario.name()), format!("{size:<7}")];
    for column in &COLUMNS {
        cells.push(format!("{:>9.*}", column.decimals, (column.value)(measured)));
    }
    cells.join(" ")
}

pub(crate) fn json(scenario: Scenario, size: u64, measured: &Measured) -> Value {
    let mut object = Map::new();
    object.insert("scenario".to_owned(), json!(scenario.name()));
    object.insert("request".to_owned(), json!(size));
    for column in &COLUMNS {
        object.insert(column.title.to_owned(), json!((column.value)(measured)));
    }
    Value::Object(object)
}

fn micros(time: Duration, measured: &Measured) -> f64 {
    time.as_secs_f64() * 1e6 / measured.calls as f64
}

/// The time below which this share of the appends stays, in milliseconds.
fn percentile(measured: &Measured, percent: usize) -> f64 {
    let rank = (measured.latencies.len() * percent).div_ceil(100).max(1);
    measured.latencies[rank - 1].as_secs_f64() * 1e3
}
