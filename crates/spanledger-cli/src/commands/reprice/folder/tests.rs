use super::*;

#[test]
fn a_folder_that_was_left_is_removed_by_the_next_preview_and_one_in_use_is_not() {
    let parent = tempfile::tempdir().unwrap();
    let left = parent.path().join(format!("{PREFIX}left"));
    let used = parent.path().join(format!("{PREFIX}used"));
    let other = parent.path().join("other");
    for folder in [&left, &used, &other] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join(LOCK), "").unwrap();
    }
    let lock = File::open(used.join(LOCK)).unwrap();
    lock.try_lock().unwrap();
    let folder = PreviewFolder::create(parent.path()).unwrap();
    assert!(!left.exists() && used.exists() && other.exists() && folder.path().exists());
    let path = folder.path().to_owned();
    drop(folder);
    assert!(!path.exists());
}
