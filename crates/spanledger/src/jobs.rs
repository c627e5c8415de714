//! Jobs: work that the provider does after it has answered. Its usage is known only later.
//!
//! A batch, a background response, a fine-tuning job, a run of an evaluation and a video are jobs. The record of
//! the call that creates one has the attribution and no usage. When the job has ended, any read of it through an
//! instrumented client makes a record of its usage, also in another process.
//!
//! Both records have the same ids, which are computed from the provider's id of the job. The receiver therefore
//! makes one event of them, however often and wherever the job is read. The record of a read has no attribution,
//! because whoever polls for a job is seldom the one it is for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use http::Method;
use rust_decimal::Decimal;
use spanledger_event::{
    CallOutcome, Endpoint, EventId, JsonText, Observation, ObservedAs, Role, Timestamp, Usage,
};
use spanledger_otlp::{record, set_usage};
use spanledger_price::{
    providers::{region_of_host, response_ref},
    usage::{Answer, resolve},
};

use crate::{
    Recorder,
    answer::{ResponseInfo, ResponseObject},
    lenient::{self, Raw, integer, lenient_object, not_null, text},
    request::{RequestInfo, path_ends_with, provider_of_url},
};

pub(crate) use read::observe;

mod read;
#[cfg(test)]
mod tests;

/// What kind of job it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobKind {
    Batch,
    /// A response that was requested with `background`.
    Response,
    FineTuning,
    EvalRun,
    Video,
}

use JobKind::{Batch, EvalRun, FineTuning, Response, Video};

/// The requests whose answer is a job: the method and the end of the path, as in the table of billed requests.
const READS: [(Method, &str, JobKind); 8] = [
    (Method::GET, "batches/*", Batch),
    (Method::POST, "batches/*/cancel", Batch),
    (Method::GET, "responses/*", Response),
    (Method::POST, "responses/*/cancel", Response),
    (Method::GET, "fine_tuning/jobs/*", FineTuning),
    (Method::POST, "fine_tuning/jobs/*/cancel", FineTuning),
    (Method::GET, "evals/*/runs/*", EvalRun),
    (Method::GET, "videos/*", Video),
];

impl JobKind {
    /// The job that a call has created, by the request and the provider's id.
    fn created(request: &RequestInfo, id: &str) -> Option<Self> {
        match request.endpoint {
            Endpoint::Batch => Some(Batch),
            Endpoint::Responses if request.is_background => Some(Response),
            Endpoint::Other if id.starts_with("ftjob-") => Some(FineTuning),
            Endpoint::Other if id.starts_with("evalrun_") => Some(EvalRun),
            Endpoint::Other if id.starts_with("video_") => Some(Video),
            _ => None,
        }
    }

    const fn endpoint(self) -> Endpoint {
        match self {
            Batch => Endpoint::Batch,
            Response => Endpoint::Responses,
            FineTuning | EvalRun | Video => Endpoint::Other,
        }
    }
}

/// Gives the record of a call that has created a job the ids of the job.
pub(crate) fn identify(o: &mut Observation, request: &RequestInfo) {
    let Some(response) = &o.response else { return };
    let Some(kind) = JobKind::created(request, &response.id) else { return };
    let place = JobPlace { namespace: response.namespace.clone(), id: response.id.clone() };
    if kind != Response {
        // A batch reports a usage of zeros until it ends.
        (o.usage, o.usage_raw, o.usage_problem) = (None, None, None);
        o.usage_unknown.clear();
    }
    place.name(o, kind, "");
}

/// A job at its provider.
#[derive(Clone, Debug)]
pub(crate) struct JobPlace {
    /// Who gave the id: a provider, or the host of a gateway.
    pub(crate) namespace: String,
    pub(crate) id: String,
}

impl JobPlace {
    /// Sets the ids of an observation of the job, or of a part of it. They are the same in every process.
    pub(crate) fn name(&self, o: &mut Observation, kind: JobKind, part: &str) {
        let Self { namespace, id } = self;
        o.event_id = EventId::of_job(namespace, id, part);
        o.call_id = format!("{}{namespace}:{id}:{part}", record::JOB_PREFIX);
        match kind {
            Batch => {
                o.attribution.batch_job_id.get_or_insert_with(|| id.clone());
                let (trace, span) = self.trace("");
                o.trace_id = Some(trace);
                if part.is_empty() {
                    // Records of the requests in the batch, if there are any, replace the total of the batch.
                    (o.role, o.span_id, o.parent_span_id) = (Role::Aggregate, Some(span), None);
                } else {
                    o.parent_span_id = Some(span);
                }
            }
            EvalRun => {
                // Its usage is a sum of many calls, as that of a batch is.
                let (trace, span) = self.trace(part);
                (o.role, o.trace_id, o.span_id, o.parent_span_id) =
                    (Role::Aggregate, Some(trace), Some(span), None);
            }
            Response | FineTuning | Video => {}
        }
    }

    /// A trace of its own and a span in it, by which the receiver tells what a sum is the sum of. In the trace of
    /// the caller, it could be taken for the sum of other calls there.
    fn trace(&self, part: &str) -> (String, String) {
        let id = EventId::of_job(&self.namespace, &self.id, &format!("trace {part}"));
        let trace = id.as_str().replace('-', "");
        let span = trace.chars().skip(16).collect();
        (trace, span)
    }
}

/// A request that reads or cancels a job.
#[derive(Clone, Debug)]
pub(crate) struct JobRead {
    kind: JobKind,
    provider: String,
    server_address: Option<String>,
}

lenient_object! {
    /// A job of any kind.
    struct JobObject {
        id: "id",
        status: "status",
        background: "background",
        model: "model",
        usage: "usage",
        created_at: "created_at",
        completed_at: "completed_at",
        finished_at: "finished_at",
        trained_tokens: "trained_tokens",
        per_model_usage: "per_model_usage",
        seconds: "seconds",
        size: "size",
    }
}

lenient_object! {
    /// The usage of a model in a run of an evaluation.
    struct ModelUsage {
        model_name: "model_name",
        prompt_tokens: "prompt_tokens",
        completion_tokens: "completion_tokens",
        cached_tokens: "cached_tokens",
    }
}

impl JobRead {
    /// The read that a request is; `None` for any other request.
    pub(crate) fn of(request: &reqwest::Request, provider: Option<&str>) -> Option<Self> {
        let url = request.url();
        let path = url.path().trim_end_matches('/');
        let found =
            READS.iter().find(|(method, end, _)| method == request.method() && path_ends_with(path, end));
        found.map(|(_, _, kind)| Self {
            kind: *kind,
            provider: provider.map_or_else(|| provider_of_url(url), str::to_owned),
            server_address: url.host_str().map(str::to_owned),
        })
    }

    /// The observations of a job that has ended, from the job as JSON. None if it is still in work, or if its
    /// usage is not known.
    pub(crate) fn observations(&self, body: &[u8]) -> Vec<Observation> {
        let Some(job) = lenient::object::<JobObject<'_>>(body) else { return Vec::new() };
        let (Some(id), Some(status)) = (text(job.id), text(job.status)) else { return Vec::new() };
        let mut o = self.observation(&job, &id);
        let has_usage = not_null(job.usage).is_some();
        match (self.kind, status.as_str()) {
            (Batch, "completed" | "expired" | "cancelled") if has_usage => {
                // What ran before the end is billed.
                Self::read_usage(&mut o, body);
                vec![o]
            }
            (Response, "completed" | "incomplete" | "cancelled" | "failed")
                // Any other response was billed to the call that made it.
                if has_usage && job.background.is_some_and(|value| value.get() == "true") =>
            {
                Self::read_usage(&mut o, body);
                if !matches!(status.as_str(), "completed" | "incomplete") {
                    o.outcome = CallOutcome::Incomplete(status);
                }
                vec![o]
            }
            (FineTuning, "succeeded" | "cancelled") => {
                let tokens = integer(job.trained_tokens).filter(|tokens| *tokens > 0);
                tokens.map(|tokens| self.with_units(o, "trained_tokens", tokens.into())).into_iter().collect()
            }
            (EvalRun, "completed" | "canceled") => self.of_models(&o, job.per_model_usage),
            (Video, "completed") => {
                let seconds = text(job.seconds).and_then(|seconds| seconds.parse().ok());
                let size = text(job.size);
                let of_video = |seconds| {
                    let mut o = self.with_units(o, "video_seconds", seconds);
                    if let Some(usage) = &mut o.usage {
                        usage.variant = size;
                    }
                    o
                };
                seconds.map(of_video).into_iter().collect()
            }
            (Batch | FineTuning | EvalRun | Video, "failed") => {
                // A usage of zeros tells the receiver that the job is settled, and that it was free.
                o.outcome = CallOutcome::Failed("failed".to_owned());
                o.usage = Some(Usage::default());
                vec![o]
            }
            _ => Vec::new(),
        }
    }

    /// What is known of any job. Its times are those that the provider states, so that all reads of the job make
    /// the same observation.
    fn observation(&self, job: &JobObject<'_>, id: &str) -> Observation {
        // The provider states whole seconds. The end of the second is after the record of the creation, whose
        // time becomes that of the event.
        let moment = |raw: Raw<'_>| {
            let seconds = integer(not_null(raw))?;
            Some(Timestamp::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(999_999_999)?))
        };
        let start = moment(job.created_at).unwrap_or_default();
        let mut o = Observation::new(EventId::default(), String::new(), ObservedAs::Record, start);
        o.end = moment(job.completed_at).or_else(|| moment(job.finished_at)).unwrap_or(start).max(start);
        record::SCOPE.clone_into(&mut o.emitter);
        o.provider.clone_from(&self.provider);
        o.endpoint = self.kind.endpoint();
        o.server_address.clone_from(&self.server_address);
        o.response_model = text(job.model);
        let response = response_ref(&o.provider, o.server_address.as_deref(), id);
        let place = JobPlace { namespace: response.namespace.clone(), id: id.to_owned() };
        o.response = Some(response);
        place.name(&mut o, self.kind, "");
        o
    }

    /// Reads a usage object, and the tool calls of a response.
    fn read_usage(o: &mut Observation, body: &[u8]) {
        let Some(object) = lenient::object::<ResponseObject<'_>>(body) else { return };
        let mut response = ResponseInfo::default();
        response.read_object(&object);
        read_response(o, &response);
    }

    fn with_units(&self, mut o: Observation, name: &str, quantity: Decimal) -> Observation {
        let mut usage = Usage::default();
        usage.units.insert(name.to_owned(), quantity);
        let answer = Answer {
            provider: &self.provider,
            endpoint: o.endpoint,
            usage: Some(Ok(usage)),
            ..Answer::default()
        };
        let resolved = resolve(answer);
        set_usage(&mut o, resolved);
        o
    }

    /// One observation for each model of a run.
    fn of_models(&self, run: &Observation, usages: Raw<'_>) -> Vec<Observation> {
        let Some(response) = &run.response else { return Vec::new() };
        let place = JobPlace { namespace: response.namespace.clone(), id: response.id.clone() };
        let mut observations = Vec::new();
        for usage in lenient::list::<ModelUsage<'_>>(usages) {
            let mut o = run.clone();
            o.response_model = text(usage.model_name);
            let count = |raw| integer(raw).unwrap_or_default();
            let [prompt, cached, completion] =
                [usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens].map(count);
            let json = format!(
                r#"{{"prompt_tokens":{prompt},"completion_tokens":{completion},"cached_tokens":{cached}}}"#
            );
            let answer = Answer {
                provider: &self.provider,
                endpoint: o.endpoint,
                usage_json: Some(&json),
                ..Answer::default()
            };
            set_usage(&mut o, resolve(answer));
            // The first model has the ids of the run, which has the attribution.
            if !observations.is_empty() {
                let part = o.response_model.clone().unwrap_or_else(|| observations.len().to_string());
                place.name(&mut o, self.kind, &part);
            }
            observations.push(o);
        }
        observations
    }
}

/// Reads what a response says about its usage into the observation of its call.
pub(crate) fn read_response(o: &mut Observation, response: &ResponseInfo) {
    let resolved = resolve(Answer {
        provider: &o.provider,
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref().or(response.service_tier.as_deref()),
        region: region_of_host(&o.provider, o.server_address.as_deref()).as_deref(),
        usage_json: response.usage_json.as_deref(),
        tools: response.tools,
        ..Answer::default()
    });
    set_usage(o, resolved);
    o.usage_raw = response.usage_json.as_deref().and_then(JsonText::new);
}

/// Queues the record of an observation. A fault in that is not one of the caller.
pub(crate) fn send(recorder: &Recorder, mut observation: Observation) {
    let sent = catch_unwind(AssertUnwindSafe(|| {
        recorder.prices().price(&mut observation);
        observation.bound_in_place();
        recorder.send(record::record(&observation));
    }));
    if sent.is_err() {
        recorder.count_loss(None);
        tracing::error!("spanledger.call.record.failed: the record of a job could not be made");
    }
}

/// Queues the records of a job, from the job as JSON.
fn send_all(recorder: &Recorder, read: &JobRead, body: &[u8]) {
    for observation in read.observations(body) {
        send(recorder, observation);
    }
}
