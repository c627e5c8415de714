//! Connections that the provider can close at any point of an exchange.
//!
//! `axum::serve` cannot close a single connection. The stand-in needs that to close a
//! connection without an answer, and to stop while a client waits for a reply that
//! never comes.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures_util::future::select;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The pause after a failed accept. The most common cause is a lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// An event that happens once, and for which many tasks can wait.
#[derive(Debug, Clone)]
pub(crate) struct Signal(watch::Sender<bool>);

impl Signal {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn fire(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn fired(self) {
        let mut changes = self.0.subscribe();
        // This cannot fail, because `self` holds a sender.
        drop(changes.wait_for(|fired| *fired).await);
    }
}

/// Closes one connection.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionSignal(Signal);

impl Connected<IncomingStream<'_, Connections>> for ConnectionSignal {
    fn connect_info(stream: IncomingStream<'_, Connections>) -> Self {
        stream.io().connection.clone()
    }
}

/// What a handler can do with its connection instead of answering.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionControl {
    pub(crate) connection: ConnectionSignal,
    /// Fires when the provider stops.
    pub(crate) stopping: Signal,
}

impl ConnectionControl {
    /// Closes the connection immediately.
    pub(crate) async fn close<T>(self) -> T {
        self.connection.0.fire();
        // The server drops this future together with the connection.
        std::future::pending().await
    }

    /// Keeps the connection open and silent until the provider stops.
    pub(crate) async fn hang<T>(self) -> T {
        self.stopping.clone().fired().await;
        self.close().await
    }
}

/// A listener whose connections can be closed, one by one or all at once.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) listener: TcpListener,
    pub(crate) hang_up_all: Signal,
}

impl Listener for Connections {
    type Io = AbortableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AbortableStream, SocketAddr) {
        loop {
            if let Ok((stream, peer)) = self.listener.accept().await {
                // If this fails, small messages are sent later; the connection still works.
                drop(stream.set_nodelay(true));
                return (AbortableStream::new(stream, self.hang_up_all.clone()), peer);
            }
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP stream that fails as soon as its own signal or the signal of all connections has fired.
pub(crate) struct AbortableStream {
    stream: TcpStream,
    connection: ConnectionSignal,
    hung_up: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl AbortableStream {
    fn new(stream: TcpStream, all: Signal) -> Self {
        let connection = ConnectionSignal(Signal::new());
        let (one, all) = (Box::pin(connection.0.clone().fired()), Box::pin(all.fired()));
        let hung_up: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            select(one, all).await;
        });
        Self { stream, connection, hung_up: Some(hung_up) }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let gone = match &mut self.hung_up {
            Some(hung_up) => hung_up.as_mut().poll(cx).is_ready(),
            None => true,
        };
        if gone {
            self.hung_up = None;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(())
    }
}

impl AsyncRead for AbortableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for AbortableStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
