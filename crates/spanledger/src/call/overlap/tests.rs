use super::*;

#[test]
fn calls_at_the_same_time_differ_and_a_later_one_is_a_retry() {
    let id = Some("overlap-test-1");
    let first = Overlap::begin(id, 7);
    let second = Overlap::begin(id, 7);
    let other = Overlap::begin(Some("overlap-test-2"), 7);
    assert_eq!(first.fingerprint(7), 7);
    assert_ne!(second.fingerprint(7), 7);
    assert_eq!(other.fingerprint(7), 7);
    drop(first);
    assert_eq!(Overlap::begin(id, 7).fingerprint(7), 7, "the number of the first is free again");
    drop(second);
    drop(other);
    let key = fingerprint("overlap-test-1", &7_u128.to_be_bytes());
    assert!(!table(key).contains_key(&key), "nothing is left");
}

#[test]
fn a_call_without_a_request_id_takes_no_number() {
    let calls: Vec<Overlap> = (0..100).map(|_| Overlap::begin(None, 7)).collect();
    assert!(calls.iter().all(|call| call.fingerprint(7) == 7));
}

#[test]
fn more_equal_calls_than_numbers_share_the_last_one() {
    let id = Some("overlap-test-3");
    let calls: Vec<Overlap> = (0..70).map(|_| Overlap::begin(id, 7)).collect();
    let prints: std::collections::BTreeSet<u128> = calls.iter().map(|call| call.fingerprint(7)).collect();
    assert_eq!(prints.len(), 64);
}
