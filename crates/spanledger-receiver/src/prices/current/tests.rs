use super::*;

#[test]
fn clones_share_the_book_and_a_book_in_use_is_not_replaced() {
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
fn reload_attempts_are_counted() {
    let prices = Prices::from(PriceBook::builtin());
    let start = prices.reloads();
    assert_eq!((start.ok, start.failed, start.last_is_ok), (0, 0, true));
    prices.note_failure();
    let failed = prices.reloads();
    assert_eq!((failed.ok, failed.failed, failed.last_is_ok), (0, 1, false));
    assert_eq!(failed.last_ok_at, start.last_ok_at);
    prices.replace(prices.current());
    let ok = prices.reloads();
    assert_eq!((ok.ok, ok.failed, ok.last_is_ok), (1, 1, true));
    assert!(ok.last_ok_at >= start.last_ok_at);
}
