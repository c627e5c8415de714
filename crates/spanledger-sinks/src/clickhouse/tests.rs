//! Most tests run on ClickHouse's own engine behind its HTTP interface, the peer `engines`.

use std::sync::{Mutex, PoisonError};

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;
use spanledger_event::{COLUMNS, Cell, ColumnKind, CostEvent, EventState, Timestamp, Usd};
use spanledger_testkit::ClickHouse;

use super::*;
use crate::{
    Batch, BoxSink, Fault, Opened, Opening, Purpose, Sink, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK, batch, events},
    table::{Dialect, Table},
};

fn options(url: &str, more: &str) -> ClickHouseConfig {
    let user = if more.contains("user =") { "" } else { "user = 'writer'" };
    toml::from_str(&format!("url = '{url}'\npassword = 'right'\n{user}\n{more}")).unwrap()
}

fn sink(url: &str, more: &str) -> ClickHouseSink {
    options(url, more).build().unwrap()
}

async fn open(sink: &mut ClickHouseSink, purpose: Purpose) -> Result<Opened, Fault> {
    sink.open(&Opening { ledger: LEDGER.to_owned(), sink: SINK.to_owned(), purpose }).await
}

async fn deliver(sink: &mut ClickHouseSink, batch: &Batch) {
    open(sink, Purpose::Deliver).await.unwrap();
    assert_eq!(sink.write(batch).await.unwrap().rejected, []);
    sink.commit().await.unwrap();
}

fn blocked(outcome: Result<Opened, Fault>) -> (String, String) {
    match outcome {
        Err(Fault::Blocked { reason, remedy }) => (reason, remedy),
        other => panic!("it must be blocked: {other:?}"),
    }
}

/// What a reader without the sink gets.
async fn query(url: &str, sql: &str) -> Result<String, String> {
    let request = reqwest::Client::new()
        .post(url)
        .header("X-ClickHouse-User", ClickHouse::USER)
        .header("X-ClickHouse-Key", ClickHouse::PASSWORD)
        .body(sql.to_owned());
    let answer = request.send().await.unwrap();
    let is_success = answer.status().is_success();
    let text = answer.text().await.unwrap();
    if is_success { Ok(text) } else { Err(text) }
}

/// The rows of the table without `FINAL`: what an insert that is repeated adds is seen.
async fn stored(url: &str) -> Vec<CostEvent> {
    let columns: Vec<String> =
        COLUMNS.iter().map(|column| format!("toString(`{0}`) AS `_{0}`", column.name)).collect();
    let sql = format!("SELECT {} FROM openai_event_revisions FORMAT JSONCompactEachRow", columns.join(", "));
    let text = match query(url, &sql).await {
        // A check makes no table.
        Err(error) if error.contains("UNKNOWN_TABLE") => return Vec::new(),
        text => text.unwrap(),
    };
    let read = |line: &str| {
        let values: Vec<Value> = serde_json::from_str(line).unwrap();
        let mut event = CostEvent::default();
        for (column, value) in COLUMNS.iter().zip(values) {
            let cell = match (value.as_str(), column.kind) {
                (None, _) => Cell::Null,
                (Some(text), ColumnKind::Text) => Cell::Text(text.to_owned().into()),
                (Some(text), ColumnKind::Json) => Cell::Json(text.to_owned().into()),
                (Some(text), ColumnKind::Integer) => Cell::Integer(text.parse().unwrap()),
                (Some(text), ColumnKind::Boolean) => Cell::Boolean(text == "true"),
                (Some(text), ColumnKind::Usd) => Cell::Usd(text.parse().unwrap()),
                (Some(text), ColumnKind::Decimal) => Cell::Decimal(text.parse().unwrap()),
                (Some(text), ColumnKind::Timestamp) => {
                    Cell::Timestamp(Timestamp::parse(&format!("{}Z", text.replace(' ', "T"))).unwrap())
                }
            };
            (column.set)(&mut event, cell).unwrap();
        }
        event
    };
    text.lines().map(read).collect()
}

struct Destination {
    server: Mutex<ClickHouse>,
    url: String,
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(sink(&self.url, ""))
    }

    async fn stored(&self) -> Vec<CostEvent> {
        stored(&self.url).await
    }

    async fn set_broken(&self, broken: bool) -> bool {
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        if broken {
            server.kill();
        } else {
            server.run();
        }
        true
    }

    fn poison(&self, event: &mut CostEvent) -> bool {
        event.cost_usd = Some(Usd::from_picos(10_i128.pow(24)));
        true
    }
}

#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    let Some(server) = ClickHouse::start() else { return };
    let destination = Destination { url: server.url(), server: Mutex::new(server) };
    conformance::check(&destination).await.unwrap();
}

#[tokio::test]
async fn a_batch_of_two_months_that_is_repeated_is_stored_once() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    let mut sent = events(0..6);
    for event in sent.iter_mut().skip(3) {
        event.timestamp = Timestamp::parse("2026-02-28T23:59:59.999999999Z").unwrap();
    }
    let batch = batch(0, sent);
    for _ in 0..3 {
        deliver(&mut sink, &batch).await;
    }
    assert_eq!(query(&server.url(), "SELECT count() FROM openai_event_revisions").await.unwrap(), "6\n");
    let partitions =
        "SELECT DISTINCT partition FROM system.parts WHERE table = 'openai_event_revisions' ORDER BY 1";
    assert_eq!(query(&server.url(), partitions).await.unwrap(), "202511\n202602\n");
}

#[tokio::test]
async fn the_views_show_the_latest_live_and_quarantined_revisions() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    let first = batch(0, events(0..4));
    deliver(&mut sink, &first).await;
    let mut changed = events(0..3);
    for (event, state) in
        changed.iter_mut().zip([EventState::Live, EventState::Void, EventState::Quarantined])
    {
        event.revision += 1;
        event.state = state;
    }
    deliver(&mut sink, &batch(first.id.to, changed)).await;
    let count = |view: &str| format!("SELECT count(), max(revision) FROM {view}");
    assert_eq!(query(&server.url(), &count("openai_events")).await.unwrap(), "2\t2\n");
    assert_eq!(query(&server.url(), &count("openai_events_quarantined")).await.unwrap(), "1\t2\n");
}

#[tokio::test]
async fn a_check_changes_nothing_and_says_what_is_missing() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    let opened = open(&mut sink, Purpose::Check).await.unwrap();
    assert_eq!(
        opened.remarks,
        ["the table `openai_event_revisions` does not exist; the sink makes it when it delivers"]
    );
    assert_eq!(query(&server.url(), "SHOW TABLES").await.unwrap(), "");
}

#[tokio::test]
async fn columns_that_a_table_lacks_are_added() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    let first = batch(0, events(0..5));
    deliver(&mut sink, &first).await;
    for statement in [
        "DROP VIEW openai_events",
        "ALTER TABLE openai_event_revisions DROP COLUMN dims",
        "ALTER TABLE openai_event_revisions DROP COLUMN cost_usd",
        "ALTER TABLE openai_event_revisions ADD COLUMN team String",
    ] {
        query(&server.url(), statement).await.unwrap();
    }
    let checked = open(&mut sink, Purpose::Check).await.unwrap();
    assert!(checked.remarks[0].contains("it lacks `cost_usd`, `dims`"), "{:?}", checked.remarks);
    let opened = open(&mut sink, Purpose::Deliver).await.unwrap();
    assert_eq!(opened.remarks, ["the table `openai_event_revisions` got the columns cost_usd, dims"]);
    deliver(&mut sink, &batch(first.id.to, events(5..6))).await;
    let sql = "SELECT count(), count(cost_usd) FROM openai_events";
    assert_eq!(query(&server.url(), sql).await.unwrap(), "6\t1\n");
}

#[tokio::test]
async fn a_table_without_the_two_layers_is_remarked_on() {
    let Some(server) = ClickHouse::start() else { return };
    let table = Table { engine: "MergeTree".to_owned(), ..Table::default_of(Dialect::ClickHouse) };
    let statement =
        table.create_table().remove(0).replace("deduplication_window = 10000", "deduplication_window = 0");
    query(&server.url(), &statement).await.unwrap();
    let mut plain = sink(&server.url(), "");
    let opened = open(&mut plain, Purpose::Deliver).await.unwrap();
    assert_eq!(opened.remarks.len(), 2, "{:?}", opened.remarks);
    assert!(
        opened.remarks[1].contains("is MergeTree and not ReplacingMergeTree(revision)"),
        "{:?}",
        opened.remarks
    );
    // The statement in the remark helps.
    query(&server.url(), opened.remarks[0].split('`').nth(3).unwrap()).await.unwrap();
    let opened = open(&mut plain, Purpose::Deliver).await.unwrap();
    assert_eq!(opened.remarks.len(), 1, "{:?}", opened.remarks);
    // The view leaves out the older revision, which stays in the table.
    for from in [0, 100] {
        let mut sent = events(0..2);
        sent[0].revision += from;
        deliver(&mut plain, &batch(from, sent)).await;
    }
    let counts =
        "SELECT (SELECT count() FROM openai_event_revisions), count(), max(revision) FROM openai_events";
    assert_eq!(query(&server.url(), counts).await.unwrap(), "4\t2\t101\n");

    let mut both = sink(&server.url(), "table = 'other'\nview = 'other_view'");
    assert_eq!(open(&mut both, Purpose::Deliver).await.unwrap().remarks, Vec::<String>::new());
}

#[tokio::test]
async fn a_table_of_another_shape_blocks_and_says_what_to_change() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    let sql = "CREATE TABLE openai_event_revisions (event_id String, prompt_tokens Int64, cost_usd Nullable(Float64)) \
               ENGINE = MergeTree ORDER BY event_id";
    query(&server.url(), sql).await.unwrap();
    let (reason, remedy) = blocked(open(&mut sink, Purpose::Deliver).await);
    assert!(
        reason.contains("`cost_usd` is Nullable(Float64) and must be Nullable(Decimal(24, 12))"),
        "{reason}"
    );
    assert!(reason.contains("`prompt_tokens` is Int64 and must be Nullable(Int64)"), "{reason}");
    assert!(remedy.contains("ALTER TABLE `openai_event_revisions` MODIFY COLUMN `cost_usd`"), "{remedy}");
}

#[tokio::test]
async fn wrong_credentials_rights_databases_and_addresses_block_and_name_the_remedy() {
    let Some(server) = ClickHouse::start() else { return };
    let url = server.url();
    for (address, more, expected, remedy_names) in [
        (url.as_str(), "user = 'nobody'", "Authentication failed", "`user` and `password`"),
        (&url, "user = 'reader'", "Not enough privileges", "grant the user"),
        (&url, "database = 'finance'", "Database finance does not exist", "CREATE DATABASE"),
        (&url, "create_table = false", "does not exist", "spanledger sinks ddl clickhouse"),
        (&url, "engine = 'NoSuchTree'", "NoSuchTree", "`engine`"),
        (&url, "ca_file = '/no/such/file'", "/no/such/file cannot be read", "`ca_file`"),
    ] {
        let (reason, remedy) = blocked(open(&mut sink(address, more), Purpose::Deliver).await);
        assert!(reason.contains(expected) && !reason.contains("right"), "{more}: {reason}");
        assert!(remedy.contains(remedy_names), "{more}: {remedy}");
    }
}

#[tokio::test]
async fn a_server_that_is_down_or_overloaded_is_tried_again() {
    let Some(mut server) = ClickHouse::start() else { return };
    let mut overloaded = sink(&server.url(), "database = 'locked'");
    let fault = open(&mut overloaded, Purpose::Deliver).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry { reason, .. } if reason.contains("Too many")), "{fault:?}");
    let mut sink = sink(&server.url(), "");
    let batch = batch(0, events(0..3));
    deliver(&mut sink, &batch).await;
    server.kill();
    let fault = sink.write(&batch).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry { reason, .. } if reason.contains("cannot insert")), "{fault:?}");
    server.run();
    // The server remembers the insert although it was killed.
    deliver(&mut sink, &batch).await;
    assert_eq!(query(&server.url(), "SELECT count() FROM openai_event_revisions").await.unwrap(), "3\n");
}

#[tokio::test]
async fn a_constraint_of_the_users_own_refuses_the_batch() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "");
    open(&mut sink, Purpose::Deliver).await.unwrap();
    let constraint = "ALTER TABLE openai_event_revisions ADD CONSTRAINT cheap CHECK attempts < 3";
    query(&server.url(), constraint).await.unwrap();
    let fault = sink.write(&batch(0, events(0..3))).await.unwrap_err();
    assert!(matches!(&fault, Fault::Rejected { reason } if reason.contains("cheap")), "{fault:?}");
}

#[tokio::test]
async fn numbers_with_too_many_digits_are_refused_one_by_one() {
    let Some(server) = ClickHouse::start() else { return };
    let mut sink = sink(&server.url(), "omit_columns = ['usage_raw']");
    open(&mut sink, Purpose::Deliver).await.unwrap();
    let mut sent = events(0..6);
    sent[1].audio_seconds = "0.1234567890123456789".parse().ok();
    sent[2].billed_usd = Some(Usd::from_picos(-(10_i128.pow(24))));
    sent[3].audio_seconds = "100000000000000000000".parse().ok();
    let written = sink.write(&batch(0, sent)).await.unwrap();
    let indexes: Vec<usize> = written.rejected.iter().map(|rejection| rejection.index).collect();
    assert_eq!(indexes, [1, 2, 3], "{written:?}");
    assert!(written.rejected[0].reason.contains("more than 18 digits behind the point"), "{written:?}");
    assert_eq!(query(&server.url(), "SELECT count() FROM openai_event_revisions").await.unwrap(), "3\n");
}

/// The answers of a real server, which states its codes only in its messages.
#[tokio::test]
async fn an_old_server_is_understood_and_refused() {
    let Some(mut server) = ClickHouse::start_18_16() else { return };
    let url = server.url();
    for (more, expected, remedy_names) in [
        ("", "it is ClickHouse 18.16.1, which is too old", "24.3 or newer"),
        ("user = 'nobody'", "Unknown user nobody", "`user` and `password`"),
        ("database = 'finance'", "Database finance doesn't exist", "CREATE DATABASE"),
    ] {
        let (reason, remedy) = blocked(open(&mut sink(&url, more), Purpose::Deliver).await);
        assert!(reason.contains(expected), "{more}: {reason}");
        assert!(remedy.contains(remedy_names), "{more}: {remedy}");
    }
    let wrong = ClickHouseConfig { password: crate::Secret::new("wrong"), ..options(&url, "") };
    let (reason, _) = blocked(open(&mut wrong.build().unwrap(), Purpose::Deliver).await);
    assert!(reason.contains("Wrong password for user writer"), "{reason}");
    server.kill();
    let fault = open(&mut sink(&url, ""), Purpose::Deliver).await.unwrap_err();
    assert!(matches!(fault, Fault::Retry { .. }), "{fault:?}");
}

/// Scenario: the address is that of another program.
#[tokio::test]
async fn an_address_without_clickhouse_is_refused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello",
            "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    for _ in 0..2 {
        let (_, remedy) = blocked(open(&mut sink(&url, ""), Purpose::Deliver).await);
        assert!(remedy.contains("the HTTP interface of ClickHouse"), "{remedy}");
    }
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let problem = |url: &str, more: &str| options(url, more).build().unwrap_err().to_string();
    assert!(problem("clickhouse.example.com:8443", "").starts_with("`url`: write the address"));
    assert!(problem("http://h", "table = 'a.b'").contains("option `database`"));
    assert!(problem("http://h", "view = 'openai_event_revisions'").contains("different names"));
    assert!(problem("http://h", "omit_columns = ['state']").contains("cannot be left out"));
    assert!(problem("http://h", "settings = { 'a b' = '1' }").contains("not the name of a setting"));
}

#[test]
fn every_answer_has_a_fault() {
    let of = |code: u32| fault::of_code(code, String::new());
    for code in [516, 497, 81, 60, 115, 243, 164] {
        assert!(matches!(of(code), Fault::Blocked { .. }), "{code}");
    }
    for code in [159, 202, 241, 242, 252, 285, 319, 999] {
        assert!(matches!(of(code), Fault::Retry { .. }), "{code}");
    }
    for code in [27, 69, 117, 349, 469] {
        assert!(matches!(of(code), Fault::Rejected { .. }), "{code}");
    }
    let answer = |status: u16, header: Option<(&'static str, &'static str)>, body: &str| {
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        fault::of_answer("ClickHouse", "insert", StatusCode::from_u16(status).unwrap(), &headers, body)
    };
    assert!(matches!(answer(413, None, "nginx"), Fault::TooLarge { .. }));
    assert!(matches!(answer(401, None, ""), Fault::Blocked { .. }));
    let waiting = answer(503, Some(("retry-after", "7")), "");
    assert!(
        matches!(waiting, Fault::Retry { after: Some(after), .. } if after.as_secs() == 7),
        "{waiting:?}"
    );
    // An older server states the code only in the message.
    assert!(matches!(answer(500, None, "Code: 193, e.displayText() = DB::Exception"), Fault::Blocked { .. }));
}
