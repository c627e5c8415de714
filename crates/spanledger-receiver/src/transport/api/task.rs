//! The tasks of the admin API: their requests, and how each is done.

use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use spanledger_event::{ErrorChain, Timestamp};
use spanledger_ledger::LedgerError;
use spanledger_price::PriceBook;
use tokio::sync::MutexGuard;

use super::{Refused, sinks};
use crate::{
    Pipeline,
    reprice::{RepriceSelection, reprice},
    upkeep::{Pace, compact, prune, refold},
};

#[cfg(test)]
mod tests;

/// How long a task waits for another one. A part of a pruning in the background is done by then.
const TURN_TIMEOUT: Duration = Duration::from_secs(1);

/// Work on the ledger that `serve` has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Reprice,
    Refold,
    Prune,
    Compact,
    Forget,
    Sinks,
    Replay,
    DeadLetters,
}

/// The body of `POST /api/reprice`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepriceRequest {
    /// The id of the ledger that is meant. A server with another ledger refuses the request.
    pub ledger: String,
    /// Only calls that began at this moment or later (RFC 3339).
    #[serde(default)]
    pub since: Option<String>,
    /// Only calls that began before this moment (RFC 3339).
    #[serde(default)]
    pub until: Option<String>,
    /// Only calls without a price.
    #[serde(default)]
    pub unpriced_only: bool,
    /// Names and texts of price files, which are laid over the built-in book.
    #[serde(default)]
    pub prices: Vec<(String, String)>,
}

/// The body of `POST /api/refold` and `POST /api/compact`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpkeepRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
}

/// The body of `POST /api/prune`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
    /// Events that began before this moment are deleted (RFC 3339).
    pub before: String,
}

/// The body of `POST /api/forget`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
    /// The name of the sink.
    pub sink: String,
}

/// The answer of `POST /api/forget`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgetting {
    /// Whether the ledger knew the sink.
    pub forgotten: bool,
}

impl Task {
    pub(super) const ALL: [Self; 8] = [
        Self::Reprice,
        Self::Refold,
        Self::Prune,
        Self::Compact,
        Self::Forget,
        Self::Sinks,
        Self::Replay,
        Self::DeadLetters,
    ];

    /// The last part of its path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Reprice => "reprice",
            Self::Refold => "refold",
            Self::Prune => "prune",
            Self::Compact => "compact",
            Self::Forget => "forget",
            Self::Sinks => "sinks",
            Self::Replay => "replay",
            Self::DeadLetters => "dead-letters",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.name() == name)
    }

    /// Does what the body of a request asks for, and returns the answer.
    pub(super) async fn run(self, body: &[u8], pipeline: &Pipeline) -> Result<serde_json::Value, Refused> {
        let ledger = pipeline.ledger();
        let answer = match self {
            Self::Reprice => {
                let request: RepriceRequest = parse(body)?;
                let _turn = turn(&request.ledger, pipeline).await?;
                let since = request.since.as_deref().map(moment).transpose()?;
                let until = request.until.as_deref().map(moment).transpose()?;
                let selection = RepriceSelection { since, until, unpriced_only: request.unpriced_only };
                let files = request.prices.iter().map(|(name, text)| (name.as_str(), text.as_str()));
                let book = match PriceBook::builtin() {
                    book if request.prices.is_empty() => book.clone(),
                    book => book.layered(files).map_err(|errors| bad(errors.to_string()))?,
                };
                let repriced = reprice(ledger, &book, selection, Pace::beside_others()).await;
                json(repriced.map_err(|error| self.failed(&error))?)
            }
            Self::Refold => {
                let request: UpkeepRequest = parse(body)?;
                let _turn = turn(&request.ledger, pipeline).await?;
                json(refold(ledger, Pace::beside_others()).await.map_err(|error| self.failed(&error))?)
            }
            Self::Prune => {
                let request: PruneRequest = parse(body)?;
                let _turn = turn(&request.ledger, pipeline).await?;
                let pruned = prune(ledger, moment(&request.before)?, Pace::beside_others()).await;
                json(pruned.map_err(|error| self.failed(&error))?)
            }
            Self::Compact => {
                let request: UpkeepRequest = parse(body)?;
                let _turn = turn(&request.ledger, pipeline).await?;
                let compacted = compact(ledger, Pace::beside_others()).await;
                let Some(done) = compacted.map_err(|error| self.failed(&error))? else {
                    let words = "an earlier version made this ledger, and its file must be written anew once before \
                                 it can shrink: stop `serve`, and run the command again without it";
                    return Err((StatusCode::CONFLICT, words.to_owned()));
                };
                json(done)
            }
            Self::Forget => {
                let request: ForgetRequest = parse(body)?;
                let _turn = turn(&request.ledger, pipeline).await?;
                let replays = pipeline.replays();
                let mut running = pipeline.sinks().chain(
                    replays.iter().filter(|replay| replay.report().state != crate::SinkState::Stopped),
                );
                if running.any(|sink| sink.name() == request.sink) {
                    let words = format!(
                        "this server delivers events to the sink `{}`: remove it from the configuration and restart \
                         `serve` first",
                        request.sink
                    );
                    return Err((StatusCode::CONFLICT, words));
                }
                let forgotten = ledger.forget(&request.sink).await.map_err(|error| self.failed(&error))?;
                json(Forgetting { forgotten })
            }
            Self::Sinks => return sinks::report(body, pipeline),
            Self::Replay => sinks::replay(body, pipeline).await,
            Self::DeadLetters => sinks::dead_letters(body, pipeline).await,
        }?;
        tracing::info!(task = self.name(), %answer, "receiver.task.done");
        Ok(answer)
    }

    fn failed(self, error: &LedgerError) -> Refused {
        tracing::error!(task = self.name(), error = %ErrorChain(error), "receiver.task.failed");
        (StatusCode::SERVICE_UNAVAILABLE, ErrorChain(error).to_string())
    }
}

pub(super) fn same_ledger(ledger: &str, pipeline: &Pipeline) -> Result<(), Refused> {
    if ledger == pipeline.ledger().id() {
        return Ok(());
    }
    let words = format!("this server writes another ledger, {}", pipeline.ledger().path().display());
    Err((StatusCode::CONFLICT, words))
}

/// Waits until no other task is at work, for a short time. Two at once would undo each other's work.
pub(super) async fn turn<'a>(ledger: &str, pipeline: &'a Pipeline) -> Result<MutexGuard<'a, ()>, Refused> {
    same_ledger(ledger, pipeline)?;
    tokio::time::timeout(TURN_TIMEOUT, pipeline.upkeep().lock()).await.map_err(|_| {
        let words = "another command (reprice, refold, prune, compact) is at work on the ledger: wait until it is done";
        (StatusCode::CONFLICT, words.to_owned())
    })
}

pub(super) fn bad(words: String) -> Refused {
    (StatusCode::BAD_REQUEST, words)
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    serde_json::from_slice(body).map_err(|error| bad(format!("the body is not a request: {error}")))
}

pub(super) fn json(answer: impl Serialize) -> Result<serde_json::Value, Refused> {
    serde_json::to_value(answer).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

fn moment(text: &str) -> Result<Timestamp, Refused> {
    Timestamp::parse(text)
        .ok_or_else(|| bad(format!("`{text}` is not a moment: write it as 2026-11-01T10:00:00Z")))
}
