//! Realtime sessions, from the events that the provider sends.

use spanledger_event::{
    Attribution, CallOutcome, Endpoint, EventId, Observation, ObservedAs, PartialAttribution,
};
use spanledger_otlp::record;
use spanledger_price::providers::response_ref;

use crate::{
    BaseUrlError, Recorder,
    answer::{ResponseInfo, ResponseObject},
    clock::now,
    jobs,
    lenient::{self, lenient_object, not_null, text},
    request::provider_of_url,
};

#[cfg(test)]
mod tests;

/// Records the responses of a realtime session, each as one event.
///
/// The events of a session go over a WebSocket or WebRTC, which `async-openai` does not speak. Give each event of
/// the server to [`record`](Self::record); all but those with a usage are ignored after a search for a few bytes.
/// A session that passes on its events twice is counted once.
///
/// ```
/// use spanledger::{Attribution, RealtimeSession, Recorder};
///
/// # let messages = [r#"{"type":"response.done","response":{"id":"resp_1","status":"completed","usage":null}}"#];
/// let attribution = Attribution::builder()
///     .feature("voice-support")
///     .route("/calls")
///     .customer_id("acme")
///     .environment("production")
///     .build()?;
/// let mut session = RealtimeSession::new("https://api.openai.com/v1", "gpt-realtime", &attribution)?;
/// for message in messages {
///     session.record(message);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RealtimeSession {
    provider: String,
    server_address: Option<String>,
    model: String,
    transcription_model: Option<String>,
    attribution: PartialAttribution,
    recorder: Option<Recorder>,
}

lenient_object! {
    /// An event of the server.
    struct Event {
        kind: "type",
        response: "response",
        session: "session",
        item_id: "item_id",
        usage: "usage",
    }
}

lenient_object! {
    struct Session {
        model: "model",
        audio: "audio",
        input: "input",
        transcription: "transcription",
    }
}

impl RealtimeSession {
    /// A session with this model at the provider with this base URL.
    pub fn new(
        base_url: &str,
        model: impl Into<String>,
        attribution: &Attribution,
    ) -> Result<Self, BaseUrlError> {
        let url: reqwest::Url = base_url.parse().map_err(|_| BaseUrlError { url: base_url.to_owned() })?;
        Ok(Self {
            provider: provider_of_url(&url),
            server_address: url.host_str().map(str::to_owned),
            model: model.into(),
            transcription_model: None,
            attribution: attribution.into(),
            recorder: None,
        })
    }

    /// Sets the provider by its OpenTelemetry name, for a host that does not identify it.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.provider = name.into();
        self
    }

    /// Sets the recorder. The default is the recorder of the process.
    #[must_use]
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Records an event of the server, as the text that was received. Returns whether a record was made.
    pub fn record(&mut self, event: &str) -> bool {
        // Most events are pieces of audio. `session` names the model, `usage` is in what is billed.
        let is_relevant = ["\"usage\"", "\"session\""].iter().any(|field| event.contains(field));
        if !is_relevant {
            return false;
        }
        let Some(event) = lenient::object::<Event<'_>>(event.as_bytes()) else { return false };
        let observation = match text(event.kind).as_deref() {
            Some("response.done") => self.response(&event),
            Some("conversation.item.input_audio_transcription.completed") => self.transcription(&event),
            Some("session.created" | "session.updated") => {
                self.read_session(&event);
                None
            }
            _ => None,
        };
        let Some(observation) = observation else { return false };
        jobs::send(self.recorder.as_ref().unwrap_or_else(|| Recorder::global()), observation);
        true
    }

    fn read_session(&mut self, event: &Event<'_>) {
        let Some(session) = lenient::nested::<Session<'_>>(event.session) else { return };
        if let Some(model) = text(session.model) {
            self.model = model;
        }
        let audio: Session<'_> = lenient::nested(session.audio).unwrap_or_default();
        let input: Session<'_> = lenient::nested(audio.input).unwrap_or_default();
        let transcription: Session<'_> = lenient::nested(input.transcription).unwrap_or_default();
        self.transcription_model = text(transcription.model).or(self.transcription_model.take());
    }

    fn response(&self, event: &Event<'_>) -> Option<Observation> {
        let object: ResponseObject<'_> = lenient::nested(event.response)?;
        let id = text(object.id)?;
        let mut o = self.observation(&id, "", Endpoint::Realtime, Some(&self.model));
        let mut response = ResponseInfo::default();
        response.read_object(&object);
        jobs::read_response(&mut o, &response);
        o.outcome = match response.status.as_deref() {
            Some(status @ ("failed" | "cancelled")) => CallOutcome::Incomplete(status.to_owned()),
            _ => CallOutcome::Success,
        };
        Some(o)
    }

    /// What the user says is transcribed by another model.
    fn transcription(&self, event: &Event<'_>) -> Option<Observation> {
        let id = text(event.item_id)?;
        let model = self.transcription_model.as_deref();
        let mut o = self.observation(&id, "transcription", Endpoint::AudioTranscription, model);
        let usage_json = not_null(event.usage).map(|usage| usage.get().to_owned());
        jobs::read_response(&mut o, &ResponseInfo { usage_json, ..ResponseInfo::default() });
        Some(o)
    }

    fn observation(&self, id: &str, part: &str, endpoint: Endpoint, model: Option<&str>) -> Observation {
        let response = response_ref(&self.provider, self.server_address.as_deref(), id);
        let event_id = EventId::of_job(&response.namespace, id, part);
        let call_id = format!("realtime:{}:{id}:{part}", response.namespace);
        let mut o = Observation::new(event_id, call_id, ObservedAs::Record, now());
        record::SCOPE.clone_into(&mut o.emitter);
        o.provider.clone_from(&self.provider);
        o.server_address.clone_from(&self.server_address);
        o.endpoint = endpoint;
        o.model = model.map(str::to_owned);
        o.stream = true;
        o.response = Some(response);
        o.attribution = self.attribution.clone();
        o
    }
}
