//! Answers requests: routes, refusals, scripted replies.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::response::Response;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, LOCATION};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::openai::connection::{ConnectionControl, ConnectionSignal, Signal};
use crate::openai::endpoint::Endpoint;
use crate::openai::errors::ApiError;
use crate::openai::fields::Fields;
use crate::openai::headers::{self, EVENT_STREAM, JSON, Origin};
use crate::openai::path::ApiPath;
use crate::openai::received::Received;
use crate::openai::reply::{Fault, FaultKind, Reply, ReplyKind};
use crate::openai::request::ApiRequest;
use crate::openai::resolved::ResolvedReply;
use crate::openai::resources::{self, Action, Creation, Kind, Resource};
use crate::openai::sse::{self, Ending, Frame};
use crate::openai::state::State;
use crate::openai::{format, json, models, oddities, responses};

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
    let exchange = Exchange {
        state: &state,
        number,
        method: parts.method.as_str(),
        query: parts.uri.query(),
        headers: &parts.headers,
        control: ConnectionControl { connection, stopping },
    };
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
    exchange.route(parts.uri.path(), &body).await
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
    method: &'a str,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
    control: ConnectionControl,
}

impl Exchange<'_> {
    async fn route(self, path: &str, body: &Bytes) -> Response {
        let scripted = self.state.next_reply_for_path(path);
        let Some(api) = ApiPath::read(path, self.query) else { return self.nothing_at(path) };
        let segments = api.segments.as_slice();
        let endpoint = Endpoint::at(segments).filter(|_| self.method == "POST");
        if let Some(endpoint) = endpoint {
            return self.call(endpoint, api.deployment, scripted, body).await;
        }
        let action = Action::of(self.method, segments);
        if let Some(Action::Create(kind)) = action {
            return self.create(kind, segments, scripted, body).await;
        }
        match (action, scripted) {
            (Some(action), Some(reply)) => {
                self.scripted(&reply, false, || self.act(action, &api, body)).await
            }
            (Some(action), None) => self.act(action, &api, body),
            (None, Some(reply)) if self.method == "POST" => {
                self.call(Endpoint::Unknown, api.deployment, Some(reply), body).await
            }
            (None, _) => match (self.method, segments) {
                ("GET", ["models"]) => self.json(StatusCode::OK, models::list()),
                ("GET", ["models", id]) => match models::get(id) {
                    Ok(model) => self.json(StatusCode::OK, model),
                    Err(error) => self.refusal(&error),
                },
                (_, ["models", ..]) => self.wrong_method(path),
                _ if Endpoint::at(segments).is_some() || resources::has_path(segments) => {
                    self.wrong_method(path)
                }
                _ => self.nothing_at(path),
            },
        }
    }

    /// Reads or changes a stored object.
    fn act(&self, action: Action, path: &ApiPath<'_>, body: &Bytes) -> Response {
        let key = path.key();
        // The object that a command after the last slash is about.
        let parent = || key.rsplit_once('/').map_or("", |(parent, _)| parent);
        let fields = Fields::read(self.headers, body).unwrap_or_default();
        let object = match action {
            Action::List => Some(resources::list(&self.state.list(&key))),
            Action::Search => Some(resources::search(&fields)),
            Action::Command => Some(Bytes::new()),
            Action::Read if self.wants_stream() => {
                let content = self.state.content(&key).filter(|content| !content.is_empty());
                if let Some(content) = content {
                    return self.response(StatusCode::OK, EVENT_STREAM, Body::from(content));
                }
                self.state.read(&key)
            }
            Action::Read => self.state.read(&key),
            Action::Content => {
                let content = self.state.content(parent());
                if let Some(content) = content {
                    let binary = HeaderValue::from_static("application/octet-stream");
                    return self.response(StatusCode::OK, binary, Body::from(content));
                }
                None
            }
            Action::Update => self.state.edit(&key, |resource| resources::update(resource, &fields)),
            Action::Cancel => self.state.edit(parent(), resources::cancel),
            Action::Delete => self.state.delete(&key).map(|object| resources::deleted(&object)),
            Action::Create(_) => None,
        };
        match object {
            Some(object) => self.json(StatusCode::OK, object),
            None => self.refusal(&ApiError::new(
                404,
                "invalid_request_error",
                format!("There is no object at '{key}'."),
            )),
        }
    }

    fn wants_stream(&self) -> bool {
        self.query.is_some_and(|query| query.split('&').any(|parameter| parameter == "stream=true"))
    }

    /// Creates an object. If that is billed, it takes the next reply.
    async fn create(&self, kind: Kind, segments: &[&str], scripted: Option<Reply>, body: &Bytes) -> Response {
        let fields = match Fields::read(self.headers, body) {
            Ok(fields) => fields,
            Err(error) => return self.refusal(&error),
        };
        let (state, number) = (self.state, self.number);
        let creation = |reply| Creation { state, number, path: segments, fields: &fields, reply };
        let without_reply = Reply::new();
        // An invalid request takes no reply.
        if let Err(error) = creation(&without_reply).create(kind) {
            return self.refusal(&error);
        }
        let reply = match scripted {
            Some(reply) => reply,
            None if kind.is_billed() => state.next_reply(&creation(&without_reply).model(kind)),
            None => without_reply.clone(),
        };
        self.scripted(&reply, false, || {
            let created = match creation(&reply).create(kind) {
                Ok(created) => created,
                Err(error) => return self.refusal(&error),
            };
            for (path, resource) in created.stored {
                self.state.store(path, resource);
            }
            let body = oddities::replace_in(created.body, &reply.replaced);
            let mut response = self.whole(created.content_type, body, &reply);
            *response.status_mut() = created.status;
            if let Some(location) = created.location.and_then(|path| HeaderValue::from_str(&path).ok()) {
                response.headers_mut().insert(LOCATION, location);
            }
            response
        })
        .await
    }

    /// Answers a call with the reply for its path or the next reply.
    async fn call(
        &self,
        endpoint: Endpoint,
        deployment: Option<&str>,
        scripted: Option<Reply>,
        body: &Bytes,
    ) -> Response {
        let request = match ApiRequest::parse(endpoint, deployment, self.headers, body) {
            Ok(request) => request,
            Err(error) => return self.refusal(&error),
        };
        if let Some(refusal) = &self.state.stream_options_refusal
            && request.raw("stream_options").is_some()
        {
            return self.refusal(refusal);
        }
        let reply = scripted.unwrap_or_else(|| self.state.next_reply(&request.model));
        let mut response = self
            .scripted(&reply, request.stream, || match &reply.kind {
                ReplyKind::Failed { code, message } if endpoint != Endpoint::Responses => {
                    self.refusal(&ApiError::new(500, "server_error", message).code(code))
                }
                ReplyKind::OkWithError(error) => {
                    self.stream(vec![format::error_frame(endpoint, error, 0)], Ending::Proper, &reply)
                }
                _ => self.answer(&request, &reply),
            })
            .await;
        let status = response.status();
        headers::of_call(response.headers_mut(), status, request.prompt_tokens, &reply);
        response
    }

    /// Does what the reply says, and answers with `answer` if the reply depends on the request.
    async fn scripted(&self, reply: &Reply, stream: bool, answer: impl FnOnce() -> Response) -> Response {
        if !reply.first_byte_delay.is_zero() {
            tokio::time::sleep(reply.first_byte_delay).await;
        }
        match &reply.kind {
            ReplyKind::Hang => self.control.clone().hang().await,
            ReplyKind::Close => self.control.clone().close().await,
            ReplyKind::Error(error) => self.refusal(error),
            ReplyKind::OkWithError(error) if !stream => self.json(StatusCode::OK, json::bytes(&error.body())),
            ReplyKind::Raw { status, content_type, body } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::OK);
                self.response(status, content_type.clone(), Body::from(body.clone()))
            }
            ReplyKind::Answer | ReplyKind::Failed { .. } | ReplyKind::OkWithError(_) => answer(),
        }
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
        let (content_type, object) = format::whole(&resolved);
        let object = oddities::replace_in(object, &reply.replaced);
        let mut frames = if request.stream { format::frames(&resolved) } else { Vec::new() };
        oddities::replace_in_frames(&mut frames, &reply.replaced);
        let stored = request.stored && error.is_none();
        if stored {
            self.store(&resolved, reply, object.clone(), &frames);
        }
        if !request.stream {
            let queued = request.background.then(|| responses::background(&resolved).0);
            return self.whole(content_type, queued.unwrap_or(object), reply);
        }
        let error_frame = |error: &ApiError, before| format::error_frame(request.endpoint, error, before);
        let (frames, ending) = sse::break_off(frames, reply.fault.as_ref(), error_frame);
        self.stream(frames, ending, reply)
    }

    /// Stores a call. A background response is in work for the first reads.
    fn store(&self, resolved: &ResolvedReply<'_>, reply: &Reply, object: Bytes, frames: &[Frame]) {
        let request = resolved.request;
        let collection = if request.endpoint == Endpoint::Chat { "chat/completions" } else { "responses" };
        let frames = if frames.is_empty() && request.endpoint == Endpoint::Responses {
            responses::frames(resolved)
        } else {
            frames.to_vec()
        };
        let content: Vec<u8> = frames.iter().flat_map(|frame| frame.bytes.iter().copied()).collect();
        let mut resource = Resource { content: content.into(), ..Resource::fixed(object.clone()) };
        if request.background {
            let (queued, working) = responses::background(resolved);
            resource.object = queued;
            resource.next = vec![working; resources::polls(reply)].into();
            resource.next.push_back(object);
        }
        self.state.store(format!("/v1/{collection}/{}", resolved.id), resource);
    }

    /// A unary answer; with a fault, only its first half.
    fn whole(&self, content_type: HeaderValue, body: Bytes, reply: &Reply) -> Response {
        let ending = match reply.fault.as_ref().map(|fault| &fault.kind) {
            None => {
                let body = if reply.trailing.is_empty() {
                    body
                } else {
                    [&body[..], &reply.trailing].concat().into()
                };
                return self.response(StatusCode::OK, content_type, Body::from(body));
            }
            Some(FaultKind::Stall) => Ending::Stall,
            Some(FaultKind::Cut | FaultKind::End | FaultKind::Error(_)) => Ending::Cut,
        };
        let half = vec![Frame { bytes: body.slice(..body.len() / 2), delta: false }];
        let length = HeaderValue::from(body.len());
        let body = sse::body(half, reply.chunk_delay, ending, self.control.clone());
        let mut response = self.response(StatusCode::OK, content_type, body);
        response.headers_mut().insert(CONTENT_LENGTH, length);
        response
    }

    fn stream(&self, mut frames: Vec<Frame>, ending: Ending, reply: &Reply) -> Response {
        if !reply.trailing.is_empty() {
            frames.push(Frame { bytes: reply.trailing.clone(), delta: false });
        }
        let body = sse::body(frames, reply.chunk_delay, ending, self.control.clone());
        self.response(StatusCode::OK, EVENT_STREAM, body)
    }

    fn nothing_at(&self, path: &str) -> Response {
        let message = format!("There is nothing at {} {path}.", self.method);
        self.refusal(&ApiError::new(404, "invalid_request_error", message))
    }

    fn wrong_method(&self, path: &str) -> Response {
        let message = format!("{} is not possible on {path}.", self.method);
        self.refusal(&ApiError::new(405, "invalid_request_error", message).code("method_not_supported"))
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
