use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use spanledger_event::CostEvent;

use super::*;
use crate::{
    Batch, BoxSink, Fault, Sink,
    conformance::{self, Harness},
    encode::{Columns, LineEncoding, LineFormat},
};

/// A pipe whose reader can stop reading.
#[derive(Clone, Default)]
struct Pipe {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// The number of bytes that the pipe accepts before it fails.
    capacity: Arc<Mutex<Option<usize>>>,
    /// How often the pipe says that it is full before it accepts bytes.
    full: Arc<Mutex<usize>>,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).unwrap()
    }

    fn sink_at(&self, position: LinePosition) -> StdoutSink<Self> {
        StdoutSink::new(self.clone(), position, LineEncoding::new(LineFormat::Json, Columns::default()))
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = *self.full.lock().unwrap();
        if full % 2 == 1 {
            *self.full.lock().unwrap() -= 1;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        *self.full.lock().unwrap() = full.saturating_sub(1);
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
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.sink_at(LinePosition::Unknown))
    }

    async fn stored(&self) -> Vec<CostEvent> {
        let text = self.text();
        let lines = text.lines().filter(|line| !line.is_empty());
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    async fn set_broken(&self, broken: bool) -> bool {
        *self.capacity.lock().unwrap() = broken.then_some(0);
        true
    }

    fn repeats(&self) -> bool {
        true
    }
}

/// A batch of the events with these numbers.
fn batch(numbers: std::ops::Range<i64>) -> Batch {
    conformance::batch(0, conformance::events(numbers))
}

/// The events of a batch.
fn sent(batch: &Batch) -> Vec<CostEvent> {
    batch.events().map(|event| CostEvent::clone(event)).collect()
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
    let batch = batch(0..3);
    pipe.sink_at(LinePosition::Unknown).write(&batch).await.unwrap();
    let text = pipe.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, r#"{"event":"openai.req"#));
    for (line, event) in lines[1..].iter().zip(sent(&batch)) {
        assert_eq!(serde_json::from_str::<CostEvent>(line).unwrap(), event);
    }
}

/// Scenario: the destination fails within the second line and works again later.
#[tokio::test]
async fn a_line_is_not_appended_to_the_incomplete_line_of_a_failed_write() {
    let (pipe, batch) = (Pipe::default(), batch(0..3));
    let mut sink = pipe.sink_at(LinePosition::Start);
    *pipe.capacity.lock().unwrap() = Some(batch.events[0].event.json().len() + 10);
    assert!(matches!(sink.write(&batch).await, Err(Fault::Retry { .. })));
    *pipe.capacity.lock().unwrap() = None;
    sink.write(&batch).await.unwrap();
    let text = pipe.text();
    let whole: Vec<CostEvent> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(whole.len(), 4, "the first line twice, and the two others:\n{text}");
    assert_eq!(whole[1..], sent(&batch));
}

#[tokio::test]
async fn there_is_no_empty_line_where_none_is_needed() {
    let pipe = Pipe::default();
    let mut sink = pipe.sink_at(LinePosition::Unknown);
    sink.write(&batch(0..1)).await.unwrap();
    sink.write(&batch(1..2)).await.unwrap();
    assert_eq!(pipe.text().lines().filter(|line| line.is_empty()).count(), 1, "only before the first line");

    let pipe = Pipe::default();
    pipe.sink_at(LinePosition::Start).write(&batch(0..1)).await.unwrap();
    assert!(pipe.text().starts_with('{'));
}

#[tokio::test]
async fn omitted_columns_are_not_written_and_all_others_are() {
    let (pipe, batch) = (Pipe::default(), batch(0..1));
    let columns = ["feature", "dims", "attempts"].map(str::to_owned).to_vec();
    let encoding = LineEncoding::new(LineFormat::Json, Columns::from_options(&[], &columns).unwrap());
    let mut sink = StdoutSink::new(pipe.clone(), LinePosition::Start, encoding);
    sink.write(&batch).await.unwrap();
    let object =
        |text: &str| serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap();
    let mut expected = object(batch.events[0].event.json());
    expected.retain(|column, _| !columns.contains(column));
    assert_eq!(object(&pipe.text()), expected);
}

#[tokio::test]
async fn an_empty_batch_writes_nothing() {
    let pipe = Pipe::default();
    pipe.sink_at(LinePosition::Unknown).write(&batch(0..0)).await.unwrap();
    assert_eq!(pipe.text(), "");
}

/// Scenario: another program made the pipe non-blocking, and the reader is slow.
#[tokio::test]
async fn a_full_pipe_is_waited_for_and_no_line_is_repeated() {
    let (pipe, batch) = (Pipe::default(), batch(0..5));
    *pipe.full.lock().unwrap() = 7;
    pipe.sink_at(LinePosition::Start).write(&batch).await.unwrap();
    assert_eq!(*pipe.full.lock().unwrap(), 0, "the pipe was full");
    assert_eq!(pipe.stored().await, sent(&batch));
}

#[tokio::test]
async fn csv_has_one_header_for_each_process() {
    let pipe = Pipe::default();
    let columns = Columns::from_options(&["model".to_owned()], &[]).unwrap();
    let encoding = LineEncoding::new(LineFormat::Csv, columns);
    let mut sink = StdoutSink::new(pipe.clone(), LinePosition::Start, encoding);
    for number in 0..3 {
        sink.write(&batch(number..number + 1)).await.unwrap();
    }
    let text = pipe.text();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap(), &["event_id", "revision", "state", "model"][..]);
    assert_eq!(reader.records().map(Result::unwrap).count(), 3, "{text}");
}
