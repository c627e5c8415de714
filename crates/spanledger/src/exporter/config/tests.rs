use super::*;

fn config(variables: &[(&str, &str)]) -> ExporterConfig {
    ExporterConfig::from_lookup(|name| {
        variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn the_first_endpoint_of_the_table_is_used() {
    let url = |variables: &[(&str, &str)]| config(variables).url;
    assert_eq!(url(&[]).as_deref(), Some("http://localhost:4318/v1/logs"));
    let otel = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
    assert_eq!(url(&[otel]).as_deref(), Some("http://c:4318/v1/logs"));
    assert_eq!(
        url(&[otel, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).as_deref(),
        Some("http://localhost:4318/v1/logs")
    );
    let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/x");
    assert_eq!(url(&[otel, logs]).as_deref(), Some("http://l/x"));
    assert_eq!(url(&[otel, logs, ("SPANLEDGER_ENDPOINT", "http://s")]).as_deref(), Some("http://s/v1/logs"));
    assert_eq!(url(&[otel, ("SPANLEDGER_EXPORT", "OFF")]), None);
}

#[test]
fn the_service_is_named_by_the_environment_or_after_the_program() {
    let name = |variables: &[(&str, &str)]| {
        config(variables).resource.into_iter().find(|(key, _)| key == "service.name").unwrap().1
    };
    assert!(name(&[]).starts_with("unknown_service:"));
    let resource = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=api, team=growth");
    assert_eq!(name(&[resource]), "api");
    assert_eq!(name(&[resource, ("OTEL_SERVICE_NAME", "web")]), "web");
    assert!(config(&[resource]).resource.contains(&("team".to_owned(), "growth".to_owned())));
}

#[test]
fn headers_of_an_otel_variable_are_sent_only_to_an_endpoint_of_an_otel_variable() {
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c = d");
    assert!(config(&[headers]).headers.is_empty());
    assert!(config(&[headers, ("SPANLEDGER_ENDPOINT", "http://s")]).headers.is_empty());
    assert_eq!(
        config(&[headers, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c")]).headers,
        [("a".into(), "b".into()), ("c".into(), "d".into())]
    );
}
