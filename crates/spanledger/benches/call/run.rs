//! Runs a scenario: all subjects in turns, so that each round sees one state of the machine.

use std::path::{Path, PathBuf};

use crate::{
    order::{Order, Taken},
    process::Process,
    scenario::Scenario,
    server::Addresses,
    subject::Kind,
};

/// An environment of Python with an instrumentation.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    /// The name of the instrumentation, as `bench_calls.py` knows it.
    pub(crate) instrumentation: String,
    pub(crate) program: PathBuf,
}

/// How often a scenario is repeated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repetitions {
    /// How often the processes are started. Where a process has its memory changes its speed a little.
    pub(crate) starts: usize,
    /// How many rounds follow each start, after one that is not counted.
    pub(crate) rounds: usize,
}

/// What one subject took in each round.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// The place of the series from which this one is subtracted; none for a client without instrumentation.
    pub(crate) base: Option<usize>,
    pub(crate) taken: Vec<Taken>,
}

/// The clients of a scenario, with the place of the client that each is compared with.
fn subjects(scenario: Scenario, pythons: &[Python]) -> Vec<(String, Option<usize>, Subject)> {
    let mut subjects = vec![
        ("Rust, bare client".to_owned(), None, Subject::Rust(Kind::Bare)),
        ("Rust, bare client again".to_owned(), Some(0), Subject::Rust(Kind::Bare)),
        ("Rust, with the layer".to_owned(), Some(0), Subject::Rust(Kind::Layered)),
        ("Rust, with the layer and spans".to_owned(), Some(0), Subject::Rust(Kind::Spans)),
    ];
    for python in pythons.iter().filter(|_| scenario.is_for_peers()) {
        let base = subjects.len();
        let (name, program) = (&python.instrumentation, &python.program);
        let subject = |name: &str| Subject::Python(program.clone(), name.to_owned());
        subjects.push((format!("Python, bare client of {name}"), None, subject("none")));
        subjects.push((format!("Python, with {name}"), Some(base), subject(name)));
    }
    subjects
}

enum Subject {
    Rust(Kind),
    Python(PathBuf, String),
}

impl Subject {
    fn start(&self, addresses: &Addresses) -> Process {
        let Addresses { http, grpc, .. } = addresses;
        match self {
            Self::Rust(kind) => {
                let this = std::env::current_exe().unwrap();
                Process::start(this, &["--subject", kind.name(), http, grpc])
            }
            Self::Python(program, instrumentation) => {
                let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers/bench_calls.py");
                let script = peers.display().to_string();
                Process::start(program, &[&script, instrumentation, http])
            }
        }
    }
}

/// Runs a scenario.
pub(crate) fn run(scenario: Scenario, pythons: &[Python], repetitions: Repetitions) -> (Order, Vec<Series>) {
    let subjects = subjects(scenario, pythons);
    let mut series: Vec<Series> = subjects
        .iter()
        .map(|(name, base, _)| Series { name: name.clone(), base: *base, taken: Vec::new() })
        .collect();
    let mut last_order = None;
    for _ in 0..repetitions.starts {
        let this = std::env::current_exe().unwrap();
        let mut servers = Process::start(this, &["--servers"]);
        let addresses = Addresses::parse(&servers.line()).unwrap();
        let order = scenario.order(&addresses);
        let mut processes: Vec<Process> =
            subjects.iter().map(|(_, _, subject)| subject.start(&addresses)).collect();
        let rounds = if scenario.is_at_once() { repetitions.rounds.div_ceil(4) } else { repetitions.rounds };
        for round in 0..=rounds {
            // Each round begins with another subject, so that none always follows the same one.
            for turn in 0..processes.len() {
                let at = (turn + round) % processes.len();
                let taken = processes[at].ask(&order.to_string()).parse().unwrap();
                if round > 0 {
                    series[at].taken.push(taken);
                }
            }
        }
        last_order = Some(order);
    }
    (last_order.unwrap(), series)
}
