use super::*;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_check_of_a_new_ledger_leaves_the_folder_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let others =
        ["spanledger.check", "spanledger.check-shm", "spanledger.check-wal", "spanledger.check.lock"];
    for name in others {
        fs::write(folder.path().join(name), "of another program").unwrap();
    }
    let finding = check(&folder.path().join("spanledger.db"));
    assert!(finding.unwrap().contains("will be created"));
    assert_eq!(names(folder.path()), others);
}

#[test]
fn a_ledger_in_a_folder_that_does_not_exist_is_a_finding_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let finding = check(&folder.path().join("no/such/spanledger.db")).unwrap_err();
    assert!(finding.contains("check that its folder exists"), "{finding}");
}
