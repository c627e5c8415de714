//! The limits on what a sender chooses.
//!
//! Whoever sends a span or a record chooses its texts, its counts and how many attributes it has. Each of
//! them has a maximum, so that no sender can make an event, or the work on it, as large as it likes. What a
//! limit takes away is never lost silently: the event has the flag `truncated`, or it is unpriced with the
//! reason `out_of_range`.
//!
//! [`Observation::bound`](crate::Observation::bound) applies the limits of an observation. `docs/events.md`
//! has the table of all limits, [`LIMITS`].
//!
//! The last limits are of observations that state the same: [`RelationKind`](crate::RelationKind) has the
//! first four, [`related`](crate::related) applies the last one.

use xxhash_rust::xxh3::xxh3_128;

#[cfg(test)]
mod tests;

/// A row of the table of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name of the constant.
    pub name: &'static str,
    /// The maximum, which is allowed.
    pub max: u64,
    /// The unit of the maximum.
    pub unit: &'static str,
    /// What is limited, and why.
    pub doc: &'static str,
    /// What happens beyond the maximum.
    pub beyond: &'static str,
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $max:expr, $unit:literal, $beyond:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: $type = $max;)+

        /// All limits, in the order in which documents list them.
        #[allow(
            clippy::cast_lossless,
            clippy::cast_sign_loss,
            clippy::cast_possible_truncation,
            clippy::unnecessary_cast,
            reason = "every limit is a positive number of at most 33 bits"
        )]
        pub const LIMITS: &[Limit] = &[
            $(Limit {
                name: stringify!($name),
                max: $name as u64,
                unit: $unit,
                doc: concat!($($doc),+),
                beyond: $beyond,
            },)+
        ];
    };
}

limits! {
    /** Attributes that are looked at, of each span, record, resource and exception. A long conversation that is written attribute by attribute stays below it.*/
    ATTRIBUTES_MAX: usize = 16_384, "attributes", "Later attributes are not read, and the event is flagged.";
    /** A text that identifies: an id of an event, call, response, trace, span, request or batch job, the namespace of a response id, and `prompt_cache_key`.*/
    ID_BYTES_MAX: usize = 256, "bytes", "The text becomes `xxh3:` and the 32 hexadecimal digits of its 128-bit XXH3 hash, so that equal ids stay equal and different ones different, and the event is flagged.";
    /** A name: of a model, provider, host, service, emitter, tier, region, organization, project, reasoning effort, or variant of a unit.*/
    NAME_BYTES_MAX: usize = 256, "bytes", "The name is cut and ends with `…`, and the event is flagged.";
    /** The text of an error.*/
    ERROR_BYTES_MAX: usize = 1_024, "bytes", "The text is cut and ends with `…`, and the event is flagged.";
    /** The sentence of `cost_detail` that says why a call has no price.*/
    DETAIL_BYTES_MAX: usize = 1_024, "bytes", "The sentence is cut and ends with `…`.";
    /** Feature, route, customer, environment, and the value of a dimension.*/
    ATTRIBUTION_BYTES_MAX: usize = 256, "bytes", "The value is not used, as if it were not stated, and the event is flagged; without a required value the event is quarantined.";
    /** Dimensions of a sighting, those of its resource included, and of an event.*/
    DIMS_MAX: usize = 64, "dimensions", "The dimensions of the span are kept before those of its resource, and the first names in alphabetical order before the others; the event is flagged.";
    /** The name of a dimension.*/
    DIM_NAME_BYTES_MAX: usize = 128, "bytes", "The dimension is not used, and the event is flagged.";
    /** The provider's usage object, for it to be read. The objects of providers have less than 4 kB.*/
    USAGE_READ_BYTES_MAX: usize = 262_144, "bytes", "The object is not read: the call is unpriced, unless its usage is stated in another form too.";
    /** The provider's usage object, for it to be kept in `usage_raw`.*/
    USAGE_RAW_BYTES_MAX: usize = 16_384, "bytes", "The object is read, but not kept, and the event is flagged.";
    /** Levels of nesting in the provider's usage object.*/
    USAGE_DEPTH_MAX: usize = 127, "levels", "The object is neither read nor kept, the call is unpriced, and the event is flagged.";
    /** Counts of a usage whose meaning is unknown and which are listed in `cost_detail`.*/
    USAGE_UNKNOWN_MAX: usize = 64, "counts", "A last entry says how many more there are.";
    /** One of these counts with its name.*/
    USAGE_UNKNOWN_BYTES_MAX: usize = 256, "bytes", "The entry is cut and ends with `…`.";
    /** Kinds of units of one call that have no column of their own.*/
    UNITS_MAX: usize = 32, "kinds", "The call is unpriced: `out_of_range`.";
    /** Tokens of one kind in one call. It is far above any context window, and sums over 2³⁰ calls fit 64 bits.*/
    TOKENS_MAX: u64 = 1 << 32, "tokens", "The call is unpriced: `out_of_range`.";
    /** Every other count of one call: images, characters, seconds, searches, units.*/
    COUNT_MAX: u64 = 1_000_000_000, "units", "The call is unpriced: `out_of_range`.";
    /** The cost of one charge, and the cost that an emitter states. Sums of a million such charges are exact.*/
    COST_USD_MAX: u128 = 1_000_000, "USD", "The call is unpriced: `out_of_range`; a cost that the emitter states is left out, and the event is flagged.";
    /** HTTP attempts of one call.*/
    ATTEMPTS_MAX: u32 = 1_000_000, "attempts", "The number counts as not stated, which is one attempt, and the event is flagged.";
    /** The time to the first chunk: eleven days, which is longer than any call.*/
    FIRST_CHUNK_MS_MAX: i64 = 1_000_000_000, "ms", "The time is left out, and the event is flagged.";
    /** Different sightings of one call.*/
    CALL_LIMIT: usize = 32, "observations", "Further sightings are refused.";
    /** Observations that state one event id: the attempts of a request.*/
    EVENT_LIMIT: usize = 256, "observations", "The id is not the id of one request. Each call becomes an event of its own, which is flagged `request_id_reused`, and the event under the id is void.";
    /** Observations that state one response id, whoever gave it.*/
    RESPONSE_LIMIT: usize = 256, "observations", "The id identifies no response: no charges are joined or compared by it, and the events are flagged `response_id_reused`. A sighting that only repeats a charge under a full id is refused, so that a poll for a response is never the one too many.";
    /** Observations of a trace that are compared with the aggregates in it.*/
    TRACE_LIMIT: usize = 256, "observations", "The aggregates of the trace do not count and are flagged `long_trace`; its calls count.";
    /** Observations that belong together because they share an id of an event, call or response, or the trace of an aggregate.*/
    COMPONENT_MAX: usize = 2_048, "observations", "An observation that would tie more together is refused.";
}

/// The last boundary of a character that is not after this byte. The standard library has this from Rust 1.91 on.
pub fn char_boundary(text: &str, byte: usize) -> usize {
    (0..=byte.min(text.len())).rev().find(|byte| text.is_char_boundary(*byte)).unwrap_or_default()
}

/// Cuts a text to a number of bytes, at the boundary of a character. A text that was cut ends with `…`, which
/// is part of the bytes. Returns whether it was cut.
pub fn cut(text: &mut String, bytes_max: usize) -> bool {
    const MARK: char = '…';
    if text.len() <= bytes_max {
        return false;
    }
    text.truncate(char_boundary(text, bytes_max.saturating_sub(MARK.len_utf8())));
    text.push(MARK);
    // The text may have been a thousand times as long.
    text.shrink_to_fit();
    true
}

/// Replaces an id that is longer than [`ID_BYTES_MAX`] by a form of fixed length that still identifies:
/// `xxh3:` and the 32 hexadecimal digits of the 128-bit XXH3 hash of its UTF-8 bytes. Returns whether it was
/// replaced.
///
/// ```
/// use spanledger_event::limits;
///
/// let mut id = "a".repeat(257);
/// assert!(limits::shorten_id(&mut id));
/// assert_eq!(id, "xxh3:69fdd6b54ec7c0d04dd04767c00e03f1");
/// assert!(!limits::shorten_id(&mut id));
/// ```
pub fn shorten_id(id: &mut String) -> bool {
    if id.len() <= ID_BYTES_MAX {
        return false;
    }
    *id = format!("xxh3:{:032x}", xxh3_128(id.as_bytes()));
    true
}

/// The limits as a Markdown table, for the reference page.
pub(crate) fn table() -> String {
    let mut table = String::from("| limit | maximum | beyond the maximum |\n|---|---:|---|\n");
    for Limit { max, unit, doc, beyond, .. } in LIMITS {
        table.push_str(&format!("| {} | {} {unit} | {beyond} |\n", doc.trim(), grouped(*max)));
    }
    table
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
