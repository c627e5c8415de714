use super::*;

#[test]
fn the_same_request_has_the_same_id_and_another_body_has_another() {
    let body = fingerprint("/chat/completions", b"{}");
    let id = EventId::of_request("order-7", body);
    assert_eq!(id, EventId::of_request("order-7", body));
    assert_ne!(id, EventId::of_request("order-7", fingerprint("/chat/completions", b"{ }")));
    assert_ne!(id, EventId::of_request("order-8", body));
    assert!(Uuid::try_parse(id.as_str()).is_ok());
}

#[test]
fn ids_are_ordered_by_time_where_a_time_is_known() {
    let early = EventId::of_span("aa", "bb", Timestamp::from_nanos(1_700_000_000_000_000_000));
    let late = EventId::of_span("00", "01", Timestamp::from_nanos(1_700_000_000_001_000_000));
    assert!(early < late, "{early} {late}");
    let first = EventId::of_request("0190d5c8-0000-7000-8000-000000000000", 9);
    assert!(first.as_str().starts_with("0190d5c8-0000-8"), "{first}");
}

/// Emitters may send any time, and any text as an id.
#[test]
fn ids_are_uuids_at_the_limits() {
    let ids = [
        EventId::of_span("", "", Timestamp::from_nanos(i64::MIN)),
        EventId::of_span("t", "s", Timestamp::from_nanos(-1)),
        EventId::of_span("t", "s", Timestamp::from_nanos(i64::MAX)),
        EventId::of_request("", 0),
        EventId::of_request(&"x".repeat(10_000), u128::MAX),
        EventId::of_request("ffffffff-ffff-7fff-bfff-ffffffffffff", u128::MAX),
    ];
    for (index, id) in ids.iter().enumerate() {
        assert_eq!(Uuid::try_parse(id.as_str()).unwrap().get_version_num(), 8, "{id}");
        assert!(!ids[..index].contains(id), "{id}");
    }
}

/// The ids of stored events depend on these values: they must never change.
#[test]
fn ids_and_fingerprints_are_stable_across_releases() {
    let print = fingerprint("/chat/completions", br#"{"model":"gpt-5.5"}"#);
    expect_test::expect!["d967bc36a4721095f070045025011f7d"].assert_eq(&format!("{print:032x}"));
    expect_test::expect!["bd78a001-a816-8256-88c8-218e9c47e9b4"]
        .assert_eq(EventId::of_request("order-7", print).as_str());
    let start = Timestamp::from_nanos(1_700_000_000_000_000_000);
    expect_test::expect!["018bcfe5-6800-89a6-a453-9c133c880661"]
        .assert_eq(EventId::of_span("aa", "bb", start).as_str());
    expect_test::expect!["bf4258ee-a56e-821a-b543-233cd41c6616"]
        .assert_eq(EventId::of_job("openai", "batch_1", "").as_str());
}

#[test]
fn a_job_and_its_parts_have_different_ids_at_each_provider() {
    let ids = [
        EventId::of_job("openai", "batch_1", ""),
        EventId::of_job("openai", "batch_1", "a"),
        EventId::of_job("openai", "batch_2", ""),
        EventId::of_job("gateway", "batch_1", ""),
    ];
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}
