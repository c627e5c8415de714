use super::warnings;
use spanledger_price::PriceBook;

/// Findings of a book of one model, context entry is on line 7, as text.
fn check(lines: &str, expected: &[&str]) {
    named("m", lines, expected);
}

fn named(name: &str, lines: &str, expected: &[&str]) {
    let entry = &format!("[[price]]\nmodel = \"{name}\"\nsources = [\"page\"]\nprices_checked = 2026-11-20");
    let text = format!(
        "[provider]\nname = \"acme\"\n[sources]\npage = \"x\"\n[[model]]\nname = \"{name}\"\nlong_context_over_tokens = 9\n{entry}\n{}\n",
        lines.replace("[[next]]", entry)
    );
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let found: Vec<String> = warnings(&book).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn ordinary_prices_have_no_findings() {
    check(
        "standard = { input_per_1m = \"2\", cached_input_per_1m = \"2\", output_per_1m = \"2\" }\nstandard_long = { input_per_1m = \"2\", output_per_1m = \"3\" }\n\
         batch = { input_per_1m = \"2\", output_per_1m = \"2\" }\npriority = { input_per_1m = \"2\", output_per_1m = \"9\" }",
        &[],
    );
    named("text-embedding-1", "standard = { input_per_1m = \"2\", output_per_1m = \"1\" }", &[]);
    check("standard = { input_per_1m = \"2\", output_per_1m = \"0\" }", &[]);
}

#[test]
fn odd_rates_are_found() {
    check(
        "standard = { input_per_1m = \"2\", cached_input_per_1m = \"3\", output_per_1m = \"8\" }",
        &["acme line 8: m standard: cached_input 3 is above the input rate 2"],
    );
    check(
        "standard = { audio_input_per_1m = \"2\", cached_audio_input_per_1m = \"2.5\" }",
        &["acme line 8: m standard: cached_audio_input 2.5 is above the input rate 2"],
    );
    check(
        "standard = { input_per_1m = \"2\", output_per_1m = \"1\" }",
        &["acme line 8: m standard: output 1 is below the input rate 2"],
    );
    check(
        "standard = { input_per_1m = \"2\" }\nbatch = { input_per_1m = \"3\" }\npriority = { input_per_1m = \"1.5\" }",
        &[
            "acme line 8: m batch: input 3 is above the standard rate 2",
            "acme line 8: m priority: input 1.5 is below the standard rate 2",
        ],
    );
    check(
        "standard = { input_per_1m = \"2\" }\nstandard_long = { input_per_1m = \"1\" }",
        &["acme line 8: m standard: input 1 of long prompts is below the rate 2 of short ones"],
    );
    check(
        "standard = { input_per_1m = \"0\" }",
        &["acme line 8: m standard: every rate is zero: free, or not known to the source"],
    );
}

#[test]
fn times_are_looked_at() {
    check(
        "standard = { input_per_1m = \"2\" }\n[[next]]\nfrom = 2026-01-01\nstandard = { input_per_1m = \"2\" }",
        &["acme line 13: m standard: the same rates as the entry before"],
    );
    check(
        "until = 2026-01-01\nstandard = { input_per_1m = \"2\" }",
        &["acme line 8: m: no price from 2026-01-01 on: nothing follows the last entry"],
    );
    check(
        "standard = { input_per_1m = \"2\" }\n[[next]]\nuntil = 2026-01-01\nbatch = { input_per_1m = \"1\" }",
        &["acme line 13: m batch: no price from 2026-01-01 on: nothing follows the last entry"],
    );
    // The batch price was below the standard price of its time.
    check(
        "standard = { input_per_1m = \"9\" }\n[[next]]\nfrom = 2026-01-01\nstandard = { input_per_1m = \"2\" }\n[[next]]\nuntil = 2026-01-01\n\
         batch = { input_per_1m = \"4\" }\n[[next]]\nfrom = 2026-01-01\nbatch = { input_per_1m = \"1\" }",
        &[],
    );
}

#[test]
fn findings_can_be_read_by_machines() {
    let text = "[provider]\nname = \"acme\"\n[sources]\npage = \"x\"\n[[model]]\nname = \"m\"\n[[price]]\nmodel = \"m\"\n\
                sources = [\"page\"]\nprices_checked = 2026-11-20\nstandard = { input_per_1m = \"0\" }\n";
    let book = PriceBook::parse([("acme.toml", text)]).unwrap();
    assert_eq!(
        serde_json::to_string(&warnings(&book)).unwrap(),
        r#"[{"provider":"acme","model":"m","tier":"standard","line":7,"lint":"every rate is zero: free, or not known to the source"}]"#
    );
}
