//! Forgetting a follower that no longer exists.

use crate::{Ledger, LedgerError, apply::Append, outbox::InFlight};

impl Ledger {
    /// Forgets a follower: its cursor and its batches in flight. Returns whether the ledger knew it. Events
    /// are no longer kept for it, and if it comes back it receives all events that the ledger has.
    pub async fn forget(&self, follower: &str) -> Result<bool, LedgerError> {
        let follower = follower.to_owned();
        let (is_known, _) = self.work(move |append| append.forget(&follower)).await?;
        Ok(is_known)
    }
}

impl Append<'_> {
    fn forget(&mut self, follower: &str) -> Result<bool, LedgerError> {
        let cursors = self.connection.execute("DELETE FROM follower WHERE name = ?", [follower])?;
        let batches = self.connection.execute("DELETE FROM batch WHERE follower = ?", [follower])?;
        self.connection.execute(
            "DELETE FROM superseded WHERE NOT EXISTS (
                SELECT 1 FROM batch WHERE cursor < superseded.change_seq AND superseded.change_seq <= last)",
            [],
        )?;
        self.state.in_flight = InFlight::load(self.connection)?;
        Ok(cursors + batches > 0)
    }
}
