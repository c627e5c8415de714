//! The rules of the contract, one after another.

use spanledger_event::{CostEvent, EventState};

use super::{
    Harness, LEDGER, SINK, Suite, Violation, attempt, commit, event, events, expect, open, opening, write,
};
use crate::{Batch, BatchId, BoxSink, Fault, Purpose};

type Outcome = Result<(), Violation>;

pub(super) async fn a_check_opens_the_destination<H: Harness>(suite: &mut Suite<'_, H>) -> Outcome {
    let mut sink = suite.harness.sink();
    sink.open(&opening(LEDGER, SINK, Purpose::Check)).await.map_err(|fault| format!("{fault:?}"))?;
    sink.close().await;
    suite.compare().await
}

pub(super) async fn every_column_arrives<H: Harness>(suite: &mut Suite<'_, H>) -> Outcome {
    let (mut sink, opened) = suite.opened().await?;
    expect(matches!(opened.cursor, None | Some(0)), || {
        format!("an empty destination has the position {:?}", opened.cursor)
    })?;
    let batch = suite.batch(events(0..25));
    suite.deliver(&mut sink, &batch).await?;
    sink.close().await;
    suite.compare().await?;
    let (_, opened) = suite.opened().await?;
    expect(opened.cursor.is_none_or(|cursor| cursor == batch.id.to), || {
        format!("the destination has the position {:?} after {}", opened.cursor, batch.id)
    })
}

/// Scenario: the process is killed after the commit and before the cursor has moved.
pub(super) async fn a_batch_whose_acknowledgement_was_lost_is_sent_again<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let batch = suite.batch(events(25..40));
    let (mut sink, _) = suite.opened().await?;
    suite.deliver(&mut sink, &batch).await?;
    drop(sink);
    for _ in 0..2 {
        let (mut sink, opened) = suite.opened().await?;
        // A destination that stores the position is not sent the batch again.
        if opened.cursor.is_none() {
            write(&mut sink, &batch).await?;
            commit(&mut sink).await?;
            // The same process, too, may repeat a batch: the answer of the commit was lost.
            open(&mut sink).await?;
            write(&mut sink, &batch).await?;
            commit(&mut sink).await?;
        } else {
            expect(opened.cursor == Some(batch.id.to), || format!("the position is {:?}", opened.cursor))?;
        }
    }
    suite.compare().await
}

/// Scenario: the process is killed between the write and the commit.
pub(super) async fn a_batch_that_was_written_but_not_committed_is_sent_again<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let batch = suite.batch(events(40..45));
    let (mut sink, _) = suite.opened().await?;
    write(&mut sink, &batch).await?;
    drop(sink);
    let (mut sink, opened) = suite.opened().await?;
    expect(opened.cursor.is_none_or(|cursor| cursor <= batch.id.from), || {
        format!("the position of an uncommitted batch is stored: {:?}", opened.cursor)
    })?;
    suite.deliver(&mut sink, &batch).await?;
    suite.compare().await
}

pub(super) async fn a_later_revision_replaces_an_earlier_one<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let mut changed: Vec<CostEvent> = events(0..3);
    for (event, state) in
        changed.iter_mut().zip([EventState::Live, EventState::Void, EventState::Quarantined])
    {
        event.revision += 1;
        event.state = state;
        event.cost_usd = None;
    }
    let batch = suite.batch(changed);
    let (mut sink, _) = suite.opened().await?;
    suite.deliver(&mut sink, &batch).await?;
    suite.compare().await
}

pub(super) async fn an_older_revision_does_not_replace_a_newer_one<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let (mut sink, _) = suite.opened().await?;
    let [mut newer, older] = [event(100), event(100)];
    newer.revision += 10_000;
    newer.feature = Some("newer".to_owned());
    for event in [newer, older] {
        let batch = suite.batch(vec![event]);
        suite.deliver(&mut sink, &batch).await?;
    }
    suite.compare().await
}

pub(super) async fn several_batches_are_committed_together<H: Harness>(suite: &mut Suite<'_, H>) -> Outcome {
    let (mut sink, _) = suite.opened().await?;
    let count = i64::try_from(sink.shape().in_flight.get()).unwrap_or(1).min(8);
    for number in 0..count {
        let batch = suite.batch(events(200 + number * 10..207 + number * 10));
        write(&mut sink, &batch).await?;
        suite.note(&batch);
    }
    commit(&mut sink).await?;
    suite.compare().await?;
    let (_, opened) = suite.opened().await?;
    expect(opened.cursor.is_none_or(|cursor| cursor == suite.position), || {
        format!("the position is {:?} and not {}", opened.cursor, suite.position)
    })
}

/// A batch that was too large is sent in parts, each with an identity of its own.
pub(super) async fn a_divided_batch_is_complete<H: Harness>(suite: &mut Suite<'_, H>) -> Outcome {
    let (mut sink, _) = suite.opened().await?;
    let batch = suite.batch(events(300..307));
    let middle = batch.middle().ok_or("the batch has a middle")?;
    let (first, second) = batch.split_at(middle);
    suite.deliver(&mut sink, &first).await?;
    suite.deliver(&mut sink, &second).await?;
    suite.compare().await
}

/// Events that the sink does not get have positions, too. A destination that keeps its position is told of them.
pub(super) async fn a_batch_without_events_moves_the_position<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let (mut sink, opened) = suite.opened().await?;
    if opened.cursor.is_none() {
        return Ok(());
    }
    let mut batch = suite.batch(events(350..352));
    batch.events.clear();
    suite.deliver(&mut sink, &batch).await?;
    suite.compare().await?;
    let (_, opened) = suite.opened().await?;
    expect(opened.cursor == Some(batch.id.to), || {
        format!("the position is {:?} after a batch without events up to {}", opened.cursor, batch.id.to)
    })
}

pub(super) async fn an_outage_loses_nothing<H: Harness>(suite: &mut Suite<'_, H>) -> Outcome {
    let (mut sink, _) = suite.opened().await?;
    let batch = suite.batch(events(400..405));
    if !suite.harness.set_broken(true).await {
        // The batch is delivered anyway, so that its position is not skipped.
        return suite.deliver(&mut sink, &batch).await;
    }
    for _ in 0..2 {
        let outcome = attempt(&mut sink, &batch).await;
        expect(matches!(outcome, Err(Fault::Retry { .. })), || {
            format!("an outage is `Retry`, and not {outcome:?}")
        })?;
    }
    suite.harness.set_broken(false).await;
    let recovered = attempt(&mut sink, &batch).await;
    expect(recovered.is_ok(), || format!("the same sink recovers; {recovered:?}"))?;
    suite.note(&batch);
    suite.compare().await
}

pub(super) async fn a_refused_event_does_not_stop_the_others<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    let mut sent = events(500..511);
    let poisoned = 7;
    if !suite.harness.poison(&mut sent[poisoned]) {
        return Ok(());
    }
    let id = sent[poisoned].event_id.clone();
    let batch = suite.batch(sent);
    let (mut sink, _) = suite.opened().await?;
    let rejected = deliver_in_parts(&mut sink, &batch).await?;
    expect(rejected.len() == 1 && rejected[0] == batch.events[poisoned].position, || {
        format!("the events at {rejected:?} are refused, and not only {id}")
    })?;
    suite
        .sent
        .extend(batch.events().filter(|event| event.event_id != id).map(|event| CostEvent::clone(event)));
    suite.compare().await
}

/// Delivers a batch, and halves it as long as the destination does not say which event it refuses. Returns the
/// positions of the refused events.
async fn deliver_in_parts(sink: &mut BoxSink, batch: &Batch) -> Result<Vec<i64>, Violation> {
    let (mut parts, mut refused) = (vec![batch.clone()], Vec::new());
    while let Some(part) = parts.pop() {
        let written = match sink.write(&part).await {
            Ok(written) => sink.commit().await.map(|()| written),
            Err(fault) => Err(fault),
        };
        match written {
            Ok(written) => {
                refused
                    .extend(written.rejected.iter().map(|rejection| part.events[rejection.index].position));
            }
            Err(Fault::Rejected { .. } | Fault::TooLarge { .. }) => {
                open(sink).await?;
                match part.middle() {
                    None => refused.push(part.id.to),
                    Some(middle) => {
                        let (first, second) = part.split_at(middle);
                        parts.extend([second, first]);
                    }
                }
            }
            Err(fault) => return Err(format!("a refused event is {fault:?}")),
        }
    }
    Ok(refused)
}

pub(super) async fn another_ledger_and_another_name_have_positions_of_their_own<H: Harness>(
    suite: &mut Suite<'_, H>,
) -> Outcome {
    for (number, (ledger, name)) in
        [("0190a7e2-0000-7000-8000-000000000002", SINK), (LEDGER, "conformance-replay-1")]
            .into_iter()
            .enumerate()
    {
        let mut sink = suite.harness.sink();
        let opened = sink
            .open(&opening(ledger, name, Purpose::Deliver))
            .await
            .map_err(|fault| format!("open as {name}: {fault:?}"))?;
        expect(matches!(opened.cursor, None | Some(0)), || {
            format!("{name} of another ledger begins at {:?}", opened.cursor)
        })?;
        let number = 600 + i64::try_from(number).unwrap_or_default();
        let mut batch = suite.batch(vec![event(number)]);
        batch.id = BatchId { ledger: ledger.into(), sink: name.into(), from: 0, to: 5 };
        batch.events[0].position = 5;
        suite.deliver(&mut sink, &batch).await?;
        sink.close().await;
    }
    suite.compare().await
}
