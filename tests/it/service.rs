//! Starts the real service on a data directory of its own and talks to it.

use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::{
    Client, Method, RequestBuilder, Response,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Longest that anything is waited for before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The program, with none of the caller's settings.
pub fn dossier() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dossier"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DOSSIER_")) {
        command.env_remove(name);
    }
    command
}

/// A running service. It is killed when it is dropped.
pub struct Service {
    pub url: String,
    pub client: Client,
    child: Child,
    data: Arc<TempDir>,
}

/// A response that was read.
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

/// An event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

impl Service {
    /// A service with the default settings on a new data directory.
    pub async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A service with settings from the environment.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(tempfile::tempdir().unwrap(), settings).await
    }

    /// A service on a data directory that may hold something.
    pub async fn on(data: impl Into<Arc<TempDir>>, settings: &[(&str, &str)]) -> Self {
        let data = data.into();
        rustls::crypto::ring::default_provider().install_default().ok();
        let mut command = dossier();
        command.args(["serve", "--bind", "127.0.0.1:0", "--data"]).arg(data.path()).envs(settings.iter().copied());
        command.env("RUST_LOG", "warn").stdout(Stdio::piped());
        // Not on this thread: another service that is waiting for its first request would be kept waiting.
        let started = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            (child, line)
        });
        let (child, line) = started.await.unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("it did not start: {line:?}")).to_owned();
        Self { url, client: Client::builder().build().unwrap(), child, data }
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Ends the service in good order; its directory is kept.
    pub fn keep(mut self) -> Arc<TempDir> {
        self.terminate();
        self.child.wait().unwrap();
        self.data.clone()
    }

    /// Asks the process to stop.
    pub fn terminate(&self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Ends the process without a warning.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for the end of the process; returns its exit code.
    pub async fn exit_code(&mut self) -> Option<i32> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn get(&self, path: &str) -> Reply {
        Reply::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        Reply::of(self.request(Method::POST, path).json(&body).send().await.unwrap()).await
    }

    /// A body of any kind.
    pub async fn send(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        let request = self.request(Method::POST, path).header("content-type", content_type).body(body.into());
        Reply::of(request.send().await.unwrap()).await
    }

    /// Sends a file as a form.
    pub async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Reply {
        self.upload_with(name, bytes, &[]).await
    }

    /// Sends a file with other fields.
    pub async fn upload_with(&self, name: &str, bytes: impl Into<Vec<u8>>, fields: &[(&str, &str)]) -> Reply {
        let mut form = Form::new();
        for (name, text) in fields {
            form = form.text((*name).to_owned(), (*text).to_owned());
        }
        let form = form.part("file", Part::bytes(bytes.into()).file_name(name.to_owned()));
        Reply::of(self.request(Method::POST, "/v1/scenarios/default/documents").multipart(form).send().await.unwrap()).await
    }

    /// Takes a document in and waits until it is as far as it gets.
    pub async fn ingest(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Value {
        let reply = self.upload(name, bytes).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        self.settled(reply.body["document"]["id"].as_str().unwrap()).await
    }

    /// The document, once nothing more will happen to it.
    pub async fn settled(&self, id: &str) -> Value {
        let began = Instant::now();
        loop {
            let document = self.get(&format!("/v1/scenarios/default/documents/{id}")).await.body;
            if ["ready", "failed", "quarantined"].contains(&document["status"].as_str().unwrap_or("absent")) {
                return document;
            }
            assert!(began.elapsed() < PATIENCE, "it does not settle: {document}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    /// The answer to a question.
    pub async fn ask(&self, question: &str) -> Value {
        let reply = self.post("/v1/ask", json!({ "question": question })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    }

    /// The events of a question.
    pub async fn ask_streamed(&self, question: &str) -> Vec<Event> {
        let request = self.request(Method::POST, "/v1/ask").json(&json!({ "question": question, "stream": true }));
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
        events(&response.text().await.unwrap())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Reply {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap_or_default();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// Status and code.
    pub fn problem(&self) -> (u16, &str) {
        if self.status < 400 {
            return (self.status, "no problem");
        }
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.body);
        for field in ["type", "title", "status", "detail", "code", "request_id", "retryable"] {
            assert!(!self.body[field].is_null(), "`{field}` is missing: {}", self.body);
        }
        assert_eq!(self.headers["x-request-id"].to_str().unwrap(), self.body["request_id"].as_str().unwrap());
        (self.status, self.body["code"].as_str().unwrap())
    }
}

/// The events in a text; comments are left out.
pub fn events(text: &str) -> Vec<Event> {
    let field = |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    text.split("\n\n")
        .filter_map(|block| {
            let data = serde_json::from_str(&field(block, "data: ")?).unwrap();
            Some(Event { name: field(block, "event: ")?, data })
        })
        .collect()
}

/// Runs the program to its end.
pub fn run(command: &mut Command) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read_out = std::thread::spawn(move || read(&mut out));
    let read_err = std::thread::spawn(move || read(&mut err));
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > PATIENCE {
            child.kill().ok();
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    Output { status, stdout: read_out.join().unwrap(), stderr: read_err.join().unwrap() }
}

fn read(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
