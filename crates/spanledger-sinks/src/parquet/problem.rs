//! What an error of an object store means for the sink.

use object_store::Error;
use spanledger_event::ErrorChain;

use super::objects::Service;
use crate::Fault;

/// What an error message names.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) service: Service,
    pub(super) location: String,
}

/// Parts of error messages that tell what is wrong, in small letters, and the remedy. The codes are those of S3,
/// Google Cloud Storage and Azure Blob Storage. The first row that occurs counts.
const BLOCKED: &[(&[&str], &str)] = &[
    (
        &["requesttimetooskewed", "timeskewed"],
        "set the clock of this machine; it differs from the one of the store by more than 15 minutes",
    ),
    (
        &[
            "expiredtoken",
            "tokenrefreshrequired",
            "token expired",
            "signature not valid in the specified time frame",
        ],
        "renew the token; a token in a file or a variable of the environment is read again each minute",
    ),
    (
        &[
            "invalidaccesskeyid",
            "signaturedoesnotmatch",
            "invalidtoken",
            "authenticationfailed",
            "failed to authenticate",
            "invalid_grant",
            "invalidauthenticationinfo",
            "accountisdisabled",
            "invalid credentials",
        ],
        "correct the credentials in `store` or in the environment",
    ),
    (
        &["invalidcertificate", "certificate", "handshake", "tls ", "corrupt message"],
        "check the address in `store`, whether it speaks TLS, and that the system trusts its certificate",
    ),
    (
        &["nosuchbucket", "containernotfound", "the specified bucket does not exist"],
        "create it, or correct `location`",
    ),
    (&["permanentredirect", "authorizationheadermalformed", "bareredirect"], "correct the region in `store`"),
    (&["invalidbucketname", "invalidresourcename"], "correct `location`"),
];

/// What the store said, by the status of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    NotFound,
    Denied,
    Unauthenticated,
    NotSupported,
    Other,
}

/// The answer. The crate does not tell the status of a request for a list in the error's type.
fn answer(error: &Error) -> Answer {
    match error {
        Error::NotFound { .. } => Answer::NotFound,
        Error::PermissionDenied { .. } => Answer::Denied,
        Error::Unauthenticated { .. } => Answer::Unauthenticated,
        Error::NotSupported { .. } | Error::NotImplemented { .. } => Answer::NotSupported,
        error => {
            let text = text(error);
            let has_status = |status: u16| text.contains(&format!("status code: {status}"));
            match () {
                () if has_status(404) => Answer::NotFound,
                () if has_status(403) => Answer::Denied,
                () if has_status(401) => Answer::Unauthenticated,
                () => Answer::Other,
            }
        }
    }
}

/// Whether only the right is missing, with credentials that are right.
pub(super) fn is_denied(error: &Error) -> bool {
    answer(error) == Answer::Denied && remedy(error).is_none()
}

/// Whether another request for the same object was running, so that the outcome is not known.
pub(super) fn is_conflict(error: &Error) -> bool {
    let text = text(error).to_lowercase();
    ["conditionalrequestconflict", "operationaborted", "containerbeingdeleted"]
        .iter()
        .any(|code| text.contains(code))
}

fn remedy(error: &Error) -> Option<&'static str> {
    let text = text(error).to_lowercase();
    BLOCKED.iter().find(|(codes, _)| codes.iter().any(|code| text.contains(code))).map(|(_, remedy)| *remedy)
}

/// The error with its causes, without the queries of addresses, which can hold a signature.
fn text(error: &Error) -> String {
    // Most of the crate's errors repeat their cause, some do not.
    let (alone, chain) = (error.to_string(), ErrorChain(error).to_string());
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let text = if alone.contains(&cause) { innermost(error, alone) } else { chain };
    let mut words = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        match word.split_once('?') {
            Some((address, _)) if address.contains("://") => {
                words.push(address);
                words.push("?… ");
            }
            _ => words.push(word),
        }
    }
    words.concat().trim_end().chars().take(1_000).collect()
}

/// Adds the innermost cause, which names the reason why there is no connection.
fn innermost(error: &Error, mut text: String) -> String {
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause.and_then(std::error::Error::source) {
        cause = Some(next);
    }
    match cause.map(ToString::to_string) {
        Some(cause) if !text.contains(&cause) => {
            text.push_str(": ");
            text.push_str(&cause);
            text
        }
        _ => text,
    }
}

impl Access {
    /// What happened, with the address.
    pub(super) fn reason(&self, error: &Error) -> String {
        format!("{}: {}", self.location, text(error))
    }

    /// The options do not suffice for a client.
    pub(super) fn configuration(&self, error: &Error) -> Fault {
        Fault::blocked(
            self.reason(error),
            format!("correct `location` and `store`; see {}", self.service.docs()),
        )
    }

    /// The fault for the error of a request.
    pub(super) fn fault(&self, error: &Error) -> Fault {
        let reason = self.reason(error);
        let container = self.service.container();
        if let Some(remedy) = remedy(error) {
            return Fault::blocked(reason, remedy);
        }
        match answer(error) {
            Answer::NotFound => {
                Fault::blocked(reason, format!("create the {container}, or correct `location`"))
            }
            Answer::Denied => Fault::blocked(
                reason,
                format!("allow these credentials to create objects in the {container}"),
            ),
            Answer::Unauthenticated => {
                Fault::blocked(reason, "correct the credentials in `store` or in the environment")
            }
            Answer::NotSupported => {
                Fault::blocked(reason, "use a store that can create an object only if it does not exist")
            }
            Answer::Other => Fault::retry(reason),
        }
    }
}
