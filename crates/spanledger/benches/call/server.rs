//! The servers of a run, in a process of their own: stand-ins for OpenAI, and the receiver.

use std::{
    io::{self, Read as _},
    time::Duration,
};

use spanledger_testkit::{Provider, Reply, world::TestReceiver};

/// The chunks of a stream over HTTP.
pub(crate) const CHUNKS: usize = 500;
/// The chunks of each of many streams at once.
pub(crate) const CHUNKS_AT_ONCE: usize = 40;
/// The time between two chunks of a stream that comes as slowly as from a model.
const PACE: Duration = Duration::from_millis(50);

/// The addresses of the servers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The receiver's, for OTLP over HTTP and gRPC.
    pub(crate) http: String,
    pub(crate) grpc: String,
    /// Answers with [`CHUNKS`] chunks, or at once if the call is not streamed.
    pub(crate) provider: String,
    /// Answers with [`CHUNKS_AT_ONCE`] chunks, as fast as it can.
    pub(crate) fast: String,
    /// Answers with [`CHUNKS_AT_ONCE`] chunks, as slowly as a model does.
    pub(crate) paced: String,
}

impl Addresses {
    /// Reads the line that [`run`] prints.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut next = || words.next();
        Some(Self { http: next()?, grpc: next()?, provider: next()?, fast: next()?, paced: next()? })
    }
}

/// Serves until the standard input ends.
pub(crate) fn run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let receiver = TestReceiver::start().await;
        let reply = |chunks| Reply::answer("word ".repeat(chunks)).chunks(chunks);
        let start = |reply| async move { Provider::builder().default_reply(reply).start().await.unwrap() };
        let providers = [
            start(reply(CHUNKS)).await,
            start(reply(CHUNKS_AT_ONCE)).await,
            start(reply(CHUNKS_AT_ONCE).chunk_delay(PACE)).await,
        ];
        let [provider, fast, paced] = providers.each_ref().map(Provider::base_url);
        let (http, grpc) = (receiver.http_url(), receiver.grpc_addr());
        println!("{http} http://{grpc} {provider} {fast} {paced}");
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
    });
}
