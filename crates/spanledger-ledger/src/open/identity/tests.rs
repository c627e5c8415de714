use super::*;

#[test]
fn a_deleted_or_replaced_file_is_noticed_and_so_is_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    fs::write(&path, "").unwrap();
    for suffix in COMPANIONS {
        fs::write(beside(&path, suffix), "").unwrap();
    }
    let identity = FileIdentity::of(&path).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let (file, away) = (beside(&path, suffix), folder.path().join("away"));
        assert!(identity.check().is_ok());
        fs::rename(&file, &away).unwrap();
        assert!(matches!(identity.check(), Err(LedgerError::Deleted { path }) if path == file));
        fs::write(&file, "").unwrap();
        assert!(matches!(identity.check(), Err(LedgerError::Replaced { path }) if path == file));
        fs::rename(&away, &file).unwrap();
    }
    assert!(identity.check().is_ok());
}
