use proptest::prelude::*;

use super::*;

#[test]
fn a_timestamp_is_read_back_from_its_text() {
    for (nanos, text) in [
        (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (0, "1970-01-01T00:00:00Z"),
        (1_500_000_000, "1970-01-01T00:00:01.5Z"),
        (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
    ] {
        let moment = Timestamp::from_nanos(nanos);
        assert_eq!(moment.to_string(), text);
        assert_eq!(Timestamp::parse(text), Some(moment));
    }
}

#[test]
fn a_text_outside_the_range_or_without_a_zone_is_not_a_moment() {
    for text in ["", "2262-04-11T23:47:16.854775808Z", "0001-01-01T00:00:00Z", "2026-11-21T10:00:00", "now"] {
        assert_eq!(Timestamp::parse(text), None, "{text}");
    }
    let zoned = Timestamp::parse("2026-11-21T12:00:00+02:00");
    assert_eq!(zoned, Timestamp::parse("2026-11-21T10:00:00Z"));
}

#[test]
fn milliseconds_are_rounded_down_and_durations_are_never_negative() {
    let at = Timestamp::from_nanos;
    assert_eq!((at(-1).millis(), at(999_999).millis(), at(1_000_000).millis()), (-1, 0, 1));
    assert_eq!(at(0).millis_since(at(1)), 0);
    assert_eq!(at(i64::MAX).millis_since(at(i64::MIN)), i64::MAX / 1_000_000);
    assert_eq!(at(i64::MIN).millis_since(at(i64::MAX)), 0);
}

proptest! {
    #[test]
    fn texts_are_read_back(nanos in any::<i64>()) {
        let moment = Timestamp::from_nanos(nanos);
        prop_assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
    }
}
