//! Images, as the typed client reads them.

#![allow(deprecated, reason = "variations are billed until they are shut down")]

use async_openai::types::images::{
    CreateImageEditRequest, CreateImageVariationRequest, ImageEditInput, ImageEditStreamEvent,
    ImageGenStreamEvent, ImageInput, ImageModel,
};
use futures_util::StreamExt;
use serde_json::json;
use spanledger_testkit::{Reply, Usage};

use crate::support::{body, client, post, provider, typed};

fn picture() -> ImageInput {
    ImageInput::from_vec_u8("cat.png".to_owned(), vec![7; 2_000])
}

#[tokio::test]
async fn a_gpt_image_has_a_usage_and_no_model() {
    let usage = Usage::new(40, 272).image_in(30).image_out(272);
    let provider = provider([Reply::new().usage(usage), Reply::new()]).await;
    let request = json!({"model": "gpt-image-1", "prompt": "a cat", "n": 2, "quality": "high"});
    let answer = client(&provider).images().generate(typed(request.clone())).await.unwrap();
    assert_eq!(answer.data.len(), 2);
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.total_tokens), (40, 272, 312));
    let details = (usage.input_tokens_details.text_tokens, usage.input_tokens_details.image_tokens);
    assert_eq!(details, (10, 30));

    let raw = body(post(&provider, "/images/generations", &request).await).await;
    assert_eq!(raw.get("model"), None);
    assert_eq!((&raw["quality"], &raw["size"]), (&json!("high"), &json!("1024x1024")));
    assert_eq!(raw["usage"]["output_tokens_details"]["image_tokens"], 544);
}

#[tokio::test]
async fn an_older_model_sends_a_link_and_no_usage() {
    let provider = provider([]).await;
    let request = json!({"model": "dall-e-3", "prompt": "a cat"});
    let answer = client(&provider).images().generate(typed(request)).await.unwrap();
    assert!(answer.usage.is_none());
    assert!(matches!(&*answer.data[0], async_openai::types::images::Image::Url { .. }));
}

#[tokio::test]
async fn a_stream_ends_with_the_completed_image_and_its_usage() {
    let usage = Usage::new(10, 272).image_out(272);
    let provider = provider([Reply::new().usage(usage), Reply::new().usage(usage)]).await;
    let client = client(&provider);
    let request = json!({"model": "gpt-image-1", "prompt": "a cat", "partial_images": 2});
    let stream = client.images().generate_stream(typed(request)).await.unwrap();
    let mut events: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert_eq!(events.len(), 3);
    let Some(ImageGenStreamEvent::Completed(completed)) = events.pop() else { panic!("{events:?}") };
    assert_eq!(completed.usage.total_tokens, 282);
    assert!(events.iter().all(|event| matches!(event, ImageGenStreamEvent::PartialImage(_))));

    let edit = CreateImageEditRequest {
        image: ImageEditInput::Image(picture()),
        prompt: "add a hat".to_owned(),
        model: ImageModel::GptImage2,
        stream: Some(true),
        ..CreateImageEditRequest::default()
    };
    let stream = client.images().edit_stream(edit).await.unwrap();
    let events: Vec<_> = stream.map(Result::unwrap).collect().await;
    assert!(
        matches!(&events[..], [ImageEditStreamEvent::Completed(event)] if event.usage.output_tokens == 272)
    );
}

#[tokio::test]
async fn edits_and_variations_are_forms_with_a_picture() {
    let provider = provider([]).await;
    let client = client(&provider);
    let edit = CreateImageEditRequest {
        image: ImageEditInput::Images(vec![picture(), picture()]),
        prompt: "add a hat".to_owned(),
        model: ImageModel::GptImage2,
        ..CreateImageEditRequest::default()
    };
    let edited = client.images().edit(edit).await.unwrap();
    assert_eq!(edited.usage.unwrap().input_tokens_details.image_tokens, 40, "a hundred bytes a token");

    let variation = CreateImageVariationRequest {
        image: picture(),
        model: Some(ImageModel::Other("dall-e-2".to_owned())),
        ..CreateImageVariationRequest::default()
    };
    let varied = client.images().create_variation(variation).await.unwrap();
    assert!(varied.usage.is_none());
    let refused = post(&provider, "/images/edits", &json!({"prompt": "no picture"})).await;
    assert_eq!(refused.status(), 400);
}
