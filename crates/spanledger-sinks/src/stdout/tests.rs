use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use spanledger_event::CostEvent;

use super::*;
use crate::{
    Delivery, DeliveryOutcome, Sink, SinkConfig as _,
    conformance::{self, Harness},
    encode::Columns,
};

/// A pipe whose reader can stop reading.
#[derive(Clone, Default)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// The number of bytes that the pipe accepts before it fails.
    capacity: Arc<Mutex<Option<usize>>>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    fn sink_at(&self, position: LinePosition) -> JsonLines<Self> {
        JsonLines::new("stdout".to_owned(), self.clone(), position)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A pipe that is nearly full also accepts only a part of the bytes.
        let mut length = bytes.len().min(1_000);
        if let Some(capacity) = &mut *self.capacity.lock().unwrap() {
            length = length.min(*capacity);
            *capacity -= length;
            if length == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        self.bytes.lock().unwrap().extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Harness for Pipe {
    fn sink(&self) -> Box<dyn Sink> {
        Box::new(self.sink_at(LinePosition::Unknown))
    }

    fn stored(&self) -> Vec<CostEvent> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn set_broken(&self, broken: bool) -> bool {
        *self.capacity.lock().unwrap() = broken.then_some(0);
        true
    }
}

#[tokio::test]
async fn the_sink_fulfills_the_contract() {
    conformance::check(&Pipe::default()).await.unwrap();
}

/// Scenario: the first process was killed in the middle of a line.
#[tokio::test]
async fn a_line_is_not_appended_to_the_incomplete_line_of_a_killed_process() {
    let pipe = Pipe::default();
    pipe.clone().write_all(br#"{"event":"openai.req"#).unwrap();
    let events = conformance::events(0..3);
    assert_eq!(pipe.sink().deliver(events.clone()).await, DeliveryOutcome::Delivered);
    let text = pipe.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, r#"{"event":"openai.req"#));
    for (line, event) in lines[1..].iter().zip(events.iter()) {
        assert_eq!(&serde_json::from_str::<CostEvent>(line).unwrap(), event);
    }
}

/// Scenario: the destination fails within the second line and works again later.
#[tokio::test]
async fn a_line_is_not_appended_to_the_incomplete_line_of_a_failed_write() {
    let (pipe, events) = (Pipe::default(), conformance::events(0..3));
    let mut sink = pipe.sink_at(LinePosition::Start);
    let first_line = serde_json::to_string(&events[0]).unwrap();
    *pipe.capacity.lock().unwrap() = Some(first_line.len() + 10);
    assert!(matches!(sink.deliver(events.clone()).await, DeliveryOutcome::Retry { .. }));
    *pipe.capacity.lock().unwrap() = None;
    assert_eq!(sink.deliver(events.clone()).await, DeliveryOutcome::Delivered);
    let text = pipe.text();
    let whole: Vec<CostEvent> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(whole.len(), 4, "the first line twice, and the two others:\n{text}");
    assert_eq!(whole[1..], *events);
}

#[tokio::test]
async fn there_is_no_empty_line_where_none_is_needed() {
    let pipe = Pipe::default();
    let mut sink = pipe.sink_at(LinePosition::Unknown);
    sink.deliver(conformance::events(0..0)).await;
    assert_eq!(pipe.text(), "", "without an event nothing is written");
    sink.deliver(conformance::events(0..1)).await;
    sink.deliver(conformance::events(1..2)).await;
    assert_eq!(pipe.text().lines().filter(|line| line.is_empty()).count(), 1, "only before the first line");

    let pipe = Pipe::default();
    pipe.sink_at(LinePosition::Start).deliver(conformance::events(0..1)).await;
    assert!(pipe.text().starts_with('{'));
}

#[tokio::test]
async fn omitted_columns_are_not_written_and_all_others_are() {
    let (pipe, events) = (Pipe::default(), conformance::events(0..1));
    let columns = ["feature", "dims", "attempts"].map(str::to_owned).to_vec();
    let mut sink =
        pipe.sink_at(LinePosition::Start).with_columns(Columns::from_options(&[], &columns).unwrap());
    sink.deliver(events.clone()).await;
    let object =
        |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap();
    let mut expected = object(&serde_json::to_string(&events[0]).unwrap());
    expected.retain(|column, _| !columns.contains(column));
    assert_eq!(object(&pipe.text()), expected);
}

#[test]
fn a_cursor_has_the_name_that_was_configured() {
    assert_eq!(StdoutConfig::default().build("audit".to_owned()).unwrap().name(), "audit");
}

/// The suite itself must be able to fail.
#[tokio::test]
async fn a_sink_that_acknowledges_without_storing_is_found() {
    struct Liar(Pipe);
    impl Sink for Liar {
        fn name(&self) -> &'static str {
            "liar"
        }
        fn deliver(&mut self, _: crate::Batch) -> Delivery<'_> {
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
