//! The tasks of the admin API that are about sinks.

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spanledger_event::ErrorChain;
use spanledger_ledger::LedgerError;
use spanledger_sinks::ConfiguredSink;

use super::{
    Refused,
    task::{bad, json, parse, same_ledger, turn},
};
use crate::{
    DeliveryOptions, Pipeline, Replay, ReplayError, ReplaySelection, SinkReport, SinkStatus,
    retry_dead_letters,
};

/// The body of `POST /api/sinks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinksRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
    /// Sinks that wait after a fault try again at once.
    #[serde(default)]
    pub retry_now: bool,
}

/// The answer to `POST /api/sinks`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SinksAnswer {
    /// The sinks of the server.
    pub sinks: Vec<SinkReport>,
    /// The latest replays.
    pub replays: Vec<SinkReport>,
}

/// The body of `POST /api/replay`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
    /// The name of a sink of the server.
    pub sink: String,
    /// Which events are sent again.
    #[serde(default)]
    pub selection: ReplaySelection,
}

/// The answer to `POST /api/replay`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedReplay {
    /// The name under which `POST /api/sinks` lists it.
    pub name: String,
}

/// The body of `POST /api/dead-letters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadLetterRequest {
    /// The id of the ledger that is meant.
    pub ledger: String,
    /// The name of the sink.
    pub sink: String,
    /// What to do with its dead letters.
    pub action: DeadLetterAction,
}

/// What to do with dead letters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterAction {
    /// Send them again.
    Retry,
    /// Remove the letters with these numbers.
    Drop(Vec<i64>),
}

pub(super) fn report(body: &[u8], pipeline: &Pipeline) -> Result<Value, Refused> {
    let request: SinksRequest = parse(body)?;
    same_ledger(&request.ledger, pipeline)?;
    if request.retry_now {
        pipeline.sinks().for_each(SinkStatus::retry_now);
    }
    json(SinksAnswer {
        sinks: pipeline.sinks().map(SinkStatus::report).collect(),
        replays: pipeline.replays().iter().map(SinkStatus::report).collect(),
    })
}

pub(super) async fn replay(body: &[u8], pipeline: &Pipeline) -> Result<Value, Refused> {
    let request: ReplayRequest = parse(body)?;
    same_ledger(&request.ledger, pipeline)?;
    let sink = sink_of(pipeline, &request.sink)?;
    match Replay::prepare(pipeline.ledger(), sink, &request.selection).await {
        Ok(replay) => json(start(replay, pipeline)?),
        Err(ReplayError::Ledger(error)) => Err(failed(&error)),
        Err(error) => Err(bad(error.to_string())),
    }
}

pub(super) async fn dead_letters(body: &[u8], pipeline: &Pipeline) -> Result<Value, Refused> {
    let request: DeadLetterRequest = parse(body)?;
    let _turn = turn(&request.ledger, pipeline).await?;
    let ledger = pipeline.ledger();
    match request.action {
        DeadLetterAction::Retry => {
            let sink = sink_of(pipeline, &request.sink)?;
            json(retry_dead_letters(ledger, sink).await.map_err(|error| failed(&error))?)
        }
        DeadLetterAction::Drop(numbers) => {
            let removed = ledger.remove_dead_letters(&request.sink, numbers).await;
            json(removed.map_err(|error| failed(&error))?)
        }
    }
}

/// Runs a replay in the background. It ends with the server.
fn start(replay: Replay, pipeline: &Pipeline) -> Result<StartedReplay, Refused> {
    let name = replay.status().name();
    if !pipeline.add_replay(replay.status()) {
        let words = "this replay is running already, or too many others are: wait until one of them ends";
        return Err((StatusCode::CONFLICT, words.to_owned()));
    }
    let started = StartedReplay { name: name.clone() };
    tokio::spawn(async move {
        // The runtime ends the task with the server. The same replay goes on where it stopped.
        match replay.run(DeliveryOptions::default(), std::future::pending()).await {
            Ok(is_complete) => tracing::info!(sink = name, is_complete, "sink.replay.ended"),
            Err(error) => tracing::error!(sink = name, error = %ErrorChain(&error), "sink.replay.failed"),
        }
    });
    Ok(started)
}

fn sink_of<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a ConfiguredSink, Refused> {
    pipeline.sink(name).ok_or_else(|| {
        let names: Vec<String> = pipeline.sinks().map(|sink| format!("`{}`", sink.name())).collect();
        let known = if names.is_empty() { "it has no sinks".to_owned() } else { names.join(", ") };
        (StatusCode::NOT_FOUND, format!("this server has no sink `{name}`: {known}"))
    })
}

fn failed(error: &LedgerError) -> Refused {
    tracing::error!(error = %ErrorChain(error), "receiver.task.failed");
    (StatusCode::SERVICE_UNAVAILABLE, ErrorChain(error).to_string())
}
