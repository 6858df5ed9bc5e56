//! One suite for both stores: the embedded one, and a server. The server is the one that `DOSSIER_TEST_QDRANT_URL` names
//! (`DOSSIER_TEST_QDRANT_KEY` its API key); without it, Qdrant's protocol is spoken to the embedded engine, which shows that
//! every request says what it must, not what a real server makes of it. What one store returns, the other returns.

#![allow(clippy::unwrap_used)] // a test

use std::time::Duration;

use index::{
    IndexError,
    corpus::{DocumentId, PassageId},
    embed::{Builtin, Embedder},
    fault::Coded,
    lexical,
    scope::{Call, Scope},
    store::{
        Arm, Point, VectorStore, Visible,
        cluster::{Cluster, Server},
        edge::Edge,
    },
};
use uuid::Uuid;

mod qdrant;

use qdrant::{FakeQdrant, Mood};

const OWNER: &str = "the-suite";

/// The server to test against. It lasts as long as the first part is kept.
async fn server() -> (Option<FakeQdrant>, Server) {
    let (fake, url, api_key) = match std::env::var("DOSSIER_TEST_QDRANT_URL") {
        Ok(url) => (None, url, std::env::var("DOSSIER_TEST_QDRANT_KEY").ok().filter(|key| !key.is_empty())),
        Err(_) => {
            eprintln!("without a real Qdrant server: DOSSIER_TEST_QDRANT_URL is not set");
            let fake = FakeQdrant::start().await;
            let url = fake.url.clone();
            (Some(fake), url, Some(qdrant::KEY.to_owned()))
        }
    };
    let server = Server {
        url,
        api_key,
        prefix: "dossier_test".into(),
        shards: 2,
        replication: 1,
        write_consistency: 1,
        exact: true,
        timeout: Duration::from_secs(20),
        write_timeout: Duration::from_secs(60),
    };
    (fake, server)
}

fn generation() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Runs the check on a new store of each kind.
async fn check(dimensions: usize, check: impl AsyncFn(&dyn VectorStore, &str)) {
    let dir = tempfile::tempdir().unwrap();
    let (edge, _) = Edge::open(&dir.path().join("g1"), dimensions).unwrap();
    check(&edge, "embedded").await;
    let (_fake, server) = server().await;
    let cluster = Cluster::new(server, &generation(), dimensions, OWNER).unwrap();
    cluster.prepare().await.unwrap();
    check(&cluster, "server").await;
    cluster.discard().await.unwrap();
}

fn call() -> Call {
    Call::new(Scope::default(), Duration::from_secs(30))
}

fn visible(scope: &Scope) -> Visible {
    Visible { scope: scope.clone(), hidden: vec![], documents: None }
}

fn point(document: DocumentId, version: u32, ordinal: u32, scope: &Scope, words: &[(u32, f32)]) -> Point {
    Point {
        id: PassageId::derive(document, version, ordinal).0,
        scope: scope.clone(),
        document,
        version,
        words: words.iter().copied().unzip(),
        meaning: None,
    }
}

fn word(term: u32) -> Arm {
    Arm::Words(vec![term], vec![1.0])
}

/// Numbers between -1 and 1 that look like chance and are the same in every run.
fn chance(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

#[tokio::test]
async fn scope_hidden_versions_and_documents_are_part_of_the_query() {
    check(2, async |store, name| {
        let (ours, theirs) = (Scope::default(), Scope::new("other", "default").unwrap());
        let (a, b, c) = (DocumentId::new(), DocumentId::new(), DocumentId::new());
        let points = vec![
            point(a, 1, 0, &ours, &[(7, 1.0)]),
            point(a, 2, 0, &ours, &[(7, 0.5)]),
            point(b, 1, 0, &ours, &[(7, 0.25)]),
            point(c, 1, 0, &theirs, &[(7, 9.0)]),
        ];
        let ids: Vec<Uuid> = points.iter().map(|point| point.id).collect();
        store.upsert(points).await.unwrap();
        let find = async |visible: &Visible| {
            let hits = store.search(&call(), &word(7), visible, 10).await.unwrap();
            hits.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(find(&visible(&ours)).await, [ids[0], ids[1], ids[2]], "{name}");
        assert_eq!(find(&visible(&theirs)).await, [ids[3]], "{name}");
        assert_eq!(find(&Visible { hidden: vec![(a, 1)], ..visible(&ours) }).await, [ids[1], ids[2]], "{name}");
        assert_eq!(find(&Visible { documents: Some(vec![b, c]), ..visible(&ours) }).await, [ids[2]], "{name}");
        assert!(find(&Visible { documents: Some(vec![]), ..visible(&ours) }).await.is_empty(), "{name}");
        let both = Visible { hidden: vec![(a, 2), (b, 1)], documents: Some(vec![a, b]), ..visible(&ours) };
        assert_eq!(find(&both).await, [ids[0]], "{name}");
        // The same holds when points are asked for by name.
        let scored = store.score(&call(), &word(7), &both, &ids).await.unwrap();
        assert_eq!(scored, [(ids[0], 1.0)], "{name}");
        assert!(store.score(&call(), &word(7), &both, &[]).await.unwrap().is_empty(), "{name}");
    })
    .await;
}

#[tokio::test]
async fn writing_again_replaces_and_a_vector_is_added_to_what_is_there() {
    check(2, async |store, name| {
        let scope = Scope::default();
        let document = DocumentId::new();
        let bare = point(document, 1, 1, &scope, &[]);
        let first = point(document, 1, 0, &scope, &[(1, 1.0), (2, 2.0)]);
        let id = first.id;
        store.upsert(vec![first, bare]).await.unwrap();
        assert_eq!(store.count(document, 1).await.unwrap(), (2, 0), "{name}");
        store.set_meaning(vec![(id, vec![3.0, 4.0])]).await.unwrap();
        assert_eq!(store.count(document, 1).await.unwrap(), (2, 1), "{name}");
        let hits = store.search(&call(), &Arm::Meaning(vec![0.0, 2.0]), &visible(&scope), 5).await.unwrap();
        assert_eq!(hits.len(), 1, "{name}: what has no vector is not found by one");
        assert!((hits[0].1 - 0.8).abs() < 1e-5, "{name}: the cosine, whatever the lengths: {hits:?}");
        assert_eq!(store.search(&call(), &word(2), &visible(&scope), 5).await.unwrap(), [(id, 2.0)], "{name}: its words stay");
        store.upsert(vec![point(document, 1, 0, &scope, &[(3, 1.5)])]).await.unwrap();
        assert!(store.search(&call(), &word(2), &visible(&scope), 5).await.unwrap().is_empty(), "{name}");
        assert_eq!(store.search(&call(), &word(3), &visible(&scope), 5).await.unwrap(), [(id, 1.5)], "{name}");
        assert_eq!(store.count(document, 1).await.unwrap(), (2, 0), "{name}: written anew, it waits for its vector again");
        assert!(store.set_meaning(vec![(Uuid::now_v7(), vec![1.0, 0.0])]).await.is_err(), "{name}: there is no such point");
    })
    .await;
}

#[tokio::test]
async fn counts_tell_what_each_version_has_and_deleting_takes_one_version() {
    check(2, async |store, name| {
        let scope = Scope::default();
        assert_eq!(store.total().await.unwrap(), (0, 0), "{name}");
        assert!(store.versions().await.unwrap().is_empty(), "{name}");
        let (a, b) = (DocumentId::new(), DocumentId::new());
        // More than fit into one request.
        let mut points: Vec<Point> = (0..1200).map(|n| point(a, 1, n, &scope, &[(1, 1.0)])).collect();
        points.extend((0..3).map(|n| Point { meaning: Some(vec![1.0, 0.0]), ..point(a, 2, n, &scope, &[(1, 1.0)]) }));
        points.push(point(b, 11, 0, &scope, &[(1, 1.0)]));
        store.upsert(points).await.unwrap();
        store.flush().await.unwrap();
        assert_eq!(store.total().await.unwrap(), (1204, 3), "{name}");
        let counts = store.versions().await.unwrap();
        assert_eq!(counts.len(), 3, "{name}");
        assert_eq!((counts[&(a, 1)], counts[&(a, 2)], counts[&(b, 11)]), ((1200, 0), (3, 3), (1, 0)), "{name}");
        store.delete(a, 1).await.unwrap();
        assert_eq!(store.total().await.unwrap(), (4, 3), "{name}");
        assert_eq!(store.count(a, 1).await.unwrap(), (0, 0), "{name}");
        assert_eq!(store.count(a, 2).await.unwrap(), (3, 3), "{name}");
        store.delete(a, 1).await.unwrap();
        store.delete(DocumentId::new(), 1).await.unwrap();
        assert!(store.about().await.unwrap().contains("Qdrant"), "{name}");
    })
    .await;
}

#[tokio::test]
async fn ties_go_by_id_also_where_the_limit_cuts_them() {
    check(2, async |store, name| {
        let scope = Scope::default();
        let points: Vec<Point> = (0..90)
            .map(|n| Point {
                meaning: Some(vec![1.0, 0.0]),
                ..point(DocumentId::new(), 1, 0, &scope, &[(5, if n < 3 { 2.0 } else { 1.0 })])
            })
            .collect();
        let (mut best, mut rest): (Vec<Uuid>, Vec<Uuid>) =
            (points[..3].iter().map(|p| p.id).collect(), points[3..].iter().map(|p| p.id).collect());
        best.sort_unstable();
        rest.sort_unstable();
        let mut every: Vec<Uuid> = best.iter().chain(&rest).copied().collect();
        store.upsert(points).await.unwrap();
        for limit in [0, 1, 3, 4, 20, 89, 90, 200] {
            let hits = store.search(&call(), &word(5), &visible(&scope), limit).await.unwrap();
            let found: Vec<Uuid> = hits.iter().map(|(id, _)| *id).collect();
            assert_eq!(found, every[..limit.min(90)], "{name}, {limit}");
        }
        every.sort_unstable();
        let hits = store.search(&call(), &Arm::Meaning(vec![1.0, 1.0]), &visible(&scope), 7).await.unwrap();
        assert_eq!(hits.iter().map(|(id, _)| *id).collect::<Vec<_>>(), every[..7], "{name}");
    })
    .await;
}

#[tokio::test]
async fn a_vector_of_another_length_is_refused() {
    check(3, async |store, name| {
        let wrong = Point { meaning: Some(vec![1.0, 0.0]), ..point(DocumentId::new(), 1, 0, &Scope::default(), &[(1, 1.0)]) };
        assert!(store.upsert(vec![wrong]).await.is_err(), "{name}");
        let arm = Arm::Meaning(vec![1.0, 0.0]);
        assert!(store.search(&call(), &arm, &visible(&Scope::default()), 5).await.is_err(), "{name}");
    })
    .await;
}

/// Sentences of reports, made of words that repeat.
fn sentences() -> Vec<String> {
    let whose = ["The harbour", "云杉科技", "Northwind Foods", "蓝湾港口", "The mill", "长河能源"];
    let what = [
        "revenue",
        "营业收入",
        "net profit",
        "净利润",
        "research expenses",
        "研发投入",
        "staff",
        "员工人数",
        "吞吐量",
        "dividends",
    ];
    let mut text = Vec::new();
    for (i, whose) in whose.iter().enumerate() {
        for (j, what) in what.iter().enumerate() {
            let amount = 1000 + 37 * i + 91 * j;
            text.push(format!("{whose} reports {what} of {amount} million in 2023. {what}较上年增长{j}.{i}%。"));
            text.push(format!("2022年{whose}的{what}为{amount}万元, {} than before.", if j % 2 == 0 { "more" } else { "less" }));
        }
    }
    text
}

/// Everything that both stores return, side by side.
async fn check_alike(ours: &dyn VectorStore, theirs: &dyn VectorStore, arm: &Arm, visible: &Visible, ids: &[Uuid]) {
    for limit in [1, 10, 100] {
        let (a, b) = (
            ours.search(&call(), arm, visible, limit).await.unwrap(),
            theirs.search(&call(), arm, visible, limit).await.unwrap(),
        );
        let order = |hits: &[(Uuid, f32)]| hits.iter().map(|(id, _)| *id).collect::<Vec<_>>();
        assert_eq!(order(&a), order(&b), "{arm:?}, {limit}");
        assert!(a.iter().zip(&b).all(|(a, b)| (a.1 - b.1).abs() < 1e-4), "{arm:?}: {a:?} {b:?}");
    }
    let (a, b) = (ours.score(&call(), arm, visible, ids).await.unwrap(), theirs.score(&call(), arm, visible, ids).await.unwrap());
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && (a.1 - b.1).abs() < 1e-4), "{a:?} {b:?}");
}

#[tokio::test]
async fn the_same_corpus_gives_the_same_hits_in_both_stores() {
    let (_fake, server) = server().await;
    let encoder = Builtin::load().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let dimensions = encoder.space().dimensions;
    let (edge, _) = Edge::open(&dir.path().join("g1"), dimensions).unwrap();
    let cluster = Cluster::new(server, &generation(), dimensions, OWNER).unwrap();
    cluster.prepare().await.unwrap();
    let scopes = [Scope::default(), Scope::of_scenario("another").unwrap()];
    let documents: Vec<DocumentId> = (0..8).map(|_| DocumentId::new()).collect();
    let sentences = sentences();
    let vectors = encoder.passages(&call(), &sentences).await.unwrap();
    let mut points = Vec::new();
    for (n, (text, vector)) in sentences.iter().zip(vectors).enumerate() {
        let (terms, weights) = lexical::sparse(&lexical::analyse(text));
        points.push(Point {
            words: (terms, weights),
            meaning: (n % 9 != 0).then_some(vector),
            ..point(documents[n % 8], 1 + (n % 3) as u32, n as u32, &scopes[usize::from(n % 8 == 7)], &[])
        });
    }
    // A few thousand that share nothing but their terms, so that there are segments and ties.
    let mut number = chance(7);
    for n in 0..3000_u32 {
        let words: Vec<(u32, f32)> = (0..20).map(|t| (1000 + t * 13 + n % 11, (1.0 + number()).max(0.01))).collect();
        let vector: Vec<f32> = (0..dimensions).map(|_| number()).collect();
        points.push(Point { meaning: Some(vector), ..point(documents[(n % 7) as usize], 9, n, &scopes[0], &words) });
    }
    let ids: Vec<Uuid> = points.iter().step_by(17).map(|point| point.id).collect();
    for store in [&edge as &dyn VectorStore, &cluster] {
        store.upsert(points.clone()).await.unwrap();
        store.delete(documents[3], 2).await.unwrap();
        store.flush().await.unwrap();
    }
    assert_eq!(edge.total().await.unwrap(), cluster.total().await.unwrap());
    assert_eq!(edge.versions().await.unwrap(), cluster.versions().await.unwrap());
    for (n, question) in
        ["净利润是多少?", "How much revenue did the harbour report in 2023?", "蓝湾港口 staff", "研发投入较上年增长"]
            .iter()
            .enumerate()
    {
        let seen = Visible {
            scope: scopes[0].clone(),
            hidden: if n % 2 == 0 { vec![(documents[0], 1), (documents[1], 9)] } else { vec![] },
            documents: (n == 3).then(|| documents[2..6].to_vec()),
        };
        let terms: Vec<u32> = lexical::analyse(question).terms.into_iter().map(|(term, _)| term).collect();
        let weights = terms.iter().enumerate().map(|(at, _)| 1.0 + at as f32 / 7.0).collect();
        check_alike(&edge, &cluster, &Arm::Words(terms, weights), &seen, &ids).await;
        let vector = encoder.query(&call(), question).await.unwrap();
        check_alike(&edge, &cluster, &Arm::Meaning(vector), &seen, &ids).await;
        let many = Arm::Words((0..6).map(|t| 1000 + t * 13 + n as u32).collect(), vec![1.5; 6]);
        check_alike(&edge, &cluster, &many, &seen, &ids).await;
    }
    cluster.discard().await.unwrap();
}

fn code<T>(result: Result<T, IndexError>) -> &'static str {
    result.err().map_or("no error", |error| error.code())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_within_the_deadline() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server {
        url: format!("http://127.0.0.1:{port}"),
        api_key: None,
        prefix: "dossier_test".into(),
        shards: 1,
        replication: 1,
        write_consistency: 1,
        exact: true,
        timeout: Duration::from_secs(2),
        write_timeout: Duration::from_secs(2),
    };
    let store = Cluster::new(server.clone(), "g1", 2, OWNER).unwrap();
    let seen = visible(&Scope::default());
    assert_eq!(code(store.search(&call(), &word(1), &seen, 5).await), "vector_store_unavailable");
    assert_eq!(code(store.upsert(vec![]).await), "no error");
    assert_eq!(code(store.total().await), "vector_store_unavailable");
    // Something that takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server { url: format!("http://{}", silent.local_addr().unwrap()), ..server };
    let store = Cluster::new(server, "g1", 2, OWNER).unwrap();
    assert_eq!(code(store.search(&call(), &word(1), &seen, 5).await), "vector_store_unavailable");
    let hurried = Call::new(Scope::default(), Duration::from_millis(50));
    assert_eq!(code(store.search(&hurried, &word(1), &seen, 5).await), "deadline_exceeded");
}

#[tokio::test]
async fn a_collection_of_another_encoder_or_another_installation_is_refused() {
    let (_fake, server) = server().await;
    let generation = generation();
    let first = Cluster::new(server.clone(), &generation, 2, OWNER).unwrap();
    let seen = visible(&Scope::default());
    assert_eq!(code(first.search(&call(), &word(1), &seen, 5).await), "vector_store_unavailable", "it is not made by asking");
    assert_eq!(code(first.total().await), "vector_store_unavailable", "nor by looking");
    first.prepare().await.unwrap();
    assert_eq!(first.total().await.unwrap(), (0, 0));
    let longer = Cluster::new(server.clone(), &generation, 3, OWNER).unwrap();
    assert_eq!(code(longer.prepare().await), "vector_store_mismatch");
    assert_eq!(code(longer.total().await), "vector_store_mismatch");
    let other = Cluster::new(server.clone(), &generation, 2, "somebody-else").unwrap();
    assert_eq!(code(other.total().await), "vector_store_mismatch");
    assert_eq!(
        code(other.upsert(vec![point(DocumentId::new(), 1, 0, &Scope::default(), &[(1, 1.0)])]).await),
        "vector_store_mismatch"
    );
    assert_eq!(first.total().await.unwrap(), (0, 0));
    first.discard().await.unwrap();
}

#[tokio::test]
async fn a_collection_that_was_lost_is_told_until_it_is_made_again() {
    let (_fake, server) = server().await;
    let generation = generation();
    let store = Cluster::new(server.clone(), &generation, 2, OWNER).unwrap();
    let (document, scope) = (DocumentId::new(), Scope::default());
    store.prepare().await.unwrap();
    store.upsert(vec![point(document, 1, 0, &scope, &[(1, 1.0)])]).await.unwrap();
    let somebody = Cluster::new(server, &generation, 2, OWNER).unwrap();
    somebody.discard().await.unwrap();
    let again = point(document, 1, 1, &scope, &[(1, 1.0)]);
    assert_eq!(
        code(store.upsert(vec![again.clone()]).await),
        "vector_store_unavailable",
        "all of it must be written, not this alone"
    );
    assert_eq!(code(store.search(&call(), &word(1), &visible(&scope), 5).await), "vector_store_unavailable");
    assert_eq!(code(store.total().await), "vector_store_unavailable");
    store.prepare().await.unwrap();
    assert_eq!(store.total().await.unwrap(), (0, 0));
    store.upsert(vec![again]).await.unwrap();
    assert_eq!(store.search(&call(), &word(1), &visible(&scope), 5).await.unwrap().len(), 1);
    store.discard().await.unwrap();
}

#[tokio::test]
async fn a_key_that_does_not_fit_is_told_apart_from_one_that_may_only_read() {
    let (fake, server) = server().await;
    if server.api_key.is_none() {
        eprintln!("skipped: DOSSIER_TEST_QDRANT_KEY is not set");
        return;
    }
    let wrong = Server { api_key: Some("no-such-key".into()), ..server.clone() };
    let store = Cluster::new(wrong, &generation(), 2, OWNER).unwrap();
    assert_eq!(code(store.total().await), "vector_store_unauthorized");
    let key = match (&fake, std::env::var("DOSSIER_TEST_QDRANT_READ_ONLY_KEY")) {
        (Some(_), _) => qdrant::READ_ONLY_KEY.to_owned(),
        (None, Ok(key)) => key,
        (None, Err(_)) => {
            eprintln!("skipped: DOSSIER_TEST_QDRANT_READ_ONLY_KEY is not set");
            return;
        }
    };
    let (generation, scope) = (generation(), Scope::default());
    let full = Cluster::new(server.clone(), &generation, 2, OWNER).unwrap();
    full.prepare().await.unwrap();
    full.upsert(vec![point(DocumentId::new(), 1, 0, &scope, &[(1, 1.0)])]).await.unwrap();
    let store = Cluster::new(Server { api_key: Some(key), ..server }, &generation, 2, OWNER).unwrap();
    assert_eq!(store.search(&call(), &word(1), &visible(&scope), 5).await.unwrap().len(), 1);
    assert_eq!(code(store.upsert(vec![point(DocumentId::new(), 1, 0, &scope, &[(1, 1.0)])]).await), "vector_store_read_only");
    full.discard().await.unwrap();
}

#[tokio::test]
async fn a_server_on_a_bad_day_is_told_by_code_and_a_busy_one_is_asked_again() {
    let fake = FakeQdrant::start().await;
    let server = Server { url: fake.url.clone(), api_key: Some(qdrant::KEY.into()), ..server().await.1 };
    let store = Cluster::new(server.clone(), "g1", 2, OWNER).unwrap();
    fake.set(Mood::Old);
    assert_eq!(code(store.total().await), "vector_store_version");
    fake.set(Mood::Busy(2));
    store.prepare().await.unwrap();
    fake.set(Mood::Busy(2));
    assert_eq!(store.total().await.unwrap(), (0, 0), "asked again, it answers");
    let point = point(DocumentId::new(), 1, 0, &Scope::default(), &[(1, 1.0)]);
    fake.set(Mood::Busy(3));
    store.upsert(vec![point.clone()]).await.unwrap();
    fake.set(Mood::Busy(1000));
    assert_eq!(code(store.upsert(vec![point.clone()]).await), "vector_store_unavailable", "but not for ever");
    fake.set(Mood::Full);
    assert_eq!(code(store.upsert(vec![point]).await), "storage_full");
    assert_eq!(store.search(&call(), &word(1), &visible(&Scope::default()), 5).await.unwrap().len(), 1, "it still answers");
}
