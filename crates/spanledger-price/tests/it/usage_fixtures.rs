//! Usage objects as the providers send them, each with its expected buckets.
//!
//! The forms are from the vendors' references and from recorded responses. The numbers are invented.

use spanledger_event::Endpoint;

/// A usage object and its expected counts, in the format of [`show`](crate::usage::show).
pub(crate) struct Fixture {
    pub(crate) provider: &'static str,
    pub(crate) endpoint: Endpoint,
    pub(crate) json: &'static str,
    pub(crate) buckets: &'static str,
}

const fn at(
    provider: &'static str,
    endpoint: Endpoint,
    json: &'static str,
    buckets: &'static str,
) -> Fixture {
    Fixture { provider, endpoint, json, buckets }
}

const fn of(provider: &'static str, json: &'static str, buckets: &'static str) -> Fixture {
    at(provider, Endpoint::Other, json, buckets)
}

pub(crate) const FIXTURES: [Fixture; 61] = [
    // OpenAI.
    of("openai", r#"{"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}"#, "input 7, output 5"),
    at(
        "openai",
        Endpoint::Chat,
        r#"{"prompt_tokens": 1500, "completion_tokens": 500, "total_tokens": 2000,
            "prompt_tokens_details": {"cached_tokens": 1024, "audio_tokens": 0, "cache_write_tokens": 100},
            "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0,
                "accepted_prediction_tokens": 20, "rejected_prediction_tokens": 30}}"#,
        "input 376, cached_input 1024, cache_write 100, output 200, reasoning 300",
    ),
    at(
        "azure.ai.openai",
        Endpoint::Responses,
        r#"{"input_tokens": 20000, "output_tokens": 500, "total_tokens": 20500,
            "input_tokens_details": {"cached_tokens": 500, "cache_write_tokens": 10000,
                "cache_write_tokens_details": {"ttl_30m_tokens": 4000, "ttl_12h_tokens": 6000}},
            "output_tokens_details": {"reasoning_tokens": 64},
            "tool_usage": {"web_search": {"num_requests": 2}}}"#,
        "input 9500, cached_input 500, cache_write 4000, cache_write_12h 6000, output 436, reasoning 64, \
         web_search 2",
    ),
    at(
        "openai",
        Endpoint::Responses,
        r#"{"input_tokens": 90, "output_tokens": 30, "total_tokens": 120, "tool_usage": {
            "image_gen": {"input_tokens": 12, "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
                "output_tokens": 272, "total_tokens": 284}}}"#,
        "input 90, output 30, image_tool_input_tokens 12, image_tool_output_tokens 272",
    ),
    at("az.ai.openai", Endpoint::Embeddings, r#"{"prompt_tokens": 8, "total_tokens": 8}"#, "input 8"),
    at(
        "openai",
        Endpoint::Images,
        r#"{"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40,
                "cached_tokens": 25, "cached_tokens_details": {"text_tokens": 5, "image_tokens": 20}},
            "output_tokens": 1056, "total_tokens": 1106}"#,
        "input 5, cached_input 5, image_input 20, cached_image_input 20, image_output 1056",
    ),
    at(
        "openai",
        Endpoint::Images,
        r#"{"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
            "output_tokens": 1100, "output_tokens_details": {"text_tokens": 44, "image_tokens": 1056},
            "total_tokens": 1150}"#,
        "input 10, image_input 40, output 44, image_output 1056",
    ),
    at(
        "openai",
        Endpoint::AudioSpeech,
        r#"{"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}"#,
        "input 14, audio_output 101",
    ),
    at(
        "openai",
        Endpoint::AudioTranscription,
        r#"{"type": "tokens", "total_tokens": 115, "input_tokens": 14,
            "input_token_details": {"text_tokens": 3, "audio_tokens": 11}, "output_tokens": 101}"#,
        "input 3, audio_input 11, output 101",
    ),
    at("openai", Endpoint::AudioTranscription, r#"{"type": "duration", "seconds": 61}"#, "audio_seconds 61"),
    at(
        "openai",
        Endpoint::AudioTranslation,
        r#"{"type": "duration", "seconds": "2.50"}"#,
        "audio_seconds 2.5",
    ),
    at(
        "openai",
        Endpoint::Realtime,
        r#"{"total_tokens": 1500, "input_tokens": 1000, "output_tokens": 500,
            "input_token_details": {"text_tokens": 600, "audio_tokens": 250, "image_tokens": 150,
                "cached_tokens": 400,
                "cached_tokens_details": {"text_tokens": 250, "audio_tokens": 100, "image_tokens": 50}},
            "output_token_details": {"text_tokens": 200, "audio_tokens": 300}}"#,
        "input 350, cached_input 250, audio_input 150, cached_audio_input 100, image_input 100, \
         cached_image_input 50, output 200, audio_output 300",
    ),
    at(
        "openai",
        Endpoint::Batch,
        r#"{"input_tokens": 1500, "input_tokens_details": {"cached_tokens": 1024}, "output_tokens": 500,
            "output_tokens_details": {"reasoning_tokens": 300}, "total_tokens": 2000}"#,
        "input 476, cached_input 1024, output 200, reasoning 300",
    ),
    // Gateways, and providers that are not known here.
    of(
        "openrouter",
        r#"{"prompt_tokens": 900, "completion_tokens": 69, "total_tokens": 969,
            "prompt_tokens_details": {"video_tokens": 500, "cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "image_tokens": 0},
            "server_tool_use_details": {"tool_calls_requested": 1, "tool_calls_executed": 1}}"#,
        "input 400, output 69, server_tool_calls 1, video_tokens 500",
    ),
    of(
        "moonshot",
        r#"{"prompt_tokens": 32, "completion_tokens": 5, "total_tokens": 37, "cached_tokens": 30}"#,
        "input 2, cached_input 30, output 5",
    ),
    of(
        "perplexity",
        r#"{"prompt_tokens": 20, "completion_tokens": 900, "total_tokens": 920, "citation_tokens": 4000,
            "num_search_queries": 28, "reasoning_tokens": 70000, "search_context_size": "low"}"#,
        "input 20, output 900, citation_tokens 4000, reasoning_tokens 70000, search_queries 28",
    ),
    of(
        "litellm",
        r#"{"prompt_tokens": 3329, "completion_tokens": 53, "total_tokens": 3382,
            "prompt_tokens_details": {"cached_tokens": 3211, "cache_creation_tokens": 115,
                "cache_creation_token_details": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 100}},
            "cache_creation_input_tokens": 115, "cache_read_input_tokens": 3211}"#,
        "input 3, cached_input 3211, cache_write 15, cache_write_1h 100, output 53",
    ),
    of("acme", r#"{"generated_images": 2, "prompt_tokens": 0}"#, "images 2"),
    of("acme", r#"{"characters": 512}"#, "characters 512"),
    of("acme", r#"{"video_seconds": 8.5}"#, "video_seconds 8.5"),
    // Anthropic.
    of("anthropic", r#"{"input_tokens": 12, "output_tokens": 44}"#, "input 12, output 44"),
    of(
        "anthropic",
        r#"{"input_tokens": 3, "cache_creation_input_tokens": 1956, "cache_read_input_tokens": 9511,
            "cache_creation": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 956},
            "output_tokens": 44, "output_tokens_details": {"thinking_tokens": 30},
            "service_tier": "standard", "inference_geo": "global"}"#,
        "input 3, cached_input 9511, cache_write 1000, cache_write_1h 956, output 14, reasoning 30",
    ),
    of(
        "Anthropic",
        r#"{"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_creation": null, "output_tokens": 1}"#,
        "input 3, cache_write 10, output 1",
    ),
    of(
        "anthropic.messages",
        r#"{"input_tokens": 3, "cache_creation": {"ephemeral_1h_input_tokens": 10}, "output_tokens": 1}"#,
        "input 3, cache_write_1h 10, output 1",
    ),
    of(
        "anthropic",
        r#"{"input_tokens": 26447, "output_tokens": 528, "server_tool_use": {"web_fetch_requests": 1,
            "web_search_requests": 2, "code_execution_requests": 3}}"#,
        "input 26447, output 528, web_search 2, code_execution_requests 3",
    ),
    of(
        "anthropic",
        r#"{"input_tokens": 180, "output_tokens": 8, "cache_read_input_tokens": 0, "iterations": [
            {"type": "compaction", "input_tokens": 100, "cache_creation_input_tokens": 55000,
                "cache_creation": {"ephemeral_5m_input_tokens": 55000}, "output_tokens": 82},
            {"type": "message", "input_tokens": 180, "output_tokens": 8}]}"#,
        "input 280, cache_write 55000, output 90",
    ),
    of(
        "anthropic",
        r#"{"input_tokens": 2390, "output_tokens": 121, "iterations": [
            {"type": "message", "input_tokens": 1128, "output_tokens": 110},
            {"type": "advisor_message", "model": "a-dearer-one", "input_tokens": 2518, "output_tokens": 22},
            {"type": "message", "input_tokens": 1262, "output_tokens": 11}]}"#,
        "input 2390, output 121, advisor_tokens 2540",
    ),
    of(
        "anthropic",
        r#"{"prompt_tokens": 14, "completion_tokens": 2, "total_tokens": 16}"#,
        "input 14, output 2",
    ),
    of(
        "gcp.vertex_ai",
        r#"{"input_tokens": 3, "cache_read_input_tokens": 100, "output_tokens": 2}"#,
        "input 3, cached_input 100, output 2",
    ),
    of(
        "aws.bedrock",
        r#"{"input_tokens": 3, "cache_creation_input_tokens": 100, "output_tokens": 2}"#,
        "input 3, cache_write 100, output 2",
    ),
    // Bedrock's own.
    of("aws.bedrock", r#"{"inputTokens": 25, "outputTokens": 4, "totalTokens": 29}"#, "input 25, output 4"),
    of(
        "bedrock",
        r#"{"inputTokens": 3, "outputTokens": 121, "totalTokens": 2072, "serverToolUsage": {},
            "cacheReadInputTokens": 1712, "cacheReadInputTokenCount": 1712,
            "cacheWriteInputTokens": 236, "cacheWriteInputTokenCount": 236,
            "cacheDetails": [{"inputTokens": 200, "ttl": "5m"}, {"inputTokens": 36, "ttl": "1h"}]}"#,
        "input 3, cached_input 1712, cache_write 200, cache_write_1h 36, output 121",
    ),
    // Google.
    of(
        "gcp.gemini",
        r#"{"promptTokenCount": 35, "candidatesTokenCount": 12, "thoughtsTokenCount": 59,
            "totalTokenCount": 106, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 35}],
            "trafficType": "ON_DEMAND"}"#,
        "input 35, output 12, reasoning 59",
    ),
    of(
        "google",
        r#"{"promptTokenCount": 3284, "cachedContentTokenCount": 2917, "candidatesTokenCount": 84,
            "thoughtsTokenCount": 38, "totalTokenCount": 3406,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70},
                {"modality": "VIDEO", "tokenCount": 2893}, {"modality": "AUDIO", "tokenCount": 321}],
            "cacheTokensDetails": [{"modality": "VIDEO", "tokenCount": 2570},
                {"modality": "TEXT", "tokenCount": 62}, {"modality": "AUDIO", "tokenCount": 285}]}"#,
        "input 8, cached_input 62, audio_input 36, cached_audio_input 285, output 84, reasoning 38, \
         cached_video_tokens 2570, video_tokens 323",
    ),
    of(
        "gemini",
        r#"{"promptTokenCount": 328, "cachedContentTokenCount": 220, "candidatesTokenCount": 63,
            "totalTokenCount": 391,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 70}, {"modality": "DOCUMENT", "tokenCount": 258}],
            "cacheTokensDetails": [{"modality": "DOCUMENT", "tokenCount": 173}, {"modality": "TEXT", "tokenCount": 47}]}"#,
        "input 23, cached_input 47, image_input 85, cached_image_input 173, output 63",
    ),
    of(
        "vertex_ai",
        r#"{"promptTokenCount": 85, "toolUsePromptTokenCount": 132, "candidatesTokenCount": 28,
            "thoughtsTokenCount": 54, "totalTokenCount": 299,
            "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 32}, {"modality": "IMAGE", "tokenCount": 100}]}"#,
        "input 117, image_input 100, output 28, reasoning 54",
    ),
    of(
        "gcp.vertex_ai",
        r#"{"promptTokenCount": 33, "candidatesTokenCount": 1780, "totalTokenCount": 2342,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}], "thoughtsTokenCount": 529}"#,
        "input 33, output 660, reasoning 529, image_output 1120",
    ),
    of(
        "gcp.vertex_ai",
        r#"{"promptTokenCount": 10, "candidatesTokenCount": 90, "thoughtsTokenCount": 60, "totalTokenCount": 100}"#,
        "input 10, output 30, reasoning 60",
    ),
    of(
        "gcp.gen_ai",
        r#"{"prompt_token_count": 10, "cached_content_token_count": null, "candidates_token_count": 2,
            "total_token_count": 12, "prompt_tokens_details": [{"modality": "MediaModality.AUDIO", "token_count": 4},
                {"modality": 1, "token_count": 5}, {"modality": "SMELL", "token_count": 1}]}"#,
        "input 5, audio_input 4, output 2, other_modality_tokens 1",
    ),
    of(
        "google",
        r#"{"promptTokenCount": 11, "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 11}]}"#,
        "input 11",
    ),
    of(
        "google",
        r#"{"promptTokenCount": 10, "responseTokenCount": 20, "totalTokenCount": 30,
            "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 20}]}"#,
        "input 10, audio_output 20",
    ),
    of(
        "gemini",
        r#"{"total_input_tokens": 11, "total_cached_tokens": 0, "total_output_tokens": 90,
            "total_thought_tokens": 245, "total_tool_use_tokens": 0, "total_tokens": 346,
            "input_tokens_by_modality": [{"modality": "text", "tokens": 11}], "raw_prompt_token": 11,
            "grounding_tool_count": [{"type": "google_search", "count": 2, "search_query_count": 3}]}"#,
        "input 11, output 90, reasoning 245, grounding_queries 3",
    ),
    of(
        "google",
        r#"{"prompt_tokens": 14, "completion_tokens": 9, "total_tokens": 53,
            "completion_tokens_details": {"reasoning_tokens": 30}}"#,
        "input 14, output 9, reasoning 30",
    ),
    // DeepSeek.
    of(
        "deepseek",
        r#"{"prompt_tokens": 100, "completion_tokens": 789, "total_tokens": 889,
            "prompt_cache_hit_tokens": 64, "prompt_cache_miss_tokens": 36,
            "prompt_tokens_details": {"cached_tokens": 64},
            "completion_tokens_details": {"reasoning_tokens": 415}}"#,
        "input 36, cached_input 64, output 374, reasoning 415",
    ),
    of(
        "deepseek",
        r#"{"prompt_tokens": 12, "completion_tokens": 3, "prompt_cache_hit_tokens": 0, "prompt_cache_miss_tokens": 12}"#,
        "input 12, output 3",
    ),
    // Mistral.
    of(
        "mistral_ai",
        r#"{"prompt_tokens": 94, "completion_tokens": 33, "total_tokens": 127, "num_cached_tokens": 48}"#,
        "input 46, cached_input 48, output 33",
    ),
    of(
        "mistral",
        r#"{"prompt_tokens": 94, "completion_tokens": 33, "total_tokens": 127, "prompt_audio_seconds": null,
            "prompt_tokens_details": {"cached_tokens": 64}}"#,
        "input 30, cached_input 64, output 33",
    ),
    of(
        "mistral",
        r#"{"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264}"#,
        "input 4, output 635, audio_seconds 203",
    ),
    of("mistral", r#"{"pages_processed": 29, "doc_size_bytes": 1024}"#, "pages 29"),
    of(
        "mistral",
        r#"{"prompt_tokens": 188, "completion_tokens": 55, "total_tokens": 7355, "connector_tokens": 7112,
            "connectors": {"web_search": 1, "image_generation": 2}}"#,
        "input 188, output 55, web_search 1, connector_tokens 7112, image_generation_calls 2",
    ),
    // xAI.
    of(
        "x_ai",
        r#"{"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 409, "num_sources_used": 4,
            "prompt_tokens_details": {"text_tokens": 100, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 60},
            "completion_tokens_details": {"reasoning_tokens": 300, "audio_tokens": 0,
                "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}}"#,
        "input 40, cached_input 60, output 9, reasoning 300, search_sources 4",
    ),
    of(
        "xai",
        r#"{"prompt_tokens": 687, "completion_tokens": 240, "total_tokens": 927,
            "completion_tokens_details": {"reasoning_tokens": 165}}"#,
        "input 687, output 75, reasoning 165",
    ),
    of(
        "grok",
        r#"{"input_tokens": 7583, "input_tokens_details": {"cached_tokens": 3072}, "output_tokens": 3192,
            "output_tokens_details": {"reasoning_tokens": 92}, "total_tokens": 10775, "num_sources_used": 0,
            "num_server_side_tools_used": 6, "cost_in_usd_ticks": 292331500,
            "server_side_tool_usage_details": {"web_search_calls": 1, "x_search_calls": 3,
                "code_interpreter_calls": 1, "file_search_calls": 1, "mcp_calls": 5, "document_search_calls": 0},
            "context_details": {"input_tokens": 5993, "output_tokens": 2995}}"#,
        "input 4511, cached_input 3072, output 3100, reasoning 92, web_search 1, file_search 1, \
         code_interpreter 1, x_search_calls 3",
    ),
    of(
        "x.ai",
        r#"{"prompt_tokens": 100, "completion_tokens": 10, "reasoning_tokens": 50, "total_tokens": 160,
            "prompt_text_tokens": 80, "prompt_image_tokens": 20, "cached_prompt_text_tokens": 30}"#,
        "input 50, cached_input 30, image_input 20, output 10, reasoning 50",
    ),
    // Groq.
    of(
        "groq",
        r#"{"queue_time": 0.005052002, "prompt_time": 0.56585145, "completion_time": 0.574329735,
            "total_time": 1.140181185, "prompt_tokens": 336, "completion_tokens": 96, "total_tokens": 432,
            "prompt_tokens_details": {"cached_tokens": 256}, "completion_tokens_details": {"reasoning_tokens": 59}}"#,
        "input 80, cached_input 256, output 37, reasoning 59",
    ),
    // Cohere.
    of(
        "cohere",
        r#"{"billed_units": {"input_tokens": 45.0, "output_tokens": 29.0},
            "tokens": {"input_tokens": 1469, "output_tokens": 42}, "cached_tokens": 1024}"#,
        "input 45, output 29",
    ),
    of(
        "cohere",
        r#"{"tokens": {"input_tokens": 1469, "output_tokens": 42}, "cached_tokens": 1024}"#,
        "input 445, cached_input 1024, output 42",
    ),
    of(
        "cohere",
        r#"{"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}"#,
        "search_units 1",
    ),
    of("cohere", r#"{"billed_units": {"classifications": 3}}"#, "classifications 3"),
    of(
        "cohere",
        r#"{"billed_units": {"input_tokens": 4, "image_tokens": 258, "images": 1}}"#,
        "input 4, image_input 258, input_images 1",
    ),
    of("cohere", r#"{"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}"#, "input 4, output 2"),
];
