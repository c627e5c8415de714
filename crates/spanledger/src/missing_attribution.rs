//! What happens to a billable call without an attribution.

use std::{
    collections::HashSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use reqwest::Url;
use spanledger_event::{AttributionError, Field, PartialAttribution};
use tracing::{Metadata, callsite::Identifier};

use crate::{Error, scope};

/// What happens to a billable call without an attribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingAttribution {
    /// The call fails before anything is sent.
    #[default]
    Refuse,
    /// The call is sent and recorded. Its event is in quarantine: it counts, and shows that nobody is named. Each call
    /// site logs one warning. Use it while the call sites of an existing service are annotated.
    Quarantine,
}

/// The attribution of a call that lacks fields, and where the call is made.
#[derive(Debug, Default)]
pub(crate) struct Incomplete {
    known: PartialAttribution,
    problem: Option<AttributionError>,
    /// The span in which the call is made. Code cannot ask for the caller's line through an `async` call.
    site: Option<&'static Metadata<'static>>,
}

/// The call sites that have logged their warning.
static WARNED: LazyLock<Mutex<HashSet<Site>>> = LazyLock::new(Mutex::default);
/// After so many call sites nothing more is logged, so that paths with ids in them cannot fill the memory.
const SITES_MAX: usize = 256;

/// The host and the path of a call, and the span in which it is made.
type Site = (Option<String>, String, Option<Identifier>);

impl Incomplete {
    /// What is known in the caller's task, which has no complete attribution. Only a warning needs the call site.
    pub(crate) fn current(missing: MissingAttribution) -> Self {
        let (known, problem) = scope::incomplete();
        let site = match missing {
            MissingAttribution::Quarantine => tracing::Span::current().metadata(),
            MissingAttribution::Refuse => None,
        };
        Self { known, problem, site }
    }

    /// The error of a call that is refused.
    pub(crate) fn refusal(&self, path: String) -> Error {
        let problem = match &self.problem {
            Some(problem) => {
                let text = problem.to_string();
                text.strip_prefix("attribution: ").unwrap_or(&text).to_owned()
            }
            None => format!("{} missing", missing_fields(&self.known)),
        };
        Error::NoAttribution { path, problem }
    }

    /// Warns once for each call site, and returns the known fields.
    pub(crate) fn warn_and_take(self, url: &Url) -> PartialAttribution {
        let (host, path) = (url.host_str().map(str::to_owned), url.path().to_owned());
        let site = (host, path, self.site.map(Metadata::callsite));
        let is_new = {
            let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
            warned.len() < SITES_MAX && warned.insert(site)
        };
        if is_new {
            let host = url.host_str();
            let span = self.site.map(Metadata::name);
            let file = self.site.and_then(Metadata::file);
            let line = self.site.and_then(Metadata::line);
            tracing::warn!(
                target: "spanledger",
                host,
                path = url.path(),
                span,
                file,
                line,
                "spanledger.attribution.missing: a billable call has no attribution and goes to quarantine; attach \
                 one with `.attributed(&attribution)`, or run the task in `attribution.scope(…)`"
            );
        }
        self.known
    }
}

/// The required fields that an attribution lacks, with the verb.
fn missing_fields(known: &PartialAttribution) -> String {
    let fields = [
        (Field::Feature, &known.feature),
        (Field::Route, &known.route),
        (Field::CustomerId, &known.customer_id),
        (Field::Environment, &known.environment),
    ];
    let missing: Vec<String> =
        fields.iter().filter(|(_, value)| value.is_none()).map(|(field, _)| format!("`{field}`")).collect();
    match missing.as_slice() {
        [one] => format!("{one} is"),
        [others @ .., last] => format!("{} and {last} are", others.join(", ")),
        [] => "the attribution is".to_owned(),
    }
}
