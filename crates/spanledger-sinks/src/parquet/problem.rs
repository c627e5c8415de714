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
            "invalid_grant",
            "invalidauthenticationinfo",
            "accountisdisabled",
            "invalid credentials",
        ],
        "correct the credentials in `store` or in the environment",
    ),
    (
        &["invalidcertificate", "certificate", "handshake", "tls "],
        "check the address in `store`, and that the system trusts the certificate of the store",
    ),
    (
        &["nosuchbucket", "containernotfound", "the specified bucket does not exist"],
        "create it, or correct `location`",
    ),
    (&["permanentredirect", "authorizationheadermalformed", "bareredirect"], "correct the region in `store`"),
    (&["invalidbucketname", "invalidresourcename"], "correct `location`"),
];

/// Whether only the right is missing, with credentials that are right.
pub(super) fn is_denied(error: &Error) -> bool {
    matches!(error, Error::PermissionDenied { .. }) && remedy(error).is_none()
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
    let text = ErrorChain(error).to_string();
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
        match error {
            Error::NotFound { .. } => {
                Fault::blocked(reason, format!("create the {container}, or correct `location`"))
            }
            Error::PermissionDenied { .. } => Fault::blocked(
                reason,
                format!("allow these credentials to create objects in the {container}"),
            ),
            Error::Unauthenticated { .. } => {
                Fault::blocked(reason, "correct the credentials in `store` or in the environment")
            }
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                Fault::blocked(reason, "use a store that can create an object only if it does not exist")
            }
            _ => Fault::retry(reason),
        }
    }
}
