//! A small shop that calls AI models for five features. It uses the client as a user's service would.

use std::time::Duration;

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::{
        chat::{
            ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest,
            CreateChatCompletionRequestArgs,
        },
        embeddings::CreateEmbeddingRequestArgs,
        responses::CreateResponseArgs,
    },
};
use futures_util::StreamExt as _;
use spanledger::{Attributed, Attribution, Recorder};
use spanledger_testkit::{Provider, Reply, Usage};

/// `SplitMix64` (Steele, Lea, Flood 2014), so that the same seed gives the same calls.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll(high - low + 1)
    }

    fn pick<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let index = usize::try_from(self.roll(u64::try_from(items.len()).ok()?)).ok()?;
        items.get(index).copied()
    }
}

struct Shop<'a> {
    provider: &'a Provider,
    client: Client<OpenAIConfig>,
    dice: Dice,
    calls: Calls,
}

/// How many calls the shop made.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Calls {
    /// All calls.
    pub(super) made: usize,
    /// The calls that repeated another call under the same request id.
    pub(super) repeated: usize,
}

/// Runs the shop for a day.
pub(super) async fn run(provider: &Provider, recorder: &Recorder, seed: u64) -> anyhow::Result<Calls> {
    let config = OpenAIConfig::new().with_api_base(provider.base_url()).with_api_key("no-key-needed");
    let client = spanledger::instrument(config).provider("openai").recorder(recorder.clone()).build();
    let mut shop = Shop { provider, client, dice: Dice(seed), calls: Calls::default() };
    for round in 0..24 {
        shop.search(round).await?;
        shop.support(round).await?;
        shop.agent(round).await?;
        if u64::is_multiple_of(round, 3) {
            shop.index(round).await?;
        }
        if u64::is_multiple_of(round, 6) {
            shop.digest(round).await?;
        }
    }
    shop.paid_twice().await?;
    shop.unknown_model().await?;
    Ok(shop.calls)
}

fn chat(model: &str, text: &str) -> Result<CreateChatCompletionRequest, OpenAIError> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build()?;
    CreateChatCompletionRequestArgs::default().model(model).messages([message.into()]).build()
}

impl Shop<'_> {
    fn attribution(&mut self, feature: &str, route: &str) -> anyhow::Result<Attribution> {
        let customer =
            self.dice.pick(&["acme", "acme", "acme", "globex", "globex", "initech"]).unwrap_or("acme");
        Ok(Attribution::builder()
            .feature(feature)
            .route(route)
            .customer_id(customer)
            .environment("production")
            .dim("team", if feature == "agent" { "labs" } else { "shop" })
            .build()?)
    }

    /// Search has a cached system prompt and a cheap model. Some calls hit a rate limit and are retried.
    async fn search(&mut self, round: u64) -> anyhow::Result<()> {
        let cached = self.dice.between(1, 10) * 128;
        let usage =
            Usage::new(cached + self.dice.between(80, 900), self.dice.between(40, 220)).cached(cached);
        if self.dice.roll(6) == 0 {
            self.provider.push(Reply::rate_limited().retry_after(0));
        }
        self.provider.push(Reply::new().usage(usage));
        let attribution = self.attribution("search", "POST /search")?;
        let request = chat("gpt-5.4-mini", &format!("search {round}"))?;
        self.client.chat().attributed(&attribution).create(request).await?;
        self.calls.made += 1;
        Ok(())
    }

    /// Support chat uses streams. One stream is abandoned by the customer, and one connection is cut.
    async fn support(&mut self, round: u64) -> anyhow::Result<()> {
        let reasoning = self.dice.between(0, 900);
        let usage = Usage::new(self.dice.between(2_000, 14_000), reasoning + self.dice.between(100, 800))
            .cached(1_024)
            .reasoning(reasoning);
        let reply = Reply::new().usage(usage).chunks(8);
        let leaves = round == 7;
        self.provider.push(match round {
            7 => reply.chunk_delay(Duration::from_millis(15)),
            15 => reply.cut_after(3),
            _ => reply,
        });
        let attribution = self.attribution("support-chat", "POST /support/messages")?;
        let request = chat("gpt-5.5", &format!("support {round}"))?;
        let mut stream = self.client.chat().attributed(&attribution).create_stream(request).await?;
        while let Some(chunk) = stream.next().await {
            if leaves || chunk.is_err() {
                break;
            }
        }
        self.calls.made += 1;
        Ok(())
    }

    /// The agent uses the Responses API. Some calls use the flex tier, one prompt has more than 272,000
    /// tokens, and one call fails because the quota is exhausted.
    async fn agent(&mut self, round: u64) -> anyhow::Result<()> {
        let reasoning = self.dice.between(500, 6_000);
        let input = if round == 11 { 300_000 } else { self.dice.between(4_000, 40_000) };
        let usage = Usage::new(input, reasoning + self.dice.between(200, 2_000))
            .cached(input / 4)
            .reasoning(reasoning);
        match round {
            5 => self.provider.push(Reply::insufficient_quota()),
            _ => self.provider.push(Reply::new().usage(usage).service_tier(if round.is_multiple_of(4) {
                "flex"
            } else {
                "default"
            })),
        }
        let attribution = self.attribution("agent", "queue:agent-tasks")?;
        let request =
            CreateResponseArgs::default().model("gpt-5.5").input(format!("task {round}")).build()?;
        let answer = self.client.responses().attributed(&attribution).create(request).await;
        self.calls.made += 1;
        match answer {
            Err(error) if round != 5 => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn index(&mut self, round: u64) -> anyhow::Result<()> {
        self.provider.push(Reply::new().usage(Usage::new(self.dice.between(2_000, 9_000), 0)));
        let attribution = self.attribution("index", "webhook:catalog")?;
        let request = CreateEmbeddingRequestArgs::default()
            .model("text-embedding-3-small")
            .input(format!("doc {round}"))
            .build()?;
        self.client.embeddings().attributed(&attribution).create(request).await?;
        self.calls.made += 1;
        Ok(())
    }

    /// The digest is background work without a customer: the attribution covers the whole task, and its
    /// customer is `internal`.
    async fn digest(&mut self, round: u64) -> anyhow::Result<()> {
        let fails = round == 18;
        if fails {
            for _ in 0..4 {
                self.provider.push(Reply::status(503).retry_after(0));
            }
        } else {
            self.provider.push(
                Reply::new()
                    .usage(Usage::new(self.dice.between(20_000, 60_000), self.dice.between(300, 900))),
            );
        }
        let attribution = Attribution::builder()
            .feature("digest")
            .route("cron:nightly-digest")
            .customer_id("internal")
            .environment("production")
            .build()?;
        let request = chat("gpt-5-nano", &format!("digest {round}"))?;
        let answer = attribution.scope(async { self.client.chat().create(request).await }).await;
        self.calls.made += 1;
        if fails { Ok(()) } else { Ok(answer.map(drop)?) }
    }

    /// The shop ignored an answer that had arrived and repeated the call under the same request id. The
    /// provider bills both calls; the ledger counts one request.
    async fn paid_twice(&mut self) -> anyhow::Result<()> {
        let attribution = self.attribution("search", "POST /search")?.with_request_id("order-4711")?;
        for output in [180, 205] {
            self.provider.push(Reply::new().usage(Usage::new(1_900, output).cached(1_024)));
            self.client.chat().attributed(&attribution).create(chat("gpt-5.4-mini", "search again")?).await?;
            self.calls.made += 1;
        }
        self.calls.repeated += 1;
        Ok(())
    }

    async fn unknown_model(&mut self) -> anyhow::Result<()> {
        self.provider.push(Reply::new().usage(Usage::new(1_200, 300)).model("gpt-7-preview"));
        let attribution = self.attribution("agent", "queue:agent-tasks")?;
        self.client.chat().attributed(&attribution).create(chat("gpt-7-preview", "hello")?).await?;
        self.calls.made += 1;
        Ok(())
    }
}
