use super::*;

lenient_object! {
    struct Thing {
        id: "id",
        tokens: "tokens",
        list: "list",
    }
}

fn read(json: &str) -> Option<(Option<String>, Option<i64>)> {
    let thing: Thing<'_> = object(json.as_bytes())?;
    Some((text(thing.id), integer(thing.tokens)))
}

#[test]
fn an_odd_field_costs_only_itself() {
    let both = |id: &str, tokens| Some((Some(id.to_owned()), Some(tokens)));
    assert_eq!(read(r#"{"id":"a","tokens":3}"#), both("a", 3));
    assert_eq!(read(r#"{"id":17,"tokens":256.0}"#), both("17", 256));
    assert_eq!(read(r#"{"id":{"x":1},"tokens":3}"#), Some((None, Some(3))));
    assert_eq!(read(r#"{"id":null,"tokens":"3"}"#), Some((None, None)));
    assert_eq!(read(r#"{"id":"a","tokens":2.5}"#), Some((Some("a".to_owned()), None)));
}

#[test]
fn the_last_field_of_a_name_is_valid_and_what_follows_the_object_is_ignored() {
    assert_eq!(read(r#"{"id":"a","id":"b","tokens":1}x"#), Some((Some("b".to_owned()), Some(1))));
    assert_eq!(read(r#" {"tokens":1,"\u0069d":"e"} {}"#), Some((Some("e".to_owned()), Some(1))));
}

#[test]
fn an_object_that_breaks_off_keeps_the_fields_before_that_place() {
    let whole = r#"{"id":"a","x":[1,{"y":"z"}],"tokens":3}"#;
    for end in 0..whole.len() {
        let cut = read(&whole[..end]);
        assert_eq!(cut.is_some(), end > 0, "{end}");
        assert_eq!(cut.and_then(|(id, _)| id).is_some(), end >= 9, "{end}");
    }
    assert_eq!(read("[]"), None);
    assert_eq!(read("not json"), None);
}

#[test]
fn a_list_has_a_member_for_each_value() {
    let thing: Thing<'_> = object(br#"{"list":[{"id":"a"},3,{"id":"b"}]}"#).unwrap();
    let ids: Vec<_> = list::<Thing<'_>>(thing.list).into_iter().map(|thing| text(thing.id)).collect();
    assert_eq!(ids, [Some("a".to_owned()), None, Some("b".to_owned())]);
    assert_eq!(count(thing.list), Some(3));
}
