mod peers;
mod readers;
mod servers;
mod stores;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use spanledger_event::{COLUMNS, CostEvent, Timestamp, Usd};
use tempfile::TempDir;

use super::*;
use crate::{
    Batch, BoxSink, Fault, Opening, Purpose, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK},
    encode::arrow::tests::event_of_row,
};

fn round(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.nanos().div_euclid(1_000) * 1_000)
}

/// What the sink keeps of an event: moments are rounded down to the microsecond.
fn rounded(mut event: CostEvent) -> CostEvent {
    event.timestamp = round(event.timestamp);
    event.priced_at = event.priced_at.map(round);
    event
}

/// The Parquet files of a folder and its partitions.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files.extend(self::files(&entry));
        } else {
            files.push(entry);
        }
    }
    files.sort();
    files
}

fn events_of_file(path: &Path) -> Vec<CostEvent> {
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap();
    let batches = reader.map(Result::unwrap);
    batches
        .flat_map(|batch| (0..batch.num_rows()).map(|row| event_of_row(&batch, row)).collect::<Vec<_>>())
        .collect()
}

struct Lake(TempDir);

impl Lake {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn config(&self, options: &str) -> ParquetConfig {
        toml::from_str(&format!("location = {:?}\n{options}", self.0.path())).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let name = |file: &PathBuf| file.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned();
        files(self.0.path()).iter().map(name).collect()
    }

    fn events(&self) -> Vec<CostEvent> {
        files(self.0.path()).iter().flat_map(|file| events_of_file(file)).collect()
    }
}

impl Harness for Lake {
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.config("").build().unwrap())
    }

    async fn stored(&self) -> Vec<CostEvent> {
        self.events()
    }

    fn as_stored(&self, event: CostEvent) -> CostEvent {
        rounded(event)
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.cost_usd = Some(Usd::from_picos(10_i128.pow(24)));
        true
    }
}

fn opening() -> Opening {
    Opening { ledger: LEDGER.into(), sink: SINK.into(), purpose: Purpose::Deliver }
}

async fn deliver(config: ParquetConfig, batch: &Batch) -> crate::Written {
    let mut sink = BoxSink::new(config.build().unwrap());
    sink.open(&opening()).await.unwrap();
    let written = sink.write(batch).await.unwrap();
    sink.commit().await.unwrap();
    written
}

/// The suite also demands that no revision is stored twice.
#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    conformance::check(&Lake::new()).await.unwrap();
}

fn event_at(number: i64, time: &str) -> CostEvent {
    CostEvent { timestamp: Timestamp::parse(time).unwrap(), ..conformance::event(number) }
}

#[tokio::test]
async fn a_batch_has_a_file_for_each_day_of_its_events() {
    let events = vec![
        event_at(0, "2026-11-21T23:59:59.999999999Z"),
        event_at(1, "2026-11-22T00:00:00Z"),
        event_at(2, "2026-11-21T00:00:00Z"),
        event_at(3, "1969-12-31T23:59:59Z"),
    ];
    let (lake, batch) = (Lake::new(), conformance::batch(7, events));
    deliver(lake.config(""), &batch).await;
    let name = format!("{LEDGER}-{SINK}-000000000007-000000000019.parquet");
    let days = ["1969-12-31", "2026-11-21", "2026-11-22"];
    assert_eq!(lake.names(), days.map(|day| format!("date={day}/{name}")));
    let numbers: Vec<usize> = files(lake.0.path()).iter().map(|file| events_of_file(file).len()).collect();
    assert_eq!(numbers, [1, 2, 1]);

    let flat = Lake::new();
    deliver(flat.config("partition_by = \"none\""), &batch).await;
    assert_eq!(flat.names(), [name]);
}

#[tokio::test]
async fn the_same_batch_makes_the_same_bytes() {
    let batch = conformance::batch(0, conformance::events(0..50));
    let (a, b) = (Lake::new(), Lake::new());
    for lake in [&a, &b] {
        deliver(lake.config(""), &batch).await;
    }
    let bytes =
        |lake: &Lake| files(lake.0.path()).iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    assert_eq!(bytes(&a), bytes(&b));
}

/// Scenario: the process was killed while it wrote the first of two files. The next one finds a part of a file.
#[tokio::test]
async fn a_file_that_was_not_finished_is_replaced_and_no_reader_sees_it() {
    let events = vec![event_at(0, "2026-11-21T10:00:00Z"), event_at(1, "2026-11-22T10:00:00Z")];
    let (lake, batch) = (Lake::new(), conformance::batch(0, events.clone()));
    let partition = lake.0.path().join("date=2026-11-21");
    fs::create_dir(&partition).unwrap();
    let unfinished = partition.join(format!(".{LEDGER}-{SINK}-000000000000-000000000006.parquet.new"));
    fs::write(&unfinished, b"PAR1 and then nothing").unwrap();
    deliver(lake.config(""), &batch).await;
    assert!(!unfinished.exists());
    assert_eq!(lake.events(), events.into_iter().map(rounded).collect::<Vec<_>>());
}

/// Scenario: writes are cancelled after ever longer times, and each is tried again by the same sink.
#[tokio::test]
async fn a_write_that_was_cancelled_anywhere_leaves_whole_files_and_no_event_twice() {
    let lake = Lake::new();
    let mut sink = lake.sink();
    let mut sent = 0;
    for round in 0..40 {
        let batch = conformance::batch(round * 100, conformance::events(round * 20..round * 20 + 20));
        sent += batch.events.len();
        sink.open(&opening()).await.unwrap();
        let limit = std::time::Duration::from_micros(u64::try_from(round).unwrap() * 500);
        tokio::time::timeout(limit, sink.write(&batch)).await.ok();
        sink.open(&opening()).await.unwrap();
        sink.write(&batch).await.unwrap();
        sink.commit().await.unwrap();
    }
    let events = lake.events();
    assert_eq!(events.len(), sent);
    let revisions: std::collections::BTreeSet<_> =
        events.iter().map(|event| (event.event_id.clone(), event.revision)).collect();
    assert_eq!(revisions.len(), sent);
}

#[tokio::test]
async fn a_file_says_which_batch_and_version_it_has_and_its_statistics() {
    let (lake, batch) = (Lake::new(), conformance::batch(0, conformance::events(0..10)));
    deliver(lake.config(""), &batch).await;
    let file = File::open(&files(lake.0.path())[0]).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let metadata = builder.metadata();
    let values = metadata.file_metadata().key_value_metadata().unwrap();
    let value =
        |key: &str| values.iter().find(|row| row.key == key).and_then(|row| row.value.clone()).unwrap();
    assert_eq!(value("spanledger.batch"), format!("{LEDGER}/{SINK}/0-30"));
    let newest = COLUMNS.iter().map(|column| column.since).max().unwrap();
    assert_eq!(value("spanledger.schema_version"), newest.to_string());
    assert!(values.iter().all(|row| row.key != "ARROW:schema"), "readers need no schema of Arrow");
    for column in metadata.row_group(0).columns() {
        assert!(column.statistics().is_some(), "{}", column.column_path());
        assert!(column.compression().to_string().starts_with("ZSTD"), "{}", column.compression());
    }
}

#[tokio::test]
async fn an_amount_out_of_range_is_rejected_at_its_place_in_the_batch() {
    let mut events = vec![
        event_at(0, "2026-11-22T10:00:00Z"),
        event_at(1, "2026-11-21T10:00:00Z"),
        event_at(2, "2026-11-22T10:00:00Z"),
        event_at(3, "2026-11-23T10:00:00Z"),
    ];
    for index in [2, 3] {
        events[index].billed_usd = Some(Usd::from_picos(i128::MAX));
    }
    let (lake, batch) = (Lake::new(), conformance::batch(0, events));
    let written = deliver(lake.config(""), &batch).await;
    let rejected: Vec<usize> = written.rejected.iter().map(|rejection| rejection.index).collect();
    assert_eq!(rejected, [2, 3]);
    assert!(written.rejected[0].reason.contains("`billed_usd`"), "{}", written.rejected[0].reason);
    assert_eq!(lake.names().len(), 2, "a day without an event has no file");
    assert_eq!(lake.events().len(), 2);
}

#[tokio::test]
async fn only_the_selected_columns_are_written() {
    let (lake, batch) = (Lake::new(), conformance::batch(0, conformance::events(0..3)));
    deliver(lake.config("columns = [\"model\"]\npartition_by = \"none\""), &batch).await;
    let file = File::open(&files(lake.0.path())[0]).unwrap();
    let schema = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().schema().clone();
    let names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(names, ["event_id", "revision", "state", "model"]);
}

#[tokio::test]
async fn a_folder_that_is_missing_blocks_and_is_not_created() {
    let lake = Lake::new();
    let path = lake.0.path().join("missing");
    let config: ParquetConfig = toml::from_str(&format!("location = {path:?}")).unwrap();
    let mut sink = config.clone().build().map(BoxSink::new).unwrap();
    let fault = sink.open(&opening()).await.unwrap_err();
    let Fault::Blocked { remedy, .. } = &fault else { panic!("{fault:?}") };
    assert!(remedy.contains("create the folder") && remedy.contains("missing"), "{remedy}");
    assert!(!path.exists());
    fs::write(&path, "").unwrap();
    let fault = sink.open(&opening()).await.unwrap_err();
    assert!(fault.to_string().contains("is not a folder"), "{fault}");

    // The disk is unmounted between two batches.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    sink.open(&opening()).await.unwrap();
    fs::remove_dir(&path).unwrap();
    let fault = sink.write(&conformance::batch(0, conformance::events(0..1))).await.unwrap_err();
    assert!(matches!(fault, Fault::Blocked { .. }), "{fault:?}");
    assert!(!path.exists());
}

#[test]
fn an_option_that_cannot_be_used_is_named() {
    for (toml, option, word) in [
        ("location = ''", "location", "empty"),
        ("location = 'ftp://host/folder'", "location", "s3://"),
        ("location = '/data'\nzstd_level = 23", "zstd_level", "22"),
        ("location = '/data'\nstore = { aws_region = 'x' }", "store", "is a path"),
        ("location = 's3://b'\nstore = { aws_regoin = 'x' }", "store", "`aws_regoin`"),
        ("location = 'gs://b'\nstore = { aws_region = 'x' }", "store", "Google"),
        ("location = '/data'\nomit_columns = ['state']", "omit_columns", "`state`"),
    ] {
        let error = toml::from_str::<ParquetConfig>(toml).unwrap().build().unwrap_err();
        assert_eq!(error.option, option, "{toml}");
        assert!(error.to_string().contains(word), "{error}");
    }
    let secret =
        "location = 's3://b/f'\nstore = { aws_secret_access_key = { env = 'KEY' }, allow_http = 'true' }";
    toml::from_str::<ParquetConfig>(secret).unwrap().build().unwrap();
}
