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

    /// As an editor does: a new file takes the place of the old one.
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

/// What the metrics say: attempts that gave a book, those that did not, and how the last one went.
fn counts(watch: &PriceWatch) -> (u64, u64, bool) {
    let reloads = watch.prices.reloads();
    (reloads.ok, reloads.failed, reloads.last_is_ok)
}

fn version(watch: &PriceWatch) -> String {
    watch.prices.current().version().to_owned()
}

#[tokio::test]
async fn a_change_is_read_when_it_has_stood_still_for_a_look() {
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
    assert_eq!(version(&watch), first, "it was");
    watch.look().await;
    let second = version(&watch);
    assert_ne!(second, first);
    assert_eq!(counts(&watch), (1, 0, true));
    watch.look().await;
    assert_eq!(counts(&watch), (1, 0, true), "it is read once");

    // In place, with as many bytes.
    fs::write(folder.path(), discount("'10'")).unwrap();
    watch.reload().await;
    assert_eq!(version(&watch), first, "the same content has the same version");
}

/// A file that is there and cannot be read, though it has not changed since, is tried again; one that
/// was read and is wrong is not.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_could_not_be_read_is_tried_again() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    let good = version(&watch);
    // It is a file by all that is said of it, and reading its beginning is an error.
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
    assert_eq!(counts(&watch).1, failed + 1, "what is wrong is read once");
    folder.write(&discount("'20'"));
    for _ in 0..2 {
        watch.look().await;
    }
    assert_eq!((counts(&watch).0, version(&watch) != good), (1, true));
}

#[tokio::test]
async fn a_bad_change_keeps_the_last_good_book() {
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

#[test]
fn every_mistake_of_every_file_is_named() {
    let folder = Folder::new();
    let at = |name: &str| folder.0.path().join(name);
    fs::write(at("a.toml"), discount("10") + "colour = 'red'\n").unwrap();
    fs::write(at("b.toml"), b"# one\n# \xff\n").unwrap();
    fs::write(at("large.toml"), vec![b'#'; usize::try_from(FILE_BYTES_MAX).unwrap() + 1]).unwrap();
    let names = ["a.toml", "b.toml", "none.toml", "", "large.toml"];
    let error = PriceFiles::new(names.map(at)).read().unwrap_err();
    let text = error.to_string().replace(&format!("{}/", folder.0.path().display()), "");
    for part in [
        "the files of prices have 6 mistakes\n",
        "\n  a.toml:6: `percent` is a bare number",
        "\n  a.toml:9: unknown key `colour`",
        "\n  b.toml:2: is not UTF-8",
        "\n  none.toml: cannot be read: No such file",
        "\n  : is not a file",
        "\n  large.toml: is larger than",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn without_files_the_built_in_book_is_in_force_by_its_own_version() {
    let book = PriceFiles::default().read().unwrap();
    assert_eq!(book.version(), PriceBook::builtin().version());
}

/// `run` reads at once when it is told to; no look would come in the time of this test.
#[tokio::test]
async fn an_order_is_followed_at_once() {
    let folder = Folder::new();
    folder.write(&discount("'10'"));
    let mut watch = folder.watch();
    watch.interval = Duration::from_hours(1);
    let prices = watch.prices().clone();
    let order = Arc::new(Notify::new());
    let running = tokio::spawn(watch.run(Arc::clone(&order)));
    folder.write(&discount("'20'"));
    order.notify_one();
    let followed = async {
        while prices.reloads().ok == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), followed).await.unwrap();
    running.abort();
}
