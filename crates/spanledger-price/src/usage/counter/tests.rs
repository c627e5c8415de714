use serde_json::json;

use super::*;

/// Scenario: a list in a usage has very many parts, each of which has several counts.
///
/// Guarantees: each number is compared with the fields of the form, and not with those of all other parts.
#[test]
fn the_remembered_fields_do_not_grow_with_a_list() {
    let part =
        json!({"type": "message", "input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 1}});
    let usage = json!({"iterations": vec![part; 5_000]});
    let mut counter = Counter::new(usage.as_object().unwrap());
    let root = counter.root;
    for part in root.items("iterations").unwrap() {
        assert_eq!(counter.count(&part, "input_tokens").unwrap(), Some(1));
        let split = part.part("cache_creation").unwrap();
        assert_eq!(counter.count(&split, "ephemeral_5m_input_tokens").unwrap(), Some(1));
        counter.ignore(&part, &["type"]);
    }
    assert_eq!((counter.read.len(), counter.ignored.len()), (2, 1));
    assert_eq!(counter.unrecognized_counts(), Vec::<String>::new());
}

/// Guarantees: what is written as text does not grow with the numbers below a long key.
#[test]
fn only_the_listed_numbers_are_written() {
    let usage = json!({"k".repeat(100_000): vec![7; 50_000]});
    let counter = Counter::new(usage.as_object().unwrap());
    let found = counter.unrecognized_counts();
    let bytes: usize = found.iter().map(String::len).sum();
    assert_eq!((found.len(), found[64].as_str()), (65, "and 49936 more"));
    assert!(bytes < 65 * 256, "{bytes} bytes");
}
