//! Configures the recorder of the process.

use std::time::Duration;

use crate::{ExporterConfig, FlushError, InitError, Recorder, recorder::flush_blocking};

/// Configures the recorder of the process, and checks the configuration. Without this call the recorder is
/// configured by environment variables.
///
/// Keep the guard until the process ends: when it is dropped, it waits until the receiver has acknowledged the
/// records of all calls.
///
/// ```no_run
/// use spanledger::ExporterConfig;
///
/// # fn main() -> Result<(), spanledger::InitError> {
/// let _guard = spanledger::init(ExporterConfig::from_env().service_name("checkout"))?;
/// // The service runs.
/// # Ok(())
/// # }
/// ```
pub fn init(config: ExporterConfig) -> Result<Guard, InitError> {
    Recorder::try_new(config)?.set_global()?;
    Ok(Guard { timeout: Duration::from_secs(5) })
}

/// Flushes every recorder of the process when it is dropped. [`init`] returns it.
#[must_use = "records that are still queued when the process ends are lost; keep the guard until then"]
#[derive(Debug)]
pub struct Guard {
    timeout: Duration,
}

impl Guard {
    /// Sets the longest time for which the drop blocks the thread. The default is five seconds.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Flushes now and returns the error that a drop can only log.
    pub fn flush(self) -> Result<(), FlushError> {
        let flushed = flush_blocking(self.timeout);
        // There is nothing left to flush when it is dropped.
        std::mem::forget(self);
        flushed
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Err(error) = flush_blocking(self.timeout) {
            tracing::error!(%error, "spanledger.flush.failed");
        }
    }
}
