//! Whether the receiver can do its work, and why not.

use std::time::Duration;

use spanledger_ledger::WriterFault;

use crate::Pipeline;

/// How long the answer waits for the ledger's writer to check itself. A busy writer is not a fault, so that
/// the answer is then what is known already. Those who ask often wait for one second only.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// Why the receiver does not record requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReady {
    /// No server is running, or it is stopping.
    #[error("the receiver accepts no requests: it starts or stops")]
    NotServed,
    /// The ledger records nothing.
    #[error("{0}")]
    Ledger(WriterFault),
}

impl Pipeline {
    /// Whether requests are accepted and can be recorded, as far as is known without asking the ledger's
    /// writer.
    pub fn is_ready(&self) -> bool {
        self.known_readiness().is_ok()
    }

    /// Whether requests are accepted and can be recorded. The ledger's writer checks itself before it
    /// answers: it looks whether its files are still there, and after a failure it tries a commit. A fault is
    /// therefore found, and its end is noticed, without any request.
    pub async fn readiness(&self) -> Result<(), NotReady> {
        if self.is_served() {
            // The result of the probe is in the health of the ledger.
            drop(tokio::time::timeout(PROBE_TIMEOUT, self.ledger().probe()).await);
        }
        self.known_readiness()
    }

    /// Whether the process can still recover. If not, only a restart helps.
    pub(crate) fn is_healthy(&self) -> bool {
        !self.ledger().health().has_stopped()
    }

    fn known_readiness(&self) -> Result<(), NotReady> {
        if !self.is_served() {
            return Err(NotReady::NotServed);
        }
        self.ledger().health().fault().map_or(Ok(()), |fault| Err(NotReady::Ledger(fault)))
    }
}
