//! After `kill -9`, every acknowledged call is in the ledger exactly once.

use std::collections::BTreeMap;

use spanledger_testkit::world::events_of;

use crate::support::{Serve, post_call};

/// Scenario: the process is killed after its first acknowledgement, while other requests are in progress.
/// Requests without an answer are sent again to the next process, as a client does.
/// Guarantees: in the end every call is one event.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_calls_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("spanledger.db");
    let mut acknowledged: BTreeMap<u64, i64> = BTreeMap::new();
    let mut pending: BTreeMap<u64, i64> = BTreeMap::new();
    let mut next = 0;
    for _ in 0..12 {
        let serve = Serve::start(&ledger, &[]);
        // A new client has no connection to the killed process.
        let client = reqwest::Client::new();
        for _ in 0..8 {
            pending.insert(next, i64::try_from(next).unwrap() + 1);
            next += 1;
        }
        let (send, mut answers) = tokio::sync::mpsc::unbounded_channel();
        for (&number, &tokens) in &pending {
            let (client, url, send) = (client.clone(), serve.http_url(), send.clone());
            tokio::spawn(async move {
                if let Ok(200) = post_call(&client, &url, "gpt-5.5", number, tokens).await {
                    send.send(number).unwrap_or_default();
                }
            });
        }
        drop(send);
        // Kill at the first answer. Answers that still arrive were sent before the kill.
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

    // All calls are sent once more, acknowledged or not; none is counted twice.
    let serve = Serve::start(&ledger, &[]);
    let client = reqwest::Client::new();
    for number in 0..next {
        let tokens = i64::try_from(number).unwrap() + 1;
        assert_eq!(post_call(&client, &serve.http_url(), "gpt-5.5", number, tokens).await.unwrap(), 200);
    }
    let stored = serve.events();
    assert_eq!(stored.len(), usize::try_from(next).unwrap());
    let tokens: i64 = stored.iter().filter_map(|event| event.prompt_tokens).sum();
    assert_eq!(tokens, i64::try_from(next * (next + 1) / 2).unwrap());
    // A million input tokens cost 5 dollars.
    let billed: spanledger_event::Usd = stored.iter().filter_map(|event| event.billed_usd).sum();
    assert_eq!(billed.picos(), i128::from(tokens) * 5_000_000);
}
