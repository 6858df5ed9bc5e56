//! A question becomes an answer with proof, whole or as events, with a model or without, however the model behaves.

use serde_json::{Value, json};

use crate::{
    fakes::{Behaviour, Model},
    service::{PATIENCE, Service, dossier, run},
};

const DOCUMENTS: &str = "/v1/scenarios/default/documents";
const ENGLISH: &str = "# Northgale Ferries annual report 2023\n\n## Results\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, \
                       up 6.1% from 2022.\n\n## Staff\n\nThe company had 1,284 employees at the end of 2023.\n";
const CHINESE: &str = "# 澜汐海洋设备2023年年度报告\n\n## 经营情况\n\n2023年，公司实现营业收入12.84亿元，同比增长8.3%。\n\n## 人员\n\n截至2023年末，公司员工总数为2,317人。\n";

async fn with_reports(settings: &[(&str, &str)]) -> Service {
    let service = Service::with(settings).await;
    for (name, text) in [("northgale-2023.md", ENGLISH), ("澜汐海洋设备-2023.md", CHINESE)] {
        assert_eq!(service.ingest(name, text).await["status"], "ready");
    }
    service
}

/// Every citation points at its marker, its quote stands in the stored page.
async fn check_citations(service: &Service, answer: &Value) {
    let text: Vec<char> = answer["text"].as_str().unwrap().chars().collect();
    let citations = answer["citations"].as_array().unwrap();
    assert!(!citations.is_empty(), "{answer}");
    for citation in citations {
        let marker = format!("[{}]", citation["marker"]);
        assert!(answer["text"].as_str().unwrap().contains(&marker), "{marker} is not in {}", answer["text"]);
        let (start, end) =
            (citation["span"]["start"].as_u64().unwrap() as usize, citation["span"]["end"].as_u64().unwrap() as usize);
        assert!(start < end && end <= text.len(), "{citation}");
        let path = format!(
            "/v1/scenarios/default/documents/{}/pages/{}",
            citation["document"]["id"].as_str().unwrap(),
            citation["part"]
        );
        let page = service.get(&path).await;
        assert!(page.body["text"].as_str().unwrap().contains(citation["quote"].as_str().unwrap()), "{citation}");
    }
}

/// The stored answer is the one that was sent, with what led to it.
async fn check_stored(service: &Service, answer: &Value) {
    let stored = service.get(&format!("/v1/answers/{}", answer["id"].as_str().unwrap())).await.body;
    for (field, value) in answer.as_object().unwrap() {
        assert_eq!(stored[field], *value, "{field}");
    }
    assert!(stored["question"].is_string() && stored["feedback"].is_array(), "{stored}");
    let trace = &stored["trace"];
    assert_eq!(trace["ask"]["question"], stored["question"]);
    assert!(trace["ranked"].as_array().is_some_and(|ranked| !ranked.is_empty()), "{trace}");
    assert!(trace["versions"]["program"].is_string() && !trace["versions"]["space"].as_str().unwrap().is_empty(), "{trace}");
}

#[tokio::test]
async fn an_answer_in_either_language_has_a_proof_that_is_in_the_page() {
    let service = with_reports(&[]).await;
    for (question, value, language) in [
        ("What was the revenue of Northgale Ferries in 2023?", "412.6 million", "en"),
        ("澜汐海洋设备2023年营业收入是多少？", "12.84亿元", "zh"),
    ] {
        let answer = service.ask(question).await;
        assert_eq!(
            (&answer["verdict"], &answer["language"], &answer["model"]),
            (&json!("answered"), &json!(language), &json!("extractive")),
            "{answer}"
        );
        assert!(answer["text"].as_str().unwrap().contains(value), "{answer}");
        check_citations(&service, &answer).await;
        check_stored(&service, &answer).await;
    }
}

#[tokio::test]
async fn what_no_document_says_is_refused_with_what_came_nearest() {
    let service = with_reports(&[]).await;
    for question in ["What is the boiling point of mercury?", "水星的公转周期是多少天？"] {
        let answer = service.ask(question).await;
        assert_eq!(answer["verdict"], "refused", "{answer}");
        assert!(
            answer["refusal"]["reason"].is_string()
                && answer["refusal"]["nearest"].is_array()
                && !answer["text"].as_str().unwrap().is_empty()
        );
        let events = service.ask_streamed(question).await;
        assert_eq!(events.last().unwrap().name, "answer.refused");
    }
}

/// The fields of a value with their kinds, each list by its first element.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), shape(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().take(1).map(shape).collect::<Vec<_>>().into(),
        Value::String(_) => "text".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(_) => "bool".into(),
        Value::Null => Value::Null,
    }
}

#[tokio::test]
async fn answers_and_hits_have_the_shape_that_programs_rely_on() {
    let service = with_reports(&[]).await;
    let answer = service.ask("What was the revenue of Northgale Ferries in 2023?").await;
    let source = json!({ "id": "text", "external_id": null, "title": "text", "version": "number" });
    let mut shaped = shape(&answer);
    for (field, value) in source.as_object().unwrap() {
        assert_eq!(shaped["citations"][0]["document"][field], *value, "document.{field}");
    }
    shaped["citations"][0]["document"] = "document".into();
    insta::assert_snapshot!(shaped.to_string(), @r#"{"id":"text","verdict":"text","text":"text","language":"text","citations":[{"marker":"number","span":{"start":"number","end":"number"},"document":"document","page":null,"part":"number","headings":["text"],"quote":"text","regions":[],"support":{"verdict":"text","method":"text"}}],"confidence":"number","usage":{"prompt_tokens":"number","completion_tokens":"number","cost":null,"currency":null},"timings":{"retrieve_ms":"number","first_token_ms":"number","total_ms":"number"},"model":"text","created_at":"text"}"#);

    let hits = service.post("/v1/search", json!({ "query": "员工总数", "top_k": 2, "explain": true })).await;
    assert_eq!(hits.status, 200, "{}", hits.body);
    let first = &hits.body["data"][0];
    assert_eq!((&first["rank"], &first["passage"]["document"]["metadata"].is_object()), (&json!(1), &true));
    assert!(first["passage"]["text"].as_str().unwrap().contains("2,317人"), "{first}");
    assert!(first["why"]["lexical_rank"].is_number() && first["score"].is_number() && first["passage"]["headings"].is_array());
    assert!(
        first["passage"]["page"].is_null() && first["passage"]["regions"].is_array() && hits.body["vectors_pending"].is_number()
    );
}

#[tokio::test]
async fn a_search_explains_itself_and_says_where_a_document_fell_out() {
    let service = with_reports(&[]).await;
    let query = "What was the revenue of Northgale Ferries in 2023?";
    let hits = service.post("/v1/search", json!({ "query": query, "explain": true })).await.body;
    assert_eq!(hits["understood"]["periods"], json!(["2023"]), "{hits}");
    assert_eq!(hits["understood"]["statements"], json!(["income"]), "{hits}");
    let first = &hits["data"][0];
    assert!(first["why"]["added"]["lexical"].is_number() && first["why"]["features"]["coverage"].is_number(), "{first}");
    let plain = service.post("/v1/search", json!({ "query": query })).await.body;
    assert!(plain["understood"].is_null() && plain["data"][0]["why"]["added"].is_null());

    let id = first["passage"]["document"]["id"].as_str().unwrap();
    let path = format!("{DOCUMENTS}/{id}/why-not");
    let why = service.post(&path, json!({ "question": query })).await.body;
    assert_eq!((&why["step"], &why["rank"]), (&json!("found"), &json!(1)), "{why}");
    let filtered = json!({ "question": query, "filters": { "language": "fr" } });
    assert_eq!(service.post(&path, filtered).await.body["step"], "filter");
    assert_eq!(
        service.post(&format!("{DOCUMENTS}/doc_none/why-not"), json!({ "question": "x" })).await.problem(),
        (404, "not_found")
    );
}

/// What two replies to one question may differ in.
fn comparable(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for field in ["id", "timings", "created_at"] {
        answer.as_object_mut().unwrap().remove(field);
    }
    answer
}

/// The events of a good answer come in the order that was promised, and its end is the answer that comes without a stream.
async fn check_stream(service: &Service, question: &str) {
    let events = service.ask_streamed(question).await;
    let names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names[..2], ["answer.created", "retrieval.completed"], "{names:?}");
    assert_eq!(*names.last().unwrap(), "answer.completed");
    assert!(
        names[2..names.len() - 1].iter().all(|name| ["answer.delta", "citation.added", "answer.revised"].contains(name)),
        "{names:?}"
    );
    assert!(events[1].data["data"][0]["passage"]["text"].is_string());
    let last = &events.last().unwrap().data;
    assert_eq!(events[0].data["id"], last["id"]);
    if !names.contains(&"answer.revised") {
        let text: String = events
            .iter()
            .filter(|event| event.name == "answer.delta")
            .map(|event| event.data["text"].as_str().unwrap())
            .collect();
        assert_eq!(text, last["text"].as_str().unwrap());
        let citations: Vec<&Value> =
            events.iter().filter(|event| event.name == "citation.added").map(|event| &event.data).collect();
        assert_eq!(json!(citations), last["citations"]);
    }
    assert_eq!(comparable(last), comparable(&service.ask(question).await));
    check_stored(service, last).await;
}

#[tokio::test]
async fn a_stream_ends_with_the_answer_that_comes_without_one() {
    let service = with_reports(&[]).await;
    check_stream(&service, "What was the revenue of Northgale Ferries in 2023?").await;
    check_stream(&service, "截至2023年末，澜汐海洋设备有多少员工？").await;
}

#[tokio::test]
async fn a_model_that_quotes_its_evidence_is_believed() {
    let model = Model::start(Behaviour::Good).await;
    let service = with_reports(&model.settings()).await;
    let question = "What was the revenue of Northgale Ferries in 2023?";
    let answer = service.ask(question).await;
    assert_eq!((&answer["model"], &answer["usage"]["prompt_tokens"]), (&json!("scripted"), &json!(321)), "{answer}");
    assert_ne!(answer["verdict"], "refused", "{answer}");
    check_citations(&service, &answer).await;
    check_stream(&service, question).await;
    let quiet = service.post("/v1/ask", json!({ "question": question, "mode": "extractive" })).await.body;
    assert_eq!(quiet["model"], "extractive");
}

#[tokio::test]
async fn a_number_that_a_model_invents_reaches_nobody() {
    let model = Model::start(Behaviour::Invents).await;
    let service = with_reports(&model.settings()).await;
    let question = "What was the revenue of Northgale Ferries in 2023?";
    let answer = service.ask(question).await;
    assert!(!answer.to_string().contains("98765"), "{answer}");
    for event in service.ask_streamed(question).await {
        assert!(!event.data.to_string().contains("98765"), "{event:?}");
    }
}

/// A model that fails is told as a problem, in the reply and in the stream, and nothing is stored as an answer.
async fn check_failing(behaviour: Behaviour, status: u16, code: &str) {
    let model = Model::start(behaviour).await;
    let service = with_reports(&model.settings()).await;
    let question = "What was the revenue of Northgale Ferries in 2023?";
    let reply = service.post("/v1/ask", json!({ "question": question })).await;
    assert_eq!(reply.problem(), (status, code), "{behaviour:?}: {}", reply.body);
    assert_eq!(reply.body["retryable"], true, "{behaviour:?}");
    let events = service.ask_streamed(question).await;
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), &last.data["code"]), ("error", &json!(code)), "{behaviour:?}");
    let ends = ["answer.completed", "answer.refused", "error"];
    assert_eq!(events.iter().filter(|event| ends.contains(&event.name.as_str())).count(), 1);
    let id = events[0].data["id"].as_str().unwrap();
    assert_eq!(service.get(&format!("/v1/answers/{id}")).await.problem(), (404, "not_found"));
    // Search goes on, and readiness says what is worse.
    let ready = service.get("/readyz").await;
    assert_eq!((ready.status, ready.body["degraded"].to_string().contains("llm_unavailable")), (200, true), "{}", ready.body);
}

#[tokio::test]
async fn a_stream_without_a_finish_reason_is_no_answer() {
    check_failing(Behaviour::NoFinishReason, 502, "llm_truncated").await;
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_no_answer() {
    check_failing(Behaviour::CutMidStream, 502, "llm_truncated").await;
}

#[tokio::test]
async fn a_model_that_turns_everyone_away_is_told() {
    check_failing(Behaviour::Http429, 503, "llm_rate_limited").await;
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_no_answer() {
    check_failing(Behaviour::HtmlErrorPage, 503, "llm_unavailable").await;
}

#[tokio::test]
async fn a_silent_model_is_not_waited_for() {
    check_failing(Behaviour::Stall, 504, "llm_stalled").await;
}

#[tokio::test]
async fn an_error_under_status_200_is_an_error() {
    check_failing(Behaviour::ErrorIn200, 502, "llm_bad_response").await;
}

#[tokio::test]
async fn a_model_endpoint_that_is_down_is_told() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/v1");
    let service = with_reports(&[("DOSSIER_LLM__BASE_URL", &url), ("DOSSIER_LLM__MODEL", "absent")]).await;
    let reply = service.post("/v1/ask", json!({ "question": "What was the revenue of Northgale Ferries in 2023?" })).await;
    assert_eq!(reply.problem(), (503, "llm_unavailable"));
    assert!(!reply.body.to_string().contains(&free.to_string()) && reply.headers.contains_key("retry-after"), "{}", reply.body);
}

#[tokio::test]
async fn a_questioner_who_leaves_ends_the_work() {
    let model = Model::start(Behaviour::Stall).await;
    let mut settings = model.settings();
    settings.retain(|(name, _)| !name.ends_with("TIMEOUT"));
    settings.extend([("DOSSIER_LLM__FIRST_BYTE_TIMEOUT", "100"), ("DOSSIER_LLM__IDLE_TIMEOUT", "100")]);
    let service = with_reports(&settings).await;
    for (at, stream) in [true, false].into_iter().enumerate() {
        let question = json!({ "question": "What was the revenue of Northgale Ferries in 2023?", "stream": stream });
        let asking = tokio::spawn(service.request(reqwest::Method::POST, "/v1/ask").json(&question).send());
        let came = |count: &std::sync::atomic::AtomicUsize| count.load(std::sync::atomic::Ordering::SeqCst) == at + 1;
        let wait = async {
            while !came(&model.asked) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            // A reply that streams has begun; dropping it, or the request that waits, closes the connection.
            if stream {
                drop(asking.await.unwrap().unwrap())
            } else {
                asking.abort()
            }
            while !came(&model.left) {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE / 2, wait).await.is_ok(), "the model is still being asked, stream: {stream}");
    }
}

#[tokio::test]
async fn feedback_stays_with_its_answer() {
    let service = with_reports(&[]).await;
    let answer = service.ask("澜汐海洋设备2023年营业收入是多少？").await;
    let path = format!("/v1/answers/{}", answer["id"].as_str().unwrap());
    let given = json!({ "rating": "down", "reasons": ["wrong unit"], "comment": "应为万元", "correct_answer": "128,400万元" });
    let reply = service.post(&format!("{path}/feedback"), given.clone()).await;
    assert_eq!((reply.status, &reply.body), (201, &given));
    assert_eq!(service.post(&format!("{path}/feedback"), json!({ "rating": "up" })).await.status, 201);
    let kept = service.get(&path).await.body["feedback"].clone();
    assert_eq!((kept[0]["comment"].as_str(), kept[1]["rating"].as_str()), (Some("应为万元"), Some("up")), "{kept}");
    let check = async |path: &str, body: Value, problem: (u16, &str)| {
        assert_eq!(service.post(path, body.clone()).await.problem(), problem, "{path} {body}");
    };
    let good = json!({ "rating": "up" });
    for id in ["ans_0192f0c1a2b37c4d8e5f60718293a4b5", "ans_x", "doc_1"] {
        check(&format!("/v1/answers/{id}/feedback"), good.clone(), (404, "not_found")).await;
    }
    check(&format!("{path}/feedback"), json!({ "rating": "sideways" }), (422, "invalid_request")).await;
    check(&format!("{path}/feedback"), json!({ "rating": "up", "stars": 5 }), (422, "unknown_field")).await;
    check(&format!("{path}/feedback"), json!({ "rating": "up", "comment": "x".repeat(4001) }), (422, "invalid_request")).await;
}

#[tokio::test]
async fn a_replay_says_what_differs() {
    let data = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let mut service = Service::on(data.clone(), &[]).await;
    assert_eq!(service.ingest("northgale-2023.md", ENGLISH).await["status"], "ready");
    let answer = service.ask("What was the revenue of Northgale Ferries in 2023?").await;
    let id = answer["id"].as_str().unwrap().to_owned();
    let replay = |service: &Service| {
        let output = run(dossier().args(["replay", &id, "--json", "--url", &service.url]));
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap()["differences"].clone())
    };
    assert_eq!(replay(&service), (Some(0), json!([])));
    // Another report says more about it.
    let second =
        "# Northgale Ferries annual report 2023, restated\n\nRevenue of Northgale Ferries was 409.9 million euros in 2023.\n";
    assert_eq!(service.ingest("northgale-2023-restated.md", second).await["status"], "ready");
    let (code, differences) = replay(&service);
    assert!(code == Some(1) && differences.to_string().contains("ranked"), "{differences}");
    service.kill();
    let shown = run(dossier().args(["answers", "show", &id, "--trace", "--data"]).arg(data.path()));
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("412.6 million") && shown.contains("versions: dossier"), "{shown}");
    let absent = run(dossier().args(["answers", "show", "ans_nothing", "--data"]).arg(data.path()));
    assert_eq!(absent.status.code(), Some(1));
}

#[tokio::test]
async fn a_value_is_read_out_of_proven_sentences() {
    let service = with_reports(&[]).await;
    let check = async |question: &str, schema: Value, value: Value, unit: Option<&str>| {
        let reply = service.post("/v1/ask", json!({ "question": question, "response_schema": schema })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!((&reply.body["value"]["value"], reply.body["value"]["unit"].as_str()), (&value, unit), "{}", reply.body);
        check_citations(&service, &reply.body).await;
    };
    check("What was the revenue of Northgale Ferries in 2023?", json!("number"), json!(412_600_000), Some("EUR")).await;
    check("澜汐海洋设备2023年营业收入是多少？", json!("number"), json!(1_284_000_000), Some("CNY")).await;
    check("How many employees did Northgale Ferries have at the end of 2023?", json!("number"), json!(1284), Some("person"))
        .await;
    let object = json!({ "type": "object", "required": ["revenue"], "properties": {
        "revenue": { "type": "number" }, "currency": { "type": "string" }, "year": { "type": "integer" } } });
    let filled = json!({ "revenue": 412_600_000, "currency": "EUR", "year": 2023 });
    check("What was the revenue of Northgale Ferries in 2023?", object, filled, None).await;

    // What the reports cannot fill is refused.
    let unfillable = json!({ "type": "object", "required": ["auditor"], "properties": { "auditor": { "type": "boolean" } } });
    let question = "What was the revenue of Northgale Ferries in 2023?";
    let reply = service.post("/v1/ask", json!({ "question": question, "response_schema": unfillable })).await;
    assert_eq!(
        (&reply.body["verdict"], &reply.body["refusal"]["reason"]),
        (&json!("refused"), &json!("weak_evidence")),
        "{}",
        reply.body
    );

    for schema in [
        json!("sentence"),
        json!(7),
        json!({}),
        json!({ "type": "matrix" }),
        json!({ "type": "object" }),
        json!({ "type": "array" }),
        json!({ "type": "string", "pattern": "x" }),
        json!({ "type": "object", "properties": { "a": { "type": "number" } }, "required": ["b"] }),
    ] {
        let reply = service.post("/v1/ask", json!({ "question": question, "response_schema": schema })).await;
        assert_eq!(reply.problem(), (422, "invalid_response_schema"), "{schema}");
    }
}

#[tokio::test]
async fn limits_of_a_question_are_checked_and_kept() {
    let model = Model::start(Behaviour::Stall).await;
    let mut settings = model.settings();
    settings.retain(|(name, _)| !name.ends_with("TIMEOUT"));
    let service = with_reports(&settings).await;
    let question = "What was the revenue of Northgale Ferries in 2023?";
    let check = async |fields: Value, problem: (u16, &str)| {
        let mut body = json!({ "question": question });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        for stream in [false, true] {
            body["stream"] = stream.into();
            assert_eq!(
                service.post("/v1/ask", body.clone()).await.problem(),
                problem,
                "{}",
                body.to_string().chars().take(200).collect::<String>()
            );
        }
    };
    check(json!({ "deadline_ms": 0 }), (422, "invalid_deadline")).await;
    check(json!({ "deadline_ms": -1 }), (422, "invalid_request")).await;
    check(json!({ "max_tokens": 0 }), (422, "invalid_max_tokens")).await;
    check(json!({ "history": [{ "role": "oracle", "content": "x" }] }), (422, "invalid_request")).await;
    let turns: Vec<Value> = (0..500).map(|n| json!({ "role": "user", "content": n.to_string() })).collect();
    check(json!({ "history": turns }), (422, "history_too_long")).await;

    // A model that says nothing is not waited for beyond the question's own time.
    let body = json!({ "question": question, "deadline_ms": 300 });
    assert_eq!(service.post("/v1/ask", body.clone()).await.problem(), (504, "deadline_exceeded"));
    let mut body = body;
    body["stream"] = true.into();
    let request = service.request(reqwest::Method::POST, "/v1/ask").json(&body);
    let events = crate::service::events(&request.send().await.unwrap().text().await.unwrap());
    let last = events.last().unwrap();
    assert_eq!((last.name.as_str(), last.data["code"].as_str()), ("error", Some("deadline_exceeded")));
}
