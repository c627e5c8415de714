//! An axum service whose handlers call OpenAI. A layer fills the attribution of every call, a quota refuses the calls
//! of a customer who has used it up, and the records are flushed before the process ends.
//!
//! ```text
//! cargo run --quiet -- serve                                                # in one terminal
//! OPENAI_API_KEY=… cargo run --package spanledger-examples --example axum_service   # in another
//! curl -H 'authorization: Bearer acme' localhost:3000/questions/sso
//! ```
//!
//! `LISTEN` is the address, and `OPENAI_BASE_URL` a compatible server instead of OpenAI's.

use std::{io::Write as _, time::Duration};

use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::chat::{ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs},
};
use axum::{
    Router,
    extract::{Path, Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use spanledger::{AttributionLayer, MonthlyQuota};

/// The account that pays, as the service's own authentication finds it.
#[derive(Clone)]
struct Account {
    id: String,
}

/// Stands for a real authentication: the token is the account.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(id) = token.and_then(|token| token.strip_prefix("Bearer ")) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let account = Account { id: id.to_owned() };
    request.extensions_mut().insert(account);
    next.run(request).await
}

/// An error of a call, as the customer sees it.
struct CallError(OpenAIError);

impl From<OpenAIError> for CallError {
    fn from(error: OpenAIError) -> Self {
        Self(error)
    }
}

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        match spanledger::Error::of(&self.0) {
            // 429 with `{"error":"monthly_ai_quota_exceeded","message":…}`
            Some(spanledger::Error::Refused { refusal, .. }) => refusal.clone().into_response(),
            _ => (StatusCode::BAD_GATEWAY, self.0.to_string()).into_response(),
        }
    }
}

async fn answer(
    State(client): State<Client<OpenAIConfig>>,
    Path(topic): Path<String>,
) -> Result<String, CallError> {
    let question = format!("Explain {topic} in one sentence.");
    let message = ChatCompletionRequestUserMessageArgs::default().content(question).build()?;
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-5.4-nano")
        .max_completion_tokens(200_u32)
        .messages([message.into()])
        .build()?;
    // The call needs no attribution of its own: the layer has attributed the whole request.
    let response = client.chat().create(request).await?;
    Ok(response.choices.into_iter().find_map(|choice| choice.message.content).unwrap_or_default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let client = spanledger::instrument(OpenAIConfig::new())
        // `OPENAI_BASE_URL` may name a server that is not known to have OpenAI's prices.
        .provider("openai")
        .spend_guard(MonthlyQuota::new("50".parse()?).with_customer("trial", "0".parse()?))
        .build();
    let attribution = AttributionLayer::new()
        .feature("questions")
        .environment("development")
        .route_from_matched_path()
        .customer_id_from(|request| Some(request.extensions.get::<Account>()?.id.clone()));
    let service = Router::new()
        .route("/questions/{topic}", get(answer))
        .with_state(client)
        .layer(attribution)
        // The last layer runs first, so that the attribution knows the account.
        .layer(middleware::from_fn(authenticate));

    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(listen).await?;
    writeln!(std::io::stdout(), "listening on {}", listener.local_addr()?)?;
    let until_interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, service).with_graceful_shutdown(until_interrupted).await?;

    // Every record of a finished call reaches the ledger before the process ends.
    spanledger::flush(Duration::from_secs(5)).await?;
    Ok(())
}
