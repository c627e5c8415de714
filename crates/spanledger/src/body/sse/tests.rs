use proptest::prelude::*;

use super::*;

fn split(chunks: &[&[u8]]) -> (Vec<Bytes>, Bytes) {
    let mut splitter = Splitter::default();
    let mut events = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next() {
            events.push(event);
        }
    }
    (events, splitter.end())
}

fn joined(events: &[Bytes], rest: &Bytes) -> Vec<u8> {
    [events.concat(), rest.to_vec()].concat()
}

fn payloads(events: &[Bytes]) -> Vec<Vec<u8>> {
    events.iter().map(|event| data(event).into_owned()).filter(|data| !data.is_empty()).collect()
}

#[test]
fn events_do_not_depend_on_where_the_chunks_break() {
    let stream = b"data: {\"a\":1}\n\nevent: x\r\ndata: one\r\ndata:two\r\n\r\n: comment\r\rdata: [DONE]\n\n";
    let (whole, rest) = split(&[stream]);
    assert_eq!(whole.len(), 4);
    assert!(rest.is_empty());
    assert_eq!(whole.concat(), stream);
    assert_eq!(name(&whole[1]), Some(&b"x"[..]));
    assert_eq!(&*data(&whole[1]), b"one\ntwo");
    for size in 1..stream.len() {
        let chunks: Vec<&[u8]> = stream.chunks(size).collect();
        let (events, rest) = split(&chunks);
        assert_eq!(joined(&events, &rest), stream, "nothing is lost");
        assert_eq!(payloads(&events), payloads(&whole), "chunks of {size}");
    }
}

#[test]
fn an_event_without_its_blank_line_is_the_rest_of_the_stream() {
    let (events, rest) = split(&[b"data: {}\n\nda", b"ta: {\"x\""]);
    assert_eq!((events.len(), &*rest), (1, &b"data: {\"x\""[..]));
}

#[test]
fn an_event_that_is_whole_in_its_chunk_is_not_copied() {
    let chunk = Bytes::from_static(b"data: one\n\ndata: two\n\n");
    let mut splitter = Splitter::default();
    splitter.push(chunk.clone());
    let (first, second) = (splitter.next().unwrap(), splitter.next().unwrap());
    assert_eq!((first.as_ptr(), second.as_ptr()), (chunk.as_ptr(), chunk[11..].as_ptr()));
}

/// Guarantees: the search goes on where it stopped. A search from the start at each chunk takes time that is
/// quadratic in the size of the event.
#[test]
fn a_large_event_is_searched_once() {
    let mut splitter = Splitter::default();
    let chunk = Bytes::from(vec![b'x'; 1 << 14]);
    for count in 1..=256 {
        splitter.push(chunk.clone());
        assert_eq!(splitter.next(), None);
        assert_eq!(splitter.searched, count << 14);
    }
    splitter.push(Bytes::from_static(b"\n\n"));
    assert_eq!(splitter.next().map(|event| event.len()), Some((256 << 14) + 2));
}

#[test]
fn an_endless_event_is_passed_on_in_parts() {
    let mut splitter = Splitter::default();
    let chunk = Bytes::from(vec![b'x'; 1 << 20]);
    let passed: usize = (0..20)
        .map(|_| {
            splitter.push(chunk.clone());
            splitter.next().map_or(0, |part| part.len())
        })
        .sum();
    assert_eq!(passed, EVENT_BYTES_MAX + (1 << 20));
}

#[test]
fn only_a_field_with_a_value_counts() {
    let finder = memmem::Finder::new("\"usage\"");
    for (event, expected) in [
        (r#"{"usage":{"total_tokens":1}}"#, true),
        (r#"{"usage" : {}}"#, true),
        (r#"{"usage":null}"#, false),
        (r#"{"usage": null,"x":{"usage":1}}"#, true),
        (r#"{"content":"\"usage\":{}"}"#, false),
        (r#"{"content":"usage"}"#, false),
        (r#"["usage"]"#, false),
    ] {
        assert_eq!(has_field(event.as_bytes(), &finder), expected, "{event}");
    }
}

proptest! {
    #[test]
    fn bytes_out_are_bytes_in_for_any_bytes_and_any_chunks(
        bytes in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
        sizes in prop::collection::vec(1_usize..20, 1..50),
    ) {
        let mut chunks = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.into_iter().cycle() {
            if rest.is_empty() { break; }
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            chunks.push(chunk);
            rest = after;
        }
        let (events, end) = split(&chunks);
        prop_assert_eq!(joined(&events, &end), bytes.clone());
        let (whole, _) = split(&[&bytes]);
        prop_assert_eq!(payloads(&events), payloads(&whole));
    }
}
