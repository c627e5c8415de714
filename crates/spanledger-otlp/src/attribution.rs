//! Reads the attribution of a call from its span, and then from the resource of the span.

use spanledger_event::{Field, PartialAttribution, check_value, keys};

use crate::attributes::{Attributes, text_of};

#[cfg(test)]
mod tests;

/// The attribute keys to read for each field, in their order. The first usable value counts; a blank text
/// or a placeholder such as `unknown` is not usable.
///
/// The default reads Spanledger's own keys first, then other keys that commonly hold the value.
/// `http.route` is read only on SERVER spans, because client instrumentations and gateways put the
/// provider's path there. The id of a person becomes the dimension `user`, because a person is not an
/// account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributionKeys {
    /// The keys of the feature.
    pub feature: Vec<String>,
    /// The keys of the route.
    pub route: Vec<String>,
    /// The keys of the paying account.
    pub customer_id: Vec<String>,
    /// The keys of the environment.
    pub environment: Vec<String>,
    /// The keys of the caller's id of the request.
    pub request_id: Vec<String>,
    /// The keys of the batch job.
    pub batch_job_id: Vec<String>,
    /// The keys of the dimension `user`.
    pub user: Vec<String>,
}

impl AttributionKeys {
    pub(crate) fn read(
        &self,
        span: Attributes<'_>,
        resource: Attributes<'_>,
        is_server: bool,
    ) -> PartialAttribution {
        let first = |field: &Field, keys: &[String]| {
            [span, resource].into_iter().find_map(|attributes| {
                keys.iter()
                    .find_map(|key| attributes.string(key).filter(|value| check_value(field, value).is_ok()))
            })
        };
        let mut attribution = PartialAttribution {
            feature: first(&Field::Feature, &self.feature),
            route: first(&Field::Route, &self.route),
            customer_id: first(&Field::CustomerId, &self.customer_id),
            environment: first(&Field::Environment, &self.environment),
            request_id: first(&Field::RequestId, &self.request_id),
            batch_job_id: first(&Field::BatchJobId, &self.batch_job_id),
            ..PartialAttribution::default()
        };
        if attribution.route.is_none() && is_server {
            attribution.route =
                span.string(keys::HTTP_ROUTE).filter(|v| check_value(&Field::Route, v).is_ok());
        }
        for attributes in [resource, span] {
            attribution.dims.extend(dims(attributes));
        }
        let user = Field::Dim("user".to_owned());
        if let Some(value) = first(&user, &self.user) {
            attribution.dims.entry("user".to_owned()).or_insert(value);
        }
        attribution
    }
}

/// The dimensions that attributes state under our own prefix, as far as they are usable.
pub(crate) fn dims(attributes: Attributes<'_>) -> impl Iterator<Item = (String, String)> {
    attributes.with_prefix(keys::DIM_PREFIX).into_iter().filter_map(|(name, value)| {
        let value = text_of(value)?;
        check_value(&Field::Dim(name.to_owned()), &value).ok()?;
        Some((name.to_owned(), value.into_owned()))
    })
}
