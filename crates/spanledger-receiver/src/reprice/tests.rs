use spanledger_event::{Bucket, EventId, ObservedAs, UnpricedReason, Usage};

use super::*;

const OWN: &str = r#"
[provider]
name = "openai"
[sources]
contract = "our own"
[[model]]
name = "our-model"
[[price]]
model = "our-model"
from = 2026-01-01
sources = ["contract"]
prices_checked = 2026-01-05
standard = { input_per_1m = "7", output_per_1m = "20" }
"#;

fn call(number: usize, model: &str) -> Observation {
    let start = Timestamp::parse(&format!("2026-11-{:02}T10:00:00Z", number + 1)).unwrap();
    let id = EventId::of_request(&format!("r{number}"), 1);
    let mut call = Observation::new(id, format!("c{number}"), ObservedAs::Span, start);
    call.provider = "openai".to_owned();
    call.model = Some(model.to_owned());
    call.usage = Some(Usage::default().with(Bucket::Input, 1_000).with(Bucket::Output, 0));
    price(PriceBook::builtin(), &mut call);
    call
}

#[test]
fn what_had_no_price_has_one_after_a_repricing_and_the_rest_keeps_its_revision() {
    let own = PriceBook::builtin().layered([("own.toml", OWN)]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::open(folder.path().join("spanledger.db")).unwrap();
        let calls: Vec<Observation> =
            (0..4).map(|n| call(n, if n == 0 { "gpt-5.5" } else { "our-model" })).collect();
        let reason = calls[1].cost.as_ref().and_then(|cost| cost.reason);
        assert_eq!(reason, Some(UnpricedReason::UnknownModel));
        ledger.append(calls).await.unwrap();
        let since = Timestamp::parse("2026-11-03T00:00:00Z");
        let selection = RepriceSelection { since, until: None, unpriced_only: true };
        let done = reprice(&ledger, &own, selection, Pace::alone()).await.unwrap();
        assert_eq!(done, Repricing { epoch: 1, observations: 2, events: 2 });
        let everything = RepriceSelection::default();
        let done = reprice(&ledger, &own, everything, Pace::alone()).await.unwrap();
        assert_eq!(done, Repricing { epoch: 2, observations: 1, events: 1 }, "the rest has its price");
        assert_eq!(reprice(&ledger, &own, everything, Pace::alone()).await.unwrap(), Repricing::default());
        let changes = ledger.reader().unwrap().changes_after(0, 10).unwrap();
        let costs: Vec<String> =
            changes.iter().filter_map(|change| Some(change.event.cost_usd?.to_string())).collect();
        assert_eq!(costs, ["0.005", "0.007", "0.007", "0.007"]);
    });
}
