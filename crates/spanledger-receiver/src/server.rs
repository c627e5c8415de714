//! Runs the whole server: the OTLP ports, the operator's port, the deliveries to sinks and the price watch.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use spanledger_event::ErrorChain;
use spanledger_ledger::LedgerError;
use spanledger_sinks::ConfiguredSink;
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use crate::{
    DeliveryOptions, Limits, Pipeline, PriceWatch, Retention, SinkStatus, deliver, register,
    transport::{admin, ports::OtlpPorts},
};

#[cfg(test)]
mod tests;

/// The default time limit of a shutdown. It is well below the half minute that container platforms wait
/// before they kill a process.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(20);
/// The additional time after which a delivery that has not ended at its deadline is aborted.
const ABORT_AFTER: Duration = Duration::from_millis(500);

/// Addresses and limits of a [`Server`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ServerBuilder {
    grpc: SocketAddr,
    http: SocketAddr,
    admin: Option<SocketAddr>,
    limits: Limits,
    shutdown_timeout: Duration,
}

impl ServerBuilder {
    /// The address of OTLP/gRPC. By default the system chooses a port of localhost.
    pub fn grpc(mut self, address: SocketAddr) -> Self {
        self.grpc = address;
        self
    }

    /// The address of OTLP/HTTP. By default the system chooses a port of localhost.
    pub fn http(mut self, address: SocketAddr) -> Self {
        self.http = address;
        self
    }

    /// The address of `/healthz`, `/readyz`, `/metrics` and the admin API. By default they are not served.
    pub fn admin(mut self, address: impl Into<Option<SocketAddr>>) -> Self {
        self.admin = address.into();
        self
    }

    /// The limits of the server.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The time limit of a shutdown; 20 seconds by default. Open requests have the first half of it, and the
    /// deliveries to sinks have the rest.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Listens on all addresses. No request is answered before [`Server::serve`]. A program can therefore
    /// find out that a port is in use before it creates its ledger.
    pub async fn bind(self) -> Result<Server, BindError> {
        let (grpc, grpc_addr) = listen(self.grpc, "OTLP/gRPC", "--grpc-addr").await?;
        let (http, http_addr) = listen(self.http, "OTLP/HTTP", "--http-addr").await?;
        let admin = match self.admin {
            Some(address) => {
                let remedy = "--admin-addr, or none with --admin-addr off";
                Some(listen(address, "health and metrics", remedy).await?)
            }
            None => None,
        };
        Ok(Server {
            addresses: Addresses { grpc: grpc_addr, http: http_addr, admin: admin.as_ref().map(|a| a.1) },
            otlp: OtlpPorts { grpc, http, limits: self.limits },
            admin: admin.map(|(listener, _)| listener),
            shutdown_timeout: self.shutdown_timeout,
            sinks: Vec::new(),
            delivery: DeliveryOptions::default(),
            price_watch: None,
            retention: None,
        })
    }
}

/// Why a server cannot listen.
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

async fn listen(
    address: SocketAddr,
    purpose: &'static str,
    remedy: &'static str,
) -> Result<(TcpListener, SocketAddr), BindError> {
    let error = |source| BindError { address, purpose, remedy, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let address = listener.local_addr().map_err(error)?;
    Ok((listener, address))
}

/// The addresses of a server, with the ports that the system chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// OTLP/gRPC (and OTLP/HTTP: each OTLP port accepts both).
    pub grpc: SocketAddr,
    /// OTLP/HTTP (and OTLP/gRPC).
    pub http: SocketAddr,
    /// `/healthz`, `/readyz` and `/metrics`; `None` when they are not served.
    pub admin: Option<SocketAddr>,
}

/// A server that listens but does not answer requests yet.
///
/// ```
/// use spanledger_ledger::Ledger;
/// use spanledger_otlp::ObservationReader;
/// use spanledger_price::PriceBook;
/// use spanledger_receiver::{Pipeline, Server};
///
/// # let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("spanledger.db");
/// # runtime.block_on(async {
/// let server = Server::builder().bind().await?;
/// let pipeline = Pipeline::new(Ledger::open(path)?, PriceBook::builtin(), ObservationReader::default());
/// let running = server.spawn(pipeline);
/// println!("send OTLP to http://{}", running.addresses().http);
/// running.stop().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Shutdown
///
/// When its `shutdown` future is ready, a server stops listening, answers the open requests, delivers the
/// events in the ledger to its sinks, and ends. The
/// [`shutdown_timeout`](ServerBuilder::shutdown_timeout) limits this time: a client that does not finish its
/// request is disconnected, and a sink that does not accept its events receives them after the next start.
/// Calls that were acknowledged are not lost.
///
/// A message that is still being decoded, or a sink that is blocked in a system call, occupies a blocking
/// thread of the runtime. [`serve`](Self::serve) does not wait for this thread, but dropping a Tokio runtime
/// does. A program should therefore end its runtime with [`Runtime::shutdown_background`].
///
/// [`Runtime::shutdown_background`]: tokio::runtime::Runtime::shutdown_background
pub struct Server {
    addresses: Addresses,
    otlp: OtlpPorts,
    admin: Option<TcpListener>,
    shutdown_timeout: Duration,
    sinks: Vec<ConfiguredSink>,
    delivery: DeliveryOptions,
    price_watch: Option<PriceWatch>,
    retention: Option<Retention>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Server {
    /// A server on ports of localhost that the system chooses, with the default limits.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            grpc: (Ipv4Addr::LOCALHOST, 0).into(),
            http: (Ipv4Addr::LOCALHOST, 0).into(),
            admin: None,
            limits: Limits::default(),
            shutdown_timeout: SHUTDOWN_TIMEOUT,
        }
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Adds a sink that receives the ledger's events. Each sink has its own delivery and cursor.
    #[must_use]
    pub fn with_sink(mut self, sink: ConfiguredSink) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Sets how events are delivered to the sinks.
    #[must_use]
    pub fn with_delivery(mut self, options: DeliveryOptions) -> Self {
        self.delivery = options;
        self
    }

    /// Runs a price watch while the server runs. The pipeline must use the watch's
    /// [`prices`](PriceWatch::prices).
    #[must_use]
    pub fn with_price_watch(mut self, watch: PriceWatch) -> Self {
        self.price_watch = Some(watch);
        self
    }

    /// Deletes old events while the server runs.
    #[must_use]
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Serves in the background.
    pub fn spawn(self, pipeline: Pipeline) -> RunningServer {
        let addresses = self.addresses;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            // An error means that the handle was dropped. The server then stops too.
            drop(stopped.await);
        };
        let task = tokio::spawn(self.serve(pipeline.clone(), shutdown));
        RunningServer { addresses, pipeline, stop, task }
    }

    /// Serves until `shutdown` is ready; see [Shutdown](Self#shutdown).
    pub async fn serve(
        self,
        pipeline: Pipeline,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        // The set is dropped at the end of this function, which aborts its tasks.
        let mut background = JoinSet::new();
        if let Some(watch) = self.price_watch {
            background.spawn(watch.run());
        }
        let statuses: Vec<SinkStatus> =
            self.sinks.iter().map(|sink| SinkStatus::new(&sink.name, sink.kind)).collect();
        pipeline.set_sinks(statuses.iter().cloned().zip(self.sinks.iter().cloned()).collect());
        if let Some(retention) = self.retention {
            let (pipeline, sinks) = (pipeline.clone(), self.sinks.clone());
            background.spawn(async move {
                // Nothing is deleted before the ledger knows all sinks. An error means that the ledger is closed.
                for sink in &sinks {
                    if register(pipeline.ledger(), sink).await.is_err() {
                        return;
                    }
                }
                retention.run(pipeline).await;
            });
        }
        if let Some(listener) = self.admin {
            background.spawn(admin::serve(listener, pipeline.clone()));
        }
        let (stop, stopping) = watch::channel(None);
        let deliveries: Vec<_> = self
            .sinks
            .into_iter()
            .zip(statuses)
            .map(|(sink, status)| {
                let name = sink.name.clone();
                let deadline = deadline(stopping.clone());
                let delivery = deliver(pipeline.ledger().clone(), sink, status, self.delivery, deadline);
                let task = tokio::spawn(async move {
                    delivery.await.inspect_err(|error| {
                        tracing::error!(error = %ErrorChain(error), "sink.delivery.failed");
                    })
                });
                (name, task)
            })
            .collect();

        let timeout = self.shutdown_timeout;
        let mut ends_at = Instant::now();
        let shutdown = async {
            shutdown.await;
            ends_at = Instant::now() + timeout;
        };
        self.otlp.serve(pipeline, shutdown, timeout / 2).await;
        // The deliveries stop only now, because there may be new events until the last request is answered.
        stop.send_replace(Some(ends_at));
        let mut result = Ok(());
        for (sink, mut task) in deliveries {
            let ended = tokio::time::timeout_at(ends_at + ABORT_AFTER, &mut task).await;
            result = result.and(match ended {
                Ok(Ok(Ok(()))) => Ok(()),
                Ok(Ok(Err(source))) => Err(ServeError::Delivery { sink, source }),
                Ok(Err(_)) => Err(ServeError::DeliveryPanicked { sink }),
                Err(_) => {
                    tracing::warn!(sink, "sink.shutdown.aborted");
                    task.abort();
                    Ok(())
                }
            });
        }
        result
    }
}

/// Waits until the server stops. Returns the deadline of the deliveries.
async fn deadline(mut stopping: watch::Receiver<Option<Instant>>) -> Instant {
    // An error means that the server was dropped. The delivery then stops at once.
    stopping.wait_for(Option::is_some).await.ok().and_then(|at| *at).unwrap_or_else(Instant::now)
}

/// Why a server ended with an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The ledger failed during a delivery.
    #[error("the delivery to the sink `{sink}` ended early")]
    Delivery {
        /// The sink's name.
        sink: String,
        /// The error of the ledger.
        #[source]
        source: LedgerError,
    },
    /// A sink panicked.
    #[error("the delivery to the sink `{sink}` panicked, which is a bug of the sink: please report it")]
    DeliveryPanicked {
        /// The sink's name.
        sink: String,
    },
}

/// A handle of a server that runs in the background. Dropping the handle stops the server without waiting.
#[derive(Debug)]
pub struct RunningServer {
    addresses: Addresses,
    pipeline: Pipeline,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl RunningServer {
    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The pipeline of the server.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Stops the server and waits for its end; see [Shutdown](Server#shutdown).
    pub async fn stop(self) -> Result<(), ServeError> {
        let Self { pipeline, stop, task, .. } = self;
        drop((pipeline, stop));
        match task.await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
