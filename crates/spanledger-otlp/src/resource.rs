//! What a resource states about all its spans and records.

use opentelemetry_proto::tonic::resource::v1::Resource;
use spanledger_event::{
    keys,
    limits::{NAME_BYTES_MAX, cut},
};

use crate::{AttributionKeys, attributes::Attributes, attribution::Stated};

/// What a resource states. It is read once, because a message may have very many spans of one resource with very
/// many attributes.
#[derive(Debug, Default)]
pub(crate) struct ResourceFacts {
    pub(crate) service_name: Option<String>,
    pub(crate) attribution: Stated,
    /// Whether a limit left something out.
    pub(crate) is_truncated: bool,
}

impl ResourceFacts {
    pub(crate) fn read(resource: Option<&Resource>, keys: &AttributionKeys) -> Self {
        let attributes = Attributes::of(resource.map(|r| r.attributes.as_slice()).unwrap_or_default());
        let mut service_name = attributes.string(keys::SERVICE_NAME);
        let was_cut = service_name.as_mut().is_some_and(|name| cut(name, NAME_BYTES_MAX));
        let attribution = keys.stated(&attributes);
        Self { service_name, attribution, is_truncated: was_cut || attributes.is_truncated() }
    }
}
