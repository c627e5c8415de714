//! Attribution for a whole task.

use std::sync::Arc;

use spanledger_event::Attribution;

tokio::task_local! {
    static CURRENT: Arc<Attribution>;
}

/// Attributes every call of a future.
pub trait Scope {
    /// Runs a future whose calls get this attribution, except calls with an attached attribution.
    ///
    /// Scopes can be nested; the innermost one is used. A task that the future spawns is outside of the scope.
    fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output>;
}

impl Scope for Attribution {
    fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(Arc::new(self.clone()), future)
    }
}

/// The attribution of the innermost scope of the current task. `None` outside of every scope.
pub fn current() -> Option<Arc<Attribution>> {
    CURRENT.try_with(Arc::clone).ok()
}
