//! The process ends without a warning, at any moment: what was acknowledged is there afterwards, once.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use ::ingest::crash::POINTS;
use futures::future::join_all;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::service::{PATIENCE, Service};

const DOCUMENTS: &str = "/v1/scenarios/default/documents";

/// A report of three passages; each has a word that no other document and no other version has.
fn report(word: &str) -> String {
    let filler = "The harbour reports its figures once a year. 港口每年公布一次数据。".repeat(7);
    format!(
        "# Harbour {word}\n\n## Quays\n\nQuay {word}-one has 12 cranes. {filler}\n\n## 吞吐量\n\n{word}-two号码头吞吐量为35万吨。{filler}\n\n## Staff\n\n{word}-three crews work there. {filler}\n"
    )
}

/// Sends a report; whether it was acknowledged. No answer at all is the only other outcome.
async fn send(service: &Service, id: &str, word: &str) -> bool {
    let body = json!({ "text": report(word), "external_id": id });
    let Ok(reply) = service.request(Method::POST, DOCUMENTS).json(&body).send().await else { return false };
    let status = reply.status();
    let Ok(text) = reply.text().await else { return false };
    assert!(status.is_success(), "{status}: {text}");
    true
}

async fn documents(service: &Service) -> Vec<Value> {
    service.get(&format!("{DOCUMENTS}?limit=200")).await.body["data"].as_array().unwrap().clone()
}

/// Waits until nothing more happens to any document.
async fn quiet(service: &Service) -> Vec<Value> {
    let wait = async {
        loop {
            let documents = documents(service).await;
            if documents.iter().all(|document| ["ready", "failed", "quarantined"].contains(&document["status"].as_str().unwrap()))
            {
                return documents;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the documents become ready")
}

/// What the store of passages and both arms of the search hold of each document, by its id: each passage once.
async fn check_whole(service: &Service, words: &BTreeMap<&str, &str>, when: &str) {
    let documents = quiet(service).await;
    for (id, word) in words {
        let same: Vec<&Value> = documents.iter().filter(|document| document["external_id"] == **id).collect();
        assert_eq!(same.len(), 1, "{when}: {id} is there {} times", same.len());
        let document = same[0];
        assert_eq!(document["status"], "ready", "{when}: {document}");
        let path = format!("{DOCUMENTS}/{}/passages?limit=200", document["id"].as_str().unwrap());
        let passages = service.get(&path).await.body;
        let texts: Vec<&str> =
            passages["data"].as_array().unwrap().iter().map(|passage| passage["text"].as_str().unwrap()).collect();
        assert_eq!(texts.len(), 3, "{when}: {id}: {texts:?}");
        assert_eq!(document["passages"], 3, "{when}: {id}");
        for mode in ["lexical", "dense", "hybrid"] {
            let query =
                json!({ "query": format!("harbour {word}"), "mode": mode, "top_k": 100, "filters": { "external_id": id } });
            let hits = service.post("/v1/search", query).await.body;
            let mut found: Vec<&str> =
                hits["data"].as_array().unwrap().iter().map(|hit| hit["passage"]["text"].as_str().unwrap()).collect();
            assert!(found.iter().all(|text| text.contains(word)), "{when}: {id} {mode}: {found:?}");
            found.sort_unstable();
            found.dedup();
            assert_eq!((found.len(), hits["data"].as_array().unwrap().len()), (3, 3), "{when}: {id} {mode}");
        }
    }
    let ids: Vec<&str> = documents.iter().map(|document| document["external_id"].as_str().unwrap()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{when}: a document is there twice: {ids:?}");
}

/// Two documents and a new version of a third are on their way when the process ends at `point`.
async fn check(point: &str) {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::on(data.clone(), &[]).await;
    assert!(send(&service, "old", "aldermoor").await);
    quiet(&service).await;
    drop(service);

    let mut service = Service::on(data.clone(), &[("DOSSIER_TEST_CRASH", point)]).await;
    let mut words = BTreeMap::from([("old", "aldermoor")]);
    for (id, word) in [("old", "brackwater"), ("new", "corranby"), ("新", "澜汐湾")] {
        if send(&service, id, word).await {
            words.insert(id, word);
        }
    }
    assert_eq!(service.exit_code().await, None, "{point}: it aborts");
    drop(service);

    let service = Service::on(data, &[]).await;
    // What was not acknowledged may be there or not: a sender sends it again, and it is there once.
    if words["old"] == "aldermoor" {
        assert!(send(&service, "old", "brackwater").await);
        words.insert("old", "brackwater");
    }
    check_whole(&service, &words, point).await;
    for (id, word) in [("old", "brackwater"), ("new", "corranby"), ("新", "澜汐湾")] {
        assert!(send(&service, id, word).await, "{point}");
        words.insert(id, word);
    }
    check_whole(&service, &words, point).await;
    assert_eq!(documents(&service).await.len(), 3, "{point}");
}

#[tokio::test]
async fn whatever_point_the_process_ends_at_what_was_acknowledged_is_there_once() {
    for points in POINTS.chunks(4) {
        join_all(points.iter().map(|point| check(point))).await;
    }
}

const BATCH: usize = 30;

/// Sends the batch; whether it was acknowledged.
async fn send_batch(service: &Service) -> bool {
    let mut form = Form::new();
    for n in 0..BATCH {
        form = form.text("about", json!({ "external_id": format!("mill {n}") }).to_string());
        let text = format!("# 磨坊 {n}\n\nMill {n} grinds {n}77 sacks. 第{n}号磨坊。\n");
        form = form.part("file", Part::bytes(text.into_bytes()).file_name(format!("{n}.md")));
    }
    let reply = service.request(Method::POST, "/v1/batches").multipart(form).send().await;
    reply.is_ok_and(|reply| reply.status() == 202)
}

async fn check_mills(data: &Arc<TempDir>) {
    let service = Service::on(data.clone(), &[]).await;
    assert_eq!(documents(&service).await.len(), BATCH, "what was acknowledged is there at once");
    assert!(send_batch(&service).await);
    let documents = quiet(&service).await;
    assert_eq!(documents.len(), BATCH);
    for document in &documents {
        assert_eq!(
            (&document["status"], &document["version"], &document["passages"]),
            (&json!("ready"), &json!(1), &json!(1)),
            "{document}"
        );
    }
    for mode in ["lexical", "dense"] {
        let hits = service.post("/v1/search", json!({ "query": "mill sacks 磨坊", "mode": mode, "top_k": 100 })).await.body;
        let mut found: Vec<&str> = hits["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit["passage"]["document"]["external_id"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found.len(), BATCH, "{mode}: {found:?}");
        found.dedup();
        assert_eq!(found.len(), BATCH, "{mode}: {found:?}");
    }
}

#[tokio::test]
async fn a_batch_survives_a_process_that_is_killed_again_and_again() {
    let data = Arc::new(tempfile::tempdir().unwrap());
    let mut acknowledged = false;
    for round in 0..6_u64 {
        let mut service = Service::on(data.clone(), &[]).await;
        if acknowledged {
            assert_eq!(documents(&service).await.len(), BATCH, "round {round}");
        }
        let delay = RandomState::new().hash_one(round) % 1_000;
        eprintln!("round {round}: killed after {delay} ms");
        let sending = send_batch(&service);
        let (sent, ()) = tokio::join!(
            tokio::time::timeout(Duration::from_millis(delay), sending),
            tokio::time::sleep(Duration::from_millis(delay))
        );
        acknowledged |= sent.unwrap_or(false);
        service.kill();
    }
    let service = Service::on(data.clone(), &[]).await;
    assert!(send_batch(&service).await);
    drop(service);
    check_mills(&data).await;
}
