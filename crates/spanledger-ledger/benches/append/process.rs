//! What the kernel says about this process: CPU time and bytes written. Linux only; elsewhere all is zero.

use std::{fs, path::Path, time::Duration};

/// The beginning of the name of the ledger's writer thread. The kernel keeps 15 bytes of a name.
const WRITER: &str = "spanledger-writ";

/// Counters since the start of the process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// CPU time of all threads, also of those that have ended.
    pub(crate) cpu: Duration,
    /// CPU time of the ledger's writer thread.
    pub(crate) writer_cpu: Duration,
    /// Bytes in `write` calls of all kinds.
    pub(crate) bytes_written: u64,
    /// Bytes of pages that became dirty and have to be brought to the disk.
    pub(crate) bytes_to_disk: u64,
}

impl Counters {
    pub(crate) fn now() -> Self {
        let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let writer = threads.map(|thread| thread.path()).find(|thread| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with(WRITER))
        });
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        let counter = |name: &str| {
            let value = io.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            value.and_then(|value| value.parse().ok()).unwrap_or_default()
        };
        Self {
            cpu: process_cpu().unwrap_or_default(),
            writer_cpu: writer.map(|thread| cpu_of(&thread)).unwrap_or_default(),
            bytes_written: counter("wchar"),
            bytes_to_disk: counter("write_bytes"),
        }
    }
}

/// The CPU time of a thread, to the nanosecond.
fn cpu_of(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

/// The CPU time of the process, in steps of 10 ms.
fn process_cpu() -> Option<Duration> {
    const TICKS_PER_SECOND: u64 = 100;
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold spaces. The fields 14 and 15 follow it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND))
}

/// The type of the file system that holds a folder, and whether a sync there reaches a disk.
pub(crate) fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let mount = mounts.filter(|(at, _)| folder.starts_with(at)).max_by_key(|(at, _)| at.len());
    match mount {
        Some((_, "tmpfs")) => {
            "tmpfs, where a sync costs nothing: choose another folder with --dir".to_owned()
        }
        Some((_, kind)) => kind.to_owned(),
        None => "an unknown file system".to_owned(),
    }
}

/// The bytes of all files of a folder.
pub(crate) fn bytes_of_files(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
