//! What do the hot roads of the index cost? Prints time per unit on this machine: the analyser on Chinese, traditional
//! Chinese and English, and one passage through the built-in encoder. `cargo bench -p index`; other arguments that
//! cargo passes are ignored.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use index::{
    embed::{Builtin, Embedder},
    lexical,
    scope::{Call, Scope},
};

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
