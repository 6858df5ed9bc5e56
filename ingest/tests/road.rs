//! A document's whole road on the real parts: queue, parser, store, encoder, search.

#![allow(clippy::unwrap_used)] // a test

use std::{sync::Arc, time::Duration};

use index::{
    catalog::Catalog,
    corpus::{DocumentId, Status},
    db::{DataDir, Db},
    embed::{Builtin, Embedder},
    generation::{Generation, Live},
    hit::{Filters, Mode, Query},
    scope::{Call, Scope},
    search::Searcher,
    store::{VectorStore, edge::Edge},
};
use ingest::{
    pipeline::Pipeline,
    queue::{Accepted, Item, Upload},
    sandbox::Sandbox,
};
use tokio::sync::watch;

struct House {
    dir: tempfile::TempDir,
    pipeline: Arc<Pipeline>,
    searcher: Searcher,
    store: Arc<dyn VectorStore>,
    stop: watch::Sender<bool>,
    workers: tokio::task::JoinHandle<()>,
}

impl House {
    async fn open(dir: tempfile::TempDir) -> Self {
        let data = Arc::new(DataDir::open(dir.path()).unwrap());
        let catalog = Catalog::new(Db::open(&data).await.unwrap());
        let embedder: Arc<dyn Embedder> = Arc::new(Builtin::load().unwrap());
        let (store, _) = Edge::open(&dir.path().join("index/g1"), embedder.space().dimensions).unwrap();
        let store: Arc<dyn VectorStore> = Arc::new(store);
        let live = Live::new(Generation { name: "g1".into(), store: store.clone(), embedder });
        let pipeline = Arc::new(Pipeline::open(data, catalog.clone(), live.clone(), Sandbox::InProcess).await.unwrap());
        let searcher = Searcher::new(catalog, live);
        let (stop, stopped) = watch::channel(false);
        let workers = tokio::spawn(pipeline.clone().run(stopped));
        Self { dir, pipeline, searcher, store, stop, workers }
    }

    async fn close(self) -> tempfile::TempDir {
        self.stop.send_replace(true);
        self.workers.await.unwrap();
        self.searcher.catalog().db().close().await;
        self.dir
    }

    async fn accept(&self, uploads: Vec<Upload>) -> Vec<Accepted> {
        let call = call();
        let batch = self.pipeline.queue().open_batch(&call).await.unwrap();
        let items = uploads.into_iter().map(|upload| Item { name: upload.name.clone(), upload: Ok(upload) }).collect();
        let accepted = self.pipeline.accept(&call, batch, items).await.unwrap();
        while !self.pipeline.queue().batch(&call, batch).await.unwrap().unwrap().done
            || self.pipeline.queue().waiting().await.unwrap() > 0
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        accepted
    }

    async fn search(&self, text: &str, mode: Mode) -> Vec<String> {
        let query = Query { text: text.into(), mode, top_k: 5, filters: Filters::default(), as_of: None, explain: false };
        let hits = self.searcher.search(&call(), &query).await.unwrap();
        hits.data.into_iter().map(|hit| format!("{}: {}", hit.passage.document.title, hit.passage.text)).collect()
    }
}

fn call() -> Call {
    Call::new(Scope::default(), Duration::from_secs(60))
}

fn upload(id: &str, text: &str) -> Upload {
    Upload { name: format!("{id}.md"), external_id: Some(id.into()), bytes: text.as_bytes().to_vec(), ..Upload::default() }
}

fn id(accepted: &Accepted) -> DocumentId {
    match accepted {
        Accepted::Queued(id) | Accepted::Unchanged(id) => *id,
        Accepted::Failed(failure) => panic!("{failure:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_found_replaced_and_gone() {
    let house = House::open(tempfile::tempdir().unwrap()).await;
    let accepted = house
        .accept(vec![
            upload("a", "# 云杉能源 2023 年度报告\n\n云杉能源2023年营业收入为12.84亿元，同比增长9%。\n"),
            upload("b", "# Larchmont Foods annual report\n\nLarchmont Foods sold 40 bakeries in fiscal 2023.\n"),
        ])
        .await;
    for mode in [Mode::Hybrid, Mode::Lexical, Mode::Dense] {
        let found = house.search("云杉能源2023年的收入", mode).await;
        assert!(found[0].contains("12.84亿元"), "{mode:?}: {found:?}");
    }
    assert_eq!(house.store.total().await.unwrap(), (2, 2));

    // The same bytes again cost nothing; newer bytes replace, older words are gone.
    assert_eq!(
        house
            .accept(vec![upload("b", "# Larchmont Foods annual report\n\nLarchmont Foods sold 40 bakeries in fiscal 2023.\n")])
            .await[0],
        Accepted::Unchanged(id(&accepted[1]))
    );
    let newer = house
        .accept(vec![upload("b", "# Larchmont Foods annual report\n\nLarchmont Foods bought 7 dairies in fiscal 2024.\n")])
        .await;
    assert_eq!(id(&newer[0]), id(&accepted[1]));
    let found = house.search("Larchmont bakeries or dairies", Mode::Hybrid).await;
    assert!(
        found.iter().any(|text| text.contains("dairies")) && !found.iter().any(|text| text.contains("bakeries")),
        "{found:?}"
    );
    let document = house.searcher.catalog().document(&call(), id(&newer[0])).await.unwrap().unwrap();
    assert_eq!((document.version, document.status), (2, Status::Ready));
    let (passages, counts) = house.searcher.frequencies(&call(), &["bakeri".into(), "dairi".into()]).await.unwrap();
    assert_eq!((passages, counts["bakeri"], counts["dairi"]), (2, 0, 1));

    assert!(house.pipeline.delete(&call(), id(&accepted[0])).await.unwrap());
    assert!(!house.search("云杉能源", Mode::Hybrid).await.iter().any(|text| text.contains("云杉")));
    while house.pipeline.queue().waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.store.total().await.unwrap(), (1, 1));
    let blobs = walk(&house.dir.path().join("blobs"));
    assert_eq!(blobs, 1, "only the bytes of the newest version are kept");
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_is_filled_again_from_the_catalog() {
    let house = House::open(tempfile::tempdir().unwrap()).await;
    house.accept(vec![upload("a", "# 报告\n\n云杉能源的毛利率为31.2%。\n")]).await;
    let dir = house.close().await;
    std::fs::remove_dir_all(dir.path().join("index/g1")).unwrap();
    let house = House::open(dir).await;
    while house.pipeline.queue().waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(house.store.total().await.unwrap(), (1, 1));
    assert!(house.search("毛利率", Mode::Hybrid).await[0].contains("31.2%"));
    house.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_file_does_not_stop_the_others() {
    let house = House::open(tempfile::tempdir().unwrap()).await;
    let png = Upload { name: "chart.pdf".into(), bytes: b"\x89PNG\r\n\x1a\n0000".to_vec(), ..Upload::default() };
    let accepted = house.accept(vec![png, upload("good", "# Report\n\nRevenue was 12 million.\n")]).await;
    let document = house.searcher.catalog().document(&call(), id(&accepted[0])).await.unwrap().unwrap();
    assert_eq!(document.status, Status::Failed);
    assert_eq!(document.error.unwrap().code, "unsupported_type");
    assert_eq!(house.search("revenue", Mode::Lexical).await.len(), 1);
    house.close().await;
}

fn walk(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { walk(&path) } else { 1 }).sum()
}
