use spanledger_event::{Observation, test_support::ObservationBuilder};

use super::*;
use crate::{
    GroupBy, Ledger, Query,
    words::{Lookup, Unknown, Words},
};

/// The number up to which the roll-ups of a file have the events, and how many rows there are.
fn written(path: &std::path::Path) -> (i64, i64) {
    let sql = "SELECT (SELECT rolled_up FROM ledger), (SELECT count(*) FROM rollup_day)";
    let connection = Connection::open(path).unwrap();
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
}

fn call(number: i64) -> Observation {
    let id = format!("call-{number}");
    ObservationBuilder::record(&id, &id, 1).cost_picos(7).build()
}

#[test]
fn the_rollups_are_written_after_so_many_observations_and_reports_have_all_events() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    runtime.block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        ledger.roll_up_every(5).await.unwrap();
        let reader = ledger.reader().unwrap();
        for (number, expected) in (1..).zip([0, 0, 0, 0, 5, 5, 5, 5, 5, 10]) {
            ledger.append(vec![call(number)]).await.unwrap();
            let (rolled_up, rows) = written(&path);
            assert_eq!((rolled_up, rows > 0), (expected, expected > 0));
            let report = reader.report(&Query::by(GroupBy::Feature)).unwrap();
            assert_eq!(report.total.requests, number);
            assert_eq!(report, reader.report_from_events(&Query::by(GroupBy::Feature)).unwrap());
        }
    });
}

#[test]
fn a_ledger_that_is_closed_has_everything_in_its_rollups() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spanledger.db");
    runtime.block_on(Ledger::open(&path).unwrap().append(vec![call(1), call(2)])).unwrap();
    assert_eq!(written(&path), (2, 1));
}

#[test]
fn what_is_counted_and_taken_out_again_takes_no_memory() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&crate::schema::ddl()).unwrap();
    crate::open::identify(&connection).unwrap();
    let words = Words::default();
    let mut state = State::load(&connection, &words).unwrap();
    let mut unknown = Unknown::default();
    let mut lookup = Lookup::new(&words, &mut unknown);
    let event = spanledger_event::fold_lone(&call(1));
    for is_known in [true, false] {
        begin(&connection, &mut state, false).unwrap();
        let mut deltas = RollupDeltas::default();
        deltas.add(&event, false, &mut lookup);
        if is_known {
            deltas.remove(&event, false, &mut lookup);
        }
        end(&connection, &mut state, deltas).unwrap();
        state.behind.committed();
        assert_eq!(state.behind.sums.as_ref().unwrap().len(), usize::from(!is_known));
    }
}

#[test]
fn a_failed_transaction_forgets_what_was_collected_and_a_failure_before_it_does_not() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&crate::schema::ddl()).unwrap();
    crate::open::identify(&connection).unwrap();
    let mut state = State::load(&connection, &Words::default()).unwrap();
    // A failure before the transaction has begun does not concern it.
    begin(&connection, &mut state, false).unwrap();
    state.behind.committed();
    state.behind.failed();
    assert!(state.behind.sums.is_some());
    begin(&connection, &mut state, false).unwrap();
    state.behind.failed();
    assert!(state.behind.sums.is_none());
}
