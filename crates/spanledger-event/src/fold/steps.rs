//! Counts the steps of the fold in tests, which assert bounds of that number instead of times.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Adds to the number of steps. It does nothing outside tests.
#[inline]
pub(super) fn add(count: usize) {
    #[cfg(test)]
    STEPS.set(STEPS.get() + count as u64);
    #[cfg(not(test))]
    let _: usize = count;
}

/// The number of steps that `work` takes on this thread.
#[cfg(test)]
pub(super) fn of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    STEPS.set(0);
    let result = work();
    (result, STEPS.get())
}
