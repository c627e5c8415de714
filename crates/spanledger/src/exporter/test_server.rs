//! A server whose answers a test chooses, for what no real receiver answers.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, OnceLock},
    thread,
};

use spanledger_otlp::{Encoding, Logs, record::LogRecord};
use tracing::{Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

type Answers = dyn Fn(&Request) -> String + Send + Sync;

/// A request that the server received.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) headers: HashMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn has(&self, text: &str) -> bool {
        self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }

    pub(super) fn records(&self) -> usize {
        Logs::decode(&self.body, Encoding::Protobuf).unwrap().record_count()
    }
}

/// See the module's documentation.
pub(super) struct TestServer {
    pub(super) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<Arc<Answers>>>,
}

impl TestServer {
    pub(super) fn start(answers: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers: Arc<Mutex<Arc<Answers>>> = Arc::new(Mutex::new(Arc::new(answers)));
        let server = Self { url, requests: Arc::clone(&requests), answers: Arc::clone(&answers) };
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (requests, answers) = (Arc::clone(&requests), Arc::clone(&answers));
                thread::spawn(move || serve(connection.unwrap(), &requests, &answers));
            }
        });
        server
    }

    pub(super) fn answer(&self, answers: impl Fn(&Request) -> String + Send + Sync + 'static) {
        *self.answers.lock().unwrap() = Arc::new(answers);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Waits until the server has received so many requests.
    pub(super) fn wait_for(&self, requests: usize) {
        while self.requests.lock().unwrap().len() < requests {
            thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

fn serve(mut connection: TcpStream, requests: &Mutex<Vec<Request>>, answers: &Mutex<Arc<Answers>>) {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
        let mut request = Request::default();
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.split_once(':') else { break };
            request.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        request.body = vec![0; request.headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut request.body).unwrap();
        requests.lock().unwrap().push(request.clone());
        let answers = Arc::clone(&answers.lock().unwrap());
        if connection.write_all(answers(&request).as_bytes()).is_err() {
            return;
        }
        line.clear();
    }
}

/// An answer with this status line, these headers and no body.
pub(super) fn status(line: &str, headers: &str) -> String {
    format!("HTTP/1.1 {line}\r\n{headers}content-length: 0\r\n\r\n")
}

pub(super) fn ok() -> String {
    status("200 OK", "spanledger-receiver: 0.1.0\r\n")
}

/// A record that contains this text.
pub(super) fn record_with(text: &str) -> LogRecord {
    LogRecord { event_name: text.to_owned(), ..LogRecord::default() }
}

/// What was logged in this process with this text in it.
pub(super) fn logged(text: &str) -> Vec<String> {
    log().lock().unwrap().iter().filter(|line| line.contains(text)).cloned().collect()
}

/// Collects what is logged in this process. It must be called before what a test looks for is logged.
pub(super) fn log() -> &'static Mutex<Vec<String>> {
    static LOG: OnceLock<Mutex<Vec<String>>> = OnceLock::new();
    LOG.get_or_init(|| {
        tracing_subscriber::registry().with(Collect).init();
        Mutex::default()
    })
}

struct Collect;

impl<S: Subscriber> Layer<S> for Collect {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        log().lock().unwrap().push(line.0);
    }
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0.push_str(&format!(" {field}={value:?}"));
    }
}
