//! The listening ports.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, Request, Response, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};

use crate::{
    Pipeline, Refusal,
    body::{self, Budget, ResponseBody},
    grpc, http,
};

/// How long a shutdown waits for requests that are being answered.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// What the receiver takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, before and after inflating. The OTLP specification recommends 64 MiB.
    pub body_bytes_max: usize,
    /// Bytes of all messages in flight.
    pub in_flight_bytes_max: usize,
    /// Connections.
    pub connections_max: usize,
    /// Streams of one HTTP/2 connection.
    pub streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            in_flight_bytes_max: 256 << 20,
            connections_max: 4_096,
            streams_max: 256,
        }
    }
}

/// A port that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {address} for {purpose}: is another receiver running there? stop it, or choose another address with {remedy}"
)]
pub struct BindError {
    address: SocketAddr,
    purpose: &'static str,
    remedy: &'static str,
    #[source]
    source: std::io::Error,
}

/// What a connection needs to answer.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) pipeline: Pipeline,
    pub(crate) limits: Limits,
    pub(crate) budget: Budget,
}

impl Context {
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.pipeline.counters().refuse();
        tracing::debug!(%refusal, "receiver.request.refused");
    }
}

/// The bound ports, not yet serving.
#[derive(Debug)]
pub struct Receiver {
    grpc: TcpListener,
    http: TcpListener,
    context: Arc<Context>,
}

impl Receiver {
    /// Binds both ports. Port 0 lets the system choose.
    pub async fn bind(
        grpc: SocketAddr,
        http: SocketAddr,
        limits: Limits,
        pipeline: Pipeline,
    ) -> Result<Self, BindError> {
        let context = Context { pipeline, limits, budget: Budget::new(limits.in_flight_bytes_max) };
        Ok(Self {
            grpc: listen(grpc, "OTLP/gRPC", "--grpc-addr").await?,
            http: listen(http, "OTLP/HTTP", "--http-addr").await?,
            context: Arc::new(context),
        })
    }

    /// The address of OTLP/gRPC.
    pub fn grpc_addr(&self) -> std::io::Result<SocketAddr> {
        self.grpc.local_addr()
    }

    /// The address of OTLP/HTTP.
    pub fn http_addr(&self) -> std::io::Result<SocketAddr> {
        self.http.local_addr()
    }

    /// Serves until `shutdown` is ready, then answers what was begun and returns.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let connections = Arc::new(Semaphore::new(self.context.limits.connections_max));
        let graceful = GracefulShutdown::new();
        let mut tasks = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        self.context.pipeline.set_served(true);
        loop {
            // A task that ended is forgotten, so that the set does not grow.
            while tasks.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = self.grpc.accept() => accepted,
                accepted = self.http.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file descriptors, or a client that left; neither is ours to die of.
                    tracing::warn!(%error, "receiver.accept.failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&connections).try_acquire_owned() else {
                tracing::warn!("receiver.connections.exhausted");
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "receiver.nodelay.failed");
            }
            let context = Arc::clone(&self.context);
            let service = service_fn(move |request| {
                let context = Arc::clone(&context);
                async move { Ok::<_, std::convert::Infallible>(answer(request, &context).await) }
            });
            let connection =
                builder(&self.context.limits).serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = graceful.watch(connection);
            tasks.spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(error = %error, "receiver.connection.ended");
                }
                drop(permit);
            });
        }
        self.context.pipeline.set_served(false);
        drop((self.grpc, self.http));
        if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
            tracing::warn!("receiver.shutdown.timeout");
        }
        tasks.shutdown().await;
    }
}

pub(crate) async fn listen(
    address: SocketAddr,
    purpose: &'static str,
    remedy: &'static str,
) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, purpose, remedy, source })
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
        // Large frames save calls where the client honours them; windows bound what is buffered.
        .max_frame_size(1 << 20)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_mins(1))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}

async fn answer(request: Request<Incoming>, context: &Context) -> Response<ResponseBody> {
    context.pipeline.counters().request();
    let (request, mut body) = request.into_parts();
    let mut response = if grpc::is_grpc(&request) {
        grpc::handle(&request, &mut body, context).await
    } else {
        http::handle(&request, &mut body, context).await
    };
    // hyper leaves the body out for us over HTTP/1.1, but not over HTTP/2, where one is an error.
    if request.method == Method::HEAD && request.version == Version::HTTP_2 {
        *response.body_mut() = body::full(Bytes::new());
    }
    response
}
