//! `spanledger prices import`.

use std::{fs, path::Path, process::ExitCode};

use anyhow::Context as _;
use spanledger_price::{
    PriceBook,
    import::{self, Accept, Comparison, EntryOptions, InsertError, PriceMap, Scope},
};

use super::{files, moment};
use crate::{
    args::{DiffFormat, ImportArguments, PriceList},
    render::parts::{WIDTH, clean, counted, list, wrapped},
    report, terminal,
};

/// Where entries are to be written, and what stands there.
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
    let scope = Scope {
        at,
        provider: provider.map(str::to_owned),
        models: arguments.models.clone(),
        ..Scope::default()
    };
    let comparison = import::compare(&book, &map, &scope);
    terminal::data(&match arguments.format {
        DiffFormat::Table => text(&comparison),
        DiffFormat::Json => format!("{}\n", serde_json::to_string_pretty(&comparison)?),
    })?;
    let (Some(target), Some(provider)) = (target, provider) else {
        if !comparison.is_clean() {
            terminal::say("nothing was written; --provider NAME --write FILE adds dated entries to a file");
        }
        return Ok(ExitCode::SUCCESS);
    };
    write(&target, &comparison, options(arguments, provider, &at.to_string())?)?;
    Ok(ExitCode::SUCCESS)
}

fn map(arguments: &ImportArguments) -> anyhow::Result<PriceMap> {
    let name = arguments.file.display();
    let json = fs::read_to_string(&arguments.file).with_context(|| format!("{name} cannot be read"))?;
    let map = match arguments.list {
        PriceList::LiteLlm => import::litellm(&json),
        PriceList::GenaiPrices => import::genai_prices(&json),
    };
    map.with_context(|| name.to_string())
}

/// The book to compare with: the built-in one, with what stands in the file that is to be written.
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

/// The name that the list has for a provider.
fn provider<'m>(book: &PriceBook, map: &'m PriceMap, asked: &str) -> anyhow::Result<&'m str> {
    let known = |name: &str| book.provider(name).map(|provider| provider.name().to_owned());
    let is_meant = |name: &&str| {
        name.eq_ignore_ascii_case(asked) || (known(name).is_some() && known(name) == known(asked))
    };
    let providers = map.providers();
    providers.iter().copied().find(is_meant).with_context(|| {
        format!("the list has no provider `{}`: it has {}", clean(asked), list(&providers, "and"))
    })
}

fn options(arguments: &ImportArguments, provider: &str, at: &str) -> anyhow::Result<EntryOptions> {
    let day = |moment: &str| moment.chars().take_while(|&c| c != 'T').collect::<String>();
    let today = day(&moment(None)?.to_string());
    let from = match arguments.effective.as_deref() {
        None => day(at),
        Some(text) if report::absolute(text).is_some() && !text.contains('T') => text.to_owned(),
        Some(text) => anyhow::bail!("--effective {text} is no day: write it as 2026-11-01"),
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
    })
}

fn write(target: &Target<'_>, comparison: &Comparison, options: EntryOptions) -> anyhow::Result<()> {
    let entries = import::entries(comparison, &options);
    let name = target.path.display();
    if entries.is_empty() {
        let words = if comparison.suspicious.is_empty() {
            ""
        } else {
            "; what is suspicious can be taken with --accept MODEL"
        };
        terminal::say(format_args!("{name} stays as it is: there is nothing to take over{words}"));
        return Ok(());
    }
    let text = inserted(target, comparison, options).with_context(|| format!("{name} stays as it is"))?;
    files::replace(target.path, &text).with_context(|| format!("{name} cannot be written"))?;
    let models = counted(entries.models().len(), "model");
    let whole = if target.is_whole { " --book" } else { "" };
    let mut next = format!(
        "entries of {models} of {} were added to {name}; read them, then:\n  \
         spanledger prices check{whole} {name}\n  spanledger prices diff builtin {name}",
        entries.provider()
    );
    if !target.is_whole {
        next.push_str(&format!("\n  spanledger serve --prices {name}"));
    }
    terminal::say(next);
    Ok(())
}

/// The file's text with the entries in it. An id that the file has for another source gets a number.
fn inserted(
    target: &Target<'_>,
    comparison: &Comparison,
    mut options: EntryOptions,
) -> Result<String, InsertError> {
    /// So many lists a day are no accident.
    const IDS_MAX: usize = 100;
    let base = (!target.is_whole).then(PriceBook::builtin);
    let id = options.source_id.clone();
    let mut result = import::insert(base, &target.text, &import::entries(comparison, &options));
    for number in 2..IDS_MAX {
        if !matches!(result, Err(InsertError::SourceTaken { .. })) {
            break;
        }
        options.source_id = format!("{id}_{number}");
        result = import::insert(base, &target.text, &import::entries(comparison, &options));
    }
    result
}

/// The comparison with its long lines wrapped.
fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    for line in comparison.to_string().lines() {
        if line.chars().count() <= WIDTH {
            text.push_str(line);
            text.push('\n');
        } else {
            let indent = line.chars().take_while(|c| *c == ' ').count();
            text.push_str(&wrapped(&" ".repeat(indent), indent + 2, line));
        }
    }
    text
}
