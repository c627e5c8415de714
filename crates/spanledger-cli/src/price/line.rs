//! A line of a batch: a call as JSON, and the answer to it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use spanledger_event::{Cost, CostLine, Endpoint, Timestamp};

use crate::time;

/// A call as it stands on a line, nothing understood yet. Other fields are for other readers.
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

/// A call that a line describes.
pub(super) struct Call<'a> {
    pub(super) provider: String,
    pub(super) model: Option<String>,
    pub(super) endpoint: Endpoint,
    /// The name of the API, where it is none that is known.
    pub(super) unknown_api: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) region: Option<String>,
    pub(super) at: Option<Timestamp>,
    /// The provider's object, digit by digit.
    pub(super) usage: Option<&'a str>,
}

/// What a line is called, and the call, or why it is none.
pub(super) struct Read<'a> {
    pub(super) id: Option<&'a RawValue>,
    pub(super) call: Result<Call<'a>, String>,
}

pub(super) fn read(line: &[u8]) -> Read<'_> {
    let refused = |words: String| Read { id: None, call: Err(words) };
    let Ok(text) = std::str::from_utf8(line) else {
        return refused("the line is not UTF-8".to_owned());
    };
    match serde_json::from_str::<Fields<'_>>(text) {
        Ok(fields) if text.starts_with('{') => Read { id: fields.id, call: call(&fields) },
        // An array has fields, too, if one asks serde.
        Ok(_) => refused("the line is not a JSON object".to_owned()),
        Err(error) if error.is_data() => {
            let words = without_place(&error);
            let is_object = text.starts_with('{');
            refused(if is_object { words } else { "the line is not a JSON object".to_owned() })
        }
        Err(error) => {
            refused(format!("the line is not JSON: {} at column {}", without_place(&error), error.column()))
        }
    }
}

/// The words of an error without its place, which counts from the start of this line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn call<'a>(fields: &Fields<'a>) -> Result<Call<'a>, String> {
    let provider = text("provider", fields.provider)?;
    let provider = provider.ok_or("`provider` is missing: say who bills, such as \"openai\"")?;
    let at = text("priced_at", fields.priced_at)?.map(|text| moment(&text)).transpose()?;
    let usage = fields.usage.map(RawValue::get);
    if let Some(usage) = usage.filter(|usage| !usage.starts_with('{')) {
        return Err(format!("`usage` is {}: write the provider's object, or null", excerpt(usage)));
    }
    let api = text("api", fields.api)?.filter(|api| !api.trim().is_empty());
    let known = |api: &String| {
        Endpoint::ALL.into_iter().find(|endpoint| endpoint.as_str().eq_ignore_ascii_case(api.trim()))
    };
    let endpoint = api.as_ref().and_then(known);
    Ok(Call {
        provider,
        model: text("model", fields.model)?,
        endpoint: endpoint.unwrap_or_default(),
        unknown_api: api.filter(|_| endpoint.is_none()),
        service_tier: text("service_tier", fields.service_tier)?,
        region: text("region", fields.region)?,
        at,
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

pub(super) fn excerpt(text: &str) -> String {
    const CHARS_MAX: usize = 40;
    let mut short: String = text.chars().take(CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The answer to a line; amounts as strings, which no reader rounds.
#[derive(Serialize)]
struct Answer<'a> {
    id: Option<&'a RawValue>,
    cost_usd: Option<String>,
    cost_state: &'static str,
    cost_reason: Option<&'static str>,
    cost_detail: Option<&'a str>,
    lines: Vec<Line<'a>>,
    price_version: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'a str,
    quantity: String,
    unit: &'a str,
    rate: String,
    usd: String,
}

impl<'a> From<&'a CostLine> for Line<'a> {
    fn from(line: &'a CostLine) -> Self {
        Self {
            kind: &line.kind,
            quantity: line.quantity.normalize().to_string(),
            unit: &line.unit,
            rate: line.rate.normalize().to_string(),
            usd: line.usd.to_string(),
        }
    }
}

/// The answer as a line.
pub(super) fn answer(id: Option<&RawValue>, cost: &Cost) -> anyhow::Result<String> {
    let answer = Answer {
        id,
        cost_usd: cost.usd.map(|usd| usd.to_string()),
        cost_state: cost.state(),
        cost_reason: cost.reason.map(|reason| reason.as_str()),
        cost_detail: cost.detail.as_deref(),
        lines: cost.lines.iter().map(Line::from).collect(),
        price_version: &cost.price_version,
    };
    let mut text = serde_json::to_string(&answer)?;
    text.push('\n');
    Ok(text)
}
