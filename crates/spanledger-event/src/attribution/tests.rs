use super::*;

fn with_feature(value: &str) -> Result<Attribution, AttributionError> {
    Attribution::builder().feature(value).route("/r").customer_id("acme").environment("test").build()
}

#[test]
fn real_values_pass() {
    for value in ["search", "internal", "system", "cron:nightly", "Größe", "a-b_c", "none-of-the-above"] {
        assert_eq!(with_feature(value).unwrap().feature(), value);
    }
    assert!(with_feature(&"x".repeat(256)).is_ok());
}

#[test]
fn bad_values_are_errors_that_name_the_field() {
    let feature = Field::Feature;
    for value in ["", "   ", "\u{a0}"] {
        assert_eq!(with_feature(value), Err(AttributionError::Blank(feature.clone())), "{value:?}");
    }
    for value in ["unknown", "NULL", "None", "undefined", "N/A", "-", " unknown "] {
        assert!(
            matches!(with_feature(value), Err(AttributionError::Placeholder { field: Field::Feature, .. })),
            "{value}"
        );
    }
    assert!(matches!(with_feature(&"x".repeat(257)), Err(AttributionError::TooLong { bytes: 257, .. })));
    assert_eq!(with_feature("a\nb"), Err(AttributionError::ControlCharacter(feature)));
    assert!(with_feature("unknown").unwrap_err().to_string().contains("`feature`"));
}

#[test]
fn the_names_and_the_number_of_dimensions_are_limited() {
    let build = |name: &str| {
        Attribution::builder()
            .feature("f")
            .route("r")
            .customer_id("c")
            .environment("e")
            .dim(name, "v")
            .build()
    };
    assert!(build("team").is_ok());
    for name in ["", "Team", "a b", &"x".repeat(65)] {
        assert!(matches!(build(name), Err(AttributionError::DimName(_))), "{name}");
    }
    let many = PartialAttribution {
        dims: (0..33).map(|i| (format!("d{i}"), "v".into())).collect(),
        ..PartialAttribution::from(&build("team").unwrap())
    };
    assert_eq!(Attribution::try_from(many), Err(AttributionError::TooManyDims(33)));
}

#[test]
fn the_json_form_is_checked_when_read() {
    let json = serde_json::to_string(&with_feature("search").unwrap()).unwrap();
    assert_eq!(json, r#"{"feature":"search","route":"/r","customer_id":"acme","environment":"test"}"#);
    assert!(serde_json::from_str::<Attribution>(&json).is_ok());
    let error =
        serde_json::from_str::<Attribution>(r#"{"feature":"x","route":"/r","customer_id":"c"}"#).unwrap_err();
    assert!(error.to_string().contains("`environment` is missing"), "{error}");
}

#[test]
fn known_fields_are_kept_when_filled() {
    let mut mine = PartialAttribution { feature: Some("a".into()), ..PartialAttribution::default() };
    let theirs = PartialAttribution::from(&with_feature("b").unwrap());
    mine.fill_from(&theirs);
    assert_eq!((mine.feature.as_deref(), mine.customer_id.as_deref()), (Some("a"), Some("acme")));
    assert!(mine.is_complete());
}

#[test]
fn a_clone_shares_its_values_until_it_gets_another_request_id() {
    let original = with_feature("search").unwrap();
    let clone = original.clone();
    assert!(std::ptr::eq(original.feature(), clone.feature()));
    let other = clone.with_request_id("order-7").unwrap();
    assert_eq!((original.request_id(), other.request_id()), (None, Some("order-7")));
}
