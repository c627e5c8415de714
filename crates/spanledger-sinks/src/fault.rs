//! What can go wrong at a destination.

use std::{fmt, time::Duration};

/// Why a sink cannot go on. It decides what happens to the batches that are not committed.
///
/// The reasons are for people and name the destination: its address, table, topic or file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The destination does not answer or asks to wait. The same batches are sent again, for as long as it takes.
    Retry {
        /// What happened.
        reason: String,
        /// How long the destination asks to wait. Otherwise the waits grow from a fraction of a second to
        /// half a minute.
        after: Option<Duration>,
    },
    /// The batch is too large for the destination. It is divided; an event that is too large alone goes to
    /// the dead letters.
    TooLarge {
        /// The destination's limit, as it states it.
        reason: String,
    },
    /// The destination refuses an event of the batch and does not say which. The batch is divided until the
    /// event is found, and the event goes to the dead letters.
    Rejected {
        /// The destination's reason.
        reason: String,
    },
    /// No batch will succeed before somebody changes something: credentials, rights, the shape of a table, a
    /// topic that does not exist. Nothing goes to the dead letters. The sink waits and opens the destination
    /// again each minute.
    Blocked {
        /// What is wrong.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// Another process writes to the destination as this sink. The sink stops, so that the two do not
    /// displace each other in turns.
    Fenced {
        /// What the destination said.
        reason: String,
    },
}

impl Fault {
    /// A passing fault.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self::Retry { reason: reason.to_string(), after: None }
    }

    /// A passing fault with the wait that the destination asks for.
    pub fn retry_after(reason: impl fmt::Display, after: Option<Duration>) -> Self {
        Self::Retry { reason: reason.to_string(), after }
    }

    /// The batch is too large.
    pub fn too_large(reason: impl fmt::Display) -> Self {
        Self::TooLarge { reason: reason.to_string() }
    }

    /// An event of the batch is refused.
    pub fn rejected(reason: impl fmt::Display) -> Self {
        Self::Rejected { reason: reason.to_string() }
    }

    /// Somebody has to change something.
    pub fn blocked(reason: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self::Blocked { reason: reason.to_string(), remedy: remedy.to_string() }
    }

    /// Another process has taken the place of this one.
    pub fn fenced(reason: impl fmt::Display) -> Self {
        Self::Fenced { reason: reason.to_string() }
    }

    /// What happened, without the remedy.
    pub fn reason(&self) -> &str {
        match self {
            Self::Retry { reason, .. }
            | Self::TooLarge { reason }
            | Self::Rejected { reason }
            | Self::Blocked { reason, .. }
            | Self::Fenced { reason } => reason,
        }
    }
}

impl fmt::Display for Fault {
    /// Writes the reason, and the remedy if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocked { reason, remedy } => write!(f, "{reason}: {remedy}"),
            Self::Fenced { reason } => {
                write!(
                    f,
                    "{reason}: stop the other process, or give this sink another name, and restart `serve`"
                )
            }
            other => f.write_str(other.reason()),
        }
    }
}

impl std::error::Error for Fault {}
