//! Errors of object stores.

use object_store::Error;

use super::super::{
    objects::Service,
    problem::{Access, is_conflict, is_denied},
};
use crate::Fault;

fn access(service: Service) -> Access {
    Access { service, location: "s3://lake/events".to_owned() }
}

fn generic(text: &str) -> Error {
    Error::Generic { store: "S3", source: text.into() }
}

fn denied(text: &str) -> Error {
    Error::PermissionDenied { path: "events/x".to_owned(), source: text.into() }
}

/// The texts are parts of answers that the services document.
#[test]
fn an_answer_that_somebody_has_to_react_to_blocks_with_its_remedy() {
    for (error, remedy) in [
        (denied("<Code>RequestTimeTooSkewed</Code>"), "clock"),
        (generic("400 Bad Request: <Code>ExpiredToken</Code>"), "renew the token"),
        (denied("<Code>InvalidAccessKeyId</Code>"), "correct the credentials"),
        (denied("<Code>SignatureDoesNotMatch</Code>"), "correct the credentials"),
        (denied("<Code>AccessDenied</Code>"), "allow these credentials to create objects in the bucket"),
        (generic("error sending request: invalid peer certificate: UnknownIssuer"), "certificate"),
        (Error::NotFound { path: "x".into(), source: "<Code>NoSuchBucket</Code>".into() }, "create it"),
        (Error::NotFound { path: "x".into(), source: "404".into() }, "create the bucket"),
        (Error::Unauthenticated { path: "x".into(), source: "401".into() }, "credentials"),
        (generic("301: <Code>PermanentRedirect</Code>"), "region"),
    ] {
        let fault = access(Service::S3).fault(&error);
        let Fault::Blocked { reason, remedy: found } = &fault else { panic!("{error}: {fault:?}") };
        assert!(found.contains(remedy), "{error}: {found}");
        assert!(reason.starts_with("s3://lake/events: "), "{reason}");
    }
}

#[test]
fn an_answer_that_passes_is_tried_again() {
    for error in [generic("503 Slow Down"), generic("connection refused"), generic("operation timed out")] {
        let fault = access(Service::Azure).fault(&error);
        assert!(matches!(fault, Fault::Retry { .. }), "{error}: {fault:?}");
    }
    let conflict =
        Error::AlreadyExists { path: "x".into(), source: "<Code>ConditionalRequestConflict</Code>".into() };
    assert!(is_conflict(&conflict));
    assert!(!is_conflict(&Error::AlreadyExists { path: "x".into(), source: "BlobAlreadyExists".into() }));
}

#[test]
fn only_a_missing_right_counts_as_denied() {
    assert!(is_denied(&denied("<Code>AccessDenied</Code>")));
    assert!(!is_denied(&denied("<Code>InvalidAccessKeyId</Code>")));
    assert!(!is_denied(&generic("AccessDenied")));
}

#[test]
fn the_signature_of_an_address_is_not_shown() {
    let error =
        generic("Error performing PUT https://a.blob.core.windows.net/c/x?sv=1&sig=secret in 1s: 403");
    let fault = access(Service::Azure).fault(&error).to_string();
    assert!(!fault.contains("secret") && fault.contains("in 1s: 403"), "{fault}");
}
