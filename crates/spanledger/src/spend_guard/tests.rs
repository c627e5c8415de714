use std::{sync::Barrier, thread};

use super::*;

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn call(customer: &str, bound: &str) -> PlannedCall {
    let attribution =
        PartialAttribution { customer_id: Some(customer.to_owned()), ..PartialAttribution::default() };
    PlannedCall::new(attribution, at("2026-11-21T10:00:00Z"), Some(usd(bound)))
}

#[test]
fn a_customer_can_use_its_quota_and_no_more() {
    let quota = MonthlyQuota::new(usd("1")).with_customer("big", usd("10")).without_quota("internal");
    let first = call("acme", "0.6");
    quota.reserve(&first).unwrap();
    let refusal = quota.reserve(&call("acme", "0.6")).unwrap_err();
    let message = "acme used 0 of 1 dollars in 2026-11; calls in flight may cost 0.6 and this one 0.6";
    assert_eq!((refusal.code(), refusal.message()), ("monthly_ai_quota_exceeded", message));
    quota.settle(&first, Some(usd("0.1")));
    assert_eq!(quota.used("acme", first.at), (usd("0.1"), usd("0")));
    quota.reserve(&call("acme", "0.9")).unwrap();
    for (customer, bound) in [("big", "9"), ("internal", "1000"), ("other", "1")] {
        quota.reserve(&call(customer, bound)).unwrap();
    }
}

#[test]
fn a_call_of_unknown_cost_counts_as_what_was_reserved_and_a_failed_one_as_nothing() {
    let quota = MonthlyQuota::new(usd("1"));
    for (cost, spent) in [(None, "0.5"), (Some(usd("0")), "0.5")] {
        let call = call("acme", "0.5");
        quota.reserve(&call).unwrap();
        quota.settle(&call, cost);
        assert_eq!(quota.used("acme", call.at), (usd(spent), usd("0")));
    }
    // Without an estimate a call is refused once nothing is left.
    let unpriced = PlannedCall { upper_bound: None, ..call("acme", "0") };
    quota.reserve(&unpriced).unwrap();
    quota.settle(&unpriced, Some(usd("0.5")));
    quota.reserve(&unpriced).unwrap_err();
}

#[test]
fn a_month_begins_with_the_whole_quota_and_ignores_what_the_last_one_settles() {
    let quota = MonthlyQuota::new(usd("1"));
    let november = call("acme", "0.9");
    let in_month =
        |month: &str| PlannedCall { at: at(&format!("{month}-01T00:00:00Z")), ..call("acme", "0.9") };
    let december = in_month("2026-12");
    quota.reserve(&november).unwrap();
    quota.reserve(&december).unwrap();
    quota.settle(&november, Some(usd("0.9")));
    quota.settle(&december, Some(usd("0.2")));
    assert_eq!(quota.used("acme", november.at), (usd("0.9"), usd("0")));
    assert_eq!(quota.used("acme", december.at), (usd("0.2"), usd("0")));
    // A clock that goes backwards does not give the quota of a month again.
    quota.reserve(&november).unwrap_err();
    // Older months are forgotten.
    quota.reserve(&in_month("2027-01")).unwrap();
    assert_eq!(quota.used("acme", november.at), (usd("0"), usd("0")));
}

#[test]
fn parallel_calls_cannot_exceed_a_quota_together() {
    let quota = MonthlyQuota::new(usd("1"));
    let (threads, calls) = (8, 50);
    let barrier = Barrier::new(threads);
    let call = call("acme", "0.01");
    let allowed: usize = thread::scope(|scope| {
        let run = || {
            barrier.wait();
            (0..calls).filter(|_| quota.reserve(&call).is_ok()).count()
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).sum()
    });
    assert_eq!((allowed, quota.used("acme", call.at)), (100, (usd("0"), usd("1"))));
    (0..allowed).for_each(|_| quota.settle(&call, None));
    assert_eq!(quota.used("acme", call.at), (usd("1"), usd("0")));
}

/// A guard that panics.
struct Panics;

impl SpendGuard for Panics {
    fn reserve(&self, call: &PlannedCall) -> Result<(), SpendRefusal> {
        assert_eq!(call.attribution.customer_id.as_deref(), Some("acme"), "reserve");
        Ok(())
    }

    fn settle(&self, _: &PlannedCall, _: Option<Usd>) {
        panic!("settle")
    }
}

#[test]
fn a_panic_in_a_guard_allows_the_call() {
    let guard: Arc<dyn SpendGuard> = Arc::new(Panics);
    assert!(Reservation::make(&guard, call("other", "1")).unwrap().is_none());
    drop(Reservation::make(&guard, call("acme", "1")).unwrap().unwrap());
}

#[test]
fn a_reservation_is_settled_once() {
    let quota = Arc::new(MonthlyQuota::new(usd("1")));
    let guard: Arc<dyn SpendGuard> = Arc::clone(&quota) as Arc<dyn SpendGuard>;
    let mut reservation = Reservation::make(&guard, call("acme", "0.5")).unwrap().unwrap();
    reservation.settle_with(Some(usd("0.1")));
    drop(reservation);
    assert_eq!(quota.used("acme", call("acme", "0").at), (usd("0.1"), usd("0")));
    drop(Reservation::make(&guard, call("acme", "0.5")).unwrap());
    assert_eq!(quota.used("acme", call("acme", "0").at), (usd("0.6"), usd("0")));
}

#[test]
fn the_bound_is_the_price_of_the_requests_bytes_and_of_the_allowed_output() {
    let prices = RecorderPrices::default();
    let bound = |request: RequestInfo| upper_bound(&request, at("2026-11-21T10:00:00Z"), &prices);
    let request = || RequestInfo {
        endpoint: Endpoint::Chat,
        provider: "openai".into(),
        model: Some("gpt-5.5".into()),
        body_bytes: Some(1_000),
        ..RequestInfo::default()
    };
    // 1,000 input tokens cost 0.005 dollars, and 100 output tokens 0.003.
    assert_eq!(bound(RequestInfo { max_tokens: Some(100), ..request() }), Some(usd("0.008")));
    assert_eq!(
        bound(RequestInfo { max_tokens: Some(50), choices: Some(2), ..request() }),
        Some(usd("0.008"))
    );
    assert_eq!(bound(request()), Some(usd("0.49652")));
    assert_eq!(bound(RequestInfo { model: Some("no-such-model".into()), ..request() }), None);
    assert_eq!(bound(RequestInfo { endpoint: Endpoint::Images, ..request() }), None);
    assert_eq!(bound(RequestInfo { body_bytes: None, ..request() }), None);
}
