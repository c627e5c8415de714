//! Accepts connections up to a limit.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

/// The wait after a failed accept, so that the loop does not spin if no file descriptor is free.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// The open connections of one or more ports. Dropping this value closes them.
#[derive(Debug)]
pub(super) struct Connections {
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Connections {
    /// Allows at most `connections_max` connections at the same time.
    pub(super) fn new(connections_max: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(connections_max)), tasks: JoinSet::new() }
    }

    /// Accepts the next connection of a listener. Connections over the limit are closed at once.
    ///
    /// Cancel-safe: a connection that was accepted is always returned or closed.
    pub(super) async fn accept(&self, listener: &TcpListener) -> (TcpStream, OwnedSemaphorePermit) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // No file descriptor is free, or the client has disconnected. Both are temporary.
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

    /// Runs a connection. It counts towards the limit until it ends.
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
