//! What can go wrong with the key index.

use crate::error::{LedgerError, RowError};

/// Why the key index could not be read or written. Nothing in memory is wrong after the mark of the transaction
/// was undone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// SQLite refused.
    #[error("the key index could not be read or written")]
    Storage(#[from] rusqlite::Error),
    /// A row of the index is not what was written. The journal has all that is needed to make the index again.
    #[error(transparent)]
    Damaged(RowError),
}

impl KeyError {
    pub(super) fn damaged_page(run: u64, page: u64, problem: &'static str) -> Self {
        Self::Damaged(RowError::KeyPage { run, page, problem })
    }

    pub(super) fn damaged_run(run: i64, problem: &'static str) -> Self {
        Self::Damaged(RowError::KeyRun { run, problem })
    }

    /// Whether the index must be emptied with [`clear`](super::clear) and filled again from the journal. Other
    /// errors are those of the file and may pass.
    pub(crate) fn rebuild_needed(&self) -> bool {
        matches!(self, Self::Damaged(_))
    }
}

impl From<KeyError> for LedgerError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Storage(error) => error.into(),
            KeyError::Damaged(error) => Self::Damaged(error),
        }
    }
}
