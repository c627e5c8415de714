use super::*;

fn headers(name: &'static str, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
}

#[test]
fn the_wait_is_read_as_seconds_or_as_a_date() {
    assert_eq!(retry_after(&headers("retry-after", " 7 ")), Some(Duration::from_secs(7)));
    assert_eq!(retry_after(&headers("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")), Some(Duration::ZERO));
    let far = retry_after(&headers("retry-after", "Wed, 06 Nov 2999 08:49:37 GMT")).unwrap();
    assert!(far > Duration::from_hours(24 * 365 * 900));
    assert_eq!(retry_after(&headers("retry-after", "soon")), None);
    assert_eq!(retry_after(&HeaderMap::new()), None);
}

#[test]
fn each_status_has_its_fault() {
    let fault = |status: u16| {
        of_status(StatusCode::from_u16(status).unwrap(), &headers("retry-after", "3"), status.to_string())
    };
    for status in [401, 403, 404, 405, 407, 410, 415, 301, 308] {
        assert!(matches!(fault(status), Fault::Blocked { .. }), "{status}");
    }
    for status in [400, 422] {
        assert!(matches!(fault(status), Fault::Rejected { .. }), "{status}");
    }
    assert!(matches!(fault(413), Fault::TooLarge { .. }));
    for status in [408, 409, 425, 429, 500, 502, 503, 504, 599] {
        let Fault::Retry { after, .. } = fault(status) else { panic!("{status}") };
        assert_eq!(after, Some(Duration::from_secs(3)), "{status}");
    }
}

#[test]
fn an_address_is_shown_without_its_secrets() {
    let url = Url::parse("https://user:pass@hooks.example.com:8443/a/b?token=secret#x").unwrap();
    assert_eq!(shown(&url), "https://hooks.example.com:8443/a/b");
}

#[test]
fn only_http_is_an_address() {
    url("url", "https://example.com", "x").unwrap();
    for text in ["example.com", "ftp://example.com", ""] {
        assert!(
            url("url", text, "https://example.com")
                .unwrap_err()
                .to_string()
                .contains("`https://example.com`")
        );
    }
}
