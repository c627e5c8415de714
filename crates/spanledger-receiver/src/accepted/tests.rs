use spanledger_event::RefusedReason;

use super::*;
use crate::refusal::MESSAGE_BYTES_MAX;

#[test]
fn the_message_counts_what_was_rejected_by_reason() {
    let mut accepted = Accepted::new(Signal::Traces);
    accepted.reject(0, "nothing");
    assert_eq!(accepted, Accepted::new(Signal::Traces), "nothing was rejected");
    accepted.reject(1, "the id is reused");
    assert_eq!(accepted.message(), "1 span was not stored. 1: the id is reused");
    accepted.reject(2, "the id is reused");
    accepted.reject(4, "the event id is missing");
    assert_eq!(accepted.rejected(), 7);
    assert_eq!(
        accepted.message(),
        "7 spans were not stored. 4: the event id is missing. 3: the id is reused"
    );
}

/// The answer to a request is small, whatever the request has.
#[test]
fn the_message_is_short_even_with_every_reason() {
    let mut accepted = Accepted::new(Signal::Logs);
    for reason in RefusedReason::ALL {
        accepted.reject(usize::MAX / 8, reason);
    }
    accepted.reject(usize::MAX / 8, crate::pipeline::NO_EVENT_ID);
    assert!(accepted.message().len() < MESSAGE_BYTES_MAX, "{}", accepted.message());
}
