//! The operator's port: `/healthz`, `/readyz`, `/metrics`, and the [admin API](super::api).

use std::{convert::Infallible, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use spanledger_event::ErrorChain;
use tokio::net::TcpListener;

use super::{
    api,
    connections::Connections,
    response::{ResponseBody, full},
};
use crate::{Pipeline, metrics};

/// The greatest number of connections; an operator's tools need only a few.
const CONNECTIONS_MAX: usize = 64;
const PLAIN: &str = "text/plain; charset=utf-8";
/// The longest time in which a client may send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the operator's port until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, pipeline: Pipeline) {
    let mut connections = Connections::new(CONNECTIONS_MAX);
    loop {
        let (stream, permit) = connections.accept(&listener).await;
        let pipeline = pipeline.clone();
        let service = service_fn(move |request| {
            let pipeline = pipeline.clone();
            async move { Ok::<_, Infallible>(answer(request, &pipeline).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        connections.spawn(permit, connection);
    }
}

async fn answer(request: Request<Incoming>, pipeline: &Pipeline) -> Response<ResponseBody> {
    if request.uri().path().starts_with(api::PREFIX) {
        return api::answer(request, pipeline).await;
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" if pipeline.is_healthy() => plain(StatusCode::OK, "ok\n"),
        "/healthz" => {
            let words = "the ledger's writer has stopped after an internal error: restart spanledger\n";
            plain(StatusCode::SERVICE_UNAVAILABLE, words)
        }
        "/readyz" => match pipeline.readiness().await {
            Ok(()) => plain(StatusCode::OK, "ready\n"),
            Err(why) => {
                text(StatusCode::SERVICE_UNAVAILABLE, PLAIN, format!("not ready: {}\n", ErrorChain(&why)))
            }
        },
        "/metrics" => text(StatusCode::OK, metrics::MEDIA_TYPE, metrics::text(pipeline)),
        _ => plain(StatusCode::NOT_FOUND, "this port serves /healthz, /readyz and /metrics\n"),
    }
}

fn plain(status: StatusCode, body: &'static str) -> Response<ResponseBody> {
    text(status, PLAIN, body.to_owned())
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
