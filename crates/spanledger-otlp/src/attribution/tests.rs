use spanledger_testkit::otlp::text;

use crate::test_support::{chat, read_one};

#[test]
fn attribution_is_read_from_the_span_and_then_from_the_resource() {
    let o = read_one(chat(vec![
        text("spanledger.feature", "unknown"),
        text("feature", "search"),
        text("customer_id", "acme"),
        text("spanledger.dim.team", "growth"),
        text("user.id", "ada"),
        text("http.route", "/v1/chat/completions"),
    ]));
    let a = &o.attribution;
    assert_eq!(
        (a.feature.as_deref(), a.customer_id.as_deref(), a.environment.as_deref()),
        (Some("search"), Some("acme"), Some("staging"))
    );
    assert_eq!(a.route, None, "a client's http.route is the provider's");
    assert_eq!((a.dims["team"].as_str(), a.dims["user"].as_str()), ("growth", "ada"));
    assert_eq!(o.service_name.as_deref(), Some("checkout"));

    let mut server = chat(vec![text("http.route", "/checkout")]);
    server.kind = 2;
    assert_eq!(read_one(server).attribution.route.as_deref(), Some("/checkout"));
}

#[test]
fn keys_of_vendors_are_read_after_the_common_ones() {
    let vendor = || text("traceloop.association.properties.customer_id", "of openllmetry");
    let o = read_one(chat([vendor(), text("langfuse.user.id", "ada")]));
    assert_eq!(o.attribution.customer_id.as_deref(), Some("of openllmetry"));
    assert_eq!(o.attribution.dims["user"], "ada");
    let o = read_one(chat([vendor(), text("customer_id", "acme")]));
    assert_eq!(o.attribution.customer_id.as_deref(), Some("acme"));
}
