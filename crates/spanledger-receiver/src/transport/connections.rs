//! Accepting connections, up to a limit.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// The wait after a failed accept: a process without file descriptors must not spin.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// The connections of one kind of port. Dropping this ends them.
#[derive(Debug)]
pub(super) struct Connections {
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Connections {
    /// At most so many connections at the same time.
    pub(super) fn new(connections_max: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(connections_max)), tasks: JoinSet::new() }
    }

    /// The next connection of a listener. Those over the limit are closed at once.
    ///
    /// Cancel-safe: a connection that was accepted is always returned or closed.
    pub(super) async fn accept(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No file descriptors are left, or the client has gone. Both pass.
                    tracing::warn!(%error, "receiver.accept.failed");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
                tracing::warn!("receiver.connections.exhausted");
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "receiver.nodelay.failed");
            }
            return (stream, permit);
        }
    }

    /// Waits until all connections have ended.
    pub(super) async fn join(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }

    /// Runs a connection, which counts until it has ended.
    pub(super) fn spawn<E: fmt::Display>(
        &mut self,
        permit: OwnedSemaphorePermit,
        connection: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        // Tasks that have ended are removed, so that the set does not grow.
        while self.tasks.try_join_next().is_some() {}
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "receiver.connection.ended");
            }
            drop(permit);
        });
    }
}
