use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failed_demo_removes_only_the_files_that_it_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Cargo");
    let foreign = folder.path().join("Cargo.lock");
    fs::write(&foreign, "version = 4").unwrap();

    drop(DemoLedger::new(Some(path.clone())).unwrap());
    assert_eq!(names(folder.path()), ["Cargo.lock"], "no ledger was created");

    let mut demo = DemoLedger::new(Some(path.clone())).unwrap();
    drop(demo.open().unwrap());
    assert!(path.exists());
    drop(demo);
    assert_eq!(names(folder.path()), ["Cargo.lock"]);
    assert_eq!(fs::read_to_string(foreign).unwrap(), "version = 4");

    let other = folder.path().join("other.db");
    let mut demo = DemoLedger::new(Some(other.clone())).unwrap();
    drop(demo.open().unwrap());
    drop(demo);
    assert_eq!(names(folder.path()), ["Cargo.lock"], "its own lock file is removed too");
}

#[test]
fn a_demo_that_succeeds_keeps_its_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("demo.db");
    let mut demo = DemoLedger::new(Some(path.clone())).unwrap();
    drop(demo.open().unwrap());
    assert_eq!(demo.keep(), path);
    assert!(path.exists());
}
