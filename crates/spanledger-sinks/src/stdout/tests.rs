use spanledger_event::CostEvent;

use super::*;
use crate::conformance::{self, Harness};

/// A pipe whose reader can go away.
#[derive(Clone, Default)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    broken: Arc<Mutex<bool>>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.broken.lock().unwrap() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // As a pipe does when it is nearly full.
        let part = &bytes[..bytes.len().min(1_000)];
        self.bytes.lock().unwrap().extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Harness for Pipe {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(Lines::new(self.clone()))
    }

    fn stored(&self) -> Vec<CostEvent> {
        let bytes = self.bytes.lock().unwrap();
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn set_broken(&self, broken: bool) -> bool {
        *self.broken.lock().unwrap() = broken;
        true
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    conformance::check(&Pipe::default()).await.unwrap();
}

/// The suite itself must be able to fail.
#[tokio::test]
async fn a_sink_that_lies_is_found() {
    struct Liar(Pipe);
    impl Sink for Liar {
        fn name(&self) -> &'static str {
            "liar"
        }
        fn deliver(&mut self, _: Batch) -> Delivery<'_> {
            Box::pin(async { DeliveryOutcome::Delivered })
        }
    }
    impl Harness for Liar {
        fn sink(&self) -> Box<dyn Sink> {
            Box::new(Self(self.0.clone()))
        }
        fn stored(&self) -> Vec<CostEvent> {
            self.0.stored()
        }
        fn set_broken(&self, _: bool) -> bool {
            false
        }
    }
    assert!(conformance::check(&Liar(Pipe::default())).await.is_err());
}
