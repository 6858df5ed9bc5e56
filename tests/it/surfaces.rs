//! What every request meets: health, the page, the OpenAPI document, keys, ids, limits, and a server that stops.

use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fakes::{Behaviour, Model},
    service::{Reply, Service, dossier, events, repository, run},
};

#[tokio::test]
async fn health_and_metrics_answer() {
    let service = Service::start().await;
    assert_eq!(service.get("/healthz").await.body["status"], "ok");
    assert_eq!(service.get("/readyz").await.body, json!({ "status": "ready", "degraded": [] }));
    service.ingest("a.md", "# A\n\nOne fact stands here.\n").await;
    service.ask("Which fact stands here?").await;
    let metrics = service.get("/metrics").await.body;
    for line in [
        r#"dossier_http_requests_total{route="/v1/ask",method="POST",status="200"} 1"#,
        r#"dossier_documents{status="ready"} 1"#,
        "dossier_queue_length 0",
        "dossier_ask_duration_seconds_count 1",
    ] {
        assert!(metrics.as_str().unwrap().contains(line), "`{line}` is not in\n{}", metrics.as_str().unwrap());
    }
}

#[tokio::test]
async fn the_page_may_load_nothing_from_elsewhere() {
    let service = Service::start().await;
    for (path, kind, file) in
        [("/", "text/html", "index.html"), ("/app.js", "text/javascript", "app.js"), ("/style.css", "text/css", "style.css")]
    {
        let response = service.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers().clone();
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind), "{path}");
        assert_eq!(
            (&headers["x-content-type-options"], &headers["referrer-policy"]),
            (&"nosniff".parse().unwrap(), &"no-referrer".parse().unwrap())
        );
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe") && !policy.contains("http"),
            "{policy}"
        );
        assert_eq!(response.text().await.unwrap(), std::fs::read_to_string(repository("web").join(file)).unwrap());
    }
}

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_openapi_document_has_every_route_and_every_schema() {
    let service = Service::start().await;
    let document = service.get("/openapi.json").await.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut routes: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        routes.extend(item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())));
    }
    routes.sort();
    insta::assert_snapshot!(routes.join("\n"), @r"
    DELETE /v1/scenarios/{scenario}
    DELETE /v1/scenarios/{scenario}/documents/{id}
    GET /
    GET /app.js
    GET /healthz
    GET /metrics
    GET /openapi.json
    GET /readyz
    GET /style.css
    GET /v1/admin/index
    GET /v1/answers/{id}
    GET /v1/batches/{id}
    GET /v1/batches/{id}/events
    GET /v1/batches/{id}/items
    GET /v1/models
    GET /v1/models/{model}
    GET /v1/scenarios
    GET /v1/scenarios/{scenario}
    GET /v1/scenarios/{scenario}/documents
    GET /v1/scenarios/{scenario}/documents/{id}
    GET /v1/scenarios/{scenario}/documents/{id}/content
    GET /v1/scenarios/{scenario}/documents/{id}/pages/{n}
    GET /v1/scenarios/{scenario}/documents/{id}/passages
    PATCH /v1/scenarios/{scenario}
    PATCH /v1/scenarios/{scenario}/documents/{id}
    POST /v1/admin/index/promote
    POST /v1/admin/index/rollback
    POST /v1/answers/{id}/feedback
    POST /v1/ask
    POST /v1/batches
    POST /v1/batches/{id}/items
    POST /v1/chat/completions
    POST /v1/scenarios
    POST /v1/scenarios/{scenario}/documents
    POST /v1/scenarios/{scenario}/documents/{id}/why-not
    POST /v1/search
    ");
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn an_edit_of_a_pack_counts_with_the_next_question_and_an_invalid_one_changes_nothing() {
    let packs = tempfile::tempdir().unwrap();
    let pack = packs.path().join("kelp");
    std::fs::create_dir(&pack).unwrap();
    let head = "name = \"kelp\"\ntitle = \"Kelp\"\nversion = \"1\"\nlanguages = [\"zh\", \"en\"]\nincludes = [\"finance\"]\n";
    std::fs::write(pack.join("pack.toml"), head).unwrap();
    let settings = [("DOSSIER_PACKS__DIR", packs.path().to_str().unwrap()), ("DOSSIER_PACKS__USE", "kelp")];
    let service = Service::with(&settings).await;
    let report = "# Sandrey\n\n| | 2023 |\n|---|---|\n| Kelp landed (tonnes) | 9,612 |\n| Boats | 31 |\n| Crew | 118 |\n";
    service.ingest("kelp.md", report).await;
    let answered = async || service.ask("What was the algal harvest in 2023?").await["text"].as_str().unwrap().contains("9,612");
    assert!(!answered().await);
    std::fs::write(pack.join("glossary.tsv"), "figure\tkelp landed\talgal harvest\n").unwrap();
    assert!(answered().await);
    std::fs::write(pack.join("glossary.tsv"), "figure\tkelp landed\talgal harvest\talgal harvest\n").unwrap();
    assert!(answered().await);
    let check = |arguments: &[&str], code: i32, words: &str| {
        let output = run(dossier().args(["pack", "check"]).args(arguments));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && told.contains(words), "{told}");
    };
    check(&[], 0, "valid: finance, technology");
    check(&[packs.path().to_str().unwrap()], 2, "glossary.tsv:1: `algal harvest` stands twice in this line; take one out");
    check(&["/nowhere"], 2, "/nowhere:1: it cannot be read");
}

#[tokio::test]
async fn a_wrong_address_or_method_is_told() {
    let service = Service::start().await;
    assert_eq!(service.get("/v1/nothing").await.problem(), (404, "not_found"));
    assert_eq!(service.get("/favicon.ico").await.problem(), (404, "not_found"));
    let head = service.request(Method::HEAD, "/healthz").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (200, ""));
    let reply = service.get("/v1/ask").await;
    assert_eq!((reply.problem(), reply.headers["allow"].to_str().unwrap()), ((405, "method_not_allowed"), "POST"));
    let reply = Reply::of(service.request(Method::PUT, "/v1/scenarios/default/documents/doc_1").send().await.unwrap()).await;
    assert_eq!((reply.problem(), reply.headers["allow"].to_str().unwrap()), ((405, "method_not_allowed"), "GET, PATCH, DELETE"));
}

#[tokio::test]
async fn a_request_keeps_the_id_that_it_brings() {
    let service = Service::start().await;
    let ask = |id: &'static str| service.request(Method::GET, "/v1/answers/ans_1").header("x-request-id", id).send();
    let reply = Reply::of(ask("trace-7").await.unwrap()).await;
    assert_eq!((reply.problem(), &reply.body["request_id"]), ((404, "not_found"), &json!("trace-7")));
    let reply = Reply::of(ask("<b>no</b>").await.unwrap()).await;
    assert!(reply.body["request_id"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn with_a_key_only_the_page_and_the_probes_are_open() {
    let service = Service::with(&[("DOSSIER_SERVER__KEY", "geheim-密钥")]).await;
    for path in ["/", "/app.js", "/style.css", "/healthz", "/readyz"] {
        assert_eq!(service.get(path).await.status, 200, "{path}");
    }
    for path in ["/metrics", "/openapi.json", "/v1/scenarios", "/v1/nothing"] {
        let reply = service.get(path).await;
        assert_eq!(reply.problem(), (401, "unauthenticated"), "{path}");
        assert!(reply.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    let with =
        |value: &'static str| service.request(Method::GET, "/v1/scenarios").header("authorization", value.as_bytes()).send();
    assert_eq!(with("Bearer wrong").await.unwrap().status(), 401);
    assert_eq!(with("Basic geheim-密钥").await.unwrap().status(), 401);
    assert_eq!(with("Bearer geheim-密钥").await.unwrap().status(), 200);
}

#[tokio::test]
async fn without_a_key_a_foreign_web_page_gets_nothing() {
    let service = Service::start().await;
    let with = |name: &'static str, value: String| {
        service.request(Method::POST, "/v1/search").header(name, value).json(&json!({ "query": "x" })).send()
    };
    assert_eq!(with("origin", service.url.clone()).await.unwrap().status(), 200);
    assert_eq!(with("origin", "http://evil.example".into()).await.unwrap().status(), 403);
    assert_eq!(with("host", "evil.example:80".into()).await.unwrap().status(), 403);
}

#[test]
fn beyond_loopback_it_does_not_start_without_a_key() {
    let data = tempfile::tempdir().unwrap();
    let output = run(dossier().args(["serve", "--bind", "0.0.0.0:0", "--data"]).arg(data.path()));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("DOSSIER_SERVER__KEY"));
}

async fn stalled(extra: &[(&'static str, &'static str)]) -> (Model, Service) {
    let model = Model::start(Behaviour::Stall).await;
    let mut settings = model.settings();
    settings.retain(|(name, _)| !name.ends_with("TIMEOUT"));
    settings.extend([("DOSSIER_LLM__FIRST_BYTE_TIMEOUT", "100"), ("DOSSIER_LLM__IDLE_TIMEOUT", "100")]);
    settings.extend(extra);
    let service = Service::with(&settings).await;
    service.ingest("a.md", "# Harbours\n\nThe harbour of Ulst has 14 cranes.\n").await;
    (model, service)
}

async fn stalled_stream(service: &Service) -> reqwest::Response {
    let question = json!({ "question": "How many cranes has the harbour of Ulst?", "stream": true });
    service.request(Method::POST, "/v1/ask").json(&question).send().await.unwrap()
}

#[tokio::test]
async fn more_requests_than_there_is_room_for_are_turned_away() {
    let (_model, service) = stalled(&[("DOSSIER_SERVER__MAX_IN_FLIGHT", "1")]).await;
    let stream = stalled_stream(&service).await;
    let reply = service.get("/v1/scenarios").await;
    assert_eq!(reply.problem(), (429, "overloaded"));
    assert!(reply.headers.contains_key("retry-after") && reply.body["retryable"] == true);
    assert_eq!(service.get("/readyz").await.status, 200);
    drop(stream);
    let freed = async {
        while service.get("/v1/scenarios").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(crate::service::PATIENCE / 2, freed).await.is_ok(), "the place is never free again");
}

#[tokio::test]
async fn a_server_that_stops_tells_its_streams() {
    let (model, mut service) = stalled(&[]).await;
    let mut stream = stalled_stream(&service).await.bytes_stream();
    while model.asked.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    service.terminate();
    let mut text = Vec::new();
    while let Some(chunk) = stream.next().await {
        text.extend(chunk.expect("the stream ends in good order"));
    }
    let events = events(&String::from_utf8(text).unwrap());
    let last = events.last().unwrap();
    assert_eq!(
        (last.name.as_str(), &last.data["code"], &last.data["retryable"]),
        ("error", &json!("server_shutting_down"), &json!(true))
    );
    assert_eq!(service.exit_code().await, Some(0));
}

#[tokio::test]
async fn beyond_its_room_the_service_turns_questions_away_and_answers_the_others() {
    let service = Service::with(&[("DOSSIER_SERVER__MAX_WORKING", "1"), ("DOSSIER_SERVER__MAX_WAITING", "1")]).await;
    service.ingest("a.md", "# 甲公司\n\n甲公司2023年的营业收入为3.5亿元。\n").await;
    let ask = || service.post("/v1/ask", json!({ "question": "甲公司2023年的营业收入是多少？" }));
    let replies = futures::future::join_all((0..40).map(|_| ask())).await;
    let (answered, turned_away): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!(!answered.is_empty() && !turned_away.is_empty(), "{} answered", answered.len());
    assert!(answered.iter().all(|reply| reply.body["text"].as_str().unwrap().contains("3.5亿元")));
    for reply in turned_away {
        assert_eq!((reply.problem(), &reply.headers["retry-after"]), ((429, "overloaded"), &"2".parse().unwrap()));
    }
    // Nothing is stuck afterwards.
    assert_eq!(ask().await.status, 200);
}
