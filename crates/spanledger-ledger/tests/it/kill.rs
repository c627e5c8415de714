//! A test that kills the writer's process.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use spanledger_event::Usd;
use spanledger_ledger::{GroupBy, Ledger, Query};

use crate::support::{call, folder, runtime};

/// The environment variable that gives the path of the ledger to the child process.
const LEDGER: &str = "SPANLEDGER_TEST_KILLED_LEDGER";
/// The number of observations of one append.
const BATCH: usize = 3;

fn batch(number: usize) -> Vec<spanledger_event::Observation> {
    (0..BATCH).map(|i| call(&format!("r{number}-{i}"), &format!("c{number}-{i}"), 1, 1)).collect()
}

/// The child process. It appends batch after batch, and prints the number of each acknowledged batch.
#[test]
#[ignore = "`acknowledged_observations_survive_a_kill` runs it in another process"]
fn child_process_that_appends_until_it_is_killed() {
    let path = PathBuf::from(std::env::var_os(LEDGER).unwrap());
    runtime().block_on(async {
        let ledger = Ledger::open(&path).unwrap();
        for number in 0.. {
            ledger.append(batch(number)).await.unwrap();
            println!("acknowledged {number}");
        }
    });
}

#[test]
fn acknowledged_observations_survive_a_kill() {
    let (_folder, path) = folder();
    for acknowledgements in [1, 4, 23] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "kill::child_process_that_appends_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(LEDGER, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let acknowledged: Vec<usize> = lines
            .filter_map(|line| line.split_once("acknowledged ").and_then(|(_, number)| number.parse().ok()))
            .take(acknowledgements)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acknowledged.len(), acknowledgements, "the writer stopped by itself");

        runtime().block_on(async {
            let ledger = Ledger::open(&path).unwrap();
            let reader = ledger.reader().unwrap();
            assert_eq!(reader.integrity().unwrap(), Vec::<String>::new());
            let observations = usize::try_from(reader.summary().unwrap().observations).unwrap();
            assert_eq!(observations % BATCH, 0, "only a part of an append was committed");
            assert!(observations >= acknowledgements * BATCH, "an acknowledged observation is lost");
            let total = reader.report(&Query::by(GroupBy::Feature)).unwrap().total;
            assert_eq!(total.billed, Usd::from_picos(i128::try_from(observations).unwrap()));
            for number in acknowledged {
                let appended = ledger.append(batch(number)).await.unwrap();
                assert_eq!((appended.new, appended.duplicates), (0, BATCH), "batch {number}");
            }
        });
    }
}
