use super::{Ending, Frame, break_off};
use crate::openai::errors::ApiError;
use crate::openai::reply::{Fault, FaultKind, FaultPosition};

/// A head, three deltas, a tail and an end.
fn frames() -> Vec<Frame> {
    let delta = |text: &str| Frame::data(&text).into_delta();
    let plain = |text: &str| Frame::data(&text);
    vec![plain("head"), delta("a"), delta("b"), delta("c"), plain("tail"), Frame::done()]
}

fn cut(at: FaultPosition) -> usize {
    let fault = Fault { at, kind: FaultKind::Cut };
    let (frames, ending) = break_off(frames(), Some(&fault), |_, _| Frame::done());
    assert_eq!(ending, Ending::Cut);
    frames.len()
}

#[test]
fn frames_end_with_an_empty_line() {
    assert_eq!(Frame::data(&1).bytes, "data: 1\n\n");
    assert_eq!(Frame::event("e", &1).bytes, "event: e\ndata: 1\n\n");
    assert_eq!(Frame::done().bytes, "data: [DONE]\n\n");
}

#[test]
fn no_fault_changes_nothing() {
    let (unchanged, ending) = break_off(frames(), None, |_, _| Frame::done());
    assert_eq!(unchanged, frames());
    assert_eq!(ending, Ending::Proper);
}

#[test]
fn a_fault_counts_deltas_and_keeps_what_precedes_the_first() {
    assert_eq!(cut(FaultPosition::Deltas(0)), 1);
    assert_eq!(cut(FaultPosition::Deltas(1)), 2);
    assert_eq!(cut(FaultPosition::Deltas(3)), 4);
}

#[test]
fn a_fault_after_more_deltas_than_there_are_drops_the_last_message() {
    assert_eq!(cut(FaultPosition::Deltas(4)), 5);
    assert_eq!(cut(FaultPosition::LastMessage), 5);
}

#[test]
fn an_error_replaces_the_rest_of_the_stream_and_is_numbered() {
    let what = FaultKind::Error(ApiError::for_status(500));
    let fault = Fault { at: FaultPosition::Deltas(2), kind: what };
    let (frames, ending) = break_off(frames(), Some(&fault), |_, before| Frame::data(&before));
    assert_eq!(frames.len(), 4);
    assert_eq!(frames[3].bytes, "data: 3\n\n");
    assert_eq!(ending, Ending::Proper);
}
