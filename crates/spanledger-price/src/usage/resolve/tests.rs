use spanledger_event::{Bucket, Endpoint, Usage, UsageError, UsageSource};

use super::{Answer, ResolvedUsage, UsageReadError, resolve};
use crate::usage::{ContainerMemory, ToolCalls};

const CHAT: &str = r#"{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}"#;
const ZEROS: &str = r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}"#;

fn resolve_chat(usage_json: Option<&str>, tools: ToolCalls, estimate: Option<Usage>) -> ResolvedUsage {
    resolve(Answer {
        provider: "openai",
        endpoint: Endpoint::Chat,
        usage_json,
        tools,
        estimate,
        ..Answer::default()
    })
}

fn with_tools(usage_json: &str, tools: ToolCalls) -> Usage {
    resolve_chat(Some(usage_json), tools, None).usage.unwrap()
}

#[test]
fn tool_calls_are_added_to_the_tokens() {
    let tools = ToolCalls { web_searches: 2, file_searches: 1, images: 1, ..ToolCalls::default() };
    let usage = with_tools(CHAT, tools);
    assert_eq!((usage.prompt_tokens(), usage.output_tokens()), (10, 5));
    assert_eq!((usage.web_search_calls, usage.file_search_calls, usage.images), (2, 1, 1));
    let usage = with_tools(CHAT, ToolCalls { web_search_previews: 2, ..ToolCalls::default() });
    assert_eq!((usage.web_search_calls, usage.units.get("web_search_preview")), (0, Some(&2.into())));
}

#[test]
fn tool_calls_are_not_added_to_an_all_zero_usage() {
    let usage = with_tools(ZEROS, ToolCalls { web_searches: 1, ..ToolCalls::default() });
    assert!(usage.is_empty(), "with a search it would be priced as the whole call: {usage:?}");
}

#[test]
fn calls_that_the_usage_counts_too_are_billed_once() {
    const THREE: &str = r#"{"input_tokens": 1, "output_tokens": 1, "tool_usage":
        {"web_search": {"num_requests": 3}, "code_interpreter": {"num_sessions": 3}}}"#;
    for (container_memory, unit) in [
        (ContainerMemory::Gb1, None),
        (ContainerMemory::Gb4, Some("container_4gb")),
        (ContainerMemory::Gb16, Some("container_16gb")),
        (ContainerMemory::Gb64, Some("container_64gb")),
        (ContainerMemory::Unknown, Some("container_unknown_size")),
    ] {
        let tools = ToolCalls { web_searches: 2, containers: 1, container_memory, ..ToolCalls::default() };
        let usage = with_tools(THREE, tools);
        assert_eq!(usage.web_search_calls, 3);
        assert_eq!(usage.code_interpreter_calls, if unit.is_none() { 3 } else { 0 }, "{container_memory:?}");
        let counted: Vec<_> = usage.units.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counted, unit.map(|name| (name, 3.into())).into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_estimate_is_used_only_where_no_usage_is_reported() {
    let mut seven_characters = Usage::default();
    seven_characters.characters = 7;
    let estimate = || Some(seven_characters.clone());
    for (json, source, characters) in [
        (None, UsageSource::Estimated, 7),
        (Some(ZEROS), UsageSource::Estimated, 7),
        (Some(CHAT), UsageSource::Provider, 0),
    ] {
        let resolved = resolve_chat(json, ToolCalls::default(), estimate());
        assert_eq!((resolved.source, resolved.usage.unwrap().characters), (source, characters), "{json:?}");
    }
    let contradictory = r#"{"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 9}"#;
    let resolved = resolve_chat(Some(contradictory), ToolCalls::default(), estimate());
    assert_eq!((resolved.usage, resolved.source), (None, UsageSource::Provider));
    assert!(matches!(resolved.problem, Some(UsageReadError::Contradictory(_))), "{:?}", resolved.problem);
}

#[test]
fn without_a_report_there_is_no_usage() {
    let resolved = resolve_chat(None, ToolCalls { web_searches: 1, ..ToolCalls::default() }, None);
    assert_eq!(resolved, ResolvedUsage::default());
}

#[test]
fn a_usage_that_was_already_read_takes_precedence_over_the_object() {
    let read = Usage::default().with(Bucket::Input, 3);
    let answer =
        |json, usage| resolve(Answer { usage_json: Some(json), usage: Some(usage), ..Answer::default() });
    assert_eq!(answer(CHAT, Ok(read.clone())).usage, Some(read.clone()));
    let damaged = UsageError::TotalMismatch { stated: 3, sum: 2 };
    assert_eq!(answer(CHAT, Err(UsageReadError::Counts(damaged))).usage, None);
    // A damaged object is a problem, even if there is also a usage.
    let resolved = answer("[]", Ok(read));
    assert!(resolved.usage.is_none() && resolved.problem.is_some(), "{resolved:?}");
}

/// Scenario: a count is beyond what one call can have, wherever it is stated.
#[test]
fn a_usage_with_a_count_that_no_call_can_have_is_out_of_range() {
    let images = |images| {
        let mut usage = Usage::default().with(Bucket::Input, 3);
        usage.images = images;
        usage
    };
    let with_tools = |tools| resolve_chat(Some(CHAT), tools, None);
    let tools = |images| ToolCalls { images, ..ToolCalls::default() };
    let read = |usage| resolve(Answer { usage: Some(Ok(usage)), ..Answer::default() });
    let object = |json| resolve_chat(Some(json), ToolCalls::default(), None);
    for (resolved, expected) in [
        (read(images(90_000_000_000_000)), "`images` is 90000000000000: one call has at most 1000000000"),
        (with_tools(tools(1_000_000_001)), "`images` is 1000000001"),
        (
            resolve_chat(None, ToolCalls::default(), Some(images(u64::MAX))),
            "`images` is 18446744073709551615",
        ),
        (object(r#"{"num_images": 1000000001}"#), "`num_images` is 1000000001"),
        (object(r#"{"seconds": 1000000000.5}"#), "`seconds` is 1000000000.5"),
        (
            object(r#"{"prompt_tokens": 4294967297}"#),
            "`prompt_tokens` is 4294967297: one call has at most 4294967296",
        ),
        (
            object(r#"{"prompt_tokens": "99999999999999999999999"}"#),
            "`prompt_tokens` is 18446744073709551615",
        ),
    ] {
        let problem = resolved.problem.unwrap();
        assert!(problem.is_out_of_range() && problem.to_problem().contains(expected), "{problem}");
        assert_eq!(resolved.usage, None);
    }
    assert_eq!(read(images(1_000_000_000)).usage, Some(images(1_000_000_000)));
}

#[test]
fn tier_and_region_are_read_outside_and_inside_the_usage() {
    let inside = r#"{"input_tokens": 5, "output_tokens": 1, "speed": "fast", "inference_geo": "us"}"#;
    let plain = r#"{"input_tokens": 5, "output_tokens": 1}"#;
    for (usage_json, service_tier, region, expected) in [
        (inside, None, None, (Some("fast"), Some("us"))),
        (inside, Some("standard"), Some("global"), (Some("fast"), Some("us"))),
        (inside, Some("batch"), Some("eu"), (Some("batch and fast"), Some("eu and us"))),
        (plain, Some("standard"), Some("global"), (Some("standard"), Some("global"))),
        (inside, Some("fast"), None, (Some("fast"), Some("us"))),
        (plain, Some("batch"), None, (Some("batch"), None)),
        (plain, None, None, (None, None)),
    ] {
        let resolved = resolve(Answer {
            provider: "anthropic",
            usage_json: Some(usage_json),
            service_tier,
            region,
            ..Answer::default()
        });
        let found = (resolved.service_tier.as_deref(), resolved.region.as_deref());
        assert_eq!(found, expected, "{usage_json} {service_tier:?} {region:?}");
    }
}
