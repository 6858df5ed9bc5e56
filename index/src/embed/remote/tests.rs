//! The endpoint misbehaves by name; it speaks raw HTTP on this machine.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{fault::Coded, scope::Scope};

#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Good,
    /// The last vector first, each with its index.
    Shuffled,
    /// No indexes at all.
    Unnumbered,
    /// Two vectors for one place.
    Twice,
    FewerVectors,
    OtherDimension,
    NotFinite,
    Zero,
    /// One platform's object instead of a list.
    Object,
    /// 413 for more texts than this.
    TooLarge(usize),
    /// 400 in a vendor's words for more texts than this.
    BatchSize(usize),
    /// 400 for texts of more characters than this.
    TooLong(usize),
    /// 429 with a pause of a second, the first time.
    BusyOnce,
    /// 429 with a pause longer than anyone waits.
    Busy,
    /// 503, the first time.
    FailsOnce,
    Fails,
    WrongKey,
    NoSuchModel,
    Html,
    ErrorIn200,
    Cut,
    Stall,
}
use Behaviour::*;

struct Server {
    endpoint: Endpoint,
    /// Texts of each request.
    requests: Arc<Mutex<Vec<Vec<String>>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Server {
    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let requests: Arc<Mutex<Vec<Vec<String>>>> = Arc::default();
        let (at_once, most_at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (seen, most) = (requests.clone(), most_at_once.clone());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (seen, at_once, most) = (seen.clone(), at_once.clone(), most.clone());
                tokio::spawn(async move {
                    let Some(texts) = read(&mut socket).await else { return };
                    most.fetch_max(at_once.fetch_add(1, SeqCst) + 1, SeqCst);
                    let number = seen.lock().len();
                    seen.lock().push(texts.clone());
                    let reply = reply(behaviour, &texts, number);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    at_once.fetch_sub(1, SeqCst);
                    if behaviour == Stall {
                        tokio::time::sleep(Duration::from_secs(30)).await;
                    }
                    socket.write_all(reply.as_bytes()).await.ok();
                    socket.shutdown().await.ok();
                });
            }
        });
        let endpoint = Endpoint {
            base_url,
            path: "/embeddings".into(),
            key: Some(("authorization".into(), "Bearer secret".into())),
            model: "m".into(),
            ask_dimensions: None,
            query_prefix: "query: ".into(),
            passage_prefix: "passage: ".into(),
            max_batch: 3,
            max_tokens_each: 1000,
            max_tokens_total: 2000,
            concurrency: 2,
            timeout: Duration::from_secs(1),
        };
        Self { endpoint, requests, most_at_once }
    }

    fn encoder(&self) -> Remote {
        Remote::new(self.endpoint.clone(), 3, 1.0, 0.0).unwrap()
    }

    fn sizes(&self) -> Vec<usize> {
        self.requests.lock().iter().map(Vec::len).collect()
    }
}

/// The texts of a request; its key must have come with it.
async fn read(socket: &mut TcpStream) -> Option<Vec<String>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = socket.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        assert!(head.contains("authorization: bearer secret"), "{head}");
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())?;
        if let Some(body) = bytes.get(end + 4..end + 4 + length) {
            let body: Value = serde_json::from_slice(body).unwrap();
            return Some(serde_json::from_value(body["input"].clone()).unwrap());
        }
    }
}

/// A vector that tells its text.
fn vector(text: &str) -> Vec<f32> {
    vec![text.chars().count() as f32, 1.0, 0.0]
}

fn reply(behaviour: Behaviour, texts: &[String], number: usize) -> String {
    let plain = |status: &str, headers: &str, body: String| {
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    let error = |status: &str, headers: &str, message: &str| {
        plain(status, headers, json!({ "error": { "message": message, "code": "x" } }).to_string())
    };
    let longest = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let mut data: Vec<Value> =
        texts.iter().enumerate().map(|(at, text)| json!({ "index": at, "embedding": vector(text) })).collect();
    match behaviour {
        TooLarge(most) if texts.len() > most => return error("413 Payload Too Large", "", "too much"),
        BatchSize(most) if texts.len() > most => {
            return error("400 Bad Request", "", &format!("batch size is invalid, it should not be larger than {most}."));
        }
        TooLong(most) if longest > most => {
            return error("400 Bad Request", "", &format!("this model's maximum context length is {most}"));
        }
        BusyOnce if number == 0 => return error("429 Too Many Requests", "retry-after: 1\r\n", "slow down"),
        Busy => return error("429 Too Many Requests", "retry-after: 3600\r\n", "slow down"),
        FailsOnce if number == 0 => return error("503 Service Unavailable", "retry-after: 0\r\n", "starting"),
        Fails => return error("500 Internal Server Error", "retry-after: 0\r\n", "out of memory"),
        WrongKey => return error("401 Unauthorized", "", "who are you"),
        NoSuchModel => return error("404 Not Found", "", "there is no model `m`"),
        Html => return plain("200 OK", "content-type: text/html\r\n", "<html><h1>Welcome</h1></html>".into()),
        ErrorIn200 => return error("200 OK", "", "out of memory"),
        Cut => return "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"data\":".into(),
        Object => data.truncate(1),
        Shuffled => data.reverse(),
        Unnumbered => data.iter_mut().for_each(|v| *v = json!({ "embedding": v["embedding"] })),
        Twice => data.iter_mut().for_each(|v| v["index"] = 0.into()),
        FewerVectors => drop(data.pop()),
        OtherDimension => data.iter_mut().for_each(|v| v["embedding"] = json!([1.0, 2.0])),
        NotFinite => data.iter_mut().for_each(|v| v["embedding"] = json!([1e39, 0.0, 0.0])),
        Zero => data.iter_mut().for_each(|v| v["embedding"] = json!([0.0, 0.0, 0.0])),
        _ => {}
    }
    let data = if behaviour == Object { data[0].clone() } else { json!(data) };
    plain("200 OK", "", json!({ "data": data, "usage": { "total_tokens": 7 } }).to_string())
}

fn call(seconds: u64) -> Call {
    Call::new(Scope::default(), Duration::from_secs(seconds))
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| "营收x".repeat(n + 1)).collect()
}

/// The vectors are those of the texts, whatever the endpoint does on the way.
async fn check(behaviour: Behaviour, count: usize) -> Server {
    let server = Server::start(behaviour).await;
    let vectors = server.encoder().passages(&call(20), &texts(count)).await.unwrap();
    assert_eq!(vectors.len(), count);
    for (text, got) in texts(count).iter().zip(vectors) {
        let want = vector(&format!("passage: {text}"));
        let norm = want.iter().map(|v| v * v).sum::<f32>().sqrt();
        assert!(want.iter().zip(&got).all(|(w, g)| (w / norm - g).abs() < 1e-6), "{text}: {got:?}");
    }
    server
}

/// The call fails with a code and words for a person.
async fn check_fails(behaviour: Behaviour, code: &str, words: &str) {
    let server = Server::start(behaviour).await;
    let error = server.encoder().passages(&call(20), &texts(3)).await.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(words) && !error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn texts_are_sent_in_requests_that_the_endpoint_takes_and_come_back_in_order() {
    let server = check(Good, 8).await;
    let mut sizes = server.sizes();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 3, 3]);
    assert!(server.most_at_once.load(SeqCst) <= 2);
    check(Shuffled, 5).await;
    check(Unnumbered, 5).await;
    check(Object, 1).await;
}

#[tokio::test]
async fn a_question_has_its_own_prefix_and_is_paid_for() {
    let server = Server::start(Good).await;
    let call = call(5);
    server.encoder().query(&call, "毛利率").await.unwrap();
    assert_eq!(*server.requests.lock(), [["query: 毛利率"]]);
    assert_eq!(call.meter.total().2, 7);
    server.encoder().query(&call, " ").await.unwrap();
    assert_eq!(Remote::dimensions(&server.endpoint, &call).await.unwrap(), 3);
}

#[tokio::test]
async fn a_request_that_is_too_large_is_sent_in_halves_and_the_next_ones_are_smaller() {
    for behaviour in [TooLarge(1), BatchSize(1)] {
        let server = Server::start(behaviour).await;
        let encoder = server.encoder();
        assert_eq!(encoder.passages(&call(20), &texts(3)).await.unwrap().len(), 3);
        assert!(server.sizes().contains(&3));
        server.requests.lock().clear();
        encoder.passages(&call(20), &texts(3)).await.unwrap();
        assert_eq!(server.sizes(), [1, 1, 1]);
    }
}

#[tokio::test]
async fn a_text_that_is_too_long_is_read_as_far_as_it_can_be() {
    let server = Server::start(TooLong(400)).await;
    let long = "净利润增长。".repeat(100);
    server.encoder().passages(&call(20), std::slice::from_ref(&long)).await.unwrap();
    let sent: Vec<usize> = server.requests.lock().iter().map(|texts| texts[0].chars().count()).collect();
    assert!(sent.len() == 2 && sent[1] <= 400, "{sent:?}");
    let mut endpoint = server.endpoint.clone();
    endpoint.max_tokens_each = 130;
    server.requests.lock().clear();
    Remote::new(endpoint, 3, 1.0, 0.0).unwrap().passages(&call(20), &[long]).await.unwrap();
    assert_eq!(server.requests.lock()[0][0].chars().count(), 108, "a text may have 130 tokens");
}

#[tokio::test]
async fn no_request_has_more_tokens_than_the_endpoint_takes() {
    let server = Server::start(Good).await;
    let mut endpoint = server.endpoint.clone();
    (endpoint.max_batch, endpoint.max_tokens_total) = (100, 100);
    let texts: Vec<String> = (0..6).map(|_| "营业收入增长了百分之八以上的水平".repeat(2)).collect();
    Remote::new(endpoint, 3, 1.0, 0.0).unwrap().passages(&call(20), &texts).await.unwrap();
    assert_eq!(server.sizes(), [2, 2, 2]);
}

#[tokio::test]
async fn who_is_turned_away_waits_and_tries_again() {
    let began = Instant::now();
    let server = check(BusyOnce, 2).await;
    assert!(began.elapsed() >= Duration::from_secs(1), "Retry-After was one second");
    assert_eq!(server.sizes(), [2, 2]);
    check(FailsOnce, 2).await;
}

#[tokio::test]
async fn each_failure_has_its_code_and_says_what_to_do() {
    check_fails(Busy, "embedder_rate_limited", "turns requests away").await;
    check_fails(Fails, "embedder_unavailable", "500 Internal Server Error: out of memory").await;
    check_fails(WrongKey, "embedder_unauthorized", "embedding.api_key").await;
    check_fails(NoSuchModel, "embedder_bad_response", "there is no model `m`").await;
    check_fails(Html, "embedder_bad_response", "a web page").await;
    check_fails(ErrorIn200, "embedder_bad_response", "out of memory").await;
    check_fails(FewerVectors, "embedder_bad_response", "2 vectors for 3 texts").await;
    check_fails(OtherDimension, "embedder_bad_response", "2 numbers instead of 3").await;
    check_fails(NotFinite, "embedder_bad_response", "no finite length").await;
    check_fails(Zero, "embedder_bad_response", "no finite length").await;
    check_fails(Twice, "embedder_bad_response", "two for 0").await;
    check_fails(TooLarge(0), "embedder_bad_response", "413").await;
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_whatever_the_endpoint_does() {
    for behaviour in [Stall, Cut, Fails] {
        let server = Server::start(behaviour).await;
        let began = Instant::now();
        let error = server.encoder().query(&call(2), "营收").await.unwrap_err();
        assert!(["embedder_unavailable", "deadline_exceeded"].contains(&error.code()), "{error}");
        assert!(began.elapsed() < Duration::from_secs(20));
    }
    let mut nobody = Server::start(Good).await.endpoint;
    nobody.base_url = "http://127.0.0.1:9/v1".into();
    let error = Remote::new(nobody, 3, 1.0, 0.0).unwrap().query(&call(2), "营收").await.unwrap_err();
    assert_eq!(error.code(), "embedder_unavailable");
    assert!(error.to_string().contains("no connection"), "{error}");
}

#[test]
fn the_space_names_model_place_and_what_changes_a_vector() {
    let endpoint = |prefix: &str, url: &str| Endpoint {
        base_url: url.into(),
        path: "/embeddings".into(),
        key: None,
        model: "m".into(),
        ask_dimensions: None,
        query_prefix: prefix.into(),
        passage_prefix: String::new(),
        max_batch: 1,
        max_tokens_each: 1,
        max_tokens_total: 1,
        concurrency: 1,
        timeout: Duration::from_secs(1),
    };
    let id = |prefix: &str, url: &str, dimensions| endpoint(prefix, url).space(dimensions, 1.0, 0.0).id();
    let one = id("", "https://user:key@a.example/v1", 3);
    assert!(one.starts_with("m/endpoint:a.example/"), "{one}");
    assert_eq!(one, id("", "http://a.example/other", 3));
    assert_ne!(one, id("", "https://b.example/v1", 3));
    assert_ne!(one, id("q: ", "https://a.example/v1", 3));
    assert_ne!(one, id("", "https://a.example/v1", 4));
}
