//! Attribution for a whole task.

use std::sync::Arc;

use spanledger_event::Attribution;

tokio::task_local! {
    static CURRENT: Arc<Attribution>;
}

/// Attributes every call of a future.
pub trait Scope {
    /// Runs a future whose calls are for this attribution, unless they say otherwise themselves.
    ///
    /// Scopes nest; the inner one wins. A task that the future spawns is outside of it.
    fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output>;
}

impl Scope for Attribution {
    fn scope<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(Arc::new(self.clone()), future)
    }
}

/// The attribution of the task that runs, if it is in a scope.
pub fn current() -> Option<Arc<Attribution>> {
    CURRENT.try_with(Arc::clone).ok()
}
