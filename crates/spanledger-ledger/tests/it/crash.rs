//! A crash at every write of the file system.
//!
//! A child process runs a campaign on its ledger, and a small library that is loaded into it records every
//! write, truncation, sync and removal of files, in order, together with the ledger's acknowledgements. Then
//! the record is played: at every operation, and in the middle of every write, the files are made as a crash
//! at that moment leaves them, and the ledger is opened. Nothing acknowledged may be lost or there twice,
//! no request may be there in part, and the events must be the fold of the observations.
//!
//! Two kinds of crash are tried. After `kill -9` everything is there that the process wrote. After a power
//! failure, of what was written since the last sync of a file any part may be missing, sector by sector. A sync
//! that fails loses what it should have stored, as far as that is not written again.
//!
//! By default a sample of the moments is tried. All of them are tried with
//!
//! ```text
//! cargo test --release -p spanledger-ledger --test it crash -- --ignored --nocapture every_moment
//! ```

mod campaign;
mod disk;
mod record;

use std::{collections::BTreeSet, fs, path::Path};

use self::{
    campaign::{Campaign, FILE, Owed, check, owed},
    disk::{Disk, Files, torn},
    record::{ACKNOWLEDGED, Change, Operation},
};
use crate::support::Random;

/// How many moments the ordinary test tries, each with up to three crashes.
const SAMPLE: usize = 90;
/// How many moments are tried while the log is copied. Each opens a ledger of 100,000 observations.
const MOMENTS_OF_COPYING: usize = 10;
/// How many power failures the long test tries at each moment.
const POWER_FAILURES: usize = 3;
const SEED: u64 = 7;

#[test]
#[ignore = "the other tests of this file run it in another process, and record what it does"]
fn child_process_that_is_recorded() {
    campaign::run();
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_or_the_power_fails() {
    let Some(record) = recorded(Campaign::Varied) else { return };
    let tried = play(Campaign::Varied, &record, &Effort::Sample(SAMPLE)).unwrap();
    assert!(tried >= SAMPLE, "only {tried} crashes were tried");
}

#[test]
#[ignore = "takes minutes: it tries a crash at every moment"]
fn nothing_acknowledged_is_lost_whatever_the_moment_every_moment() {
    let Some(record) = recorded(Campaign::Varied) else { return };
    let tried = play(Campaign::Varied, &record, &Effort::Everything).unwrap();
    println!("{} operations were recorded, {tried} crashes were tried", record.len());
}

#[test]
#[ignore = "takes minutes: it fills a log, and opens a large ledger often"]
fn nothing_acknowledged_is_lost_while_the_log_is_copied_every_moment() {
    let Some(record) = recorded(Campaign::Long) else { return };
    let acknowledgements = record.iter().map(|operation| operation.file == ACKNOWLEDGED);
    let (first, last) = (
        acknowledgements.clone().position(|is_one| is_one).unwrap(),
        record.len() - acknowledgements.rev().position(|is_one| is_one).unwrap(),
    );
    let is_copied_early =
        record[first..last].iter().any(|operation| operation.file == FILE && operation.is_write());
    assert!(is_copied_early, "the campaign is too short for the log to be copied before the end");
    let tried = play(Campaign::Long, &record, &Effort::WhileCopying(MOMENTS_OF_COPYING)).unwrap();
    println!("{} operations were recorded, {tried} crashes were tried", record.len());
}

/// When a sync fails, the request is answered with an error, and the fault is shown until the disk works again.
/// Whatever the disk has lost then, and whenever the power fails after it, nothing acknowledged is lost.
#[test]
fn nothing_acknowledged_is_lost_after_the_disk_failed_to_store() {
    let Some(record) = recorded(Campaign::Failing) else { return };
    let failed = |file: &str| {
        let is_it = |one: &&Operation| one.change == Change::FailedSync && one.file == file;
        record.iter().filter(is_it).count()
    };
    assert!(failed(&format!("{FILE}-wal")) >= 10 && failed(FILE) >= 2, "the syncs did not fail");
    play(Campaign::Failing, &record, &Effort::Sample(SAMPLE / 2)).unwrap();
}

#[test]
#[ignore = "takes minutes: it tries a crash at every moment"]
fn nothing_acknowledged_is_lost_after_the_disk_failed_to_store_every_moment() {
    let Some(record) = recorded(Campaign::Failing) else { return };
    let tried = play(Campaign::Failing, &record, &Effort::Everything).unwrap();
    println!("{} operations were recorded, {tried} crashes were tried", record.len());
}

/// The test of the test: a ledger that does not wait for the disk loses what it acknowledged.
#[test]
fn a_ledger_that_does_not_sync_its_log_is_caught() {
    let Some(mut record) = recorded(Campaign::Varied) else { return };
    record.retain(|operation| operation.change != Change::Sync || !operation.file.ends_with("-wal"));
    let lost = play(Campaign::Varied, &record, &Effort::Sample(SAMPLE)).unwrap_err();
    assert!(lost.contains("was acknowledged"), "{lost}");
}

/// The record of the campaign; `None` where it cannot be made.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn recorded(campaign: Campaign) -> Option<Vec<Operation>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap();
    match record::record("crash::child_process_that_is_recorded", campaign, &path) {
        Ok(record) => {
            assert_complete(&record, &path);
            Some(record)
        }
        Err(reason) => {
            let message = format!("SKIPPED: crashes are not tried, because {reason}");
            assert!(
                std::env::var_os("SPANLEDGER_REQUIRE_PEERS").is_none_or(|value| value != "1"),
                "{message}"
            );
            eprintln!("{message}");
            None
        }
    }
}

/// Played to its end, the record gives the files that the child process left.
fn assert_complete(record: &[Operation], folder: &Path) {
    let mut disk = Disk::default();
    for operation in record {
        disk.apply(operation);
    }
    let Files(files) = disk.after_kill();
    assert!(files.len() >= 2, "the record has no ledger");
    for (name, bytes) in &files {
        assert!(fs::read(folder.join(name)).unwrap() == *bytes, "the record of {name} is not complete");
    }
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let is_recorded = files.contains_key(&name) || entry.metadata().unwrap().len() == 0;
        assert!(is_recorded || name.ends_with("-shm"), "{name} is not in the record");
    }
}

/// How many crashes are tried.
enum Effort {
    /// About as many moments, with one torn write and one power failure each.
    Sample(usize),
    /// Every operation, every torn write, and several power failures at each.
    Everything,
    /// As `Sample`, but only moments in which the log is copied into the file.
    WhileCopying(usize),
}

impl Effort {
    fn moments(&self, record: &[Operation]) -> BTreeSet<usize> {
        let is_candidate = |operation: &Operation| match self {
            Self::Sample(_) | Self::Everything => true,
            Self::WhileCopying(_) => operation.file == FILE,
        };
        let candidates: Vec<usize> = record
            .iter()
            .enumerate()
            .filter(|(_, operation)| is_candidate(operation))
            .map(|(at, _)| at)
            .collect();
        let every = match self {
            Self::Sample(count) | Self::WhileCopying(count) => candidates.len().div_ceil(*count).max(1),
            Self::Everything => 1,
        };
        candidates.into_iter().skip(every / 2).step_by(every).collect()
    }
}

/// Plays the record and tries crashes. Returns how many were tried, or what was wrong after the first one
/// that did harm.
fn play(campaign: Campaign, record: &[Operation], effort: &Effort) -> Result<usize, String> {
    let owed = owed(&campaign.steps());
    let folder = scratch();
    let mut random = Random::new(SEED);
    let mut acknowledged = vec![false; owed.len()];
    let (mut disk, mut tried) = (Disk::default(), 0);
    let power_failures = if matches!(effort, Effort::Everything) { POWER_FAILURES } else { 1 };
    let chosen = effort.moments(record);
    for (moment, operation) in record.iter().enumerate() {
        if chosen.contains(&moment) {
            let mut attempt = |files: &Files, how: &str| {
                tried += 1;
                after(files, folder.path(), &owed, &acknowledged).map_err(|error| {
                    format!("{how} before operation {moment}, {}: {error}", summary(operation))
                })
            };
            attempt(&disk.after_kill(), "killed")?;
            let mut parts = torn(operation);
            if !matches!(effort, Effort::Everything) && !parts.is_empty() {
                parts = vec![parts.swap_remove(random.below(parts.len()))];
            }
            for part in parts {
                let mut disk = disk.clone();
                disk.apply(&part);
                attempt(&disk.after_kill(), "killed in the middle of the operation")?;
            }
            for _ in 0..if disk.pending() > 0 { power_failures } else { 0 } {
                attempt(&disk.after_power_failure(&mut random), "power failed")?;
            }
        }
        if operation.file == ACKNOWLEDGED {
            let Change::Write { data, .. } = &operation.change else { continue };
            let number: usize = std::str::from_utf8(data).unwrap().trim().parse().unwrap();
            acknowledged[number] = true;
        } else {
            disk.apply(operation);
        }
    }
    assert!(acknowledged.iter().all(|is_acknowledged| *is_acknowledged), "the campaign was not finished");
    after(&disk.after_kill(), folder.path(), &owed, &acknowledged)?;
    Ok(tried + 1)
}

fn after(files: &Files, folder: &Path, owed: &[Owed], acknowledged: &[bool]) -> Result<(), String> {
    files.put_into(folder);
    check(folder, owed, acknowledged)
}

fn summary(operation: &Operation) -> String {
    let file = &operation.file;
    match &operation.change {
        Change::Write { at, data } => format!("a write of {} bytes at {at} of {file}", data.len()),
        Change::Truncate { length } => format!("a truncation of {file} to {length}"),
        Change::Sync => format!("a sync of {file}"),
        Change::FailedSync => format!("a failed sync of {file}"),
        Change::Unlink => format!("the removal of {file}"),
    }
}

/// A folder in memory if there is one: what a sync costs plays no part here.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).unwrap_or_else(|_| tempfile::tempdir().unwrap())
}
