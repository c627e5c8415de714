use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
struct Options {
    password: Secret,
}

fn secret(toml: &str) -> Result<Secret, String> {
    toml::from_str::<Options>(toml)
        .map(|options| options.password)
        .map_err(|error| error.message().to_owned())
}

#[test]
fn a_secret_is_a_text_a_variable_or_a_file() {
    assert_eq!(secret("password = 'hunter2'").unwrap().read().unwrap(), "hunter2");
    let path = env::var("PATH").unwrap();
    assert_eq!(secret("password = { env = 'PATH' }").unwrap().read().unwrap(), path);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "from a file\n").unwrap();
    let of_file = secret(&format!("password = {{ file = '{}' }}", file.display())).unwrap();
    assert_eq!(of_file.read().unwrap(), "from a file");
    fs::write(&file, "replaced").unwrap();
    assert_eq!(of_file.read().unwrap(), "replaced");
}

#[test]
fn an_absent_secret_says_where_it_was_expected() {
    let variable = secret("password = { env = 'SPANLEDGER_NO_SUCH_VARIABLE' }").unwrap().read().unwrap_err();
    assert!(variable.to_string().contains("`SPANLEDGER_NO_SUCH_VARIABLE`"), "{variable}");
    let file = secret("password = { file = '/no/such/file' }").unwrap().read().unwrap_err();
    assert!(file.to_string().contains("/no/such/file"), "{file}");
    let error = secret("password = { vault = 'x' }").unwrap_err();
    assert!(error.contains("env") && error.contains("file"), "{error}");
}

#[test]
fn a_secret_is_not_shown() {
    assert!(!format!("{:?}", Secret::new("hunter2")).contains("hunter2"));
}
