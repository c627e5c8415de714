use std::{
    io::{BufRead as _, BufReader},
    process::Command,
};

use crate::support::{World, check};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_layer_attributes_what_the_handlers_call_and_a_quota_answers_429() {
    let world = World::start().await;
    let mut child = world.command("axum_service").env("LISTEN", "127.0.0.1:0").spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}"));
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |customer: &str| {
        let request = http.get(format!("http://{address}/questions/sso"));
        let response = request.header("authorization", format!("Bearer {customer}")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, answer) = get("acme").await;
    assert!(status == 200 && !answer.is_empty(), "{status} {answer}");
    let (status, refusal) = get("trial").await;
    assert!(
        status == 429 && refusal.starts_with(r#"{"error":"monthly_ai_quota_exceeded""#),
        "{status} {refusal}"
    );

    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    check(&tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap());
    let event = world.receiver.event();
    assert_eq!(
        (event.feature.as_deref(), event.route.as_deref(), event.customer_id.as_deref()),
        (Some("questions"), Some("/questions/{topic}"), Some("acme"))
    );
    assert!(event.cost_usd.is_some());
}
