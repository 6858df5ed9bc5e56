//! What do the hot roads cost? Prints time per unit on this machine: the analyser on Chinese, traditional Chinese and English, a
//! passage through the built-in encoder, a page of PDF, and a query through each arm and both over the example reports, each taken
//! in many times. `cargo bench --bench hot`; other arguments that cargo passes are ignored.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    hint::black_box,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use index::{
    catalog::Catalog,
    db::{DataDir, Db},
    embed::{Builtin, Embedder, Onnx, onnx},
    generation::{Generation, Live},
    hit::{Filters, Mode, Query},
    lexical,
    scope::{Call, Scope},
    search::Searcher,
    store::edge::Edge,
};
use ingest::{
    parse::{self, Format},
    pipeline::Pipeline,
    queue::{Item, Upload},
    sandbox::Sandbox,
};

/// How often each example report is taken in.
const COPIES: usize = 40;

const CHINESE: &str = "2023年，公司实现营业收入1,234.56万元，同比增长12.5%；归属于上市公司股东的净利润为3.5亿元，较上年同期\
    下降百分之八。报告期内，公司持续加大研发投入，研发费用占营业收入的比例为6.3%，主要系新产品开发及人员薪酬增加所致。";
const TRADITIONAL: &str = "2023年，公司實現營業收入1,234.56萬元，同比增長12.5%；歸屬於上市公司股東的淨利潤為3.5億元，較上年同期\
    下降百分之八。報告期內，公司持續加大研發投入，研發費用佔營業收入的比例為6.3%，主要係新產品開發及人員薪酬增加所致。";
const ENGLISH: &str = "Revenue for FY2023 was $1,234.5 million, an increase of 12.5% from the prior year, driven by higher \
    volumes in our industrial segment and the company's pricing actions. Operating expenses weren't affected by the \
    restructuring programme announced in the third quarter; see Note 7 to the consolidated financial statements. ";

fn main() {
    println!("{:<34}{:>14}{:>14}", "", "per unit", "");
    for (name, text) in [("Chinese", CHINESE), ("traditional Chinese", TRADITIONAL), ("English", ENGLISH)] {
        let text = text.repeat(200);
        let time = fastest(|| drop(black_box(lexical::analyse(black_box(&text)))));
        report(&format!("analyse, {name}, 1 kB"), time / (text.len() as u32 / 1000), text.len() as f64 / 1e6, time, "MB/s");
        let time = fastest(|| drop(black_box(lexical::fold(black_box(&text)))));
        report(&format!("fold, {name}, 1 kB"), time / (text.len() as u32 / 1000), text.len() as f64 / 1e6, time, "MB/s");
    }

    let before = resident();
    let start = Instant::now();
    let builtin = Builtin::load().unwrap();
    println!("{:<34}{:>14.2?}", "load the encoder", start.elapsed());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let call = Call::new(Scope::default(), Duration::from_secs(3600));
    for (name, text) in [("Chinese", CHINESE.repeat(3)), ("English", ENGLISH.repeat(3))] {
        let before = call.meter.total().2;
        runtime.block_on(builtin.query(&call, &text)).unwrap();
        let tokens = call.meter.total().2 - before;
        let time = fastest(|| drop(black_box(runtime.block_on(builtin.query(&call, &text)).unwrap())));
        report(&format!("encode, {name}, {tokens} tokens"), time, tokens as f64, time, "tokens/s");
    }
    let time = fastest(|| drop(black_box(runtime.block_on(builtin.query(&call, "2023年营业收入是多少？")).unwrap())));
    report("encode, a short question", time, 1.0, time, "/s");
    let texts: Vec<String> = (0..16).map(|i| format!("{i} {}", CHINESE.repeat(3))).collect();
    let time = fastest(|| drop(black_box(runtime.block_on(builtin.passages(&call, &texts)).unwrap())));
    report("encode, 16 passages at once, each", time / 16, 16.0, time, "/s");

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/reports");
    let pdf = std::fs::read(folder.join("栖霁传动-2023年年度报告.pdf")).unwrap();
    let mut pages = 0;
    let time = fastest(|| {
        pages = 0;
        let mut count = |_| {
            pages += 1;
            Ok(())
        };
        parse::parse(Format::Pdf, &pdf, "report.pdf", &mut count).unwrap();
    });
    report("read a page of PDF", time / pages, f64::from(pages), time, "pages/s");
    runtimes(&runtime, &builtin, before);
    runtime.block_on(queries(&folder, Arc::new(builtin), &call));
}

async fn queries(folder: &Path, builtin: Arc<Builtin>, call: &Call) {
    let data = tempfile::tempdir().unwrap();
    let dir = Arc::new(DataDir::open(data.path()).unwrap());
    let catalog = Catalog::new(Db::open(&dir).await.unwrap());
    let store = Arc::new(Edge::open(&data.path().join("index/bench"), builtin.space().dimensions).unwrap().0);
    let live = Live::new(Generation { name: "bench".into(), store, embedder: builtin });
    let pipeline = Arc::new(Pipeline::open(dir, catalog.clone(), live.clone(), Sandbox::InProcess).await.unwrap());
    let batch = pipeline.queue().open_batch(call).await.unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        let (name, bytes) = (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).unwrap());
        let copy = |number: usize| Upload {
            external_id: Some(format!("{name} {number}")),
            name: name.clone(),
            bytes: bytes.clone(),
            path: None,
            title: None,
            language: None,
            metadata: Default::default(),
            facts: Default::default(),
        };
        let items = (0..COPIES).map(|number| Item { name: name.clone(), upload: Ok(copy(number)) }).collect();
        pipeline.accept(call, batch, items).await.unwrap();
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let work = tokio::spawn(pipeline.clone().run(stopped));
    while pipeline.queue().waiting().await.unwrap() > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.send_replace(true);
    work.await.unwrap();

    let searcher = Searcher::new(catalog.clone(), live);
    let passages = catalog.frequencies(call, &[]).await.unwrap().0;
    for (name, mode) in [("words", Mode::Lexical), ("meaning", Mode::Dense), ("both", Mode::Hybrid)] {
        let query =
            |text: &str| Query { text: text.into(), mode, top_k: 10, filters: Filters::default(), as_of: None, explain: false };
        let mut best = Duration::MAX;
        for text in ["2023年的营业收入是多少？", "What were total revenues in fiscal 2023?"].repeat(10) {
            let start = Instant::now();
            black_box(searcher.search(call, &query(text)).await.unwrap());
            best = best.min(start.elapsed());
        }
        report(&format!("query by {name}, {passages} passages"), best, 1.0, best, "/s");
    }
}

/// The same model file on rten and, where its library is named (`ORT_DYLIB_PATH`), on ONNX Runtime: what a second of one
/// processor gives, whatever else the machine does, and what stays in memory.
fn runtimes(runtime: &tokio::runtime::Runtime, builtin: &Builtin, before: u64) {
    let texts: Vec<String> = (0..64).map(|i| format!("{i} {}", [CHINESE, ENGLISH][i % 2].repeat(2 + i % 3))).collect();
    let bare = |name: &str, encoder: &dyn Embedder, before: u64| {
        let call = Call::new(Scope::default(), Duration::from_secs(3600));
        let began = processor();
        while processor() - began < Duration::from_secs(10) {
            black_box(runtime.block_on(encoder.passages(&call, &texts)).unwrap());
        }
        let rate = call.meter.total().2 as f64 / (processor() - began).as_secs_f64();
        println!("{name:<34}{rate:>14.0} tokens per CPU-second, {} MB more in memory", resident().saturating_sub(before) >> 20);
    };
    bare("bare encoder, rten", builtin, before);
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        return println!("bare encoder, ONNX Runtime: ORT_DYLIB_PATH names no library");
    }
    let dir = tempfile::tempdir().unwrap();
    let (source, added) = (dir.path().join("e5"), dir.path().join("models"));
    std::fs::create_dir_all(&source).unwrap();
    for file in ["model.onnx", "tokenizer.json", "config.json", "special_tokens_map.json", "tokenizer_config.json"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("index/models/e5-small-zh-en").join(file);
        std::fs::copy(from, source.join(file)).unwrap();
    }
    std::fs::write(source.join("encoder.toml"), "query_prefix = \"query: \"\npassage_prefix = \"passage: \"\n").unwrap();
    runtime.block_on(onnx::add(&source, &added, "e5", onnx::Task::Embed, "")).unwrap();
    let before = resident();
    let start = Instant::now();
    let encoder = Onnx::load(&added.join("e5"), "", 0).unwrap();
    println!("{:<34}{:>14.2?}", "load it on ONNX Runtime", start.elapsed());
    bare("bare encoder, ONNX Runtime", &encoder, before);
    let far = texts.iter().map(|text| {
        let call = Call::new(Scope::default(), Duration::from_secs(60));
        let vectors = [builtin as &dyn Embedder, &encoder].map(|e| runtime.block_on(e.query(&call, text)).unwrap());
        1.0 - vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum::<f32>()
    });
    println!("{:<34}{:>14.4}", "1 - cosine between the two, most", far.fold(0.0, f32::max));
}

/// Processor time of this process so far, in the kernel's ticks of 10 ms.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    Duration::from_millis(10 * (fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()))
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    1024 * line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
}

/// The fastest run of a third of a second, at least three: what else the machine does only ever adds.
fn fastest(mut work: impl FnMut()) -> Duration {
    let start = Instant::now();
    let mut best = Duration::MAX;
    let mut runs = 0;
    while runs < 3 || start.elapsed() < Duration::from_millis(333) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed());
        runs += 1;
    }
    best
}

fn report(name: &str, each: Duration, units: f64, time: Duration, unit: &str) {
    println!("{name:<34}{each:>14.2?}{:>14.1} {unit}", units / time.as_secs_f64());
}
