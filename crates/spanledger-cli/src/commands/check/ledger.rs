//! Whether `serve` could write the ledger.

use std::{ffi::OsString, fs, path::Path};

use spanledger_ledger::{Ledger, LedgerError, LedgerReader};

use super::Finding;

pub(super) fn check(path: &Path) -> Finding {
    if path.exists() { existing(path) } else { creatable(path) }
}

fn existing(path: &Path) -> Finding {
    let shown = path.display();
    let read = || -> Result<Finding, LedgerError> {
        let reader = LedgerReader::open(path)?;
        if let Some(damage) = reader.integrity()?.first() {
            return Ok(Err(format!("{shown} is damaged: {damage}")));
        }
        let summary = reader.summary()?;
        let older =
            reader.older_version()?.map(|version| format!("; {}", will_be_brought_up_to_date(version)));
        Ok(Ok(format!(
            "{shown}: {} events ({} quarantined, {} void) from {} observations{}",
            summary.events,
            summary.quarantined,
            summary.void,
            summary.observations,
            older.unwrap_or_default()
        )))
    };
    match read() {
        Ok(finding) => finding,
        Err(LedgerError::OlderVersion { found, .. }) => {
            Ok(format!("{shown}: {}", will_be_brought_up_to_date(found)))
        }
        Err(error) => Err(chain(error)),
    }
}

fn will_be_brought_up_to_date(version: i64) -> String {
    format!("it has schema version {version}, and `serve` will bring it up to date")
}

/// Creates a ledger beside the place where `serve` will create its own, and removes it.
fn creatable(path: &Path) -> Finding {
    let probe = path.with_extension("check");
    if probe.exists() {
        return Err(format!("{} is in the way of the check: move it", probe.display()));
    }
    let created = Ledger::open(&probe).map(drop);
    for suffix in ["", ".lock", "-wal", "-shm"] {
        let mut name = OsString::from(&probe);
        name.push(suffix);
        // Not all of these files exist.
        drop(fs::remove_file(name));
    }
    created.map(|()| format!("{} will be created by `serve`", path.display())).map_err(chain)
}

/// An error with its causes, on one line.
fn chain(error: LedgerError) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
