//! The price book in force, which can be replaced while requests are served.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use spanledger_price::PriceBook;

#[cfg(test)]
mod tests;

/// The price book in force. Clones share it: if one clone replaces the book, all of them have the new book.
///
/// A request takes the [current](Self::current) book once and prices all of its calls with it, so
/// that no request is priced by two books.
#[derive(Clone, Debug)]
pub struct Prices {
    state: Arc<RwLock<State>>,
}

#[derive(Debug)]
struct State {
    book: PriceBook,
    reloads: Reloads,
}

/// How the attempts to replace the book ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// Attempts that succeeded.
    pub ok: u64,
    /// Attempts that failed and changed nothing.
    pub failed: u64,
    /// Whether the last attempt succeeded. The first read at the start counts as a success.
    pub last_is_ok: bool,
    /// The time of the last success. The first read at the start counts as a success.
    pub last_ok_at: SystemTime,
}

impl Prices {
    /// Creates prices with the book that is in force at the start.
    pub fn new(book: PriceBook) -> Self {
        let reloads = Reloads { ok: 0, failed: 0, last_is_ok: true, last_ok_at: SystemTime::now() };
        Self { state: Arc::new(RwLock::new(State { book, reloads })) }
    }

    /// The book in force.
    pub fn current(&self) -> PriceBook {
        self.read(|state| state.book.clone())
    }

    /// The results of the attempts to replace the book.
    pub fn reloads(&self) -> Reloads {
        self.read(|state| state.reloads)
    }

    /// Replaces the book from the next request on. Returns the previous book.
    pub fn replace(&self, book: PriceBook) -> PriceBook {
        self.write(|state| {
            state.reloads.ok += 1;
            state.reloads.last_is_ok = true;
            state.reloads.last_ok_at = SystemTime::now();
            std::mem::replace(&mut state.book, book)
        })
    }

    /// Counts a failed attempt. The book in force stays.
    pub fn note_failure(&self) {
        self.write(|state| {
            state.reloads.failed += 1;
            state.reloads.last_is_ok = false;
        });
    }

    fn read<T>(&self, get: impl FnOnce(&State) -> T) -> T {
        get(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
impl Prices {
    /// Blocks every reader, and so the decoding of messages, until the guard is dropped.
    pub(crate) fn block(&self) -> impl Sized {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<PriceBook> for Prices {
    fn from(book: PriceBook) -> Self {
        Self::new(book)
    }
}

impl From<&PriceBook> for Prices {
    fn from(book: &PriceBook) -> Self {
        Self::new(book.clone())
    }
}
