//! Attribution: the feature, route, customer and environment that a call is made for.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::limits::{ATTRIBUTION_BYTES_MAX, DIMS_MAX};

#[cfg(test)]
mod tests;

/// How many free dimensions the attribution of a call of the crate `spanledger` may have. Spans of other
/// emitters may have more, [`DIMS_MAX`].
const OWN_DIMS_MAX: usize = 32;
/// Values that stand for a missing value. Case is ignored.
const PLACEHOLDERS: [&str; 6] = ["unknown", "null", "none", "undefined", "n/a", "-"];

/// A field of an attribution.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Field {
    /// The product feature: `search`, `support-chat`.
    Feature,
    /// The route or job: `/search`, `cron:nightly-digest`, `queue:emails`, `webhook:stripe`.
    Route,
    /// The paying account. A person is not an account; `internal` and `system` are legal.
    CustomerId,
    /// `production`, `staging`, …
    Environment,
    /// The caller's id of the logical request.
    RequestId,
    /// The batch job that the call is part of.
    BatchJobId,
    /// A free dimension, by name.
    Dim(String),
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature => f.write_str("feature"),
            Self::Route => f.write_str("route"),
            Self::CustomerId => f.write_str("customer_id"),
            Self::Environment => f.write_str("environment"),
            Self::RequestId => f.write_str("request_id"),
            Self::BatchJobId => f.write_str("batch_job_id"),
            Self::Dim(name) => write!(f, "dims.{name}"),
        }
    }
}

/// Why a value is refused, and for which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttributionError {
    /// The field is absent.
    #[error(
        "attribution: `{0}` is missing: every billable call needs feature, route, customer_id and environment"
    )]
    Missing(Field),
    /// The value is empty or blank.
    #[error("attribution: `{0}` is blank: give it a value, or `internal` where no customer pays")]
    Blank(Field),
    /// The value is a placeholder such as `unknown` or `null`.
    #[error("attribution: `{field}` is the placeholder `{value}`: find out the real value before the call")]
    Placeholder {
        /// The field.
        field: Field,
        /// What was given.
        value: String,
    },
    /// The value is too long.
    #[error("attribution: `{field}` has {bytes} bytes, at most 256 are allowed: use an id instead of a text")]
    TooLong {
        /// The field.
        field: Field,
        /// Its length.
        bytes: usize,
    },
    /// The value has a control character.
    #[error("attribution: `{0}` has a control character: remove it")]
    ControlCharacter(Field),
    /// More than 32 dimensions.
    #[error("attribution: {0} dimensions were given, at most 32 are allowed")]
    TooManyDims(usize),
    /// A dimension's name is not made of lower-case letters, digits, `_`, `-` and `.`.
    #[error("attribution: the dimension name `{0}` is not allowed: use 1 to 64 of a-z, 0-9, `_`, `-`, `.`")]
    DimName(String),
}

/// Checks one value by the rules of attribution.
pub fn check_value(field: &Field, value: &str) -> Result<(), AttributionError> {
    let trimmed = value.trim();
    if trimmed.is_empty() {
        return Err(AttributionError::Blank(field.clone()));
    }
    if value.len() > ATTRIBUTION_BYTES_MAX {
        return Err(AttributionError::TooLong { field: field.clone(), bytes: value.len() });
    }
    if value.chars().any(char::is_control) {
        return Err(AttributionError::ControlCharacter(field.clone()));
    }
    if PLACEHOLDERS.iter().any(|p| trimmed.eq_ignore_ascii_case(p)) {
        return Err(AttributionError::Placeholder { field: field.clone(), value: trimmed.to_owned() });
    }
    Ok(())
}

fn check_dim_name(name: &str) -> Result<(), AttributionError> {
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        return Err(AttributionError::DimName(name.chars().take(64).collect()));
    }
    Ok(())
}

/// The attribution of a call, complete and checked.
///
/// `feature`, `route`, `customer_id` and `environment` are required on every billable call. They have
/// no default, and "unknown" is refused: a call that cannot be billed to anyone should not be made.
///
/// A missing field does not compile, and the compiler names it:
///
/// ```compile_fail,E0277
/// # use spanledger_event::Attribution;
/// Attribution::builder().feature("search").route("/search").customer_id("acme").build();
/// ```
///
/// A clone shares its values with the original, so that it costs one reference count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    fields: Arc<Fields>,
}

/// The checked values of an [`Attribution`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Fields {
    feature: String,
    route: String,
    customer_id: String,
    environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_job_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dims: BTreeMap<String, String>,
}

impl Attribution {
    /// Starts a builder. Its `build` compiles once the four required fields are given.
    pub fn builder() -> AttributionBuilder {
        AttributionBuilder { parts: PartialAttribution::default(), state: PhantomData }
    }

    /// The product feature.
    pub fn feature(&self) -> &str {
        &self.fields.feature
    }

    /// The route or job.
    pub fn route(&self) -> &str {
        &self.fields.route
    }

    /// The paying account.
    pub fn customer_id(&self) -> &str {
        &self.fields.customer_id
    }

    /// The environment.
    pub fn environment(&self) -> &str {
        &self.fields.environment
    }

    /// The caller's id of the logical request.
    pub fn request_id(&self) -> Option<&str> {
        self.fields.request_id.as_deref()
    }

    /// The batch job.
    pub fn batch_job_id(&self) -> Option<&str> {
        self.fields.batch_job_id.as_deref()
    }

    /// The free dimensions.
    pub fn dims(&self) -> &BTreeMap<String, String> {
        &self.fields.dims
    }

    /// The same attribution under another request id.
    pub fn with_request_id(mut self, request_id: impl Into<String>) -> Result<Self, AttributionError> {
        let request_id = request_id.into();
        check_value(&Field::RequestId, &request_id)?;
        Arc::make_mut(&mut self.fields).request_id = Some(request_id);
        Ok(self)
    }
}

impl TryFrom<PartialAttribution> for Attribution {
    type Error = AttributionError;

    fn try_from(parts: PartialAttribution) -> Result<Self, Self::Error> {
        let required = |field: Field, value: Option<String>| {
            let value = value.ok_or_else(|| AttributionError::Missing(field.clone()))?;
            check_value(&field, &value)?;
            Ok(value)
        };
        let optional = |field: Field, value: Option<String>| {
            value.map(|value| check_value(&field, &value).map(|()| value)).transpose()
        };
        if parts.dims.len() > OWN_DIMS_MAX {
            return Err(AttributionError::TooManyDims(parts.dims.len()));
        }
        for (name, value) in &parts.dims {
            check_dim_name(name)?;
            check_value(&Field::Dim(name.clone()), value)?;
        }
        let fields = Fields {
            feature: required(Field::Feature, parts.feature)?,
            route: required(Field::Route, parts.route)?,
            customer_id: required(Field::CustomerId, parts.customer_id)?,
            environment: required(Field::Environment, parts.environment)?,
            request_id: optional(Field::RequestId, parts.request_id)?,
            batch_job_id: optional(Field::BatchJobId, parts.batch_job_id)?,
            dims: parts.dims,
        };
        Ok(Self { fields: Arc::new(fields) })
    }
}

impl Serialize for Attribution {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fields.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Attribution {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        PartialAttribution::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// An attribution whose fields may be missing, as the span of another emitter states it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartialAttribution {
    /// The product feature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The route or job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The paying account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The caller's id of the logical request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The batch job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_job_id: Option<String>,
    /// Free dimensions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, String>,
}

impl PartialAttribution {
    /// How many of the four required fields are known.
    pub fn known(&self) -> usize {
        [&self.feature, &self.route, &self.customer_id, &self.environment]
            .iter()
            .filter(|f| f.is_some())
            .count()
    }

    /// Whether all four required fields are known.
    pub fn is_complete(&self) -> bool {
        self.known() == 4
    }

    /// Fills the fields that are missing here from `other`. Dimensions are added until there are
    /// [`DIMS_MAX`].
    pub fn fill_from(&mut self, other: &Self) {
        fn fill(mine: &mut Option<String>, theirs: Option<&String>) {
            if mine.is_none() {
                *mine = theirs.cloned();
            }
        }
        fill(&mut self.feature, other.feature.as_ref());
        fill(&mut self.route, other.route.as_ref());
        fill(&mut self.customer_id, other.customer_id.as_ref());
        fill(&mut self.environment, other.environment.as_ref());
        fill(&mut self.request_id, other.request_id.as_ref());
        fill(&mut self.batch_job_id, other.batch_job_id.as_ref());
        for (name, value) in &other.dims {
            if self.dims.len() < DIMS_MAX && !self.dims.contains_key(name) {
                self.dims.insert(name.clone(), value.clone());
            }
        }
    }
}

impl From<&Attribution> for PartialAttribution {
    fn from(attribution: &Attribution) -> Self {
        let fields = &*attribution.fields;
        Self {
            feature: Some(fields.feature.clone()),
            route: Some(fields.route.clone()),
            customer_id: Some(fields.customer_id.clone()),
            environment: Some(fields.environment.clone()),
            request_id: fields.request_id.clone(),
            batch_job_id: fields.batch_job_id.clone(),
            dims: fields.dims.clone(),
        }
    }
}

/// The required field is still missing.
#[derive(Debug, Clone, Copy)]
pub struct Missing;

/// The required field is given.
#[derive(Debug, Clone, Copy)]
pub struct Given;

/// Builds an [`Attribution`]; the type parameters say which required fields are given.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct AttributionBuilder<Feature = Missing, Route = Missing, Customer = Missing, Environment = Missing> {
    parts: PartialAttribution,
    state: PhantomData<(Feature, Route, Customer, Environment)>,
}

impl<F, R, C, E> AttributionBuilder<F, R, C, E> {
    fn step<F2, R2, C2, E2>(
        mut self,
        set: impl FnOnce(&mut PartialAttribution),
    ) -> AttributionBuilder<F2, R2, C2, E2> {
        set(&mut self.parts);
        AttributionBuilder { parts: self.parts, state: PhantomData }
    }

    /// The product feature: `search`, `support-chat`. Required.
    pub fn feature(self, value: impl Into<String>) -> AttributionBuilder<Given, R, C, E> {
        self.step(|p| p.feature = Some(value.into()))
    }

    /// The route or job: `/search`, `cron:nightly-digest`. Required.
    pub fn route(self, value: impl Into<String>) -> AttributionBuilder<F, Given, C, E> {
        self.step(|p| p.route = Some(value.into()))
    }

    /// The paying account; `internal` and `system` are legal. Required.
    pub fn customer_id(self, value: impl Into<String>) -> AttributionBuilder<F, R, Given, E> {
        self.step(|p| p.customer_id = Some(value.into()))
    }

    /// `production`, `staging`, … Required.
    pub fn environment(self, value: impl Into<String>) -> AttributionBuilder<F, R, C, Given> {
        self.step(|p| p.environment = Some(value.into()))
    }

    /// Your id of the logical request; use the same id in every retry. Default: a new UUIDv7 for each call.
    pub fn request_id(self, value: impl Into<String>) -> Self {
        self.step(|p| p.request_id = Some(value.into()))
    }

    /// The batch job that the call is part of.
    pub fn batch_job_id(self, value: impl Into<String>) -> Self {
        self.step(|p| p.batch_job_id = Some(value.into()))
    }

    /// A dimension of your own, such as `dim("team", "growth")`.
    pub fn dim(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.step(|p| {
            p.dims.insert(name.into(), value.into());
        })
    }

    /// Checks every value. It compiles once the four required fields are given.
    pub fn build(self) -> Result<Attribution, AttributionError>
    where
        F: HasFeature,
        R: HasRoute,
        C: HasCustomerId,
        E: HasEnvironment,
    {
        self.parts.try_into()
    }
}

// Each required field has a trait of its own, so that the compiler's message can name the field.

/// The builder has a `feature`.
#[diagnostic::on_unimplemented(
    message = "the attribution has no `feature`",
    label = "`feature` is missing",
    note = "call `.feature(…)` before `.build()`, with the product feature that the call is for"
)]
pub trait HasFeature {}
impl HasFeature for Given {}

/// The builder has a `route`.
#[diagnostic::on_unimplemented(
    message = "the attribution has no `route`",
    label = "`route` is missing",
    note = "call `.route(…)` before `.build()`; background work has routes such as `cron:nightly-digest`"
)]
pub trait HasRoute {}
impl HasRoute for Given {}

/// The builder has a `customer_id`.
#[diagnostic::on_unimplemented(
    message = "the attribution has no `customer_id`",
    label = "`customer_id` is missing",
    note = "call `.customer_id(…)` before `.build()`; `internal` is the customer of work that no customer pays for"
)]
pub trait HasCustomerId {}
impl HasCustomerId for Given {}

/// The builder has an `environment`.
#[diagnostic::on_unimplemented(
    message = "the attribution has no `environment`",
    label = "`environment` is missing",
    note = "call `.environment(…)` before `.build()`, for example with `production`"
)]
pub trait HasEnvironment {}
impl HasEnvironment for Given {}
