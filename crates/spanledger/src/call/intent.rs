//! A call that is noted on disk before it is sent, so that it is known after a crash.

use std::time::Duration;

use spanledger_event::CallOutcome;
use spanledger_otlp::record;
use uuid::Uuid;

use super::{
    CallInFlight,
    ended::{new_id, observation},
};
use crate::exporter::Intent;

/// The note of a call, and the ids that its note and its record share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noted {
    pub(super) intent: Option<Intent>,
    /// The request's id, if the caller gave none.
    pub(super) request_id: Uuid,
    /// The call's id, if it has no span.
    pub(super) call_id: Uuid,
}

impl CallInFlight {
    /// Notes on disk that the call is about to be sent, if the recorder is configured so. What is noted is the record
    /// that is sent if the process dies before the call has ended.
    pub(crate) async fn note_intent(&mut self) {
        if !self.recorder.keeps_intents() {
            return;
        }
        let Some(call) = &mut self.call else { return };
        let ids = Noted { intent: None, request_id: new_id(call.start), call_id: new_id(call.start) };
        call.noted = Some(ids);
        let outcome = CallOutcome::Incomplete(record::PROCESS_DIED.to_owned());
        let record = record::record(&observation(call, outcome, Duration::ZERO));
        let Some((intent, is_noted)) = self.recorder.intent(record) else { return };
        // The caller may leave while the disk is slow. The end of the call then ends the intent.
        call.noted = Some(Noted { intent: Some(intent), ..ids });
        // Without the worker there is nothing to wait for.
        drop(is_noted.await);
    }
}
