//! Requests the usage of a stream, unless its server refuses that.
//!
//! OpenAI sends the usage of a chat stream only if the request has `stream_options.include_usage`. Some servers
//! answer 400 to a request with that option.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use reqwest::Url;
use serde_json::value::RawValue;

#[cfg(test)]
mod tests;

/// The first date of Azure's `api-version` with the option. Source: Azure's "API version lifecycle",
/// the preview of September 2024.
const AZURE_SINCE: &str = "2024-09-01";

/// The greatest number of servers that are remembered. A process calls only a few.
const REFUSING_MAX: usize = 256;

/// The servers that have refused the option, by host, port and path.
static REFUSING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Whether any server has refused it. In most processes none has, and no stream takes the lock.
static HAS_REFUSING: AtomicBool = AtomicBool::new(false);

/// Whether a server is known to refuse the option: an Azure version that is older than the option, an Azure
/// request with `data_sources`, or a server that has refused it before.
pub(super) fn is_refused(url: &Url, has_data_sources: bool) -> bool {
    let version = url.query_pairs().find(|(key, _)| key == "api-version");
    // A version is a date, with `-preview` or without it. A date is compared as text.
    let is_older = version.is_some_and(|(_, version)| {
        version.starts_with("20") && version.get(..AZURE_SINCE.len()).is_some_and(|date| date < AZURE_SINCE)
    });
    if is_older || has_data_sources {
        return true;
    }
    HAS_REFUSING.load(Ordering::Acquire)
        && REFUSING.lock().unwrap_or_else(PoisonError::into_inner).contains(&key(url))
}

/// Remembers that a server has refused the option.
pub(crate) fn remember_refusal(url: &Url) {
    let mut refusing = REFUSING.lock().unwrap_or_else(PoisonError::into_inner);
    if refusing.len() < REFUSING_MAX && refusing.insert(key(url)) {
        HAS_REFUSING.store(true, Ordering::Release);
        tracing::warn!(
            server = url.host_str().unwrap_or_default(),
            path = url.path(),
            "spanledger.stream_usage.refused: this server does not accept `stream_options`; \
             its streams are unpriced unless they report their usage without it"
        );
    }
}

fn key(url: &Url) -> String {
    format!(
        "{}:{}{}",
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or_default(),
        url.path()
    )
}

/// Whether the body of a 400 says that the option is the reason.
pub(crate) fn is_refusal(body: &[u8]) -> bool {
    memchr::memmem::find(body, b"stream_options").is_some()
        || memchr::memmem::find(body, b"include_usage").is_some()
}

/// The body with `"stream_options": {"include_usage": true}`. `None` if the body has the option already.
///
/// All other bytes stay the same. If the body were parsed and serialized again, the keys of tool schemas could
/// change their order, and a prompt with another prefix would miss the provider's cache.
pub(super) fn with_usage_option(body: &[u8], options: Option<&RawValue>) -> Option<Bytes> {
    let (at, end, insert) = match options.map(RawValue::get) {
        None => {
            let at = body.iter().position(|&byte| byte == b'{')? + 1;
            (at, at, r#""stream_options":{"include_usage":true},"#.to_owned())
        }
        Some(raw) => {
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str::<Option<_>>(raw).ok()?.unwrap_or_default();
            if object.insert("include_usage".to_owned(), true.into()) == Some(true.into()) {
                return None;
            }
            let at = offset(body, raw)?;
            (at, at + raw.len(), serde_json::Value::Object(object).to_string())
        }
    };
    let mut bytes = Vec::with_capacity(body.len() + insert.len());
    bytes.extend_from_slice(body.get(..at)?);
    bytes.extend_from_slice(insert.as_bytes());
    bytes.extend_from_slice(body.get(end..)?);
    Some(bytes.into())
}

/// The position of a borrowed part in the body from which it was borrowed.
fn offset(body: &[u8], part: &str) -> Option<usize> {
    part.as_ptr().addr().checked_sub(body.as_ptr().addr())
}
