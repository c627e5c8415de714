//! `kill -9`: what was acknowledged is there, once.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use spanledger_testkit::{
    otlp::{self, SpanBuilder},
    world::events_of,
};

use crate::support::Serve;

/// An export request with one attributed call of so many input tokens, known by its number.
pub(crate) fn request(model: &str, number: u64, input_tokens: i64) -> Vec<u8> {
    let call = SpanBuilder::chat(model)
        .number(number)
        .attributed()
        .response_id(format!("chatcmpl-{number}"))
        .tokens(input_tokens, 0);
    otlp::protobuf(&otlp::traces([call.build()]))
}

pub(crate) async fn post(client: &reqwest::Client, url: &str, body: Vec<u8>) -> Result<u16, reqwest::Error> {
    let request = client.post(format!("{url}/v1/traces")).header("content-type", otlp::PROTOBUF).body(body);
    Ok(request.send().await?.status().as_u16())
}

/// The process is killed right after each acknowledgement, and while other requests are under way;
/// unanswered ones are sent again to the next process, as a client does. In the end every call is
/// one event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let mut acknowledged: BTreeMap<u64, i64> = BTreeMap::new();
    let mut pending: BTreeMap<u64, i64> = BTreeMap::new();
    let mut next = 0;
    for _ in 0..12 {
        let serve = Serve::start(&ledger, &[]);
        // A client of its own: a connection of the last process must not be tried again.
        let client = reqwest::Client::new();
        for _ in 0..8 {
            pending.insert(next, i64::try_from(next).unwrap() + 1);
            next += 1;
        }
        let (send, mut answers) = tokio::sync::mpsc::unbounded_channel();
        for (&number, &tokens) in &pending {
            let (client, url, send) = (client.clone(), serve.http_url(), send.clone());
            tokio::spawn(async move {
                if let Ok(200) = post(&client, &url, request("gpt-5.5", number, tokens)).await {
                    send.send(number).unwrap_or_default();
                }
            });
        }
        drop(send);
        // The first answer is the signal to kill; answers that still arrive were given before.
        let first = answers.recv().await.unwrap();
        serve.kill();
        let mut answered = vec![first];
        while let Some(number) = answers.recv().await {
            answered.push(number);
        }
        for number in answered {
            acknowledged.insert(number, pending.remove(&number).unwrap());
        }
        let stored = events_of(&ledger);
        for (number, tokens) in &acknowledged {
            let id = format!("chatcmpl-{number}");
            let found: Vec<_> = stored.iter().filter(|e| e.response_id.as_deref() == Some(&id)).collect();
            assert_eq!(found.len(), 1, "call {number} was acknowledged");
            assert_eq!(found[0].prompt_tokens, Some(*tokens));
        }
    }
    assert!(!acknowledged.is_empty());

    // Everything once more, acknowledged or not: nothing is counted twice.
    let serve = Serve::start(&ledger, &[]);
    let client = reqwest::Client::new();
    for number in 0..next {
        let tokens = i64::try_from(number).unwrap() + 1;
        assert_eq!(post(&client, &serve.http_url(), request("gpt-5.5", number, tokens)).await.unwrap(), 200);
    }
    let stored = serve.events();
    assert_eq!(stored.len(), usize::try_from(next).unwrap());
    let tokens: i64 = stored.iter().filter_map(|event| event.prompt_tokens).sum();
    assert_eq!(tokens, i64::try_from(next * (next + 1) / 2).unwrap());
    // 5 dollars a million.
    let billed: spanledger_event::Usd = stored.iter().filter_map(|event| event.billed_usd).sum();
    assert_eq!(billed.picos(), i128::from(tokens) * 5_000_000);
}

/// Standard output carries one JSON object an event and nothing else, and a restart goes on where
/// the last process stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdout_sink_says_each_event_once_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let client = reqwest::Client::new();
    let mut lines = String::new();
    for round in 0..2 {
        let serve = Serve::start(&ledger, &["--sink", "stdout"]);
        for number in round * 10..round * 10 + 10 {
            assert_eq!(post(&client, &serve.http_url(), request("gpt-5.5", number, 5)).await.unwrap(), 200);
        }
        lines.push_str(&serve.stop());
    }
    let events: Vec<spanledger_event::CostEvent> =
        json_lines(&lines).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 20);
    assert_eq!(events, events_of(&ledger));
}

/// The lines of JSON; a process begins its part with an empty line.
fn json_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.is_empty())
}

/// A ledger with so many events that one batch of them does not fit into a pipe that nobody reads.
#[cfg(unix)]
async fn fill_ledger(ledger: &Path) {
    let (serve, client) = (Serve::start(ledger, &[]), reqwest::Client::new());
    for number in 0..200 {
        assert_eq!(post(&client, &serve.http_url(), request("gpt-5.5", number, 5)).await.unwrap(), 200);
    }
    serve.stop();
}

/// A process that was killed in the midst of a line leaves a part of it in the pipe. The next process
/// writes to the same pipe, as under a supervisor, and every event arrives on a line of its own.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_stdout_sink_starts_a_new_line_after_a_crash_left_a_part_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let arguments = ["--sink", "stdout"];
    fill_ledger(&ledger).await;
    let serve = Serve::start_with_stdout(&ledger, &arguments, writer.try_clone().unwrap().into());
    // The first bytes say that the batch is being written; more of it than the pipe takes.
    let mut first = [0; 2];
    reader.read_exact(&mut first).unwrap();
    serve.kill();
    let reading = std::thread::spawn(move || {
        let mut text = String::from_utf8(first.to_vec()).unwrap();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    let serve = Serve::start_with_stdout(&ledger, &arguments, writer.into());
    serve.stop();
    let text = reading.join().unwrap();
    let parsed: Vec<Option<spanledger_event::CostEvent>> =
        json_lines(&text).map(|line| serde_json::from_str(line).ok()).collect();
    let broken: Vec<usize> = (0..parsed.len()).filter(|&line| parsed[line].is_none()).collect();
    let [broken] = broken.as_slice() else { panic!("one line is in part, not {broken:?}") };
    let whole: Vec<_> = parsed.into_iter().skip(broken + 1).flatten().collect();
    assert_eq!(whole, events_of(&ledger), "the first event is not glued to the part of a line");
}

/// Nobody reads standard output, so that the write of the sink blocks. The process ends all the same,
/// and the next one delivers every event.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_ends_on_sigterm_although_standard_output_is_blocked() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    fill_ledger(&ledger).await;
    Serve::start(&ledger, &["--sink", "stdout"]).stop_without_reading();

    let lines = Serve::start(&ledger, &["--sink", "stdout"]).stop();
    let delivered: Vec<spanledger_event::CostEvent> =
        json_lines(&lines).map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(delivered.len(), 200, "the cursor stayed before the batch that was not delivered");
    assert_eq!(delivered, events_of(&ledger));
}
