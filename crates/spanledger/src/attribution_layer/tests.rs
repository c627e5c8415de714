use std::convert::Infallible;

use futures_util::FutureExt as _;
use http_body::{Body, Frame};
use tower::{Layer as _, Service as _, service_fn};

use super::*;
use spanledger_event::Attribution;

fn feature() -> Option<String> {
    scope::current().map(|attribution| attribution.feature().to_owned())
}

/// A body that says at each poll for which customer calls would be made.
struct Customers;

impl Body for Customers {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _task: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        let customer = scope::current().map(|attribution| attribution.customer_id().to_owned());
        Poll::Ready(customer.map(|customer| Ok(Frame::data(customer.into()))))
    }
}

fn layer() -> AttributionLayer {
    AttributionLayer::new()
        .feature("search")
        .environment("test")
        .route_from(|request| Some(request.uri.path().to_owned()))
        .customer_id_from(|request| Some(request.headers.get("x-account")?.to_str().ok()?.to_owned()))
}

/// The attribution of a request with these headers.
fn attribution(
    layer: &AttributionLayer,
    headers: &[(&'static str, &str)],
) -> Result<Attribution, AttributionError> {
    let request = headers
        .iter()
        .fold(Request::get("/search?q=1"), |request, (name, value)| request.header(*name, *value));
    let known = layer.sources.attribution(&request.body(()).unwrap().into_parts().0);
    known.map_err(|incomplete| incomplete.problem.clone())
}

#[tokio::test]
async fn the_handler_and_the_body_of_its_response_are_in_the_scope() {
    let handler = service_fn(|_: Request<()>| {
        // Made before the future is polled.
        let early = feature();
        async move {
            assert_eq!((early.as_deref(), feature().as_deref()), (Some("search"), Some("search")));
            Ok::<_, Infallible>(Response::new(Customers))
        }
    });
    let request = Request::get("/search").header("x-account", "acme").body(()).unwrap();
    let response = layer().layer(handler).call(request).await.unwrap();
    let mut body = Box::pin(response.into_body());
    let frame = std::future::poll_fn(|task| body.as_mut().poll_frame(task)).now_or_never().unwrap();
    assert_eq!(frame.unwrap().unwrap().into_data().unwrap(), "acme");
    assert_eq!(feature(), None);
}

#[tokio::test]
async fn a_request_whose_attribution_lacks_a_field_is_handled_with_the_known_fields() {
    let handler = service_fn(|_: Request<()>| async {
        assert_eq!(feature(), None);
        let (known, problem) = scope::incomplete();
        assert_eq!((known.feature.as_deref(), known.customer_id), (Some("search"), None));
        assert_eq!(problem, Some(AttributionError::Missing(Field::CustomerId)));
        Ok::<_, Infallible>(Response::new(Customers))
    });
    let response = layer().layer(handler).call(Request::new(())).await.unwrap();
    let mut body = Box::pin(response.into_body());
    let frame = std::future::poll_fn(|task| body.as_mut().poll_frame(task)).now_or_never().unwrap();
    assert!(frame.is_none());
    let lacking = attribution(&layer(), &[]).unwrap_err();
    assert_eq!(lacking, AttributionError::Missing(Field::CustomerId));
    let illegal = attribution(&layer(), &[("x-account", "unknown")]).unwrap_err();
    assert!(matches!(illegal, AttributionError::Placeholder { field: Field::CustomerId, .. }));
}

#[tokio::test]
async fn an_incomplete_attribution_does_not_replace_that_of_a_scope_around_it() {
    let handler = service_fn(|_: Request<()>| async {
        assert_eq!(feature().as_deref(), Some("outer"));
        Ok::<_, Infallible>(Response::new(()))
    });
    let complete = layer().feature("outer").customer_id("internal");
    let mut service = complete.layer(layer().layer(handler));
    service.call(Request::new(())).await.unwrap();
    let (known, problem) = scope::incomplete();
    assert_eq!((known, problem), (PartialAttribution::default(), None));
}

#[test]
fn baggage_is_read_only_if_it_is_accepted_and_then_counts_first() {
    let headers = [
        ("x-account", "acme"),
        ("baggage", "spanledger.customer_id=other,spanledger.feature=digest,spanledger.batch_job_id=b"),
        ("baggage", "spanledger.route=%2Fdigest"),
    ];
    let refused = attribution(&layer(), &headers).unwrap();
    assert_eq!((refused.customer_id(), refused.feature(), refused.route()), ("acme", "search", "/search"));
    let accepting = layer().accept_baggage(AllowedBaggage::default());
    let accepted = attribution(&accepting, &headers).unwrap();
    assert_eq!(
        (accepted.customer_id(), accepted.feature(), accepted.route()),
        ("other", "digest", "/digest")
    );
    assert_eq!((accepted.environment(), accepted.batch_job_id()), ("test", None));
    // An illegal value in the baggage is not used.
    let illegal = [("x-account", "acme"), ("baggage", "spanledger.customer_id=null")];
    assert_eq!(attribution(&accepting, &illegal).unwrap().customer_id(), "acme");
}
