//! Reads a line of a batch (a call as JSON) and writes its answer.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spanledger_event::{Cost, Endpoint, Timestamp};

use super::{answer::JsonCost, call::Call};
use crate::{render::text::escape_json, time};

/// The fields of a line, not interpreted yet. Other fields are ignored.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    provider: Option<&'a RawValue>,
    #[serde(borrow, default)]
    model: Option<&'a RawValue>,
    #[serde(borrow, default)]
    api: Option<&'a RawValue>,
    #[serde(borrow, default)]
    service_tier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    region: Option<&'a RawValue>,
    #[serde(borrow, default)]
    priced_at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
}

/// A line of the batch.
pub(super) struct Line<'a> {
    pub(super) id: Option<&'a RawValue>,
    /// An excerpt of the API's name, if the name is unknown.
    pub(super) unknown_api: Option<String>,
    /// The call, or why the line does not describe one.
    pub(super) call: Result<Call<'a>, String>,
}

impl<'a> Line<'a> {
    pub(super) fn refused(mistake: impl Into<String>) -> Self {
        Self { id: None, unknown_api: None, call: Err(mistake.into()) }
    }

    /// Reads a line. A call without `priced_at` is priced at `now`.
    pub(super) fn parse(line: &'a [u8], now: Timestamp) -> Self {
        let Ok(text) = std::str::from_utf8(line) else { return Self::refused("the line is not UTF-8") };
        let is_object = text.starts_with('{');
        match serde_json::from_str::<Fields<'_>>(text) {
            Ok(fields) if is_object => Self::of(&fields, now),
            Err(error) if error.is_data() && is_object => Self::refused(without_place(&error)),
            // serde also deserializes a struct from an array.
            Ok(_) => Self::refused("the line is not a JSON object"),
            Err(error) if error.is_data() => Self::refused("the line is not a JSON object"),
            Err(error) => Self::refused(format!(
                "the line is not JSON: {} at column {}",
                without_place(&error),
                error.column()
            )),
        }
    }

    fn of(fields: &Fields<'a>, now: Timestamp) -> Self {
        let (mut endpoint, mut unknown_api) = (Endpoint::default(), None);
        let api = text("api", fields.api).map(|api| {
            let Some(api) = api.filter(|api| !api.trim().is_empty()) else { return };
            let is_named = |known: &Endpoint| known.as_str().eq_ignore_ascii_case(api.trim());
            match Endpoint::ALL.into_iter().find(is_named) {
                Some(known) => endpoint = known,
                None => unknown_api = Some(excerpt(&api)),
            }
        });
        let call = api.and_then(|()| call(fields, endpoint, now));
        Self { id: fields.id, unknown_api: unknown_api.filter(|_| call.is_ok()), call }
    }
}

/// The message of an error without its line and column: they count from the start of this line, not of the file.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn call<'a>(fields: &Fields<'a>, endpoint: Endpoint, now: Timestamp) -> Result<Call<'a>, String> {
    let provider = text("provider", fields.provider)?;
    let provider =
        provider.ok_or("`provider` is missing: name the provider that bills the call, such as \"openai\"")?;
    let at = text("priced_at", fields.priced_at)?.map(|text| moment(&text)).transpose()?;
    let usage = fields.usage.map(RawValue::get);
    if let Some(usage) = usage.filter(|usage| !usage.starts_with('{')) {
        return Err(format!("`usage` is {}: write the provider's object, or null", excerpt(usage)));
    }
    Ok(Call {
        provider,
        model: text("model", fields.model)?,
        endpoint,
        service_tier: text("service_tier", fields.service_tier)?,
        region: text("region", fields.region)?,
        at: at.unwrap_or(now),
        usage,
    })
}

fn text(key: &str, value: Option<&RawValue>) -> Result<Option<String>, String> {
    let Some(value) = value else { return Ok(None) };
    let text = serde_json::from_str(value.get());
    text.map(Some).map_err(|_| format!("`{key}` is {}: write a string or null", excerpt(value.get())))
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let nanos = time::absolute(text).and_then(|moment| i64::try_from(moment.as_nanosecond()).ok());
    nanos.map(Timestamp::from_nanos).ok_or_else(|| {
        let text = excerpt(text);
        format!("`priced_at` is {text}: write a day or a moment, such as 2026-11-01 or 2026-11-01T10:00:00Z")
    })
}

/// The start of a text, for a message.
fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[derive(Serialize)]
struct Answer<'a> {
    id: Option<&'a RawValue>,
    #[serde(flatten)]
    cost: JsonCost<'a>,
}

/// The answer to a line, as one line of JSON.
pub(super) fn answer(id: Option<&RawValue>, cost: &Cost) -> anyhow::Result<String> {
    Ok(escape_json(format!("{}\n", serde_json::to_string(&Answer { id, cost: JsonCost::from(cost) })?)))
}
