//! What the child process does with its ledger, and what a ledger must hold after a crash.

use std::{collections::BTreeSet, path::Path};

use futures_util::future::join_all;
use spanledger_event::{CostEvent, Observation, fold, test_support::ObservationBuilder};
use spanledger_ledger::{ErrorKind, Ledger, LedgerError};

use super::record::{acknowledge, fail_syncs_of, recorded_campaign, recorded_folder};
use crate::support::{runtime, stored};

pub(super) const FILE: &str = "spanledger.db";
const FOLLOWER: &str = "sink";

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Appends one request after the other.
    InTurn(Vec<Vec<Observation>>),
    /// Appends all requests at once, so that the writer may commit them together.
    Together(Vec<Vec<Observation>>),
    /// Moves the follower to this cursor.
    Advance(i64),
    /// Copies the log into the file, through a connection like that of the `sqlite3` shell.
    Checkpoint,
    /// Closes the ledger and opens it again.
    Reopen,
    /// Appends while the syncs of the log fail, which must be said, and again when the disk works.
    FailingLog(Vec<Vec<Observation>>),
    /// Copies the log into the file while its syncs fail, which must be said.
    FailingCheckpoint,
    /// Closes the ledger while the syncs of the file fail, and opens it again.
    FailingClose,
    /// Fills pages of the file, which [`Compact`](Self::Compact) frees.
    Fill,
    /// Frees these pages, takes them out of the file, and copies the log into it, which cuts the file.
    Compact,
}

/// Which steps the child process takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Campaign {
    /// Some of everything.
    Varied,
    /// So much that the log is copied into the file while the ledger goes on.
    Long,
    /// On a disk that sometimes fails to store what was written.
    Failing,
}

impl Campaign {
    pub(super) const ALL: [Self; 3] = [Self::Varied, Self::Long, Self::Failing];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Varied => "varied",
            Self::Long => "long",
            Self::Failing => "failing",
        }
    }

    /// The steps, the same in parent and child.
    pub(super) fn steps(self) -> Vec<Step> {
        match self {
            Self::Varied => varied(),
            Self::Failing => failing(),
            Self::Long => {
                (0..24).map(|round| Step::Together(vec![large(round * 10_000, 4_000), lone(round)])).collect()
            }
        }
    }
}

fn lone(number: i64) -> Vec<Observation> {
    let record = ObservationBuilder::record(&format!("lone-{number}"), &format!("lone-{number}"), number);
    vec![record.tokens(100, 20).cost_picos(5).build()]
}

fn bulk(from: i64, count: i64) -> Vec<Observation> {
    (from..from + count).flat_map(|number| lone(1_000_000 + number)).collect()
}

/// Calls whose ids are long, so that the log grows fast.
fn large(from: i64, count: i64) -> Vec<Observation> {
    let call = |number: i64| {
        let id = format!("{number:0>250}");
        ObservationBuilder::record(&id, &id, number).tokens(100, 20).cost_picos(5).build()
    };
    (from..from + count).map(call).collect()
}

fn varied() -> Vec<Step> {
    use Step::{Advance, Checkpoint, Compact, Fill, InTurn, Reopen, Together};
    let record = |number: i64| {
        let call_id = format!("trace-{number}:span-{number}");
        let record = ObservationBuilder::record(&format!("both-{number}"), &call_id, number).tokens(100, 20);
        let ids = (format!("trace-{number}"), format!("span-{number}"));
        record.response(&format!("chatcmpl-{number}")).in_trace(&ids.0, &ids.1, None).cost_picos(7).build()
    };
    let span = |number: i64| {
        let span = ObservationBuilder::span(&format!("trace-{number}"), &format!("span-{number}"), number);
        span.tokens(100, 20).response(&format!("chatcmpl-{number}")).cost_picos(7).build()
    };
    let retry = |attempt: i64| {
        let retry = ObservationBuilder::record("retried", &format!("attempt-{attempt}"), 100 + attempt);
        if attempt < 2 { retry.failed("500").build() } else { retry.tokens(10, 1).cost_picos(11).build() }
    };
    let in_agent = |span: &str, start| {
        ObservationBuilder::span("agent", span, start).in_trace("agent", span, Some("root")).tokens(10, 2)
    };
    let agent = ObservationBuilder::span("agent", "root", 200).tokens(20, 4).aggregate(260).cost_picos(6);
    vec![
        InTurn(vec![lone(1), lone(2), lone(1)]),
        InTurn(vec![vec![record(10), span(10)], vec![record(11)], vec![span(12)]]),
        InTurn(vec![vec![span(11)], vec![record(12)], vec![record(10), span(11)]]),
        InTurn(vec![vec![retry(0)], vec![retry(1)], vec![retry(2)], vec![retry(3)]]),
        Advance(3),
        // The calls of an agent arrive before the agent's own span.
        InTurn(vec![
            vec![in_agent("a", 210).cost_picos(3).build()],
            vec![in_agent("b", 220).cost_picos(3).build()],
            vec![agent.build()],
        ]),
        Together((300..306).map(lone).collect()),
        Reopen,
        Together(vec![bulk(400, 12), lone(1), vec![record(13), span(13)], bulk(440, 5)]),
        Advance(20),
        Checkpoint,
        // The log begins again at its start.
        InTurn(vec![lone(3), bulk(1_000, 25), lone(4)]),
        Checkpoint,
        Together((310..314).map(lone).collect()),
        Reopen,
        // What arrives now lies behind the pages that become free, and is moved.
        Fill,
        InTurn(vec![bulk(1_100, 12), lone(6)]),
        Compact,
        InTurn(vec![lone(7)]),
        InTurn(vec![lone(5), vec![retry(4)]]),
    ]
}

fn failing() -> Vec<Step> {
    use Step::{Checkpoint, FailingCheckpoint, FailingClose, FailingLog, InTurn, Reopen, Together};
    vec![
        InTurn(vec![lone(1), lone(2)]),
        FailingLog(vec![lone(3), bulk(0, 30), lone(1)]),
        InTurn(vec![lone(4)]),
        // A commit that failed is longer than the one that takes its place.
        FailingLog(vec![bulk(100, 40)]),
        FailingLog(vec![lone(5)]),
        Together((10..16).map(lone).collect()),
        FailingCheckpoint,
        InTurn(vec![lone(6), bulk(200, 10)]),
        Checkpoint,
        // The log begins again at its start.
        FailingLog(vec![lone(7), lone(8)]),
        InTurn(vec![lone(9)]),
        FailingClose,
        InTurn(vec![lone(20)]),
        Reopen,
        FailingLog(vec![lone(21)]),
        InTurn(vec![lone(22)]),
    ]
}

/// An acknowledgement that the ledger owes: of an append or of a follower's move.
#[derive(Clone, Debug)]
pub(super) enum Owed {
    Observations(Vec<Observation>),
    Cursor(i64),
}

/// All acknowledgements in the order of their numbers.
pub(super) fn owed(steps: &[Step]) -> Vec<Owed> {
    let mut owed = Vec::new();
    for step in steps {
        match step {
            Step::InTurn(requests) | Step::Together(requests) | Step::FailingLog(requests) => {
                owed.extend(requests.iter().cloned().map(Owed::Observations));
            }
            Step::Advance(cursor) => owed.push(Owed::Cursor(*cursor)),
            Step::Checkpoint
            | Step::Reopen
            | Step::FailingCheckpoint
            | Step::FailingClose
            | Step::Fill
            | Step::Compact => {}
        }
    }
    owed
}

/// Performs the steps on a new ledger, and notes each acknowledgement.
pub(super) fn run() {
    let path = recorded_folder().join(FILE);
    runtime().block_on(async {
        let mut ledger = Ledger::open(&path).unwrap();
        let mut number = 0;
        let mut next = || {
            number += 1;
            number - 1
        };
        for step in recorded_campaign().steps() {
            match step {
                Step::InTurn(requests) => {
                    for request in requests {
                        ledger.append(request).await.unwrap();
                        acknowledge(next());
                    }
                }
                Step::Together(requests) => {
                    let ledger = &ledger;
                    let appends = requests.into_iter().map(|request| {
                        let number = next();
                        async move {
                            ledger.append(request).await.unwrap();
                            acknowledge(number);
                        }
                    });
                    join_all(appends).await;
                }
                Step::Advance(cursor) => {
                    ledger.advance(FOLLOWER, cursor).await.unwrap();
                    acknowledge(next());
                }
                Step::Checkpoint => checkpoint(&path).unwrap(),
                Step::Reopen => {
                    drop(ledger);
                    ledger = Ledger::open(&path).unwrap();
                }
                Step::Fill => {
                    let connection = rusqlite::Connection::open(&path).unwrap();
                    let fill = "CREATE TABLE filler (x); INSERT INTO filler VALUES (zeroblob(60000))";
                    connection.execute_batch(fill).unwrap();
                }
                Step::Compact => {
                    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE filler").unwrap();
                    let (mut free, mut pages) = (1, 0);
                    while free > 0 {
                        let compacted = ledger.compact(6).await.unwrap();
                        (free, pages) = (compacted.left.free, pages + compacted.pages);
                    }
                    assert!(pages > 10, "only {pages} pages were free");
                    ledger.copy_log().unwrap();
                }
                Step::FailingLog(requests) => {
                    let failing = fail_syncs_of(&format!("{FILE}-wal"));
                    for request in &requests {
                        let error = ledger.append(request.clone()).await.unwrap_err();
                        expect_failed_sync(&ledger, &error);
                    }
                    let error = ledger.probe().await.unwrap_err();
                    expect_failed_sync(&ledger, &error);
                    drop(failing);
                    ledger.probe().await.unwrap();
                    assert_eq!(ledger.health().fault(), None, "the disk works again");
                    for request in requests {
                        ledger.append(request).await.unwrap();
                        acknowledge(next());
                    }
                }
                Step::FailingCheckpoint => {
                    let _failing = fail_syncs_of(FILE);
                    checkpoint(&path).unwrap_err();
                }
                Step::FailingClose => {
                    let failing = fail_syncs_of(FILE);
                    drop(ledger);
                    drop(failing);
                    ledger = Ledger::open(&path).unwrap();
                }
            }
        }
    });
}

fn checkpoint(path: &Path) -> rusqlite::Result<()> {
    let connection = rusqlite::Connection::open(path)?;
    connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))
}

/// The error says what is wrong, and so does what `/readyz` shows.
fn expect_failed_sync(ledger: &Ledger, error: &LedgerError) {
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    let fault = ledger.health().fault().unwrap();
    assert_eq!(fault.kind, ErrorKind::Io, "{fault:?}");
    assert!(fault.message.contains("fsync failed"), "{fault:?}");
}

/// Opens the ledger that a crash left in the folder, and compares it with what was acknowledged before the
/// crash. Then appends every request again, as clients without an answer do.
pub(super) fn check(folder: &Path, owed: &[Owed], acknowledged: &[bool]) -> Result<(), String> {
    let failed = |what: &'static str| move |error: LedgerError| format!("{what}: {error:?}");
    let path = folder.join(FILE);
    let ledger = Ledger::open(&path).map_err(failed("the ledger cannot be opened"))?;
    let reader = ledger.reader().map_err(failed("the ledger cannot be read"))?;
    let findings = reader.integrity().map_err(failed("the ledger cannot be examined"))?;
    expect("integrity", &findings, &Vec::new())?;
    let events = stored(&reader);
    let summary = reader.summary().map_err(failed("the ledger cannot be counted"))?;
    let cursor = reader.cursor(FOLLOWER).map_err(failed("the cursor cannot be read"))?;

    let mut cursor_owed = 0;
    let mut repeats: Vec<(Vec<Observation>, bool)> = Vec::new();
    for (owed, &is_acknowledged) in owed.iter().zip(acknowledged) {
        match owed {
            Owed::Observations(request) if is_acknowledged => repeats.push((request.clone(), true)),
            // A request without an answer may be there in part, so its observations are repeated one by one.
            Owed::Observations(request) => {
                repeats.extend(request.iter().map(|observation| (vec![observation.clone()], false)));
            }
            Owed::Cursor(to) if is_acknowledged => cursor_owed = *to,
            Owed::Cursor(_) => {}
        }
    }
    if cursor < cursor_owed {
        return Err(format!("the cursor is {cursor}, {cursor_owed} was acknowledged"));
    }
    let answers =
        runtime().block_on(join_all(repeats.iter().map(|(request, _)| ledger.append(request.clone()))));
    // What the ledger held before, and what it holds now. Both sets have each observation once.
    let (mut held, mut all) = (BTreeSet::new(), BTreeSet::new());
    for ((request, is_acknowledged), answer) in repeats.iter().zip(answers) {
        let answer = answer.map_err(failed("a request cannot be repeated"))?;
        if *is_acknowledged && answer.new > 0 {
            let ids: Vec<_> = request.iter().map(|observation| &observation.call_id).collect();
            return Err(format!("{} of a request that was acknowledged are lost: {ids:?}", answer.new));
        }
        for observation in request {
            let is_repeated = !all.insert(observation);
            // Those that were repeated just now are no longer new.
            if *is_acknowledged || (answer.new == 0 && !is_repeated) {
                held.insert(observation);
            }
        }
    }
    expect("observations", &usize::try_from(summary.observations).unwrap(), &held.len())?;
    expect_events("events", events, &held)?;
    expect_events("events after everything was repeated", stored(&reader), &all)
}

fn expect_events(
    what: &str,
    events: Vec<CostEvent>,
    observations: &BTreeSet<&Observation>,
) -> Result<(), String> {
    let expected = fold(observations.iter().copied());
    expect(&format!("number of {what}"), &events.len(), &expected.len())?;
    for (mut event, expected) in events.into_iter().zip(expected) {
        if event.revision == 0 {
            return Err(format!("{what}: {} has no revision", event.event_id));
        }
        // How often an event changed depends on how its observations were split over requests.
        event.revision = expected.revision;
        expect(what, &event, &expected)?;
    }
    Ok(())
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}\ninstead of {expected:?}")) }
}
