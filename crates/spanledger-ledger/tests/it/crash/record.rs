//! The record of what the child process did to the files of its folder, and the means to make it.

use std::{
    env,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::campaign::Campaign;

/// The child process appends a line here for each answer of the ledger. The lines are in the record, between
/// the writes of the ledger.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";

const RECORD: &str = "SPANLEDGER_TEST_RECORD";
const CAMPAIGN: &str = "SPANLEDGER_TEST_CAMPAIGN";
const FOLDER: &str = "SPANLEDGER_TEST_RECORDED_FOLDER";
const FAILING_SYNC: &str = "SPANLEDGER_TEST_FAILING_SYNC";

/// One change of a file or of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// The name of the file; the folder itself has the empty name.
    pub(super) file: String,
    pub(super) change: Change,
}

impl Operation {
    pub(super) const fn is_write(&self) -> bool {
        matches!(self.change, Change::Write { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Write {
        at: usize,
        data: Vec<u8>,
    },
    Truncate {
        length: usize,
    },
    /// Everything that was done to the file before has reached the disk.
    Sync,
    /// The disk failed to store what was done to the file since the last sync.
    FailedSync,
    Unlink,
}

/// The folder of the ledger, in the child process.
pub(super) fn recorded_folder() -> PathBuf {
    PathBuf::from(env::var_os(FOLDER).unwrap())
}

/// The campaign of the child process.
pub(super) fn recorded_campaign() -> Campaign {
    let name = env::var(CAMPAIGN).unwrap();
    Campaign::ALL.into_iter().find(|campaign| campaign.name() == name).unwrap()
}

/// Makes the syncs of a file in the folder fail, in the child process, until the guard is dropped.
pub(super) fn fail_syncs_of(file: &str) -> FailingSync {
    let path = PathBuf::from(env::var_os(FAILING_SYNC).unwrap());
    fs::write(&path, file).unwrap();
    FailingSync(path)
}

pub(super) struct FailingSync(PathBuf);

impl Drop for FailingSync {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// Notes that the ledger has answered.
pub(super) fn acknowledge(number: usize) {
    let mut file =
        File::options().create(true).append(true).open(recorded_folder().join(ACKNOWLEDGED)).unwrap();
    // The record has each line as one write.
    file.write_all(format!("{number}\n").as_bytes()).unwrap();
}

/// Runs a test of this program in a process whose changes of files in the folder are recorded. `Err` says why
/// this is impossible here.
pub(super) fn record(test: &str, campaign: Campaign, folder: &Path) -> Result<Vec<Operation>, String> {
    if !cfg!(target_os = "linux") {
        return Err("the recorder needs Linux".to_owned());
    }
    let made = tempfile::tempdir().unwrap();
    let library = made.path().join("recorder.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/recorder.c");
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(&compiler)
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()
        .map_err(|error| format!("the recorder needs a C compiler, {}: {error}", compiler.display()))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = made.path().join("record");
    let child = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env("LD_PRELOAD", &library)
        .env(RECORD, &file)
        .env(FAILING_SYNC, made.path().join("failing"))
        .env(CAMPAIGN, campaign.name())
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let bytes = fs::read(file).map_err(|error| format!("the recorder was not loaded: {error}"))?;
    Ok(read(&bytes))
}

/// The operations of a record, in their order. `recorder.c` writes it.
fn read(mut bytes: &[u8]) -> Vec<Operation> {
    let mut operations = Vec::new();
    while !bytes.is_empty() {
        let mut number = || {
            let mut word = [0; 8];
            bytes.read_exact(&mut word).unwrap();
            usize::try_from(u64::from_ne_bytes(word)).unwrap()
        };
        let (operation, name_length, number, length) = (number(), number(), number(), number());
        let (name, rest) = bytes.split_at(name_length);
        let (data, rest) = rest.split_at(length);
        bytes = rest;
        let file = String::from_utf8(name.to_owned()).unwrap();
        let change = match u8::try_from(operation).unwrap() {
            b'W' => Change::Write { at: number, data: data.to_owned() },
            b'T' => Change::Truncate { length: number },
            b'S' => Change::Sync,
            b'F' => Change::FailedSync,
            b'U' => Change::Unlink,
            _ => panic!("the recorder cannot record `{}` of {file}", String::from_utf8_lossy(data)),
        };
        // SQLite makes its index of the log again after a crash.
        if !file.ends_with("-shm") {
            operations.push(Operation { file, change });
        }
    }
    operations
}
