//! Forgetting a follower that no longer exists.

use crate::{Ledger, LedgerError, apply::Append, outbox};

impl Ledger {
    /// Forgets a follower: its cursor, its batches in flight and its dead letters. Returns whether the ledger knew it. Events
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
        let batches = outbox::drop_batches(self.connection, follower)?;
        let letters = outbox::forget_dead_letters(self.connection, follower)?;
        let state = &mut *self.state;
        state.followers.forget(follower);
        state.tail.release(&state.followers, i64::MAX);
        state.tail.turn(state.followers.is_any(), state.last_number);
        Ok(cursors + batches + letters > 0)
    }
}
