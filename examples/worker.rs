//! A worker that takes jobs from a queue. Each job is for another customer.
//!
//! ```text
//! printf 'acme a poem about ledgers\nglobex a poem about pipes\n' |
//!     cargo run --package spanledger-examples --example worker
//! ```
//!
//! A job is a line of the standard input: the customer, and what to write. The queue can deliver a job twice. The id
//! of the job is the id of the request, so that a job which is done again is the same event, and what it cost
//! more is in `retry_cost_usd`.

use std::{io::Write as _, sync::Arc};

use async_openai::{
    Client,
    config::OpenAIConfig,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use spanledger::{Attributed, Attribution, ExporterConfig};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::{Mutex, mpsc},
    task::JoinSet,
};

type Error = Box<dyn std::error::Error + Send + Sync>;

const WORKERS: usize = 4;

/// A job as it comes from the queue.
struct Job {
    id: String,
    customer: String,
    task: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    // The guard waits at the end for the receiver. Keep it to the end of `main`.
    let _guard = spanledger::init(ExporterConfig::from_env().service_name("worker"))?;
    let client = spanledger::instrument(OpenAIConfig::new()).build();

    let (sender, queue) = mpsc::channel::<Job>(16);
    let queue = Arc::new(Mutex::new(queue));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        workers.spawn(work(client.clone(), Arc::clone(&queue)));
    }

    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut number = 0;
    while let Some(line) = lines.next_line().await? {
        let Some((customer, task)) = line.split_once(' ') else { continue };
        number += 1;
        let job = Job { id: format!("job-{number}"), customer: customer.to_owned(), task: task.to_owned() };
        sender.send(job).await?;
    }
    // Without a sender the queue ends, and the workers finish what they have.
    drop(sender);
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

async fn work(client: Client<OpenAIConfig>, queue: Arc<Mutex<mpsc::Receiver<Job>>>) -> Result<(), Error> {
    loop {
        let job = queue.lock().await.recv().await;
        let Some(job) = job else { return Ok(()) };
        // A job has no HTTP route: the name of its queue takes that place.
        let attribution = Attribution::builder()
            .feature("poems")
            .route("queue:poems")
            .customer_id(&job.customer)
            .environment("development")
            .request_id(&job.id)
            .build()?;
        // Every call in this scope has the attribution, however deep in the code it is made.
        attribution.scope(write_poem(&client, &job)).await?;
    }
}

async fn write_poem(client: &Client<OpenAIConfig>, job: &Job) -> Result<(), Error> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(job.task.as_str()).build()?;
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-5.4-nano")
        .messages([message.into()])
        .build()?;
    let answer = client.chat().create(request).await?;
    let poem = answer.choices.into_iter().next().and_then(|choice| choice.message.content);
    writeln!(std::io::stdout(), "{}: {}", job.id, poem.unwrap_or_default())?;
    Ok(())
}
