//! Scenarios are made, shown, changed and deleted, over HTTP and on the command line; each answers by its own ladder.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fakes::{Behaviour, Model},
    service::{Reply, Service, dossier, run},
};

const REPORT: &str = "# Northgale Ferries annual report 2023\n\n## Results\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, \
                      up 6.1% from 2022.\n";
const QUESTION: &str = "What was the revenue of Northgale Ferries in 2023?";

async fn change(service: &Service, name: &str, change: Value) -> Reply {
    Reply::of(service.request(Method::PATCH, &format!("/v1/scenarios/{name}")).json(&change).send().await.unwrap()).await
}

async fn delete(service: &Service, address: &str) -> Reply {
    Reply::of(service.request(Method::DELETE, &format!("/v1/scenarios/{address}")).send().await.unwrap()).await
}

/// Takes the report into a scenario and waits for it.
async fn ingest(service: &Service, scenario: &str) {
    let documents = format!("/v1/scenarios/{scenario}/documents");
    let reply = service.post(&documents, json!({ "text": REPORT, "title": "Northgale Ferries annual report 2023" })).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
    let id = reply.body["document"]["id"].as_str().unwrap();
    let wait = async {
        while service.get(&format!("{documents}/{id}")).await.body["status"] != "ready" {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::service::PATIENCE, wait).await.expect("it is never ready");
}

#[tokio::test]
async fn a_scenario_is_made_shown_changed_and_deleted() {
    let service = Service::start().await;
    let new = json!({ "name": "autos", "title": "汽车行业", "ladder": [{ "card": "ollama", "model": "qwen3:8b" }], "limits": { "top_k": 5 } });
    let made = service.post("/v1/scenarios", new.clone()).await;
    assert_eq!((made.status, made.headers["location"].to_str().unwrap()), (201, "/v1/scenarios/autos"), "{}", made.body);
    assert_eq!(
        (&made.body["id"], &made.body["title"], &made.body["documents"]),
        (&json!("autos"), &json!("汽车行业"), &json!(0))
    );
    assert_eq!(service.get("/v1/scenarios/autos").await.body, made.body);
    assert_eq!(service.post("/v1/scenarios", new).await.problem(), (409, "scenario_exists"));
    assert_eq!(service.post("/v1/scenarios", json!({ "name": "default" })).await.problem(), (409, "scenario_exists"));
    let names = |listed: &Value| listed["data"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&service.get("/v1/scenarios").await.body), ["default", "autos"]);
    assert_eq!(names(&service.get("/v1/models").await.body), ["default", "autos"]);

    let changed = change(&service, "autos", json!({ "title": null, "limits": { "max_tokens": 300 } })).await.body;
    assert_eq!((changed.get("title"), &changed["limits"]), (None, &json!({ "top_k": 5, "max_tokens": 300 })), "{changed}");
    assert_eq!(change(&service, "default", json!({ "description": "All of it" })).await.body["description"], "All of it");

    assert_eq!(delete(&service, "autos").await.status, 204);
    assert_eq!(names(&service.get("/v1/scenarios").await.body), ["default"]);
    assert_eq!(delete(&service, "default").await.problem(), (422, "invalid_scenario"));
}

#[tokio::test]
async fn an_unknown_scenario_is_not_found_everywhere() {
    let service = Service::start().await;
    assert_eq!(change(&service, "absent", json!({})).await.problem(), (404, "not_found"));
    assert_eq!(delete(&service, "absent").await.problem(), (404, "not_found"));
    for path in ["/v1/scenarios/absent", "/v1/scenarios/absent/documents", "/v1/scenarios/No%20Name", "/v1/scenarios/不"] {
        assert_eq!(service.get(path).await.problem(), (404, "not_found"), "{path}");
    }
    for (path, body) in [
        ("/v1/ask", json!({ "question": "x", "scenario": "absent" })),
        ("/v1/search", json!({ "query": "x", "scenario": "absent" })),
        ("/v1/batches", json!({ "scenario": "absent" })),
        ("/v1/scenarios/absent/documents", json!({ "text": "x" })),
    ] {
        assert_eq!(service.post(path, body).await.problem(), (404, "not_found"), "{path}");
    }
    let data = tempfile::tempdir().unwrap();
    for command in [["search", "x", "--scenario", "absent"], ["docs", "ls", "--scenario", "absent"]] {
        let output = run(dossier().args(command).arg("--data").arg(data.path()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains("dossier scenario create"), "{said}");
    }
}

#[tokio::test]
async fn what_cannot_be_set_is_told_with_its_place_and_nothing_is_stored() {
    let service = Service::start().await;
    let check = async |body: Value, status: u16, code: &str, place: &str| {
        let reply = service.post("/v1/scenarios", body).await;
        assert_eq!(reply.problem(), (status, code), "{}", reply.body);
        assert!(reply.body["detail"].as_str().unwrap().contains(place), "{}", reply.body);
    };
    check(json!({ "name": "a", "ladder": ["ollama", "missing"] }), 422, "invalid_scenario", "ladder[1].card is `missing`").await;
    check(
        json!({ "name": "a", "ladder": [{ "card": "ollama", "modell": "x" }] }),
        422,
        "unknown_field",
        "ladder[0]: unknown field `modell`",
    )
    .await;
    check(json!({ "name": "a", "limits": { "top_k": 0 } }), 422, "invalid_scenario", "limits.top_k").await;
    check(json!({ "name": "a", "colour": "red" }), 422, "unknown_field", "colour").await;
    check(json!({ "name": "../a" }), 422, "invalid_name", "../a").await;
    check(json!({ "title": "a" }), 422, "invalid_request", "name").await;
    assert_eq!(service.get("/v1/scenarios/a").await.problem(), (404, "not_found"));
    service.post("/v1/scenarios", json!({ "name": "a", "title": "before" })).await;
    let reply = change(&service, "a", json!({ "title": "after", "ladder": ["missing"] })).await;
    assert_eq!(reply.problem(), (422, "invalid_scenario"));
    assert_eq!(service.get("/v1/scenarios/a").await.body["title"], "before");
    assert_eq!(delete(&service, "a?documents=keep").await.problem(), (422, "invalid_request"));
}

#[tokio::test]
async fn a_scenario_with_documents_is_deleted_only_with_them() {
    let service = Service::start().await;
    for name in ["first", "second"] {
        service.post("/v1/scenarios", json!({ "name": name })).await;
        ingest(&service, name).await;
    }
    let ask = async |scenario: &str| service.post("/v1/ask", json!({ "question": QUESTION, "scenario": scenario })).await;
    let answer = ask("first").await.body;
    assert_eq!(answer["verdict"], "answered", "{answer}");
    let reply = delete(&service, "first").await;
    assert_eq!(reply.problem(), (409, "scenario_not_empty"));
    assert!(reply.body["detail"].as_str().unwrap().contains("1 documents"), "{}", reply.body);
    assert_eq!(ask("first").await.body["verdict"], "answered");
    assert_eq!(delete(&service, "first?documents=delete").await.status, 204);
    assert_eq!(ask("first").await.problem(), (404, "not_found"));
    assert_eq!(service.get(&format!("/v1/answers/{}", answer["id"].as_str().unwrap())).await.problem(), (404, "not_found"));
    // One of the same name starts empty, and the other one was not touched.
    service.post("/v1/scenarios", json!({ "name": "first" })).await;
    assert_eq!(service.get("/v1/scenarios/first").await.body["documents"], 0);
    assert_eq!(ask("first").await.body["verdict"], "refused");
    assert_eq!(ask("second").await.body["verdict"], "answered");
}

fn rung(model: &Model, name: &str) -> Value {
    json!({ "base_url": model.url, "model": name })
}

#[tokio::test]
async fn the_models_of_a_ladder_are_asked_in_order_and_the_last_rung_needs_none() {
    let (bad, good) = (Model::start(Behaviour::CutMidStream).await, Model::start(Behaviour::Good).await);
    let service = Service::start().await;
    let ladders = [
        ("first", json!([rung(&good, "good"), rung(&bad, "bad")]), "good", json!(null)),
        ("second", json!([rung(&bad, "bad"), rung(&good, "good")]), "good", json!("model_fallback")),
        ("last", json!([rung(&bad, "bad"), rung(&bad, "worse")]), "extractive", json!("model_unavailable")),
        ("none", json!([]), "extractive", json!(null)),
    ];
    for (name, ladder, model, reason) in ladders {
        let made = service.post("/v1/scenarios", json!({ "name": name, "ladder": ladder })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        ingest(&service, name).await;
        let ask = json!({ "question": QUESTION, "scenario": name });
        let answer = service.post("/v1/ask", ask.clone()).await.body;
        assert_eq!((&answer["verdict"], &answer["model"]), (&json!("answered"), &json!(model)), "{name}: {answer}");
        assert_eq!(answer["degraded"]["reason"], reason, "{name}: {answer}");
        if name == "last" {
            let codes: Vec<&Value> = answer["degraded"]["failures"].as_array().unwrap().iter().map(|f| &f["code"]).collect();
            assert_eq!(codes, ["llm_truncated", "llm_truncated"], "{answer}");
        }
        // What was shown of a model that failed is replaced by what the next one says.
        let stream =
            service.request(Method::POST, "/v1/ask").json(&json!({ "question": QUESTION, "scenario": name, "stream": true }));
        let events = crate::service::events(&stream.send().await.unwrap().text().await.unwrap());
        let last = events.last().unwrap();
        assert_eq!((last.name.as_str(), &last.data["text"]), ("answer.completed", &answer["text"]), "{name}");
        let shown: String = events.iter().filter(|e| e.name == "answer.delta").filter_map(|e| e.data["text"].as_str()).collect();
        let revised = events.iter().find(|event| event.name == "answer.revised").map(|event| event.data["text"].clone());
        assert_eq!(revised.unwrap_or(json!(shown)), last.data["text"], "{name}");
    }
    let quiet = change(&service, "last", json!({ "fallback": "none" })).await;
    assert_eq!(quiet.status, 200, "{}", quiet.body);
    let reply = service.post("/v1/ask", json!({ "question": QUESTION, "scenario": "last" })).await;
    assert_eq!(reply.problem(), (502, "llm_truncated"));
}

#[tokio::test]
async fn the_key_of_a_backend_is_never_shown_and_goes_nowhere_else() {
    let model = Model::start(Behaviour::Good).await;
    let backends = format!(r#"[{{name="near", base_url="{}", model="scripted", api_key="sk-very-secret"}}]"#, model.url);
    let service = Service::with(&[("DOSSIER_LLM__BACKENDS", &backends)]).await;
    let made = service.post("/v1/scenarios", json!({ "name": "a", "ladder": ["near"] })).await;
    assert_eq!((made.status, &made.body["ladder"]), (201, &json!([{ "backend": "near" }])), "{}", made.body);
    let stolen = service
        .post("/v1/scenarios", json!({ "name": "b", "ladder": [{ "backend": "near", "base_url": "http://127.0.0.1:9/v1" }] }))
        .await;
    assert_eq!(stolen.problem(), (422, "invalid_scenario"));
    let stolen = service
        .post("/v1/scenarios", json!({ "name": "b", "ladder": [{ "base_url": model.url, "model": "m", "api_key_env": "HOME" }] }))
        .await;
    assert_eq!(stolen.problem(), (422, "invalid_scenario"));
    ingest(&service, "a").await;
    let answer = service.post("/v1/ask", json!({ "question": QUESTION, "scenario": "a" })).await.body;
    assert_eq!(answer["model"], "scripted", "{answer}");
    for shown in [service.get("/v1/scenarios").await.body, service.get("/v1/scenarios/a").await.body, answer] {
        assert!(!shown.to_string().contains("secret"), "{shown}");
    }
}

#[tokio::test]
async fn the_command_line_does_the_same_here_and_over_there() {
    let service = Service::start().await;
    let data = tempfile::tempdir().unwrap();
    let here = ["--data".to_owned(), data.path().display().to_string()];
    for place in [here, ["--url".to_owned(), service.url.clone()]] {
        let say = |line: &[&str]| {
            let output = run(dossier().args(line).args(&place).arg("--json"));
            let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
            (output.status.code().unwrap(), said)
        };
        let (code, made) =
            say(&["scenario", "create", "autos", "--title", "汽车", "--ladder", "card=ollama,model=qwen3:8b", "--top-k", "5"]);
        assert_eq!(
            (code, &made["ladder"], &made["limits"]),
            (0, &json!([{ "card": "ollama", "model": "qwen3:8b" }]), &json!({ "top_k": 5 })),
            "{made}"
        );
        let (code, told) = say(&["scenario", "create", "autos"]);
        assert_eq!((code, &told["error"]["code"]), (2, &json!("scenario_exists")));
        let (_, changed) = say(&["scenario", "set", "autos", "--ladder", "none", "--unset", "limits.top_k", "--unset", "title"]);
        assert_eq!(
            (&changed["ladder"], changed["limits"].get("top_k"), changed.get("title")),
            (&json!([]), None, None),
            "{changed}"
        );
        assert_eq!(say(&["scenario", "show", "autos"]), (0, changed));
        let (_, listed) = say(&["scenario", "ls"]);
        assert_eq!(listed["data"].as_array().unwrap().len(), 2);
        assert_eq!(say(&["scenario", "show", "absent"]).0, 2);
        let (code, told) = say(&["scenario", "set", "autos", "--ladder", "missing"]);
        assert_eq!((code, &told["error"]["code"]), (2, &json!("invalid_scenario")), "{told}");
        assert_eq!(say(&["scenario", "rm", "autos"]).0, 0);
        assert_eq!(say(&["scenario", "rm", "autos"]).0, 2);
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_reached_ends_a_command_with_five() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = [("DOSSIER_LLM__BASE_URL", format!("http://{free}/v1")), ("DOSSIER_LLM__MODEL", "absent".into())];
    let data = tempfile::tempdir().unwrap();
    let report = data.path().join("northgale.md");
    std::fs::write(&report, REPORT).unwrap();
    let say = |line: &[&str]| {
        run(dossier().args(line).envs(settings.clone()).arg("--data").arg(data.path().join("data")).arg("--json"))
    };
    assert_eq!(say(&["ingest", report.to_str().unwrap()]).status.code(), Some(0));
    let output = say(&["ask", QUESTION]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &told["error"]["code"]), (Some(5), &json!("llm_unavailable")), "{told}");
}
