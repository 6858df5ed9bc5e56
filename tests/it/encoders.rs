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
    let mut command = dossier();
    command.args(["models", "add", "--name", "local", "--json", "--data"]).arg(data).arg(dir).env_remove("ORT_DYLIB_PATH");
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
    check(std::path::Path::new("no-such-model"), None, "encoder_invalid", "not downloaded");
    check(std::path::Path::new("bge-small-zh-v1.5"), None, "encoder_invalid", "Xenova/bge-small-zh-v1.5");
    assert!(!data.path().join("models/local").exists());
}

#[tokio::test]
async fn a_local_encoder_answers_once_it_was_added() {
    let Ok(library) = std::env::var("DOSSIER_TEST_ORT").or_else(|_| std::env::var("ORT_DYLIB_PATH")) else {
        eprintln!("skipped: DOSSIER_TEST_ORT names no libonnxruntime.so");
        return;
    };
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
