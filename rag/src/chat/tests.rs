//! A server that says what a script says, connection by connection; the last line is for all that follow.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use index::{fault::Coded, scope::Scope};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::card::Cards;

struct Server {
    url: String,
    asked: Arc<AtomicUsize>,
    bodies: Arc<Mutex<Vec<String>>>,
}

/// What is sent; with `Hold` the connection stays open in silence.
#[derive(Clone)]
enum Line {
    Send(String),
    Hold(String),
}

async fn server(script: Vec<Line>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (asked, bodies) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<String>>>::default());
    let server = Server { url, asked: asked.clone(), bodies: bodies.clone() };
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let at = asked.fetch_add(1, SeqCst);
            let line = script[at.min(script.len() - 1)].clone();
            let bodies = bodies.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 64 << 10];
                let mut length = 0;
                while !String::from_utf8_lossy(&request[..length]).contains("}]") || !request[..length].ends_with(b"}") {
                    match socket.read(&mut request[length..]).await {
                        Ok(read) if read > 0 => length += read,
                        _ => return,
                    }
                }
                bodies.lock().push(String::from_utf8_lossy(&request[..length]).into_owned());
                let (Line::Send(text) | Line::Hold(text)) = &line;
                socket.write_all(text.as_bytes()).await.ok();
                if let Line::Hold(_) = line {
                    let mut rest = [0; 64];
                    while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                }
                socket.shutdown().await.ok();
            });
        }
    });
    server
}

fn plain(status: u16, headers: &str, body: &str) -> Line {
    Line::Send(format!(
        "HTTP/1.1 {status} X\r\n{headers}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

fn stream(body: &str) -> Line {
    Line::Send(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}"))
}

fn chunk(text: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": text }, "finish_reason": null }] }))
}

fn end_of(reason: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "delta": {}, "finish_reason": reason }] }))
}

fn good() -> Line {
    let usage = json!({ "choices": [], "usage": { "prompt_tokens": 7, "completion_tokens": 3 } });
    stream(&format!("{}{}data: {usage}\n\ndata: [DONE]\n\n", chunk("毛利率为31.2%。"), end_of("stop")))
}

fn endpoint(url: &str, dialect: Dialect) -> Endpoint {
    Endpoint {
        name: "test".into(),
        card: String::new(),
        base_url: url.into(),
        api_key: "k".into(),
        model: "m".into(),
        max_tokens: 100,
        context_tokens: 4096,
        first_byte: Duration::from_millis(300),
        idle: Duration::from_millis(300),
        dialect,
    }
}

fn call() -> Call {
    Call::new(Scope::default(), Duration::from_secs(20))
}

fn prompt() -> Prompt {
    Prompt { system: "s".into(), user: "u".into(), passages: 1, fence: "f".into(), max_tokens: None }
}

/// The whole text, or the code of the failure.
async fn say(chat: &Chat, call: &Call) -> Result<(String, Option<Finish>), &'static str> {
    let mut talk = chat.open(call, &prompt()).await.map_err(|error| error.code())?;
    let mut text = String::new();
    while let Some(piece) = talk.next().await.map_err(|error| error.code())? {
        text.push_str(&piece);
    }
    Ok((text, talk.finish()))
}

async fn check(script: Vec<Line>, wanted: Result<&str, &'static str>, asked: usize) {
    let server = server(script).await;
    let chat = Chat::new(endpoint(&server.url, Dialect::default()));
    let said = say(&chat, &call()).await.map(|(text, _)| text);
    assert_eq!((said.as_deref().map_err(|code| *code), server.asked.load(SeqCst)), (wanted, asked));
}

const TEXT: Result<&str, &str> = Ok("毛利率为31.2%。");

#[tokio::test]
async fn what_passes_is_tried_again_and_answers_once() {
    check(vec![good()], TEXT, 1).await;
    check(vec![plain(503, "", "busy"), plain(500, "", "{}"), good()], TEXT, 3).await;
    check(vec![plain(429, "retry-after: 0.01\r\n", "{}"), good()], TEXT, 2).await;
    check(vec![Line::Hold(String::new()), good()], TEXT, 2).await;
    check(vec![stream(""), good()], TEXT, 2).await;
}

#[tokio::test]
async fn what_does_not_pass_is_told_with_its_code() {
    let quota = r#"{"error":{"message":"used up","code":"insufficient_quota"}}"#;
    check(vec![plain(429, "", quota)], Err("llm_quota_exhausted"), 1).await;
    check(vec![plain(401, "", "{}")], Err("llm_unauthorized"), 1).await;
    check(vec![plain(404, "", r#"{"error":{"message":"no such model"}}"#)], Err("llm_unavailable"), 1).await;
    check(vec![plain(302, "location: http://127.0.0.1:9/\r\n", "")], Err("llm_unavailable"), 1).await;
    check(vec![plain(503, "", "<html>busy</html>")], Err("llm_unavailable"), 3).await;
    check(vec![plain(429, "", "{}")], Err("llm_rate_limited"), 3).await;
    check(vec![plain(429, "retry-after: 3600\r\n", "{}")], Err("llm_rate_limited"), 1).await;
    check(vec![plain(200, "", r#"{"error":{"message":"out of memory","code":500}}"#)], Err("llm_bad_response"), 1).await;
    check(vec![plain(200, "", "<html>a portal</html>")], Err("llm_bad_response"), 1).await;
    check(vec![stream(&format!("data: {}\n\n", json!({ "error": "no" })))], Err("llm_bad_response"), 1).await;
    check(vec![Line::Hold(String::new())], Err("llm_stalled"), 2).await;
}

#[tokio::test]
async fn once_text_was_read_nothing_is_tried_again() {
    check(vec![stream(&chunk("half"))], Err("llm_truncated"), 1).await;
    check(vec![stream(&format!("{}data: [DONE]\n\n", chunk("half")))], Err("llm_truncated"), 1).await;
    check(
        vec![stream(&format!("{}data: {}\n\n", chunk("half"), json!({ "error": { "message": "late" } })))],
        Err("llm_bad_response"),
        1,
    )
    .await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    check(vec![Line::Hold(format!("{head}{}", chunk("half")))], Err("llm_stalled"), 1).await;
}

#[tokio::test]
async fn endings_of_every_kind_are_good_ones() {
    let text = chunk("毛利率为31.2%。");
    // No `[DONE]`, twice the end, a silent connection after it, one that breaks, a whole answer instead of a stream.
    check(vec![stream(&format!("{text}{}", end_of("stop")))], TEXT, 1).await;
    check(vec![stream(&format!("{text}{}{}data: [DONE]\n\ndata: [DONE]\n\n", end_of("stop"), end_of("stop")))], TEXT, 1).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n";
    check(vec![Line::Hold(format!("{head}{text}{}data: [DONE]\n\n", end_of("stop")))], TEXT, 1).await;
    check(vec![Line::Send(format!("{head}{text}{}", end_of("eos")))], TEXT, 1).await;
    check(
        vec![plain(
            200,
            "",
            &json!({ "choices": [{ "message": { "content": "毛利率为31.2%。" }, "finish_reason": "stop" }] }).to_string(),
        )],
        TEXT,
        1,
    )
    .await;
    let thinking = format!(
        "data: {}\n\n",
        json!({ "choices": [{ "delta": { "reasoning_content": "well", "content": "" }, "finish_reason": "" }] })
    );
    check(vec![stream(&format!("{thinking}{}{}{text}{}", chunk("<thi"), chunk("nk>hm</think>"), end_of("stop")))], TEXT, 1).await;
}

#[tokio::test]
async fn a_limit_and_a_filter_are_told_apart() {
    for (reason, finish) in [("length", Finish::Length), ("content_filter", Finish::Filtered), ("tool_calls", Finish::Complete)] {
        let server = server(vec![stream(&format!("{}{}", chunk("x"), end_of(reason)))]).await;
        let chat = Chat::new(endpoint(&server.url, Dialect::default()));
        assert_eq!(say(&chat, &call()).await, Ok(("x".into(), Some(finish))));
    }
}

#[tokio::test]
async fn the_time_of_a_call_ends_it() {
    let server = server(vec![Line::Hold(String::new())]).await;
    let chat = Chat::new(endpoint(&server.url, Dialect::default()));
    let short = Call::new(Scope::default(), Duration::from_millis(50));
    assert_eq!(say(&chat, &short).await, Err("deadline_exceeded"));
}

#[tokio::test]
async fn after_failures_in_a_row_nobody_is_sent_any_more() {
    let server = server(vec![plain(400, "", "{}")]).await;
    let chat = Chat::new(endpoint(&server.url, Dialect::default()));
    for _ in 0..8 {
        assert_eq!(say(&chat.clone(), &call()).await, Err("llm_unavailable"));
    }
    assert_eq!(server.asked.load(SeqCst), 5);
}

#[tokio::test]
async fn the_card_decides_what_is_sent() {
    let cards = Cards::load(None).unwrap();
    let sent = async |card: &str, model: &str| {
        let server = server(vec![good()]).await;
        let dialect = cards.get(card).unwrap().dialect(model);
        let chat = Chat::new(Endpoint { model: model.into(), ..endpoint(&server.url, dialect) });
        say(&chat, &call()).await.unwrap();
        let request = server.bodies.lock()[0].clone();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        (head.to_lowercase(), serde_json::from_str::<Value>(body).unwrap())
    };
    let (head, body) = sent("dashscope", "qwen3-32b").await;
    assert!(head.contains("authorization: bearer k") && head.starts_with("post /v1/chat/completions"), "{head}");
    assert_eq!((&body["enable_thinking"], &body["max_tokens"], &body["temperature"]), (&json!(false), &json!(100), &json!(0)));
    let (head, body) = sent("azure", "gpt-5-mini").await;
    assert!(head.contains("api-key: k") && !head.contains("authorization"), "{head}");
    assert_eq!((&body["max_completion_tokens"], body.get("max_tokens"), body.get("temperature")), (&json!(8292), None, None));
    let (_, body) = sent("spark", "lite").await;
    assert_eq!((body["messages"].as_array().unwrap().len(), body.get("stream_options")), (1, None));
}

#[tokio::test]
async fn tokens_are_counted_by_the_endpoint_or_for_it() {
    for (line, tokens) in [(good(), (7, 3)), (stream(&format!("{}{}", chunk("12345678"), end_of("stop"))), (0, 2))] {
        let server = server(vec![line]).await;
        let call = call();
        say(&Chat::new(endpoint(&server.url, Dialect::default())), &call).await.unwrap();
        let (prompt, completion, _) = call.meter.total();
        assert_eq!((prompt, completion), tokens);
    }
}

#[tokio::test]
async fn a_key_that_is_repeated_in_an_error_is_not_told() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-secret-secret"}}"#;
    let server = server(vec![plain(401, "", body)]).await;
    let chat = Chat::new(Endpoint { api_key: "sk-secret-secret".into(), ..endpoint(&server.url, Dialect::default()) });
    let error = chat.open(&call(), &prompt()).await.err().unwrap().to_string();
    assert!(error.contains("Incorrect API key") && !error.contains("secret"), "{error}");
}
