use std::sync::Arc;

use spanledger_event::{EventId, SharedEvent};
use spanledger_sinks::{BatchId, Positioned};

use super::*;

/// A batch whose events have the positions after `from` up to `to`.
fn made(from: i64, to: i64) -> Made {
    let range = BatchRange { ledger: "ledger".into(), follower: "sink".into(), cursor: from, last: to };
    let id = BatchId { ledger: "ledger".into(), sink: "sink".into(), from, to };
    let event = |position: i64| {
        let event =
            CostEvent { event_id: EventId::of_request(&position.to_string(), 0), ..CostEvent::default() };
        Positioned { position, event: Arc::new(SharedEvent::new(event)) }
    };
    Made { range, batch: Batch { id, events: (from + 1..=to).map(event).collect() } }
}

fn refused(indices: &[usize]) -> Written {
    let rejection = |&index: &usize| Rejection { index, reason: "no".to_owned() };
    Written { rejected: indices.iter().map(rejection).collect() }
}

#[test]
fn refused_events_are_counted_over_batches_until_one_is_taken() {
    let mut queue = Queue::default();
    queue.push(made(0, 4));
    queue.push(made(4, 8));
    queue.note(0, refused(&[3, 2]));
    queue.note(1, refused(&[0, 1, 3]));
    assert_eq!(queue.refused_in_a_row(2, 5), (1, 5));
    assert_eq!(queue.refused_in_a_row(2, 0), (1, 4));
    assert_eq!(queue.taken(2), 3);
    let positions: Vec<i64> = queue.dead_letters(2).iter().map(|letter| letter.seq).collect();
    assert_eq!(positions, [3, 4, 5, 6, 8]);
}

#[test]
fn a_divided_batch_keeps_its_events_and_its_place() {
    let mut queue = Queue::default();
    for batch in [made(0, 2), made(2, 7), made(7, 9)] {
        queue.push(batch);
    }
    let whole = queue.get(1).unwrap().range.clone();
    let (first, second) = (BatchRange { last: 4, ..whole.clone() }, BatchRange { cursor: 4, ..whole });
    queue.divide(1, first, second);
    let parts: Vec<(i64, i64, usize)> = (0..4)
        .map(|index| queue.get(index).unwrap())
        .map(|part| (part.batch.id.from, part.batch.id.to, part.batch.events.len()))
        .collect();
    assert_eq!(parts, [(0, 2, 2), (2, 4, 2), (4, 7, 3), (7, 9, 2)]);
}

#[test]
fn an_event_that_is_refused_alone_leaves_its_batch() {
    let mut queue = Queue::default();
    queue.push(made(0, 1));
    queue.bury(0, "too large");
    assert_eq!(queue.taken(1), 0);
    assert_eq!(queue.refused_in_a_row(1, 1), (2, 2));
    let letters = queue.dead_letters(1);
    assert_eq!((letters.len(), letters[0].seq, letters[0].reason.as_str()), (1, 1, "too large"));
    queue.pass(1);
    assert!(queue.get(0).is_none());
}
