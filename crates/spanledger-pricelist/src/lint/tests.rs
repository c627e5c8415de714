use super::warnings;
use spanledger_price::PriceBook;

/// Checks the warnings about a book of one model, whose first entry is on line 8.
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
fn ordinary_prices_have_no_warnings() {
    check(
        "standard = { input_per_1m = \"2\", cached_input_per_1m = \"2\", output_per_1m = \"2\" }\nstandard_long = { input_per_1m = \"2\", output_per_1m = \"3\" }\n\
         batch = { input_per_1m = \"2\", output_per_1m = \"2\" }\npriority = { input_per_1m = \"2\", output_per_1m = \"9\" }",
        &[],
    );
    named("text-embedding-1", "standard = { input_per_1m = \"2\", output_per_1m = \"1\" }", &[]);
    check("standard = { input_per_1m = \"2\", output_per_1m = \"0\" }", &[]);
}

#[test]
fn rates_that_do_not_fit_each_other_are_found() {
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
        &["acme line 8: m standard: input 1 of long prompts is below the rate of short ones, 2"],
    );
    check(
        "standard = { input_per_1m = \"0\" }",
        &[
            "acme line 8: m standard: every rate is zero: the model is free, or the source does not know its price",
        ],
    );
}

#[test]
fn a_rate_in_the_wrong_unit_is_implausible() {
    check(
        "standard = { input_per_1m = \"2000\", images_each = { hd = \"12\" } }",
        &[
            "acme line 8: m standard: input 2000 is above the highest plausible rate, 1000",
            "acme line 8: m standard: images 12 is above the highest plausible rate, 10",
        ],
    );
    named(
        "text-embedding-1",
        "standard = { input_per_1m = \"100\" }",
        &["acme line 8: text-embedding-1 standard: input 100 is above the highest plausible rate, 10"],
    );
}

#[test]
fn entries_that_repeat_or_end_are_found() {
    check(
        "standard = { input_per_1m = \"2\" }\n[[next]]\nfrom = 2026-01-01\nstandard = { input_per_1m = \"2\" }",
        &["acme line 13: m standard: the rates equal those of the previous entry"],
    );
    check(
        "until = 2026-01-01\nstandard = { input_per_1m = \"2\" }",
        &["acme line 8: m: there is no price from 2026-01-01 on: no entry follows the last one"],
    );
    check(
        "standard = { input_per_1m = \"2\" }\n[[next]]\nuntil = 2026-01-01\nbatch = { input_per_1m = \"1\" }",
        &["acme line 13: m batch: there is no price from 2026-01-01 on: no entry follows the last one"],
    );
    // The batch price was below the standard price of its time.
    check(
        "standard = { input_per_1m = \"9\" }\n[[next]]\nfrom = 2026-01-01\nstandard = { input_per_1m = \"2\" }\n[[next]]\nuntil = 2026-01-01\n\
         batch = { input_per_1m = \"4\" }\n[[next]]\nfrom = 2026-01-01\nbatch = { input_per_1m = \"1\" }",
        &[],
    );
}
