use jiff::{Timestamp, ToSpan as _};

use super::*;

#[test]
fn retry_after_is_a_number_of_seconds_or_a_date() {
    assert_eq!(retry_after("3"), Some(Duration::from_secs(3)));
    assert_eq!(retry_after(" 0 "), Some(RETRY_AFTER_MIN));
    assert_eq!(retry_after("86400"), Some(RETRY_AFTER_MAX));
    assert_eq!(retry_after("soon"), None);
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(RETRY_AFTER_MIN));
    let date = |at: Timestamp| at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    assert_eq!(retry_after(&date(Timestamp::now() + 2.hours())), Some(RETRY_AFTER_MAX));
    let soon = retry_after(&date(Timestamp::now() + 40.seconds())).unwrap();
    assert!(soon > RETRY_AFTER_MIN && soon <= Duration::from_secs(40), "{soon:?}");
}
