use std::{fs, path::PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::open::identity::beside;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    (folder, path)
}

/// The rules that both ways of locking keep.
macro_rules! rules {
    ($module:ident) => {
        mod $module {
            use super::*;
            use crate::open::lock::$module::{WriteLock, is_held};

            #[test]
            fn there_is_one_lock_at_a_time() {
                let (_folder, path) = folder();
                let lock = WriteLock::acquire(&path).unwrap();
                assert!(is_held(&path).unwrap());
                assert!(matches!(WriteLock::acquire(&path), Err(LockError::InUse)));
                drop(lock);
                assert!(!is_held(&path).unwrap());
                assert!(WriteLock::acquire(&path).is_ok());
            }

            #[cfg(unix)]
            #[test]
            fn a_symbolic_link_leads_to_the_same_lock() {
                let (folder, path) = folder();
                let lock = WriteLock::acquire(&path).unwrap();
                let link = folder.path().join("link.db");
                std::os::unix::fs::symlink(&path, &link).unwrap();
                assert!(is_held(&link).unwrap());
                assert!(matches!(WriteLock::acquire(&link), Err(LockError::InUse)));
                drop(lock);
                assert!(WriteLock::acquire(&link).is_ok());
            }

            #[cfg(unix)]
            #[test]
            fn a_new_file_is_for_this_user_only_and_an_existing_one_keeps_its_mode() {
                use std::os::unix::fs::PermissionsExt as _;
                let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
                let (folder, path) = folder();
                drop(WriteLock::acquire(&path).unwrap());
                assert_eq!(mode(&path), 0o600);
                let shared = folder.path().join("shared.db");
                fs::write(&shared, "").unwrap();
                fs::set_permissions(&shared, fs::Permissions::from_mode(0o640)).unwrap();
                drop(WriteLock::acquire(&shared).unwrap());
                assert_eq!(mode(&shared), 0o640);
            }

            /// Closing any descriptor of a file releases the `fcntl` locks of the process on this file.
            /// Another process sees whether SQLite's lock is still there.
            #[test]
            fn the_locks_of_sqlite_outlive_those_of_the_writer() {
                let (_folder, path) = folder();
                let connection = Connection::open(&path).unwrap();
                connection.execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE").unwrap();
                for _ in 0..3 {
                    drop(WriteLock::acquire(&path).unwrap());
                    assert!(!is_held(&path).unwrap());
                }
                let mut other = std::process::Command::new(std::env::current_exe().unwrap());
                let output = other
                    .args([CHILD, "--exact", "--ignored", "--nocapture"])
                    .env(DATABASE, &path)
                    .output()
                    .unwrap();
                let text = String::from_utf8_lossy(&output.stdout);
                assert!(text.contains("the database is locked"), "{text}");
            }
        }
    };
}

#[cfg(target_os = "linux")]
rules!(inode);
rules!(beside);

const CHILD: &str = "open::lock::tests::child_process_that_tries_to_write";
const DATABASE: &str = "SPANLEDGER_TEST_LOCKED_DATABASE";

#[test]
#[ignore = "`the_locks_of_sqlite_outlive_those_of_the_writer` runs it in another process"]
fn child_process_that_tries_to_write() {
    let connection = Connection::open(std::env::var_os(DATABASE).unwrap()).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    let answer = connection.execute_batch("BEGIN IMMEDIATE");
    println!("{}", if answer.is_err() { "the database is locked" } else { "the database is free" });
}

#[cfg(target_os = "linux")]
mod of_the_inode {
    use super::{super::inode::WriteLock, *};

    #[test]
    fn a_hard_link_leads_to_the_same_lock() {
        let (folder, path) = folder();
        let lock = WriteLock::acquire(&path).unwrap();
        let link = folder.path().join("link.db");
        fs::hard_link(&path, &link).unwrap();
        assert!(matches!(WriteLock::acquire(&link), Err(LockError::InUse)));
        drop(lock);
        assert!(WriteLock::acquire(&link).is_ok());
    }

    #[test]
    fn a_lock_file_of_an_earlier_version_is_honoured_and_left_alone() {
        let (_folder, path) = folder();
        let old = File::create(beside(&path, ".lock")).unwrap();
        old.lock().unwrap();
        assert!(matches!(WriteLock::acquire(&path), Err(LockError::InUse)));
        assert!(!path.exists());
        old.unlock().unwrap();
        assert!(WriteLock::acquire(&path).is_ok());
        assert!(beside(&path, ".lock").exists());
    }
}

/// The lock file can be deleted. The writer notices it, because the file belongs to its identity.
#[test]
fn a_deleted_lock_file_is_part_of_the_identity() {
    let (_folder, path) = folder();
    let lock = super::beside::WriteLock::acquire(&path).unwrap();
    let identity = lock.identity(&path).unwrap();
    assert!(identity.check().is_ok());
    fs::remove_file(fs::canonicalize(beside(&path, ".lock")).unwrap()).unwrap();
    assert!(identity.check().is_err());
    let other = super::beside::WriteLock::acquire(&path).unwrap();
    assert!(identity.check().is_err());
    assert!(other.identity(&path).unwrap().check().is_ok());
}
