//! A sink of your own: it keeps each event in a file of its own, `<event_id>.json` in a folder.
//!
//! `cargo run --package spanledger-examples --example custom_sink` runs the conformance suite with it. A program that
//! receives with it passes the configured sink to `spanledger_receiver::Server::with_sink`.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use spanledger_event::CostEvent;
use spanledger_sinks::{
    Batch, BoxSink, Fault, Opened, Opening, OptionError, Purpose, SINKS, Sink, SinkConfig, SinkKind,
    SinkSpec, Written, conformance,
};

/// The options of `[sinks.NAME] kind = "folder"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FolderConfig {
    /// The folder of the files.
    path: PathBuf,
}

impl SinkConfig for FolderConfig {
    type Sink = FolderSink;

    fn build(self) -> Result<FolderSink, OptionError> {
        Ok(FolderSink { path: self.path })
    }
}

/// The row of the sink in a table of sinks.
const FOLDER: SinkKind = SinkKind::new::<FolderConfig>("folder", "Keeps each event in a file", "");

struct FolderSink {
    path: PathBuf,
}

impl Sink for FolderSink {
    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        if opening.purpose == Purpose::Deliver {
            let blocked =
                |error| Fault::blocked(format!("{}: {error}", self.path.display()), "choose another folder");
            fs::create_dir_all(&self.path).map_err(blocked)?;
        }
        Ok(Opened::default())
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        for event in batch.events() {
            let file = self.path.join(format!("{}.json", event.event_id));
            // A later revision replaces an earlier one, and never the other way round.
            let known =
                fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str::<CostEvent>(&text).ok());
            if known.is_some_and(|known| known.revision >= event.revision) {
                continue;
            }
            whole(&file, event.json())
                .map_err(|error| Fault::retry(format!("{}: {error}", file.display())))?;
        }
        Ok(Written::ALL)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        let synced = fs::File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Fault::retry(format!("{}: {error}", self.path.display())))
    }
}

/// Writes a file that is whole or absent, also after a crash.
fn whole(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::File::open(&new)?.sync_all()?;
    fs::rename(&new, file)
}

/// What the conformance suite needs to know about the destination.
struct Harness {
    spec: BTreeMap<String, SinkSpec>,
    path: PathBuf,
}

impl conformance::Harness for Harness {
    fn sink(&self) -> BoxSink {
        let table = [SINKS, &[FOLDER]].concat();
        let sinks =
            spanledger_sinks::build(&table, self.spec.iter().map(|(name, spec)| (name.as_str(), spec)));
        sinks.and_then(|sinks| sinks[0].make()).expect("the options are valid")
    }

    async fn stored(&self) -> Vec<CostEvent> {
        let read = |entry: io::Result<fs::DirEntry>| fs::read_to_string(entry.ok()?.path()).ok();
        let texts: Vec<String> = fs::read_dir(&self.path).into_iter().flatten().filter_map(read).collect();
        texts.iter().map(|text| serde_json::from_str(text).expect("a file holds an event")).collect()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let mut options = SinkSpec { kind: Some("folder".to_owned()), ..SinkSpec::default() };
    options.options.insert("path".to_owned(), folder.path().display().to_string().into());
    let spec = BTreeMap::from([("events".to_owned(), options)]);
    conformance::check(&Harness { spec, path: folder.path().to_owned() }).await?;
    writeln!(io::stdout(), "the sink fulfills the contract")?;
    Ok(())
}
