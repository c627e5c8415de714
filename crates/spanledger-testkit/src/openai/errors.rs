//! Error bodies.
//!
//! Source: the "Error codes" guide and the `error` object of the API reference:
//! `{"error":{"message","type","param","code"}}`, where `param` and `code` may
//! be null but are always there.

use http::StatusCode;
use serde::Serialize;

/// An error of the provider: a status and the fields of the body.
///
/// There is a constructor for each error that a client handles differently;
/// [`ApiError::new`] builds any other error.
///
/// ```
/// use spanledger_testkit::ApiError;
///
/// let error = ApiError::new(404, "invalid_request_error", "No such model.")
///     .code("model_not_found")
///     .param("model");
/// assert_eq!(error.status_code(), 404);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    status: StatusCode,
    pub(crate) message: String,
    pub(crate) kind: String,
    pub(crate) param: Option<String>,
    pub(crate) code: Option<String>,
}

impl ApiError {
    /// An error of this status, `type` and message. A number that is no HTTP
    /// status becomes 500.
    pub fn new(status: u16, kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            message: message.into(),
            kind: kind.into(),
            param: None,
            code: None,
        }
    }

    /// Sets `code`.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets `param`, the field of the request that is at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The HTTP status.
    pub fn status_code(&self) -> u16 {
        self.status.as_u16()
    }

    /// The error that the provider sends with this status.
    pub fn for_status(status: u16) -> Self {
        match status {
            400 => Self::invalid_request("The request is not valid."),
            401 => Self::invalid_key(),
            403 => Self::new(403, "request_forbidden", "This key may not do that."),
            404 => Self::new(404, "invalid_request_error", "There is no such thing here."),
            429 => Self::rate_limited(),
            503 => Self::new(503, "server_error", "Too many requests are in work, try later."),
            500..=599 => Self::new(status, "server_error", "Something broke at the provider."),
            _ => Self::new(status, "invalid_request_error", "The request was refused."),
        }
    }

    /// 400: a request that no retry makes valid.
    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// 401: a key that the provider does not know.
    pub fn invalid_key() -> Self {
        Self::new(401, "invalid_request_error", "The API key is not known.").code("invalid_api_key")
    }

    /// 429: too many requests in this minute; worth a retry.
    pub fn rate_limited() -> Self {
        Self::new(429, "requests", "Requests per minute: limit 500, used 500, requested 1.")
            .code("rate_limit_exceeded")
    }

    /// 429: the account is out of money; not worth a retry.
    pub fn insufficient_quota() -> Self {
        Self::new(429, "insufficient_quota", "The quota of this account is used up.")
            .code("insufficient_quota")
    }

    /// 400: a server that does not know a parameter, and names it in `param`.
    pub fn unknown_parameter(name: &str) -> Self {
        Self::invalid_request(format!("The request has the unknown parameter '{name}'."))
            .param(name)
            .code("unknown_parameter")
    }

    /// 400: a server that does not know a parameter, and names it only in the message. Azure answers so when
    /// `data_sources` is set.
    pub fn extra_input(name: &str) -> Self {
        Self::invalid_request(format!("Validation failed at #/{name}: an extra input is not permitted"))
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn missing(param: &str) -> Self {
        Self::invalid_request(format!("The parameter '{param}' is required."))
            .param(param)
            .code("missing_required_parameter")
    }

    /// The body, ready to be serialized.
    pub(crate) fn body(&self) -> ErrorBody<'_> {
        ErrorBody {
            error: ErrorFields {
                message: &self.message,
                kind: &self.kind,
                param: self.param.as_deref(),
                code: self.code.as_deref(),
            },
        }
    }
}

/// `{"error":{…}}`.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    error: ErrorFields<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}
