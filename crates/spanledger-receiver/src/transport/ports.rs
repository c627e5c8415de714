//! Serves the OTLP ports. Each of them accepts gRPC and HTTP.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::net::TcpListener;

use super::{
    connections::Connections,
    grpc, http,
    response::{ResponseBody, full},
};
use crate::{Limits, Pipeline, budget::Budget, context::Shared};

/// The ports, which listen but do not answer yet.
#[derive(Debug)]
pub(crate) struct OtlpPorts {
    pub(crate) grpc: TcpListener,
    pub(crate) http: TcpListener,
    pub(crate) limits: Limits,
}

impl OtlpPorts {
    /// Serves until `shutdown` is ready, then answers the open requests. Connections that are still open
    /// after `drain_timeout` are closed.
    pub(crate) async fn serve(
        self,
        pipeline: Pipeline,
        shutdown: impl Future<Output = ()> + Send,
        drain_timeout: Duration,
    ) {
        let Self { grpc, http, limits } = self;
        let shared = Arc::new(Shared { pipeline, budget: Budget::new(&limits) });
        let graceful = GracefulShutdown::new();
        let mut connections = Connections::new(limits.connections_max);
        let mut shutdown = std::pin::pin!(shutdown);
        shared.pipeline.set_served(true);
        loop {
            let (stream, permit) = tokio::select! {
                () = &mut shutdown => break,
                accepted = connections.accept(&grpc) => accepted,
                accepted = connections.accept(&http) => accepted,
            };
            let shared = Arc::clone(&shared);
            let service = service_fn(move |request| {
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            let connection = builder(&limits).serve_connection(TokioIo::new(stream), service).into_owned();
            connections.spawn(permit, graceful.watch(connection));
        }
        shared.pipeline.set_served(false);
        drop((grpc, http));
        let ending = async {
            graceful.shutdown().await;
            connections.join().await;
        };
        if tokio::time::timeout(drain_timeout, ending).await.is_err() {
            tracing::warn!("receiver.shutdown.timeout");
        }
    }
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(30))
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        // Large frames save system calls for clients that use them. The windows limit the bytes that are
        // buffered outside the budget.
        .max_frame_size(1 << 20)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_mins(1))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<ResponseBody> {
    shared.pipeline.counters().add_requests(1);
    let (request, mut body) = request.into_parts();
    let mut response = if grpc::is_grpc(&request) {
        grpc::handle(&request, &mut body, shared).await
    } else {
        http::handle(&request, &mut body, shared).await
    };
    // hyper omits the body of the answer to a HEAD request over HTTP/1.1, but not over HTTP/2.
    if request.method == Method::HEAD && request.version == Version::HTTP_2 {
        *response.body_mut() = full(Bytes::new());
    }
    response
}
