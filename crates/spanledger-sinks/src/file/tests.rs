use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};

use spanledger_event::CostEvent;
use tempfile::TempDir;

use super::*;
use crate::{
    Batch, BoxSink, Fault, Opening, Purpose, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK},
    disk::fault,
    encode::LineFormat,
};

struct Folder {
    folder: TempDir,
    config: FileConfig,
}

impl Folder {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut FileConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut config = toml::from_str(&format!("path = {path:?}")).unwrap();
        change(&mut config);
        Self { folder, config }
    }

    fn path(&self) -> PathBuf {
        self.config.path.clone()
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The names of the files that a reader sees, in their order.
    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        names
    }

    /// The events of all files.
    fn events(&self) -> Vec<CostEvent> {
        let mut text = String::new();
        for name in self.names() {
            let file = fs::File::open(self.folder.path().join(&name)).unwrap();
            if is_compressed(&name) {
                flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
            } else {
                { file }.read_to_string(&mut text).unwrap();
            }
        }
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    async fn opened(&self) -> BoxSink {
        let mut sink = self.sink();
        sink.open(&opening(Purpose::Deliver)).await.unwrap();
        sink
    }

    async fn deliver(&self, batch: &Batch) {
        let mut sink = self.opened().await;
        sink.write(batch).await.unwrap();
        sink.commit().await.unwrap();
        sink.close().await;
    }
}

impl Harness for Folder {
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.config.clone().build().unwrap())
    }

    async fn stored(&self) -> Vec<CostEvent> {
        self.events()
    }
}

fn is_compressed(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "gz")
}

fn opening(purpose: Purpose) -> Opening {
    Opening { ledger: LEDGER.into(), sink: SINK.into(), purpose }
}

fn batch(from: i64, numbers: std::ops::Range<i64>) -> Batch {
    conformance::batch(from, conformance::events(numbers))
}

fn sent(batches: &[&Batch]) -> Vec<CostEvent> {
    batches.iter().flat_map(|batch| batch.events()).map(|event| CostEvent::clone(event)).collect()
}

fn lines(batch: &Batch) -> String {
    batch.events().flat_map(|event| [event.json(), "\n"]).collect()
}

fn append(path: &Path, text: &str) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The suite also demands that no revision is stored twice.
#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    conformance::check(&Folder::new()).await.unwrap();
}

#[tokio::test]
async fn the_sink_fulfills_the_contract_when_each_batch_has_a_file_of_its_own() {
    conformance::check(&Folder::with(|config| config.rotate_bytes = 1)).await.unwrap();
}

/// Scenario: the process is killed after any number of bytes of a batch. The next process is sent the batch again,
/// whole or divided.
#[tokio::test]
async fn a_batch_that_was_cut_anywhere_is_completed_without_a_torn_or_repeated_line() {
    let (first, second) = (batch(0, 0..2), batch(6, 5..8));
    let text = lines(&second);
    for bytes in (0..=text.len()).step_by(397).chain([1, text.len() - 1, text.len()]) {
        for divided in [false, true] {
            let folder = Folder::new();
            folder.deliver(&first).await;
            let committed = folder.text();
            let cut = (0..=bytes).rev().find(|byte| text.is_char_boundary(*byte)).unwrap();
            append(&folder.path(), &text[..cut]);
            let parts = if divided {
                <[Batch; 2]>::from(second.clone().split_at(second.middle().unwrap())).to_vec()
            } else {
                vec![second.clone()]
            };
            for part in &parts {
                folder.deliver(part).await;
                assert!(folder.text().starts_with(&committed));
            }
            assert_eq!(folder.events(), sent(&[&first, &second]), "{cut} bytes, divided: {divided}");
        }
    }
}

/// Scenario: writes and commits are cancelled after ever longer times, and each is tried again by the same sink.
#[tokio::test]
async fn a_write_that_was_cancelled_anywhere_leaves_whole_lines_and_no_event_twice() {
    let folder = Folder::new();
    let (mut sink, mut batches) = (folder.sink(), Vec::new());
    for round in 0..60 {
        let batch = batch(round * 100, round * 5..round * 5 + 5);
        let opened = sink.open(&opening(Purpose::Deliver)).await.unwrap();
        assert_eq!(opened.cursor.unwrap_or_default(), if round == 0 { 0 } else { (round - 1) * 100 + 15 });
        let limit = std::time::Duration::from_micros(u64::try_from(round).unwrap() * 100);
        let delivery = async {
            sink.write(&batch).await.unwrap();
            sink.commit().await.unwrap();
        };
        tokio::time::timeout(limit, delivery).await.ok();
        let opened = sink.open(&opening(Purpose::Deliver)).await.unwrap();
        if opened.cursor != Some(batch.id.to) {
            sink.write(&batch).await.unwrap();
            sink.commit().await.unwrap();
        }
        batches.push(batch);
    }
    assert_eq!(folder.events(), sent(&batches.iter().collect::<Vec<_>>()));
}

/// Scenario: the last process was killed, and the columns of the configuration changed before the next one.
#[tokio::test]
async fn what_was_not_committed_is_cut_if_it_differs_from_what_is_sent_again() {
    let folder = Folder::new();
    let (first, second) = (batch(0, 0..2), batch(6, 5..8));
    folder.deliver(&first).await;
    append(&folder.path(), "{\"event\":\"openai.request\"}\n{\"event\":");
    folder.deliver(&second).await;
    assert_eq!(folder.events(), sent(&[&first, &second]));
}

#[tokio::test]
async fn an_incomplete_line_of_an_unknown_file_is_ended() {
    let folder = Folder::new();
    append(&folder.path(), "{\"from\":\"elsewhere\"}\n{\"incompl");
    folder.deliver(&batch(0, 0..1)).await;
    let text = folder.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["{\"from\":\"elsewhere\"}", "{\"incompl"]);
    serde_json::from_str::<CostEvent>(lines[2]).unwrap();
    assert_eq!(lines.len(), 3);
}

#[tokio::test]
async fn the_cursor_is_stored_with_the_events_of_each_ledger_and_sink() {
    let folder = Folder::new();
    folder.deliver(&batch(0, 0..2)).await;
    let mut sink = folder.sink();
    assert_eq!(sink.open(&opening(Purpose::Deliver)).await.unwrap().cursor, Some(6));
    let other = Opening { sink: "other".into(), ..opening(Purpose::Deliver) };
    assert_eq!(sink.open(&other).await.unwrap().cursor, None);
}

#[tokio::test]
async fn a_file_is_closed_by_its_size_and_old_files_are_compressed_and_removed() {
    let folder = Folder::with(|config| {
        (config.rotate_bytes, config.gzip, config.keep_files) = (1, true, 3);
    });
    for number in 0..6 {
        folder.deliver(&batch(number * 3, number..number + 1)).await;
    }
    let names = folder.names();
    let closed: Vec<&String> = names.iter().filter(|name| *name != "events.jsonl").collect();
    assert_eq!(closed.len(), 3, "{names:?}");
    assert_eq!(closed.iter().filter(|name| is_compressed(name)).count(), 2, "all but the last: {names:?}");
    let mut found = folder.events();
    found.sort_by_key(|event| event.timestamp);
    assert_eq!(found, conformance::events(2..6), "the oldest files were removed");
}

#[test]
fn hours_and_days_separate_files() {
    for (rotation, a, b, expected) in [
        (Rotation::Never, 0, i64::MAX, false),
        (Rotation::Hour, 3_599, 3_600, true),
        (Rotation::Hour, 3_600, 7_199, false),
        (Rotation::Day, 3_599, 3_600, false),
        (Rotation::Day, 86_399, 86_400, true),
    ] {
        assert_eq!(rotation.separates(a, b), expected, "{rotation:?} {a} {b}");
    }
}

/// Scenario: the position file says that the file was begun in 1970.
#[tokio::test]
async fn a_file_of_an_earlier_day_is_closed_before_the_next_batch() {
    let folder = Folder::with(|config| config.rotate_every = Rotation::Day);
    folder.deliver(&batch(0, 0..1)).await;
    folder.deliver(&batch(3, 1..2)).await;
    assert_eq!(folder.names(), ["events.jsonl"]);
    let position = folder.folder.path().join(".events.jsonl.position");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&position).unwrap()).unwrap();
    value["begun"] = 0.into();
    fs::write(&position, value.to_string()).unwrap();
    folder.deliver(&batch(6, 2..3)).await;
    assert_eq!(folder.names().len(), 2);
    assert_eq!(folder.text().lines().count(), 1);
}

#[tokio::test]
async fn each_csv_file_has_one_header() {
    let folder = Folder::with(|config| {
        (config.format, config.rotate_bytes) = (LineFormat::Csv, 1);
        config.columns = vec!["model".to_owned()];
    });
    // A killed process has left a part of the header.
    append(&folder.path(), "event_id,rev");
    for number in 0..3 {
        folder.deliver(&batch(number * 3, number..number + 1)).await;
    }
    assert_eq!(folder.names().len(), 3);
    for name in folder.names() {
        let mut reader = csv::Reader::from_path(folder.folder.path().join(name)).unwrap();
        assert_eq!(reader.headers().unwrap(), &["event_id", "revision", "state", "model"][..]);
        assert_eq!(reader.records().map(Result::unwrap).count(), 1);
    }
}

/// Scenario: logrotate renames the file and creates a new one, between two batches and within one.
#[tokio::test]
async fn a_file_that_was_renamed_is_left_and_the_next_batch_goes_to_a_new_one() {
    let folder = Folder::new();
    let batches = [batch(0, 0..2), batch(6, 2..4), batch(12, 4..6)];
    folder.deliver(&batches[0]).await;
    fs::rename(folder.path(), folder.folder.path().join("events.1.jsonl")).unwrap();
    let mut sink = folder.opened().await;
    sink.write(&batches[1]).await.unwrap();
    fs::rename(folder.path(), folder.folder.path().join("events.2.jsonl")).unwrap();
    fs::File::create(folder.path()).unwrap();
    sink.commit().await.unwrap();
    sink.write(&batches[2]).await.unwrap();
    sink.commit().await.unwrap();
    assert_eq!(folder.names(), ["events.1.jsonl", "events.2.jsonl", "events.jsonl"]);
    assert_eq!(folder.text(), lines(&batches[2]));
    assert_eq!(folder.events(), sent(&[&batches[0], &batches[1], &batches[2]]));
}

/// Scenario: logrotate empties the file with `copytruncate`.
#[tokio::test]
async fn a_file_that_was_emptied_is_continued() {
    let folder = Folder::new();
    folder.deliver(&batch(0, 0..2)).await;
    OpenOptions::new().write(true).truncate(true).open(folder.path()).unwrap();
    let second = batch(6, 2..3);
    folder.deliver(&second).await;
    assert_eq!(folder.text(), lines(&second));
}

#[cfg(unix)]
#[tokio::test]
async fn a_batch_of_a_file_that_was_removed_is_written_to_a_new_one() {
    let folder = Folder::new();
    let batch = batch(0, 0..2);
    let mut sink = folder.opened().await;
    sink.write(&batch).await.unwrap();
    fs::remove_file(folder.path()).unwrap();
    assert!(matches!(sink.commit().await, Err(Fault::Retry { .. })));
    folder.deliver(&batch).await;
    assert_eq!(folder.events(), sent(&[&batch]));
}

/// Scenario: a live sink and a replay write to one file.
#[tokio::test]
async fn two_sinks_write_to_one_file_in_turns() {
    let folder = Folder::new();
    let mut tasks = Vec::new();
    for number in 0..2 {
        let mut sink = folder.sink();
        let opening = Opening { sink: format!("sink-{number}"), ..opening(Purpose::Deliver) };
        tasks.push(tokio::spawn(async move {
            sink.open(&opening).await.unwrap();
            for round in 0..10 {
                let first = number * 100 + round;
                sink.write(&batch(round * 3, first..first + 1)).await.unwrap();
                sink.commit().await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let mut found = folder.events();
    found.sort_by_key(|event| event.timestamp);
    assert_eq!(found, [conformance::events(0..10), conformance::events(100..110)].concat());
}

#[tokio::test]
async fn a_check_changes_nothing_and_says_what_is_missing() {
    let folder = Folder::new();
    folder.sink().open(&opening(Purpose::Check)).await.unwrap();
    assert_eq!(fs::read_dir(folder.folder.path()).unwrap().count(), 0);

    let path = folder.folder.path().join("missing/events.jsonl");
    let missing = Folder::with(|config| config.path = path.clone());
    fs::create_dir(folder.folder.path().join("folder")).unwrap();
    let is_folder = Folder::with(|config| config.path = folder.folder.path().join("folder"));
    fs::write(folder.folder.path().join("file"), "").unwrap();
    let in_file = Folder::with(|config| config.path = folder.folder.path().join("file/events.jsonl"));
    for purpose in [Purpose::Check, Purpose::Deliver] {
        for (broken, word) in
            [(&missing, "create the folder"), (&is_folder, "the path"), (&in_file, "the path")]
        {
            let fault = broken.sink().open(&opening(purpose)).await.unwrap_err();
            let Fault::Blocked { reason, remedy } = &fault else { panic!("{fault:?}") };
            assert!(
                reason.contains(broken.config.path.to_str().unwrap()) || reason.contains(".lock"),
                "{reason}"
            );
            assert!(remedy.contains(word), "{remedy}");
        }
    }
    // The user creates the folder.
    fs::create_dir(path.parent().unwrap()).unwrap();
    missing.deliver(&batch(0, 0..1)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_device_is_not_a_file() {
    let device = Folder::with(|config| config.path = "/dev/full".into());
    let fault = device.sink().open(&opening(Purpose::Check)).await.unwrap_err();
    assert!(matches!(&fault, Fault::Blocked { .. }), "{fault:?}");
    assert!(fault.to_string().contains("/dev/full"), "{fault}");
}

#[test]
fn an_error_that_somebody_has_to_mend_blocks_with_its_remedy() {
    let path = Path::new("/data/events.jsonl");
    for (kind, words) in [
        (ErrorKind::StorageFull, "free space"),
        (ErrorKind::QuotaExceeded, "free space"),
        (ErrorKind::FileTooLarge, "smaller files"),
        (ErrorKind::PermissionDenied, "the right to write in /data"),
        (ErrorKind::ReadOnlyFilesystem, "mount"),
        (ErrorKind::NotFound, "create the folder /data"),
    ] {
        let fault = fault("written", path, &io::Error::from(kind));
        let Fault::Blocked { reason, remedy } = &fault else { panic!("{fault:?}") };
        assert!(reason.contains("/data/events.jsonl"), "{reason}");
        assert!(remedy.contains(words), "{remedy}");
    }
    let passing = fault("written", path, &io::Error::from(ErrorKind::Interrupted));
    assert!(matches!(passing, Fault::Retry { .. }));
}

#[tokio::test]
async fn a_damaged_position_file_says_what_to_do() {
    let folder = Folder::new();
    folder.deliver(&batch(0, 0..1)).await;
    fs::write(folder.folder.path().join(".events.jsonl.position"), "{").unwrap();
    let fault = folder.sink().open(&opening(Purpose::Deliver)).await.unwrap_err();
    assert!(fault.to_string().contains("delete it"), "{fault}");
}

#[test]
fn a_path_that_is_a_folder_is_an_error_of_the_option() {
    let error = Folder::with(|config| config.path = "/var/log/".into()).config.build().unwrap_err();
    assert_eq!(error.option, "path");
}

/// A disk of 64 kB, if this process may mount one.
#[cfg(target_os = "linux")]
struct SmallDisk(TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        if disk.run("mount", &["-t", "tmpfs", "-o", "size=64k", "tmpfs"]) {
            return Some(disk);
        }
        writeln!(io::stderr(), "SKIPPED: a disk that is full needs the right to mount one").unwrap();
        None
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let mut command = std::process::Command::new(program);
        command.args(arguments).arg(self.0.path()).stderr(std::process::Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        self.run("umount", &[]);
    }
}

/// Scenario: the disk becomes full within a line, and later there is space again. Then it becomes read-only.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_blocks_and_the_line_is_continued_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let folder = Folder::with(|config| config.path = disk.0.path().join("events.jsonl"));
    let (first, second) = (batch(0, 0..1), batch(3, 3..4));
    folder.deliver(&first).await;
    let filler = disk.0.path().join("filler");
    fs::write(&filler, vec![0; 40_000]).unwrap();
    let mut sink = folder.opened().await;
    let fault = sink.write(&second).await.unwrap_err();
    let Fault::Blocked { reason, remedy } = &fault else { panic!("{fault:?}") };
    assert!(reason.contains("events.jsonl") && remedy.contains("free space"), "{fault}");
    assert!(folder.text().len() > lines(&first).len(), "a part of the line was written");

    fs::remove_file(&filler).unwrap();
    sink.open(&opening(Purpose::Deliver)).await.unwrap();
    sink.write(&second).await.unwrap();
    sink.commit().await.unwrap();
    assert_eq!(folder.text(), lines(&first) + &lines(&second));

    assert!(disk.run("mount", &["-o", "remount,ro"]));
    for purpose in [Purpose::Check, Purpose::Deliver] {
        let fault = sink.open(&opening(purpose)).await.unwrap_err();
        assert!(fault.to_string().contains("for writing"), "{fault}");
    }
}
