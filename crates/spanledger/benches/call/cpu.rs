//! What the kernel says about the CPU time of this process. Linux only; elsewhere all is zero.

use std::{fs, thread, time::Duration};

/// CPU times since the start of the threads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTimes {
    /// That of the thread that asks.
    pub(crate) caller: Duration,
    /// That of all threads that live.
    pub(crate) all: Duration,
    /// That of the exporter's thread.
    pub(crate) exporter: Duration,
}

/// The beginning of the name of the exporter's thread. The kernel keeps 15 bytes of a name.
const EXPORTER: &str = "spanledger-expo";

impl CpuTimes {
    pub(crate) fn now() -> Self {
        // The kernel adds up the time of a running thread when it lets another one run.
        thread::yield_now();
        let mut this = Self { caller: cpu_of("/proc/thread-self"), ..Self::default() };
        for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let folder = task.path().display().to_string();
            let cpu = cpu_of(&folder);
            this.all += cpu;
            let name = fs::read_to_string(format!("{folder}/comm")).unwrap_or_default();
            if name.starts_with(EXPORTER) {
                this.exporter += cpu;
            }
        }
        this
    }
}

/// The CPU time of a thread, to the nanosecond.
fn cpu_of(thread: &str) -> Duration {
    let text = fs::read_to_string(format!("{thread}/schedstat")).unwrap_or_default();
    let nanos = text.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
