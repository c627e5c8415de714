//! What a disk holds after a crash: a prefix of the recorded operations, of which the last part may be
//! missing.

use std::{collections::BTreeMap, fs, path::Path};

use super::record::{Change, Operation};
use crate::support::Random;

/// A disk writes a sector whole or not at all.
pub(super) const SECTOR: usize = 512;
/// The system keeps files in memory by pages.
const PAGE: usize = 4_096;

/// The files while the record is played.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    files: BTreeMap<String, Recorded>,
}

/// A file that was not removed, or whose removal may be undone by a power failure.
#[derive(Clone, Debug, Default)]
struct Recorded {
    /// What the file is for the running system.
    now: Vec<u8>,
    /// What the disk holds for certain.
    synced: Vec<u8>,
    /// What was done since.
    pending: Vec<Change>,
    is_removed: bool,
}

impl Recorded {
    /// Stores the pages that were written since the last sync.
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            match change {
                Change::Write { at, data } => {
                    let (first, end) = (at / PAGE * PAGE, (at + data.len()).next_multiple_of(PAGE));
                    let end = end.min(self.now.len());
                    if self.synced.len() < end {
                        self.synced.resize(end, 0);
                    }
                    if first < end {
                        self.synced[first..end].copy_from_slice(&self.now[first..end]);
                    }
                }
                change => apply(&mut self.synced, &change),
            }
        }
    }
}

impl Disk {
    pub(super) fn apply(&mut self, operation: &Operation) {
        if operation.file.is_empty() {
            // The folder was synced: removed files stay removed.
            self.files.retain(|_, file| !file.is_removed);
            return;
        }
        let file = self.files.entry(operation.file.clone()).or_default();
        match &operation.change {
            Change::Sync => file.sync(),
            // A system like Linux regards what it could not write as written, so that the next sync does not
            // try it again. Only a page that is written again is stored.
            Change::FailedSync => file.pending.clear(),
            Change::Unlink => file.is_removed = true,
            change => {
                if std::mem::take(&mut file.is_removed) {
                    *file = Recorded::default();
                }
                apply(&mut file.now, change);
                file.pending.push(change.clone());
            }
        }
    }

    /// The files after the process was killed: nothing that it did is lost.
    pub(super) fn after_kill(&self) -> Files {
        let present = self.files.iter().filter(|(_, file)| !file.is_removed);
        Files(present.map(|(name, file)| (name.clone(), file.now.clone())).collect())
    }

    /// The files after the power failed. `random` decides for each operation that was not synced, and for each
    /// of its sectors, whether it reached the disk.
    pub(super) fn after_power_failure(&self, random: &mut Random) -> Files {
        let mut files = BTreeMap::new();
        for (name, file) in &self.files {
            if file.is_removed && random.one_in(2) {
                continue;
            }
            let mut bytes = file.synced.clone();
            for change in &file.pending {
                match (change, random.below(3)) {
                    (_, 0) => {}
                    (Change::Write { at, data }, 1) => {
                        for (first, part) in sectors(*at, data) {
                            if random.one_in(2) {
                                apply(&mut bytes, &Change::Write { at: first, data: part.to_owned() });
                            }
                        }
                    }
                    (change, _) => apply(&mut bytes, change),
                }
            }
            files.insert(name.clone(), bytes);
        }
        Files(files)
    }

    /// How many operations a power failure can undo.
    pub(super) fn pending(&self) -> usize {
        self.files.values().map(|file| file.pending.len() + usize::from(file.is_removed)).sum()
    }
}

/// The parts of a write that lie in one sector each, with their places.
fn sectors(at: usize, data: &[u8]) -> Vec<(usize, &[u8])> {
    let (mut parts, mut first, mut rest) = (Vec::new(), at, data);
    while !rest.is_empty() {
        let (part, later) = rest.split_at(rest.len().min(SECTOR - first % SECTOR));
        parts.push((first, part));
        first += part.len();
        rest = later;
    }
    parts
}

/// The lengths that a write can have when the process dies or the power fails in the middle of it: the
/// bounds of sectors inside it.
pub(super) fn torn(operation: &Operation) -> Vec<Operation> {
    let Change::Write { at, data } = &operation.change else { return Vec::new() };
    let bounds = sectors(*at, data).into_iter().skip(1).map(|(first, _)| first - at);
    bounds
        .map(|length| Operation {
            file: operation.file.clone(),
            change: Change::Write { at: *at, data: data[..length].to_owned() },
        })
        .collect()
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { at, data } => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
        Change::Truncate { length } => bytes.resize(*length, 0),
        Change::Sync | Change::FailedSync | Change::Unlink => {}
    }
}

/// The files that the next process finds.
#[derive(Debug)]
pub(super) struct Files(pub(super) BTreeMap<String, Vec<u8>>);

impl Files {
    /// Replaces the contents of the folder.
    pub(super) fn put_into(&self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, bytes) in &self.0 {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }
}
