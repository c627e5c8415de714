//! Waits for the signals that end a service.

use std::io;

/// Completes on Ctrl-C, and on Unix also on SIGTERM, which service managers send.
///
/// The signals are handled from this call on, even before the future is polled. A service calls this function
/// before it prints its addresses: a program that waits for that output can then stop the service gracefully.
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
