use super::between;
use spanledger_price::PriceBook;

const HEAD: &str = r#"[provider]
name = "acme"
[sources]
page = "the price page"
[fallback]
cached_input = "input"
"#;

fn book(text: &str) -> PriceBook {
    let entry = "sources = [\"page\"]\nprices_checked = 2026-11-20\n";
    let text = format!("{HEAD}{}", text.replace("[[price]]\n", &format!("[[price]]\n{entry}")));
    let text = text.replace("[[fee]]\n", &format!("[[fee]]\n{entry}"));
    PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn model(name: &str, lines: &str) -> String {
    format!(
        "[[model]]\nname = \"{name}\"\n{}\n",
        lines.replace("model = \"…\"", &format!("model = \"{name}\""))
    )
}

/// An entry, to be given to [`model`], which fills in its name.
fn price(lines: &str) -> String {
    format!("[[price]]\nmodel = \"…\"\n{lines}\n")
}

/// The differences as text, of all entries or of one day.
fn check(a: &str, b: &str, day: Option<&str>, expected: &[&str]) {
    let at = day.map(|day| spanledger_event::Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap());
    let found: Vec<String> = between(&book(a), &book(b), at).iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
    assert!(between(&book(a), &book(a), at).is_empty());
}

#[test]
fn added_removed_and_changed_rates_are_listed() {
    let a = model(
        "m",
        &format!(
            "long_context_over_tokens = 9\n{}",
            price(
                "standard = { input_per_1m = \"4\", output_per_1m = \"8\" }\nstandard_long = { input_per_1m = \"8\" }"
            )
        ),
    );
    let b = model(
        "m",
        &format!(
            "long_context_over_tokens = 9\n{}",
            price(
                "standard = { input_per_1m = \"4.0\", cached_input_per_1m = \"0.4\", images_each = { hd = \"2\" } }\nstandard_long = { input_per_1m = \"9\" }"
            )
        ),
    );
    check(
        &a,
        &b,
        None,
        &[
            "acme m: standard cached_input 0.4 (new) per 1M tokens",
            "acme m: standard output 8 (gone) per 1M tokens",
            "acme m: standard images `hd` 2 (new) per image",
            "acme m: standard_long input 8 -> 9 per 1M tokens",
        ],
    );
}

#[test]
fn models_fees_and_properties_are_compared() {
    let rate = price("standard = { input_per_1m = \"4\" }");
    let a = format!("{}{}[[fee]]\nweb_search_per_1k = \"10\"\n", model("m", &rate), model("old", &rate));
    let b = format!(
        "{}{}[[fee]]\nweb_search_per_1k = \"25\"\n[[fee]]\nfile_search_per_1k = \"2\"\nmodels = [\"m\"]\n",
        model("m", &format!("regional_surcharge = true\nlong_context_over_tokens = 5\n{rate}")),
        model("new", &rate)
    );
    check(
        &a,
        &b,
        None,
        &[
            "acme m: long_context_over none -> 5",
            "acme m: regional false -> true",
            "acme new: new model",
            "acme new: standard input 4 (new) per 1M tokens",
            "acme old: withdrawn",
            "acme old: standard input 4 (gone) per 1M tokens",
            "acme: fee web_search for all models 10 -> 25 per 1K calls",
            "acme: fee file_search for m 2 (new) per 1K calls",
        ],
    );
}

/// Guarantees: without a moment every dated entry counts, with one only those of its day.
#[test]
fn at_a_moment_only_its_price_list_is_compared() {
    let first = price("standard = { input_per_1m = \"4\" }");
    let (a, b) = (
        model("m", &first),
        model("m", &format!("{first}{}", price("from = 2026-06-01\nstandard = { input_per_1m = \"5\" }"))),
    );
    check(&a, &b, None, &["acme m: standard input 5 (new) per 1M tokens, from 2026-06-01"]);
    check(&a, &b, Some("2026-05-31"), &["acme m: until none -> standard 2026-06-01"]);
    check(&a, &b, Some("2026-06-01"), &["acme m: standard input 4 -> 5 per 1M tokens"]);
    let hours = model(
        "m",
        &format!("{first}{}", price("hours_utc = \"16:30-00:30\"\nstandard = { input_per_1m = \"1\" }")),
    );
    let night = ["acme m: standard input at 16:30-00:30 UTC 1 (new) per 1M tokens"];
    check(&a, &hours, Some("2026-06-01"), &night);
    let ended = model("m", &price("until = 2026-07-01\nstandard = { input_per_1m = \"4\" }"));
    check(&a, &ended, None, &["acme m: until none -> standard 2026-07-01"]);
    check(
        &a,
        &ended,
        Some("2026-07-01"),
        &["acme m: withdrawn", "acme m: standard input 4 (gone) per 1M tokens"],
    );
}

#[test]
fn json_has_amounts_as_number_literals() {
    let (a, b) = (
        model("m", &price("standard = { input_per_1m = \"4.50\" }")),
        model("m", &price("standard = { input_per_1m = \"5\" }")),
    );
    let changes = between(&book(&a), &book(&b), None);
    assert_eq!(
        serde_json::to_string(&changes).unwrap(),
        r#"[{"kind":"rate","change":"changed","provider":"acme","model":"m","tier":"standard","side":"short","meter":"input","unit":"1M tokens","from":4.5,"to":5}]"#
    );
}

/// Guarantees: discounts, fees, rules and deployments of an override file are differences, not only its rates.
#[test]
fn overrides_are_compared() {
    let base = book(&format!(
        "[[fee]]\nweb_search_per_1k = \"10\"\nexcept_models = [\"n\"]\n{}{}",
        model("m", &price("standard = { input_per_1m = \"4\" }")),
        model("n", &price("standard = { input_per_1m = \"4\" }")),
    ));
    let ours = |text: &str| {
        let source = "sources = [\"contract\"]\nprices_checked = 2026-11-20\n";
        let text = text.replace("]]\n", &format!("]]\n{source}"));
        let text = format!("[provider]\nname = \"acme\"\n[sources]\ncontract = \"c\"\n{text}");
        base.layered([("ours.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"))
    };
    let first = ours(
        "[regional_surcharge]\nfactor = \"1.1\"\nregions = [\"eu\"]\nsources = [\"contract\"]\nprices_checked = 2026-11-20\n\
         [[fee]]\nweb_search_per_1k = \"8\"\n[[discount]]\npercent = \"10\"\nmodels = [\"n\", \"m\"]\n\
         tiers = [\"batch\"]\nuntil = 2027-01-01\n[[price]]\nmodel = \"m\"\nstandard = { input_per_1m = \"4\" }\n\
         [deployments]\nchat = \"m\"\n",
    );
    let second = ours(
        "[[discount]]\npercent = \"12.5\"\nmodels = [\"m\", \"n\"]\ntiers = [\"batch\"]\nuntil = 2027-01-01\n\
         [deployments]\nchat = \"n\"\n",
    );
    let at = spanledger_event::Timestamp::parse("2026-11-21T00:00:00Z");
    let words = |a: &PriceBook, b: &PriceBook, at| -> Vec<String> {
        between(a, b, at).iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        words(&base, &first, at),
        [
            "acme m: negotiated none -> standard",
            "acme: regional none -> ×1.1 in eu",
            "acme: fee web_search for all models 8 (new) per 1K calls",
            "acme: fee web_search for all models except n 10 (gone) per 1K calls",
            "acme: discount for m, n in batch 10 (new) %",
            "acme: deployment `chat` m (new)",
        ]
    );
    assert_eq!(
        words(&first, &second, None)[4..],
        ["acme: discount for m, n in batch until 2027-01-01 10 -> 12.5 %", "acme: deployment `chat` m -> n",]
    );
    let json = serde_json::to_value(between(&first, &second, at)).unwrap();
    assert_eq!((&json[1]["kind"], &json[0]["kind"]), (&"rule".into(), &"property".into()));
    let last = json.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["kind"], &last["change"], &last["to"]),
        (&"deployment".into(), &"changed".into(), &"n".into())
    );
}

/// Scenario: only the second book gives an alias of a provider its own prices.
/// Guarantees: they are compared with the prices that the alias had before.
#[test]
fn an_alias_with_its_own_prices_is_compared_with_its_provider() {
    let entry = "sources = [\"page\"]\nprices_checked = 2026-11-20\nstandard = { input_per_1m = \"4\" }";
    let head = HEAD.replace("\"acme\"", "\"acme\"\nchannels = [[\"acme.eu\"]]");
    let text = format!("{head}{}", model("m", &price(entry)));
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap();
    let ours = "[provider]\nname = \"acme.eu\"\n[sources]\nc = \"c\"\n[[price]]\nmodel = \"m\"\nsources = [\"c\"]\n\
                prices_checked = 2026-11-20\ndiscountable = true\nstandard = { input_per_1m = \"5\" }\n";
    let after = base.layered([("eu.toml", ours)]).unwrap();
    let words = |a: &PriceBook, b: &PriceBook| -> Vec<String> {
        between(a, b, None).iter().map(ToString::to_string).collect()
    };
    assert_eq!(words(&base, &after), ["acme.eu m: standard input 4 -> 5 per 1M tokens"]);
    assert_eq!(words(&after, &base), ["acme.eu m: standard input 5 -> 4 per 1M tokens"]);
    let renamed = text
        .replace("name = \"acme\"\nchannels = [[\"acme.eu\"]]", "name = \"acme.eu\"\naliases = [\"acme\"]");
    let renamed = PriceBook::parse([("acme.toml", renamed.as_str())]).unwrap();
    assert!(words(&base, &renamed).is_empty());
}
