//! Other programs read the files.

use spanledger_event::{COLUMNS, CostEvent, EventState, Usd};

use super::{Lake, ParquetConfig, deliver, peers::lake};
use crate::{conformance, encode::arrow::data_type};

/// The view of the README, over a folder of this machine.
fn view(folder: &str) -> String {
    let readme = include_str!("../README.md");
    let (_, sql) = readme.split_once("```sql\n").unwrap();
    let (sql, _) = sql.split_once("```").unwrap();
    assert!(sql.contains("s3://company-lake/openai_events"), "{sql}");
    sql.replace("s3://company-lake/openai_events", folder)
}

fn total(events: &[CostEvent]) -> Usd {
    events.iter().filter(|event| event.counts()).filter_map(|event| event.cost_usd).sum()
}

/// The text of a `DECIMAL` with twelve places.
pub(super) fn twelve_places(usd: Usd) -> String {
    let dollar = 10_i128.pow(12);
    format!("{}.{:012}", usd.picos() / dollar, usd.picos() % dollar)
}

/// Scenario: three batches, of which the second one has later revisions and the third one a void one. The view is the
/// one of the README.
#[tokio::test]
async fn duckdb_and_pyarrow_read_the_files_without_a_hint() {
    let (folder, first) = (Lake::new(), conformance::events(0..20));
    let mut second: Vec<CostEvent> = first[..5].to_vec();
    for event in &mut second {
        event.revision = 2;
        event.cost_usd = Some(Usd::from_picos(7));
    }
    let mut third = vec![first[6].clone()];
    (third[0].revision, third[0].state) = (3, EventState::Void);
    for (from, events) in [(0, &first), (100, &second), (200, &third)] {
        deliver(folder.config(""), &conformance::batch(from, events.clone())).await;
    }
    let mut latest = [&second[..], &first[5..6], &first[7..]].concat();
    latest.sort_by(|a, b| a.event_id.as_str().cmp(b.event_id.as_str()));

    let path = folder.0.path().to_str().unwrap().to_owned();
    let Some(read) = lake(&["read", &path, &view(&path)]) else { return };
    let ddl = <ParquetConfig as crate::SinkConfig>::ddl(Some(&path)).unwrap();
    let with_ddl = lake(&["read", &path, &ddl]).unwrap();
    assert_eq!(with_ddl["rows"], read["rows"], "the view of `sinks ddl` shows the same events");
    assert_eq!(with_ddl["types"].as_object().unwrap().len(), COLUMNS.len());
    let rows = read["rows"].as_array().unwrap();
    assert_eq!(rows.len(), latest.len());
    for (row, event) in rows.iter().zip(&latest) {
        assert_eq!(row["event_id"], event.event_id.as_str());
        assert_eq!(row["revision"], event.revision.to_string());
        let amount = row["cost_usd"].as_str().map(|text| text.parse::<Usd>().unwrap());
        assert_eq!(amount, event.cost_usd, "exact to 12 places");
        let seconds = row["audio_seconds"].as_str().map(|text| text.parse().unwrap());
        assert_eq!(seconds, event.audio_seconds);
        assert_eq!(row["dims"], serde_json::to_string(&event.dims).unwrap());
        let moment = event.timestamp.to_string();
        let micros = moment.split_at("2026-11-22T07:05:11.123456".len()).0.replace('T', " ");
        assert_eq!(row["timestamp"], format!("{micros}+00"));
    }
    assert_eq!(read["sum"], twelve_places(total(&latest)));
    for (column, kind) in [
        ("event_id", "VARCHAR"),
        ("cost_usd", "DECIMAL(24,12)"),
        ("audio_seconds", "DECIMAL(38,18)"),
        ("timestamp", "TIMESTAMP WITH TIME ZONE"),
        ("prompt_tokens", "BIGINT"),
        ("stream", "BOOLEAN"),
        ("dims", "VARCHAR"),
    ] {
        assert_eq!(read["types"][column], kind, "{column}");
    }

    assert_eq!(read["arrow_rows"], 26);
    assert_eq!(read["arrow_types"]["cost_usd"], "decimal128(24, 12)");
    assert_eq!(read["arrow_types"]["timestamp"], "timestamp[us, tz=UTC]");
    for column in COLUMNS {
        assert_eq!(read["nullable"][column.name], column.nullable, "{}", column.name);
        assert!(!read["types"][column.name].is_null(), "{}: {}", column.name, data_type(column.kind));
    }
    let mut costs: Vec<String> = [first, second, third]
        .concat()
        .iter()
        .filter_map(|event| event.cost_usd)
        .map(twelve_places)
        .collect();
    costs.sort();
    // Python writes small decimals with an exponent.
    let cost = |cost: &serde_json::Value| twelve_places(cost.as_str().unwrap().parse().unwrap());
    let mut found: Vec<String> = read["arrow_costs"].as_array().unwrap().iter().map(cost).collect();
    found.sort();
    assert_eq!(found, costs);
}
