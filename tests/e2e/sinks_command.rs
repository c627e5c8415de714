//! `spanledger sinks`, beside a running `serve` and without it.

use std::{fs, path::PathBuf, process::Output};

use spanledger_event::CostEvent;

use crate::support::{Serve, post_call, run};

/// A configuration with a file, and with a file whose folder is missing.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        let config = format!(
            "[sinks.audit]\nkind = 'file'\npath = '{}'\n[sinks.lost]\nkind = 'file'\npath = '{}'\n",
            world.path("audit.jsonl").display(),
            world.path("missing/lost.jsonl").display(),
        );
        fs::write(world.path("spanledger.toml"), config).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn serve(&self, calls: std::ops::Range<u64>) -> Serve {
        let config = self.path("spanledger.toml");
        let serve = Serve::start(&self.path("ledger.db"), &["--config", config.to_str().unwrap()]);
        let client = reqwest::Client::new();
        for number in calls {
            assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", number, 5).await.unwrap(), 200);
        }
        serve
    }

    /// Runs a command with the configuration and the ledger.
    fn configured(&self, arguments: &[&str], serve: Option<&Serve>) -> Output {
        let (config, ledger) = (self.path("spanledger.toml"), self.path("ledger.db"));
        let admin = serve.map(|serve| serve.admin.to_string());
        let mut all = vec!["sinks"];
        all.extend(arguments);
        all.extend(["--ledger", ledger.to_str().unwrap(), "--config", config.to_str().unwrap()]);
        if let Some(admin) = &admin {
            all.extend(["--admin-addr", admin]);
        }
        run(&all)
    }

    fn status(&self, serve: Option<&Serve>) -> serde_json::Value {
        let ledger = self.path("ledger.db");
        let admin = serve.map_or_else(|| "127.0.0.1:9".to_owned(), |serve| serve.admin.to_string());
        let all = [
            "sinks",
            "status",
            "--ledger",
            ledger.to_str().unwrap(),
            "--admin-addr",
            &admin,
            "--format",
            "json",
        ];
        let output = run(&all);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The events in the file of the sink `audit`.
    fn audited(&self) -> Vec<CostEvent> {
        let text = fs::read_to_string(self.path("audit.jsonl")).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Waits until the status fulfills a condition.
fn wait_until(world: &World, serve: &Serve, is_so: impl Fn(&serde_json::Value) -> bool) {
    let until = std::time::Instant::now() + crate::support::TIMEOUT;
    loop {
        let status = world.status(Some(serve));
        if is_so(&status) {
            return;
        }
        assert!(std::time::Instant::now() < until, "{status:#}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Guarantees: a sink that is blocked neither delays another sink nor the end of the program. Its status names the
/// remedy, and it goes on after the remedy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocked_sink_says_what_to_do_and_goes_on_after_that() {
    let world = World::new();
    let serve = world.serve(0..10).await;
    wait_until(&world, &serve, |status| {
        status[0]["delivered"] == 10 && status[1]["state"] == "blocked" && status[1]["behind"] == 10
    });
    let status = world.status(Some(&serve));
    let error = status[1]["last_error"].as_str().unwrap();
    assert!(error.contains("create the folder"), "{error}");

    fs::create_dir(world.path("missing")).unwrap();
    let (ledger, admin) = (world.path("ledger.db"), serve.admin.to_string());
    let retried = run(&[
        "sinks",
        "status",
        "--retry-now",
        "--ledger",
        ledger.to_str().unwrap(),
        "--admin-addr",
        &admin,
    ]);
    assert!(retried.status.success(), "{retried:?}");
    wait_until(&world, &serve, |status| status[1]["delivered"] == 10 && status[1]["state"] == "delivering");
    serve.stop();
    assert_eq!(world.audited().len(), 10);
    let lines = fs::read_to_string(world.path("missing/lost.jsonl")).unwrap();
    assert_eq!(lines.lines().filter(|line| !line.is_empty()).count(), 10);
    let status = world.status(None);
    assert_eq!((&status[0]["behind"], &status[1]["behind"]), (&0.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_sends_history_again_beside_serve_and_without_it() {
    let world = World::new();
    let serve = world.serve(0..10).await;
    wait_until(&world, &serve, |status| status[0]["delivered"] == 10);
    let replayed = world.configured(&["replay", "audit"], Some(&serve));
    assert!(replayed.status.success(), "{replayed:?}");
    assert_eq!(text(&replayed.stdout), "10 events were sent to the sink audit again\n");
    serve.stop();
    assert_eq!(world.audited().len(), 20);

    let nothing = world.configured(&["replay", "audit", "--where", "feature=none"], None);
    assert_eq!(text(&nothing.stdout), "0 events were sent to the sink audit again\n", "{nothing:?}");
    let again =
        world.configured(&["replay", "audit", "--since", "2000-01-01", "--where", "provider=openai"], None);
    assert_eq!(text(&again.stdout), "10 events were sent to the sink audit again\n", "{again:?}");
    assert_eq!(world.audited().len(), 30);

    let blocked = world.configured(&["replay", "lost"], None);
    assert!(!blocked.status.success() && text(&blocked.stderr).contains("create the folder"), "{blocked:?}");
    let unknown = world.configured(&["replay", "nobody"], None);
    assert!(text(&unknown.stderr).contains("it has audit and lost"), "{unknown:?}");
    let names: Vec<String> =
        world.status(None).as_array().unwrap().iter().map(|row| row["name"].to_string()).collect();
    assert!(
        names.len() == 3 && names[2].contains("lost.replay-"),
        "only the blocked replay can go on: {names:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sinks_are_checked_without_changing_anything() {
    let world = World::new();
    let (config, ledger) = (world.path("spanledger.toml"), world.path("ledger.db"));
    let arguments = |command: &'static str| {
        [
            "sinks",
            "check",
            command,
            "--config",
            config.to_str().unwrap(),
            "--ledger",
            ledger.to_str().unwrap(),
        ]
    };
    let good = run(&arguments("audit"));
    assert!(good.status.success() && text(&good.stdout).contains("can be used"), "{good:?}");
    let bad = run(&arguments("lost"));
    assert!(!bad.status.success() && text(&bad.stdout).contains("create the folder"), "{bad:?}");
    assert!(!world.path("audit.jsonl").exists() && !ledger.exists());
}

#[test]
fn the_list_has_every_kind() {
    let listed = run(&["sinks", "list", "--format", "json"]);
    let kinds: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    for kind in ["file", "stdout"] {
        let row = kinds.as_array().unwrap().iter().find(|row| row["kind"] == kind).unwrap();
        assert_eq!(row["is_built"], true);
    }
    let no_table = run(&["sinks", "ddl", "stdout"]);
    assert!(text(&no_table.stderr).contains("has no table"), "{no_table:?}");
}
