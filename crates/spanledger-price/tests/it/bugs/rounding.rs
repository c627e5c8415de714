//! Exact sums, fees of tools, and prices that changed.

use spanledger_event::{Bucket, Endpoint, Timestamp, UnpricedReason, Usage, Usd};
use spanledger_price::PriceQuery;

use crate::support::{day, line, nested, price, question, rate, total, usd};

/// Langfuse rounded a small amount to zero.
/// <https://github.com/langfuse/langfuse/issues/1041>
#[test]
fn small_amounts_are_not_rounded_away() {
    let usage = nested(1, 0, 0, 0);
    let one = PriceQuery { endpoint: Endpoint::Embeddings, ..question("text-embedding-3-small", &usage) };
    assert_eq!(total(&one), usd("0.00000002"));
    let cost =
        price(&PriceQuery { service_tier: Some("batch"), ..question("gpt-5-nano", &nested(1, 1, 1, 0)) });
    assert_eq!(cost.usd.map(Usd::picos), Some(2_500 + 200_000));
}

/// Sums of LiteLLM, `AgentOps` and `VibeCodingTracker` had rounding errors of floats.
/// <https://github.com/BerriAI/litellm/issues/8867>
/// <https://github.com/AgentOps-AI/agentops/issues/284>
#[test]
fn sums_are_exact() {
    // 300,000 × 1.1 per million.
    let usage = nested(300_000, 0, 0, 0);
    assert_eq!(total(&question("o3-mini", &usage)).to_string(), "0.33");
    let sum: Usd = (0..10).map(|_| total(&question("text-embedding-ada-002", &nested(1, 0, 0, 0)))).sum();
    assert_eq!(sum.to_string(), "0.000001");
}

fn used(set: impl FnOnce(&mut Usage)) -> Usage {
    let mut usage = Usage::default();
    set(&mut usage);
    usage
}

/// LiteLLM did not count web searches.
/// <https://github.com/BerriAI/litellm/issues/15227>
/// <https://github.com/BerriAI/litellm/issues/26153>
#[test]
fn web_searches_are_billed() {
    let usage = used(|usage| usage.web_search_calls = 3).with(Bucket::Input, 10);
    for provider in ["openai", "anthropic"] {
        let model = if provider == "openai" { "gpt-5.5" } else { "claude-sonnet-4-5" };
        let cost = price(&PriceQuery { provider, ..question(model, &usage) });
        assert_eq!(line(&cost, "web_search"), usd("0.03"), "{provider}");
    }
}

/// LiteLLM 1.109.1 bills web searches or file searches, never both, one file search at most, and the code
/// interpreter only for Azure.
#[test]
fn every_kind_of_tool_call_is_billed_by_its_number() {
    let usage = used(|usage| {
        (usage.web_search_calls, usage.file_search_calls, usage.code_interpreter_calls) = (2, 4, 1);
        usage.units.insert("container_4gb".into(), 2.into());
    });
    let cost = price(&question("gpt-5.5", &usage));
    let lines: Vec<_> = cost.lines.iter().map(|line| format!("{} {}", line.kind, line.usd)).collect();
    assert_eq!(lines, ["web_search 0.02", "file_search 0.01", "code_interpreter 0.03", "container_4gb 0.24"]);
    assert_eq!(rate(&cost, "web_search"), 10.into());
}

/// After a price cut, LiteLLM used the old price.
/// <https://github.com/BerriAI/litellm/pull/35270>
#[test]
fn a_price_cut_holds_from_its_moment_and_not_before() {
    let usage = nested(10_000, 2_000, 1_000, 0);
    let cost = |model, at| price(&PriceQuery { at, ..question(model, &usage) });
    assert_eq!(cost("gpt-5.6-sol", day("2026-08-20")).usd, Some(usd("0.071")));
    assert_eq!(cost("gpt-5.6-sol", day("2026-08-21")).usd, Some(usd("0.0528")));
    assert_eq!(cost("o3", day("2025-06-09")).usd, Some(usd("0.125")));
    assert_eq!(cost("o3", day("2025-06-10")).usd, Some(usd("0.025")));
    assert_eq!(cost("o3", day("2025-04-15")).reason, Some(UnpricedReason::NoPriceAtThatTime));
    let last = Timestamp::from_nanos(day("2025-06-10").nanos() - 1);
    assert_eq!(cost("o3", last).usd, Some(usd("0.125")), "to the nanosecond");
}
