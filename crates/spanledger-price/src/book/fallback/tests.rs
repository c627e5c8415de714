use spanledger_event::Bucket;

use super::FallbackRules;
use crate::{Meter, Rate, book::Origin};

const INPUT: Meter = Meter::Tokens(Bucket::Input);
const CACHED: Meter = Meter::Tokens(Bucket::CachedInput);
const CACHED_IMAGE: Meter = Meter::Tokens(Bucket::CachedImageInput);
const WRITE: Meter = Meter::Tokens(Bucket::CacheWrite);
const WRITE_12H: Meter = Meter::Tokens(Bucket::CacheWrite12h);

fn listed(meter: Meter, usd: u32) -> Rate {
    Rate::new(meter, None, usd.into(), Origin::Listed)
}

#[test]
fn rules_chain_and_the_rate_names_its_origin() {
    let rules = FallbackRules(vec![(CACHED_IMAGE, CACHED), (CACHED, INPUT)]);
    let rates = rules.with_fallback(&[listed(INPUT, 4)]);
    let all: Vec<_> = rates.iter().map(|rate| (rate.meter, rate.usd, rate.origin)).collect();
    let of_input = Origin::Fallback { of: INPUT, negotiated: false };
    assert_eq!(
        all,
        [(INPUT, 4.into(), Origin::Listed), (CACHED, 4.into(), of_input), (CACHED_IMAGE, 4.into(), of_input)]
    );
    assert_eq!(rules.without(&[CACHED]).with_fallback(&[listed(INPUT, 4)]).iter().count(), 1);
}

#[test]
fn a_cycle_of_rules_ends() {
    let rules = FallbackRules(vec![(CACHED, CACHED_IMAGE), (CACHED_IMAGE, CACHED)]);
    assert_eq!(rules.with_fallback(&[listed(INPUT, 4)]).iter().count(), 1);
}

#[test]
fn a_published_write_rate_is_not_used_for_another_lifetime() {
    let rules = FallbackRules(vec![(WRITE, INPUT), (WRITE_12H, INPUT)]);
    let rates = rules.with_fallback(&[listed(INPUT, 4), listed(WRITE, 5)]);
    assert_eq!((rates.get(WRITE), rates.get(WRITE_12H)), (Some(5.into()), None));
    assert_eq!(rules.with_fallback(&[listed(INPUT, 4)]).get(WRITE_12H), Some(4.into()));
}
