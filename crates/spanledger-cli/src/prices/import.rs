//! `spanledger prices import`.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;
use spanledger_price::{PriceBook, Provider};
use spanledger_pricelist::{
    self as pricelist, Accept, Comparison, EntryOptions, InsertError, PriceMap, Scope,
};

use super::{files, moment, suggest::suggest, today};
use crate::{
    args::{DiffFormat, ImportArguments, PriceList},
    render::{
        parts::{self, clean, counted, list, width, wrapped},
        text::printable_lines,
    },
    terminal, time,
};

/// The file to which entries are written, and its present text.
struct Target<'a> {
    path: &'a Path,
    text: String,
    is_whole: bool,
}

pub(super) fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let map = map(arguments)?;
    let at = moment(arguments.at.as_deref())?;
    let (book, target) = target(arguments)?;
    let provider = arguments.provider.as_deref().map(|asked| provider(&book, &map, asked)).transpose()?;
    let scope = Scope { at, provider: provider.clone(), models: arguments.models.clone() };
    for (flag, names) in [("--model", &arguments.models), ("--accept", &arguments.accept)] {
        for name in names {
            listed(&book, &map, provider.as_deref(), name)
                .with_context(|| format!("{flag} {}", clean(name)))?;
        }
    }
    let comparison = pricelist::compare(&book, &map, &scope);
    terminal::data(&match arguments.format {
        DiffFormat::Table => text(&comparison),
        DiffFormat::Json => parts::json(&comparison)?,
    })?;
    let (Some(target), Some(provider)) = (target, provider) else {
        if !comparison.is_clean() {
            terminal::say("nothing was written; --provider NAME --write FILE adds dated entries to a file");
        }
        return Ok(ExitCode::SUCCESS);
    };
    write(&target, &comparison, options(arguments, &provider, &at.to_string(), !target.is_whole)?)?;
    Ok(ExitCode::SUCCESS)
}

fn map(arguments: &ImportArguments) -> anyhow::Result<PriceMap> {
    let name = arguments.file.display();
    let json = fs::read_to_string(&arguments.file).with_context(|| format!("{name} cannot be read"))?;
    let map = match arguments.list {
        PriceList::LiteLlm => pricelist::litellm(&json),
        PriceList::GenaiPrices => pricelist::genai_prices(&json),
    };
    map.with_context(|| name.to_string())
}

/// Reads the target file and the book to compare with. The book is the target itself if it is a complete book;
/// otherwise it is the built-in book with the target laid over it.
fn target(arguments: &ImportArguments) -> anyhow::Result<(PriceBook, Option<Target<'_>>)> {
    let Some(path) = arguments.write.as_deref() else { return Ok((PriceBook::builtin().clone(), None)) };
    if !path.exists() {
        let target = Target { path, text: String::new(), is_whole: false };
        return Ok((PriceBook::builtin().clone(), Some(target)));
    }
    let files = files::read(&[path.to_owned()])?;
    let files::Loaded { book, is_whole, .. } = files::of(&files)?;
    let text = files.into_iter().map(|(_, text)| text).collect();
    Ok((book, Some(Target { path, text, is_whole })))
}

/// The name of a provider in the comparison: its name in the book or, if the book does not have it, in the list.
fn provider(book: &PriceBook, map: &PriceMap, asked: &str) -> anyhow::Result<String> {
    let name = |name: &str| book.provider(name).map_or_else(|| name.to_owned(), |own| own.name().to_owned());
    let providers = map.providers();
    let asked_name = name(asked);
    let found = providers.iter().map(|listed| name(listed)).find(|own| own.eq_ignore_ascii_case(&asked_name));
    found.with_context(|| {
        format!("the list has no provider `{}`: it has {}", clean(asked), list(&providers, "and"))
    })
}

/// Checks that the list or the book has a model of that name.
fn listed(book: &PriceBook, map: &PriceMap, provider: Option<&str>, name: &str) -> anyhow::Result<()> {
    let own = |theirs: &str| book.provider(theirs).map_or_else(|| theirs.to_owned(), |p| p.name().to_owned());
    let asked = |theirs: &str| provider.is_none_or(|asked| own(theirs) == asked);
    let models = || map.models.iter().filter(|model| asked(&model.provider));
    let is_skipped = map.skipped.iter().any(|skipped| skipped.name == name && asked(&skipped.provider));
    let providers = book.providers().iter().filter(|own| asked(own.name()));
    let is_known = providers.flat_map(Provider::models).any(|model| model.name() == name);
    if is_skipped || is_known || models().any(|model| model.name == name) {
        return Ok(());
    }
    if let Some(model) = models().find(|model| model.aliases.iter().any(|alias| alias == name)) {
        anyhow::bail!("the list has it as an alias of `{}`: use that name", clean(&model.name));
    }
    let similar = suggest(models().map(|model| model.name.clone()), name);
    let hint =
        if similar.is_empty() { String::new() } else { format!(": did you mean {}?", list(similar, "or")) };
    anyhow::bail!("the list has no such model{hint}")
}

fn options(
    arguments: &ImportArguments,
    provider: &str,
    at: &str,
    is_over: bool,
) -> anyhow::Result<EntryOptions> {
    let day = |moment: &str| moment.chars().take_while(|&c| c != 'T').collect::<String>();
    let today = today()?;
    let from = match arguments.effective.as_deref() {
        None => day(at),
        Some(text) if time::is_day(text) => text.to_owned(),
        Some(text) => anyhow::bail!("--effective {text} is not a day: write it as 2026-11-01"),
    };
    let (id, words) = match arguments.list {
        PriceList::LiteLlm => ("litellm", "price map of LiteLLM"),
        PriceList::GenaiPrices => ("genai_prices", "data of genai-prices"),
    };
    let file = arguments.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let source = format!("{words}, {}, read on {today}", clean(&file));
    let accept = match (arguments.accept_suspicious, arguments.accept.as_slice()) {
        (true, _) => Accept::All,
        (false, []) => Accept::None,
        (false, models) => Accept::Models(models.to_vec()),
    };
    Ok(EntryOptions {
        provider: provider.to_owned(),
        from,
        source_id: format!("{id}_{}", today.replace('-', "_")),
        checked: today,
        source_text: arguments.source.clone().unwrap_or(source),
        accept,
        list: is_over,
    })
}

fn write(target: &Target<'_>, comparison: &Comparison, options: EntryOptions) -> anyhow::Result<()> {
    let entries = pricelist::entries(comparison, &options);
    let name = target.path.display();
    if entries.is_empty() {
        let words =
            if comparison.suspicious.is_empty() { "" } else { "; --accept MODEL imports a suspicious model" };
        terminal::say(format_args!("{name} stays as it is: there is nothing to import{words}"));
        return Ok(());
    }
    let from = options.from.clone();
    let text = inserted(target, comparison, options).with_context(|| format!("{name} stays as it is"))?;
    files::replace(target.path, &text).with_context(|| format!("{name} cannot be written"))?;
    let kept = comparison.kept.iter().filter(|kept| kept.provider == entries.provider()).count();
    if kept > 0 {
        terminal::say(format_args!("kept: your own price of {}", counted(kept, "model")));
    }
    let models = counted(entries.models().len(), "model");
    let whole = if target.is_whole { " --book" } else { "" };
    let mut next = format!(
        "entries of {models} of {} were added to {name}; review them, then run:\n  \
         spanledger prices check{whole} {name}\n  spanledger prices diff builtin {name} --at {from}",
        entries.provider()
    );
    if !target.is_whole {
        next.push_str(&format!("\n  spanledger serve --prices {name}"));
    }
    terminal::say(next);
    Ok(())
}

/// Adds the entries to the file's text. If the file already uses the source's id for another source, a number is
/// added to the id.
fn inserted(
    target: &Target<'_>,
    comparison: &Comparison,
    mut options: EntryOptions,
) -> Result<String, InsertError> {
    /// The greatest number that is tried. There are not so many imports of one list on one day.
    const IDS_MAX: usize = 100;
    let base = (!target.is_whole).then(PriceBook::builtin);
    let id = options.source_id.clone();
    let mut result = pricelist::insert(base, &target.text, &pricelist::entries(comparison, &options));
    for number in 2..IDS_MAX {
        if !matches!(result, Err(InsertError::SourceTaken { .. })) {
            break;
        }
        options.source_id = format!("{id}_{number}");
        result = pricelist::insert(base, &target.text, &pricelist::entries(comparison, &options));
    }
    result
}

/// The comparison with its long lines wrapped.
fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for line in printable_lines(&comparison.to_string()).lines() {
        if line.chars().count() <= width() {
            text.push_str(line);
            text.push('\n');
        } else {
            let indent = line.chars().take_while(|c| *c == ' ').count();
            text.push_str(&wrapped(&" ".repeat(indent), indent + 2, line));
        }
    }
    text
}
