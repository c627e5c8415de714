use super::*;

fn config(variables: &[(&str, &str)]) -> ExporterConfig {
    env::read(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn the_first_endpoint_of_the_table_is_used() {
    let url = |variables: &[(&str, &str)]| config(variables).url;
    assert_eq!(url(&[]).as_deref(), Some("http://localhost:4318/v1/logs"));
    let otel = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
    assert_eq!(url(&[otel]).as_deref(), Some("http://c:4318/v1/logs"));
    let logs = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://l/x");
    assert_eq!(url(&[otel, logs]).as_deref(), Some("http://l/x"));
    assert_eq!(url(&[otel, logs, ("SPANLEDGER_ENDPOINT", "http://s")]).as_deref(), Some("http://s/v1/logs"));
    assert_eq!(url(&[otel, ("SPANLEDGER_EXPORT", "OFF")]), None);
}

/// The specification: an exporter without a given protocol uses that of the port.
#[test]
fn an_endpoint_for_grpc_is_used_only_with_the_feature() {
    let expected = |url: &str| {
        if cfg!(feature = "grpc") {
            (Some(url.to_owned()), Protocol::Grpc)
        } else {
            (Some("http://localhost:4318/v1/logs".to_owned()), Protocol::HttpProtobuf)
        }
    };
    let of = |variables: &[(&str, &str)]| {
        let config = config(variables);
        (config.url, config.protocol)
    };
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert_eq!(of(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"), grpc]), expected("http://c:4318"));
    let port = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317");
    assert_eq!(of(&[port]), expected("http://c:4317"));
    let own = of(&[("SPANLEDGER_ENDPOINT", "http://c:4317")]);
    assert_eq!(
        own,
        (Some("http://c:4317".to_owned()), Protocol::Grpc),
        "an error when it is started without gRPC"
    );
    let http = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");
    assert_eq!(of(&[port, http]), (Some("http://c:4317/v1/logs".to_owned()), Protocol::HttpProtobuf));
}

#[test]
fn the_service_is_named_by_the_environment_or_after_the_program() {
    let name = |variables: &[(&str, &str)]| {
        config(variables).resource.into_iter().find(|(key, _)| key == "service.name").unwrap().1
    };
    assert!(name(&[]).starts_with("unknown_service:"));
    let resource = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=api, team=growth%2C%20south");
    assert_eq!(name(&[resource]), "api");
    assert_eq!(name(&[resource, ("OTEL_SERVICE_NAME", "web")]), "web");
    assert!(config(&[resource]).resource.contains(&("team".to_owned(), "growth, south".to_owned())));
    // The specification: a list with an error is ignored as a whole.
    assert!(name(&[("OTEL_RESOURCE_ATTRIBUTES", "service.name=api,oops")]).starts_with("unknown_service:"));
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

#[test]
fn headers_are_percent_decoded() {
    let headers = ("SPANLEDGER_HEADERS", "authorization=Bearer%20a%2Cb,broken,x=%ff,y=1");
    let expected: [(String, String); 2] =
        [("authorization".into(), "Bearer a,b".into()), ("y".into(), "1".into())];
    assert_eq!(config(&[headers]).headers, expected);
}

#[test]
fn time_limit_compression_and_certificates_are_those_of_the_variables() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c");
    let read = config(&[
        endpoint,
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2500"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
        ("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY", "/key.pem"),
    ]);
    assert_eq!((read.timeout, read.compression), (Duration::from_millis(2_500), Compression::Gzip));
    assert_eq!(read.certificates.authority, Some(PathBuf::from("/ca.pem")));
    assert_eq!(read.certificates.client_key, Some(PathBuf::from("/key.pem")));
    let of_logs =
        config(&[endpoint, ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"), ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "7")]);
    assert_eq!(of_logs.timeout, Duration::from_millis(7));
}

#[test]
fn values_of_standard_variables_that_are_not_valid_are_ignored() {
    let read = config(&[
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", " "),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
    ]);
    assert_eq!(read.url.as_deref(), Some("http://c:4318/v1/logs"));
    assert_eq!((read.timeout, read.compression), (Duration::from_secs(10), Compression::None));
}

/// A typing error must not send the records to the backend of traces, which would acknowledge them.
#[test]
fn an_address_of_ours_that_is_not_valid_is_an_error_and_not_another_address() {
    let config = config(&[
        ("SPANLEDGER_ENDPOINT", "ledger.internal:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://vendor:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "key=secret"),
    ]);
    assert!(config.headers.is_empty());
    let error = crate::Recorder::try_new(config).unwrap_err().to_string();
    assert!(error.contains("ledger.internal:4318") && error.contains("http://localhost:4318"), "{error}");
}

#[cfg(not(feature = "spool"))]
#[test]
fn a_spool_without_its_feature_is_an_error_of_init_and_no_loss_without_it() {
    let config = config(&[("SPANLEDGER_SPOOL", "/var/spool/ai"), ("SPANLEDGER_INTENTS", "on")]);
    let error = crate::Recorder::try_new(config.clone()).unwrap_err().to_string();
    assert!(error.contains("features = [\"spool\"]"), "{error}");
    let exporter = super::super::Exporter::start_or_log(config);
    assert!(exporter.worker.is_some() && !exporter.keeps_intents());
}
