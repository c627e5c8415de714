//! How much is written and kept, with many keys.

use std::{
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use super::*;

/// The keys of an observation: four or five, alternately, of which one is shared with a later observation.
fn keys_of(seq: u64) -> impl Iterator<Item = u64> {
    let keys = 4 + seq % 2;
    (0..keys).map(move |index| key(if index == 0 { seq / 2 * 8 } else { seq * 8 + index }))
}

fn file(folder: &Path) -> Connection {
    let file = Connection::open(folder.join("keys.db")).unwrap();
    file.execute_batch(DDL).unwrap();
    file.pragma_update(None, "journal_mode", "WAL").unwrap();
    file.pragma_update(None, "synchronous", "OFF").unwrap();
    file
}

#[test]
fn work_is_proportional_to_the_observations_and_runs_stay_few() {
    let file = connection();
    let limits = Limits { freeze: 2_000, page_bytes: 500, fan_out: 4, slice: 500 };
    let mut index = KeyIndex::open_with(&file, limits).unwrap();
    let (mut seq, mut most_pages, mut most_runs, mut most_pages_kept) = (0, 0, 0, 0);
    while seq < 40_000 {
        for _ in 0..100 {
            seq += 1;
            keys_of(seq).for_each(|key| index.insert(key, seq));
        }
        let before = index.stats();
        maintain(&mut index, &file, 100);
        let stats = index.stats();
        most_pages = most_pages.max(stats.pages_written - before.pages_written);
        most_runs = most_runs.max(stats.runs);
        most_pages_kept = most_pages_kept.max(count(&file, "key_page"));
        assert!(stats.keys_in_memory < 3 * 2_000, "{stats:?}");
    }
    let stats = index.stats();
    // A page has about 70 entries. Five levels at the most: 100 × 5 keys × 5 levels × 2, and a slice that waited.
    assert!(most_pages < 85, "{most_pages} pages in one call");
    assert!(most_runs <= 4 * 7, "{most_runs} runs");
    let needed = 40_000 * 9 / 2 / 70;
    assert!(most_pages_kept < needed * 5 / 2, "{most_pages_kept} pages for {needed}");
    let written = stats.bytes_written / 40_000;
    assert!(written < 5 * 5 * 8, "{written} bytes written for an observation");
    for seq in (1..=40_000).step_by(997) {
        for key in keys_of(seq) {
            assert!(index.find(&file, key, 9).unwrap().contains(&seq));
        }
    }
}

/// Bytes handed to the system by this process, where the system says so.
fn written_by_process() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("wchar: "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// What this thread has computed so far, other processes' turns not included; the clock where the system does not
/// say it.
struct Stopwatch(Instant);

impl Stopwatch {
    fn now(&self) -> Duration {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
        nanos.map_or_else(|| self.0.elapsed(), Duration::from_nanos)
    }

    fn time<T>(&self, work: impl FnOnce() -> T) -> (Duration, T) {
        let begin = self.now();
        let result = work();
        (self.now().saturating_sub(begin), result)
    }
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

fn say_times(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 1000];
    say(&format!(
        "{what}: p10 {:?}, p50 {:?}, p99 {:?}, p99.9 {:?}, max {:?}",
        at(100),
        at(500),
        at(990),
        at(999),
        at(1000)
    ));
}

/// Prints the figures of a large index. Run it with `cargo test --release -p spanledger-ledger volume -- --ignored
/// --nocapture`; `OBSERVATIONS` and `GROUP` choose how many there are, and how many for each commit.
#[test]
#[ignore = "takes a minute and some hundred megabytes; it prints figures"]
fn figures_of_a_large_index() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (observations, group) = (number("OBSERVATIONS", 10_000_000), number("GROUP", 4_000));
    let folder = tempfile::tempdir().unwrap();
    let file = file(folder.path());
    let mut limits = Limits::DEFAULT;
    limits.fan_out = usize::try_from(number("FAN_OUT", 4)).unwrap();
    let mut index = KeyIndex::open_with(&file, limits.clone()).unwrap();
    let (mut inserting, mut maintaining, mut keys) = (Duration::ZERO, Vec::new(), 0_u64);
    let (mut looking, mut computing) = (Duration::ZERO, Duration::ZERO);
    let mut most_runs = 0;
    let mut passed = 0_u64;
    let mut most_memory = 0;
    let written = written_by_process();
    let watch = Stopwatch(Instant::now());
    let mut seq = 0;
    while seq < observations {
        let all: Vec<(u64, u64)> =
            (seq + 1..=seq + group).flat_map(|seq| keys_of(seq).map(move |key| (key, seq))).collect();
        let (time, count) = watch.time(|| all.iter().filter(|(key, _)| index.may_contain(*key)).count());
        looking += time;
        passed += count as u64;
        inserting += watch.time(|| all.iter().for_each(|(key, seq)| index.insert(*key, *seq))).0;
        keys += all.len() as u64;
        seq += group;
        let transaction = file.unchecked_transaction().unwrap();
        let begin = Instant::now();
        let (time, done) = watch.time(|| index.maintain(&transaction, usize::try_from(group).unwrap()));
        done.unwrap();
        computing += time;
        maintaining.push(begin.elapsed());
        transaction.commit().unwrap();
        let stats = index.stats();
        most_runs = most_runs.max(stats.runs);
        most_memory = most_memory.max(stats.memory_bytes);
    }
    let written = written_by_process() - written;
    let stats = index.stats();
    say(&format!("{observations} observations, {keys} keys, {stats:?}"));
    say(&format!("at most {most_runs} runs, {most_memory} bytes of memory"));
    let each = |time: Duration, count: u64| time.as_nanos() / u128::from(count);
    say(&format!(
        "look-up of a fresh key while it grows: {} ns, {passed} may be present",
        each(looking, keys)
    ));
    say(&format!("insertion: {} ns for a key", each(inserting, keys)));
    say(&format!("maintain: {} ns for an observation", each(computing, observations)));
    say_times("maintain", maintaining);
    say(&format!(
        "written: {} bytes for an observation, {} of them pages' own bytes (once)",
        written / observations,
        stats.bytes_written / observations
    ));
    let size: i64 =
        file.query_row("SELECT sum(length(entries)) FROM key_page", [], |row| row.get(0)).unwrap();
    let pragma = |name| file.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    say(&format!(
        "entries: {} bytes; file: {} bytes, of which free {}",
        size,
        pragma("page_count") * 4096,
        pragma("freelist_count") * 4096
    ));

    let absent: Vec<u64> = (0..2_000_000).map(|number| key(u64::MAX / 2 + number)).collect();
    // Short pieces by the clock: most of them are not interrupted by other processes.
    let (mut times, mut wrong) = (Vec::new(), 0);
    for piece in absent.chunks(1_000) {
        let begin = Instant::now();
        wrong += piece.iter().filter(|key| index.may_contain(**key)).count();
        times.push(begin.elapsed());
    }
    say_times("1,000 absent keys", times);
    say(&format!("{wrong} of {} absent keys may be present", absent.len()));
    let find = |key: &u64| index.find(&file, *key, 300).unwrap().len();
    let (time, equal) = watch.time(|| absent[..200_000].iter().map(find).sum::<usize>());
    say(&format!("absent key, `find`: {} ns; {equal} agree with another key", each(time, 200_000)));
    let mut times = Vec::new();
    for seq in (1..=observations).step_by(usize::try_from(observations / 1000).unwrap()) {
        for key in keys_of(seq).skip(1) {
            let begin = Instant::now();
            let found = index.find(&file, key, 300).unwrap();
            times.push(begin.elapsed());
            assert!(found.contains(&seq));
        }
    }
    say_times("present key of any age", times);
    let (time, found) = watch.time(|| find_on_disk(&file, key(9), 300));
    say(&format!("find_on_disk: {time:?}, {found:?}"));
    let (time, index) = watch.time(|| KeyIndex::open_with(&file, limits).unwrap());
    say(&format!("open: {time:?}, {:?}", index.stats()));
    assert!(index.stats().pages * 4096 / index.stats().keys_in_runs < 9);
    assert!(written == 0 || written / observations < 300);
}
