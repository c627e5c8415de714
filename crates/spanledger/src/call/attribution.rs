//! The attribution of a call, complete or not.

use spanledger_event::{Attribution, PartialAttribution};

/// The attribution of a call.
#[derive(Debug)]
pub(crate) enum CallAttribution {
    /// All required fields are known. Its texts are copied when the record is made.
    Complete(Attribution),
    /// Fields are missing; the call's event is in quarantine.
    Partial(PartialAttribution),
}

impl CallAttribution {
    /// The caller's id of the logical request.
    pub(crate) fn request_id(&self) -> Option<&str> {
        match self {
            Self::Complete(attribution) => attribution.request_id(),
            Self::Partial(attribution) => attribution.request_id.as_deref(),
        }
    }

    /// The fields, as an observation has them.
    pub(crate) fn to_partial(&self) -> PartialAttribution {
        match self {
            Self::Complete(attribution) => attribution.into(),
            Self::Partial(attribution) => attribution.clone(),
        }
    }

    /// About how many bytes the free dimensions take.
    pub(crate) fn dims_bytes(&self) -> usize {
        let dims = match self {
            Self::Complete(attribution) => attribution.dims(),
            Self::Partial(attribution) => &attribution.dims,
        };
        dims.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}
