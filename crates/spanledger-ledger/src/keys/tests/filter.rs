use super::*;
use crate::keys::filter::Filter;

fn filled(keys: u64) -> Filter {
    let mut filter = Filter::new(keys);
    for number in 0..keys {
        filter.insert(short(key(number)));
    }
    filter
}

#[test]
fn every_key_passes_and_few_others_do() {
    for keys in [1, 100, 50_000] {
        let filter = filled(keys);
        let passes = |number| filter.may_contain(&Probe::new(short(key(number))));
        assert!((0..keys).all(passes));
        let wrong = (1_000_000..1_100_000).filter(|number| passes(*number)).count();
        assert!(wrong < 300, "{wrong} of 100,000 absent keys pass a filter of {keys} keys");
    }
}

#[test]
fn an_empty_filter_passes_nothing() {
    let filter = Filter::new(0);
    assert!((0..1000).all(|number| !filter.may_contain(&Probe::new(short(key(number))))));
}

#[test]
fn the_least_and_the_greatest_hash_have_a_block() {
    let mut filter = Filter::new(1000);
    for hash in [0, (1 << HASH_BITS) - 1] {
        filter.insert(hash);
        assert!(filter.may_contain(&Probe::new(hash)));
    }
}

#[test]
fn a_key_takes_about_two_bytes_of_memory_and_less_in_a_large_run() {
    assert!(Filter::new(1_000_000).bytes() < 2_001_000);
    assert!(Filter::new(10_000_000).bytes() < 15_001_000);
}
