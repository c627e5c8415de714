//! The requests to the writer, and their answers.

use tokio::sync::oneshot;

use crate::{
    Appended, LedgerError,
    apply::Append,
    outbox::{Reply, Request},
    prepare::Prepared,
};

/// Work on what is stored.
pub(crate) type Work = Box<dyn FnMut(&mut Append<'_>) -> Result<(), LedgerError> + Send>;

/// A request to the writer.
pub(crate) enum Job {
    Append {
        prepared: Box<Prepared>,
        /// The caller gets the content back, so that it frees the memory and not the writer.
        done: oneshot::Sender<(Result<Appended, LedgerError>, Box<Prepared>)>,
    },
    /// A request of a follower.
    Outbox {
        request: Request,
        done: oneshot::Sender<Result<Reply, LedgerError>>,
    },
    Probe(oneshot::Sender<Result<(), LedgerError>>),
    Work {
        work: Work,
        done: oneshot::Sender<Result<(), LedgerError>>,
    },
    #[cfg(any(test, feature = "test-support"))]
    Panic,
}

/// What a job is answered.
pub(crate) enum Answer {
    Appended(Appended),
    /// A part of the append is left for the next transaction.
    Unfinished,
    Outbox(Reply),
    Done,
}

impl Job {
    /// The number of observations that are left.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Append { prepared, .. } => prepared.size(),
            _ => 0,
        }
    }

    /// How many components of an append are done.
    pub(crate) fn progress(&self) -> usize {
        match self {
            Self::Append { prepared, .. } => prepared.done,
            _ => 0,
        }
    }

    /// Whether a part of it was done by an earlier transaction.
    pub(crate) fn is_begun(&self) -> bool {
        self.progress() > 0
    }

    /// Answers the caller. If the caller no longer waits, the answer is dropped.
    pub(crate) fn answer(self, answer: Result<Answer, LedgerError>) {
        match self {
            Self::Append { prepared, done } => {
                let answer = answer.map(|answer| match answer {
                    Answer::Appended(appended) => appended,
                    Answer::Unfinished | Answer::Outbox(_) | Answer::Done => Appended::default(),
                });
                drop(done.send((answer, prepared)));
            }
            Self::Outbox { done, .. } => drop(done.send(answer.map(|answer| match answer {
                Answer::Outbox(reply) => reply,
                Answer::Appended(_) | Answer::Unfinished | Answer::Done => Reply::Done,
            }))),
            Self::Probe(done) | Self::Work { done, .. } => {
                drop(done.send(answer.map(|_| ())));
            }
            #[cfg(any(test, feature = "test-support"))]
            Self::Panic => {}
        }
    }

    /// Whether the caller no longer waits for the answer. What a follower has acknowledged is kept anyway.
    pub(crate) fn is_abandoned(&self) -> bool {
        match self {
            Self::Append { done, .. } => done.is_closed(),
            Self::Outbox { request, done } => request.is_question() && done.is_closed(),
            Self::Probe(done) => done.is_closed(),
            Self::Work { .. } => false,
            #[cfg(any(test, feature = "test-support"))]
            Self::Panic => false,
        }
    }
}
