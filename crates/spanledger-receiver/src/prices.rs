//! The prices in force, which can be replaced while requests are served.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::SystemTime,
};

use spanledger_price::PriceBook;

/// The price book in force. Cloning shares it: what one clone replaces, all see.
///
/// A request takes the [current](Self::current) book once and prices all of its calls with it, so
/// that no request is priced by two books.
#[derive(Clone, Debug)]
pub struct Prices {
    shared: Arc<RwLock<Shared>>,
}

#[derive(Debug)]
struct Shared {
    book: PriceBook,
    reloads: Reloads,
}

/// What became of the attempts to replace the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reloads {
    /// Attempts that gave a book.
    pub ok: u64,
    /// Attempts that found mistakes and changed nothing.
    pub failed: u64,
    /// Whether the last attempt, the start included, gave a book.
    pub last_is_ok: bool,
    /// When an attempt, the start included, last gave a book.
    pub last_ok_at: SystemTime,
}

impl Prices {
    /// The prices at the start.
    pub fn new(book: PriceBook) -> Self {
        let reloads = Reloads { ok: 0, failed: 0, last_is_ok: true, last_ok_at: SystemTime::now() };
        Self { shared: Arc::new(RwLock::new(Shared { book, reloads })) }
    }

    /// The book in force.
    pub fn current(&self) -> PriceBook {
        self.read(|shared| shared.book.clone())
    }

    /// What became of the attempts to replace it.
    pub fn reloads(&self) -> Reloads {
        self.read(|shared| shared.reloads)
    }

    /// Puts another book in force, from the next request on, and answers the one before.
    pub fn replace(&self, book: PriceBook) -> PriceBook {
        self.write(|shared| {
            shared.reloads.ok += 1;
            shared.reloads.last_is_ok = true;
            shared.reloads.last_ok_at = SystemTime::now();
            std::mem::replace(&mut shared.book, book)
        })
    }

    /// Notes an attempt that gave no book; the one in force stays.
    pub fn keep(&self) {
        self.write(|shared| {
            shared.reloads.failed += 1;
            shared.reloads.last_is_ok = false;
        });
    }

    fn read<T>(&self, ask: impl FnOnce(&Shared) -> T) -> T {
        ask(&self.shared.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Shared) -> T) -> T {
        change(&mut self.shared.write().unwrap_or_else(PoisonError::into_inner))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_clones_see_what_one_replaces_and_who_holds_a_book_keeps_it() {
        let prices = Prices::from(PriceBook::builtin());
        let (clone, held) = (prices.clone(), prices.current());
        let book = "[provider]\nname = 'acme'\n[sources]\nc = 'ours'\n";
        let other = PriceBook::builtin().layered([("prices.toml", book)]).unwrap();
        assert_ne!(held.version(), other.version());
        assert_eq!(clone.replace(other.clone()).version(), held.version());
        assert_eq!(prices.current().version(), other.version());
        assert_eq!(held.version(), PriceBook::builtin().version());
    }

    #[test]
    fn attempts_are_counted() {
        let prices = Prices::from(PriceBook::builtin());
        let start = prices.reloads();
        assert_eq!((start.ok, start.failed, start.last_is_ok), (0, 0, true));
        prices.keep();
        let failed = prices.reloads();
        assert_eq!((failed.ok, failed.failed, failed.last_is_ok), (0, 1, false));
        assert_eq!(failed.last_ok_at, start.last_ok_at);
        prices.replace(prices.current());
        let ok = prices.reloads();
        assert_eq!((ok.ok, ok.failed, ok.last_is_ok), (1, 1, true));
        assert!(ok.last_ok_at >= start.last_ok_at);
    }
}
