//! When a service has to end.

use std::io;

/// Completes on Ctrl-C, and on Unix also on SIGTERM, which service managers send.
///
/// The signals are handled from this call on, before the future is polled. A service calls it before it
/// announces itself, so that whoever waits for the announcement can already stop it in order.
#[cfg(unix)]
pub(crate) fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Completes on Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn signal() -> io::Result<impl Future<Output = ()> + Send> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::error!(%error, "shutdown.signal.failed");
            std::future::pending::<()>().await;
        }
    })
}
