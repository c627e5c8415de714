//! The operator's port: `/healthz`, `/readyz`, `/metrics`.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::{
    BindError, Pipeline,
    body::{ResponseBody, full},
    metrics, server,
};

/// Connections; an operator's tools need few.
const CONNECTIONS_MAX: usize = 64;
/// A client that asks nothing for so long holds a connection for nothing.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The operator's port, bound and not yet serving.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
    pipeline: Pipeline,
}

impl Admin {
    /// Binds the port. Port 0 lets the system choose.
    pub async fn bind(address: SocketAddr, pipeline: Pipeline) -> Result<Self, BindError> {
        let remedy = "--admin-addr, or none with --admin-addr off";
        Ok(Self { listener: server::listen(address, "health and metrics", remedy).await?, pipeline })
    }

    /// The address.
    pub fn addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves for ever. What it answers is small and complete: it can be dropped at any time.
    pub async fn serve(self) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut tasks = JoinSet::new();
        loop {
            // A task that ended is forgotten, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "admin.accept.failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
                tracing::warn!("admin.connections.exhausted");
                continue;
            };
            let pipeline = self.pipeline.clone();
            let service = service_fn(move |request| {
                let response = answer(&request, &pipeline);
                async move { Ok::<_, Infallible>(response) }
            });
            tasks.spawn(async move {
                let mut builder = Builder::new(TokioExecutor::new()).http1_only();
                builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
                if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                    tracing::debug!(%error, "admin.connection.ended");
                }
                drop(permit);
            });
        }
    }
}

fn answer(request: &Request<Incoming>, pipeline: &Pipeline) -> Response<ResponseBody> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "ask with GET\n");
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/healthz" => plain(StatusCode::OK, "ok\n"),
        "/readyz" if pipeline.is_ready() => plain(StatusCode::OK, "ready\n"),
        "/readyz" => plain(StatusCode::SERVICE_UNAVAILABLE, "not ready: no requests are taken\n"),
        "/metrics" => text(StatusCode::OK, metrics::MEDIA_TYPE, metrics::text(pipeline)),
        _ => plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
    }
}

fn plain(status: StatusCode, body: &'static str) -> Response<ResponseBody> {
    text(status, "text/plain; charset=utf-8", body.to_owned())
}

fn text(status: StatusCode, media_type: &'static str, body: String) -> Response<ResponseBody> {
    let mut response = Response::new(full(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
