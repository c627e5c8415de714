//! Properties that hold for all models, tiers and usages.

use proptest::{prelude::*, sample::select};
use rust_decimal::Decimal;
use serde_json::json;
use spanledger_event::{Bucket, Cost, CostCertainty, NestedUsage, UnpricedReason, Unstated, Usage, Usd};
use spanledger_price::{Meter, Model, Price, PriceBook, PriceQuery, Provider, Rates, Tier, usage};

use crate::support::{day, price, question};

const TODAY: &str = "2026-11-15";
/// The long-context threshold of OpenAI's models.
const THRESHOLD: u64 = 272_000;

fn all_models() -> impl Iterator<Item = (&'static Provider, &'static Model)> {
    let of = |provider: &'static Provider| provider.models().iter().map(move |model| (provider, model));
    PriceBook::builtin().providers().iter().flat_map(of)
}

fn models() -> impl Strategy<Value = (&'static Provider, &'static Model)> {
    select(all_models().collect::<Vec<_>>())
}

/// A current price list with its model.
#[derive(Clone, Copy, Debug)]
struct Listed {
    provider: &'static Provider,
    model: &'static Model,
    list: &'static Price,
}

/// Every current price list of every provider.
fn prices() -> impl Strategy<Value = Listed> {
    let current = |(provider, model): (&'static Provider, &'static Model)| {
        Tier::ALL.into_iter().filter_map(move |tier| {
            let list = model.price(tier, day(TODAY))?;
            Some(Listed { provider, model, list })
        })
    };
    select(all_models().flat_map(current).collect::<Vec<_>>())
}

/// The current price lists of OpenAI's models that read text and do not make images.
fn text_prices() -> impl Strategy<Value = Listed> {
    prices().prop_filter("a text model of OpenAI", |l| {
        let rates = l.list.rates();
        l.provider.name() == "openai"
            && publishes(rates, Bucket::Input)
            && !publishes(rates, Bucket::ImageOutput)
    })
}

/// Small and large counts, and counts near the threshold.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..100_u64, 0..200_000_u64, THRESHOLD - 2..THRESHOLD + 3, 0..2_000_000_u64]
}

fn text_usage() -> impl Strategy<Value = NestedUsage> {
    let parts = (count(), count(), 0..5_000_u64, 0..5_000_u64, count(), count());
    parts.prop_map(|(fresh, cached, cache_write, cache_write_12h, visible, reasoning)| NestedUsage {
        input: fresh + cached + cache_write + cache_write_12h,
        cached,
        cache_write,
        cache_write_12h,
        output: visible + reasoning,
        reasoning,
        ..NestedUsage::default()
    })
}

fn ask_tier(provider: &Provider, model: &Model, tier: Tier, usage: &Usage) -> Cost {
    // A name that the provider has for the tier. Some providers have no name for `standard`.
    let word = Some(tier.as_str()).filter(|word| provider.tier(word) == Some(tier));
    let word =
        word.or_else(|| ["fast", "flex", "batch"].into_iter().find(|w| provider.tier(w) == Some(tier)));
    price(&PriceQuery { provider: provider.name(), service_tier: word, ..question(model.name(), usage) })
}

fn ask(listed: Listed, usage: &Usage) -> Cost {
    ask_tier(listed.provider, listed.model, listed.list.tier(), usage)
}

fn publishes(rates: &Rates, bucket: Bucket) -> bool {
    rates.iter().any(|rate| rate.meter == Meter::Tokens(bucket) && rate.is_published())
}

/// A second implementation of the price, with nested counts and integers of 10⁻¹⁵ dollars per token instead
/// of buckets and decimals. `None` if a rate is not published.
fn integer_oracle(model: &Model, list: &Price, usage: &NestedUsage) -> Option<Usd> {
    let over = model.long_context_over().is_some_and(|over| usage.input > over);
    let rates = if over { list.long()? } else { list.rates() };
    let published = |bucket| {
        let rate = rates.iter().find(|rate| rate.meter == Meter::Tokens(bucket) && rate.is_published())?;
        let mut usd = rate.usd;
        usd.rescale(9);
        Some(usd.mantissa())
    };
    let input = published(Bucket::Input)?;
    let output = if usage.output == 0 { 0 } else { published(Bucket::Output)? };
    let (write, write_12h) = (published(Bucket::CacheWrite), published(Bucket::CacheWrite12h));
    let borrowed =
        (write.is_none() && write_12h.is_none() && model.name() != "gpt-6-astra-law").then_some(input);
    let cost = |tokens: u64, rate: Option<i128>| {
        if tokens == 0 { Some(0) } else { Some(i128::from(tokens) * rate?) }
    };
    let fresh = usage.input - usage.cached - usage.cache_write - usage.cache_write_12h;
    let femtos = cost(fresh, Some(input))?
        + cost(usage.cached, published(Bucket::CachedInput).or(Some(input)))?
        + cost(usage.cache_write, write.or(borrowed))?
        + cost(usage.cache_write_12h, write_12h.or(borrowed))?
        + cost(usage.output, Some(output))?;
    // No published rate has more than six decimal places, so nothing has to be rounded.
    assert_eq!(femtos % 1_000, 0);
    Some(Usd::from_picos(femtos / 1_000))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_second_engine_agrees(listed in text_prices(), nested in text_usage()) {
        let usage = nested.exclusive().unwrap();
        prop_assert_eq!(ask(listed, &usage).usd, integer_oracle(listed.model, listed.list, &nested));
    }

    #[test]
    fn lines_add_up_and_each_is_its_product(listed in prices(), nested in text_usage()) {
        let usage = nested.exclusive().unwrap();
        let cost = ask(listed, &usage);
        if let Some(total) = cost.usd {
            prop_assert_eq!(total, cost.lines.iter().map(|line| line.usd).sum::<Usd>());
        }
        for line in &cost.lines {
            prop_assert!(line.quantity > Decimal::ZERO, "the quantity of a line must be positive");
            let amount = line.quantity * line.rate / Decimal::from(1_000_000);
            prop_assert_eq!(Some(line.usd), Usd::from_decimal(amount));
        }
        let tokens: Decimal = cost.lines.iter().map(|line| line.quantity).sum();
        prop_assert!(cost.usd.is_none() || tokens == Decimal::from(nested.input + nested.output));
    }

    #[test]
    fn an_all_zero_usage_is_never_priced(listed in prices()) {
        let cost = ask(listed, &Usage::default());
        prop_assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::NoUsage)));
        prop_assert!(cost.lines.is_empty());
    }

    #[test]
    fn more_tokens_are_never_cheaper_on_one_side_of_the_threshold(
        listed in prices(), nested in text_usage(), more in 1..1_000_u64, bucket in select(Bucket::ALL.to_vec()),
    ) {
        let usage = nested.exclusive().unwrap();
        let grown = usage.clone().with(bucket, usage.tokens(bucket) + more);
        let over = listed.model.long_context_over();
        let side = |usage: &Usage| over.is_some_and(|over| usage.prompt_tokens() > over);
        prop_assume!(side(&usage) == side(&grown));
        if let (Some(less), Some(more)) = (ask(listed, &usage).usd, ask(listed, &grown).usd) {
            prop_assert!(less <= more, "{} {less} > {more}", listed.model.name());
        }
    }

    /// Guarantees: what a cost from totals alone says about the real cost is true, however much of the input was
    /// cached or written.
    #[test]
    fn a_cost_from_totals_says_truly_how_it_relates_to_the_real_cost(listed in prices(), real in text_usage()) {
        let totals = NestedUsage { cached: 0, cache_write: 0, cache_write_12h: 0, reasoning: 0, ..real };
        let only_totals = NestedUsage { unstated: Unstated::ALL, ..totals };
        let cached = Unstated { cached: true, ..Unstated::NONE };
        let without_reads = NestedUsage { cached: 0, unstated: cached, ..real };
        let name = listed.model.name();
        let ask = |nested: NestedUsage| ask(listed, &nested.exclusive().unwrap());
        let real_cost = ask(real).usd;
        for stated in [ask(only_totals), ask(without_reads)] {
            let (Some(usd), Some(real_cost)) = (stated.usd, real_cost) else { continue };
            match stated.certainty {
                CostCertainty::Exact => prop_assert_eq!(usd, real_cost, "{}", name),
                CostCertainty::UpperBound => prop_assert!(usd >= real_cost, "{name} {usd} < {real_cost}"),
                // The flag is not there without need: a call whose input was all written is dearer.
                CostCertainty::Uncertain => {
                    let written = NestedUsage { cache_write: totals.input, ..totals };
                    let longer = NestedUsage { cache_write_12h: totals.input, ..totals };
                    let most = ask(written).usd.max(ask(longer).usd);
                    prop_assert!(totals.input == 0 || most > Some(usd), "{name} {most:?} <= {usd}");
                }
            }
        }
        prop_assert_eq!(ask(real).certainty, CostCertainty::Exact);
    }

    #[test]
    fn crossing_the_threshold_is_never_cheaper(listed in prices(), output in 0..100_000_u64) {
        let over = listed.model.long_context_over().unwrap_or(THRESHOLD);
        let at = |input| NestedUsage { input, output, ..NestedUsage::default() }.exclusive().unwrap();
        if let (Some(below), Some(above)) =
            (ask(listed, &at(over)).usd, ask(listed, &at(over + 1)).usd)
        {
            prop_assert!(below < above, "{}", listed.model.name());
        }
    }

    #[test]
    fn cached_tokens_without_a_rate_cost_the_input_rate_of_the_tier(
        listed in text_prices().prop_filter("no cached rate", |l| !publishes(l.list.rates(), Bucket::CachedInput)),
        tokens in 1..500_000_u64,
    ) {
        let of = |bucket| ask(listed, &Usage::default().with(bucket, tokens)).usd;
        prop_assert_eq!(of(Bucket::CachedInput), of(Bucket::Input));
    }

    #[test]
    fn batch_is_never_more_expensive_than_standard((provider, model) in models(), nested in text_usage()) {
        let usage = nested.exclusive().unwrap();
        let cost = |tier| ask_tier(provider, model, tier, &usage).usd;
        if let (Some(batch), Some(standard)) = (cost(Tier::Batch), cost(Tier::Standard)) {
            // If only standard has a published cached rate, a cached batch call can be more expensive.
            let cached = |tier| {
                model.price(tier, day(TODAY)).and_then(|list| list.rates().get(Meter::Tokens(Bucket::CachedInput)))
            };
            if cached(Tier::Batch) <= cached(Tier::Standard) {
                prop_assert!(batch <= standard, "{}: {batch} > {standard}", model.name());
            }
        }
    }

    /// Guarantees: before and after a change of price, each call has the rates of its own time.
    #[test]
    fn a_price_change_affects_only_the_calls_after_it(
        listed in prices(), nested in text_usage(), before in 1..1_000_000_000_i64, after in 0..1_000_000_000_i64,
    ) {
        let usage = nested.exclusive().unwrap();
        let at = |moment| price(&PriceQuery {
            provider: listed.provider.name(),
            at: moment,
            ..question(listed.model.name(), &usage)
        });
        for list in listed.model.prices().iter().filter(|l| l.tier() == Tier::Standard && l.hours().is_none()) {
            let Some(from) = list.from() else { continue };
            let moment = |nanos| spanledger_event::Timestamp::from_nanos(from.nanos() + nanos);
            // On each side of the change, any time has the same cost as the time next to the change, unless
            // another change or a price for certain hours is in between.
            let plain = |a, b| listed.model.price(Tier::Standard, a).map(Price::line) == listed.model.price(Tier::Standard, b).map(Price::line);
            for (a, b) in [(moment(-1), moment(-before)), (moment(0), moment(after))] {
                if plain(a, b) {
                    prop_assert_eq!(at(a).usd, at(b).usd);
                    prop_assert_eq!(at(a).lines, at(b).lines);
                }
            }
        }
    }

    #[test]
    fn a_model_has_at_most_one_price_list_at_a_time((_, model) in models(), nanos in any::<i64>()) {
        let at = spanledger_event::Timestamp::from_nanos(nanos);
        for tier in Tier::ALL {
            let lists = model.prices().iter().filter(|list| {
                list.hours().is_none() && list.tier() == tier && list.from().is_none_or(|from| from <= at) && list.until().is_none_or(|until| at < until)
            });
            prop_assert!(lists.count() <= 1);
        }
    }

    #[test]
    fn both_forms_of_a_usage_read_the_same(nested in text_usage()) {
        let writes = nested.cache_write + nested.cache_write_12h;
        let details = json!({
            "cached_tokens": nested.cached,
            "cache_write_tokens": writes,
            "cache_write_tokens_details": {
                "ttl_30m_tokens": nested.cache_write, "ttl_12h_tokens": nested.cache_write_12h,
            },
        });
        let reasoning = json!({"reasoning_tokens": nested.reasoning});
        let total = nested.input + nested.output;
        let chat = json!({
            "prompt_tokens": nested.input, "completion_tokens": nested.output, "total_tokens": total,
            "prompt_tokens_details": details, "completion_tokens_details": reasoning,
        });
        let responses = json!({
            "input_tokens": nested.input, "output_tokens": nested.output, "total_tokens": total,
            "input_tokens_details": details, "output_tokens_details": reasoning,
        });
        for json in [chat, responses] {
            let parsed = usage::parse("openai", &json.to_string()).unwrap();
            prop_assert_eq!(&parsed.usage, &nested.exclusive().unwrap());
            prop_assert_eq!(parsed.nested, NestedUsage { total: Some(total), ..nested });
            prop_assert!(parsed.unrecognized_counts.is_empty());
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".*", count in "-?[0-9]{0,25}(\\.[0-9]{1,3})?(e[0-9]{1,3})?") {
        if let Err(error) = usage::parse("openai", &text) {
            prop_assert!(!error.to_problem().is_empty());
        }
        let json = format!(r#"{{"input_tokens": {count}, "input_tokens_details": {{"cached_tokens": "{count}"}}}}"#);
        if let Ok(parsed) = usage::parse("openai", &json) {
            prop_assert_eq!(parsed.usage.prompt_tokens(), parsed.nested.input);
        }
    }

    #[test]
    fn any_query_is_priced_without_a_panic(
        provider in "(openai|azure.ai.openai|.*)", model in "(gpt-5.5|gpt-4o|.*)(-2026-[0-9]{2}-[0-9]{2})?",
        tier in proptest::option::of(".*"), region in proptest::option::of("(eu|.*)"), nanos in any::<i64>(),
        tokens in proptest::array::uniform13(any::<u64>()),
    ) {
        let usage = Bucket::ALL.into_iter().zip(tokens).fold(Usage::default(), |usage, (b, n)| usage.with(b, n));
        price(&PriceQuery {
            provider: &provider,
            model: Some(&model),
            service_tier: tier.as_deref(),
            region: region.as_deref(),
            at: spanledger_event::Timestamp::from_nanos(nanos),
            usage: Some(&usage),
            ..PriceQuery::default()
        });
    }
}

/// Guarantees: the published batch rate of each kind of token is at most the standard one.
#[test]
fn published_batch_rates_are_at_most_standard() {
    let mut compared = 0;
    for (_, model) in all_models() {
        let list = |tier| model.price(tier, day(TODAY));
        let (Some(batch), Some(standard)) = (list(Tier::Batch), list(Tier::Standard)) else { continue };
        for rate in batch.rates().iter().filter(|rate| rate.is_published()) {
            let usual = standard.rates().of(rate.meter, rate.variant.as_deref()).unwrap();
            assert!(rate.usd <= usual, "{} {:?}", model.name(), rate.meter);
            compared += 1;
        }
    }
    assert!(compared > 250, "only {compared} rates were compared");
}
