use super::*;

#[test]
fn a_body_is_one_message_with_its_prefix_and_nothing_else() {
    let frame = |bytes: &'static [u8]| unframe(Bytes::from_static(bytes));
    assert_eq!(frame(&[0, 0, 0, 0, 0]), Ok((Bytes::new(), false)));
    assert_eq!(frame(&[1, 0, 0, 0, 2, 7, 8]), Ok((Bytes::from_static(&[7, 8]), true)));
    for bad in
        [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 2, 7], &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[2, 0, 0, 0, 0]]
    {
        assert!(matches!(frame(bad), Err(Refusal::Malformed(_))), "{bad:?}");
    }
}
