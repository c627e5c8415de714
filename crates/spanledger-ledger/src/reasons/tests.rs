use super::*;
use crate::{GroupBy, Ledger};

#[test]
fn the_reasons_are_read_through_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
    let reader = ledger.reader().unwrap();
    reader.reasons(&Query::by(GroupBy::Feature)).unwrap();
    let sql = format!("EXPLAIN QUERY PLAN {}", sql());
    let mut statement = reader.connection.prepare(&sql).unwrap();
    let plan: Vec<String> = statement
        .query_map(params![0, 1, None::<String>, None::<i64>], |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert!(plan.iter().any(|step| step.contains("USING INDEX event_explained")), "{plan:?}");
}
