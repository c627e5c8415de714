use std::path::PathBuf;

use spanledger_price::PriceBook;
use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("prices.toml")
    }

    /// Replaces the file as an editor does: a new file takes the place of the old one.
    fn write(&self, text: &str) {
        let other = self.0.path().join("prices.toml~");
        fs::write(&other, text).unwrap();
        fs::rename(other, self.path()).unwrap();
    }

    fn watch(&self) -> PriceWatch {
        PriceWatch::start(PriceFiles::new([self.path()])).unwrap()
    }
}

fn discount(percent: &str) -> String {
    format!(
        "[provider]\nname = 'openai'\n[sources]\ncontract = 'ours'\n[[discount]]\npercent = {percent}\n\
         sources = ['contract']\nprices_checked = 2026-01-05\n"
    )
}

/// The reloads that the metrics show: successful ones, failed ones, and whether the last one succeeded.
fn counts(watch: &PriceWatch) -> (u64, u64, bool) {
    let reloads = watch.prices.reloads();
    (reloads.ok, reloads.failed, reloads.last_is_ok)
}

fn version(watch: &PriceWatch) -> String {
    watch.prices.current().version().to_owned()
}

#[tokio::test]
async fn a_change_is_read_when_two_looks_find_the_same_metadata() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    let first = version(&watch);
    assert_ne!(first, PriceBook::builtin().version());
    watch.look().await;
    assert_eq!(counts(&watch), (0, 0, true), "nothing has changed");

    folder.write(&discount("'20'"));
    watch.look().await;
    assert_eq!(version(&watch), first, "it may still be written");
    folder.write(&discount("'25'"));
    watch.look().await;
    assert_eq!(version(&watch), first, "it was still written");
    watch.look().await;
    let second = version(&watch);
    assert_ne!(second, first);
    assert_eq!(counts(&watch), (1, 0, true));
    watch.look().await;
    assert_eq!(counts(&watch), (1, 0, true), "it is read once");

    // Written in place, with as many bytes.
    fs::write(folder.path(), discount("'10'")).unwrap();
    watch.reload().await;
    assert_eq!(version(&watch), first, "the same content has the same version");
}

/// Guarantees: a file that exists but cannot be read is read again, although it has not changed. A file that
/// was read and has mistakes is not read again until it changes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_could_not_be_read_is_tried_again() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    let good = version(&watch);
    // By its metadata this is a file, but reading its first byte is an error.
    fs::remove_file(folder.path()).unwrap();
    std::os::unix::fs::symlink("/proc/self/mem", folder.path()).unwrap();
    for _ in 0..50 {
        watch.look().await;
        if counts(&watch).1 == 2 {
            break;
        }
    }
    let (ok, failed, last_is_ok) = counts(&watch);
    assert_eq!((ok, failed, last_is_ok), (0, 2, false));
    assert_eq!(version(&watch), good);

    folder.write("wrong");
    for _ in 0..4 {
        watch.look().await;
    }
    assert_eq!(counts(&watch).1, failed + 1, "a file with mistakes is read once");
    folder.write(&discount("'20'"));
    for _ in 0..2 {
        watch.look().await;
    }
    assert_eq!((counts(&watch).0, version(&watch) != good), (1, true));
}

#[tokio::test]
async fn a_change_with_mistakes_keeps_the_last_good_book() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    let good = version(&watch);

    folder.write(&discount("10"));
    watch.look().await;
    watch.look().await;
    assert_eq!((version(&watch), counts(&watch)), (good.clone(), (0, 1, false)));
    let place = format!("{}:6: `percent` is a bare number", folder.path().display());
    let logged = watch.logged.clone().unwrap();
    assert!(logged.mistakes[0].starts_with(&place), "{logged}");

    fs::remove_file(folder.path()).unwrap();
    watch.look().await;
    watch.look().await;
    assert_eq!((version(&watch), counts(&watch)), (good.clone(), (0, 2, false)));
    assert!(watch.logged.as_ref().unwrap().mistakes[0].contains("cannot be read"));
    watch.look().await;
    assert_eq!(counts(&watch), (0, 2, false), "it is tried again when it has changed");

    folder.write(&discount("'10'"));
    watch.look().await;
    watch.look().await;
    assert_eq!((version(&watch), counts(&watch)), (good, (1, 2, true)));
    assert_eq!(watch.logged, None);
}

/// Guarantees: a requested reload happens at once. The interval of this test is so long that no check runs.
#[tokio::test]
async fn a_requested_reload_happens_at_once() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    watch.interval = Duration::from_hours(1);
    let prices = watch.prices().clone();
    let order = watch.reload_handle();
    let running = tokio::spawn(watch.run());
    folder.write(&discount("'20'"));
    order.reload();
    let reloaded = async {
        while prices.reloads().ok == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), reloaded).await.unwrap();
    running.abort();
}
