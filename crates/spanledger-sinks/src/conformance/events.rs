//! Events with values that are hard to store.

use spanledger_event::{
    CostEvent, CostLine, EventId, EventState, Flag, JsonText, Timestamp, UsageSource, Usd,
};

/// Events with these numbers. Among them are events with the greatest amounts, with every column, with no
/// optional column, with quotes, line breaks and letters of many scripts, and with large dimensions.
pub fn events(numbers: std::ops::Range<i64>) -> Vec<CostEvent> {
    numbers.map(event).collect()
}

/// The event of this number.
pub fn event(number: i64) -> CostEvent {
    let mut event = CostEvent {
        event: "openai.request".to_owned(),
        event_id: EventId::of_request(&number.to_string(), 0),
        revision: 1,
        timestamp: Timestamp::from_nanos(1_763_719_200_123_456_789 + number * 7_919_000_000),
        provider: "openai".to_owned(),
        endpoint: "chat".to_owned(),
        cost_state: "unpriced".to_owned(),
        attempts: 1,
        emitter: "conformance".to_owned(),
        ..CostEvent::default()
    };
    match number % 5 {
        0 => fill(&mut event, number),
        1 => extremes(&mut event, number),
        2 => texts(&mut event, number),
        3 => large(&mut event),
        // No optional column.
        _ => {}
    }
    event
}

/// Every column has a value.
fn fill(event: &mut CostEvent, number: i64) {
    let text = |text: &str| Some(format!("{text}-{number}"));
    *event = CostEvent {
        request_id: text("request"),
        superseded_by: Some(EventId::of_request("successor", 0)),
        feature: text("feature"),
        route: Some("POST /v1/answers".to_owned()),
        customer_id: text("customer"),
        environment: Some("production".to_owned()),
        model: Some("gpt-5.6-sol".to_owned()),
        response_model: Some("gpt-5.6-sol-2026-07-01".to_owned()),
        service_tier: Some("default".to_owned()),
        region: Some("eu".to_owned()),
        organization: text("org"),
        project: text("proj"),
        prompt_tokens: Some(1_000 + number),
        cached_tokens: Some(600),
        cache_write_tokens: Some(7),
        completion_tokens: Some(250),
        reasoning_tokens: Some(0),
        audio_prompt_tokens: Some(1),
        audio_completion_tokens: Some(2),
        image_prompt_tokens: Some(3),
        image_completion_tokens: Some(4),
        images: Some(1),
        audio_seconds: "12.345678".parse().ok(),
        web_search_calls: Some(2),
        file_search_calls: Some(1),
        code_interpreter_calls: Some(1),
        usage_source: UsageSource::Provider,
        latency_ms: Some(1_234),
        time_to_first_token_ms: Some(56),
        stream: number % 2 == 0,
        cost_usd: Some(Usd::from_picos(1_234_567_890_123)),
        cost_state: "priced".to_owned(),
        cost_reason: Some("unknown_model".to_owned()),
        cost_detail: Some("the model is not in the price book".to_owned()),
        cost_lines: vec![CostLine {
            kind: "input".into(),
            quantity: "0.0004".parse().unwrap_or_default(),
            unit: "1M tokens".into(),
            rate: "2.5".parse().unwrap_or_default(),
            usd: Usd::from_picos(1_234_567_890_123),
        }],
        price_version: Some("2026-11-01.0123456789ab".to_owned()),
        priced_at: Some(Timestamp::from_nanos(1_763_719_200_000_001_000)),
        usage_raw: JsonText::new(r#"{"total_tokens":1250,"details":{"x":[1,2.50,"ü"]}}"#),
        emitter_cost_usd: Some(Usd::from_picos(1)),
        retry_cost_usd: Some(Usd::from_picos(0)),
        billed_usd: Some(Usd::from_picos(1_234_567_890_123)),
        attempts: 3,
        error_code: Some("rate_limit_exceeded".to_owned()),
        prompt_cache_key: text("cache"),
        reasoning_effort: Some("high".to_owned()),
        batch_job_id: text("batch"),
        response_id: text("resp"),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        span_id: Some("00f067aa0ba902b7".to_owned()),
        parent_span_id: Some("00f067aa0ba902b8".to_owned()),
        service_name: Some("answers".to_owned()),
        flags: vec![Flag::PossibleDuplicate, Flag::CostUpperBound],
        dims: [("team".to_owned(), "growth".to_owned()), ("plan".to_owned(), "pro".to_owned())].into(),
        ..event.clone()
    };
}

/// The greatest and the smallest numbers.
fn extremes(event: &mut CostEvent, number: i64) {
    // The greatest amount that a DECIMAL(24,12) holds.
    let greatest = 10_i128.pow(24) - 1 - i128::from(number);
    event.cost_state = "priced".into();
    event.cost_usd = Some(Usd::from_picos(greatest));
    event.billed_usd = Some(Usd::from_picos(1));
    event.emitter_cost_usd = Some(Usd::from_picos(0));
    event.prompt_tokens = Some(i64::MAX - number);
    event.completion_tokens = Some(0);
    event.latency_ms = Some(1_000_000_000);
    event.audio_seconds = "123456789.000001".parse().ok();
}

/// Texts that break a quoting that is not complete.
fn texts(event: &mut CostEvent, number: i64) {
    event.feature =
        Some(format!("feature \"{number}\"\n\r\t\\ 'x'; DROP TABLE t; -- ünïcode 日本語 🦀 \u{202e}rtl"));
    event.route = Some(r"C:\new\table \N \. {x} $1 %s".to_owned());
    event.customer_id = Some(",;|\u{7f}\u{85}\u{2028}".to_owned());
    event.environment = Some(String::new());
    event.cost_detail = Some("NULL".to_owned());
    event.error_code = Some("\\N".to_owned());
    event.usage_raw = JsonText::new(r#"{"a\"b":"\\n\u0001","c":null,"d":1e400}"#);
    event.dims = [("a b.c/é".to_owned(), "x\ny".to_owned()), ("quote'\"".to_owned(), "{}".to_owned())].into();
}

/// As many and as long dimensions as the limits allow.
fn large(event: &mut CostEvent) {
    event.state = EventState::Live;
    event.feature = Some("f".repeat(256));
    event.dims = (0..64).map(|number| (format!("dimension-{number:03}"), "値".repeat(80))).collect();
    event.usage_raw = JsonText::new(format!("{{\"long\":\"{}\"}}", "u".repeat(16_000)));
}
