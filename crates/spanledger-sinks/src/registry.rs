//! Builds the sinks that a configuration names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, de::DeserializeOwned};
use toml::Table;

use crate::{BatchShape, BoxSink, EventFilter, EventSelection, Sink};

#[cfg(test)]
mod tests;

/// The configuration of one kind of sink.
///
/// It is a struct in the sink's folder with one documented field for each option, and with
/// `#[serde(deny_unknown_fields)]`, so that a misspelled option is an error. The fields are listed in
/// the table of options of the sink's README; a test compares the two.
pub trait SinkConfig: DeserializeOwned + Clone + Send + Sync + 'static {
    /// The sink.
    type Sink: Sink;

    /// Creates the sink.
    ///
    /// This does no I/O that can fail or block: a destination that is not available must not prevent `serve`
    /// from receiving. The sink connects when it is opened.
    fn build(self) -> Result<Self::Sink, OptionError>;

    /// The statements that create the destination's table and views, if it has tables. `table` is the name that
    /// the user wants for the table.
    fn ddl(table: Option<&str>) -> Option<String> {
        let _ = table;
        None
    }
}

/// The error for an option whose value has the right type, but is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{option}`: {problem}")]
pub struct OptionError {
    /// The name of the option.
    pub option: &'static str,
    /// What is wrong with its value, and what to write instead.
    pub problem: String,
}

type Build = fn(Table) -> Result<MakeSink, String>;
type MakeSink = Arc<dyn Fn() -> Result<BoxSink, String> + Send + Sync>;

/// A row of a table of sinks. It describes one kind of sink.
#[derive(Clone, Copy)]
pub struct SinkKind {
    /// The name in `--sink` and in the configuration.
    pub name: &'static str,
    /// One line of help.
    pub summary: &'static str,
    /// The README for users: when to use the sink, its options, and its guarantees.
    pub readme: &'static str,
    source: Source,
}

#[derive(Clone, Copy)]
enum Source {
    Built {
        /// Reads the options. The function erases the type of the configuration.
        build: Build,
        ddl: fn(Option<&str>) -> Option<String>,
    },
    /// The cargo feature without which the sink is not part of the program.
    NotBuilt { feature: &'static str },
}

impl SinkKind {
    /// Creates a row for the kind of sink that `C` configures.
    pub const fn new<C: SinkConfig>(name: &'static str, summary: &'static str, readme: &'static str) -> Self {
        Self { name, summary, readme, source: Source::Built { build: build_with::<C>, ddl: C::ddl } }
    }

    /// Creates a row for a kind of sink that this program was built without.
    pub const fn not_built(
        name: &'static str,
        summary: &'static str,
        readme: &'static str,
        feature: &'static str,
    ) -> Self {
        Self { name, summary, readme, source: Source::NotBuilt { feature } }
    }

    /// The cargo feature that adds the sink, if this program was built without it.
    pub fn missing_feature(&self) -> Option<&'static str> {
        match self.source {
            Source::Built { .. } => None,
            Source::NotBuilt { feature } => Some(feature),
        }
    }

    /// The statements that create the destination's table; `None` if it has no tables.
    pub fn ddl(&self, table: Option<&str>) -> Option<String> {
        match self.source {
            Source::Built { ddl, .. } => ddl(table),
            Source::NotBuilt { .. } => None,
        }
    }
}

fn build_with<C: SinkConfig>(options: Table) -> Result<MakeSink, String> {
    let config: C = options.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    Ok(Arc::new(move || config.clone().build().map(BoxSink::new).map_err(|error| error.to_string())))
}

impl fmt::Debug for SinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkKind").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A sink as a user writes it: a table `[sinks.NAME]` of the configuration, or only its kind.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct SinkSpec {
    /// The name of a row of the table of sinks. The default is the sink's name.
    pub kind: Option<String>,
    /// Which events the sink gets.
    #[serde(default)]
    pub events: EventSelection,
    /// For each of these columns only the events that have one of the values.
    #[serde(default, rename = "where")]
    pub only: BTreeMap<String, OneOrMore>,
    /// Where a sink without a cursor begins.
    #[serde(default)]
    pub start: Start,
    /// After so many events in a row that the destination refuses, the sink is blocked.
    pub rejections_max: Option<usize>,
    /// Other batches than those that the sink proposes.
    #[serde(default)]
    pub batch: BatchOptions,
    /// All other keys: the options of the kind.
    #[serde(flatten)]
    pub options: Table,
}

/// A value or a list of values.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
pub enum OneOrMore {
    /// One value.
    One(String),
    /// Several values.
    More(Vec<String>),
}

/// Where a sink without a cursor begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// With the first event of the ledger.
    #[default]
    Beginning,
    /// With the events that change from now on. `spanledger sinks replay` sends the earlier ones.
    Now,
}

/// Values of a [`BatchShape`] that a user gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchOptions {
    /// The greatest number of events in a batch.
    pub rows: Option<std::num::NonZeroUsize>,
    /// About the greatest number of bytes in a batch.
    pub bytes: Option<usize>,
    /// How long the sink waits for a full batch, in milliseconds.
    pub linger_ms: Option<u64>,
    /// How many batches are written before they are committed together.
    pub in_flight: Option<std::num::NonZeroUsize>,
}

impl BatchOptions {
    /// The sink's shape with the values that are given here.
    #[must_use]
    pub fn over(self, shape: BatchShape) -> BatchShape {
        BatchShape {
            rows: self.rows.unwrap_or(shape.rows),
            bytes: self.bytes.unwrap_or(shape.bytes),
            linger: self.linger_ms.map_or(shape.linger, Duration::from_millis),
            in_flight: self.in_flight.unwrap_or(shape.in_flight),
        }
    }
}

/// A sink of the configuration.
#[derive(Clone)]
pub struct ConfiguredSink {
    /// The name of its cursor.
    pub name: String,
    /// The name of its kind.
    pub kind: &'static str,
    /// Which events it gets.
    pub filter: EventFilter,
    /// Where it begins without a cursor.
    pub start: Start,
    /// After so many events in a row that the destination refuses, the sink is blocked.
    pub rejections_max: usize,
    /// Other batches than those that the sink proposes.
    pub batch: BatchOptions,
    make: MakeSink,
}

/// The default of [`ConfiguredSink::rejections_max`].
const REJECTIONS_MAX: usize = 100;

impl ConfiguredSink {
    /// A sink with the default of each option that all sinks have.
    pub fn new<S: Sink>(name: impl Into<String>, make: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            kind: "custom",
            filter: EventFilter::default(),
            start: Start::default(),
            rejections_max: REJECTIONS_MAX,
            batch: BatchOptions::default(),
            make: Arc::new(move || Ok(BoxSink::new(make()))),
        }
    }

    /// Creates the sink. A replay has a sink of its own.
    pub fn make(&self) -> Result<BoxSink, SinkConfigError> {
        (self.make)().map_err(|problem| self.option_error(problem))
    }

    fn option_error(&self, problem: String) -> SinkConfigError {
        SinkConfigError::Options { name: self.name.clone(), kind: self.kind, problem }
    }
}

impl fmt::Debug for ConfiguredSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfiguredSink")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ConfiguredSink {
    /// Writes the sink's name, followed by its kind if the kind differs from the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name == self.kind {
            f.write_str(&self.name)
        } else {
            write!(f, "{} ({})", self.name, self.kind)
        }
    }
}

/// Why a configuration of sinks cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SinkConfigError {
    /// No row of the table has this kind.
    #[error("the sink `{name}`: `{kind}` is not a kind of sink; the kinds are: {known}")]
    UnknownKind {
        /// The sink's name.
        name: String,
        /// The kind that was given.
        kind: String,
        /// The names of the table, separated by commas.
        known: String,
    },
    /// The program was built without this kind.
    #[error(
        "the sink `{name}`: this program was built without sinks of kind `{kind}`: build it with \
         `cargo install --path crates/spanledger-cli --features {feature}`"
    )]
    NotBuilt {
        /// The sink's name.
        name: String,
        /// The kind.
        kind: &'static str,
        /// The cargo feature that adds it.
        feature: &'static str,
    },
    /// The name cannot be the name of a cursor.
    #[error("`{name}` cannot be the name of a sink: use 1 to 64 characters of a-z, 0-9, `_` and `-`")]
    Name {
        /// The name that was given.
        name: String,
    },
    /// Two sinks have the same name.
    #[error(
        "two sinks are named `{name}`: give each a name of its own, because the ledger remembers under that name \
         which events the sink has"
    )]
    DuplicateName {
        /// The name that was given twice.
        name: String,
    },
    /// An option is unknown, is missing, or has a value that cannot be used.
    #[error("the sink `{name}` of kind `{kind}`: {problem}; options are set in the table [sinks.{name}]")]
    Options {
        /// The sink's name.
        name: String,
        /// The sink's kind.
        kind: &'static str,
        /// What is wrong with which option.
        problem: String,
    },
}

/// Builds the sinks that a configuration names, in the order of the iterator.
///
/// `table` holds the kinds of sinks of the program, usually [`SINKS`](crate::SINKS).
pub fn build<'a>(
    table: &[SinkKind],
    specs: impl IntoIterator<Item = (&'a str, &'a SinkSpec)>,
) -> Result<Vec<ConfiguredSink>, SinkConfigError> {
    let mut names = BTreeSet::new();
    specs
        .into_iter()
        .map(|(name, spec)| {
            if !names.insert(name) {
                return Err(SinkConfigError::DuplicateName { name: name.to_owned() });
            }
            build_one(table, name, spec)
        })
        .collect()
}

fn build_one(table: &[SinkKind], name: &str, spec: &SinkSpec) -> Result<ConfiguredSink, SinkConfigError> {
    let wanted = spec.kind.as_deref().unwrap_or(name);
    let kind = table.iter().find(|kind| kind.name == wanted).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|kind| kind.name).collect();
        SinkConfigError::UnknownKind {
            name: name.to_owned(),
            kind: wanted.to_owned(),
            known: known.join(", "),
        }
    })?;
    if !is_cursor_name(name) {
        return Err(SinkConfigError::Name { name: name.to_owned() });
    }
    let build = match kind.source {
        Source::Built { build, .. } => build,
        Source::NotBuilt { feature } => {
            return Err(SinkConfigError::NotBuilt { name: name.to_owned(), kind: kind.name, feature });
        }
    };
    let options =
        |problem: String| SinkConfigError::Options { name: name.to_owned(), kind: kind.name, problem };
    let filter = EventFilter {
        events: spec.events,
        only: spec.only.iter().map(|(column, values)| (column.clone(), values.list())).collect(),
        ..EventFilter::default()
    };
    filter.check().map_err(|error| options(format!("`where`: {error}")))?;
    let sink = ConfiguredSink {
        name: name.to_owned(),
        kind: kind.name,
        filter,
        start: spec.start,
        rejections_max: spec.rejections_max.unwrap_or(REJECTIONS_MAX),
        batch: spec.batch,
        make: build(spec.options.clone()).map_err(options)?,
    };
    // An option that is not valid is found here, and not when the sink is made again.
    sink.make()?;
    Ok(sink)
}

impl OneOrMore {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(value) => vec![value.clone()],
            Self::More(values) => values.clone(),
        }
    }
}

fn is_cursor_name(name: &str) -> bool {
    let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    (1..=64).contains(&name.len()) && name.chars().all(is_legal)
}
