//! Reads price files into a book.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Spanned, de::DeTable};
use xxhash_rust::xxh3::Xxh3;

use super::{
    BookError, BookErrors, BookProblem, PriceBook, Provider, Source,
    grammar::FILE,
    toml_file::{TomlFile, TomlTable},
};

mod price;
mod provider;
mod rules;

use provider::ProviderFile;

/// The sources that a file may name, by their ids.
type Sources<'t> = BTreeMap<&'t str, Source>;

/// Reads files as a book. If there is a base, the files are applied to it. All mistakes of all files are
/// collected.
pub(super) fn book<'a>(
    base: Option<&PriceBook>,
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<PriceBook, BookErrors> {
    let mut content = Xxh3::new();
    let mut checked = BTreeSet::new();
    if let Some(base) = base {
        content.update(base.version.as_bytes());
        checked.extend(base.version.split('+').next().map(str::to_owned));
    }
    let (mut files, roots): (Vec<TomlFile<'_>>, Vec<Spanned<DeTable<'_>>>) =
        files.into_iter().map(|(name, text)| parse_toml(name, text, &mut content)).unzip();

    let mut shared = Sources::new();
    for (file, root) in files.iter_mut().zip(&roots) {
        let mut table = TomlTable::root(root.get_ref(), &FILE);
        if table.has_only("sources") {
            sources(&mut table, &mut shared, file);
        }
    }
    let mut assembly = Assembly::over(base);
    let mut errors: Vec<BookError> = Vec::new();
    for (file, root) in files.iter_mut().zip(&roots) {
        let table = TomlTable::root(root.get_ref(), &FILE);
        if !table.has_only("sources")
            && let Some(described) = ProviderFile::read(table, file)
        {
            assembly.add(described, &shared, file);
        }
        file.errors.sort_by_key(|error| error.line);
        errors.append(&mut file.errors);
        checked.append(&mut file.days_checked);
    }
    if !errors.is_empty() {
        return Err(BookErrors(errors));
    }
    let day = checked.last().map_or("0000-00-00", String::as_str);
    let hash = format!("{:032x}", content.digest128());
    Ok(PriceBook { providers: assembly.providers.into(), version: format!("{day}+{}", &hash[..12]).into() })
}

fn parse_toml<'a>(name: &'a str, text: &'a str, content: &mut Xxh3) -> (TomlFile<'a>, Spanned<DeTable<'a>>) {
    for line in text.lines() {
        // Line endings are normalized, so that a checkout with other line endings has the same version.
        content.update(line.as_bytes());
        content.update(b"\n");
    }
    let mut file = TomlFile::new(name, text);
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in syntax {
        let problem = BookProblem::Syntax(error.message().trim().to_owned());
        file.error(error.span().map_or(0, |span| span.start), problem);
    }
    (file, root)
}

/// Adds the sources that a file declares to the known ones.
fn sources<'t>(root: &mut TomlTable<'t, '_>, known: &mut Sources<'t>, file: &mut TomlFile<'_>) {
    for (id, at, text) in root.texts_by_name("sources", file) {
        if known.insert(id, Source { id: id.into(), text: text.into() }).is_some() {
            file.error(at, BookProblem::DuplicateSource { id: id.to_owned() });
        }
    }
}

/// The providers of the base and of the files that have been read so far.
struct Assembly<'b> {
    base: &'b [Provider],
    is_overlay: bool,
    providers: Vec<Provider>,
    /// The names of providers that a file has described.
    described: Vec<String>,
}

impl<'b> Assembly<'b> {
    fn over(base: Option<&'b PriceBook>) -> Self {
        let (is_overlay, base) = (base.is_some(), base.map(|base| &base.providers[..]).unwrap_or_default());
        Self { base, is_overlay, providers: base.to_vec(), described: Vec::new() }
    }

    /// Adds a provider from its file, or applies the file to the provider of the base.
    fn add(&mut self, described: ProviderFile<'_, '_>, shared: &Sources<'_>, file: &mut TomlFile<'_>) {
        let name = described.name.clone();
        if self.described.iter().any(|other| other.eq_ignore_ascii_case(&name)) {
            file.error(
                0,
                if self.is_overlay {
                    BookProblem::SecondFile { name }
                } else {
                    let owner = format!("the provider {name}");
                    BookProblem::DuplicateName { name, owner }
                },
            );
            return;
        }
        let base = self.base;
        let known = base.iter().find(|provider| provider.is_called(&name));
        for alias in described.aliases.iter().chain(described.channels.iter().flatten()) {
            let is_other = |other: &&Provider| known.is_none_or(|known| known.name != other.name);
            if let Some(other) = base.iter().filter(is_other).find(|other| other.is_called(alias)) {
                let owner = format!("the provider {}", other.name);
                file.error(0, BookProblem::DuplicateName { name: alias.clone(), owner });
            }
        }
        let Some(known) = known else {
            self.described.push(name);
            self.providers.push(described.provider(None, shared, file));
            return;
        };
        let channel = known.channel(&name);
        self.described.extend(channel.iter().cloned());
        let Some(index) = self.providers.iter().position(|provider| provider.name == known.name) else {
            return;
        };
        if channel.contains(&known.name) {
            // A file for one of its channels may have been read before. The channel's names are then removed
            // already.
            self.providers[index] = described.provider(Some(&self.providers[index]), shared, file);
        } else {
            // The channel, such as Azure for OpenAI, becomes a separate provider. It starts with the book's
            // prices, and the file changes some of them.
            self.providers[index].remove_channel(&channel);
            self.providers.push(described.provider(Some(&known.for_channel(&channel)), shared, file));
        }
    }
}
