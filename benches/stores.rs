//! What do the two stores cost on the same points? Points per second written, and the median of a query by each arm inside the
//! scope filter. The server is the one that `DOSSIER_TEST_QDRANT_URL` names. `cargo bench --bench stores`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::time::{Duration, Instant};

use index::{
    corpus::{DocumentId, PassageId},
    scope::{Call, Scope},
    store::{
        Arm, Point, VectorStore, Visible,
        cluster::{Cluster, Server},
        edge::Edge,
    },
};

const POINTS: u32 = 20_000;
const DIMENSIONS: usize = 384;
const TERMS: u32 = 90;
const QUERIES: usize = 200;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        measure("embedded", &Edge::open(&dir.path().join("g1"), DIMENSIONS).unwrap().0).await;
        let Ok(url) = std::env::var("DOSSIER_TEST_QDRANT_URL") else {
            println!("no server: DOSSIER_TEST_QDRANT_URL is not set");
            return;
        };
        let server = Server {
            url,
            api_key: std::env::var("DOSSIER_TEST_QDRANT_KEY").ok().filter(|key| !key.is_empty()),
            prefix: "dossier_bench".into(),
            shards: 1,
            replication: 1,
            write_consistency: 1,
            exact: true,
            timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(120),
        };
        let cluster = Cluster::new(server, "g1", DIMENSIONS, "bench").unwrap();
        cluster.prepare().await.unwrap();
        println!("{}", cluster.about().await.unwrap());
        measure("server", &cluster).await;
        cluster.discard().await.unwrap();
    });
}

async fn measure(name: &str, store: &dyn VectorStore) {
    let mut number = chance();
    let scope = Scope::default();
    let document = DocumentId::new();
    let points: Vec<Point> = (0..POINTS)
        .map(|n| {
            let mut terms: Vec<u32> = (0..TERMS).map(|_| (number() * number() * 50_000.0) as u32).collect();
            terms.sort_unstable();
            terms.dedup();
            let weights = terms.iter().map(|_| 0.5 + number()).collect();
            let meaning = Some((0..DIMENSIONS).map(|_| number() - 0.5).collect());
            Point {
                id: PassageId::derive(document, 1, n).0,
                scope: scope.clone(),
                document,
                version: 1,
                words: (terms, weights),
                meaning,
            }
        })
        .collect();
    let began = Instant::now();
    for batch in points.chunks(512) {
        store.upsert(batch.to_vec()).await.unwrap();
    }
    store.flush().await.unwrap();
    println!("{name:<10}{:>10.0} points/s written", f64::from(POINTS) / began.elapsed().as_secs_f64());
    let call = Call::new(scope.clone(), Duration::from_secs(3600));
    let visible = Visible { scope, hidden: vec![(DocumentId::new(), 1)], documents: None };
    for arm in ["words", "meaning"] {
        let mut times = Vec::with_capacity(QUERIES);
        for _ in 0..QUERIES {
            let arm = match arm {
                "words" => {
                    let mut terms: Vec<u32> = (0..10).map(|_| (number() * number() * 50_000.0) as u32).collect();
                    terms.sort_unstable();
                    terms.dedup();
                    let weights = vec![2.0; terms.len()];
                    Arm::Words(terms, weights)
                }
                _ => Arm::Meaning((0..DIMENSIONS).map(|_| number() - 0.5).collect()),
            };
            let began = Instant::now();
            store.search(&call, &arm, &visible, 100).await.unwrap();
            times.push(began.elapsed());
        }
        times.sort_unstable();
        println!("{name:<10}{arm:>10}: p50 {:.1?}, p99 {:.1?}", times[QUERIES / 2], times[QUERIES * 99 / 100]);
    }
}

/// Numbers between 0 and 1 that look like chance and are the same in every run.
fn chance() -> impl FnMut() -> f32 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32
    }
}
