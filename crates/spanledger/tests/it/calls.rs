use std::{net::Ipv4Addr, time::Duration};

use async_openai::{
    error::OpenAIError,
    types::{
        embeddings::CreateEmbeddingRequestArgs,
        images::{CreateImageRequestArgs, ImageModel, ImageQuality},
        responses::CreateResponseArgs,
    },
};
use spanledger::{Attributed, PriceBook};
use spanledger_event::Flag;
use spanledger_testkit::{Reply, Usage};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use spanledger_testkit::world::{World, attribution, chat_request};

#[tokio::test]
async fn a_chat_is_one_exact_event() {
    let world = World::start().await;
    let usage = Usage::new(15_234, 5_312).cached(12_000).reasoning(4_500);
    world.provider.push(Reply::new().usage(usage).service_tier("default"));
    let answer =
        world.client().chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    assert_eq!(answer.usage.unwrap().total_tokens, 20_546, "the caller's answer is untouched");

    let event = world.event().await;
    // 3,234 × 5 + 12,000 × 0.50 + 812 × 30 + 4,500 × 30, per million.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.18153");
    assert_eq!(
        event.cost_lines.iter().map(|line| line.usd).sum::<spanledger_event::Usd>(),
        event.cost_usd.unwrap()
    );
    assert_eq!((event.prompt_tokens, event.cached_tokens), (Some(15_234), Some(12_000)));
    assert_eq!((event.completion_tokens, event.reasoning_tokens), (Some(812), Some(4_500)));
    assert_eq!((event.endpoint.as_str(), event.provider.as_str()), ("chat", "openai"));
    assert_eq!(event.model.as_deref(), Some("gpt-5.5"));
    assert_eq!(event.response_model.as_deref(), Some("gpt-5.5-2026-04-23"));
    assert_eq!((event.service_tier.as_deref(), event.attempts), (Some("default"), 1));
    assert_eq!(event.response_id.as_deref(), Some(answer.id.as_str()));
    assert_eq!(event.emitter_cost_usd, event.cost_usd);
    assert!(event.flags.is_empty() && event.error_code.is_none());
    assert!(event.usage_raw.unwrap().as_str().contains("cached_tokens"));
}

#[tokio::test]
async fn responses_and_embeddings_are_calls_too() {
    let world = World::start().await;
    world
        .provider
        .push(Reply::new().usage(Usage::new(4_020, 900).cached(1_000).cache_write(500).reasoning(640)));
    let client = world.client();
    let request = CreateResponseArgs::default().model("gpt-5.5").input("hello").build().unwrap();
    client.responses().attributed(&attribution("agent")).create(request).await.unwrap();
    world.provider.push(Reply::new().usage(Usage::new(37, 0)));
    let request =
        CreateEmbeddingRequestArgs::default().model("text-embedding-3-small").input("x").build().unwrap();
    client.embeddings().attributed(&attribution("index")).create(request).await.unwrap();

    let events = world.events().await;
    assert_eq!(events.iter().map(|e| e.endpoint.as_str()).collect::<Vec<_>>(), ["responses", "embeddings"]);
    assert_eq!((events[0].cache_write_tokens, events[0].reasoning_tokens), (Some(500), Some(640)));
    assert_eq!(events[1].cost_usd.unwrap().to_string(), "0.00000074");
}

/// Guarantees: a search has a fee in addition to the tokens.
#[tokio::test]
async fn web_searches_are_billed() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)).web_searches(3).service_tier("default"));
    let client = world.client();
    let request = CreateResponseArgs::default().model("gpt-5.5").input("hello").build().unwrap();
    client.responses().attributed(&attribution("agent")).create(request).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.web_search_calls, Some(3), "{event:#?}");
    // 1,000 × 5 + 100 × 30 per million, and 3 × 10 per thousand.
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.038");
    assert_eq!(event.emitter_cost_usd, event.cost_usd);
}

#[tokio::test]
async fn tier_and_region_are_read_from_inside_the_usage_too() {
    let world = World::start().await;
    let answer = |outside: &str| {
        let usage = r#"{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"service_tier":"batch",
            "inference_geo":"us"}"#;
        let body = format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-5.5","choices":[],{outside}
                "usage":{usage}}}"#
        );
        Reply::raw(200, reqwest::header::HeaderValue::from_static("application/json"), body)
    };
    world.provider.push(answer(""));
    world.provider.push(answer(r#""service_tier":"default","#));
    let client = world.client();
    for text in ["one", "two"] {
        client.chat().attributed(&attribution("search")).create(chat_request(text)).await.unwrap();
    }
    let events = world.events().await;
    let priced: Vec<_> = events
        .iter()
        .map(|e| (e.service_tier.as_deref(), e.region.as_deref(), e.cost_usd.unwrap().to_string()))
        .collect();
    // (1,000 × 2.5 + 100 × 15 per million) × 1.1. A `default` outside does not hide the tier inside.
    let expected = (Some("batch"), Some("us"), "0.0044".to_owned());
    assert_eq!(priced, [expected.clone(), expected]);
    assert!(events.iter().all(|event| event.emitter_cost_usd == event.cost_usd));
}

/// Scenario: a gateway that does not know the usage of its images sends zeros. Guarantees: the images are
/// counted instead. If there is nothing to count, the call is unpriced.
#[tokio::test]
async fn a_usage_of_zeros_is_no_usage() {
    let world = World::start().await;
    let zeros = r#"{"input_tokens":0,"output_tokens":0,"total_tokens":0}"#;
    let gateway = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let base = format!("http://{}/v1", gateway.local_addr().unwrap());
    tokio::spawn(async move {
        let body = format!(r#"{{"created":1,"data":[{{"url":"u"}},{{"url":"v"}}],"usage":{zeros}}}"#);
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ";
        let (mut connection, _) = gateway.accept().await.unwrap();
        let mut request = vec![0; 65_536];
        let _ = connection.read(&mut request).await.unwrap();
        connection.write_all(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    });
    let config = world.config().with_api_base(base);
    let client = spanledger::instrument(config)
        .provider("openai")
        .recorder(world.recorder.clone())
        .max_retries(0)
        .build();
    let request = CreateImageRequestArgs::default()
        .model(ImageModel::Other("dall-e-3".to_owned()))
        .prompt("a cat")
        .quality(ImageQuality::HD)
        .build()
        .unwrap();
    let images = client.images();
    // The typed client may refuse this answer, but the images are billed.
    drop(images.attributed(&attribution("pictures")).generate(request).await);
    let event = world.event().await;
    assert_eq!((event.images, event.cost_state.as_str()), (Some(2), "priced"), "{event:#?}");
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.16");

    world.provider.push(Reply::new().usage(Usage::new(0, 0)));
    world.client().chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    let events = world.events().await;
    assert_eq!(events[1].cost_reason.as_deref(), Some("no_usage"));
}

/// A call to a regional host is processed in that region, which costs more.
#[tokio::test]
async fn a_regional_host_is_billed_with_its_uplift() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)).service_tier("default"));
    let host = "eu.api.openai.com";
    let http_client =
        reqwest::Client::builder().resolve(host, world.provider.addr()).no_proxy().build().unwrap();
    let config = world.config().with_api_base(format!("http://{host}:{}/v1", world.provider.addr().port()));
    let client =
        spanledger::instrument(config).http_client(http_client).recorder(world.recorder.clone()).build();
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    let event = world.event().await;
    // (1,000 × 5 + 100 × 30 per million) × 1.1.
    assert_eq!(
        (event.region.as_deref(), event.cost_usd.unwrap().to_string().as_str()),
        (Some("eu"), "0.0088")
    );
}

#[tokio::test]
async fn retries_of_one_call_are_one_event() {
    let world = World::start().await;
    world.provider.push(Reply::rate_limited().retry_after(0));
    world.provider.push(Reply::status(500));
    world.client().chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    let event = world.event().await;
    assert_eq!((event.attempts, event.error_code, event.cost_state.as_str()), (3, None, "priced"));
    assert_eq!(world.provider.requests().len(), 3);
}

#[tokio::test]
async fn a_failed_call_is_free_and_says_why() {
    let world = World::start().await;
    let client = world.instrument().max_retries(0).build();
    for (reply, code) in [
        (Reply::insufficient_quota(), "insufficient_quota"),
        (Reply::status(503), "server_error"),
        (Reply::invalid_request("no such parameter"), "invalid_request_error"),
    ] {
        world.provider.push(reply);
        client.chat().attributed(&attribution(code)).create(chat_request(code)).await.unwrap_err();
    }
    for event in world.events().await {
        assert_eq!(event.error_code, event.feature, "{event:#?}");
        assert_eq!(
            (event.cost_usd.unwrap().to_string().as_str(), event.cost_state.as_str()),
            ("0", "priced")
        );
    }
}

#[tokio::test]
async fn the_same_request_with_the_same_id_is_the_same_event() {
    let world = World::start().await;
    let client = world.instrument().max_retries(0).build();
    let attribution = attribution("search").with_request_id("order-7").unwrap();
    world.provider.push(Reply::status(500));
    client.chat().attributed(&attribution).create(chat_request("hello")).await.unwrap_err();
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    client.chat().attributed(&attribution).create(chat_request("hello")).await.unwrap();
    let event = world.event().await;
    assert_eq!((event.attempts, event.retry_cost_usd.unwrap().to_string().as_str()), (2, "0"));

    // A second success is a second charge of the same event, because both are on the invoice.
    world.provider.push(Reply::new().usage(Usage::new(1_000, 200)));
    client.chat().attributed(&attribution).create(chat_request("hello")).await.unwrap();
    let event = world.event().await;
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.008");
    assert_eq!(event.retry_cost_usd.unwrap().to_string(), "0.011");
    assert_eq!(event.billed_usd.unwrap().to_string(), "0.019");

    // The same id with another request is another event.
    client.chat().attributed(&attribution).create(chat_request("something else")).await.unwrap();
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn a_call_whose_cost_cannot_be_known_is_unpriced_with_a_reason() {
    let world = World::start().await;
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)).service_tier("hyperdrive"));
    let client = world.client();
    let error =
        client.chat().attributed(&attribution("search")).create(chat_request("one")).await.unwrap_err();
    assert!(matches!(error, OpenAIError::JSONDeserialize(..)), "{error:?}");
    world.provider.push(Reply::not_json());
    client.chat().attributed(&attribution("search")).create(chat_request("two")).await.unwrap_err();
    world.provider.push(Reply::new().without_usage());
    client.chat().attributed(&attribution("search")).create(chat_request("three")).await.unwrap();
    world.provider.push(Reply::new().usage(Usage::new(10, 10).cached(11)));
    client.chat().attributed(&attribution("search")).create(chat_request("four")).await.unwrap();
    world.provider.push(Reply::new().usage(Usage::new(10, 10)).model("gpt-9-unheard-of"));
    client.chat().attributed(&attribution("search")).create(chat_request("five")).await.unwrap();

    let events = world.events().await;
    let reasons: Vec<_> = events.iter().map(|e| e.cost_reason.as_deref().unwrap()).collect();
    assert_eq!(reasons, ["no_rate_for_tier", "no_usage", "no_usage", "contradictory_usage", "unknown_model"]);
    assert!(
        events.iter().all(|e| e.cost_usd.is_none() && e.billed_usd.is_none() && e.cost_state == "unpriced")
    );
    assert_eq!(events[0].prompt_tokens, Some(1_000));
}

#[tokio::test]
async fn a_call_that_its_caller_gave_up_is_recorded_as_incomplete() {
    let world = World::start().await;
    world.provider.push(Reply::hang());
    let client = world.client();
    let group = client.chat().attributed(&attribution("search"));
    let waited = tokio::time::timeout(Duration::from_millis(200), group.create(chat_request("hello"))).await;
    assert!(waited.is_err());
    let event = world.event().await;
    assert_eq!((event.error_code.as_deref(), event.cost_usd), (Some("cancelled"), None));
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_free_failure() {
    let world = World::start().await;
    let config = world.config().with_api_base("http://127.0.0.1:1/v1");
    let client = spanledger::instrument(config)
        .provider("openai")
        .recorder(world.recorder.clone())
        .max_retries(0)
        .build();
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap_err();
    let event = world.event().await;
    assert_eq!(
        (event.error_code.as_deref(), event.cost_state.as_str()),
        (Some("connection_error"), "priced")
    );
}

#[tokio::test]
async fn the_users_own_http_client_is_used() {
    let world = World::start().await;
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("x-from-my-client", "yes".parse().unwrap());
    let http_client = reqwest::Client::builder().default_headers(headers).build().unwrap();
    let client = world.instrument().http_client(http_client).build();
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    assert_eq!(world.provider.requests()[0].header("x-from-my-client"), Some("yes"));
    world.event().await;
}

/// Guarantees: reading a stored response again is not a charge.
#[tokio::test]
async fn reading_a_stored_call_costs_nothing() {
    let world = World::start().await;
    let client = world.client();
    let request = CreateResponseArgs::default().model("gpt-5.5").input("hello").build().unwrap();
    let answer = client.responses().attributed(&attribution("agent")).create(request).await.unwrap();
    client.responses().retrieve(&answer.id).await.unwrap();
    assert_eq!(world.event().await.attempts, 1);
}

/// The span has the cost of the recorder's book. The event has the cost of the receiver's book and a
/// flag that the two differ.
#[tokio::test]
async fn a_recorder_prices_with_its_own_book() {
    let world = World::start().await;
    let ours = r#"
        [provider]
        name = "openai"
        [sources]
        contract = "enterprise agreement of 2026"
        [[discount]]
        percent = "10"
        sources = ["contract"]
        prices_checked = 2026-01-05
    "#;
    let book = PriceBook::builtin().layered([("prices.toml", ours)]).unwrap();
    let recorder = world.recorder.clone().with_price_book(book);
    let client = world.instrument().recorder(recorder).build();
    world.provider.push(Reply::new().usage(Usage::new(1_000, 100)));
    client.chat().attributed(&attribution("search")).create(chat_request("hello")).await.unwrap();
    // Both recorders share a queue, so that flushing the first one is enough.
    let event = world.event().await;
    assert_eq!(event.cost_usd.unwrap().to_string(), "0.008");
    assert_eq!(event.emitter_cost_usd.unwrap().to_string(), "0.0072");
    assert_eq!(event.flags, [Flag::EmitterCostDiffers]);
}
