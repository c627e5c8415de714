//! An event about as large as one of a chat call with all its attribution.

use spanledger_event::{CostEvent, CostLine, EventId, JsonText, Timestamp, UsageSource};

/// The event of this number.
pub(crate) fn event(number: i64) -> CostEvent {
    let line = |kind: &'static str, quantity: i64, rate: &str, usd: &str| CostLine {
        kind: kind.into(),
        quantity: quantity.into(),
        unit: "1M tokens".into(),
        rate: rate.parse().unwrap(),
        usd: usd.parse().unwrap(),
    };
    let start = Timestamp::from_nanos(1_763_719_200_000_000_000 + number * 1_234_567);
    CostEvent {
        event: "openai.request".into(),
        event_id: EventId::of_request(&number.to_string(), 0),
        request_id: Some(format!("0190d5c8-0000-7000-8000-{number:012x}")),
        revision: 1,
        timestamp: start,
        feature: Some(format!("feature-{}", number % 8)),
        route: Some(format!("/route/{}", number % 16)),
        customer_id: Some(format!("customer-{}", number % 100)),
        environment: Some("production".into()),
        provider: "openai".into(),
        endpoint: "chat".into(),
        model: Some("gpt-5.5".into()),
        response_model: Some("gpt-5.5-2026-04-23".into()),
        service_tier: Some("default".into()),
        prompt_tokens: Some(15_234 + number),
        cached_tokens: Some(12_000),
        cache_write_tokens: Some(0),
        completion_tokens: Some(812),
        reasoning_tokens: Some(4_500),
        usage_source: UsageSource::Provider,
        latency_ms: Some(1_834 + number % 977),
        cost_usd: "0.18153".parse().ok(),
        cost_state: "priced".into(),
        cost_lines: vec![
            line("input", 3_234 + number, "5.00", "0.01617"),
            line("cached_input", 12_000, "0.50", "0.006"),
            line("output", 812, "30.00", "0.02436"),
            line("reasoning", 4_500, "30.00", "0.135"),
        ],
        price_version: Some("2026-11-20+0123456789ab".into()),
        priced_at: Some(start),
        usage_raw: JsonText::new(format!(
            r#"{{"prompt_tokens":{},"completion_tokens":5312,"total_tokens":{},"prompt_tokens_details":{{"cached_tokens":12000,"audio_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":4500,"audio_tokens":0}}}}"#,
            15_234 + number,
            20_546 + number
        )),
        retry_cost_usd: "0".parse().ok(),
        billed_usd: "0.18153".parse().ok(),
        attempts: 1,
        response_id: Some(format!("chatcmpl-{number:024x}")),
        trace_id: Some(format!("{:032x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()))),
        span_id: Some(format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()))),
        service_name: Some("checkout".into()),
        emitter: "spanledger 0.1.0".into(),
        dims: [("team".to_owned(), "growth".to_owned())].into(),
        ..CostEvent::default()
    }
}
