use std::sync::{Arc, Mutex};

use serde_json::Value;
use spanledger_event::CostEvent;
use spanledger_testkit::Collector;

use super::*;
use crate::{
    BoxSink, Fault, Opening, Purpose, Sink as _, SinkConfig as _,
    conformance::{self, Harness},
};

/// A real Collector, which writes the records to a file.
struct Destination {
    collector: Arc<Mutex<Collector>>,
    options: &'static str,
}

impl Destination {
    fn start(options: &'static str) -> Option<Self> {
        Some(Self { collector: Arc::new(Mutex::new(Collector::start()?)), options })
    }

    fn config(&self) -> OtlpConfig {
        let endpoint = self.collector.lock().unwrap().endpoint();
        toml::from_str(&format!("endpoint = '{endpoint}'\n{}", self.options)).unwrap()
    }

    fn records(&self) -> Vec<Value> {
        let lists = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let text = self.collector.lock().unwrap().received();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .flat_map(|message| lists(&message, "resourceLogs"))
            .flat_map(|resource| lists(&resource, "scopeLogs"))
            .flat_map(|scope| lists(&scope, "logRecords"))
            .collect()
    }
}

impl Harness for Destination {
    fn sink(&self) -> BoxSink {
        BoxSink::new(self.config().build().unwrap())
    }

    async fn stored(&self) -> Vec<CostEvent> {
        let body =
            |record: &Value| serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap();
        self.records().iter().map(body).collect()
    }

    async fn set_broken(&self, broken: bool) -> bool {
        let mut collector = self.collector.lock().unwrap();
        if broken {
            collector.kill();
        } else {
            collector.run();
        }
        true
    }

    fn repeats(&self) -> bool {
        true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sink_fulfills_the_contract_with_a_real_collector() {
    for options in ["", "gzip = false"] {
        let Some(destination) = Destination::start(options) else { return };
        conformance::check(&destination).await.unwrap();
    }
}

/// The value of an attribute of a record.
fn attribute<'a>(record: &'a Value, key: &str) -> Option<&'a Value> {
    let attributes = record["attributes"].as_array().unwrap();
    Some(&attributes.iter().find(|attribute| attribute["key"] == key)?["value"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_the_ids_of_its_span_and_exact_amounts() {
    let Some(destination) = Destination::start("omit_columns = ['route']") else { return };
    let mut sink = destination.sink();
    let opening = Opening { ledger: "l".into(), sink: "otlp".into(), purpose: Purpose::Deliver };
    sink.open(&opening).await.unwrap();
    sink.write(&conformance::batch(0, conformance::events(0..1))).await.unwrap();
    sink.commit().await.unwrap();
    let records = destination.records();
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record["eventName"], "spanledger.cost_event");
    assert_eq!(record["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(record["spanId"], "00f067aa0ba902b7");
    assert_eq!(record["timeUnixNano"], "1763719200123456789");
    let value = |key: &str| attribute(record, key).map(ToString::to_string);
    assert_eq!(value("cost_usd").as_deref(), Some(r#"{"stringValue":"1.234567890123"}"#));
    assert_eq!(value("prompt_tokens").as_deref(), Some(r#"{"intValue":"1000"}"#));
    assert_eq!(value("stream").as_deref(), Some(r#"{"boolValue":true}"#));
    assert_eq!(value("route"), None);
    assert_eq!(value("dims"), None, "JSON is in the body");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_blocks_the_sink_at_its_opening() {
    let Some(destination) = Destination::start("") else { return };
    let endpoint = format!("{}/nothing/here", destination.collector.lock().unwrap().endpoint());
    let config: OtlpConfig = toml::from_str(&format!("endpoint = '{endpoint}'")).unwrap();
    let opening = Opening { ledger: "l".into(), sink: "otlp".into(), purpose: Purpose::Check };
    let fault = config.build().unwrap().open(&opening).await.unwrap_err();
    let Fault::Blocked { reason, remedy } = &fault else { panic!("{fault:?}") };
    assert!(reason.contains("404") && reason.contains("/nothing/here/v1/logs"), "{reason}");
    assert!(remedy.contains("address"), "{remedy}");
}
