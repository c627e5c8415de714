//! Containers, vector stores, conversations and realtime sessions, as the typed client reads them.

use async_openai::types::{
    containers::{CreateContainerRequest, MemoryLimit},
    realtime::{RealtimeCallCreateRequest, RealtimeCreateClientSecretRequest},
};
use serde_json::json;

use crate::support::{client, get, post, provider, typed};

#[tokio::test]
async fn a_container_is_created_read_and_deleted() {
    let provider = provider([]).await;
    let client = client(&provider);
    let request = CreateContainerRequest {
        name: "c".to_owned(),
        memory_limit: Some(MemoryLimit::FourG),
        ..CreateContainerRequest::default()
    };
    let container = client.containers().create(request).await.unwrap();
    assert_eq!((container.name.as_str(), container.status.as_str()), ("c", "running"));
    assert_eq!(client.containers().retrieve(&container.id).await.unwrap(), container);
    assert_eq!(client.containers().list().await.unwrap().data.len(), 1);
    assert!(client.containers().delete(&container.id).await.unwrap().deleted);
}

#[tokio::test]
async fn a_vector_store_has_files_and_is_searched() {
    let provider = provider([]).await;
    let client = client(&provider);
    let store = client.vector_stores().create(typed(json!({"name": "docs"}))).await.unwrap();
    assert_eq!(store.name.as_deref(), Some("docs"));
    let files = client.vector_stores();
    let files = files.files(&store.id);
    let file = files.create(typed(json!({"file_id": "file-1"}))).await.unwrap();
    assert_eq!((file.id.as_str(), file.usage_bytes), ("file-1", 1_234));
    assert_eq!(files.list().await.unwrap().data.len(), 1);
    let batches = client.vector_stores();
    let batches = batches.file_batches(&store.id);
    let batch = batches.create(typed(json!({"file_ids": ["file-1", "file-2"]}))).await.unwrap();
    assert_eq!(batch.file_counts.total, 2);
    let page = client.vector_stores().search(&store.id, typed(json!({"query": "cats"}))).await.unwrap();
    assert_eq!(page.search_query, ["cats"]);
    let renamed = client.vector_stores().update(&store.id, typed(json!({"name": "new"}))).await.unwrap();
    assert_eq!(renamed.name.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_conversation_has_items() {
    let provider = provider([]).await;
    let client = client(&provider);
    let conversation = client.conversations().create(typed(json!({"metadata": {"a": "b"}}))).await.unwrap();
    let conversations = client.conversations();
    let items = conversations.items(&conversation.id);
    let created = items.create(typed(json!({"items": [{"role": "user", "content": "Hi"}]}))).await.unwrap();
    assert_eq!(created.data.len(), 1);
    assert_eq!(items.list().await.unwrap().data.len(), 1);
    let (status, read) = get(&provider, &format!("/conversations/{}", conversation.id)).await;
    assert_eq!((status, &read["metadata"]["a"]), (200, &json!("b")));
}

#[tokio::test]
async fn a_realtime_session_has_a_secret_or_a_call() {
    let provider = provider([]).await;
    let client = client(&provider);
    let session = typed(json!({"type": "realtime", "model": "gpt-realtime"}));
    let request = RealtimeCreateClientSecretRequest { session, expires_after: None };
    let secret = client.realtime().create_client_secret(request).await.unwrap();
    assert!(secret.value.starts_with("ek_"));
    let offer = RealtimeCallCreateRequest { sdp: "v=0".to_owned(), session: None };
    let call = client.realtime().create_call(offer).await.unwrap();
    let location = call.location.unwrap();
    let id = location.strip_prefix("/v1/realtime/calls/").unwrap();
    assert!(call.sdp.starts_with("v=0"));
    // The typed client expects a body, and the provider sends none.
    let hung_up = post(&provider, &format!("/realtime/calls/{id}/hangup"), &json!({})).await;
    assert_eq!(hung_up.status(), 200);
    assert!(hung_up.bytes().await.unwrap().is_empty());
}
