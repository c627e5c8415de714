//! From a request to an answer: routes, the refusals of the provider itself,
//! and what a scripted reply makes of a call.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::openai::connection::{Exit, Line, Switch};
use crate::openai::errors::ApiError;
use crate::openai::headers::{self, EVENT_STREAM, JSON, Origin};
use crate::openai::log::Received;
use crate::openai::plan::Plan;
use crate::openai::reply::{Break, Fault, Kind, Reply};
use crate::openai::request::{Asked, Endpoint};
use crate::openai::sse::{self, Ending, Frame};
use crate::openai::state::State;
use crate::openai::{chat, embeddings, json, models, responses};

/// The largest request body that the provider reads.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The service behind all connections.
pub(crate) fn router(state: Arc<State>, drain: Switch) -> Router {
    Router::new().fallback(handle).with_state((state, drain))
}

async fn handle(
    Shared((state, drain)): Shared<(Arc<State>, Switch)>,
    ConnectInfo(line): ConnectInfo<Line>,
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
    let exchange = Exchange { state: &state, number, exit: Exit { line, drain } };
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

/// Any key will do, in the header of the provider or in that of its resellers.
fn carries_key(headers: &HeaderMap) -> bool {
    let bearer = headers.get(AUTHORIZATION).is_some_and(|value| value.as_bytes().len() > 7);
    bearer || headers.contains_key("api-key")
}

/// One request and the way to answer it.
struct Exchange<'a> {
    state: &'a State,
    number: u64,
    exit: Exit,
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

    /// A call that costs money: the next reply, whatever it says.
    async fn call(self, endpoint: Endpoint, body: &Bytes) -> Response {
        let asked = match Asked::parse(endpoint, body) {
            Ok(asked) => asked,
            Err(error) => return self.refusal(&error),
        };
        let reply = self.state.next_reply(&asked.model);
        if !reply.first_byte_delay.is_zero() {
            tokio::time::sleep(reply.first_byte_delay).await;
        }
        let mut response = match &reply.kind {
            Kind::Hang => return self.exit.hang().await,
            Kind::Close => return self.exit.close().await,
            Kind::Error(error) => self.refusal(error),
            Kind::Raw { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::OK);
                self.response(status, content_type.clone(), Body::from(body.clone()))
            }
            Kind::Failed { code, message } if endpoint != Endpoint::Responses => {
                self.refusal(&ApiError::new(500, "server_error", message).code(code))
            }
            Kind::Answer | Kind::Failed { .. } => self.answer(&asked, &reply),
        };
        let status = response.status();
        headers::of_call(response.headers_mut(), status, asked.prompt_tokens, &reply);
        response
    }

    fn answer(&self, asked: &Asked, reply: &Reply) -> Response {
        let plan = Plan::new(self.state.seed, self.number, asked, reply);
        let error = match &reply.fault {
            Some(Fault { what: Break::Error(error), .. }) => Some(error),
            _ => None,
        };
        if let Some(error) = error
            && !asked.stream
        {
            return self.refusal(error);
        }
        let (object, collection) = match asked.endpoint {
            Endpoint::Chat => (chat::object(&plan), "chat/completions"),
            Endpoint::Responses => (responses::object(&plan), "responses"),
            Endpoint::Embeddings => (embeddings::object(&plan), "embeddings"),
        };
        if asked.stored && error.is_none() {
            self.state.store(format!("/v1/{collection}/{}", plan.id), object.clone());
        }
        if !asked.stream {
            return self.whole(object, reply);
        }
        let fault = reply.fault.as_ref();
        let (frames, ending) = if asked.endpoint == Endpoint::Chat {
            sse::break_off(chat::frames(&plan), fault, |error, _| chat::error_frame(error))
        } else {
            sse::break_off(responses::frames(&plan), fault, responses::error_frame)
        };
        let body = sse::body(frames, reply.chunk_delay, ending, self.exit.clone());
        self.response(StatusCode::OK, EVENT_STREAM, body)
    }

    /// An answer in one piece; with a fault, only its first half.
    fn whole(&self, object: Bytes, reply: &Reply) -> Response {
        let ending = match reply.fault.as_ref().map(|fault| &fault.what) {
            None => return self.json(StatusCode::OK, object),
            Some(Break::Stall) => Ending::Stall,
            Some(Break::Cut | Break::End | Break::Error(_)) => Ending::Cut,
        };
        let half = vec![Frame { bytes: object.slice(..object.len() / 2), delta: false }];
        let body = sse::body(half, reply.chunk_delay, ending, self.exit.clone());
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
