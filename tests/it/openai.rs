//! Programs that speak OpenAI's chat API are served: whole, in chunks, and with errors in their shape.

use serde_json::{Value, json};

use crate::{
    fakes::{Behaviour, Fake, Model},
    service::{Reply, Service},
};

const REPORT: &str = "# Northgale Ferries annual report 2023\n\n## Results\n\nRevenue of Northgale Ferries was 412.6 million euros in 2023, \
                      up 6.1% from 2022.\n";
const QUESTION: &str = "What was the revenue of Northgale Ferries in 2023?";

async fn with_report(settings: &[(&str, &str)]) -> Service {
    let service = Service::with(settings).await;
    assert_eq!(service.ingest("northgale-2023.md", REPORT).await["status"], "ready");
    service
}

fn conversation(question: &str) -> Value {
    json!({ "model": "default", "messages": [{ "role": "system", "content": "Be kind." }, { "role": "user", "content": question }], "temperature": 0.7, "user": "u" })
}

async fn ask(service: &Service, body: Value) -> Reply {
    service.post("/v1/chat/completions", body).await
}

/// The data of a stream's frames; named events have no business here.
async fn chunks(service: &Service, mut body: Value) -> Vec<String> {
    body["stream"] = true.into();
    body["stream_options"] = json!({ "include_usage": true });
    let response = service.request(reqwest::Method::POST, "/v1/chat/completions").json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let text = response.text().await.unwrap();
    assert!(!text.contains("event:") && !text.contains("id: "), "{text}");
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_completion_carries_the_answer_its_sources_and_our_citations() {
    let service = with_report(&[]).await;
    let reply = ask(&service, conversation(QUESTION)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let body = reply.body;
    assert_eq!(
        (&body["object"], &body["model"], &body["verdict"]),
        (&json!("chat.completion"), &json!("default"), &json!("answered"))
    );
    let choice = &body["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["role"]), (&json!("stop"), &json!("assistant")));
    let content = choice["message"]["content"].as_str().unwrap();
    assert!(content.contains("412.6 million") && content.contains("[1]") && content.contains("Sources:\n[1] "), "{content}");
    let stored = service.get(&format!("/v1/answers/{}", body["id"].as_str().unwrap())).await.body;
    assert!(content.starts_with(stored["text"].as_str().unwrap()));
    assert_eq!(body["citations"], stored["citations"]);
    assert!(body["usage"]["total_tokens"].is_number() && body["created"].as_i64().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn chunks_make_up_the_completion_and_end_with_a_finish_reason_usage_and_done() {
    let service = with_report(&[]).await;
    for question in [QUESTION, "What is the boiling point of mercury?"] {
        let whole = ask(&service, conversation(question)).await.body;
        let frames = chunks(&service, conversation(question)).await;
        assert_eq!(frames.last().unwrap(), "[DONE]");
        let frames: Vec<Value> = frames[..frames.len() - 1].iter().map(|frame| serde_json::from_str(frame).unwrap()).collect();
        assert!(frames.iter().all(|frame| frame["object"] == "chat.completion.chunk" && frame["choices"].is_array()));
        assert_eq!(frames[0]["choices"][0]["delta"]["role"], "assistant");
        let text: String = frames.iter().filter_map(|frame| frame["choices"][0]["delta"]["content"].as_str()).collect();
        assert_eq!(text, whole["choices"][0]["message"]["content"].as_str().unwrap());
        let end = &frames[frames.len() - 2];
        assert_eq!(
            (&end["choices"][0]["finish_reason"], &end["citations"], &end["verdict"]),
            (&json!("stop"), &whole["citations"], &whole["verdict"])
        );
        let usage = &frames[frames.len() - 1];
        assert_eq!((&usage["choices"], &usage["usage"]), (&json!([]), &whole["usage"]));
    }
}

#[tokio::test]
async fn errors_have_the_shape_of_openai() {
    let service = with_report(&[]).await;
    let check = |reply: Reply, status: u16, kind: &str, code: &str| {
        let error = &reply.body["error"];
        assert_eq!((reply.status, &error["type"], &error["code"]), (status, &json!(kind), &json!(code)), "{}", reply.body);
        assert!(error["message"].is_string() && error.get("param").is_some(), "{}", reply.body);
        assert!(reply.headers["content-type"].to_str().unwrap().starts_with("application/json"));
    };
    let invalid = "invalid_request_error";
    check(ask(&service, json!({ "messages": [] })).await, 422, invalid, "empty_question");
    check(
        ask(&service, json!({ "model": "absent", "messages": [{ "role": "user", "content": "x" }] })).await,
        404,
        invalid,
        "not_found",
    );
    check(ask(&service, json!({ "model": "default" })).await, 422, invalid, "invalid_request");
    check(ask(&service, conversation(&"x".repeat(4001))).await, 422, invalid, "question_too_long");
    check(service.send("/v1/chat/completions", "application/json", "{").await, 400, invalid, "invalid_json");
    check(service.get("/v1/models/absent").await, 404, invalid, "not_found");
    check(service.get("/v1/chat/completions").await, 405, invalid, "method_not_allowed");
    let locked = Service::with(&[("DOSSIER_SERVER__KEY", "k")]).await;
    check(ask(&locked, conversation("x")).await, 401, "authentication_error", "unauthenticated");
}

#[tokio::test]
async fn scenarios_are_listed_as_models() {
    let service = Service::start().await;
    let models = service.get("/v1/models").await.body;
    assert_eq!(
        (&models["object"], &models["data"][0]["id"], &models["data"][0]["object"]),
        (&json!("list"), &json!("default"), &json!("model"))
    );
    assert_eq!(service.get("/v1/models/default").await.body, models["data"][0]);
}

#[tokio::test]
async fn a_model_that_breaks_off_ends_a_stream_with_an_error_and_without_done() {
    let model = Model::start(Behaviour::CutMidStream).await;
    let service = with_report(&model.settings()).await;
    let frames = chunks(&service, conversation(QUESTION)).await;
    let last: Value = serde_json::from_str(frames.last().unwrap()).unwrap();
    assert_eq!((&last["error"]["code"], &last["error"]["type"]), (&json!("llm_truncated"), &json!("server_error")), "{last}");
}

/// With the last rung of the ladder an answer comes whatever the model does, and says so.
#[tokio::test]
async fn where_the_model_fails_the_extractive_answerer_steps_in_if_it_may() {
    for behaviour in [
        Behaviour::NoFinishReason,
        Behaviour::CutMidStream,
        Behaviour::Http429,
        Behaviour::HtmlErrorPage,
        Behaviour::ErrorIn200,
        Behaviour::Stall,
    ] {
        let model = Model::start(behaviour).await;
        let mut settings = model.settings();
        settings.push(("DOSSIER_LLM__FALLBACK", "extractive"));
        let service = with_report(&settings).await;
        let answer = service.ask(QUESTION).await;
        assert_eq!((&answer["verdict"], &answer["model"]), (&json!("answered"), &json!("extractive")), "{behaviour:?}: {answer}");
        assert_eq!(
            (&answer["degraded"]["reason"], &answer["degraded"]["failures"][0]["backend"]),
            (&json!("model_unavailable"), &json!("llm")),
            "{behaviour:?}"
        );
        let events = service.ask_streamed(QUESTION).await;
        let last = events.last().unwrap();
        assert_eq!((last.name.as_str(), &last.data["text"]), ("answer.completed", &answer["text"]), "{behaviour:?}");
        // What was shown of the model's text is replaced.
        let shown: String =
            events.iter().filter(|event| event.name == "answer.delta").filter_map(|event| event.data["text"].as_str()).collect();
        let revised = events.iter().find(|event| event.name == "answer.revised").map(|event| event.data["text"].clone());
        assert!(
            revised.as_ref() == Some(&last.data["text"]) || (revised.is_none() && last.data["text"] == shown),
            "{behaviour:?}"
        );
        assert!(service.get("/readyz").await.body["degraded"].to_string().contains("llm_unavailable"));
    }
}

#[tokio::test]
async fn a_card_that_is_wrong_stops_the_start_with_its_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "name = \"mine\"\ntitle = \"Mine\"\nbase_uri = \"http://x\"\n").unwrap();
    let output = crate::service::run(crate::service::dossier().args(["models", "ls"]).env("DOSSIER_LLM__CARDS", folder.path()));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains(&format!("{}:3: ", file.display())) && told.contains("base_uri"), "{told}");
    let output = crate::service::run(crate::service::dossier().args(["models", "show", "deepseek", "--json"]));
    let card: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&card["base_url"], &card["models"][0]["price"]["currency"]), (&json!("https://api.deepseek.com"), &json!("CNY")));
}

/// The answer of a service that talks to a model server of the program's own through a card.
async fn check_fake(card: &str, model: &str, misbehaviour: Option<&str>, check: impl Fn(Reply)) {
    let mut arguments = vec!["--profile", card];
    arguments.extend(misbehaviour.map(|name| ["--misbehave", name]).into_iter().flatten());
    let fake = Fake::start(&arguments);
    let service = with_report(&[
        ("DOSSIER_LLM__CARD", card),
        ("DOSSIER_LLM__BASE_URL", &fake.url),
        ("DOSSIER_LLM__API_KEY", "k"),
        ("DOSSIER_LLM__MODEL", model),
    ])
    .await;
    check(service.post("/v1/ask", json!({ "question": QUESTION })).await);
}

#[tokio::test]
async fn platforms_are_spoken_to_in_the_words_of_their_cards() {
    for (card, model) in
        [("openai", "gpt-5-mini"), ("dashscope", "qwen3-32b"), ("spark", "lite"), ("moonshot", "kimi-k2.6"), ("zhipu", "glm-5")]
    {
        check_fake(card, model, None, |reply| {
            assert_eq!(
                (&reply.body["verdict"], &reply.body["model"]),
                (&json!("answered"), &json!(model)),
                "{card}: {}",
                reply.body
            );
            assert!(reply.body["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{card}");
        })
        .await;
    }
}

#[tokio::test]
async fn what_is_only_odd_is_understood_and_what_is_wrong_is_told() {
    for name in ["split_utf8", "duplicate_end", "think_inline", "huge_line"] {
        check_fake("deepseek", "deepseek-v4-flash", Some(name), |reply| {
            assert_eq!(reply.body["verdict"], "answered", "{name}: {}", reply.body);
            assert!(!reply.body["text"].as_str().unwrap().contains("think"), "{}", reply.body);
        })
        .await;
    }
    for (name, code) in [("quota", "llm_quota_exhausted"), ("5xx", "llm_unavailable"), ("no_finish", "llm_truncated")] {
        check_fake("siliconflow", "Qwen/Qwen3-8B", Some(name), |reply| assert_eq!(reply.problem().1, code, "{name}")).await;
    }
    check_fake("qianfan", "ernie-5.0", Some("refuser"), |reply| {
        assert_eq!(reply.body["refusal"]["reason"], "provider", "{}", reply.body)
    })
    .await;
    check_fake("ark", "ep-1", Some("liar"), |reply| assert!(!reply.body.to_string().contains("98765"), "{}", reply.body)).await;
}

/// A probe of the fake server of a card finds what that card says.
#[tokio::test]
async fn a_probe_finds_out_what_a_card_knows() {
    let folder = tempfile::tempdir().unwrap();
    let say = |line: &[&str]| {
        let output = crate::service::run(crate::service::dossier().args(line).arg("--json"));
        (output.status.code().unwrap(), serde_json::from_slice::<Value>(&output.stdout).unwrap_or_default())
    };
    for (card, model) in
        [("openai", "gpt-5-mini"), ("dashscope", "qwen3-32b"), ("spark", "lite"), ("moonshot", "kimi-k2.6"), ("zhipu", "glm-5")]
    {
        let fake = Fake::start(&["--profile", card]);
        let file = folder.path().join(format!("{card}.toml"));
        let out = file.to_str().unwrap();
        let probe = ["models", "probe", "--base-url", &fake.url, "--model", model, "--card", "found", "--out", out];
        let (code, found) = say(&probe);
        assert_eq!(code, 0, "{card}: {found}");
        let (_, known) = say(&["models", "show", card]);
        let said = known["models"].as_array().unwrap().iter().filter(|known| {
            known["name"].as_str().is_some_and(|name| name == model || model.starts_with(name.trim_end_matches('*')))
        });
        let said = said.max_by_key(|known| known["name"].as_str().map(str::len)).unwrap();
        let or = |field: &str| if said.get(field).is_some() { said[field].clone() } else { known[field].clone() };
        let (found, thinking) = (&found["card"], or("thinking"));
        for field in ["max_tokens_field", "stream_usage", "models_path"] {
            assert_eq!(found[field], known[field], "{card}: {field}");
        }
        assert_eq!(found["temperature"], or("temperature"), "{card}");
        assert_eq!(found["models"][0]["system_role"], said["system_role"], "{card}");
        assert_eq!(
            (&found["thinking"]["default"], &found["thinking"]["always"]),
            (&thinking["default"], &thinking["always"]),
            "{card}"
        );
        if thinking["always"] == false {
            assert_eq!(found["thinking"]["off"], thinking["off"], "{card}");
        }
        // What was written is a card, and it is not written over.
        assert_eq!(say(&probe).0, 2);
        let cards =
            crate::service::run(crate::service::dossier().args(["models", "check"]).env("DOSSIER_LLM__CARDS", folder.path()));
        assert_eq!(cards.status.code(), Some(0), "{}", String::from_utf8_lossy(&cards.stderr));
        std::fs::remove_file(&file).unwrap();
    }
    assert_eq!(say(&["models", "probe", "--base-url", "http://127.0.0.1:9/v1", "--model", "m"]).0, 5);
    let fake = Fake::start(&["--misbehave", "no_finish"]);
    let (code, found) = say(&["models", "probe", "--base-url", &fake.url, "--model", "m"]);
    assert_eq!((code, &found["checks"][0]["good"]), (1, &json!(false)), "{found}");
}

#[tokio::test]
async fn what_an_answer_cost_is_told_in_the_currency_of_the_card() {
    check_fake("deepseek", "deepseek-v4-flash", None, |reply| {
        let usage = &reply.body["usage"];
        let tokens = |name: &str| usage[name].as_f64().unwrap();
        let cost = (tokens("prompt_tokens") * 1.0 + tokens("completion_tokens") * 2.0) / 1e6;
        assert_eq!((&usage["currency"], cost > 0.0), (&json!("CNY"), true), "{usage}");
        assert!((usage["cost"].as_f64().unwrap() - cost).abs() < 1e-12, "{usage}");
    })
    .await;
    check_fake("vllm", "any", None, |reply| assert_eq!(reply.body["usage"]["cost"], Value::Null, "{}", reply.body)).await;
}
