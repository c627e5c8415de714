use proptest::prelude::*;

use super::*;
use crate::keys::page::{Page, PageWriter, page_id};

fn manifest(first_seq: u64, last_seq: u64) -> Manifest {
    Manifest { id: 3, level: 0, first_seq, last_seq, pages: 1, entries: 1 }
}

fn entries() -> impl Strategy<Value = Vec<Entry>> {
    let hash = prop_oneof![0..4_u64, 0..1_u64 << HASH_BITS, Just((1 << HASH_BITS) - 1)];
    let entry = (hash, 100..100_000_u64).prop_map(|(hash, seq)| Entry { hash, seq });
    prop::collection::vec(entry, 1..50).prop_map(|mut entries| {
        entries.sort_unstable();
        entries
    })
}

fn written(entries: &[Entry], run: &Manifest) -> Vec<u8> {
    let mut page = PageWriter::default();
    page.begin();
    for entry in entries {
        page.push(*entry, run);
    }
    page.finish(page_id(run.id, 0)).to_vec()
}

proptest! {
    #[test]
    fn a_page_is_read_as_it_was_written(entries in entries()) {
        let run = manifest(entries.iter().map(|entry| entry.seq).min().unwrap(), 100_000);
        let bytes = written(&entries, &run);
        let page = Page::new(&bytes, &run, 0).unwrap();
        prop_assert_eq!(page.first_hash(), entries[0].hash);
        prop_assert_eq!(page.collect::<Result<Vec<_>, _>>().unwrap(), entries);
    }

    #[test]
    fn a_changed_bit_is_noticed(entries in entries(), at: prop::sample::Index, bit in 0..8_u32) {
        let run = manifest(100, 100_000);
        let mut bytes = written(&entries, &run);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Page::new(&bytes, &run, 0).is_err());
    }

    #[test]
    fn any_bytes_can_be_read(bytes: Vec<u8>, first: u64, span: u64) {
        let run = manifest(first, first.saturating_add(span));
        if let Ok(page) = Page::unchecked(&bytes, &run) {
            let mut last = 0;
            for entry in page.flatten() {
                prop_assert!(entry.hash >= last && entry.hash < 1 << HASH_BITS);
                prop_assert!((run.first_seq..=run.last_seq).contains(&entry.seq));
                last = entry.hash;
            }
        }
        prop_assert!(Page::new(&bytes, &run, 0).is_err());
    }
}

#[test]
fn a_page_is_not_that_of_another_place() {
    let run = manifest(1, 9);
    let bytes = written(&[Entry { hash: 5, seq: 2 }], &run);
    assert!(Page::new(&bytes, &run, 0).is_ok());
    assert!(Page::new(&bytes, &run, 1).is_err());
    assert!(Page::new(&bytes, &Manifest { id: 4, ..run }, 0).is_err());
}

#[test]
fn a_number_outside_of_the_run_is_refused() {
    let bytes = written(&[Entry { hash: 5, seq: 9 }], &manifest(1, 9));
    let mut page = Page::unchecked(&bytes[4..], &manifest(1, 8)).unwrap();
    assert_eq!(page.next(), Some(Err("a number lies outside of its run")));
    assert_eq!(page.next(), None);
}

#[test]
fn a_full_page_fits_a_page_of_sqlite() {
    let file = Connection::open_in_memory().unwrap();
    file.execute_batch(DDL).unwrap();
    let mut index = KeyIndex::open_with(&file, Limits { freeze: 20_000, ..Limits::DEFAULT }).unwrap();
    for number in 0..20_000 {
        index.insert(key(number), number + 1);
    }
    maintain(&mut index, &file, 1_000_000);
    maintain(&mut index, &file, 1_000_000);
    maintain(&mut index, &file, 0);
    let pages = index.stats().pages;
    assert!(pages > 20);
    // One page more than there are rows for the root, one for the manifest, one for the schema.
    let all: i64 = file.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    assert_eq!(all.cast_unsigned(), pages + 3);
}
