//! Checks whether `serve` could write the ledger.

use std::{fs, path::Path};

use spanledger_ledger::{Ledger, LedgerError, LedgerReader};

use super::Finding;

#[cfg(test)]
mod tests;

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

/// Creates a ledger where `serve` will create its own, in a new folder, and removes the folder. Whatever else
/// is there stays.
fn creatable(path: &Path) -> Finding {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let probe = folder.join(format!(".spanledger-check-{}", std::process::id()));
    fs::create_dir(&probe).map_err(|error| {
        format!(
            "{} cannot be created: {error}; check that its folder exists and is writable, or choose another file \
             with --ledger",
            path.display()
        )
    })?;
    let created = Ledger::open(probe.join("ledger.db")).map(drop);
    // If the folder stays behind, the finding is still true.
    drop(fs::remove_dir_all(&probe));
    created.map(|()| format!("{} will be created by `serve`", path.display())).map_err(chain)
}

/// An error with its causes, on one line.
fn chain(error: LedgerError) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
