//! The grammar of price files: which tables there are, which keys each has and what a key holds.
//!
//! The parser reads by these tables, its error messages list their keys, and the JSON schema for editors and
//! the reference in `docs/pricing.md` are generated from them. The parser asserts in debug builds that it
//! reads exactly the keys of a table, so that the tables here cannot fall behind it.

use crate::{Meter, Tier};

/// A table of a price file: `[provider]`, an entry of `[[price]]`, a line of rates.
#[derive(Debug)]
pub struct Section {
    /// Its name: that of its key in the table around it, and `rates` for a line of rates.
    pub name: &'static str,
    /// What the table is, in a sentence.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// What it holds.
    pub value: Value,
    /// Whether an entry has to have it.
    pub required: bool,
    /// What it means, in a sentence.
    pub doc: &'static str,
    /// Words that people write for it by mistake, and that the error message answers with the key.
    mistaken_for: &'static [&'static str],
}

/// What a key holds. The set is closed: a reader of the grammar has to treat each case.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A list of lists of strings.
    TextLists,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count,
    /// A day, without quotes.
    Day,
    /// An exact number, as a decimal string.
    Decimal,
    /// Dollars per unit of the meter, as a decimal string, or one for each variant.
    Rate(Meter),
    /// The name of a meter.
    Meter,
    /// Names of meters.
    Meters,
    /// Names of tiers.
    Tiers,
    /// A table of names of the file's own, each with a string.
    TextByName,
    /// A table.
    Table(&'static Section),
    /// A list of tables, each written as `[[name]]`.
    Tables(&'static Section),
}

impl Key {
    const fn new(name: &'static str, value: Value, doc: &'static str) -> Self {
        Self { name, value, required: false, doc, mistaken_for: &[] }
    }

    const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    const fn instead_of(self, mistaken_for: &'static [&'static str]) -> Self {
        Self { mistaken_for, ..self }
    }

    const fn rate(meter: Meter) -> Self {
        Self::new(meter.rate_key(), Value::Rate(meter), "")
    }
}

impl Section {
    /// The names of the keys, for a message.
    pub(super) fn names(&self) -> String {
        self.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
    }

    /// The key that was most likely meant by one that the table does not have.
    pub(super) fn meant_by(&self, written: &str) -> Option<&'static Key> {
        // `input` and `input_per_1k` both mean the key of the meter `input`.
        let without_unit = written.split("_per_").next().unwrap_or(written);
        self.keys.iter().find(|key| {
            key.mistaken_for.contains(&written)
                || matches!(key.value, Value::Rate(meter) if meter.name() == without_unit)
        })
    }
}

/// A whole file.
pub static FILE: Section = Section {
    name: "file",
    doc: "A price file of Spanledger: what one provider charges, in US dollars.",
    keys: &[
        Key::new("provider", Value::Table(&PROVIDER), "The provider that the file describes."),
        Key::new(
            "sources",
            Value::TextByName,
            "What was read, and when: an id of the file's own and a sentence. Entries name the ids. A file with \
             nothing but this table declares sources for all files that are read with it.",
        )
        .instead_of(&["source"]),
        Key::new("tiers", Value::Table(&TIERS), "The provider's words for each service tier."),
        Key::new(
            "fallback",
            Value::Table(&FALLBACK),
            "What costs what another kind of token costs, where a line has no rate for it.",
        ),
        Key::new(
            "regional_surcharge",
            Value::Table(&REGIONAL_SURCHARGE),
            "What processing in a region costs more, per token.",
        )
        .instead_of(&["regional", "region", "regions"]),
        Key::new("model", Value::Tables(&MODEL), "A model and what else it is called.").instead_of(&["models"]),
        Key::new("price", Value::Tables(&PRICE), "The rates of a model from a day on, tier by tier.")
            .instead_of(&["prices"]),
        Key::new("fee", Value::Tables(&FEE), "A fee for tool calls, of all models or some.")
            .instead_of(&["fees"]),
        Key::new("discount", Value::Tables(&DISCOUNT), "A percentage off list prices.")
            .instead_of(&["discounts"]),
        Key::new(
            "deployments",
            Value::TextByName,
            "What a name of your own means: a model of the book. Names with a dot need quotes.",
        )
        .instead_of(&["deployment"]),
    ],
};

static PROVIDER: Section = Section {
    name: "provider",
    doc: "The provider that the file describes.",
    keys: &[
        Key::new("name", Value::Text, "The provider's name on events.").required(),
        Key::new("aliases", Value::Texts, "Its other names in telemetry.").instead_of(&["also", "alias"]),
        Key::new(
            "channels",
            Value::TextLists,
            "Other ways in which its models are sold, each a list of names: [[\"azure.ai.openai\", \
             \"az.ai.openai\"]]. They have the same prices, but a file of your own may describe one alone.",
        )
        .instead_of(&["channel"]),
    ],
};

static TIERS: Section = Section {
    name: "tiers",
    doc: "The provider's words for each service tier, as the response states them.",
    keys: &{
        let mut keys = [Key::new("", Value::Texts, "The provider's words for the tier."); Tier::ALL.len()];
        let mut at = 0;
        while at < keys.len() {
            keys[at].name = Tier::ALL[at].as_str();
            at += 1;
        }
        keys
    },
};

static FALLBACK: Section = Section {
    name: "fallback",
    doc: "What costs what another kind of token costs, where a line has no rate for it.",
    keys: &{
        let mut keys = [Key::new("", Value::Meter, "The meter whose rate it gets."); Meter::ALL.len()];
        let mut at = 0;
        while at < keys.len() {
            keys[at].name = Meter::ALL[at].name();
            at += 1;
        }
        keys
    },
};

const NOT_PRICED_FOR: Key = Key::new(
    "not_priced_for",
    Value::Texts,
    "Names of the provider under which the price differs and is unknown: a call there is unpriced. One name of \
     a channel stands for all of them.",
)
.instead_of(&["unless", "unknown_for"]);
const SOURCES: Key = Key::new("sources", Value::Texts, "Ids of [sources] that state the numbers.")
    .required()
    .instead_of(&["source"]);
const PRICES_CHECKED: Key = Key::new("prices_checked", Value::Day, "The day on which the sources were read.")
    .required()
    .instead_of(&["checked"]);
const FROM: Key = Key::new("from", Value::Day, "The first day, in UTC. Without it: since the beginning.");
const UNTIL: Key = Key::new("until", Value::Day, "The first day that is not covered any more, in UTC.");

static REGIONAL_SURCHARGE: Section = Section {
    name: "regional_surcharge",
    doc: "What processing in a region costs more, per token; fees of tool calls have no surcharge.",
    keys: &[
        Key::new(
            "factor",
            Value::Decimal,
            "The factor of token rates, such as \"1.1\" for ten percent more.",
        ),
        Key::new("regions", Value::Texts, "The regions that have the surcharge."),
        Key::new("no_surcharge", Value::Texts, "The regions that have none.").instead_of(&["neutral"]),
        NOT_PRICED_FOR,
        SOURCES,
        PRICES_CHECKED,
    ],
};

static MODEL: Section = Section {
    name: "model",
    doc: "A model and what is true of it at all times. Its prices are entries of their own.",
    keys: &[
        Key::new("name", Value::Text, "The name, as the provider writes it.").required(),
        Key::new("aliases", Value::Texts, "Other names of the same model.").instead_of(&["also", "alias"]),
        Key::new("snapshots", Value::Texts, "Dated names that are billed like the model.")
            .instead_of(&["snapshot"]),
        Key::new(
            "long_context_over_tokens",
            Value::Count,
            "The prompt length in tokens, cached and written ones included, beyond which the whole request has \
             the rates of `<tier>_long`.",
        )
        .instead_of(&["long_context_over"]),
        Key::new("regional_surcharge", Value::Flag, "Whether it has the provider's surcharge of regions.")
            .instead_of(&["regional"]),
        NOT_PRICED_FOR,
        Key::new(
            "no_fallback",
            Value::Meters,
            "Meters to which the provider's [fallback] gives no rate: tokens of that kind are unpriced.",
        ),
        Key::new("free", Value::Flag, "Whether a call costs nothing. Such a model needs no price."),
        Key::new(
            "searches_per_call",
            Value::Count,
            "The web searches that each chat call of the model makes and bills, although its usage counts none.",
        ),
    ],
};

static PRICE: Section = Section {
    name: "price",
    doc: "The rates of a model from a day on, for one tier or several.",
    keys: &{
        const OWN: [Key; 9] = [
            Key::new("model", Value::Text, "The name of the model, as its [[model]] has it.").required(),
            FROM,
            UNTIL,
            Key::new(
                "hours_utc",
                Value::Text,
                "The hours of the day in which it holds, in UTC: \"16:30-00:30\". It goes before entries without.",
            )
            .instead_of(&["hours"]),
            Key::new("weekdays_utc", Value::Text, "The days of the week on which the hours are: \"mon-fri\".")
                .instead_of(&["days", "weekdays"]),
            Key::new(
                "no_long_context",
                Value::Flag,
                "Whether the rates hold for prompts of any length, whatever the model's threshold.",
            )
            .instead_of(&["flat"]),
            Key::new(
                "discountable",
                Value::Flag,
                "In a file of your own: whether it is a list price, from which discounts are taken.",
            )
            .instead_of(&["list"]),
            SOURCES,
            PRICES_CHECKED,
        ];
        let mut keys = [FROM; OWN.len() + 2 * Tier::ALL.len()];
        let mut at = 0;
        while at < OWN.len() {
            keys[at] = OWN[at];
            at += 1;
        }
        let mut tier = 0;
        while tier < Tier::ALL.len() {
            let (short, long) =
                ("The rates of the tier.", "Its rates beyond the model's long-context threshold.");
            keys[at] = Key::new(Tier::ALL[tier].as_str(), Value::Table(&RATES), short);
            keys[at + Tier::ALL.len()] = Key::new(Tier::ALL[tier].long_key(), Value::Table(&RATES), long);
            at += 1;
            tier += 1;
        }
        keys
    },
};

static RATES: Section = Section {
    name: "rates",
    doc: "The rates of a tier, in US dollars.",
    keys: &{
        let mut keys = [Key::rate(Meter::Images); Meter::ALL.len()];
        let mut at = 0;
        while at < keys.len() {
            keys[at] = Key::rate(Meter::ALL[at]);
            at += 1;
        }
        keys
    },
};

static FEE: Section = Section {
    name: "fee",
    doc: "A fee for tool calls and other units, of all models or some.",
    keys: &{
        const OWN: [Key; 7] = [
            Key::new("models", Value::Texts, "The only models to which it applies.")
                .instead_of(&["only", "model"]),
            Key::new(
                "except_models",
                Value::Texts,
                "Models to which it does not apply: theirs is unknown unless another entry states it.",
            )
            .instead_of(&["except"]),
            NOT_PRICED_FOR,
            FROM,
            UNTIL,
            SOURCES,
            PRICES_CHECKED,
        ];
        let mut keys = [FROM; OWN.len() + Meter::UNITS.len()];
        let mut at = 0;
        while at < keys.len() {
            keys[at] = if at < OWN.len() { OWN[at] } else { Key::rate(Meter::UNITS[at - OWN.len()]) };
            at += 1;
        }
        keys
    },
};

static DISCOUNT: Section = Section {
    name: "discount",
    doc: "A percentage off list prices and fees. Of several that apply one holds: the one that names the model, \
          then the one that names the tier, then the latest.",
    keys: &[
        Key::new("percent", Value::Decimal, "How much is taken off: \"12.5\".").required(),
        Key::new("models", Value::Texts, "The only models to which it applies.").instead_of(&["model"]),
        Key::new("tiers", Value::Tiers, "The only tiers to which it applies.").instead_of(&["tier"]),
        FROM,
        UNTIL,
        SOURCES,
        PRICES_CHECKED,
    ],
};

pub(super) fn section(of: &'static Section, key: &str) -> Option<&'static Section> {
    let key = of.keys.iter().find(|own| own.name == key)?;
    match key.value {
        Value::Table(section) | Value::Tables(section) => Some(section),
        _ => None,
    }
}
