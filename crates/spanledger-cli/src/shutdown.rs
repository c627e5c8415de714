//! When a service has to end.

/// Completes on Ctrl-C, and on Unix also on SIGTERM, which service managers send.
///
/// The signals are caught from this call on, not only once the future is polled: a service that says
/// that it is ready must not be killed by the next signal.
#[cfg(unix)]
pub(crate) fn signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    async fn received(signal: std::io::Result<Signal>) {
        match signal {
            Ok(mut signal) => _ = signal.recv().await,
            Err(error) => {
                tracing::error!(%error, "shutdown.signal.failed");
                std::future::pending::<()>().await;
            }
        }
    }

    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

/// Completes on Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn signal() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "shutdown.signal.failed");
        std::future::pending::<()>().await;
    }
}
