use super::*;

#[test]
fn a_models_name_has_no_provider_and_no_date() {
    for (name, base) in [
        ("gpt-5.5", "gpt-5.5"),
        ("GPT-5.5-2026-04-23", "gpt-5.5"),
        ("openai/gpt-5.5-2026-04-23", "gpt-5.5"),
        ("openai:gpt-5.5", "gpt-5.5"),
        ("mistral:mistral-large-latest", "mistral-large-latest"),
        ("", ""),
    ] {
        assert_eq!(base_name(name), base, "{name}");
    }
}

/// What stands after the last colon of these names is shared by many models.
#[test]
fn names_that_end_alike_after_a_colon_are_different_models() {
    let names = [
        "anthropic.claude-opus-4-8-v1:0",
        "us.amazon.nova-pro-v1:0",
        "deepseek/deepseek-r1:free",
        "meta-llama/llama-4-scout:free",
        "qwen2:7b",
        "mistral:7b",
        "mistral:latest",
        "llama:latest",
        "ft:gpt-4o-mini:acme::a",
        "ft:gpt-4o-mini:other::a",
    ];
    for (at, name) in names.iter().enumerate() {
        for other in &names[at + 1..] {
            assert_ne!(base_name(name), base_name(other), "{name} and {other}");
        }
    }
    assert_eq!(base_name("bedrock:anthropic.claude-opus-4-8-v1:0"), base_name(names[0]));
}
