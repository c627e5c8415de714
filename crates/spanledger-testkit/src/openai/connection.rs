//! Connections that the provider can hang up on, at any point of an exchange.
//!
//! The HTTP server below offers no such thing, and a stand-in provider needs it
//! twice: to close a connection without an answer, and to stop while a reply
//! that never comes is still being waited for.

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

/// The pause after a failed accept, which is most often a lack of descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Something that happens once and that many wait for.
#[derive(Debug, Clone)]
pub(crate) struct Switch(watch::Sender<bool>);

impl Switch {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(crate) fn flip(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn flipped(self) {
        let mut changes = self.0.subscribe();
        // Cannot fail: `self` holds a sender.
        drop(changes.wait_for(|flipped| *flipped).await);
    }
}

/// The switch of one connection.
#[derive(Debug, Clone)]
pub(crate) struct Line(Switch);

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.io().line.clone()
    }
}

/// The ways out of an exchange that has no answer.
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    pub(crate) line: Line,
    /// The provider has been told to stop.
    pub(crate) drain: Switch,
}

impl Exit {
    /// Drops the connection, now.
    pub(crate) async fn close<T>(self) -> T {
        self.line.0.flip();
        // The connection takes this future with it.
        std::future::pending().await
    }

    /// Keeps the connection open and silent until the provider stops.
    pub(crate) async fn hang<T>(self) -> T {
        self.drain.clone().flipped().await;
        self.close().await
    }
}

/// A listener of connections that can be hung up on, one by one or all at once.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) listener: TcpListener,
    pub(crate) hang_up_all: Switch,
}

impl Listener for Lines {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, peer)) = self.listener.accept().await {
                // Small messages must leave at once; if not, they only leave later.
                drop(stream.set_nodelay(true));
                return (Wire::new(stream, self.hang_up_all.clone()), peer);
            }
            tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A TCP stream that fails as soon as its switch, or that of all, is flipped.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Line,
    hung_up: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Wire {
    fn new(stream: TcpStream, all: Switch) -> Self {
        let line = Line(Switch::new());
        let (one, all) = (Box::pin(line.0.clone().flipped()), Box::pin(all.flipped()));
        let hung_up: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            select(one, all).await;
        });
        Self { stream, line, hung_up: Some(hung_up) }
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

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
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
