//! What looks like a slip in a price file, with its file and line.

use spanledger_price::{PriceBook, Provider};
use spanledger_pricelist::lint::{self, Warning};

use super::super::{files::borrowed, near, today};

/// What the built-in book is known for, with its files.
pub(super) fn of_builtin() -> Vec<String> {
    let file = |warning: &Warning| format!("{}.toml", warning.provider);
    lint::warnings(PriceBook::builtin()).iter().map(|warning| at(&file(warning), warning)).collect()
}

/// What is odd in each file, read by itself: each speaks of another provider.
pub(super) fn of(files: &[(String, String)], is_whole: bool) -> anyhow::Result<Vec<String>> {
    let builtin = PriceBook::builtin();
    let known = lint::warnings(builtin);
    let today = today()?;
    let mut remarks = Vec::new();
    for file in files.chunks(1) {
        let name = file.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let texts = borrowed(file);
        let book = if is_whole { PriceBook::parse(texts) } else { builtin.layered(texts) }?;
        if !is_whole {
            remarks.extend(strange(builtin, &book).map(|words| format!("{name}: {words}")));
        }
        remarks.extend(book.providers().iter().flat_map(|provider| late(provider, name, &today)));
        for warning in lint::warnings(&book) {
            if is_whole {
                remarks.push(at(name, &warning));
            } else if !known.contains(&warning) {
                let is_ours = !is_builtin(builtin, &warning);
                let builtin = || format!("{}.toml of the built-in book", warning.provider);
                remarks.push(at(&if is_ours { name.to_owned() } else { builtin() }, &warning));
            }
        }
    }
    Ok(remarks)
}

fn at(file: &str, warning: &Warning) -> String {
    let Warning { provider, model, tier, line, lint } = warning;
    let tier = tier.map(|tier| format!(" {tier}")).unwrap_or_default();
    format!("{file}:{line}: {provider} {model}{tier}: {lint}")
}

/// Whether a finding is about an entry of the built-in book, which a file has left standing.
fn is_builtin(builtin: &PriceBook, warning: &Warning) -> bool {
    let provider = builtin.providers().iter().find(|provider| provider.name() == warning.provider);
    let model = provider.and_then(|p| p.models().iter().find(|model| model.name() == warning.model));
    model.is_some_and(|model| model.prices().iter().any(|price| price.line() == warning.line))
}

/// Providers that are new, and named nearly as one that is there.
fn strange<'b>(builtin: &'b PriceBook, book: &'b PriceBook) -> impl Iterator<Item = String> + 'b {
    let new = book.providers().iter().map(Provider::name).filter(|name| builtin.provider(name).is_none());
    new.filter_map(|name| {
        let near = near::similar_provider(builtin, name)?;
        Some(format!(
            "{name} is not in the built-in book: it is added as a new provider; did you mean {near}?"
        ))
    })
}

/// What was read later than today.
fn late<'b>(provider: &'b Provider, file: &'b str, today: &'b str) -> impl Iterator<Item = String> + 'b {
    let words = move |place: String, checked: &str| {
        (checked > today).then(|| format!("{place}: `checked` is {checked}, later than today"))
    };
    let mut lines: Vec<usize> = Vec::new();
    let prices = provider.models().iter().flat_map(|model| model.prices().iter().map(move |p| (model, p)));
    let prices = prices.filter_map(move |(model, price)| {
        // An entry has several tiers.
        if lines.contains(&price.line()) {
            return None;
        }
        let place = format!("{file}:{}: {} {}", price.line(), provider.name(), model.name());
        let words = words(place, price.checked())?;
        lines.push(price.line());
        Some(words)
    });
    let fees = provider.fees().iter().filter_map(move |fee| {
        words(format!("{file}: {} fee of {}", provider.name(), fee.meter().name()), fee.checked())
    });
    let discounts = provider.discounts().iter().filter_map(move |discount| {
        let percent = discount.percent().normalize();
        words(format!("{file}: {} discount of {percent} %", provider.name()), discount.checked())
    });
    prices.chain(fees).chain(discounts)
}
