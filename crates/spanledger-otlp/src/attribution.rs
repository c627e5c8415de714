//! Reads the attribution of a call from its span, and then from the resource of the span.

use std::{borrow::Cow, collections::BTreeMap};

use spanledger_event::{
    AttributionError, Field, PartialAttribution, check_value, keys,
    limits::{DIM_NAME_BYTES_MAX, DIMS_MAX, shorten_id},
};

use crate::attributes::{Attributes, text_of};

#[cfg(test)]
mod tests;

/// The dimension of the person who uses the application.
const USER: &str = "user";

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

/// The attribution of a call, as far as it is usable.
#[derive(Debug, Default)]
pub(crate) struct ReadAttribution {
    pub(crate) fields: PartialAttribution,
    /// Whether a value is not used, or shortened, because it is longer than a limit allows, or a dimension is
    /// left out.
    pub(crate) is_truncated: bool,
}

/// What the attributes of one span or of one resource state of the attribution.
#[derive(Debug, Default)]
pub(crate) struct Stated {
    fields: PartialAttribution,
    /// The person who uses the application, from other keys than that of the dimension `user`.
    user: Option<String>,
    is_truncated: bool,
}

impl AttributionKeys {
    /// Reads the attributes of a span or of a resource. Those of a resource are read once for all its spans.
    pub(crate) fn stated(&self, attributes: &Attributes<'_>) -> Stated {
        let mut is_truncated = false;
        let mut first = |field: &Field, keys: &[String]| {
            keys.iter().find_map(|key| usable(field, attributes.text(key)?, &mut is_truncated))
        };
        let mut fields = PartialAttribution {
            feature: first(&Field::Feature, &self.feature),
            route: first(&Field::Route, &self.route),
            customer_id: first(&Field::CustomerId, &self.customer_id),
            environment: first(&Field::Environment, &self.environment),
            request_id: first(&Field::RequestId, &self.request_id),
            batch_job_id: first(&Field::BatchJobId, &self.batch_job_id),
            ..PartialAttribution::default()
        };
        let user = first(&Field::Dim(USER.to_owned()), &self.user);
        dims(attributes, &mut fields.dims, &mut is_truncated);
        Stated { fields, user, is_truncated }
    }

    pub(crate) fn read(&self, span: &Attributes<'_>, resource: &Stated, is_server: bool) -> ReadAttribution {
        let Stated { mut fields, user, mut is_truncated } = self.stated(span);
        is_truncated |= resource.is_truncated || !fill(&mut fields, &resource.fields);
        if fields.route.is_none() && is_server {
            let route = span.text(keys::HTTP_ROUTE);
            fields.route = route.and_then(|route| usable(&Field::Route, route, &mut is_truncated));
        }
        if let Some(user) = user.or_else(|| resource.user.clone()) {
            is_truncated |= !add_dim(&mut fields.dims, USER, user);
        }
        ReadAttribution { fields, is_truncated }
    }
}

/// Fills what is missing from other fields. Returns whether all their dimensions are there then.
pub(crate) fn fill(fields: &mut PartialAttribution, from: &PartialAttribution) -> bool {
    fields.fill_from(from);
    from.dims.keys().all(|name| fields.dims.contains_key(name))
}

/// A value of a field if it is usable. An id that is too long is replaced by its hash; another value that is too
/// long is not used, because a shortened one could be that of another customer.
pub(crate) fn usable(field: &Field, value: Cow<'_, str>, is_truncated: &mut bool) -> Option<String> {
    match check_value(field, &value) {
        Ok(()) => Some(value.into_owned()),
        Err(AttributionError::TooLong { .. }) => {
            *is_truncated = true;
            let is_id = matches!(field, Field::RequestId | Field::BatchJobId);
            is_id.then(|| {
                let mut id = value.into_owned();
                shorten_id(&mut id);
                id
            })
        }
        Err(_) => None,
    }
}

/// Adds the dimensions that attributes state under our own prefix, as far as they are usable.
pub(crate) fn dims(
    attributes: &Attributes<'_>,
    dims: &mut BTreeMap<String, String>,
    is_truncated: &mut bool,
) {
    for (name, value) in attributes.with_prefix(keys::DIM_PREFIX) {
        let Some(value) = text_of(value) else { continue };
        if name.len() > DIM_NAME_BYTES_MAX {
            *is_truncated = true;
        } else if let Some(value) = usable(&Field::Dim(name.to_owned()), value, is_truncated) {
            *is_truncated |= !add_dim(dims, name, value);
        }
    }
}

/// Adds a dimension, unless there is one of that name. Returns whether there is one then: there is none if the
/// dimensions are as many as are kept.
fn add_dim(dims: &mut BTreeMap<String, String>, name: &str, value: String) -> bool {
    if !dims.contains_key(name) {
        if dims.len() >= DIMS_MAX {
            return false;
        }
        dims.insert(name.to_owned(), value);
    }
    true
}
