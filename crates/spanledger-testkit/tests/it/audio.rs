//! Audio, as the typed client reads it.

#![allow(deprecated, reason = "translations are billed until they are shut down")]

use async_openai::types::audio::{
    AudioInput, AudioResponseFormat, CreateSpeechResponseStreamEvent, CreateTranscriptionRequest,
    CreateTranscriptionResponseStreamEvent, CreateTranslationRequest, TranscriptionUsage,
    TranslationResponseFormat,
};
use futures_util::StreamExt;
use serde_json::json;
use spanledger_testkit::{Reply, Usage};

use crate::support::{body, client, post, provider, typed};

fn recording() -> AudioInput {
    AudioInput::from_vec_u8("talk.mp3".to_owned(), vec![0; 5_000])
}

fn transcription(model: &str, format: AudioResponseFormat) -> CreateTranscriptionRequest {
    CreateTranscriptionRequest {
        file: recording(),
        model: model.to_owned(),
        response_format: Some(format),
        ..CreateTranscriptionRequest::default()
    }
}

#[tokio::test]
async fn speech_is_bytes_without_a_usage() {
    let provider = provider([Reply::answer("beep"), Reply::answer("beep")]).await;
    let request = json!({"model": "tts-1", "input": "Hello", "voice": "alloy"});
    let spoken = client(&provider).audio().speech().create(typed(request.clone())).await.unwrap();
    assert_eq!(&spoken.bytes[..], b"beep");
    let raw = post(&provider, "/audio/speech", &request).await;
    assert_eq!(raw.headers()["content-type"], "audio/mpeg");
}

#[tokio::test]
async fn streamed_speech_ends_with_its_usage() {
    let provider = provider([Reply::answer("a b").usage(Usage::new(5, 80))]).await;
    let request =
        json!({"model": "gpt-4o-mini-tts", "input": "Hello", "voice": "alloy", "stream_format": "sse"});
    let stream = client(&provider).audio().speech().create_stream(typed(request)).await.unwrap();
    let events: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(events.len(), 3);
    let Some(CreateSpeechResponseStreamEvent::SpeechAudioDone(done)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((done.usage.input_tokens, done.usage.output_tokens, done.usage.total_tokens), (5, 80, 85));
}

#[tokio::test]
async fn a_transcription_reports_tokens_or_with_whisper_its_length() {
    let usage = Usage::new(60, 9).audio_in(50);
    let provider = provider([Reply::answer("Hello.").usage(usage), Reply::new().audio_seconds(12.5)]).await;
    let client = client(&provider);
    let json = AudioResponseFormat::Json;
    let answer =
        client.audio().transcription().create(transcription("gpt-4o-transcribe", json)).await.unwrap();
    assert_eq!(answer.text, "Hello.");
    let TranscriptionUsage::Tokens(usage) = answer.usage else { panic!("{:?}", answer.usage) };
    assert_eq!((usage.input_tokens, usage.output_tokens), (60, 9));
    assert_eq!(usage.input_token_details.unwrap().audio_tokens, 50);

    let answer = client.audio().transcription().create(transcription("whisper-1", json)).await.unwrap();
    let TranscriptionUsage::Duration(usage) = answer.usage else { panic!("{:?}", answer.usage) };
    assert!((usage.seconds - 12.5).abs() < f32::EPSILON);
}

#[tokio::test]
async fn a_transcription_has_every_format() {
    let provider = provider([]).await;
    provider.push_for("whisper-1", Reply::answer("Hello.").audio_seconds(2.0));
    let client = client(&provider);
    let verbose = transcription("whisper-1", AudioResponseFormat::VerboseJson);
    let answer = client.audio().transcription().create_verbose_json(verbose).await.unwrap();
    assert!((answer.usage.seconds - 2.0).abs() < f32::EPSILON);
    let diarized = transcription("gpt-4o-transcribe-diarize", AudioResponseFormat::DiarizedJson);
    let answer = client.audio().transcription().create_diarized_json(diarized).await.unwrap();
    assert_eq!(answer.segments[0].speaker, "A");
    for (format, start) in [
        (AudioResponseFormat::Text, "Hello.\n"),
        (AudioResponseFormat::Srt, "1\n00:00:00,000 --> 00:00:01,000\nHello."),
        (AudioResponseFormat::Vtt, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nHello."),
    ] {
        provider.push_for("whisper-1", Reply::answer("Hello."));
        let answer =
            client.audio().transcription().create_raw(transcription("whisper-1", format)).await.unwrap();
        assert!(answer.starts_with(start.as_bytes()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_streamed_transcription_ends_with_its_usage() {
    let provider = provider([Reply::answer("one two").usage(Usage::new(60, 9))]).await;
    let mut request = transcription("gpt-4o-mini-transcribe", AudioResponseFormat::Json);
    request.stream = Some(true);
    let stream = client(&provider).audio().transcription().create_stream(request).await.unwrap();
    let events: Vec<_> = stream.map(Result::unwrap).collect().await;
    let Some(CreateTranscriptionResponseStreamEvent::TranscriptTextDone(done)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!((done.text.as_str(), done.usage.total_tokens), ("one two", 69));
}

#[tokio::test]
async fn a_translation_has_no_usage() {
    let provider = provider([]).await;
    let request = |response_format| CreateTranslationRequest {
        file: recording(),
        model: "whisper-1".to_owned(),
        response_format: Some(response_format),
        ..CreateTranslationRequest::default()
    };
    let client = client(&provider);
    provider.push(Reply::answer("Hello."));
    let json = client.audio().translation().create(request(TranslationResponseFormat::Json)).await.unwrap();
    assert_eq!(json.text, "Hello.");
    let verbose = request(TranslationResponseFormat::VerboseJson);
    client.audio().translation().create_verbose_json(verbose).await.unwrap();
    provider.push(Reply::answer("Hello."));
    let text =
        client.audio().translation().create_raw(request(TranslationResponseFormat::Text)).await.unwrap();
    assert_eq!(&text[..], b"Hello.\n");
    let refused = post(&provider, "/audio/translations", &json!({"model": "whisper-1"})).await;
    assert_eq!(body(refused).await["error"]["param"], "file");
}
