use spanledger_otlp::record::LogRecord;

use super::*;

#[tokio::test]
async fn an_export_that_is_off_has_nothing_to_flush() {
    let exporter = Exporter::start(ExporterConfig::off()).unwrap();
    exporter.send(Box::new(LogRecord::default()), None);
    assert_eq!(exporter.flush(Duration::from_millis(1)).await, Ok(()));
    assert_eq!(exporter.stats(), ExporterStats::default());
}

#[tokio::test]
async fn a_flush_names_the_receiver_that_does_not_answer() {
    let mut config = ExporterConfig::to("http://127.0.0.1:1");
    config.linger = Duration::ZERO;
    let exporter = Exporter::start(config).unwrap();
    exporter.send(Box::new(LogRecord::default()), None);
    let error = exporter.flush(Duration::from_millis(500)).await.unwrap_err();
    assert_eq!(error.pending, 1);
    assert!(error.to_string().contains("127.0.0.1:1/v1/logs") && error.last_error.is_some(), "{error}");
}

#[tokio::test]
async fn a_full_queue_drops_the_newest_records_and_a_flush_reports_them() {
    let large = LogRecord { event_name: "x".repeat(1_000), ..LogRecord::default() };
    let by_count = |config: &mut ExporterConfig| config.queue_max = 2;
    let by_bytes = |config: &mut ExporterConfig| config.queue_bytes_max = 2_500;
    for limit in [&by_count as &dyn Fn(&mut ExporterConfig), &by_bytes] {
        let mut config = ExporterConfig::to("http://127.0.0.1:1");
        limit(&mut config);
        let exporter = Exporter::start(config).unwrap();
        for _ in 0..10 {
            exporter.send(Box::new(large.clone()), None);
        }
        let stats = exporter.stats();
        assert_eq!((stats.recorded, stats.lost), (10, 8));
        let error = exporter.flush(Duration::from_millis(10)).await.unwrap_err();
        assert_eq!((error.lost, error.pending), (8, 2));
    }
}

#[test]
fn a_record_that_is_larger_than_the_queue_is_accepted_when_nothing_else_waits() {
    let mut config = ExporterConfig::to("http://127.0.0.1:1");
    config.queue_bytes_max = 1;
    let exporter = Exporter::start(config).unwrap();
    exporter.send(Box::new(LogRecord::default()), None);
    exporter.send(Box::new(LogRecord::default()), None);
    assert_eq!(exporter.stats().lost, 1);
}

#[test]
fn an_address_is_shown_without_what_can_be_a_key() {
    use super::shared::without_credentials;
    for (given, shown) in [
        ("https://user:secret@collector/v1/logs?key=abc", "https://collector/v1/logs"),
        ("http://localhost:4318/v1/logs", "http://localhost:4318/v1/logs"),
        ("not a url", "not a url"),
    ] {
        assert_eq!(without_credentials(given), shown);
    }
    let config = ExporterConfig::to("https://user:secret@collector");
    assert!(!format!("{config:?}").contains("secret"));
}

/// Guarantees: a flush of the process never says that all is well while records are lost.
#[test]
fn a_flush_of_the_process_tells_of_an_exporter_that_could_not_be_started() {
    let config = ExporterConfig::to("ftp://wrong");
    let error = Exporter::start(config.clone()).unwrap_err();
    let exporter = Exporter::failed(config, &error);
    exporter.send(Box::new(LogRecord::default()), None);
    // A flush of the process itself would take the losses of other tests.
    let handles = flush::all();
    let handle = handles.iter().find(|handle| Arc::ptr_eq(&handle.shared, &exporter.shared)).unwrap();
    let error = handle.outcome(None).unwrap_err();
    assert!(error.lost == 1 && error.to_string().contains("ftp://wrong"), "{error}");
}
