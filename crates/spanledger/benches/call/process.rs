//! The processes of a run: the subjects and the servers.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A process that answers each line with a line. It ends when its standard input does.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program. What could make it call or export elsewhere is taken from its environment.
    pub(crate) fn start(program: impl AsRef<OsStr>, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars() {
            let upper = name.to_ascii_uppercase();
            let prefixes = ["OTEL_", "OPENAI_", "SPANLEDGER_"];
            if upper.ends_with("_PROXY") || prefixes.iter().any(|prefix| upper.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output }
    }

    /// The next line that the process prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "a process of the benchmark has ended; what it printed stands above");
        line
    }

    /// Asks the process something.
    pub(crate) fn ask(&mut self, question: &str) -> String {
        writeln!(self.input.as_mut().unwrap(), "{question}").unwrap();
        self.line()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.input.take());
        // A process that has ended already has nothing to wait for.
        drop(self.child.wait());
    }
}
