//! Which files are opened, and what happens to those that are not.

use std::{
    error::Error as _,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rusqlite::Connection;
use spanledger_ledger::{ErrorKind, Ledger, LedgerError, LedgerReader};

use crate::support::{call, folder, runtime, skipped};

/// The environment variables of a child process: what it does, and to which file.
const TASK: &str = "SPANLEDGER_TEST_TASK";
const LEDGER: &str = "SPANLEDGER_TEST_LEDGER";

/// Runs [`child_process`] and returns what it said.
fn in_another_process(task: &str, path: &Path) -> String {
    run(&mut Command::new(std::env::current_exe().unwrap()), task, path)
}

fn run(command: &mut Command, task: &str, path: &Path) -> String {
    command.args(["files::child_process", "--exact", "--ignored", "--nocapture"]);
    command.env(TASK, task).env(LEDGER, path);
    let output = loop {
        match command.output() {
            // Another test was starting a process while the copy of this program was written.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => break output.unwrap(),
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.split_once("said: ")).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
#[ignore = "other tests run it in another process"]
fn child_process() {
    let path = PathBuf::from(std::env::var_os(LEDGER).unwrap());
    match std::env::var(TASK).unwrap().as_str() {
        "write" => println!("said: {}", said(Ledger::open(path))),
        "read" => {
            let reader = LedgerReader::open(path);
            let observations = reader.as_ref().map_or(0, |reader| reader.summary().unwrap().observations);
            let is_snapshot = reader.as_ref().is_ok_and(LedgerReader::is_snapshot);
            println!("said: {} {observations} {is_snapshot}", said(reader));
        }
        "hold until the end of the input" => {
            let ledger = Ledger::open(path).unwrap();
            runtime().block_on(ledger.append(vec![call("held", "held", 1, 1)])).unwrap();
            println!("said: ok");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }
        "die" => {
            let ledger = Ledger::open(path).unwrap();
            runtime().block_on(ledger.append(vec![call("r", "c", 1, 1)])).unwrap();
            println!("said: ok");
            std::io::stdout().flush().unwrap();
            std::process::abort();
        }
        task => panic!("{task}"),
    }
}

fn said<T>(result: Result<T, LedgerError>) -> String {
    result.map_or_else(|error| words(&error), |_| "ok".to_owned())
}

/// The message of an error and of its causes. No number of SQLite is among them.
fn words(error: &LedgerError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    assert!(!text.contains("Error code"), "{text}");
    text
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// All files of a folder with their content. That of `-shm` changes when SQLite reads.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = folder
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            let is_shared_memory = path.to_string_lossy().ends_with("-shm");
            let bytes = if is_shared_memory { Vec::new() } else { fs::read(&path).unwrap() };
            (path, bytes)
        })
        .collect();
    files.sort();
    files
}

/// A ledger with one observation, which no writer has.
fn closed_ledger(path: &Path) {
    let ledger = Ledger::open(path).unwrap();
    runtime().block_on(ledger.append(vec![call("r", "c", 1, 1)])).unwrap();
}

/// Opens the file for writing and for reading. Both must refuse it and leave everything as it is.
fn refused(path: &Path) -> [LedgerError; 2] {
    let folder = path.parent().unwrap();
    let before = files(folder);
    let errors = [Ledger::open(path).unwrap_err(), LedgerReader::open(path).unwrap_err()];
    assert!(files(folder) == before, "something was changed");
    errors
}

#[test]
fn a_text_file_is_refused_and_not_changed() {
    let (_folder, path) = folder();
    for text in ["short", &"a text that is longer than the first page of a database ".repeat(200)] {
        fs::write(&path, text).unwrap();
        for error in refused(&path) {
            assert!(matches!(error, LedgerError::NotADatabase { .. }), "{error:?}");
            assert!(words(&error).contains("another kind of file"), "{error}");
        }
    }
}

#[test]
fn another_programs_database_is_refused_and_not_changed() {
    let tables = "CREATE TABLE t (x); INSERT INTO t VALUES (1)";
    for mode in ["DELETE", "WAL"] {
        let (_folder, path) = folder();
        let other = Connection::open(&path).unwrap();
        other.execute_batch(&format!("PRAGMA journal_mode = {mode}; {tables}")).unwrap();
        let is_foreign = || {
            for error in refused(&path) {
                assert!(matches!(error, LedgerError::Foreign { .. }), "{mode}: {error:?}");
                assert!(words(&error).contains("another program's database"), "{error}");
            }
        };
        // While the other program has it open. In WAL mode its tables are not in the database yet.
        is_foreign();
        other.execute_batch("BEGIN IMMEDIATE; INSERT INTO t VALUES (2)").unwrap();
        is_foreign();
        other.execute_batch("COMMIT").unwrap();
        drop(other);
        is_foreign();
        let rows: i64 = Connection::open(&path)
            .unwrap()
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 2);
    }
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_not_changed() {
    let (_folder, path) = folder();
    closed_ledger(&path);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 1_000).unwrap();
    for error in refused(&path) {
        assert!(matches!(error, LedgerError::NewerVersion { found: 1_000, .. }), "{error:?}");
        assert!(words(&error).contains("use a newer spanledger"), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_a_regular_file_is_refused() {
    for error in [Ledger::open("/dev/null").unwrap_err(), LedgerReader::open("/dev/null").unwrap_err()] {
        assert!(matches!(error, LedgerError::NotAFile { .. }), "{error:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_ledger_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = folder();
    let ledger = Ledger::open(&path).unwrap();
    runtime().block_on(ledger.append(vec![call("r", "c", 1, 1)])).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let mode = fs::metadata(beside(&path, suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{suffix}");
    }
}

/// Only on Linux is the lock on the file itself; elsewhere hard links are refused for another reason.
#[cfg(unix)]
#[test]
fn no_path_leads_a_second_writer_to_the_file() {
    let (folder, path) = folder();
    let (symlink, hard_link) = (folder.path().join("symlink.db"), folder.path().join("hard link.db"));
    let ledger = Ledger::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &symlink).unwrap();
    fs::hard_link(&path, &hard_link).unwrap();
    // The lock file of earlier versions could be deleted. There is none any more.
    if cfg!(target_os = "linux") {
        assert!(!beside(&path, ".lock").exists());
    }
    for other in [&path, &symlink, &hard_link] {
        assert!(words(&Ledger::open(other).unwrap_err()).contains("is in use by another process"));
        let said = in_another_process("write", other);
        assert!(said.contains("is in use by another process"), "{}: {said}", other.display());
    }
    // A refused writer must not have released the lock of the first one, nor the locks of SQLite.
    assert!(in_another_process("write", &path).contains("is in use"));
    runtime().block_on(ledger.append(vec![call("r", "c", 1, 1)])).unwrap();
    drop(ledger);
    fs::remove_file(&hard_link).unwrap();
    assert_eq!(in_another_process("write", &symlink), "ok");
    assert_eq!(LedgerReader::open(&path).unwrap().summary().unwrap().observations, 1);
}

#[test]
fn a_writer_of_another_process_is_noticed_in_this_one_and_gone_with_it() {
    let (_folder, path) = folder();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["files::child_process", "--exact", "--ignored", "--nocapture"])
        .env(TASK, "hold until the end of the input")
        .env(LEDGER, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.by_ref().map(Result::unwrap).any(|line| line.contains("said: ok")));
    assert!(matches!(Ledger::open(&path), Err(LedgerError::InUse { .. })));
    child.kill().unwrap();
    child.wait().unwrap();
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.reader().unwrap().summary().unwrap().observations, 1);
}

/// SQLite names the write-ahead log after the path. After a crash, what was committed through one name would
/// be missing under the other, and be overwritten.
#[cfg(unix)]
#[test]
fn a_ledger_with_two_names_is_refused() {
    let (folder, path) = folder();
    assert_eq!(in_another_process("die", &path), "ok");
    let other = folder.path().join("other.db");
    fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        let error = Ledger::open(name).unwrap_err();
        assert!(matches!(error, LedgerError::SeveralNames { names: 2, .. }), "{error:?}");
        assert!(words(&error).contains("remove the others"), "{error}");
    }
    fs::remove_file(&other).unwrap();
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.reader().unwrap().summary().unwrap().observations, 1);
}

#[test]
fn a_file_that_could_not_become_a_ledger_is_not_left_behind() {
    let (folder, path) = folder();
    // SQLite cannot create its log, because a folder has this name.
    fs::create_dir(beside(&path, "-wal")).unwrap();
    let error = Ledger::open(&path).unwrap_err();
    assert!(words(&error).contains("cannot open the ledger"), "{error}");
    fs::remove_dir(beside(&path, "-wal")).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_truncated_file_is_damaged() {
    let (_folder, path) = folder();
    closed_ledger(&path);
    let whole = fs::read(&path).unwrap();
    for length in [whole.len() / 2, 4_096, 1_000, 100] {
        fs::write(&path, &whole[..length]).unwrap();
        for error in [Ledger::open(&path).map(drop), LedgerReader::open(&path).map(drop)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Damaged, "{length}: {error:?}");
            assert!(words(&error).contains("from a copy"), "{length}: {}", words(&error));
        }
        assert!(fs::read(&path).unwrap() == whole[..length], "the rest must not be changed");
    }
}

/// Each page in turn is overwritten. Whatever fails must say that the file is damaged.
#[test]
fn a_damaged_page_is_reported_as_damage() {
    let (_folder, path) = folder();
    closed_ledger(&path);
    let whole = fs::read(&path).unwrap();
    let pages = whole.len() / 4_096;
    let mut noticed = 0;
    for page in 0..pages {
        let mut damaged = whole.clone();
        damaged[page * 4_096..(page + 1) * 4_096].fill(0xa5);
        fs::write(&path, &damaged).unwrap();
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(beside(&path, suffix)));
        }
        let answers = match Ledger::open(&path) {
            Ok(ledger) => vec![
                runtime().block_on(ledger.append(vec![call("r", "d", 2, 1), call("s", "e", 2, 1)])).map(drop),
                ledger.reader().and_then(|reader| reader.summary()).map(drop),
            ],
            Err(error) => vec![Err(error)],
        };
        for error in answers.into_iter().filter_map(Result::err) {
            noticed += 1;
            assert_eq!(error.kind(), ErrorKind::Damaged, "page {page}: {error:?}");
            assert!(words(&error).contains("copy"), "{}", words(&error));
        }
    }
    assert!(noticed >= pages / 2, "{noticed} of {pages}");
}

#[cfg(unix)]
mod without_permission {
    use std::os::unix::{fs::PermissionsExt as _, process::CommandExt as _};

    use super::*;

    /// A user who owns nothing here.
    const NOBODY: u32 = 65_534;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Reads as another user, who may read but not write. Only root can do that; `None` for other users.
    fn read_as_nobody(path: &Path) -> Option<String> {
        let is_root =
            fs::metadata("/proc/self").ok().map(|it| std::os::unix::fs::MetadataExt::uid(&it)) == Some(0);
        if !is_root {
            skipped("only root can act as another user");
            return None;
        }
        // The other user may not reach the folder in which this program was built.
        let program = path.with_file_name("test-program");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        set_mode(&program, 0o755);
        Some(run(Command::new(&program).uid(NOBODY).gid(NOBODY).current_dir("/"), "read", path))
    }

    /// Everyone may read the folder and the files in it.
    fn let_everyone_read(path: &Path) {
        set_mode(path.parent().unwrap(), 0o755);
        for suffix in ["", "-wal", "-shm"] {
            let file = beside(path, suffix);
            if file.exists() {
                set_mode(&file, 0o644);
            }
        }
    }

    #[test]
    fn another_user_reads_a_snapshot_of_a_closed_ledger() {
        let (_folder, path) = folder();
        closed_ledger(&path);
        let_everyone_read(&path);
        if let Some(said) = read_as_nobody(&path) {
            assert_eq!(said, "ok 1 true");
            assert!(!beside(&path, "-shm").exists());
        }
    }

    #[test]
    fn another_user_reads_beside_the_writer() {
        let (_folder, path) = folder();
        let ledger = Ledger::open(&path).unwrap();
        runtime().block_on(ledger.append(vec![call("r", "c", 1, 1)])).unwrap();
        let_everyone_read(&path);
        if let Some(said) = read_as_nobody(&path) {
            assert_eq!(said, "ok 1 false");
            // The shared memory is missing, so that a change could not be noticed.
            set_mode(&beside(&path, "-shm"), 0o600);
            let said = read_as_nobody(&path).unwrap();
            assert!(said.contains("allow this user to read"), "{said}");
        }
    }

    /// After a crash, or in a copy, what was committed is in the log only.
    #[test]
    fn another_user_reads_the_log_that_a_crash_left() {
        let (_folder, path) = folder();
        assert_eq!(in_another_process("die", &path), "ok");
        let_everyone_read(&path);
        if let Some(said) = read_as_nobody(&path) {
            assert!(said.starts_with("ok 1"), "{said}");
            fs::remove_file(beside(&path, "-shm")).unwrap();
            let before = fs::read(beside(&path, "-wal")).unwrap();
            assert_eq!(read_as_nobody(&path).unwrap(), "ok 1 true");
            assert!(fs::read(beside(&path, "-wal")).unwrap() == before);
        }
    }

    #[test]
    fn another_user_may_not_read_a_ledger_by_default() {
        let (_folder, path) = folder();
        closed_ledger(&path);
        set_mode(path.parent().unwrap(), 0o755);
        if let Some(said) = read_as_nobody(&path) {
            assert!(said.contains("allow this user to read"), "{said}");
        }
    }

    /// A snapshot does not see what a writer does later, and says that it is out of date.
    #[test]
    fn a_snapshot_that_is_outdated_says_so() {
        let (_folder, path) = folder();
        closed_ledger(&path);
        // SQLite cannot create its log, because a folder has this name; root is also refused.
        fs::create_dir(beside(&path, "-wal")).unwrap();
        let reader = LedgerReader::open(&path).unwrap();
        assert!(reader.is_snapshot() && !reader.is_outdated());
        assert_eq!(reader.summary().unwrap().observations, 1);
        fs::remove_dir(beside(&path, "-wal")).unwrap();
        let ledger = Ledger::open(&path).unwrap();
        runtime().block_on(ledger.append(vec![call("s", "d", 1, 1)])).unwrap();
        assert!(reader.is_outdated());
        assert!(!LedgerReader::open(&path).unwrap().is_snapshot());
    }
}
