//! Prints the facts of every file of a folder, and counts them against a file of expected values if one is given:
//! `cargo run -q -p ingest --example facts -- DIR [EXPECTED.jsonl]`.
//!
//! A line of the expected file names a file by the beginning of its name and holds only what is known:
//! `{"file": "…", "company": "…", "ticker": "…", "kind": "annual", "form": "10-K", "year": 2022, "part": "FY",
//! "end": "2022-12-31", "date": "…", "currency": "USD", "scale": "millions", "language": "en"}`; `null` says that the
//! document does not tell.

use std::{collections::BTreeMap, path::Path, time::Duration, time::Instant};

use index::page::Page;
use ingest::{
    enrich::{self, Facts},
    parse::{About, parse},
    sniff::sniff,
};
use serde_json::{Map, Value};

const FIELDS: [&str; 11] = ["company", "ticker", "kind", "form", "year", "part", "end", "date", "currency", "scale", "language"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: facts DIR [EXPECTED.jsonl]")?;
    let expected: Vec<Map<String, Value>> = match arguments.next() {
        Some(file) => std::fs::read_to_string(file)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)?.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.sort();
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut time = Duration::ZERO;
    for file in files.iter().filter(|f| f.is_file()) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (about, pages) = match read(file, &name) {
            Ok(document) => document,
            Err(reason) => {
                eprintln!("{name}: {reason}");
                continue;
            }
        };
        let begun = Instant::now();
        let facts = enrich::facts(&name, &Map::new(), &about, &pages);
        time += begun.elapsed();
        print(&name, &facts);
        let found = values(&facts);
        let Some(wanted) = expected.iter().find(|e| e.get("file").and_then(Value::as_str).is_some_and(|f| name.starts_with(f)))
        else {
            continue;
        };
        for field in FIELDS {
            let Some(wanted) = wanted.get(field) else { continue };
            let got = &found[field];
            let right = got.to_string().to_lowercase() == wanted.to_string().to_lowercase();
            let at = if right {
                0
            } else if got.is_null() {
                2
            } else {
                1
            };
            counts.entry(field).or_default()[at] += 1;
            if at > 0 {
                println!("  {} {field}: {got} instead of {wanted}", ["", "WRONG", "ABSENT"][at]);
            }
        }
    }
    println!("{:10} right wrong absent", "");
    for (field, [right, wrong, absent]) in counts {
        println!("{field:10} {right:5} {wrong:5} {absent:6}");
    }
    println!("{time:?} for all");
    Ok(())
}

fn read(file: &Path, name: &str) -> Result<(About, Vec<Page>), Box<dyn std::error::Error>> {
    let bytes = std::fs::read(file)?;
    let mut pages = Vec::new();
    let about = parse(sniff(&bytes, name)?, &bytes, name, &mut |page| {
        pages.push(page);
        Ok(())
    })?;
    Ok((about, pages))
}

fn values(facts: &Facts) -> Map<String, Value> {
    let whole = serde_json::to_value(facts).unwrap_or_default();
    let value =
        |field: &str| whole[field].get("value").cloned().unwrap_or_else(|| whole[field].as_str().map_or(Value::Null, Into::into));
    let period = value("period");
    let pick = |field: &str| match field {
        "year" | "part" | "end" => period.get(field).cloned().unwrap_or_default(),
        other => value(other),
    };
    FIELDS.iter().map(|field| ((*field).to_owned(), pick(field))).collect()
}

fn print(name: &str, facts: &Facts) {
    println!("{name}");
    let whole = serde_json::to_value(facts).unwrap_or_default();
    for field in ["title", "company", "ticker", "kind", "period", "date", "currency", "scale", "language"] {
        if let Some(value) = whole[field].get("value") {
            println!(
                "  {field}: {value} {:.2} {}",
                whole[field]["confidence"].as_f64().unwrap_or_default(),
                whole[field]["from"]
            );
        }
    }
    println!("  form: {} aliases: {}", whole["form"], whole["aliases"]);
}
