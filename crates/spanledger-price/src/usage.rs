//! From a provider's own usage object to exclusive buckets.
//!
//! [`parse`] takes the object that a provider answered with, unchanged, and says which tokens are of
//! which kind. The providers do not mean the same by the same words:
//!
//! | provider | input | cache | hidden output |
//! |---|---|---|---|
//! | OpenAI, Mistral, Groq, `DeepSeek` | contains the cached and written | part of input | part of output |
//! | Anthropic, Bedrock | what was neither read from nor written to a cache | beside input | part of output |
//! | Google | the prompt; the tools' prompt is beside it | part of the prompt | beside the candidates |
//! | xAI | contains the cached, also in `text_tokens` | part of input | beside the completion or part of it, as the total tells |
//! | Cohere | what is billed, not what was processed | not billed apart | part of output |
//!
//! A gateway may answer for any of them in OpenAI's form, or in the provider's own; the keys tell.
//!
//! Nothing is clamped and nothing is guessed: where the parts do not add up to the stated total, or
//! where a count is none, there is no usage but a [`UsageJsonError`]. A count that is billable and has
//! no bucket becomes a [unit](Usage::units) (`video_tokens`, `search_units`, …), so that the engine
//! cannot take the rest for the whole price. Tokens are in one bucket or one unit, never in both.

mod anthropic;
mod bedrock;
mod cohere;
mod deepseek;
mod google;
mod groq;
mod mistral;
pub mod openai;
mod reader;
mod resolve;
mod tokens;
mod tools;
mod words;
mod xai;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use spanledger_event::{Endpoint, NestedUsage, Usage, UsageError};

use reader::{Part, Reader};
pub use resolve::{Answer, ResolvedUsage, resolve};
pub use tools::{ContainerMemory, ToolCalls};

/// Reads the usage object of a provider, by the name that the provider has in the book or in
/// telemetry.
///
/// Providers that are not known here are read as OpenAI's, whose form most of them speak.
///
/// ```
/// use spanledger_event::Bucket;
/// use spanledger_price::usage;
///
/// let json = r#"{"input_tokens": 3, "cache_read_input_tokens": 9511, "output_tokens": 44}"#;
/// let parsed = usage::parse("anthropic", json)?;
/// assert_eq!(parsed.usage.tokens(Bucket::CachedInput), 9511);
/// assert_eq!(parsed.usage.prompt_tokens(), 9514);
/// # Ok::<(), usage::UsageJsonError>(())
/// ```
pub fn parse(provider: &str, json: &str) -> Result<ParsedUsage, UsageJsonError> {
    parse_for(provider, Endpoint::Other, json)
}

/// [`parse`] for a call whose endpoint is known.
///
/// It matters where the object does not say what the output is: the output tokens of the images
/// endpoint are image tokens, those of speech are audio tokens.
pub fn parse_for(provider: &str, endpoint: Endpoint, json: &str) -> Result<ParsedUsage, UsageJsonError> {
    with_object(json, |usage| {
        let reader = Reader::new(usage);
        match Form::of(Speaker::named(provider), &reader.root) {
            Form::Anthropic => anthropic::read(reader),
            Form::Bedrock => bedrock::read(reader),
            Form::Cohere => cohere::read(reader),
            Form::DeepSeek => deepseek::read(reader, endpoint),
            Form::Google => google::read(reader),
            Form::GoogleAsOpenAi => google::read_openai(reader, endpoint),
            Form::Groq => groq::read(reader, endpoint),
            Form::Mistral => mistral::read(reader, endpoint),
            Form::OpenAi => openai::read(reader, endpoint),
            Form::Xai => xai::read(reader, endpoint),
        }
    })
}

/// A usage object, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    /// The provider's totals, as totals that contain their parts.
    pub nested: NestedUsage,
    /// The same in exclusive buckets, with the units that are not tokens and the tokens that have no
    /// bucket.
    pub usage: Usage,
    /// Numbers that are not zero in fields that nobody here understands, as `path=value`. They are
    /// kept for the reader; the tokens themselves are safe, because the totals have to add up.
    pub unknown: Vec<String>,
    /// The tier that served the call, in the provider's word, where the object says it: Anthropic's
    /// `speed` and `service_tier`, Google's `trafficType`. For where the response itself says none.
    pub service_tier: Option<String>,
    /// The region of processing, where the object names one that may change the price: Anthropic's
    /// `inference_geo`.
    pub region: Option<String>,
}

/// Why a usage object cannot be priced.
///
/// Callers put its words into [`PriceQuery::usage_problem`](crate::PriceQuery::usage_problem): the call
/// becomes unpriced with that detail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UsageJsonError {
    /// Not JSON.
    #[error("the usage is not JSON ({0}): send the provider's usage object unchanged")]
    NotJson(String),
    /// JSON of another kind.
    #[error("{0}: send the object that the provider calls `usage`")]
    NotAUsage(&'static str),
    /// A field that has to be a count and is not.
    #[error("`{field}` is {value}: a count is a whole number, not negative and not beyond any real call")]
    NotACount {
        /// The path of the field.
        field: String,
        /// What stands there.
        value: String,
    },
    /// A field that has to hold counts and is something else.
    #[error("`{field}` is {value}: the counts in it cannot be read")]
    NotAnObject {
        /// The path of the field.
        field: String,
        /// What stands there.
        value: String,
    },
    /// Two fields that mean the same and differ.
    #[error("`{a}` is {a_value} and `{b}` is {b_value}, though both are the same count")]
    Disagreement {
        /// One field.
        a: String,
        /// Its count.
        a_value: Decimal,
        /// The other field.
        b: String,
        /// Its count.
        b_value: Decimal,
    },
    /// The usage contradicts itself.
    #[error("the usage contradicts itself")]
    Contradictory(#[source] UsageError),
    /// Counts that are not in an object, such as a span's attributes, contradict each other.
    #[error(transparent)]
    Counts(UsageError),
    /// The usage as Spanledger itself writes it is damaged.
    #[error("the usage in Spanledger's own form cannot be read: {0}")]
    OwnForm(String),
}

impl UsageJsonError {
    /// The whole story in one line, with the cause.
    pub fn to_problem(&self) -> String {
        match self {
            Self::Contradictory(cause) => format!("{self}: {cause}"),
            _ => self.to_string(),
        }
    }
}

fn with_object<T>(
    json: &str,
    read: impl FnOnce(&Map<String, Value>) -> Result<T, UsageJsonError>,
) -> Result<T, UsageJsonError> {
    // Its limit on nesting is ours.
    let value = serde_json::from_str(json).map_err(|error| UsageJsonError::NotJson(error.to_string()))?;
    match &value {
        Value::Object(usage) => read(usage),
        _ => Err(UsageJsonError::NotAUsage("the usage is not a JSON object")),
    }
}

/// Whose words an object may be in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Speaker {
    Anthropic,
    Bedrock,
    Cohere,
    DeepSeek,
    Google,
    Groq,
    Mistral,
    Xai,
    /// OpenAI, Azure and everybody else.
    Any,
}

impl Speaker {
    /// By the beginning of the name, in letters and digits: `x_ai`, `x.ai` and `xai.chat` are xAI.
    fn named(provider: &str) -> Self {
        const BEGINNINGS: [(&str, Speaker); 17] = [
            ("anthropic", Speaker::Anthropic),
            ("claude", Speaker::Anthropic),
            ("amazon", Speaker::Bedrock),
            ("aws", Speaker::Bedrock),
            ("bedrock", Speaker::Bedrock),
            ("cohere", Speaker::Cohere),
            ("azcohere", Speaker::Cohere),
            ("deepseek", Speaker::DeepSeek),
            ("gcp", Speaker::Google),
            ("gemini", Speaker::Google),
            ("google", Speaker::Google),
            ("vertex", Speaker::Google),
            ("groq", Speaker::Groq),
            ("mistral", Speaker::Mistral),
            ("grok", Speaker::Xai),
            ("xai", Speaker::Xai),
            ("spacexai", Speaker::Xai),
        ];
        let word = |c: &char| c.is_ascii_alphanumeric();
        let name: String = provider.chars().filter(word).take(16).collect::<String>().to_ascii_lowercase();
        BEGINNINGS
            .into_iter()
            .find(|(beginning, _)| name.starts_with(beginning))
            .map_or(Self::Any, |(_, speaker)| speaker)
    }
}

/// The form that an object is in.
enum Form {
    Anthropic,
    Bedrock,
    Cohere,
    DeepSeek,
    Google,
    GoogleAsOpenAi,
    Groq,
    Mistral,
    OpenAi,
    Xai,
}

impl Form {
    /// The keys come first: Anthropic's models answer in Anthropic's form from three clouds, and
    /// every provider has been seen behind a gateway that speaks OpenAI's.
    fn of(speaker: Speaker, usage: &Part<'_>) -> Self {
        if google::is_meant(usage, speaker == Speaker::Google) {
            return Self::Google;
        }
        if cohere::is_meant(usage) {
            return Self::Cohere;
        }
        if !openai::is_meant(usage) {
            if speaker == Speaker::Anthropic || anthropic::is_meant(usage) {
                return Self::Anthropic;
            }
            if speaker == Speaker::Bedrock && bedrock::is_meant(usage) {
                return Self::Bedrock;
            }
        }
        match speaker {
            Speaker::DeepSeek => Self::DeepSeek,
            Speaker::Google => Self::GoogleAsOpenAi,
            Speaker::Groq => Self::Groq,
            Speaker::Mistral => Self::Mistral,
            Speaker::Xai => Self::Xai,
            Speaker::Anthropic | Speaker::Bedrock | Speaker::Cohere | Speaker::Any => Self::OpenAi,
        }
    }
}
