use super::*;

fn error_of(config: &ExporterConfig) -> String {
    Settings::new(config).unwrap_err().to_string()
}

#[test]
fn an_address_that_cannot_be_used_is_refused_with_an_example() {
    for (address, reason) in
        [("localhost:4318", "scheme is `localhost`"), ("4318", "cannot be parsed"), ("ftp://a", "`ftp`")]
    {
        let error = error_of(&ExporterConfig::to(address));
        assert!(error.contains(reason) && error.contains("http://localhost:4318"), "{error}");
    }
}

#[test]
fn a_header_that_cannot_be_sent_is_refused_without_repeating_its_value() {
    for (name, value) in [("a b", "secret"), ("authorization", "secret\n")] {
        let error = error_of(&ExporterConfig::to("http://r").header(name, value));
        assert!(error.contains(name) && !error.contains("secret"), "{error}");
    }
    let config = ExporterConfig::to("http://r").header("authorization", "secret");
    assert!(!format!("{config:?} {:?}", Settings::new(&config)).contains("secret"));
}

#[test]
fn a_setting_without_its_feature_names_the_feature() {
    let mut config = ExporterConfig::to("http://r:4317");
    assert_eq!(config.protocol, Protocol::Grpc);
    if cfg!(not(feature = "grpc")) {
        assert!(error_of(&config).contains("features = [\"grpc\"]"));
    }
    config.protocol = Protocol::HttpProtobuf;
    if cfg!(not(feature = "spool")) {
        assert!(error_of(&config.clone().spool(PathBuf::from("/tmp"))).contains("features = [\"spool\"]"));
    }
    assert!(error_of(&config.clone().intents(true)).contains("SPANLEDGER_SPOOL"));
    config.certificates.authority = Some(PathBuf::from("/no/such/file"));
    let expected = if cfg!(feature = "tls") { "/no/such/file" } else { "features = [\"tls\"]" };
    assert!(error_of(&config).contains(expected));
}

#[test]
fn a_receiver_on_this_machine_is_recognized() {
    for (address, expected) in [
        ("http://localhost:4318", true),
        ("http://127.1.2.3", true),
        ("http://[::1]:4318", true),
        ("http://api.localhost", true),
        ("http://localhost.example", false),
        ("http://10.0.0.1", false),
    ] {
        assert_eq!(is_loopback(&Url::parse(address).unwrap()), expected, "{address}");
    }
}
