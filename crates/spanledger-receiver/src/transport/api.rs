//! The admin API: work on the ledger that `serve` has open.
//!
//! A web page in a browser of this machine must not be able to use it. A page can send a request with the
//! content type of JSON to another address only after that address has allowed it, which this port never
//! does. A page whose host name was made to point to this machine sends that name as `Host`, so that only
//! addresses and `localhost` are accepted.

mod sinks;
mod task;

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};

use self::task::Task;
pub use self::{
    sinks::{DeadLetterAction, DeadLetterRequest, ReplayRequest, SinksAnswer, SinksRequest, StartedReplay},
    task::{ForgetRequest, Forgetting, PruneRequest, RepriceRequest, UpkeepRequest},
};
use super::response::{ResponseBody, full};
use crate::Pipeline;

/// The greatest size of a request in bytes. Price files make up most of it.
const BODY_BYTES_MAX: usize = 32 << 20;
/// The longest time in which a body must arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The beginning of all paths of the API.
pub(super) const PREFIX: &str = "/api/";

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
    let path = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let Some(task) = Task::named(path) else {
        let known: Vec<String> = Task::ALL.iter().map(|task| format!("{PREFIX}{}", task.name())).collect();
        return Err((StatusCode::NOT_FOUND, format!("the admin API has {}", known.join(", "))));
    };
    if request.method() != Method::POST {
        return Err((StatusCode::METHOD_NOT_ALLOWED, "only POST is allowed".to_owned()));
    }
    check_sender(request.headers())?;
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(BODY_TIMEOUT, body)
        .await
        .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time".to_owned()))?
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")))?;
    task.run(&body.to_bytes(), pipeline).await
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
