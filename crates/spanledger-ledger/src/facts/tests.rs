use proptest::{collection::vec, option, prelude::*};
use spanledger_event::{Bucket, CostLine, JsonText, Unstated, Usage};

use super::*;
use crate::words::Unknown;

/// Texts with the shapes of identifiers and words, and others.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}",
        "[0-9a-f]{16}",
        "[0-9a-f]{32}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[0-9A-F]{32}",
        ".{0,12}",
        Just("known".to_owned()),
    ]
}

fn decimal() -> impl Strategy<Value = rust_decimal::Decimal> {
    (any::<i64>(), 0..20_u32).prop_map(|(number, scale)| rust_decimal::Decimal::new(number, scale))
}

fn usage() -> impl Strategy<Value = Usage> {
    let counts = vec(prop_oneof![Just(0_u64), 0..1_000_u64, any::<u64>()], 18);
    let units = proptest::collection::btree_map("[a-z]{1,6}", decimal(), 0..3);
    let unstated = any::<[bool; 3]>().prop_map(|[cached, cache_write, reasoning]| Unstated {
        cached,
        cache_write,
        reasoning,
    });
    let parts = (counts, option::of(decimal()), option::of(text()), units, unstated);
    parts.prop_map(|(counts, seconds, variant, units, unstated)| {
        let mut usage = Usage::default();
        (usage.audio_seconds, usage.variant, usage.units) = (seconds, variant, units);
        for (bucket, count) in Bucket::ALL.into_iter().zip(&counts) {
            usage = usage.with(bucket, *count);
        }
        usage.images = counts[13];
        usage.characters = counts[14];
        usage.web_search_calls = counts[15];
        usage.file_search_calls = counts[16];
        usage.code_interpreter_calls = counts[17];
        usage.with_unstated(unstated)
    })
}

fn cost() -> impl Strategy<Value = Cost> {
    let reason = option::of(proptest::sample::select(UnpricedReason::ALL.to_vec()));
    let line =
        (text(), decimal(), decimal(), any::<i64>()).prop_map(|(kind, quantity, rate, picos)| CostLine {
            kind: kind.into(),
            quantity: quantity.normalize(),
            unit: "1M tokens".into(),
            rate: rate.normalize(),
            usd: Usd::from_picos((i128::from(picos)) % 10_i128.pow(18)),
        });
    let certainty = proptest::sample::select(CostCertainty::ALL.to_vec());
    let known = (option::of(any::<i64>()), certainty, vec(line, 0..3));
    (known, reason, option::of(text()), text(), option::of(any::<i64>())).prop_map(
        |((usd, certainty, lines), reason, detail, version, at)| Cost {
            certainty,
            usd: usd.map(|picos| Usd::from_picos(picos.into())),
            reason,
            detail,
            lines,
            price_version: version.into(),
            priced_at: Timestamp::from_nanos(at.unwrap_or(7)),
        },
    )
}

prop_compose! {
    fn observation()(
        texts in vec(option::of(text()), 20),
        ids in vec(text(), 4),
        flags in vec(any::<bool>(), 8),
        outcome in prop_oneof![
            Just(CallOutcome::Success),
            text().prop_map(CallOutcome::Failed),
            text().prop_map(CallOutcome::Incomplete)
        ],
        times in (prop_oneof![Just(7), any::<i64>()], -5_000_000_000..5_000_000_000_i64),
        numbers in (any::<u32>(), option::of(any::<i64>()), option::of(any::<i64>())),
        endpoint in proptest::sample::select(Endpoint::ALL.to_vec()),
        source in proptest::sample::select(UsageSource::ALL.to_vec()),
        usage in option::of(usage()),
        cost in option::of(cost()),
        unknown in vec(text(), 0..3),
        dims in proptest::collection::btree_map(text(), text(), 0..3),
    ) -> Observation {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().flatten();
        let (trace_id, span_id) = (text(), text());
        let call_id = match (&trace_id, &span_id) {
            (Some(trace), Some(span)) if flags[0] => format!("{trace}:{span}"),
            _ => ids[1].clone(),
        };
        let start = Timestamp::from_nanos(times.0);
        Observation {
            event_id: EventId::from_text(ids[0].clone()),
            call_id,
            sighting: if flags[1] { ObservedAs::Record } else { ObservedAs::Span },
            role: if flags[2] { Role::Aggregate } else { Role::Call },
            response: text().map(|id| ResponseRef { namespace: ids[2].clone(), id, unique: flags[3] }),
            emitter: ids[3].clone(),
            provider: ids[2].clone(),
            endpoint,
            server_address: text(),
            model: text(),
            response_model: text(),
            service_tier: text(),
            region: text(),
            organization: text(),
            project: text(),
            start,
            end: Timestamp::from_nanos(times.0.saturating_add(times.1)),
            time_to_first_token_ms: numbers.1,
            stream: flags[4],
            outcome,
            attempts: if flags[5] { 1 } else { numbers.0 },
            usage,
            usage_problem: text(),
            usage_unknown: unknown,
            usage_out_of_range: flags[6],
            truncated: flags[7],
            usage_source: source,
            usage_raw: JsonText::new(r#"{"a":[1,2.5,"x"]}"#).filter(|_| flags[0]),
            emitter_cost: numbers.2.map(|picos| Usd::from_picos(picos.into())),
            prompt_cache_key: text(),
            reasoning_effort: text(),
            attribution: PartialAttribution {
                feature: text(),
                route: text(),
                customer_id: text(),
                environment: text(),
                request_id: text(),
                batch_job_id: text(),
                dims,
            },
            trace_id,
            span_id,
            parent_span_id: text(),
            service_name: text(),
            cost,
        }
    }
}

fn words() -> Words {
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    connection.execute_batch(crate::words::DDL).unwrap();
    connection.execute("INSERT INTO word VALUES (1, 'known'), (2, 'openai')", []).unwrap();
    let mut words = Words::default();
    words.load(&connection).unwrap();
    words
}

fn encoded(o: &Observation) -> Vec<u8> {
    let (mut scratch, mut facts) = (vec![1, 2, 3], Vec::new());
    let (words, mut unknown) = (words(), Unknown::default());
    encode(o, &mut Lookup::new(&words, &mut unknown), &mut scratch, &mut facts);
    facts
}

fn columns(o: &Observation) -> Columns<'_> {
    let lines = o.cost.as_ref().map(|cost| &cost.lines).filter(|lines| !lines.is_empty());
    Columns {
        response_id: o.response.as_ref().map(|response| response.id.clone()),
        trace_id: o.trace_id.clone(),
        span_id: o.span_id.clone(),
        parent_span_id: o.parent_span_id.clone(),
        usage_raw: o.usage_raw.as_ref().map(|json| json.as_str().into()),
        cost_lines: lines.map(|lines| serde_json::to_string(lines).unwrap()),
    }
}

proptest! {
    #[test]
    fn every_observation_is_given_back(o in observation()) {
        let words = words();
        let facts = encoded(&o);
        let back = decode(&facts, columns(&o), &words);
        prop_assert_eq!(back.as_ref(), Ok(&o));
    }

    #[test]
    fn damaged_facts_are_an_error_or_another_observation_and_never_a_panic(
        o in observation(),
        cut in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let words = words();
        let mut facts = encoded(&o);
        let at = cut.index(facts.len());
        prop_assert!(decode(&facts[..at], columns(&o), &words).is_err());
        facts[at] = byte;
        drop(decode(&facts, columns(&o), &words));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..200)) {
        drop(decode(&bytes, Columns::default(), &words()));
    }
}

#[test]
fn an_ordinary_span_is_small() {
    let mut o = spanledger_event::test_support::ObservationBuilder::span(
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "00f067aa0ba902b7",
        1_790_000_000,
    )
    .attributed()
    .tokens(1_200, 300)
    .cost_picos(12_500_000_000)
    .build();
    o.emitter = "known".to_owned();
    let facts = encoded(&o);
    assert!(facts.len() < 100, "{} bytes", facts.len());
}

#[test]
fn a_value_of_a_later_version_is_refused() {
    let facts = encoded(&Observation::default());
    let mut later = vec![0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01];
    later.extend_from_slice(&facts);
    assert_eq!(decode(&later, Columns::default(), &words()), Err(FactsError::Newer));
}
