//! The admin API: work on the ledger that `serve` has open.
//!
//! A web page in a browser of this machine must not be able to use it. A page can send a request with the
//! content type of JSON to another address only after that address has allowed it, which this port never
//! does. A page whose host name was made to point to this machine sends that name as `Host`, so that only
//! addresses and `localhost` are accepted.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use serde::{Deserialize, Serialize};
use spanledger_event::{ErrorChain, Timestamp};
use spanledger_price::PriceBook;

use super::response::{ResponseBody, full};
use crate::{
    Pipeline,
    reprice::{RepriceSelection, reprice},
};

/// The greatest size of a request in bytes. Price files make up most of it.
const BODY_BYTES_MAX: usize = 32 << 20;
/// The longest time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The beginning of all paths of the API.
pub(super) const PREFIX: &str = "/api/";

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

/// Why a request is refused.
type Refused = (StatusCode, String);

pub(super) async fn answer(request: Request<Incoming>, pipeline: &Pipeline) -> Response<ResponseBody> {
    let answered = match accept(request, pipeline).await {
        Ok(body) => (StatusCode::OK, body),
        Err((status, words)) => (status, serde_json::json!({ "error": words })),
    };
    let (status, body) = answered;
    let mut response = Response::new(full(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

async fn accept(request: Request<Incoming>, pipeline: &Pipeline) -> Result<serde_json::Value, Refused> {
    if request.uri().path() != "/api/reprice" {
        return Err((StatusCode::NOT_FOUND, "the admin API has /api/reprice".to_owned()));
    }
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed".to_owned()));
    }
    check_sender(request.headers())?;
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(BODY_TIMEOUT, body)
        .await
        .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time".to_owned()))?
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))?;
    let request: RepriceRequest = serde_json::from_slice(&body.to_bytes())
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body is not a request: {error}")))?;
    let ledger = pipeline.ledger();
    if request.ledger != ledger.id() {
        let words = format!("this server writes another ledger, {}", ledger.path().display());
        return Err((StatusCode::CONFLICT, words));
    }
    let bad = |words: String| (StatusCode::BAD_REQUEST, words);
    let moment = |text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match Timestamp::parse(text) {
            Some(at) => Ok(Some(at)),
            None => Err(bad(format!("`{text}` is not a moment: write it as 2026-11-01T10:00:00Z"))),
        },
    };
    let (since, until) = (moment(&request.since)?, moment(&request.until)?);
    let selection = RepriceSelection { since, until, unpriced_only: request.unpriced_only };
    let files = request.prices.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let book = match PriceBook::builtin() {
        book if request.prices.is_empty() => book.clone(),
        book => book.layered(files).map_err(|errors| bad(errors.to_string()))?,
    };
    // Two at a time would take turns in giving the same observations their costs.
    let Ok(_running) = pipeline.repricing().try_lock() else {
        let words = "another repricing is running: wait until it is done".to_owned();
        return Err((StatusCode::CONFLICT, words));
    };
    let done = reprice(ledger, &book, selection).await.map_err(|error| {
        tracing::error!(error = %ErrorChain(&error), "receiver.reprice.failed");
        (StatusCode::SERVICE_UNAVAILABLE, ErrorChain(&error).to_string())
    })?;
    tracing::info!(epoch = done.epoch, events = done.events, "receiver.reprice.done");
    serde_json::to_value(done).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Refuses requests that a web page could send.
fn check_sender(headers: &HeaderMap) -> Result<(), Refused> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = text(header::HOST);
    if !is_this_machine(host) {
        let words = format!("the Host `{host}` is neither an IP address nor localhost: use one of them");
        return Err((StatusCode::FORBIDDEN, words));
    }
    let media_type = text(header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        let words = "the Content-Type is not application/json: send a body of JSON".to_owned();
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
    }
    Ok(())
}

/// Whether a `Host` is an IP address or `localhost`, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
}
