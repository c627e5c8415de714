//! Warns about valid price files in which something looks like a mistake, with file and line.

use spanledger_price::{PriceBook, Provider};
use spanledger_pricelist::lint::{self, Warning};

use crate::prices::{files::borrowed, suggest, today};

/// The warnings about the built-in book.
pub(super) fn of_builtin() -> Vec<String> {
    let file = |warning: &Warning| format!("{}.toml", warning.provider);
    lint::warnings(PriceBook::builtin()).iter().map(|warning| located(&file(warning), warning)).collect()
}

/// The warnings about each file. Each file is read separately, so that the line of a warning is in that file.
pub(super) fn of(files: &[(String, String)], is_whole: bool) -> anyhow::Result<Vec<String>> {
    let builtin = PriceBook::builtin();
    let known = lint::warnings(builtin);
    let today = today()?;
    let mut warnings = Vec::new();
    for file in files.chunks(1) {
        let name = file.first().map(|(name, _)| name.as_str()).unwrap_or_default();
        let texts = borrowed(file);
        let book = if is_whole { PriceBook::parse(texts) } else { builtin.layered(texts) }?;
        if !is_whole {
            warnings.extend(unknown_provider(builtin, &book).map(|words| format!("{name}: {words}")));
        }
        warnings.extend(book.providers().iter().flat_map(|provider| future_checked(provider, name, &today)));
        for warning in lint::warnings(&book) {
            if is_whole {
                warnings.push(located(name, &warning));
            } else if !known.contains(&warning) {
                let builtin_file = || format!("{}.toml of the built-in book", warning.provider);
                let is_builtin = is_of_builtin(builtin, &warning);
                let file = if is_builtin { builtin_file() } else { name.to_owned() };
                warnings.push(located(&file, &warning));
            }
        }
    }
    Ok(warnings)
}

fn located(file: &str, warning: &Warning) -> String {
    let Warning { provider, model, tier, line, lint } = warning;
    let tier = tier.map(|tier| format!(" {tier}")).unwrap_or_default();
    format!("{file}:{line}: {provider} {model}{tier}: {lint}")
}

/// Whether a warning is about an entry of the built-in book that the file does not replace.
fn is_of_builtin(builtin: &PriceBook, warning: &Warning) -> bool {
    let provider = builtin.providers().iter().find(|provider| provider.name() == warning.provider);
    let model = provider.and_then(|p| p.models().iter().find(|model| model.name() == warning.model));
    model.is_some_and(|model| model.prices().iter().any(|price| price.line() == warning.line))
}

/// Warns about new providers whose name is similar to the name of a provider in the built-in book.
fn unknown_provider<'b>(
    builtin: &'b PriceBook,
    book: &'b PriceBook,
) -> impl Iterator<Item = String> + use<'b> {
    let new = book.providers().iter().map(Provider::name).filter(|name| builtin.provider(name).is_none());
    new.filter_map(|name| {
        let similar = suggest::similar_provider(builtin, name)?;
        Some(format!(
            "{name} is not in the built-in book: it is added as a new provider; did you mean {similar}?"
        ))
    })
}

/// Warns about entries whose `prices_checked` is a day after today.
fn future_checked(provider: &Provider, file: &str, today: &str) -> Vec<String> {
    let name = provider.name();
    let mut warnings: Vec<String> = Vec::new();
    let mut warn = |place: String, checked: &str| {
        let warning = format!("{place}: `prices_checked` is {checked}, later than today");
        // An entry with several tiers gives several prices, but one warning is enough.
        if checked > today && !warnings.contains(&warning) {
            warnings.push(warning);
        }
    };
    for model in provider.models() {
        for price in model.prices() {
            warn(format!("{file}:{}: {name} {}", price.line(), model.name()), price.checked());
        }
    }
    for fee in provider.fees() {
        warn(format!("{file}: {name} fee of {}", fee.meter().name()), fee.checked());
    }
    for discount in provider.discounts() {
        warn(format!("{file}: {name} discount of {} %", discount.percent().normalize()), discount.checked());
    }
    warnings
}
