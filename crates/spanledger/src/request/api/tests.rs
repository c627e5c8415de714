use super::*;

#[test]
fn a_post_is_billed_or_free_by_the_end_of_its_path() {
    for (path, expected) in [
        ("/v1/chat/completions", Billed(Endpoint::Chat)),
        ("/openai/deployments/gpt/chat/completions", Billed(Endpoint::Chat)),
        ("/v1/completions", Billed(Endpoint::Completions)),
        ("/v1/responses/", Billed(Endpoint::Responses)),
        ("/v1/responses/compact", Billed(Endpoint::Responses)),
        ("/v1/audio/translations", Billed(Endpoint::AudioTranslation)),
        ("/v1/moderations", FreeCall(Endpoint::Moderations)),
        ("/v1/batches", Billed(Endpoint::Batch)),
        ("/v1/videos/video_1/remix", Billed(Endpoint::Other)),
        ("/v1/evals/eval_1/runs", Billed(Endpoint::Other)),
        ("/v1/chat/completions/chatcmpl-1", Free),
        ("/v1/responses/resp_1/cancel", Free),
        ("/v1/responses/input_tokens", Free),
        ("/v1/evals/eval_1/runs/run_1", Free),
        ("/v1/files", Free),
        ("/v1/organization/projects", Free),
        ("/gateway/organization/acme/v1/chat/completions", Billed(Endpoint::Chat)),
        ("/v1/messages", Billing::Unknown),
        ("/v1/threads/runs", Billing::Unknown),
        ("/", Billing::Unknown),
    ] {
        assert_eq!(billing_of(&Method::POST, path), expected, "{path}");
    }
}

#[test]
fn what_reads_lists_or_deletes_is_free() {
    for method in [Method::GET, Method::DELETE, Method::HEAD] {
        for path in ["/v1/chat/completions", "/v1/responses/resp_1", "/v1/something/new"] {
            assert_eq!(billing_of(&method, path), Free, "{method} {path}");
        }
    }
}
