//! The index on a Qdrant server: moved there, looked after, and what becomes of questions and uploads when the server is gone,
//! silent or read-only. The server is the one of `DOSSIER_TEST_QDRANT_URL`, `DOSSIER_TEST_QDRANT_KEY` and
//! `DOSSIER_TEST_QDRANT_READ_ONLY_KEY`; without it, Qdrant's protocol in front of the embedded engine.

use std::{
    io::Read,
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use index::{
    corpus::DocumentId,
    db::{DataDir, Db},
    store::{VectorStore, cluster},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::service::{PATIENCE, Service, dossier, run};

#[path = "../../index/tests/qdrant/mod.rs"]
mod protocol;

use protocol::FakeQdrant;

const DIMENSIONS: usize = 384;

fn report(place: &str, figure: u32) -> String {
    format!("# {place}\n\n## Cranes\n\n{place} has {figure} cranes.\n\n## 吞吐量\n\n{place}的吞吐量为{figure}万吨。\n")
}

/// A server to test against, and a name for the collections of one test.
struct Qdrant {
    url: String,
    key: String,
    read_only: String,
    prefix: String,
    _fake: Option<FakeQdrant>,
}

impl Qdrant {
    async fn start() -> Self {
        let prefix = format!("dossier_test_{}", uuid::Uuid::now_v7().simple());
        if let Ok(url) = std::env::var("DOSSIER_TEST_QDRANT_URL") {
            let [key, read_only] = ["DOSSIER_TEST_QDRANT_KEY", "DOSSIER_TEST_QDRANT_READ_ONLY_KEY"];
            let [key, read_only] = [key, read_only].map(|name| std::env::var(name).unwrap_or_default());
            return Self { url, key, read_only, prefix, _fake: None };
        }
        eprintln!("without a real Qdrant server: DOSSIER_TEST_QDRANT_URL is not set");
        let fake = FakeQdrant::start().await;
        let (key, read_only) = (protocol::KEY.to_owned(), protocol::READ_ONLY_KEY.to_owned());
        Self { url: fake.url.clone(), key, read_only, prefix, _fake: Some(fake) }
    }

    /// A server at an address, of which nothing else is known.
    fn at(url: String) -> Self {
        Self { url, key: String::new(), read_only: String::new(), prefix: "dossier_test".into(), _fake: None }
    }

    /// The settings of a service that reaches the server at `url`.
    fn settings(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("DOSSIER_INDEX__STORE", "cluster".into()),
            ("DOSSIER_QDRANT__URL", url.into()),
            ("DOSSIER_QDRANT__API_KEY", self.key.clone()),
            ("DOSSIER_QDRANT__PREFIX", self.prefix.clone()),
            ("DOSSIER_QDRANT__TIMEOUT", "2".into()),
            ("DOSSIER_QDRANT__WRITE_TIMEOUT", "4".into()),
        ]
    }

    async fn serve(&self, data: &Arc<TempDir>, url: &str) -> Service {
        let settings = self.settings(url);
        Service::on(data.clone(), &settings.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).await
    }

    /// The collection of a data directory that no service has open.
    async fn collection(&self, data: &Path) -> cluster::Cluster {
        let db = Db::open(&DataDir::open(data).unwrap()).await.unwrap();
        let owner = db.fact("installation").await.unwrap().unwrap();
        db.close().await;
        let server = cluster::Server {
            url: self.url.clone(),
            api_key: (!self.key.is_empty()).then(|| self.key.clone()),
            prefix: self.prefix.clone(),
            shards: 1,
            replication: 1,
            write_consistency: 1,
            exact: true,
            timeout: Duration::from_secs(20),
            write_timeout: Duration::from_secs(20),
        };
        cluster::Cluster::new(server, "g1", DIMENSIONS, &owner).unwrap()
    }
}

/// How the way to the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Slow,
    Stalled,
    Cut,
}

/// A way to the server that can be cut.
struct Proxy {
    url: String,
    way: watch::Sender<Way>,
}

impl Proxy {
    async fn to(target: &str) -> Self {
        let target = target.split("://").nth(1).unwrap().trim_end_matches('/').to_owned();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (way, watching) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *watching.borrow() == Way::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                let mut cut = watching.clone();
                let (up, down) = (watching.clone(), watching.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(from_client, to_server, up) => {}
                        () = carry(from_server, to_client, down) => {}
                        _ = cut.wait_for(|way| *way == Way::Cut) => {}
                    }
                });
            }
        });
        Self { url, way }
    }

    fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin, mut way: watch::Receiver<Way>) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(n @ 1..) = from.read(&mut bytes).await {
        if *way.borrow() == Way::Slow {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        if way.wait_for(|way| *way != Way::Stalled).await.is_err() || to.write_all(&bytes[..n]).await.is_err() {
            return;
        }
    }
}

async fn search(service: &Service, query: &str, mode: &str) -> Vec<(String, f64)> {
    let reply = service.post("/v1/search", json!({ "query": query, "mode": mode, "top_k": 50 })).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let hits = reply.body["data"].as_array().unwrap().clone();
    hits.iter().map(|hit| (hit["passage"]["id"].as_str().unwrap().to_owned(), hit["score"].as_f64().unwrap())).collect()
}

async fn every_search(service: &Service) -> Vec<Vec<(String, f64)>> {
    let mut found = Vec::new();
    for query in ["How many cranes does Aldermoor have?", "栖霁湾的吞吐量是多少?", "cranes", "吞吐量"] {
        for mode in ["hybrid", "dense", "lexical"] {
            found.push(search(service, query, mode).await);
        }
    }
    found
}

fn command(data: &Path, settings: &[(&'static str, String)], words: &[&str]) -> (i32, Value, String) {
    let output = run(dossier().args(words).args(["--json", "--data"]).arg(data).envs(settings.iter().cloned()));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap_or(Value::Null), said)
}

/// What `doctor` says about one thing.
fn state<'a>(report: &'a Value, check: &str) -> &'a str {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("nothing about {check}: {report}"))["state"].as_str().unwrap()
}

// Commands and starts block this thread: the server and the way to it run on others.
#[tokio::test(flavor = "multi_thread")]
async fn doctor_finds_an_index_that_lacks_something_and_writes_it_again_from_the_catalog() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    for (place, figure) in [("Aldermoor", 12), ("栖霁湾", 35)] {
        service.ingest(&format!("{place}.md"), report(place, figure)).await;
    }
    let before = every_search(&service).await;
    drop(service);
    let (code, report, _) = command(data.path(), &[], &["doctor"]);
    assert_eq!((code, &report["healthy"], state(&report, "index")), (0, &json!(true), "ok"), "{report}");
    std::fs::remove_dir_all(data.path().join("index/g1")).unwrap();
    let (code, report, _) = command(data.path(), &[], &["doctor"]);
    assert_eq!((code, state(&report, "index"), state(&report, "catalog")), (1, "wrong", "ok"), "{report}");
    let (code, report, said) = command(data.path(), &[], &["doctor", "--fix"]);
    assert_eq!((code, state(&report, "index")), (0, "healed"), "{report} {said}");
    let (code, report, _) = command(data.path(), &[], &["doctor"]);
    assert_eq!((code, state(&report, "index")), (0, "ok"), "{report}");
    let service = Service::on(data, &[]).await;
    assert_eq!(every_search(&service).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_only_looks_at_a_server_until_it_is_told_to_fix() {
    let qdrant = Qdrant::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    service.ingest("a.md", report("Aldermoor", 12)).await;
    drop(service);
    let settings = qdrant.settings(&qdrant.url);
    for _ in 0..2 {
        let (code, report, _) = command(data.path(), &settings, &["doctor"]);
        assert_eq!((code, state(&report, "store")), (1, "wrong"), "{report}");
        assert!(report.to_string().contains("there is no collection"), "{report}");
    }
    let (code, report, said) = command(data.path(), &settings, &["doctor", "--fix"]);
    assert_eq!((code, state(&report, "index")), (0, "healed"), "{report} {said}");
    let (code, report, _) = command(data.path(), &settings, &["doctor"]);
    assert_eq!((code, state(&report, "index")), (0, "ok"), "{report}");
    qdrant.collection(data.path()).await.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_migrated_from_the_catalog_alone() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    service.ingest("a.md", report("Aldermoor", 12)).await;
    let before = every_search(&service).await;
    drop(service);
    // The originals and the index are gone: nothing can be read again.
    std::fs::remove_dir_all(data.path().join("index/g1")).unwrap();
    let blobs = data.path().join("blobs");
    std::fs::remove_dir_all(&blobs).unwrap();
    let (code, report, said) = command(data.path(), &[], &["index", "migrate", "--to", "embedded"]);
    assert_eq!((code, &report["whole"], &report["there_before"]), (0, &json!(true), &json!(0)), "{report} {said}");
    let (code, again, _) = command(data.path(), &[], &["index", "migrate", "--to", "embedded"]);
    assert_eq!((code, &again["there_before"]), (0, &again["passages"]), "{again}");
    let (code, report, _) = command(data.path(), &[], &["doctor"]);
    assert_eq!((code, state(&report, "originals")), (1, "wrong"), "{report}");
    let service = Service::on(data, &[]).await;
    assert_eq!(every_search(&service).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_server_a_service_takes_documents_and_says_that_it_is_not_ready() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = Qdrant::at(format!("http://{free}"));
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = nowhere.serve(&data, &nowhere.url).await;
    assert_eq!(service.get("/healthz").await.status, 200);
    assert_eq!(service.get("/readyz").await.problem(), (503, "vector_store_unavailable"));
    let reply = service.upload("a.md", report("Aldermoor", 12)).await;
    assert_eq!(reply.status, 202);
    let asked = service.post("/v1/ask", json!({ "question": "How many cranes?" })).await;
    assert_eq!(asked.problem(), (503, "vector_store_unavailable"));
    assert!(asked.headers.contains_key("retry-after"));
    drop(service);
    // The same document is taken up by a service that has a store.
    let service = Service::on(data.clone(), &[]).await;
    let id = reply.body["document"]["id"].as_str().unwrap();
    assert_eq!(service.settled(id).await["status"], "ready");
    drop(service);
    let (code, said, _) = command(data.path(), &nowhere.settings(&nowhere.url), &["ask", "How many cranes?"]);
    assert_eq!((code, &said["error"]["code"]), (5, &json!("vector_store_unavailable")));
    let (code, report, _) = command(data.path(), &nowhere.settings(&nowhere.url), &["doctor"]);
    assert_eq!((code, state(&report, "store")), (1, "wrong"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_stops_the_start_with_what_to_do() {
    let (certificate, key) = (include_str!("cluster/untrusted.pem"), include_str!("cluster/untrusted.key.pem"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            tls.read_exact(&mut [0; 1]).ok();
        }
    });
    let server = Qdrant::at(format!("https://localhost:{}", address.port()));
    let data = tempfile::tempdir().unwrap();
    let (code, said, _) = command(data.path(), &server.settings(&server.url), &["search", "cranes"]);
    assert_eq!((code, &said["error"]["code"]), (1, &json!("vector_store_certificate")), "{said}");
    assert!(said["error"]["detail"].as_str().unwrap().contains("SSL_CERT_FILE"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_moves_to_a_server_and_back_and_finds_the_same() {
    let qdrant = Qdrant::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    let mut ids = Vec::new();
    for (place, figure) in [("Aldermoor", 12), ("Brackwater", 17), ("栖霁湾", 35), ("澜汐湾", 48)] {
        let document = service.ingest(&format!("{place}.md"), report(place, figure)).await;
        ids.push(document["id"].as_str().unwrap().parse::<DocumentId>().unwrap());
    }
    let before = every_search(&service).await;
    drop(service);
    let settings = qdrant.settings(&qdrant.url);
    let migrate = ["index", "migrate", "--to", "cluster"];
    let (code, moved, said) = command(data.path(), &settings, &migrate);
    assert_eq!((code, &moved["there_before"], &moved["whole"]), (0, &json!(0), &json!(true)), "{moved} {said}");
    // Half of it is lost on the way: the next run writes that half.
    let collection = qdrant.collection(data.path()).await;
    for id in &ids[..2] {
        collection.delete(*id, 1).await.unwrap();
    }
    let (code, again, _) = command(data.path(), &settings, &migrate);
    assert_eq!(code, 0);
    assert_eq!(again["there_before"].as_u64().unwrap() * 2, again["passages"].as_u64().unwrap(), "{again}");

    let service = qdrant.serve(&data, &qdrant.url).await;
    assert_eq!(service.get("/readyz").await.body["degraded"], json!([]));
    let there = every_search(&service).await;
    for (ours, theirs) in before.iter().zip(&there) {
        assert_eq!(ours.len(), theirs.len());
        for (a, b) in ours.iter().zip(theirs) {
            assert!(a.0 == b.0 && (a.1 - b.1).abs() < 1e-4, "{a:?} {b:?}");
        }
    }
    service.ingest("new.md", report("Corranby", 3)).await;
    assert!(!search(&service, "Corranby", "lexical").await.is_empty());
    drop(service);
    let (code, report, _) = command(data.path(), &settings, &["doctor"]);
    assert_eq!((code, state(&report, "store"), state(&report, "index")), (0, "ok", "ok"), "{report}");
    let (code, report, _) = command(data.path(), &[], &["index", "migrate", "--to", "embedded"]);
    assert_eq!((code, &report["whole"]), (0, &json!(true)), "{report}");
    collection.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_server_is_cut_off_or_silent_questions_fail_in_time_and_uploads_wait() {
    let qdrant = Qdrant::start().await;
    let proxy = Proxy::to(&qdrant.url).await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = qdrant.serve(&data, &proxy.url).await;
    service.ingest("a.md", report("Aldermoor", 12)).await;
    proxy.set(Way::Slow);
    assert!(!search(&service, "cranes", "hybrid").await.is_empty(), "slow is not away");
    let mut waiting = Vec::new();
    for (way, place) in [(Way::Cut, "Brackwater"), (Way::Stalled, "栖霁湾"), (Way::Cut, "Corranby")] {
        proxy.set(way);
        let began = Instant::now();
        let asked = service.post("/v1/ask", json!({ "question": "How many cranes does Aldermoor have?" })).await;
        assert_eq!(asked.problem(), (503, "vector_store_unavailable"), "{way:?}");
        assert!(began.elapsed() < PATIENCE / 4, "{way:?}: long before the deadline of the question");
        assert_eq!(service.get("/readyz").await.problem(), (503, "vector_store_unavailable"), "{way:?}");
        let reply = service.upload(&format!("{place}.md"), report(place, 5)).await;
        assert_eq!(reply.status, 202, "{way:?}: {}", reply.body);
        waiting.push((reply.body["document"]["id"].as_str().unwrap().to_owned(), place));
        // Long enough for a worker to try and fail.
        tokio::time::sleep(Duration::from_secs(3)).await;
        proxy.set(Way::Open);
        if place == "栖霁湾" {
            continue;
        }
        for (id, place) in waiting.drain(..) {
            assert_eq!(service.settled(&id).await["status"], "ready", "{place}");
            assert!(!search(&service, place, "lexical").await.is_empty(), "{place}");
        }
    }
    assert_eq!(service.get("/readyz").await.body["status"], "ready");
    drop(service);
    let (code, report, _) = command(data.path(), &qdrant.settings(&qdrant.url), &["doctor"]);
    assert_eq!((code, state(&report, "index")), (0, "ok"), "{report}");
    qdrant.collection(data.path()).await.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_that_is_lost_in_the_middle_is_filled_again_from_the_catalog() {
    let qdrant = Qdrant::start().await;
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = qdrant.serve(&data, &qdrant.url).await;
    service.ingest("a.md", report("Aldermoor", 12)).await;
    drop(service);
    let collection = qdrant.collection(data.path()).await;
    let service = qdrant.serve(&data, &qdrant.url).await;
    let ids = async |mode: &str| {
        let hits = search(&service, "Aldermoor", mode).await;
        hits.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
    };
    let (by_words, by_meaning) = (ids("lexical").await, ids("dense").await);
    collection.discard().await.unwrap();
    let asked = service.post("/v1/search", json!({ "query": "cranes" })).await;
    assert_eq!(asked.problem(), (503, "vector_store_unavailable"), "an empty answer would be a wrong one");
    // The next document shows the worker that everything is gone.
    service.ingest("b.md", "# Other\n\nNothing of that kind.\n").await;
    let began = Instant::now();
    while service.get("/readyz").await.body["degraded"] != json!([]) || ids("dense").await.len() <= by_meaning.len() {
        assert!(began.elapsed() < PATIENCE, "it is not filled again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ids("lexical").await, by_words);
    drop(service);
    collection.discard().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_reads_answers_questions_and_documents_wait() {
    let qdrant = Qdrant::start().await;
    if qdrant.read_only.is_empty() {
        eprintln!("skipped: DOSSIER_TEST_QDRANT_READ_ONLY_KEY is not set");
        return;
    }
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = qdrant.serve(&data, &qdrant.url).await;
    service.ingest("a.md", report("Aldermoor", 12)).await;
    drop(service);
    let reader = Qdrant { key: qdrant.read_only.clone(), prefix: qdrant.prefix.clone(), ..Qdrant::at(qdrant.url.clone()) };
    // Whoever typed a command is told instead of waiting for ever, and what was taken in is kept.
    let file = data.path().join("c.md");
    std::fs::write(&file, report("Corranby", 9)).unwrap();
    let began = Instant::now();
    let (code, said, talk) = command(data.path(), &reader.settings(&reader.url), &["ingest", file.to_str().unwrap()]);
    assert_eq!((code, &said["error"]["code"]), (1, &json!("vector_store_read_only")), "{said} {talk}");
    assert!(talk.contains("nothing that was taken in is lost") && began.elapsed() < PATIENCE / 2, "{talk}");
    let service = reader.serve(&data, &reader.url).await;
    assert!(!search(&service, "cranes", "hybrid").await.is_empty());
    let reply = service.upload("b.md", report("Brackwater", 5)).await;
    assert_eq!(reply.status, 202);
    let began = Instant::now();
    while service.get("/readyz").await.body["degraded"] != json!(["documents_waiting"]) {
        assert!(began.elapsed() < PATIENCE, "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(service);
    let service = qdrant.serve(&data, &qdrant.url).await;
    assert_eq!(service.settled(reply.body["document"]["id"].as_str().unwrap()).await["status"], "ready");
    assert!(!search(&service, "Corranby", "lexical").await.is_empty());
    drop(service);
    let wrong = Qdrant { key: "no-such-key".into(), ..reader };
    if !qdrant.key.is_empty() {
        let (code, said, _) = command(data.path(), &wrong.settings(&wrong.url), &["ask", "How many cranes?"]);
        assert_eq!((code, &said["error"]["code"]), (1, &json!("vector_store_unauthorized")), "{said}");
    }
    qdrant.collection(data.path()).await.discard().await.unwrap();
}
