//! A model server that misbehaves by name. It speaks raw HTTP, because most of what it does is none.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers with a line of the first passage and its number.
    Good,
    /// Answers with a number that no passage holds.
    Invents,
    /// Ends in good order, but never says that it is finished.
    NoFinishReason,
    /// Breaks the connection in the middle.
    CutMidStream,
    /// Turns everyone away.
    Http429,
    /// Sends the error page of a proxy.
    HtmlErrorPage,
    /// Says nothing.
    Stall,
    /// Sends an error with status 200.
    ErrorIn200,
}

/// A running model server.
pub struct Model {
    pub url: String,
    /// Questions that came.
    pub asked: Arc<AtomicUsize>,
    /// Questioners that left while the server was silent.
    pub left: Arc<AtomicUsize>,
}

impl Model {
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (asked, left) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let (count_asked, count_left) = (asked.clone(), left.clone());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(talk(socket, behaviour, count_asked.clone(), count_left.clone()));
            }
        });
        Self { url, asked, left }
    }

    /// The settings that point a service here.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("DOSSIER_LLM__BASE_URL", &self.url),
            ("DOSSIER_LLM__MODEL", "scripted"),
            ("DOSSIER_LLM__FIRST_BYTE_TIMEOUT", "2"),
            ("DOSSIER_LLM__IDLE_TIMEOUT", "2"),
        ]
    }
}

async fn talk(mut socket: TcpStream, behaviour: Behaviour, asked: Arc<AtomicUsize>, left: Arc<AtomicUsize>) {
    let Some(request) = read(&mut socket).await else { return };
    asked.fetch_add(1, SeqCst);
    let answer = match behaviour {
        Behaviour::Invents => "The margin of the moon was 98765.4%. [1]".to_owned(),
        _ => quote(&request),
    };
    let pieces: Vec<char> = answer.chars().collect();
    let pieces: Vec<String> = pieces.chunks(5).map(|piece| piece.iter().collect()).collect();
    let chunk =
        |piece: &str| frame(&json!({ "choices": [{ "index": 0, "delta": { "content": piece }, "finish_reason": null }] }));
    let body: String = pieces.iter().map(|piece| chunk(piece)).collect();
    let finish = frame(&json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "stop" }] }));
    let usage = frame(&json!({ "choices": [], "usage": { "prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366 } }));
    let stream = |body: String| format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{body}");
    let plain = |status: &str, kind: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    let response = match behaviour {
        Behaviour::Good | Behaviour::Invents => stream(format!("{body}{finish}{usage}data: [DONE]\n\n")),
        Behaviour::NoFinishReason => stream(format!("{body}data: [DONE]\n\n")),
        Behaviour::CutMidStream => {
            // More is announced than comes.
            let half: String = pieces.iter().take(pieces.len() / 2).map(|piece| chunk(piece)).collect();
            format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 100000\r\n\r\n{half}")
        }
        Behaviour::Http429 => {
            plain("429 Too Many Requests", "application/json", r#"{"error":{"message":"slow down","type":"rate_limit"}}"#)
        }
        Behaviour::HtmlErrorPage => plain("502 Bad Gateway", "text/html", "<html><body><h1>502 Bad Gateway</h1></body></html>"),
        Behaviour::ErrorIn200 => stream(frame(&json!({ "error": { "message": "out of memory", "code": 500 } }))),
        Behaviour::Stall => {
            let mut rest = [0; 64];
            while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            left.fetch_add(1, SeqCst);
            return;
        }
    };
    socket.write_all(response.as_bytes()).await.ok();
    socket.shutdown().await.ok();
}

fn frame(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// The longest line of the first passage of the prompt, with its marker.
fn quote(request: &Value) -> String {
    let prompt = request["messages"][1]["content"].as_str().unwrap_or_default();
    let passage = prompt.split("\n[2] ").next().unwrap_or_default();
    let lines = passage.lines().skip(1).filter(|line| !line.starts_with('<') && !line.starts_with('|'));
    let line =
        lines.take_while(|line| !line.starts_with("Question:") && !line.starts_with("问题:")).max_by_key(|line| line.len());
    format!("{} [1]", line.unwrap_or_default().trim_end_matches(['.', '。']))
}

/// The JSON body of a request.
async fn read(socket: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    loop {
        let read = socket.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
        if bytes.len() >= end + 4 + length {
            return serde_json::from_slice(&bytes[end + 4..end + 4 + length]).ok();
        }
    }
}

/// A model server of the program's own; it is killed when it is dropped.
pub struct Fake {
    pub url: String,
    child: std::process::Child,
}

impl Fake {
    pub fn start(arguments: &[&str]) -> Self {
        use std::io::BufRead;
        let mut command = crate::service::dossier();
        command.args(["dev", "fake-llm", "--bind", "127.0.0.1:0"]).args(arguments).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { url: line.trim().strip_prefix("listening on ").unwrap().to_owned(), child }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
