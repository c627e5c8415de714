//! Reads an OTLP message; each observation in it is stored, priced and sent as a record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spanledger_event::Observation;
use spanledger_otlp::{Encoding, Logs, ObservationReader, Traces, price, record};
use spanledger_price::PriceBook;

fn check(observations: Vec<Observation>) {
    for mut o in observations {
        let journal = serde_json::to_string(&o).expect("an observation can be written as JSON");
        let again: Observation = serde_json::from_str(&journal).expect("the JSON of an observation can be read");
        assert_eq!(again, o);
        price(PriceBook::builtin(), &mut o);
        let sent = record::request(vec![record::record(&o)], &[], "0");
        let read = Logs::decode(&sent.to_protobuf(), Encoding::Protobuf).expect("the sent message is valid OTLP");
        let _read = ObservationReader::default().logs(&read);
    }
}

fuzz_target!(|input: (bool, &[u8])| {
    let (json, bytes) = input;
    let encoding = if json { Encoding::Json } else { Encoding::Protobuf };
    if let Ok(traces) = Traces::decode(bytes, encoding) {
        check(ObservationReader::default().traces(&traces));
    }
    if let Ok(logs) = Logs::decode(bytes, encoding) {
        check(ObservationReader::default().logs(&logs).observations);
    }
});
