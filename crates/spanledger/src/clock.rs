//! The clock of the service.

use std::time::{SystemTime, UNIX_EPOCH};

use spanledger_event::Timestamp;

/// The present time. A clock that stands before 1970 counts as standing there.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}
