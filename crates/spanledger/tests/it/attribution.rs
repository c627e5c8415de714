use std::{fs, path::PathBuf, process::Command};

use spanledger::{Attributed, Error};

use spanledger_testkit::world::{World, attribution, chat_request};

#[tokio::test]
async fn a_billable_call_without_attribution_is_refused_and_not_sent() {
    let world = World::start().await;
    let error = world.client().chat().create(chat_request("hello")).await.unwrap_err();
    assert!(
        matches!(Error::of(&error), Some(Error::NoAttribution { path, .. }) if path == "/v1/chat/completions")
    );
    let text = error.to_string();
    let missing = "`feature`, `route`, `customer_id` and `environment` are missing";
    for words in [missing, ".attributed(", "/chat/completions"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(world.provider.requests().is_empty());
    assert!(world.events().await.is_empty());
}

/// Guarantees: a header that is not an attribution has its own error. The error "no attribution" would mislead
/// the user. The attribution of a scope is not used instead.
#[tokio::test]
async fn an_attribution_that_cannot_be_read_is_an_error_of_its_own() {
    use async_openai::traits::RequestOptionsBuilder as _;
    let world = World::start().await;
    let client = world.client();
    // The first two are not JSON, the third has a blank field.
    for value in ["?", "{}1", r#"{"feature":""}"#] {
        let group = client
            .chat()
            .attributed(&attribution("search"))
            .header("x-spanledger-attribution", value)
            .unwrap();
        let error = attribution("scope").scope(group.create(chat_request("hello"))).await.unwrap_err();
        assert!(matches!(Error::of(&error), Some(Error::UnreadableAttribution { .. })), "{error:?}");
        let text = error.to_string();
        for word in ["/chat/completions was not sent", "`x-spanledger-attribution` cannot be read"] {
            assert!(text.contains(word), "{word} is not in {text}");
        }
    }
    assert!(world.provider.requests().is_empty());
}

#[tokio::test]
async fn a_call_that_cannot_be_billed_needs_no_attribution() {
    let world = World::start().await;
    world.client().models().list().await.unwrap();
    assert_eq!(world.provider.requests().len(), 1);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_attribution_of_the_call_wins_over_the_scope_and_neither_is_sent_to_the_provider() {
    let world = World::start().await;
    let client = world.client();
    attribution("scope")
        .scope(async {
            client.chat().create(chat_request("one")).await.unwrap();
            client.chat().attributed(&attribution("site")).create(chat_request("two")).await.unwrap();
        })
        .await;
    let features: Vec<_> = world.events().await.into_iter().map(|event| event.feature.unwrap()).collect();
    assert_eq!(features, ["scope", "site"]);
    for request in world.provider.requests() {
        let names: Vec<_> = request.headers.keys().map(|name| name.as_str()).collect();
        assert!(!names.iter().any(|name| name.contains("spanledger") || *name == "baggage"), "{names:?}");
    }
}

#[tokio::test]
async fn the_users_own_headers_are_sent_and_baggage_is_not() {
    use async_openai::traits::RequestOptionsBuilder as _;
    let world = World::start().await;
    let client = world.client();
    let group = client.chat().header("x-mine", "1").unwrap().header("baggage", "tenant=acme").unwrap();
    group.attributed(&attribution("search")).create(chat_request("one")).await.unwrap();
    let request = &world.provider.requests()[0];
    assert_eq!((request.header("x-mine"), request.header("baggage")), (Some("1"), None));
    world.event().await;
}

#[tokio::test]
async fn every_field_of_the_attribution_is_on_the_event() {
    let world = World::start().await;
    let attribution = spanledger::Attribution::builder()
        .feature("search \"ünïcode\"")
        .route("cron:nightly")
        .customer_id("acme")
        .environment("test")
        .request_id("order-7")
        .batch_job_id("batch-1")
        .dim("team", "growth")
        .build()
        .unwrap();
    world.client().chat().attributed(&attribution).create(chat_request("one")).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.feature.as_deref(), Some("search \"ünïcode\""));
    assert_eq!(event.route.as_deref(), Some("cron:nightly"));
    assert_eq!(event.request_id.as_deref(), Some("order-7"));
    assert_eq!(event.batch_job_id.as_deref(), Some("batch-1"));
    assert_eq!(event.dims["team"], "growth");
    assert_eq!(event.service_name.as_deref(), Some("api"));
}

/// The source of a function that builds an attribution from these fields.
fn builds_with(fields: &[&str]) -> String {
    let calls: String = fields.iter().flat_map(|field| [".", field, "(\"x\")"]).collect();
    format!("pub fn built() {{ drop(spanledger::Attribution::builder(){calls}.build()); }}")
}

/// Compiles a crate that depends on `spanledger`, and returns what the compiler says.
fn compile(source: &str) -> String {
    let tests = std::env::current_exe().unwrap();
    let libraries = tests.parent().unwrap();
    let modified = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
    let library = fs::read_dir(libraries)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap_or_default();
            name.starts_with("libspanledger-")
                && path.extension().is_some_and(|extension| extension == "rlib")
        })
        .max_by_key(modified)
        .expect("Cargo has built the library for this test");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("user.rs");
    fs::write(&path, source).unwrap();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir"])
        .arg(folder.path())
        .arg(format!("-Ldependency={}", libraries.display()))
        .arg(format!("--extern=spanledger={}", library.display()))
        .arg(&path)
        .output()
        .unwrap();
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_compiler_names_the_field_that_a_builder_lacks() {
    let fields = ["feature", "route", "customer_id", "environment"];
    assert_eq!(compile(&builds_with(&fields)), "");
    for missing in fields {
        let given: Vec<&str> = fields.into_iter().filter(|field| *field != missing).collect();
        let said = compile(&builds_with(&given));
        assert!(said.contains(&format!("error[E0277]: the attribution has no `{missing}`")), "{said}");
        assert!(said.contains(&format!("call `.{missing}(…)` before `.build()`")), "{said}");
    }
}

/// Guarantees: the README names the version of `async-openai` on which the crate depends.
#[test]
fn the_readme_names_the_version_of_async_openai_that_the_crate_uses() {
    let manifest = include_str!("../../../../Cargo.toml");
    let (_, version) = manifest.split_once("async-openai = { version = \"").unwrap();
    let version: Vec<&str> = version.split('"').next().unwrap().split('.').take(2).collect();
    let version = version.join(".");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("**`async-openai` {version}**")), "{version}");
    assert!(readme.contains(&format!("async-openai = {{ version = \"{version}\"")), "{version}");
}
