use spanledger_event::{Bucket, Cost, Timestamp, UnpricedReason, Usage};

use crate::{BookProblem, PriceBook, PriceQuery, Tier};

const BOOK: &str = r#"
[provider]
name = "acme"
[sources]
page = "the price page"
[tiers]
standard = ["default"]
batch = ["batch"]
[fallback]
cached_input = "input"

[[fee]]
web_search_per_1k = "10"
sources = ["page"]
prices_checked = 2026-01-02

[[model]]
name = "m"
long_context_over_tokens = 100
[[price]]
model = "m"
from = 2026-01-01
sources = ["page"]
prices_checked = 2026-01-02
standard = { input_per_1m = "8", cached_input_per_1m = "0.8" }
standard_long = { input_per_1m = "16" }
batch = { input_per_1m = "4" }
[[price]]
model = "m"
from = 2026-07-01
sources = ["page"]
prices_checked = 2026-06-30
standard = { input_per_1m = "6" }

[[model]]
name = "n"
[[price]]
model = "n"
sources = ["page"]
prices_checked = 2026-01-02
standard = { input_per_1m = "1" }
"#;

fn base() -> PriceBook {
    PriceBook::parse([("acme.toml", BOOK)]).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What `text` says of the provider, after the header.
fn ours(text: &str) -> String {
    format!("[provider]\nname = \"acme\"\n[sources]\ncontract = \"ours\"\n{text}")
}

fn layered(text: &str) -> PriceBook {
    base().layered([("ours.toml", ours(text).as_str())]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn mistakes(text: &str) -> Vec<String> {
    let errors = base().layered([("ours.toml", ours(text).as_str())]).unwrap_err();
    errors.0.iter().map(|error| format!("{}: {}", error.line, error.problem)).collect()
}

fn ask(book: &PriceBook, model: &str, tier: &str, at: &str, usage: &Usage) -> Cost {
    book.price(&PriceQuery {
        provider: "acme",
        model: Some(model),
        service_tier: Some(tier),
        at: Timestamp::parse(at).unwrap(),
        usage: Some(usage),
        ..PriceQuery::default()
    })
}

/// The rate of a token of input.
fn rate(book: &PriceBook, model: &str, tier: &str, at: &str) -> String {
    let cost = ask(book, model, tier, at, &Usage::default().with(Bucket::Input, 1));
    cost.lines.first().map_or_else(|| format!("{:?}", cost.reason), |line| line.rate.normalize().to_string())
}

const OWN: &str = "sources = [\"contract\"]\nprices_checked = 2026-03-01\n";

#[test]
fn a_negotiated_rate_holds_for_its_time_and_tier_alone() {
    let book = layered(&format!(
        "[[price]]\nmodel = \"m\"\nfrom = 2026-03-01\nuntil = 2026-08-01\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"
    ));
    let at = |day: &str| rate(&book, "m", "default", &format!("{day}T00:00:00Z"));
    assert_eq!(at("2025-12-31"), "Some(NoPriceAtThatTime)");
    assert_eq!([at("2026-02-28"), at("2026-03-01"), at("2026-07-31")], ["8", "5", "5"]);
    assert_eq!(at("2026-08-01"), "6", "the list price again");
    assert_eq!(rate(&book, "m", "batch", "2026-04-01T00:00:00Z"), "4");
    assert_eq!(rate(&book, "n", "default", "2026-04-01T00:00:00Z"), "1");
    // What it does not say is as listed: the cached rate, the long side.
    let cached = Usage::default().with(Bucket::CachedInput, 1);
    let cost = ask(&book, "m", "default", "2026-04-01T00:00:00Z", &cached);
    assert_eq!(cost.lines[0].rate.to_string(), "0.8");
    let long = Usage::default().with(Bucket::Input, 101);
    let cost = ask(&book, "m", "default", "2026-04-01T00:00:00Z", &long);
    assert_eq!(cost.lines[0].rate.to_string(), "16");
    // From July on the list has no long side.
    let cost = ask(&book, "m", "default", "2026-07-15T00:00:00Z", &long);
    assert_eq!(cost.reason, Some(UnpricedReason::NoRateForTier));
    assert_eq!(rate(&base(), "m", "default", "2026-04-01T00:00:00Z"), "8", "the book below is as it was");
    assert_ne!(book.version(), base().version());
    assert!(book.version().starts_with("2026-06-30+"), "{}", book.version());
}

/// The list's rates for certain hours give way to a rate of one's own for all, and win where it says
/// nothing.
#[test]
fn negotiated_rates_of_certain_hours() {
    let text = BOOK.replace(
        "name = \"n\"\n",
        "name = \"n\"\n[[price]]\nmodel = \"n\"\nhours_utc = \"01:00-04:00\"\nsources = [\"page\"]\nprices_checked = 2026-01-02\n\
         standard = { input_per_1m = \"2\", output_per_1m = \"6\" }\n",
    );
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let rates = |rest: &str| {
        let price = format!(
            "[[price]]\nmodel = \"n\"\nfrom = 2026-03-01\n{rest}{OWN}standard = {{ input_per_1m = \"7\" }}\n"
        );
        let book =
            base.layered([("ours.toml", ours(&price).as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
        ["02:30", "05:30", "12:00"].map(|time| rate(&book, "n", "default", &format!("2026-03-05T{time}:00Z")))
    };
    assert_eq!(rates(""), ["7", "7", "7"]);
    assert_eq!(rates("hours_utc = \"01:00-04:00\"\n"), ["7", "1", "1"]);
    assert_eq!(rates("hours_utc = \"05:00-06:00\"\n"), ["2", "7", "1"]);
    for hours in ["02:00-03:00", "00:00-06:00", "03:00-05:00"] {
        let price =
            format!("[[price]]\nmodel = \"n\"\nhours_utc = \"{hours}\"\n{OWN}standard = {{ input_per_1m = \"7\" }}\n");
        let torn = base.layered([("ours.toml", ours(&price).as_str())]).unwrap_err();
        assert_eq!(
            torn.0[0].to_string(),
            "ours.toml:5: these hours overlap the book's 01:00-04:00: give the price the same hours, or leave `hours` out"
        );
    }
    // What an entry does not state is as listed at those hours.
    let price =
        format!("[[price]]\nmodel = \"n\"\nhours_utc = \"01:00-04:00\"\n{OWN}standard = {{ input_per_1m = \"7\" }}\n");
    let book =
        base.layered([("ours.toml", ours(&price).as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let usage = Usage::default().with(Bucket::Output, 1_000_000);
    assert_eq!(ask(&book, "n", "default", "2026-03-05T02:30:00Z", &usage).usd, "6".parse().ok());
    // Before that day nothing has changed.
    assert_eq!(rate(&base, "n", "default", "2026-02-01T02:30:00Z"), "2");
}

#[test]
fn an_open_negotiated_rate_outlives_later_list_prices() {
    let book = layered(&format!(
        "[[price]]\nmodel = \"m\"\nfrom = 2026-03-01\n{OWN}standard = {{ input_per_1m = \"5\" }}\n\
         [[price]]\nmodel = \"m\"\nfrom = 2026-05-01\n{OWN}standard = {{ input_per_1m = \"4.5\" }}\n"
    ));
    let at = |day: &str| rate(&book, "m", "default", &format!("{day}T00:00:00Z"));
    assert_eq!([at("2026-04-30"), at("2026-05-01"), at("2027-01-01")], ["5", "4.5", "4.5"]);
}

#[test]
fn a_discount_is_taken_off_rates_and_fees_and_shown() {
    let book = layered(&format!(
        "[[discount]]\npercent = \"12.5\"\nfrom = 2026-02-01\nuntil = 2026-03-01\nmodels = [\"m\"]\ntiers = [\"standard\"]\n{OWN}"
    ));
    let mut usage = Usage::default().with(Bucket::Input, 50);
    usage.web_search_calls = 1;
    let cost = ask(&book, "m", "default", "2026-02-01T00:00:00Z", &usage);
    let lines: Vec<_> = cost.lines.iter().map(|l| format!("{} {} {}", l.rate, l.unit, l.usd)).collect();
    assert_eq!(lines, ["7 1M tokens, −12.5 % 0.00035", "8.75 1K calls, −12.5 % 0.00875"]);
    assert_eq!(rate(&book, "m", "default", "2026-03-01T00:00:00Z"), "8");
    assert_eq!(rate(&book, "m", "batch", "2026-02-01T00:00:00Z"), "4");
    assert_eq!(rate(&book, "n", "default", "2026-02-01T00:00:00Z"), "1");
}

/// A rate that was agreed upon is not a list price.
#[test]
fn no_discount_is_taken_from_what_was_negotiated() {
    let book = layered(&format!(
        "[[discount]]\npercent = \"50\"\n{OWN}[[fee]]\nweb_search = \"6\"\n{OWN}\
         [[price]]\nmodel = \"m\"\nfrom = 2026-03-01\n{OWN}standard = {{ input_per_1m = \"5\" }}\n\
         [[model]]\nname = \"own\"\n[[price]]\nmodel = \"own\"\n{OWN}standard = {{ input_per_1m = \"3\" }}\n"
    ));
    let at = |model, day: &str| rate(&book, model, "default", &format!("{day}T00:00:00Z"));
    assert_eq!([at("m", "2026-02-28"), at("m", "2026-03-01")], ["4", "5"]);
    assert_eq!([at("n", "2026-03-01"), at("own", "2026-03-01")], ["0.5", "3"]);
    let mut usage = Usage::default();
    usage.web_search_calls = 1_000;
    assert_eq!(ask(&book, "n", "default", "2026-03-01T00:00:00Z", &usage).usd, "6".parse().ok());
}

/// Unless it is said to be one, as an imported price list says.
#[test]
fn a_list_price_of_ones_own_is_discounted() {
    let book = layered(&format!(
        "[[discount]]\npercent = \"50\"\n{OWN}\
         [[price]]\nmodel = \"m\"\nfrom = 2026-03-01\ndiscountable = true\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"
    ));
    assert_eq!(rate(&book, "m", "default", "2026-03-01T00:00:00Z"), "2.5");
}

/// Azure's contract is not OpenAI's.
#[test]
fn another_name_of_a_provider_can_have_prices_of_its_own() {
    let text = BOOK.replace(
        "name = \"acme\"\n",
        "name = \"acme\"\naliases = [\"acme.inc\", [\"acme.cloud\", \"cloud\"]]\n",
    );
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let ours = format!(
        "[provider]\nname = \"acme.cloud\"\n[sources]\ncontract = \"ours\"\n[deployments]\nprod = \"m\"\n\
         [[price]]\nmodel = \"m\"\nfrom = 2026-01-01\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"
    );
    let book = base.layered([("cloud.toml", ours.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let usage = Usage::default().with(Bucket::Input, 1);
    let ask = |provider, model| {
        let at = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let asked =
            PriceQuery { provider, model: Some(model), at, usage: Some(&usage), ..PriceQuery::default() };
        book.price(&asked).lines.first().map(|line| line.rate.to_string())
    };
    assert_eq!((ask("acme.cloud", "m"), ask("acme.cloud", "n")), (Some("5".into()), Some("1".into())));
    assert_eq!(
        ask("Cloud", "acme/m"),
        Some("5".into()),
        "both names of the door, and the provider's before a model"
    );
    assert_eq!((ask("acme", "m"), ask("acme.inc", "m")), (Some("8".into()), Some("8".into())));
    // A name of the same door, in any case, is the provider itself.
    let own = ours.replace("name = \"acme.cloud\"", "name = \"ACME.inc\"");
    let book = base.layered([("own.toml", own.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(
        (rate(&book, "m", "default", "2026-02-01T00:00:00Z").as_str(), book.providers().len()),
        ("5", 1)
    );
    // The order of the files changes nothing.
    let other = "[provider]\nname = \"acme\"\n[sources]\ncontract = \"ours\"\n[[discount]]\npercent = \"50\"\n"
        .to_owned() + OWN;
    let [a, b] = [("cloud.toml", ours.as_str()), ("acme.toml", other.as_str())];
    for files in [[a, b], [b, a]] {
        let book = base.layered(files).unwrap_or_else(|errors| panic!("{errors}"));
        let of = |provider| {
            let at = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
            let asked =
                PriceQuery { provider, model: Some("n"), at, usage: Some(&usage), ..PriceQuery::default() };
            book.price(&asked).lines[0].rate.to_string()
        };
        assert_eq!((of("acme"), of("acme.cloud")), ("0.5".into(), "1".into()));
    }
    assert_eq!((ask("acme.cloud", "prod"), ask("acme", "prod")), (Some("5".into()), None));
}

#[test]
fn names_of_deployments_mean_models() {
    let book = layered("[deployments]\nproduction = \"m\"\nn = \"m\"\n");
    let at = "2026-02-01T00:00:00Z";
    assert_eq!(rate(&book, "production", "default", at), "8");
    assert_eq!(rate(&book, "acme/production", "default", at), "8");
    assert_eq!(rate(&book, "n", "default", at), "8", "a deployment may be called like another model");
    assert_eq!(rate(&book, "Production", "default", at), "Some(UnknownModel)");
    // A deployment is a model, never another deployment.
    let book = layered("[deployments]\na = \"m\"\nm = \"n\"\nz = \"m\"\n");
    assert_eq!(["a", "m", "z"].map(|name| rate(&book, name, "default", at)), ["8", "1", "8"]);
}

#[test]
fn models_and_providers_of_ones_own() {
    let own = format!("[[model]]\nname = \"own\"\n[[price]]\nmodel = \"own\"\n{OWN}standard = {{ input_per_1m = \"3\" }}\n");
    let other =
        "[provider]\nname = \"other\"\naliases = [\"another\"]\n[sources]\ncontract = \"c\"\n".to_owned() + &own;
    let book = base().layered([("a.toml", ours(&own).as_str()), ("b.toml", other.as_str())]).unwrap();
    assert_eq!(rate(&book, "own", "default", "2026-02-01T00:00:00Z"), "3");
    assert_eq!(book.provider("another").unwrap().model("own").unwrap().prices()[0].tier(), Tier::Standard);
    // Its fallback is the provider's.
    let cached = Usage::default().with(Bucket::CachedInput, 1);
    assert!(ask(&book, "own", "default", "2026-02-01T00:00:00Z", &cached).usd.is_some());
}

#[test]
fn what_contradicts_the_book_is_refused_with_its_place() {
    let price = |rest: &str| format!("[[price]]\n{rest}{OWN}standard = {{ input_per_1m = \"5\" }}\n");
    for (text, expected) in [
        (
            price("model = \"mm\"\n"),
            "5: the book has no model `mm` of acme: correct the name, or declare it with [[model]]",
        ),
        (price(""), "5: `model` is missing: add model = \"…\", a model of the book"),
        (
            price("model = \"m\"\n") + &price("model = \"m\"\n"),
            "10: a second standard price of m for the same time as the one on line 5: give it a later `from`, \
             or end the other with `until`",
        ),
        (
            format!("[[model]]\nname = \"m\"\n[[price]]\nmodel = \"m\"\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"),
            "5: the name `m` already belongs to m: a name leads to one price list",
        ),
        (
            "[deployments]\nx = \"y\"\n".to_owned(),
            "6: the book has no model `y` of acme: correct the name, or declare it with [[model]]",
        ),
        (
            format!("[[discount]]\npercent = \"101\"\n{OWN}"),
            "5: `percent` is 101: at most \"100\" can be taken off",
        ),
        (format!("[[discount]]\npercent = \"-1\"\n{OWN}"), "6: `percent` is -1: a rate is never negative"),
        (
            format!("[[discount]]\npercent = \"1\"\nmodels = [\"x\"]\ntiers = [\"y\"]\n{OWN}"),
            "7: the book has no model `x` of acme: correct the name, or declare it with [[model]]",
        ),
    ] {
        assert_eq!(mistakes(&text).first().map(String::as_str), Some(expected), "{text}");
    }
    // The entry of a model that is not there has its other mistakes found as well.
    let both = mistakes(&format!("[[price]]\nmodel = \"mm\"\n{OWN}standard = {{ input_per_1m = 5 }}\n"));
    assert!(both.len() == 2 && both[1].starts_with("9: `input` is a bare number"), "{both:?}");
    let greedy = PriceBook::builtin()
        .layered([("a.toml", "[provider]\nname = \"openai\"\naliases = [\"anthropic\"]\n")])
        .unwrap_err();
    assert_eq!(
        greedy.0[0].to_string(),
        "a.toml:1: the name `anthropic` already belongs to the provider anthropic: a name leads to one price list"
    );
    let twice = base().layered([("a.toml", ours("").as_str()), ("b.toml", ours("").as_str())]).unwrap_err();
    assert!(matches!(twice.0[0].problem, BookProblem::SecondFile { .. }), "{twice}");
}

/// A night rate, past midnight, as DeepSeek had one.
#[test]
fn certain_hours_have_a_price_of_their_own() {
    let text = BOOK.replace(
        "name = \"n\"\n",
        "name = \"n\"\n[[price]]\nmodel = \"n\"\nhours_utc = \"16:30-00:30\"\nuntil = 2026-09-05\nsources = [\"page\"]\n\
         prices_checked = 2026-01-02\nstandard = { input_per_1m = \"0.5\" }\n",
    );
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let at = |moment: &str| rate(&book, "n", "default", moment);
    assert_eq!(at("2026-02-01T16:29:59.999999999Z"), "1");
    assert_eq!(at("2026-02-01T16:30:00Z"), "0.5");
    assert_eq!(at("2026-02-02T00:29:59Z"), "0.5");
    assert_eq!(at("2026-02-02T00:30:00Z"), "1");
    assert_eq!(at("2026-09-05T17:00:00Z"), "1", "the offer ended");
    for (hours, words) in
        [("25:00-26:00", "16:30-00:30"), ("10:00-10:00", "hours of the day"), ("10-12", "UTC")]
    {
        let error = PriceBook::parse([("a", text.replace("16:30-00:30", hours).as_str())]).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let weekdays = text.replace("hours_utc = \"16:30-00:30\"", "hours_utc = \"16:30-17:30\"\nweekdays_utc = \"mon-fri\"");
    let book =
        PriceBook::parse([("acme.toml", weekdays.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    // 2026-02-06 was a Friday.
    let at = |day: &str| rate(&book, "n", "default", &format!("{day}T17:00:00Z"));
    assert_eq!(
        [at("2026-02-06"), at("2026-02-07"), at("2026-02-08"), at("2026-02-09")],
        ["0.5", "1", "1", "0.5"]
    );
    let price = &book.provider("acme").unwrap().model("n").unwrap().prices()[0];
    assert_eq!(price.hours().unwrap().to_string(), "16:30-17:30 mon-fri");
    for (days, hours) in [("fri-mon", "hours"), ("monday", "hours"), ("mon-fri", "hour")] {
        let text = weekdays
            .replace("mon-fri", days)
            .replace("hours_utc = \"16:30-17:30\"", &format!("{hours} = \"16:30-17:30\""));
        let error = PriceBook::parse([("a", text.as_str())]).unwrap_err();
        assert!(error.to_string().contains("write days of the week in UTC"), "{error}");
    }
    let shared = text.replace(
        "[[price]]\nmodel = \"n\"\nhours",
        "[[price]]\nmodel = \"n\"\nhours_utc = \"00:00-02:00\"\nsources = [\"page\"]\nprices_checked = 2026-01-02\n\
         standard = { input_per_1m = \"2\" }\n[[price]]\nmodel = \"n\"\nhours",
    );
    let error = PriceBook::parse([("a", shared.as_str())]).unwrap_err();
    assert!(matches!(error.0[0].problem, BookProblem::Overlap { .. }), "{error}");
}

#[test]
fn variants_have_rates_of_their_own() {
    let text = BOOK.replace(
        "standard = { input_per_1m = \"1\" }",
        "standard = { images_each = { \"standard 1024x1024\" = \"0.04\", \"hd 1024x1792\" = \"0.12\" } }",
    );
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let cost = |variant: Option<&str>| {
        let mut usage = Usage::default();
        (usage.images, usage.variant) = (2, variant.map(str::to_owned));
        ask(&book, "n", "default", "2026-02-01T00:00:00Z", &usage)
    };
    assert_eq!(cost(Some("hd 1024x1792")).usd, "0.24".parse().ok());
    assert_eq!(cost(Some("HD 1024x1792")).usd, "0.24".parse().ok());
    let unknown = cost(Some("4k"));
    assert_eq!(unknown.reason, Some(UnpricedReason::NoRateForModality));
    assert_eq!(
        unknown.detail.as_deref(),
        Some("n has no standard rate for images (2) of `4k`, only for hd 1024x1792, standard 1024x1024")
    );
    assert!(cost(None).usd.is_none());
}

#[test]
fn units_without_a_word_in_the_book_are_unpriced() {
    let mut usage = Usage::default().with(Bucket::Input, 1);
    usage.units.insert("video_tokens".into(), 7.into());
    let cost = ask(&base(), "n", "default", "2026-02-01T00:00:00Z", &usage);
    assert_eq!(cost.reason, Some(UnpricedReason::NoRateForModality));
    assert!(cost.detail.unwrap().contains("video_tokens (7)"));
    assert_eq!(cost.lines.len(), 1, "what is known is shown");
    // Nor is one free that has the name of a meter with a place of its own.
    let mut usage = Usage::default();
    usage.units.insert("images".into(), 7.into());
    assert!(ask(&base(), "n", "default", "2026-02-01T00:00:00Z", &usage).usd.is_none());
}

#[test]
fn free_models_need_no_usage_and_no_price() {
    let text = format!("{BOOK}[[model]]\nname = \"gratis\"\nfree = true\n");
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    for usage in [None, Some(Usage::default().with(Bucket::Input, 5))] {
        let cost = book.price(&PriceQuery {
            provider: "acme",
            model: Some("gratis"),
            usage: usage.as_ref(),
            ..PriceQuery::default()
        });
        assert_eq!((cost.usd, cost.reason), (Some(spanledger_event::Usd::ZERO), None));
    }
}

/// A rate of one's own for a model that has an unknown price there makes it known.
#[test]
fn a_price_of_ones_own_is_known_where_the_book_has_none() {
    let text = BOOK
        .replace("name = \"acme\"\n", "name = \"acme\"\nalso = [[\"acme.cloud\"]]\n")
        .replace("name = \"n\"\n", "name = \"n\"\nnot_priced_for = [\"acme.cloud\"]\n")
        .replace("standard = { input_per_1m = \"1\" }", "standard = { input_per_1m = \"1\", output_per_1m = \"2\" }");
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let usage = Usage::default().with(Bucket::Input, 1);
    let ask = |book: &PriceBook| {
        let at = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let asked = PriceQuery {
            provider: "acme.cloud",
            model: Some("n"),
            at,
            usage: Some(&usage),
            ..PriceQuery::default()
        };
        book.price(&asked).lines.first().map(|line| line.rate.to_string())
    };
    assert_eq!(ask(&base), None);
    let own = |name: &str| {
        format!(
            "[provider]\nname = \"{name}\"\n[sources]\ncontract = \"ours\"\n[[price]]\nmodel = \"n\"\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"
        )
    };
    let layered =
        |name| base.layered([("ours.toml", own(name).as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(ask(&layered("acme.cloud")), Some("5".into()));
    // What the file does not state stays unknown: the book's rates are those of elsewhere.
    let spoken = Usage::default().with(Bucket::Output, 1);
    let at = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
    let book = layered("acme.cloud");
    let asked = PriceQuery {
        provider: "acme.cloud",
        model: Some("n"),
        at,
        usage: Some(&spoken),
        ..PriceQuery::default()
    };
    assert_eq!(book.price(&asked).reason, Some(UnpricedReason::NoRateForModality));
    assert_eq!(ask(&layered("acme")), None, "that is another contract");
}

/// What held for prompts of any length is what a long side of one's own lies over.
#[test]
fn a_long_side_over_a_flat_entry() {
    let text = BOOK.replace("from = 2026-07-01\n", "from = 2026-07-01\nno_long_context = true\n");
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let own = ours(&format!(
        "[[price]]\nmodel = \"m\"\nfrom = 2026-08-01\n{OWN}standard = {{ input_per_1m = \"5\" }}\nstandard_long = {{ cached_input_per_1m = \"2\" }}\n"
    ));
    let book = base.layered([("ours.toml", own.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let usage = Usage::default().with(Bucket::Input, 100).with(Bucket::CachedInput, 100);
    let cost = ask(&book, "m", "default", "2026-08-02T00:00:00Z", &usage);
    let rates: Vec<_> = cost.lines.iter().map(|line| line.rate.to_string()).collect();
    assert_eq!(rates, ["6", "2"]);
}

#[test]
fn a_flat_entry_has_no_threshold() {
    let text = BOOK.replace("from = 2026-07-01\n", "from = 2026-07-01\nno_long_context = true\n");
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let long = Usage::default().with(Bucket::Input, 1_000_000);
    let cost = |at: &str| ask(&book, "m", "default", at, &long).usd.map(|usd| usd.to_string());
    assert_eq!(cost("2026-06-30T00:00:00Z").as_deref(), Some("16"));
    assert_eq!(cost("2026-07-01T00:00:00Z").as_deref(), Some("6"));
}

/// A later entry may stand at the end of the file, where appending is easiest.
#[test]
fn entries_may_be_appended_at_the_end_of_the_file() {
    let text = format!(
        "{BOOK}[[price]]\nmodel = \"n\"\nfrom = 2026-10-01\nsources = [\"page\"]\nprices_checked = 2026-10-01\n\
         standard = {{ input_per_1m = \"2\" }}\n"
    );
    let book = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(rate(&book, "n", "default", "2026-09-30T23:59:59Z"), "1");
    assert_eq!(rate(&book, "n", "default", "2026-10-01T00:00:00Z"), "2");
}

/// Later ones take the place of earlier ones; those that name the model go before those for all.
#[test]
fn of_several_discounts_and_fees_one_holds() {
    let discount = |percent: &str, rest: &str| format!("[[discount]]\npercent = \"{percent}\"\n{rest}{OWN}");
    let book = layered(
        &(discount("50", "from = 2026-01-01\n")
            + &discount("25", "from = 2026-06-01\n")
            + &discount("75", "models = [\"n\"]\n")),
    );
    let at = |model, day: &str| rate(&book, model, "default", &format!("{day}T00:00:00Z"));
    assert_eq!([at("m", "2026-02-01"), at("m", "2026-06-02"), at("n", "2026-06-02")], ["4", "6", "0.25"]);

    let fee = |usd: &str, from: &str| format!("[[fee]]\nweb_search = \"{usd}\"\nfrom = {from}\n{OWN}");
    let book = layered(&(fee("8", "2026-01-01") + &fee("12", "2026-06-01")));
    let usage = {
        let mut usage = Usage::default();
        usage.web_search_calls = 1_000;
        usage
    };
    let cost = |day: &str| ask(&book, "n", "default", &format!("{day}T00:00:00Z"), &usage).usd;
    assert_eq!((cost("2026-05-31"), cost("2026-06-01")), ("8".parse().ok(), "12".parse().ok()));
}

/// A price of one's own for a free model is billed.
#[test]
fn what_has_a_price_is_not_free() {
    let text = format!("{BOOK}[[model]]\nname = \"gratis\"\nfree = true\n");
    let base = PriceBook::parse([("acme.toml", text.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    let own = ours(&format!("[[price]]\nmodel = \"gratis\"\n{OWN}standard = {{ input_per_1m = \"5\" }}\n"));
    let book = base.layered([("ours.toml", own.as_str())]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(rate(&book, "gratis", "default", "2026-04-01T00:00:00Z"), "5");
}

#[test]
fn fees_of_ones_own_go_first_and_may_be_for_some_models() {
    let book = layered(&format!("[[fee]]\nweb_search = \"4\"\nmodels = [\"m\"]\n{OWN}"));
    let mut usage = Usage::default();
    usage.web_search_calls = 1_000;
    let cost = |model| ask(&book, model, "default", "2026-02-01T00:00:00Z", &usage).usd;
    assert_eq!((cost("m"), cost("n")), ("4".parse().ok(), "10".parse().ok()));
}
