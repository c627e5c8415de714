use rust_decimal::Decimal;
use spanledger_event::{Bucket, Timestamp, Usage};

use super::super::tests::{
    compare_mistakes,
    markdown::{self, Block, Case},
};
use crate::{PriceBook, PriceQuery};

/// Every case of `cases.md`.
#[test]
fn files_are_applied_to_a_book_as_each_case_states() {
    let document = markdown::parse(include_str!("cases.md"));
    let base = PriceBook::parse([("acme.toml", &*document.head)]).unwrap_or_else(|errors| panic!("{errors}"));
    for case in &document.cases {
        let orders: Vec<Vec<&Block>> = vec![case.blocks.iter().collect(), case.blocks.iter().rev().collect()];
        for blocks in orders {
            let files: Vec<_> =
                blocks.iter().enumerate().map(|(i, block)| (format!("{i}.toml"), &*block.text)).collect();
            match base.layered(files.iter().map(|(name, text)| (name.as_str(), *text))) {
                Ok(book) => check_costs(case, &book),
                Err(errors) => {
                    assert_eq!(files.len(), 1, "{errors}");
                    compare_mistakes(&case.title, files[0].1, &errors.0);
                }
            }
        }
        assert!(
            !case.rows.is_empty() || case.blocks.iter().any(|block| block.text.contains("#~")),
            "{} expects nothing",
            case.title
        );
    }
}

fn check_costs(case: &Case, book: &PriceBook) {
    assert!(
        case.blocks.iter().all(|block| !block.text.contains("#~")),
        "{}: no mistake was found",
        case.title
    );
    for row in &case.rows {
        let [provider, model, tier, at, used, expected] = &row[..] else {
            panic!("{}: a row has six cells: {row:?}", case.title);
        };
        let at = if at.contains('T') { at.clone() } else { format!("{at}T00:00:00Z") };
        let usage = usage(used);
        let cost = book.price(&PriceQuery {
            provider,
            model: Some(model),
            service_tier: Some(tier),
            at: Timestamp::parse(&at).unwrap(),
            usage: usage.as_ref(),
            ..PriceQuery::default()
        });
        let lines = cost.lines.iter().map(|line| {
            let contained = line.unit.split_once(", ").map(|(_, words)| format!(" {words}"));
            format!("{}{}", line.rate.normalize(), contained.unwrap_or_default())
        });
        let found = match cost.reason {
            Some(reason) => reason.as_str().to_owned(),
            None if cost.lines.is_empty() => "free".to_owned(),
            None => lines.collect::<Vec<_>>().join(", "),
        };
        assert_eq!(&found, expected, "{}: {row:?}: {:?}", case.title, cost.detail);
    }
}

/// `100 input, 2 images of hd 1024x1792` as a usage.
fn usage(used: &str) -> Option<Usage> {
    if used == "nothing reported" {
        return None;
    }
    let mut usage = Usage::default();
    for part in used.split(", ") {
        let (quantity, name) = part.split_once(' ').unwrap();
        let (name, variant) = name.split_once(" of ").unwrap_or((name, ""));
        let quantity: u64 = quantity.parse().unwrap();
        if let Some(bucket) = Bucket::from_name(name) {
            usage = usage.with(bucket, quantity);
        } else if name == "web_search" {
            usage.web_search_calls = quantity;
        } else if name == "images" {
            usage.images = quantity;
            usage.variant = (!variant.is_empty()).then(|| variant.to_owned());
        } else {
            usage.units.insert(name.into(), Decimal::from(quantity));
        }
    }
    Some(usage)
}

#[test]
fn applying_a_discount_does_not_change_the_built_in_book() {
    let base = PriceBook::builtin();
    let ours = r#"
[provider]
name = "openai"
[sources]
contract = "ours"
[[discount]]
percent = "10"
sources = ["contract"]
prices_checked = 2027-03-01
"#;
    let book = base.layered([("ours.toml", ours)]).unwrap();
    let discounts = |book: &PriceBook| book.provider("openai").unwrap().discounts().len();
    assert_eq!((discounts(base), discounts(&book)), (0, 1));
    assert!(book.version().starts_with("2027-03-01+"), "{}", book.version());
}

#[test]
fn two_files_for_one_provider_are_refused() {
    let file = "[provider]\nname = \"openai\"\n";
    let errors = PriceBook::builtin().layered([("a.toml", file), ("b.toml", file)]).unwrap_err();
    assert_eq!(
        errors.0[0].to_string(),
        "b.toml:1: another file already describes openai: merge the two files"
    );
}

#[test]
fn a_name_of_another_provider_is_refused() {
    let file = "[provider]\nname = \"openai\"\naliases = [\"anthropic\"]\n";
    let errors = PriceBook::builtin().layered([("a.toml", file)]).unwrap_err();
    assert_eq!(
        errors.0[0].to_string(),
        "a.toml:1: the name `anthropic` already belongs to the provider anthropic: a name can have only one price list"
    );
}

#[test]
fn the_error_of_an_unknown_variant_lists_the_known_ones() {
    let mut usage = Usage::default();
    (usage.images, usage.variant) = (2, Some("4k".to_owned()));
    let cost = PriceBook::builtin().price(&PriceQuery {
        provider: "openai",
        model: Some("dall-e-2"),
        usage: Some(&usage),
        at: Timestamp::parse("2026-11-15T00:00:00Z").unwrap(),
        ..PriceQuery::default()
    });
    assert_eq!(
        cost.detail.as_deref(),
        Some(
            "dall-e-2 has no standard rate for images (2) of `4k`, only for \
             standard 1024x1024, standard 256x256, standard 512x512"
        )
    );
}
