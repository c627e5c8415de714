//! Why requests failed, have no price, or lack attribution.

use spanledger_event::{CallOutcome, Cost, Observation, Timestamp, UnpricedReason, Usd};
use spanledger_ledger::{GroupBy, Ledger, Query, Reason};

use crate::support::{SECOND, call, folder, runtime};

fn unpriced(request: &str, second: i64, detail: &str) -> Observation {
    let mut o = call(request, request, second, 0);
    let cost = o.cost.take().unwrap();
    let detail = Some(detail.to_owned());
    o.cost = Some(Cost { usd: None, reason: Some(UnpricedReason::UnknownModel), detail, ..cost });
    o
}

fn reason(name: &str, detail: Option<&str>, requests: i64) -> Reason {
    Reason { name: name.to_owned(), detail: detail.map(str::to_owned), requests }
}

#[test]
fn the_reasons_add_up_to_the_report_of_the_same_query() {
    let (_folder, path) = folder();
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        let mut failed = call("failed", "failed", 3, 0);
        failed.outcome = CallOutcome::Failed("server_error".to_owned());
        let mut unattributed = call("unattributed", "unattributed", 4, 5);
        unattributed.attribution.customer_id = None;
        unattributed.attribution.environment = None;
        let observations = vec![
            call("fine", "fine", 1, 5),
            unpriced("u1", 2, "no gpt-7"),
            unpriced("u2", 2, "no gpt-8"),
            unpriced("u3", 2, "no gpt-8"),
            failed,
            unattributed,
            call("twice", "first", 5, 5),
            call("twice", "second", 6, 7),
        ];
        ledger.append(observations).await.unwrap();
        let reader = ledger.reader().unwrap();
        let all = Query::by(GroupBy::Feature);
        let (reasons, total) = (reader.reasons(&all).unwrap(), reader.report(&all).unwrap().total);
        let sum = |reasons: &[Reason]| reasons.iter().map(|reason| reason.requests).sum::<i64>();
        assert_eq!(reasons.failed, [reason("server_error", None, 1)]);
        assert_eq!(
            reasons.unpriced,
            [reason("unknown_model", Some("no gpt-8"), 2), reason("unknown_model", Some("no gpt-7"), 1)],
            "the most frequent first"
        );
        assert_eq!(reasons.quarantined, [reason("customer_id, environment", None, 1)]);
        assert_eq!((reasons.retried, reasons.billed_again), (1, 1));
        assert_eq!(reasons.retry_cost, Usd::from_picos(7));
        assert_eq!(
            (sum(&reasons.failed), sum(&reasons.unpriced), reasons.retried, reasons.retry_cost),
            (total.failed, total.unpriced, total.retried, total.retry)
        );

        let at = |second: i64| Some(Timestamp::from_nanos(second * SECOND));
        let later = Query { since: at(3), until: at(5), ..all.clone() };
        let reasons = reader.reasons(&later).unwrap();
        assert_eq!((reasons.failed.len(), reasons.unpriced.len(), reasons.retried), (1, 0, 0));
        assert_eq!(reader.period(&later).unwrap(), at(3).zip(at(4)));
        assert_eq!(reader.period(&all).unwrap(), at(1).zip(at(5)));
        let test = Query { environment: Some("test".to_owned()), ..all.clone() };
        assert!(reader.reasons(&test).unwrap().quarantined.is_empty());
        let none = Query { environment: Some("other".to_owned()), ..all };
        assert_eq!(reader.period(&none).unwrap(), None);
    });
}
