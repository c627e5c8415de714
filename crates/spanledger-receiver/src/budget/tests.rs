use super::*;

const MESSAGE_MAX: usize = 100_000;

fn budget(in_flight_bytes_max: usize) -> Budget {
    Budget::new(&Limits { body_bytes_max: MESSAGE_MAX, in_flight_bytes_max, ..Limits::default() })
}

#[test]
fn bytes_are_released_with_the_last_slice_of_them() {
    let budget = budget(1 << 20);
    let all = budget.available();
    let mut buffer = budget.buffer(10_000, 0).unwrap();
    buffer.extend(&[7; 10_000]).unwrap();
    let whole = buffer.freeze();
    let (clone, slice) = (whole.clone(), whole.slice(5..6));
    let reserved = all - budget.available();
    assert!((10_000..10_000 + UNIT_BYTES).contains(&reserved), "{reserved}");
    drop(whole);
    drop(clone);
    assert_eq!(all - budget.available(), reserved, "a slice keeps all bytes in memory");
    assert_eq!(&slice[..], [7]);
    drop(slice);
    assert_eq!(budget.available(), all);
}

#[test]
fn a_buffer_that_is_dropped_or_refused_releases_what_it_reserved() {
    let budget = budget(256 * 1_024);
    let all = budget.available();
    let mut buffer = budget.buffer(0, 0).unwrap();
    for _ in 0..10 {
        buffer.extend(&[0; 10_000]).unwrap();
    }
    assert_eq!(buffer.extend(&[0]), Err(Refusal::TooLarge { limit: MESSAGE_MAX }));
    let reserved = all - budget.available();
    assert!((MESSAGE_MAX..MESSAGE_MAX + 2 * UNIT_BYTES).contains(&reserved), "{reserved}");
    drop(buffer);
    assert_eq!(budget.available(), all);
}

#[test]
fn a_message_that_does_not_fit_is_refused_immediately() {
    let budget = budget(128 * 1_024);
    assert_eq!(
        budget.buffer(MESSAGE_MAX + 1, 0).unwrap_err(),
        Refusal::TooLarge { limit: MESSAGE_MAX },
        "by its announced length"
    );
    assert!(budget.buffer(MESSAGE_MAX + 5, 5).is_ok(), "framing is not part of the message");
    let first = budget.buffer(MESSAGE_MAX, 0).unwrap();
    assert!(matches!(budget.buffer(MESSAGE_MAX, 0), Err(Refusal::Busy(_))));
    let mut small = budget.buffer(0, 0).unwrap();
    assert!(matches!(small.extend(&vec![0; 40_000]), Err(Refusal::Busy(_))), "growth is refused as well");
    drop(first);
    assert_eq!(small.extend(&vec![0; 40_000]), Ok(()));
}
