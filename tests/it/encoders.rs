//! Another encoder without a pause: an index is built beside a running service, verified, promoted, taken back.

use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::service::{Service, dossier, repository, run};

/// An endpoint that makes vectors; it is ended when it is dropped.
struct Endpoint {
    url: String,
    child: Child,
}

impl Endpoint {
    fn start(misbehave: Option<&str>) -> Self {
        use std::io::BufRead;
        let mut command = dossier();
        command.args(["dev", "fake-llm", "--bind", "127.0.0.1:0"]);
        if let Some(name) = misbehave {
            command.args(["--misbehave", name]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { url, child }
    }

    fn settings(&self) -> Vec<(&str, &str)> {
        vec![("DOSSIER_EMBEDDING__BASE_URL", &self.url), ("DOSSIER_EMBEDDING__MODEL", "spread")]
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A command on the data directory of a service, or on the service itself: exit code, data, talk.
async fn index(service: &Service, settings: &[(&str, &str)], arguments: &[&str]) -> (i32, Value, String) {
    let mut command = dossier();
    command.arg("index").args(arguments).arg("--json").envs(settings.iter().copied());
    if !arguments.contains(&"--url") {
        command.arg("--data").arg(service.data());
    }
    // Not on this thread: connections that the service closes meanwhile must be seen to be closed.
    let output = tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap();
    let data = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), data, String::from_utf8(output.stderr).unwrap())
}

async fn found(service: &Service, query: &str, mode: &str) -> String {
    let reply = service.post("/v1/search", json!({ "query": query, "mode": mode, "top_k": 1 })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["data"][0]["passage"]["text"].as_str().unwrap_or_default().to_owned()
}

async fn live(service: &Service) -> String {
    let listed = service.get("/v1/admin/index").await.body;
    let records = listed["data"].as_array().unwrap();
    let live: Vec<&Value> = records.iter().filter(|record| record["state"] == "live").collect();
    assert_eq!(live.len(), 1, "{listed}");
    live[0]["name"].as_str().unwrap().to_owned()
}

const REPORT: &str = "# Halcyon Ferries\n\n## Fleet\n\nThe fleet has 14 ferries.\n\n## 员工\n\n公司员工共有612人。\n";

#[tokio::test]
async fn an_index_is_built_beside_a_running_service_promoted_and_taken_back() {
    let endpoint = Endpoint::start(None);
    let service = Service::start().await;
    service.ingest("halcyon.md", REPORT).await;
    assert_eq!(live(&service).await, "g1");

    let (code, built, talk) = index(&service, &endpoint.settings(), &["build"]).await;
    assert_eq!(code, 0, "{talk}");
    assert_eq!((&built["name"], &built["documents"]), (&json!("g2"), &json!(1)));
    assert!(built["encoded"].as_u64().unwrap() > 0 && built["tokens"].as_u64().unwrap() > 0, "{built}");
    assert_eq!(live(&service).await, "g1", "the one that answers goes on");
    assert!(found(&service, "ferries fleet", "dense").await.contains("14 ferries"));

    // What comes after the build is there after the switch, and nothing is embedded twice.
    service.ingest("later.md", "# Later\n\nThe dredger Obelisk arrived in May.\n").await;
    let (code, again, talk) = index(&service, &endpoint.settings(), &["build"]).await;
    assert_eq!((code, &again["documents"], &again["encoded"]), (0, &json!(1), &json!(1)), "{talk}");
    service.ingest("last.md", "# Last\n\n最后一艘渡轮叫青鸾号。\n").await;

    let (code, verified, talk) = index(&service, &endpoint.settings(), &["verify"]).await;
    assert_eq!(code, 1, "it lacks the last document: {talk}");
    assert_eq!(verified["passed"], false);
    let (code, _, talk) = index(&service, &endpoint.settings(), &["promote", "--url", &service.url]).await;
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains("verification failed"), "{talk}");
    index(&service, &endpoint.settings(), &["build"]).await;
    let (code, verified, talk) = index(&service, &endpoint.settings(), &["verify"]).await;
    assert_eq!((code, &verified["passed"]), (0, &json!(true)), "{talk}");

    service.ingest("very-last.md", "# Very last\n\nThe tug Marrow was sold.\n").await;
    let (code, promoted, talk) = index(&service, &[], &["promote", "--url", &service.url]).await;
    assert_eq!((code, &promoted["name"]), (0, &json!("g2")), "{talk}");
    assert_eq!(live(&service).await, "g2");
    for (query, text) in
        [("fleet ferries", "14 ferries"), ("Obelisk dredger", "Obelisk"), ("渡轮青鸾号", "青鸾号"), ("tug Marrow", "Marrow")]
    {
        assert!(found(&service, query, "lexical").await.contains(text), "{query}");
    }
    let new = service.ingest("new.md", "# New\n\nThe pilot cutter Swift was ordered.\n").await;
    assert_eq!(new["status"], "ready");
    let all = service.get("/v1/scenarios/default/documents").await.body;
    for document in all["data"].as_array().unwrap() {
        assert_eq!(service.settled(document["id"].as_str().unwrap()).await["status"], "ready");
    }
    for (query, text) in [("fleet ferries", "14 ferries"), ("pilot cutter Swift", "Swift"), ("tug Marrow sold", "Marrow")] {
        assert!(found(&service, query, "dense").await.contains(text), "{query}");
    }

    let (code, before, talk) = index(&service, &[], &["rollback", "--url", &service.url]).await;
    assert_eq!((code, &before["name"]), (0, &json!("g1")), "{talk}");
    assert!(found(&service, "pilot cutter Swift", "lexical").await.contains("Swift"));
    for document in all["data"].as_array().unwrap() {
        assert_eq!(service.settled(document["id"].as_str().unwrap()).await["status"], "ready");
    }
    assert!(found(&service, "fleet ferries", "dense").await.contains("14 ferries"));
}

#[tokio::test]
async fn an_index_follows_its_encoder_and_another_one_is_refused_with_the_command() {
    let endpoint = Endpoint::start(None);
    let service = Service::with(&endpoint.settings()).await;
    service.ingest("halcyon.md", REPORT).await;
    assert!(found(&service, "ferries fleet", "dense").await.contains("14 ferries"));
    let (code, _, talk) = index(&service, &endpoint.settings(), &["build"]).await;
    assert_eq!(code, 2, "{talk}");
    assert!(talk.contains("answers already"), "{talk}");
    let data = service.keep();

    // Without a choice the encoder is that of the index, with the same choice too.
    for settings in [&[] as &[(&str, &str)], &endpoint.settings()] {
        let service = Service::on(data.clone(), settings).await;
        assert!(found(&service, "ferries fleet", "dense").await.contains("14 ferries"));
    }
    let mut command = dossier();
    command.args(["search", "ferries", "--json", "--data"]).arg(data.path()).env("DOSSIER_EMBEDDING__MODEL", "builtin");
    let output = run(&mut command);
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{talk}");
    assert!(talk.contains("spread/endpoint:") && talk.contains("dossier index build"), "{talk}");
}

#[tokio::test]
async fn a_promotion_that_cannot_be_leaves_everything_as_it_was() {
    let service = Service::start().await;
    service.ingest("halcyon.md", REPORT).await;
    let check = |code: &str, name: &str| {
        let (request, code) = (service.post("/v1/admin/index/promote", json!({ "name": name })), code.to_owned());
        async move {
            let reply = request.await;
            assert_eq!(reply.problem().1, code, "{}", reply.body);
        }
    };
    check("unknown_generation", "g9").await;
    check("generation_incomplete", "g1").await;
    check("generation_incomplete", "").await;
    assert_eq!(service.post("/v1/admin/index/rollback", json!({})).await.problem().1, "generation_incomplete");
    assert_eq!(service.post("/v1/admin/index/promote", json!({ "nmae": "g1" })).await.problem(), (422, "unknown_field"));

    let endpoint = Endpoint::start(None);
    assert_eq!(index(&service, &endpoint.settings(), &["build"]).await.0, 0);
    drop(endpoint);
    check("embedder_unavailable", "g2").await;
    assert_eq!(live(&service).await, "g1");
    assert!(found(&service, "ferries fleet", "hybrid").await.contains("14 ferries"));
}

#[tokio::test]
async fn an_endpoint_that_misbehaves_ends_a_build_with_its_code_and_the_next_one_goes_on() {
    let service = Service::start().await;
    service.ingest("halcyon.md", REPORT).await;
    for (misbehave, code) in [
        ("fewer_vectors", "embedder_bad_response"),
        ("other_dimension", "embedder_bad_response"),
        ("error_in_200", "embedder_bad_response"),
        ("401", "embedder_unauthorized"),
    ] {
        let endpoint = Endpoint::start(Some(misbehave));
        let (exit, data, talk) = index(&service, &endpoint.settings(), &["build"]).await;
        assert_ne!(exit, 0, "{misbehave}: {talk}");
        assert_eq!(data["error"]["code"], code, "{misbehave}: {talk}");
        assert!(found(&service, "ferries fleet", "dense").await.contains("14 ferries"));
    }
    let endpoint = Endpoint::start(Some("413"));
    let (code, _, talk) = index(&service, &endpoint.settings(), &["build"]).await;
    assert_eq!(code, 0, "{talk}");
}

#[tokio::test]
async fn while_the_encoder_is_down_a_search_goes_by_words_and_says_so() {
    let endpoint = Endpoint::start(None);
    // Nobody listens at the model's address.
    let model = [("BASE_URL", "http://127.0.0.1:9/v1"), ("MODEL", "away"), ("FALLBACK", "extractive")];
    let model = model.map(|(name, value)| (["DOSSIER_LLM__", name].concat(), value));
    let mut settings = [endpoint.settings(), vec![("DOSSIER_SERVER__DEADLINE", "4")]].concat();
    settings.extend(model.iter().map(|(name, value)| (name.as_str(), *value)));
    let service = Service::with(&settings).await;
    service.ingest("halcyon.md", REPORT).await;
    let search = |mode: &str| service.post("/v1/search", json!({ "query": "公司员工有多少人？", "mode": mode }));
    assert!(search("hybrid").await.body.get("words_only").is_none());
    drop(endpoint);

    let reply = search("hybrid").await;
    assert_eq!((reply.status, &reply.body["words_only"]), (200, &json!("embedder_unavailable")), "{}", reply.body);
    let first = &reply.body["data"][0];
    assert!(first["passage"]["text"].as_str().unwrap().contains("612"), "{first}");
    assert!(first["why"].get("dense_rank").is_none(), "{first}");
    assert_eq!(search("dense").await.problem(), (503, "embedder_unavailable"), "meaning alone cannot be searched");
    assert_eq!((search("lexical").await.status, search("lexical").await.body.get("words_only")), (200, None));
    let ask = |mode: &str| service.post("/v1/ask", json!({ "question": "公司员工共有多少人？", "mode": mode }));
    let answer = ask("extractive").await.body;
    assert_eq!((&answer["verdict"], &answer["degraded"]), (&json!("answered"), &json!({ "reason": "words_only" })), "{answer}");
    let answer = ask("answer").await.body;
    let failures = json!([{ "backend": "llm", "code": "llm_unavailable" }]);
    let degraded = json!({ "reason": "model_unavailable", "failures": failures, "search": "words_only" });
    assert_eq!((&answer["verdict"], &answer["degraded"]), (&json!("answered"), &degraded), "{answer}");
    let ready = service.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["degraded"]), (200, &json!(["words_only", "llm_unavailable"])), "{}", ready.body);
    // Documents are found by their words meanwhile, and the batch says what they wait for.
    let reply = service.upload("later.md", "# Later\n\nThe dredger Obelisk arrived in May.\n").await;
    let batch = format!("/v1/batches/{}", reply.body["batch"]["id"].as_str().unwrap());
    let began = std::time::Instant::now();
    loop {
        let held_up = service.get(&batch).await.body["held_up"]["code"].clone();
        if held_up == "embedder_unavailable" {
            break;
        }
        assert!(held_up.is_null() && began.elapsed() < crate::service::PATIENCE, "{held_up}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(found(&service, "Obelisk", "hybrid").await.contains("Obelisk"));
}

/// A folder as it comes from a model's makers, out of the encoder that is in this repository.
fn model_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["model.onnx", "tokenizer.json"] {
        std::fs::copy(repository("index/models/e5-small-zh-en").join(file), dir.path().join(file)).unwrap();
    }
    std::fs::write(dir.path().join("encoder.toml"), "query_prefix = \"query: \"\npassage_prefix = \"passage: \"\n").unwrap();
    dir
}

fn add(data: &std::path::Path, dir: &std::path::Path, library: Option<&str>) -> (Option<i32>, String, String) {
    add_as(&["--name", "local"], data, dir, library)
}

fn add_as(how: &[&str], data: &std::path::Path, dir: &std::path::Path, library: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = dossier();
    command.args(["models", "add"]).args(how).args(["--json", "--data"]).arg(data).arg(dir).env_remove("ORT_DYLIB_PATH");
    if let Some(library) = library {
        command.env("DOSSIER_EMBEDDING__ONNX_RUNTIME", library);
    }
    let output = run(&mut command);
    let out: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let code = out["error"]["code"].as_str().unwrap_or_default().to_owned();
    (output.status.code(), code, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_folder_that_is_no_encoder_is_refused_with_what_it_lacks() {
    let data = tempfile::tempdir().unwrap();
    let check = |dir: &std::path::Path, library: Option<&str>, code: &str, words: &str| {
        let (exit, got, talk) = add(data.path(), dir, library);
        assert_eq!((exit, got.as_str()), (Some(2), code), "{talk}");
        assert!(talk.contains(words), "{talk}");
    };
    let folder = model_folder();
    check(folder.path(), None, "encoder_runtime", "embedding.onnx_runtime");
    check(folder.path(), Some("/nowhere/libonnxruntime.so"), "encoder_runtime", "there is no library");
    let no_library = folder.path().join("tokenizer.json");
    check(folder.path(), no_library.to_str(), "encoder_runtime", "cannot be used");
    std::fs::write(folder.path().join("encoder.toml"), "max_tokens = 512\npoolling = \"mean\"\n").unwrap();
    check(folder.path(), None, "encoder_invalid", "encoder.toml:2");
    std::fs::remove_file(folder.path().join("encoder.toml")).unwrap();
    std::fs::remove_file(folder.path().join("tokenizer.json")).unwrap();
    check(folder.path(), None, "encoder_invalid", "tokenizer.json");
    std::fs::remove_file(folder.path().join("model.onnx")).unwrap();
    check(folder.path(), None, "encoder_invalid", "no ONNX file");
    check(std::path::Path::new("bge-smal-zh-v1.5"), None, "encoder_invalid", "did you mean `bge-small-zh-v1.5`?");
    // Nothing is fetched that could not be run.
    check(std::path::Path::new("bge-small-zh-v1.5"), None, "encoder_runtime", "embedding.onnx_runtime");
    assert!(!data.path().join("models/local").exists());
}

/// A hub that keeps the encoder of this repository under a name of the catalogue; what is asked of it goes to the list.
async fn hub(cut: bool) -> (String, std::sync::Arc<std::sync::Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (listener, asked) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), std::sync::Arc::default());
    let address = format!("http://{}", listener.local_addr().unwrap());
    let log: std::sync::Arc<std::sync::Mutex<Vec<String>>> = std::sync::Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = log.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let n = stream.read(&mut request).await.unwrap_or(0);
                let line = String::from_utf8_lossy(&request[..n]).lines().next().unwrap_or_default().to_owned();
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let file = path.strip_prefix("/Xenova/bge-small-zh-v1.5/resolve/main/").unwrap_or_default();
                let file = file.strip_prefix("onnx/").unwrap_or(file).to_owned();
                log.lock().unwrap().push(path);
                let body = ["model.onnx", "tokenizer.json"].contains(&file.as_str());
                let body = body.then(|| std::fs::read(repository("index/models/e5-small-zh-en").join(&file)).unwrap());
                let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                stream.write_all(head.as_bytes()).await.ok();
                stream.write_all(&body[..if cut { body.len() / 2 } else { body.len() }]).await.ok();
                stream.shutdown().await.ok();
            });
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_of_the_catalogue_is_fetched_when_it_is_asked_for() {
    let Some(library) = library() else { return };
    let data = tempfile::tempdir().unwrap();
    let fetch = |hub: &str| {
        let mut command = dossier();
        command.args(["models", "add", "bge-small-zh-v1.5", "--json", "--data"]).arg(data.path());
        run(command.env("HF_ENDPOINT", hub).env("DOSSIER_EMBEDDING__ONNX_RUNTIME", &library))
    };
    let (address, _) = hub(true).await;
    let cut = fetch(&address);
    let said = String::from_utf8_lossy(&cut.stdout).into_owned();
    assert!(cut.status.code() == Some(5) && said.contains("encoder_download") && said.contains("tokenizer.json"), "{said}");
    let left: Vec<_> = std::fs::read_dir(data.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".tmp")), "{left:?}");

    let (address, asked) = hub(false).await;
    let whole = fetch(&address);
    let manifest: Value = serde_json::from_slice(&whole.stdout).unwrap();
    assert_eq!((&manifest["name"], &manifest["pooling"]), (&json!("bge-small-zh-v1.5"), &json!("cls")), "{manifest}");
    assert!(asked.lock().unwrap().iter().any(|path| path.ends_with("/onnx/model.onnx")), "{asked:?}");
}

/// ONNX Runtime, where there is one.
fn library() -> Option<String> {
    let named = std::env::var("DOSSIER_TEST_ORT").or_else(|_| std::env::var("ORT_DYLIB_PATH"));
    named.inspect_err(|_| eprintln!("skipped: DOSSIER_TEST_ORT names no libonnxruntime.so")).ok()
}

#[test]
fn a_library_that_is_too_old_is_refused_with_the_version_that_is_needed() {
    let (dir, data, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), model_folder());
    let (source, library) = (dir.path().join("old.c"), dir.path().join("libonnxruntime.so"));
    // What a program sees of ONNX Runtime 1.10: its version, and nothing of the interface that is asked for.
    let old = r#"
        static const char *version(void) { return "1.10.0"; }
        static const void *api(unsigned wanted) { return wanted > 10 ? 0 : (const void *)1; }
        static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = { api, version };
        const void *OrtGetApiBase(void) { return &base; }
    "#;
    std::fs::write(&source, old).unwrap();
    let compiled = std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    if !compiled.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no C compiler");
        return;
    }
    let (exit, code, talk) = add(data.path(), folder.path(), library.to_str());
    assert_eq!((exit, code.as_str()), (Some(2), "encoder_runtime"), "{talk}");
    assert!(talk.contains("1.10.0") && talk.contains("version 1.24 or newer"), "{talk}");
}

/// A cross-encoder of a few nodes: a passage fits if it and the question have more than thirty tokens together.
fn rerank_folder() -> tempfile::TempDir {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        assert!(bytes.len() < 1 << 14);
        let (low, high) = ((bytes.len() & 127) as u8, (bytes.len() >> 7) as u8);
        let length = if high == 0 { vec![low] } else { vec![low | 128, high] };
        [vec![number << 3 | 2], length, bytes.to_vec()].concat()
    }
    let number = |field: u8, value: u8| vec![field << 3, value];
    let text = |number: u8, text: &str| field(number, text.as_bytes());
    // Attributes: a whole number (type 2), a list of them (type 7), a float (type 1).
    let to = field(5, &[text(1, "to"), number(3, 1), [160, 1, 2].to_vec()].concat());
    let axes = field(5, &[text(1, "axes"), number(8, 1), [160, 1, 7].to_vec()].concat());
    let cast = [text(1, "attention_mask"), text(2, "ones"), text(4, "Cast"), to].concat();
    let sum = [text(1, "ones"), text(2, "tokens"), text(4, "ReduceSum"), axes].concat();
    let float = [vec![2 << 3 | 5], (-30_f32).to_le_bytes().to_vec()].concat();
    let least = field(5, &[text(1, "value_float"), float, [160, 1, 1].to_vec()].concat());
    let least = [text(2, "least"), text(4, "Constant"), least].concat();
    let add = [text(1, "tokens"), text(1, "least"), text(2, "logits"), text(4, "Add")].concat();
    let value = |name: &str, kind: u8, second: Vec<u8>| {
        let shape = field(2, &[field(1, &text(2, "batch")), field(1, &second)].concat());
        [text(1, name), field(2, &field(1, &[number(1, kind), shape].concat()))].concat()
    };
    let (float, int64) = (1, 7);
    let graph = [
        field(1, &cast),
        field(1, &sum),
        field(1, &least),
        field(1, &add),
        text(2, "length"),
        field(11, &value("input_ids", int64, text(2, "length"))),
        field(11, &value("attention_mask", int64, text(2, "length"))),
        field(12, &value("logits", float, number(1, 1))),
    ];
    let model = [number(1, 7), field(7, &graph.concat()), field(8, &number(2, 12))].concat();
    let dir = model_folder();
    std::fs::write(dir.path().join("model.onnx"), model).unwrap();
    std::fs::remove_file(dir.path().join("encoder.toml")).unwrap();
    dir
}

#[tokio::test]
async fn a_local_cross_encoder_ranks_once_it_is_configured() {
    let Some(library) = library() else { return };
    let runtime = ("DOSSIER_EMBEDDING__ONNX_RUNTIME", library.as_str());
    let service = Service::start().await;
    let long =
        "# Cranes\n\nThe harbour has cranes, and besides them tugs, dredgers, pilot cutters, sheds, rails and a slipway.\n";
    service.ingest("short.md", "# Cranes\n\nThe harbour has 14 cranes.\n").await;
    service.ingest("long.md", long).await;
    let asked = "How many cranes does the harbour have?";
    assert!(found(&service, asked, "hybrid").await.contains("14"), "off by default");
    let data = service.keep();
    let add =
        |dir: &tempfile::TempDir, name: &str| add_as(&["--rerank", "--name", name], data.path(), dir.path(), Some(&library));
    let folder = rerank_folder();
    let (exit, _, talk) = add(&folder, "long");
    assert_eq!(exit, Some(0), "{talk}");
    assert!(talk.contains("rerank.model"), "{talk}");
    let service = Service::on(data.clone(), &[runtime, ("DOSSIER_RERANK__MODEL", "long")]).await;
    assert!(found(&service, asked, "hybrid").await.contains("slipway"), "what the model prefers comes first");
    let reply = service.post("/v1/search", json!({ "query": asked, "explain": true })).await;
    assert!(reply.body["data"][0]["why"]["added"]["cross_encoder"].as_f64().unwrap() > 0.5, "{}", reply.body);
    drop(service);

    // What cannot be one is told: an encoder, a damaged file, a file that is not the one that was added, no such name.
    let start = |settings: &[(&str, &str)], words: &str| {
        let mut command = dossier();
        command.args(["search", "cranes", "--json", "--data"]).arg(data.path()).envs([runtime]).envs(settings.iter().copied());
        let output = run(&mut command);
        let talk = String::from_utf8(output.stderr).unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        assert_eq!((output.status.code(), &told["error"]["code"]), (Some(2), &json!("encoder_invalid")), "{talk}");
        assert!(talk.contains(words), "{talk}");
    };
    let (exit, code, talk) = add(&model_folder(), "encoder");
    assert_eq!((exit, code.as_str()), (Some(2), "encoder_invalid"), "{talk}");
    assert!(talk.contains("no re-ranker"), "{talk}");
    start(&[("DOSSIER_RERANK__MODEL", "nobody")], "no local model of this name");
    start(&[("DOSSIER_EMBEDDING__MODEL", "long")], "rerank.model");
    std::fs::write(data.path().join("models/long/model.onnx"), b"\x08\x07garbage").unwrap();
    start(&[("DOSSIER_RERANK__MODEL", "long")], "not the file that was added");
    std::fs::write(folder.path().join("model.onnx"), b"\x08\x07garbage").unwrap();
    let (exit, code, talk) = add(&folder, "damaged");
    assert_eq!((exit, code.as_str()), (Some(2), "encoder_invalid"), "{talk}");
    assert!(talk.contains("cannot be loaded"), "{talk}");
    assert!(!data.path().join("models/damaged").exists());
}

#[tokio::test]
async fn a_local_encoder_answers_once_it_was_added() {
    let Some(library) = library() else { return };
    let service = Service::with(&[("DOSSIER_EMBEDDING__ONNX_RUNTIME", &library)]).await;
    service.ingest("halcyon.md", REPORT).await;
    let folder = model_folder();
    let (exit, _, talk) = add(service.data(), folder.path(), Some(&library));
    assert_eq!(exit, Some(0), "{talk}");
    let settings = [("DOSSIER_EMBEDDING__ONNX_RUNTIME", library.as_str())];
    let (exit, built, talk) = index(&service, &settings, &["build", "--model", "local"]).await;
    assert_eq!(exit, 0, "{talk}");
    assert!(built["space"].as_str().unwrap().starts_with("local/onnxruntime-"), "{built}");
    let (exit, _, talk) = index(&service, &settings, &["verify"]).await;
    assert_eq!(exit, 0, "{talk}");
    let (exit, _, talk) = index(&service, &settings, &["promote", "--url", &service.url]).await;
    assert_eq!(exit, 0, "{talk}");
    assert!(found(&service, "How many ships are there?", "dense").await.contains("14 ferries"));
    assert!(found(&service, "有多少名职工？", "dense").await.contains("612"));
    let data = service.keep();

    // A file that is not the one that was added is found before anything is served.
    let model = data.path().join("models/local/model.onnx");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let mut command = dossier();
    command.args(["search", "ferries", "--json", "--data"]).arg(data.path()).envs(settings);
    let output = run(&mut command);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("not the file that was added"));

    let folder = model_folder();
    std::fs::write(folder.path().join("model.onnx"), b"\x08\x07garbage").unwrap();
    let (exit, code, talk) = add(data.path(), folder.path(), Some(&library));
    assert_eq!((exit, code.as_str()), (Some(2), "encoder_invalid"), "{talk}");
    assert!(talk.contains("cannot be loaded"), "{talk}");
}
