use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn a_text_is_cut_at_a_character_and_says_so() {
    for (text, max, expected) in [
        ("search", 6, "search"),
        ("search", 5, "se…"),
        ("größe", 6, "gr…"),
        ("größe", 7, "größe"),
        ("🙂🙂", 7, "🙂…"),
        ("abcd", 3, "…"),
    ] {
        let mut cut_text = text.to_owned();
        assert_eq!(cut(&mut cut_text, max), text != expected, "{text} {max}");
        assert_eq!(cut_text, expected, "{text} {max}");
    }
    let mut long = "m".repeat(20_000_000);
    assert!(cut(&mut long, NAME_BYTES_MAX));
    assert!(long.capacity() < 1_024, "the memory of the long text is freed: {}", long.capacity());
}

#[test]
fn each_limit_has_a_name_and_a_row_of_its_own() {
    let names: BTreeSet<&str> = LIMITS.iter().map(|limit| limit.name).collect();
    assert_eq!(names.len(), LIMITS.len());
    let table = table();
    assert_eq!(table.lines().count(), LIMITS.len() + 2);
    assert!(table.contains(" | 4,294,967,296 tokens | "), "{table}");
    assert!(LIMITS.iter().all(|limit| limit.max > 0 && limit.beyond.ends_with('.')));
}

proptest! {
    #[test]
    fn a_shortened_text_is_within_its_limit_and_stays_as_it_is(text in "\\PC{0,400}", max in 3..600_usize) {
        let mut once = text.clone();
        let was_cut = cut(&mut once, max);
        prop_assert!(once.len() <= max);
        prop_assert_eq!(was_cut, text.len() > max);
        let mut again = once.clone();
        prop_assert!(!cut(&mut again, max));
        prop_assert_eq!(again, once);
    }

    #[test]
    fn equal_ids_stay_equal_and_different_ones_different(start in "[a-z]{300}", a in "[0-9]{1,8}", b in "[0-9]{1,8}") {
        let id = |end: &str| {
            let mut id = format!("{start}{end}");
            assert!(shorten_id(&mut id));
            id
        };
        prop_assert_eq!(id(&a) == id(&b), a == b);
        prop_assert!(id(&a).len() <= ID_BYTES_MAX);
    }
}
