//! Answers requests: routes, refusals, scripted replies.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::openai::connection::{ConnectionControl, ConnectionSignal, Signal};
use crate::openai::errors::ApiError;
use crate::openai::headers::{self, EVENT_STREAM, JSON, Origin};
use crate::openai::received::Received;
use crate::openai::reply::{Fault, FaultKind, Reply, ReplyKind};
use crate::openai::request::{ApiRequest, Endpoint};
use crate::openai::resolved::ResolvedReply;
use crate::openai::sse::{self, Ending, Frame};
use crate::openai::state::State;
use crate::openai::{chat, embeddings, json, models, responses};

/// The largest request body that the provider reads.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The service behind all connections.
pub(crate) fn router(state: Arc<State>, stopping: Signal) -> Router {
    Router::new().fallback(handle).with_state((state, stopping))
}

async fn handle(
    Shared((state, stopping)): Shared<(Arc<State>, Signal)>,
    ConnectInfo(connection): ConnectInfo<ConnectionSignal>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, REQUEST_BODY_BYTES_MAX).await;
    let number = state.record(Received {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.clone(),
        body: body.as_ref().cloned().unwrap_or_default(),
    });
    let exchange = Exchange { state: &state, number, control: ConnectionControl { connection, stopping } };
    let Ok(body) = body else {
        let message = "The body is too large, or did not arrive whole.";
        return exchange.refusal(&ApiError::new(413, "invalid_request_error", message));
    };
    if !state.anonymous_allowed && !carries_key(&parts.headers) {
        return exchange.refusal(&ApiError::new(
            401,
            "invalid_request_error",
            "No API key: send it as a bearer token in the header 'Authorization'.",
        ));
    }
    exchange.route(&parts.method, parts.uri.path(), &body).await
}

/// Whether there is a key, in OpenAI's header or in Azure's `api-key`. Any key is accepted.
fn carries_key(headers: &HeaderMap) -> bool {
    let bearer = headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().len() > 7);
    bearer || headers.contains_key("api-key")
}

/// One request and the way to answer it.
struct Exchange<'a> {
    state: &'a State,
    number: u64,
    control: ConnectionControl,
}

impl Exchange<'_> {
    async fn route(self, method: &Method, path: &str, body: &Bytes) -> Response {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match (method.as_str(), segments.as_slice()) {
            ("POST", ["v1", "chat", "completions"]) => self.call(Endpoint::Chat, body).await,
            ("POST", ["v1", "responses"]) => self.call(Endpoint::Responses, body).await,
            ("POST", ["v1", "embeddings"]) => self.call(Endpoint::Embeddings, body).await,
            ("GET", ["v1", "models"]) => self.json(StatusCode::OK, models::list()),
            ("GET", ["v1", "models", id]) => match models::get(id) {
                Ok(model) => self.json(StatusCode::OK, model),
                Err(error) => self.refusal(&error),
            },
            ("GET", ["v1", "responses", id] | ["v1", "chat", "completions", id]) => {
                match self.state.stored(path) {
                    Some(object) => self.json(StatusCode::OK, object),
                    None => self.refusal(&ApiError::new(
                        404,
                        "invalid_request_error",
                        format!("There is no stored call '{id}'."),
                    )),
                }
            }
            (
                _,
                ["v1", "chat", "completions", ..] | ["v1", "responses" | "models", ..] | ["v1", "embeddings"],
            ) => self.refusal(
                &ApiError::new(405, "invalid_request_error", format!("{method} is not possible on {path}."))
                    .code("method_not_supported"),
            ),
            _ => self.refusal(&ApiError::new(
                404,
                "invalid_request_error",
                format!("There is nothing at {method} {path}."),
            )),
        }
    }

    /// Answers a billed call with the next reply.
    async fn call(self, endpoint: Endpoint, body: &Bytes) -> Response {
        let request = match ApiRequest::parse(endpoint, body) {
            Ok(request) => request,
            Err(error) => return self.refusal(&error),
        };
        let reply = self.state.next_reply(&request.model);
        if !reply.first_byte_delay.is_zero() {
            tokio::time::sleep(reply.first_byte_delay).await;
        }
        let mut response = match &reply.kind {
            ReplyKind::Hang => return self.control.hang().await,
            ReplyKind::Close => return self.control.close().await,
            ReplyKind::Error(error) => self.refusal(error),
            ReplyKind::Raw { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::OK);
                self.response(status, content_type.clone(), Body::from(body.clone()))
            }
            ReplyKind::Failed { code, message } if endpoint != Endpoint::Responses => {
                self.refusal(&ApiError::new(500, "server_error", message).code(code))
            }
            ReplyKind::Answer | ReplyKind::Failed { .. } => self.answer(&request, &reply),
        };
        let status = response.status();
        headers::of_call(response.headers_mut(), status, request.prompt_tokens, &reply);
        response
    }

    fn answer(&self, request: &ApiRequest, reply: &Reply) -> Response {
        let resolved = ResolvedReply::new(self.state.seed, self.number, request, reply);
        let error = match &reply.fault {
            Some(Fault { kind: FaultKind::Error(error), .. }) => Some(error),
            _ => None,
        };
        if let Some(error) = error
            && !request.stream
        {
            return self.refusal(error);
        }
        let (object, collection) = match request.endpoint {
            Endpoint::Chat => (chat::object(&resolved), "chat/completions"),
            Endpoint::Responses => (responses::object(&resolved), "responses"),
            Endpoint::Embeddings => (embeddings::object(&resolved), "embeddings"),
        };
        if request.stored && error.is_none() {
            self.state.store(format!("/v1/{collection}/{}", resolved.id), object.clone());
        }
        if !request.stream {
            return self.whole(object, reply);
        }
        let fault = reply.fault.as_ref();
        let (frames, ending) = if request.endpoint == Endpoint::Chat {
            sse::break_off(chat::frames(&resolved), fault, |error, _| chat::error_frame(error))
        } else {
            sse::break_off(responses::frames(&resolved), fault, responses::error_frame)
        };
        let body = sse::body(frames, reply.chunk_delay, ending, self.control.clone());
        self.response(StatusCode::OK, EVENT_STREAM, body)
    }

    /// A unary answer; with a fault, only its first half.
    fn whole(&self, object: Bytes, reply: &Reply) -> Response {
        let ending = match reply.fault.as_ref().map(|fault| &fault.kind) {
            None => return self.json(StatusCode::OK, object),
            Some(FaultKind::Stall) => Ending::Stall,
            Some(FaultKind::Cut | FaultKind::End | FaultKind::Error(_)) => Ending::Cut,
        };
        let half = vec![Frame { bytes: object.slice(..object.len() / 2), delta: false }];
        let body = sse::body(half, reply.chunk_delay, ending, self.control.clone());
        let mut response = self.response(StatusCode::OK, JSON, body);
        let length = HeaderValue::from(object.len());
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }

    fn refusal(&self, error: &ApiError) -> Response {
        self.json(error.status(), json::bytes(&error.body()))
    }

    fn json(&self, status: StatusCode, body: Bytes) -> Response {
        self.response(status, JSON, Body::from(body))
    }

    fn response(&self, status: StatusCode, content_type: HeaderValue, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let origin =
            Origin { seed: self.state.seed, number: self.number, organization: &self.state.organization };
        headers::common(response.headers_mut(), origin, content_type);
        response
    }
}
