//! `LiteLLM`, a gateway and an SDK. Its spans follow the convention.

use spanledger_event::Usage;

use super::Dialect;
use crate::quirks::Quirks;

pub(super) const DIALECT: Dialect =
    Dialect { reader: None, quirks: Quirks { is_invented_response_id, ..Quirks::NONE } };

/// `LiteLLM` gives a failed call counts of zero, and a new UUID as its response id.
fn is_invented_response_id(id: &str, usage: Option<&Usage>) -> bool {
    usage.is_some_and(Usage::is_empty) && is_uuid(id)
}

fn is_uuid(id: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    id.len() == 36
        && id
            .bytes()
            .enumerate()
            .all(|(at, byte)| if HYPHENS.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}
