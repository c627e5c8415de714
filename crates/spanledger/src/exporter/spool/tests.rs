use super::*;

fn added(records: &[(u64, &str)]) -> Changes {
    let added = records.iter().map(|(number, text)| (*number, text.as_bytes().to_vec())).collect();
    Changes { added, ..Changes::default() }
}

fn all(spool: &Spool) -> Vec<(u64, String)> {
    let text = |(number, bytes)| (number, String::from_utf8(bytes).unwrap());
    spool.load(0, u64::MAX, usize::MAX, usize::MAX).unwrap().into_iter().map(text).collect()
}

fn of(records: &[(u64, &str)]) -> Vec<(u64, String)> {
    records.iter().map(|(number, text)| (*number, (*text).to_owned())).collect()
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    spool.commit(&added(&[(0, "a"), (1, "b"), (2, "c")])).unwrap();
    spool.commit(&Changes { settled: vec![1, 77], ..added(&[(3, "d")]) }).unwrap();
    drop(spool);
    let spool = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&spool), of(&[(0, "a"), (2, "c"), (3, "d")]));
    assert_eq!(spool.numbers().unwrap(), Some((0, 3)));
    assert_eq!(spool.load(1, 3, 1, usize::MAX).unwrap().len(), 1);
    assert_eq!(spool.load(0, 3, 9, 2).unwrap().len(), 2);
    assert!(spool.bytes().unwrap() > 0);
}

#[test]
fn an_intent_without_its_record_becomes_a_record() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path()).unwrap();
    let intent = |n: u64, text: &str| (n, text.as_bytes().to_vec());
    spool.commit(&Changes { intents: vec![intent(1, "x"), intent(2, "y")], ..Changes::default() }).unwrap();
    spool.commit(&Changes { ended: vec![1], ..added(&[(0, "x ended")]) }).unwrap();
    drop(spool);
    for _ in 0..2 {
        let spool = Spool::open(folder.path()).unwrap();
        assert_eq!(all(&spool), of(&[(0, "x ended"), (1, "y")]));
    }
}

#[test]
fn two_processes_have_a_file_each_and_the_next_takes_over_what_they_left() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (Spool::open(folder.path()).unwrap(), Spool::open(folder.path()).unwrap());
    first.commit(&added(&[(0, "a")])).unwrap();
    second.commit(&added(&[(0, "b")])).unwrap();
    let third = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&third), []);
    assert_eq!(files(folder.path()).unwrap().len(), 3);
    drop((second, third));
    // The first one is still open, so its record is left alone.
    let fourth = Spool::open(folder.path()).unwrap();
    assert_eq!(all(&fourth), of(&[(0, "b")]));
    assert_eq!(all(&first), of(&[(0, "a")]));
    assert_eq!(files(folder.path()).unwrap().len(), 2);
}

#[test]
fn a_damaged_file_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    drop(Spool::open(folder.path()).unwrap());
    let path = files(folder.path()).unwrap().remove(0);
    for damage in [&b"not a store"[..], &[0; 100_000]] {
        fs::write(&path, damage).unwrap();
        let spool = Spool::open(folder.path()).unwrap();
        spool.commit(&added(&[(0, "a")])).unwrap();
        drop(spool);
        assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), damage);
    }
}
