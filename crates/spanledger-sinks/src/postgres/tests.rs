//! Most tests run on a real server, the peer `postgres`.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use spanledger_event::{COLUMNS, Cell, ColumnKind, CostEvent, Timestamp};
use spanledger_testkit::Postgres;
use tokio_postgres::{NoTls, error::SqlState};

use super::*;
use crate::{
    Batch, BoxSink, Fault, Opened, Opening, Purpose, Secret, Sink, SinkConfig as _,
    conformance::{self, Harness, LEDGER, SINK, batch, event, events},
};

fn options(url: &str, more: &str) -> PostgresConfig {
    toml::from_str(&format!("url = {url:?}\n{more}")).unwrap()
}

fn sink(url: &str, more: &str) -> PostgresSink {
    options(url, more).build().unwrap()
}

fn opening(purpose: Purpose) -> Opening {
    Opening { ledger: LEDGER.to_owned(), sink: SINK.to_owned(), purpose }
}

async fn open(sink: &mut PostgresSink) -> Result<Opened, Fault> {
    sink.open(&opening(Purpose::Deliver)).await
}

async fn deliver(sink: &mut PostgresSink, batch: &Batch) {
    open(sink).await.unwrap();
    assert_eq!(sink.write(batch).await.unwrap().rejected, []);
    sink.commit().await.unwrap();
}

/// The reason and the remedy of a fault that blocks.
fn blocked(outcome: Result<Opened, Fault>) -> (String, String) {
    match outcome {
        Err(Fault::Blocked { reason, remedy }) => (reason, remedy),
        other => panic!("it must be blocked: {other:?}"),
    }
}

/// The address with another user and no password.
fn as_user(server: &Postgres, user: &str, password: &str) -> String {
    format!("postgresql://{user}:{password}@127.0.0.1:{}/postgres", server.port())
}

/// The events in the table, as a reader without the sink sees them.
async fn stored(url: &str) -> Vec<CostEvent> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let columns: Vec<String> = COLUMNS
        .iter()
        .map(|column| match column.kind {
            ColumnKind::Timestamp => {
                format!(r#"to_char("{}" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#, column.name)
            }
            _ => format!(r#""{}"::text"#, column.name),
        })
        .collect();
    let sql = format!("SELECT {} FROM openai_event_revisions", columns.join(", "));
    let rows = match client.query(&sql, &[]).await {
        // A check makes no table.
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Vec::new(),
        rows => rows.unwrap(),
    };
    let read = |row: tokio_postgres::Row| {
        let mut event = CostEvent::default();
        for (index, column) in COLUMNS.iter().enumerate() {
            let cell = match (row.get::<_, Option<String>>(index), column.kind) {
                (None, _) => Cell::Null,
                (Some(text), ColumnKind::Text) => Cell::Text(text.into()),
                (Some(text), ColumnKind::Json) => Cell::Json(text.into()),
                (Some(text), ColumnKind::Integer) => Cell::Integer(text.parse().unwrap()),
                (Some(text), ColumnKind::Boolean) => Cell::Boolean(text == "true"),
                (Some(text), ColumnKind::Usd) => Cell::Usd(text.parse().unwrap()),
                (Some(text), ColumnKind::Decimal) => Cell::Decimal(text.parse().unwrap()),
                (Some(text), ColumnKind::Timestamp) => Cell::Timestamp(Timestamp::parse(&text).unwrap()),
            };
            (column.set)(&mut event, cell).unwrap();
        }
        event
    };
    rows.into_iter().map(read).collect()
}

fn micros(moment: Timestamp) -> Timestamp {
    Timestamp::from_nanos(moment.nanos().div_euclid(1_000) * 1_000)
}

struct Destination {
    server: Mutex<Postgres>,
    url: String,
    options: &'static str,
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(sink(&self.url, self.options))
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
        event.error_code = Some("a text with \0 in it".to_owned());
        true
    }

    /// Postgres has microseconds.
    fn as_stored(&self, mut event: CostEvent) -> CostEvent {
        event.timestamp = micros(event.timestamp);
        event.priced_at = event.priced_at.map(micros);
        event
    }
}

async fn check(options: &'static str) {
    let Some(server) = Postgres::start() else { return };
    let destination = Destination { url: server.url(), server: Mutex::new(server), options };
    conformance::check(&destination).await.unwrap();
}

#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    check("").await;
}

#[tokio::test]
async fn the_sink_fulfills_the_contract_with_a_partition_for_each_month() {
    check("partitions = 'month'").await;
}

#[tokio::test]
async fn the_views_show_the_live_and_the_quarantined_events() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    let mut sent = events(0..3);
    sent[1].state = spanledger_event::EventState::Void;
    sent[2].state = spanledger_event::EventState::Quarantined;
    deliver(&mut sink, &batch(0, sent)).await;
    let counts = server
        .query(
            "SELECT (SELECT count(*) FROM openai_events), (SELECT count(*) FROM openai_events_quarantined)",
        )
        .unwrap();
    assert_eq!(counts, "1,1\n");
}

/// Scenario: the earlier process still lives.
#[tokio::test]
async fn of_two_processes_with_one_sink_the_later_one_goes_on() {
    let Some(server) = Postgres::start() else { return };
    let (mut earlier, mut later) = (sink(&server.url(), ""), sink(&server.url(), ""));
    let first = batch(0, events(0..2));
    deliver(&mut earlier, &first).await;
    let opened = open(&mut later).await.unwrap();
    assert_eq!(opened.cursor, Some(first.id.to));

    let second = batch(first.id.to, events(2..4));
    let fault = earlier.write(&second).await.unwrap_err();
    assert!(matches!(fault, Fault::Fenced { .. }), "{fault:?}");

    later.write(&second).await.unwrap();
    later.commit().await.unwrap();
    assert_eq!(stored(&server.url()).await.len(), 4);
}

#[tokio::test]
async fn a_table_that_was_removed_is_made_again_and_has_no_position() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    deliver(&mut sink, &batch(0, events(0..2))).await;
    server.query("DROP TABLE openai_event_revisions CASCADE").unwrap();
    assert_eq!(open(&mut sink).await.unwrap().cursor, Some(0));
}

#[tokio::test]
async fn a_check_changes_nothing_and_says_what_is_missing() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    let opened = sink.open(&opening(Purpose::Check)).await.unwrap();
    assert_eq!(
        opened.remarks,
        ["the table `openai_event_revisions` does not exist; the sink makes it when it delivers"]
    );
    assert_eq!(server.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap(), "0\n");
}

#[tokio::test]
async fn columns_that_a_table_lacks_are_added_with_their_view() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    let first = batch(0, events(0..5));
    deliver(&mut sink, &first).await;
    // A table of an earlier version, with a column of the user's own.
    server
        .query(
            "ALTER TABLE openai_event_revisions DROP COLUMN dims CASCADE;
             ALTER TABLE openai_event_revisions DROP COLUMN cost_usd CASCADE;
             ALTER TABLE openai_event_revisions ADD COLUMN team text;
             CREATE VIEW openai_events AS SELECT event_id FROM openai_event_revisions",
        )
        .unwrap();
    let checked = sink.open(&opening(Purpose::Check)).await.unwrap();
    assert!(checked.remarks[0].contains("it lacks `cost_usd`, `dims`"), "{:?}", checked.remarks);

    let opened = open(&mut sink).await.unwrap();
    assert!(opened.remarks[0].ends_with("got the columns cost_usd, dims"), "{:?}", opened.remarks);
    let second = batch(first.id.to, events(5..6));
    sink.write(&second).await.unwrap();
    sink.commit().await.unwrap();
    assert_eq!(server.query("SELECT count(cost_usd) FROM openai_events_quarantined").unwrap(), "0\n");
    assert_eq!(server.query("SELECT count(dims) FROM openai_event_revisions").unwrap(), "1\n");
    // The user's own view has other columns, so that it is not replaced.
    assert!(opened.remarks.len() == 2 && opened.remarks[1].contains("view `openai_events`"), "{opened:?}");
}

#[tokio::test]
async fn a_table_of_another_shape_blocks_and_says_what_to_change() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    server.query("CREATE TABLE openai_event_revisions (event_id text PRIMARY KEY, cost_usd float8)").unwrap();
    let (reason, remedy) = blocked(open(&mut sink).await);
    assert!(reason.contains("`cost_usd` is double precision and must be numeric(24,12)"), "{reason}");
    assert!(remedy.contains("ALTER COLUMN \"cost_usd\" TYPE numeric(24,12)"), "{remedy}");
    // The statement works.
    server.query(remedy.split('`').nth(1).unwrap()).unwrap();
    open(&mut sink).await.unwrap();

    server.query("ALTER TABLE openai_event_revisions DROP CONSTRAINT openai_event_revisions_pkey").unwrap();
    let (reason, remedy) = blocked(open(&mut sink).await);
    assert!(reason.contains("no key of the table `openai_event_revisions` identifies an event"), "{reason}");
    server.query(remedy.split('`').nth(1).unwrap()).unwrap();
    open(&mut sink).await.unwrap();
}

/// Scenario: the user made the table with other types that hold every value, so that the rows have to be cast.
#[tokio::test]
async fn a_table_with_wider_types_is_written() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    open(&mut sink).await.unwrap();
    server
        .query(
            "DROP VIEW openai_events, openai_events_quarantined;
             ALTER TABLE openai_event_revisions ALTER feature TYPE varchar(2000), ALTER cost_usd TYPE numeric,
             ALTER dims TYPE json, ALTER attempts TYPE numeric(19,0)",
        )
        .unwrap();
    let first = batch(0, events(0..10));
    deliver(&mut sink, &first).await;
    let mut again = events(5..15);
    for event in &mut again {
        event.revision += 1;
    }
    deliver(&mut sink, &batch(first.id.to, again)).await;
    let counts = "SELECT count(*), count(*) FILTER (WHERE revision = 2) FROM openai_events";
    assert_eq!(server.query(counts).unwrap(), "15,10\n");
}

#[tokio::test]
async fn wrong_credentials_and_missing_rights_block_and_name_the_remedy() {
    let Some(server) = Postgres::start() else { return };
    server
        .query("CREATE USER writer PASSWORD 'right'; REVOKE TEMPORARY ON DATABASE postgres FROM public")
        .unwrap();

    let (reason, remedy) = blocked(open(&mut sink(&as_user(&server, "writer", "wrong"), "")).await);
    assert!(reason.contains("password authentication failed for user \"writer\""), "{reason}");
    assert!(!reason.contains("wrong") && remedy.contains("`password`"), "{reason}: {remedy}");
    let nobody = format!("postgresql://writer@127.0.0.1:{}/postgres", server.port());
    let (_, remedy) = blocked(open(&mut sink(&nobody, "")).await);
    assert!(remedy.contains("`password`"), "{remedy}");

    let elsewhere = server.url().replace("/postgres", "/analytics").replace("//analytics", "//postgres");
    let (reason, remedy) = blocked(open(&mut sink(&elsewhere, "")).await);
    assert!(reason.contains("database \"analytics\" does not exist"), "{reason}");
    assert!(remedy.contains("CREATE DATABASE"), "{remedy}");

    let mut writer = sink(&as_user(&server, "writer", "right"), "");
    let (reason, remedy) = blocked(open(&mut writer).await);
    assert!(reason.contains("permission denied for schema public"), "{reason}");
    assert!(remedy.contains("USAGE, CREATE"), "{remedy}");

    let (reason, remedy) = blocked(open(&mut sink(&server.url(), "table = 'finance.events'")).await);
    assert!(reason.contains("schema \"finance\" does not exist"), "{reason}");
    assert!(remedy.contains("CREATE SCHEMA"), "{remedy}");

    // The administrator makes the tables. Each remedy is the statement that helps.
    server.query(&PostgresConfig::ddl(None).unwrap()).unwrap();
    let (reason, remedy) = blocked(open(&mut writer).await);
    assert!(reason.contains("the user \"writer\" lacks the right SELECT, INSERT, UPDATE"), "{reason}");
    server.query(remedy.trim_matches('`')).unwrap();
    let (reason, remedy) = blocked(open(&mut writer).await);
    assert!(reason.contains("may not make temporary tables"), "{reason}");
    server.query(remedy.trim_matches('`')).unwrap();
    let (reason, _) = blocked(open(&mut writer).await);
    assert!(reason.contains("permission denied for table spanledger_cursors"), "{reason}");
    server.query("GRANT SELECT, INSERT, UPDATE ON spanledger_cursors TO writer").unwrap();
    deliver(&mut writer, &batch(0, events(0..10))).await;
}

#[tokio::test]
async fn a_table_that_must_not_be_made_is_asked_for() {
    let Some(server) = Postgres::start() else { return };
    let (reason, remedy) = blocked(open(&mut sink(&server.url(), "create_table = false")).await);
    assert!(reason.ends_with("the table `openai_event_revisions` does not exist"), "{reason}");
    assert!(remedy.contains("spanledger sinks ddl postgres"), "{remedy}");
}

#[tokio::test]
async fn a_server_that_is_down_is_tried_again() {
    let Some(mut server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "timeout_seconds = 5");
    server.stop();
    let fault = open(&mut sink).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry { reason, .. } if reason.contains("cannot connect")), "{fault:?}");
    server.run();
    deliver(&mut sink, &batch(0, events(0..1))).await;
}

#[tokio::test]
async fn a_lock_and_a_full_disk_and_a_refusing_trigger_are_told_apart() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "timeout_seconds = 2");
    open(&mut sink).await.unwrap();
    // Somebody else holds a lock on the table.
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE openai_event_revisions").await.unwrap();
    let fault = sink.write(&batch(0, events(0..1))).await.unwrap_err();
    assert!(
        matches!(&fault, Fault::Retry { reason, .. } if reason.contains("within 2 seconds")),
        "{fault:?}"
    );
    client.batch_execute("ROLLBACK").await.unwrap();

    for (code, expected) in [("53100", "disk"), ("P0001", "")] {
        server
            .query(&format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{code}'; END $$;
                 DROP TRIGGER IF EXISTS refuse ON openai_event_revisions;
                 CREATE TRIGGER refuse BEFORE INSERT ON openai_event_revisions
                 FOR EACH ROW EXECUTE FUNCTION refuse()"
            ))
            .unwrap();
        open(&mut sink).await.unwrap();
        match sink.write(&batch(0, events(0..1))).await.unwrap_err() {
            Fault::Blocked { remedy, .. } => {
                assert!(!expected.is_empty() && remedy.contains(expected), "{remedy}");
            }
            Fault::Rejected { .. } => assert_eq!(expected, ""),
            other => panic!("{other:?}"),
        }
    }
    server.query("DROP TRIGGER refuse ON openai_event_revisions").unwrap();
    deliver(&mut sink, &batch(0, events(0..1))).await;
}

#[tokio::test]
async fn values_that_postgres_cannot_store_are_refused_one_by_one() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "");
    open(&mut sink).await.unwrap();
    let mut sent = events(0..5);
    sent[1].model = Some("gpt\0".to_owned());
    sent[3].cost_usd = Some(spanledger_event::Usd::from_picos(10_i128.pow(24)));
    let written = sink.write(&batch(0, sent)).await.unwrap();
    sink.commit().await.unwrap();
    let reasons: Vec<(usize, &str)> =
        written.rejected.iter().map(|rejection| (rejection.index, rejection.reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            (1, "`model` contains the character U+0000, which no text of Postgres can have"),
            (3, "`cost_usd` is 1000000000000 and has more digits than a DECIMAL(24,12)"),
        ]
    );
    assert_eq!(stored(&server.url()).await.len(), 3);
}

#[tokio::test]
async fn omitted_columns_are_not_in_the_table() {
    let Some(server) = Postgres::start() else { return };
    let mut sink = sink(&server.url(), "omit_columns = ['usage_raw', 'dims']\ntable = 'Cost \"Events\"'");
    deliver(&mut sink, &batch(0, events(0..5))).await;
    let columns = server
        .query("SELECT count(*) FROM information_schema.columns WHERE table_name = 'Cost \"Events\"'")
        .unwrap();
    assert_eq!(columns, format!("{}\n", COLUMNS.len() - 2));
    assert_eq!(server.query("SELECT count(*) FROM \"Cost \"\"Events\"\"\"").unwrap(), "5\n");
}

/// Scenario: the server is killed again and again while it is written, with and without an answer to the commit.
#[tokio::test]
async fn a_server_that_is_killed_at_any_moment_has_every_event_once_and_the_right_position() {
    const BATCHES: i64 = 20;
    let Some(server) = Postgres::start() else { return };
    let url = server.url();
    let server = Arc::new(Mutex::new(server));
    let done = Arc::new(AtomicI64::new(0));
    let killer = std::thread::spawn({
        let (server, done) = (Arc::clone(&server), Arc::clone(&done));
        move || {
            // Each kill waits for two more batches, so that there is progress however slow the machine is. The pauses
            // after that differ, so that the kills meet different moments.
            let mut kills = 0;
            for pause in [0, 3, 11, 1, 23, 6, 17, 2, 40, 9].into_iter().cycle() {
                let before = done.load(Ordering::SeqCst);
                while done.load(Ordering::SeqCst) < (before + 2).min(BATCHES) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                if done.load(Ordering::SeqCst) == BATCHES {
                    break;
                }
                std::thread::sleep(Duration::from_millis(pause));
                let mut server = server.lock().unwrap();
                server.kill();
                server.run();
                kills += 1;
            }
            kills
        }
    });
    let mut sink = sink(&url, "");
    let (mut position, mut faults, mut expected) = (0, 0, Vec::new());
    for number in 0..BATCHES {
        // An event of the batch before comes again in a later revision.
        let mut sent = events(number * 10..number * 10 + 10);
        if number > 0 {
            let mut again = event(number * 10 - 1);
            again.revision = 2;
            sent.push(again);
        }
        let batch = batch(position, sent.clone());
        expected.extend(sent.iter().map(|event| (event.event_id.clone(), event.revision)));
        // As the receiver does it: after a fault, the position of the database says what it has.
        loop {
            let attempt = async {
                let cursor = open(&mut sink).await?.cursor;
                if cursor == Some(batch.id.to) {
                    return Ok(());
                }
                assert_eq!(cursor, Some(batch.id.from), "the position is that of a whole batch");
                sink.write(&batch).await?;
                sink.commit().await
            };
            match attempt.await {
                Ok(()) => break,
                Err(Fault::Retry { .. }) => faults += 1,
                Err(other) => panic!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        position = batch.id.to;
        done.store(number + 1, Ordering::SeqCst);
    }
    let kills = killer.join().unwrap();
    assert!(kills > 2 && faults > 0, "{kills} kills and {faults} faults are no test");

    let mut latest = BTreeMap::new();
    for (id, revision) in expected {
        let greatest = latest.entry(id).or_insert(revision);
        *greatest = revision.max(*greatest);
    }
    let stored: Vec<_> =
        stored(&url).await.into_iter().map(|event| (event.event_id, event.revision)).collect();
    let rows = stored.len();
    assert_eq!(stored.into_iter().collect::<BTreeMap<_, _>>(), latest);
    assert_eq!(rows, latest.len(), "no event is there twice");
}

/// Files for a server with TLS: its certificate, and that of the authority that signed it.
fn certificates(server: &Postgres) -> String {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_pem = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    fs::write(server.data().join("server.crt"), certificate.pem()).unwrap();
    let key_file = server.data().join("server.key");
    fs::write(&key_file, key.serialize_pem()).unwrap();
    // The server refuses a key that others can read, and a key of another user.
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
        let owner = fs::metadata(server.data()).unwrap();
        fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&key_file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    authority_pem
}

#[tokio::test]
async fn tls_is_verified_and_its_errors_say_what_to_do() {
    let Some(server) = Postgres::start() else { return };
    let (reason, remedy) = blocked(open(&mut sink(&server.url(), "tls = 'require'")).await);
    assert!(reason.contains("server does not support TLS"), "{reason}");
    assert!(remedy.contains("ssl = on"), "{remedy}");

    let authority = certificates(&server);
    server.query("ALTER SYSTEM SET ssl = on").unwrap();
    server.query("SELECT pg_reload_conf()").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");
    fs::write(&ca_file, authority).unwrap();
    let verified = format!("tls = 'verify-full'\nca_file = {ca_file:?}");
    // The server reads its settings a moment later.
    let mut with_ca = sink(&server.url(), &verified);
    let mut opened = open(&mut with_ca).await;
    for _ in 0..100 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        opened = open(&mut with_ca).await;
    }
    opened.unwrap();
    deliver(&mut with_ca, &batch(0, vec![event(0)])).await;
    open(&mut sink(&server.url(), "tls = 'require'")).await.unwrap();

    let (reason, remedy) = blocked(open(&mut sink(&server.url(), "tls = 'verify-full'")).await);
    assert!(reason.contains("certificate"), "{reason}");
    assert!(remedy.contains("`ca_file`"), "{remedy}");
    let missing = "tls = 'verify-full'\nca_file = '/no/such/file'";
    let (reason, _) = blocked(open(&mut sink(&server.url(), missing)).await);
    assert!(reason.contains("/no/such/file cannot be read"), "{reason}");
}

#[tokio::test]
async fn an_address_that_is_none_is_named_without_its_password() {
    for (url, expected) in
        [("postgresql://user:secret@", "names no host"), ("mysql://user:secret@host/db", "is not an address")]
    {
        let (reason, remedy) = blocked(open(&mut sink(url, "")).await);
        assert!(reason.contains(expected) && !reason.contains("secret"), "{reason}");
        assert!(remedy.contains("postgresql://user@host"), "{remedy}");
    }
    let missing =
        PostgresConfig { url: Secret::new("host=h"), ..options("", "password = { env = 'NO_SUCH' }") };
    let (reason, _) = blocked(open(&mut missing.build().unwrap()).await);
    assert!(reason.contains("`NO_SUCH` is not set"), "{reason}");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let problem = |more: &str| options("host=h", more).build().unwrap_err().to_string();
    assert!(problem("table = 'a.b.c'").starts_with("`table`: `a.b.c` has too many parts"));
    assert!(problem("view = 'reports.openai_events'").contains("write `openai_events`"));
    assert!(problem("view = 'openai_event_revisions'").contains("different names"));
    assert!(problem("omit_columns = ['timestamp']").contains("cannot be left out"));
    assert!(problem("omit_columns = ['cost']").contains("not a column"));
}

#[test]
fn every_class_of_answers_has_a_fault() {
    let of = |code: &str| fault::of_code(&SqlState::from_code(code), String::new());
    for code in ["28P01", "28000", "3D000", "3F000", "42501", "42P01", "25006", "53100", "0A000", "XX001"] {
        assert!(matches!(of(code), Fault::Blocked { .. }), "{code}");
    }
    for code in ["57P01", "57P03", "53300", "53200", "40001", "40P01", "55P03", "57014", "08006", "58030"] {
        assert!(matches!(of(code), Fault::Retry { .. }), "{code}");
    }
    for code in ["22P05", "22003", "23505", "23514", "54000", "P0001"] {
        assert!(matches!(of(code), Fault::Rejected { .. }), "{code}");
    }
}
