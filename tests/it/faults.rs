//! Every misbehaviour of a model endpoint × every way to ask: what comes of it is in `faults.md`, which this test writes anew
//! and compares. Nothing hangs, nothing that is broken looks like an answer.

use std::{fmt::Write, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    fakes::{Fake, Model},
    service::{PATIENCE, Reply, Service, events},
};

const TABLE: &str = include_str!("faults.md");
const REPORT: &str = "# Northgale Ferries annual report 2023\n\n## Results\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, \
                      up 6.1% from 2022.\n\n## 人员\n\n截至2023年末，公司员工总数为1,284人。\n";
const QUESTION: &str = "What was the revenue of Northgale Ferries in 2023?";

/// What the fake server can do wrong, and what a port where nobody listens does.
const MISBEHAVIOURS: [&str; 21] = [
    "down",
    "stall",
    "cut",
    "no_finish",
    "drip",
    "429",
    "429_silent",
    "401",
    "quota",
    "5xx",
    "html",
    "html_200",
    "error_in_200",
    "split_utf8",
    "duplicate_end",
    "think_inline",
    "huge_line",
    "liar",
    "gullible",
    "refuser",
    "none",
];

/// What came: who answered with which verdict, or a code.
fn outcome(answer: &Value) -> String {
    let verdict = answer["verdict"].as_str().unwrap_or("no verdict");
    let reason = answer["refusal"]["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let degraded = answer["degraded"]["failures"][0]["code"].as_str().map(|code| format!(", without the model: {code}"));
    format!("{verdict}{reason}{}", degraded.unwrap_or_default())
}

fn whole(reply: &Reply) -> String {
    match reply.status {
        200 => outcome(&reply.body),
        status => {
            let code = reply.body["code"].as_str().or(reply.body["error"]["code"].as_str()).unwrap_or("no code");
            format!("{status} {code}")
        }
    }
}

async fn streamed(service: &Service, scenario: String) -> String {
    let body = json!({ "question": QUESTION, "scenario": scenario, "stream": true });
    let response = service.request(Method::POST, "/v1/ask").json(&body).send().await.unwrap();
    let events = events(&response.text().await.unwrap());
    let ends = ["answer.completed", "answer.refused", "error"];
    assert_eq!(events.iter().filter(|event| ends.contains(&event.name.as_str())).count(), 1, "{scenario}");
    match events.last().unwrap() {
        event if event.name == "error" => format!("error {}", event.data["code"].as_str().unwrap()),
        event => outcome(&event.data),
    }
}

fn conversation(scenario: &str, stream: bool) -> Value {
    json!({ "model": scenario, "messages": [{ "role": "user", "content": QUESTION }], "stream": stream })
}

async fn chunks(service: &Service, scenario: String) -> String {
    let request = service.request(Method::POST, "/v1/chat/completions").json(&conversation(&scenario, true));
    let text = request.send().await.unwrap().text().await.unwrap();
    let frames: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    let done = frames.last() == Some(&"[DONE]");
    let values: Vec<Value> = frames.iter().filter_map(|frame| serde_json::from_str(frame).ok()).collect();
    let last = values.last().unwrap();
    assert_eq!(done, last["error"].is_null(), "{scenario}: only a good stream ends with [DONE]: {text}");
    match last["error"]["code"].as_str() {
        Some(code) => format!("error {code}"),
        None => {
            assert!(values.iter().any(|value| value["choices"][0]["finish_reason"].is_string()), "{scenario}: {text}");
            outcome(last)
        }
    }
}

/// One line of the table.
async fn line(service: &Service, name: &str) -> String {
    let ask = async |scenario: String| service.post("/v1/ask", json!({ "question": QUESTION, "scenario": scenario })).await;
    // Each has an endpoint of its own, so no breaker of another is in the way.
    let (asked, stream, chat, chunks, safe) = tokio::join!(
        ask(format!("{name}-ask")),
        streamed(service, format!("{name}-stream")),
        service.post("/v1/chat/completions", conversation(&format!("{name}-chat"), false)),
        chunks(service, format!("{name}-chunks")),
        ask(format!("{name}-safe")),
    );
    let outcomes = [whole(&asked), stream, whole(&chat), chunks, whole(&safe)];
    // Whether the one sentence of an answer is the fifth that was ever said is a matter of who came first.
    let either = |outcome: String| match outcome.as_str() {
        "answered" | "refused" | "refused (weak_evidence)" if name == "liar" => "answered or refused".to_owned(),
        _ => outcome,
    };
    format!("| {name} | {} |", outcomes.map(either).join(" | "))
}

#[tokio::test]
async fn every_misbehaviour_has_the_outcome_of_the_table_on_every_surface() {
    let fake = Fake::start(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings =
        [("DOSSIER_LLM__FIRST_BYTE_TIMEOUT", "5"), ("DOSSIER_LLM__IDLE_TIMEOUT", "5"), ("DOSSIER_SERVER__MAX_WAITING", "64")];
    let service = Service::with(&settings).await;
    let documents = |scenario: &str| format!("/v1/scenarios/{scenario}/documents");
    for name in MISBEHAVIOURS {
        let url = if name == "down" { format!("http://{free}/v1") } else { fake.url.clone() };
        for (surface, fallback) in
            [("ask", "none"), ("stream", "none"), ("chat", "none"), ("chunks", "none"), ("safe", "extractive")]
        {
            let scenario = format!("{name}-{surface}");
            // The address differs in what comes behind it, so that each has a breaker of its own.
            let rung = json!({ "base_url": format!("{url}/{surface}"), "model": name });
            let new = json!({ "name": scenario, "ladder": [rung], "fallback": fallback });
            assert_eq!(service.post("/v1/scenarios", new).await.status, 201);
            let text = json!({ "text": REPORT, "title": "Northgale Ferries annual report 2023" });
            assert_eq!(service.post(&documents(&scenario), text).await.status, 202);
        }
    }
    let searchable = async {
        for name in MISBEHAVIOURS {
            for surface in ["ask", "stream", "chat", "chunks", "safe"] {
                while service.get(&documents(&format!("{name}-{surface}"))).await.body["data"][0]["status"] != "ready" {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, searchable).await.expect("the documents are never ready");
    // One after the other: this is about the model, not about load.
    let mut table = String::new();
    for name in MISBEHAVIOURS {
        let line = tokio::time::timeout(PATIENCE, line(&service, name)).await;
        writeln!(table, "{}", line.unwrap_or_else(|_| panic!("{name} hangs"))).unwrap();
    }
    let (_, checked_in) = TABLE.split_once("|---|---|---|---|---|---|\n").unwrap();
    assert_eq!(table, checked_in, "\n{table}");
}

#[tokio::test]
async fn a_questioner_who_leaves_ends_the_call_of_the_model_within_a_second() {
    let model = Model::start(crate::fakes::Behaviour::Stall).await;
    let service = Service::start().await;
    assert_eq!(service.ingest("northgale.md", REPORT).await["status"], "ready");
    // The second rung is never asked: whoever left wants no answer of anybody.
    let ladder = json!([{ "base_url": model.url, "model": "a" }, { "base_url": model.url, "model": "b" }]);
    let set = service.request(Method::PATCH, "/v1/scenarios/default").json(&json!({ "ladder": ladder })).send().await.unwrap();
    assert_eq!(set.status(), 200);
    for (at, (path, body)) in [
        ("/v1/ask", json!({ "question": QUESTION })),
        ("/v1/ask", json!({ "question": QUESTION, "stream": true })),
        ("/v1/chat/completions", conversation("default", false)),
        ("/v1/chat/completions", conversation("default", true)),
    ]
    .into_iter()
    .enumerate()
    {
        let asking = tokio::spawn(service.request(Method::POST, path).json(&body).send());
        let count = |of: &std::sync::atomic::AtomicUsize| of.load(std::sync::atomic::Ordering::SeqCst);
        while count(&model.asked) <= at {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Dropping the reply of a stream, or the request that waits, closes the connection.
        if body["stream"] == true {
            drop(asking.await.unwrap().unwrap())
        } else {
            asking.abort()
        }
        let left = async {
            while count(&model.left) <= at {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(1), left).await.is_ok(), "{path} {body}");
        assert_eq!(count(&model.asked), at + 1);
    }
}
