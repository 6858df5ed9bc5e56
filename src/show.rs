//! What a person reads on standard output.

use std::io::Write;

use index::{
    corpus::{Document, PageRef},
    embed::onnx::{Manifest, Task},
    hit::{Hit, Hits},
};
use ingest::queue::{Batch, BatchItem};
use rag::{
    ask::{Answer, Verdict},
    card::{Card, Origin},
    pack::Pack,
    trace::{Difference, Record},
    why_not::WhyNot,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::scenario::Scenario;

/// A value as indented JSON.
pub fn json(value: &impl Serialize) {
    println!("{}", serde_json::to_string_pretty(value).unwrap_or_default());
}

/// A value as one line of JSON.
pub fn line(value: &impl Serialize) {
    println!("{}", serde_json::to_string(value).unwrap_or_default());
}

/// A piece of an answer that is still being written.
pub fn piece(text: &str) {
    print!("{text}");
    std::io::stdout().flush().ok();
}

/// An answer with its proof; the text is left out if it was printed while it was written.
pub fn answer(answer: &Answer, printed: bool) {
    if printed {
        println!();
    } else {
        println!("{}", answer.text);
    }
    for citation in &answer.citations {
        println!("  [{}] {}{}", citation.marker, citation.document.title, place(citation.page.as_ref(), &citation.headings));
        for quoted in citation.quote.lines() {
            println!("      “{}”", quoted.trim());
        }
    }
    if let Some(refusal) = &answer.refusal {
        for hit in refusal.nearest.iter().take(3) {
            println!("  nearest: {}{}", hit.passage.document.title, place(hit.passage.page.as_ref(), &hit.passage.headings));
        }
    }
    let verdict = match answer.verdict {
        Verdict::Answered => "answered",
        Verdict::Partial => "partial",
        Verdict::Refused => "refused",
    };
    let degraded = match &answer.degraded {
        Some(degraded) => {
            format!(" · degraded: {}", [&[degraded.reason.clone()][..], degraded.search.as_slice()].concat().join(", "))
        }
        None => String::new(),
    };
    println!("  {verdict} · {} · {:.0} ms{degraded}", answer.model, answer.timings.total_ms);
}

/// Indexes as a table.
pub fn generations(records: &Value) {
    println!("{:<6}{:<10}{:<28}{:<10}encoder", "name", "state", "answers since", "verified");
    for record in records.as_array().into_iter().flatten() {
        let text = |field: &str| record[field].as_str().unwrap_or("-");
        let verified = match record["verified"]["passed"].as_bool() {
            Some(true) => "passed",
            Some(false) => "failed",
            None => "-",
        };
        println!("{:<6}{:<10}{:<28}{verified:<10}{}", text("name"), text("state"), text("promoted_at"), text("space"));
    }
}

/// A local encoder as a line of a table.
pub fn encoder(encoder: &Manifest) {
    let Manifest { name, dimensions, max_tokens, beta, cosine_floor, .. } = encoder;
    if encoder.task == Task::Rerank {
        return println!("{name:<14} a local re-ranker (rerank.model): {max_tokens} tokens");
    }
    println!(
        "{name:<14} a local encoder (embedding.model): {dimensions} numbers, {max_tokens} tokens, β {beta}, floor {cosine_floor}"
    );
}

/// A stored answer, and how it came about.
pub fn record(record: &Record, with_trace: bool) {
    println!("▸ {}", record.question);
    answer(&record.answer, false);
    for feedback in &record.feedback {
        println!(
            "  feedback {}: {}",
            feedback["created_at"].as_str().unwrap_or_default(),
            feedback["rating"].as_str().unwrap_or_default()
        );
        for name in ["reasons", "comment", "correct_answer"] {
            if let Some(said) = feedback.get(name) {
                println!("    {name}: {}", said.as_str().map_or_else(|| said.to_string(), str::to_owned));
            }
        }
    }
    let Some(trace) = record.trace.as_ref().filter(|_| with_trace) else { return };
    let understood = &trace.understood;
    println!("\nunderstood: {} · {} · “{}”", understood.language, understood.kind, understood.subject);
    println!("  periods: {} · names: {}", understood.periods.join(", "), understood.names.join(", "));
    let searched = &trace.searched;
    println!("searched: {} passages of {} documents, top {}", searched.passages, searched.documents, searched.top_k);
    for ranked in &trace.ranked {
        println!("  {:>3}. {} v{}, part {}  ({:.3})", ranked.rank, ranked.title, ranked.version, ranked.part, ranked.score);
    }
    for sent in &trace.sent {
        println!("sent: {} bytes, {} passages to {} · {} · {}", sent.bytes, sent.passages, sent.model, sent.hash, sent.outcome);
    }
    for kept in &trace.kept {
        println!("kept: {} {:?}", kept.sentence, kept.markers);
    }
    for dropped in &trace.dropped {
        println!("dropped ({} {}): {}", dropped.reason, dropped.detail, dropped.sentence);
    }
    let versions = &trace.versions;
    println!("versions: dossier {} · model {} · space {}", versions.program, versions.model, versions.space);
    for (name, version) in [("card", &versions.card), ("pack", &versions.pack)].iter().filter(|(_, version)| !version.is_empty())
    {
        println!("  {name} {version}");
    }
}

/// What a replay found.
pub fn differences(before: &str, after: &str, differences: &[Difference]) {
    if differences.is_empty() {
        println!("{after} says the same as {before}, for the same reasons");
    }
    for Difference { field, before, after } in differences {
        println!("{field}:");
        for line in before.lines().filter(|line| !after.lines().any(|other| other == *line)) {
            println!("  - {line}");
        }
        for line in after.lines().filter(|line| !before.lines().any(|other| other == *line)) {
            println!("  + {line}");
        }
    }
}

/// A card as a line of a table.
pub fn card(card: &Card, origin: &Origin) {
    let url = if card.base_url.is_empty() { "(llm.base_url)" } else { &card.base_url };
    let own = match origin {
        Origin::Bundled => String::new(),
        Origin::File(path) => format!("  from {}", path.display()),
    };
    println!("{:<12} {:<52} {:<8} {}{own}", card.name, url, card.seen_on, card.title);
}

/// A pack as a line of a table; the one in use is marked.
pub fn pack(pack: &Pack, used: bool) {
    let mark = if used { '*' } else { ' ' };
    let concepts = pack.glossary.concepts().len();
    println!(
        "{mark} {:<14} {:<8} {:<6} {concepts:>4} concepts  {}",
        pack.name,
        pack.version,
        pack.languages.join(","),
        pack.title
    );
}

/// Where a document fell out of a search.
pub fn why_not(why: &WhyNot) {
    println!("{}: {}", why.step, why.reason);
    for place in &why.passages {
        let rank = |name: &str, rank: Option<u32>| rank.map_or(format!("{name} –"), |rank| format!("{name} {rank}"));
        let heading = place.heading.as_ref().map(|heading| format!(" · {}", clip(heading, 60))).unwrap_or_default();
        println!(
            "  p. {}{heading}\n      {}, {}, {}, {}; words {:.3}, cosine {}",
            place.part,
            rank("by words", place.lexical_rank),
            rank("by meaning", place.dense_rank),
            rank("both", place.fused_rank),
            rank("read", place.rank),
            place.lexical,
            place.cosine.map_or("–".into(), |cosine| format!("{cosine:.3}")),
        );
        added(&place.added);
    }
    println!("  understood: {}", why.understood);
}

fn added(added: &Map<String, Value>) {
    if !added.is_empty() {
        let parts: Vec<String> = added.iter().map(|(name, value)| format!("{name} {value}")).collect();
        println!("      {}", parts.join(", "));
    }
}

/// Hits with where they stand.
pub fn hits(hits: &Hits) {
    if let Some(understood) = &hits.understood {
        println!("understood: {understood}");
    }
    for Hit { rank, score, passage, why } in &hits.data {
        println!("{rank:>3}. {}{}  ({score:.3})", passage.document.title, place(passage.page.as_ref(), &passage.headings));
        added(&why.added);
        for line in clip(&passage.text, 300).lines() {
            println!("     {line}");
        }
    }
    if hits.data.is_empty() {
        eprintln!("nothing was found");
    }
    if let Some(code) = &hits.words_only {
        eprintln!("searched by words only: the encoder does not answer ({code})");
    }
    if hits.vectors_pending > 0 {
        eprintln!("{} documents are found by words only so far: their vectors are pending", hits.vectors_pending);
    }
}

fn place(page: Option<&PageRef>, headings: &[String]) -> String {
    let page = page.map(|page| match &page.label {
        Some(label) if *label != page.index.to_string() => format!(", p. {} ({label})", page.index),
        _ => format!(", p. {}", page.index),
    });
    let heading = headings.last().map(|heading| format!(" · {}", clip(heading, 60)));
    format!("{}{}", page.unwrap_or_default(), heading.unwrap_or_default())
}

/// Scenarios, one a line.
pub fn scenarios(scenarios: &[Scenario]) {
    for s in scenarios {
        let title = s.setup.title.as_deref().unwrap_or_default();
        println!("{:<24} {:>6} documents  {:>8} passages  {title}", s.name, s.documents, s.passages);
    }
}

/// One scenario, a field a line.
pub fn scenario(scenario: &Scenario) {
    println!("{}", scenario.name);
    let Ok(Value::Object(fields)) = serde_json::to_value(scenario) else { return };
    for (name, value) in fields.iter().filter(|(name, value)| !["id", "name"].contains(&name.as_str()) && !value.is_null()) {
        match value {
            Value::Array(rungs) if rungs.is_empty() => println!("  {name:<12} none"),
            Value::Array(rungs) => rungs.iter().for_each(|rung| println!("  {name:<12} {}", plain(rung))),
            value => println!("  {name:<12} {}", plain(value)),
        }
    }
}

/// Documents, one a line.
pub fn documents(documents: &[Document]) {
    for d in documents {
        let error = d.error.as_ref().map(|e| format!("  {}", e.code)).unwrap_or_default();
        println!("{}  {:<11}  {:>5} pages  {:>6} passages  {}{error}", d.id, d.status.as_str(), d.pages, d.passages, d.title);
    }
}

/// One document, a field a line.
pub fn document(d: &Document) {
    let language = d.language.as_deref().unwrap_or("-");
    println!("{}\n  title      {}\n  name       {}", d.id, d.title, d.name);
    if let Some(id) = &d.external_id {
        println!("  external   {id}");
    }
    println!(
        "  status     {} {}",
        d.status.as_str(),
        d.stage.as_deref().map(|s| format!("({s}, {:.0} %)", d.progress * 100.0)).unwrap_or_default()
    );
    println!("  type       {}, {} bytes, language {language}", d.media_type, d.bytes);
    println!("  version    {}, {} pages, {} passages", d.version, d.pages, d.passages);
    if !d.metadata.is_empty() {
        println!("  metadata   {}", Value::Object(d.metadata.clone()));
    }
    if !d.labels.is_empty() {
        println!("  labels     {}", d.labels.join(", "));
    }
    for (name, fact) in &d.facts {
        let value = fact.get("value").unwrap_or(fact);
        if value.is_null() || value.as_array().is_some_and(Vec::is_empty) {
            continue;
        }
        let sure =
            fact.get("confidence").and_then(Value::as_f64).map(|sure| format!("{:.0} %, ", sure * 100.0)).unwrap_or_default();
        let from = fact.get("from").map(|from| format!("  ({sure}{})", plain(from))).unwrap_or_default();
        let read = fact.get("read").and_then(|read| read.get("value").or(Some(read))).filter(|read| !read.is_null());
        let read = read.map(|read| format!("  instead of {}", plain(read))).unwrap_or_default();
        println!("  {name:<10} {}{from}{read}", plain(value));
    }
    if let Some(error) = &d.error {
        println!("  error      {}: {}", error.code, error.detail);
    }
    println!("  created    {}\n  updated    {}", d.created_at, d.updated_at);
}

/// A JSON value without quotes and braces, for a person.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            fields.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| format!("{k} {}", plain(v))).collect::<Vec<_>>().join(", ")
        }
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Passages of a document.
pub fn passages(passages: &[Value]) {
    for passage in passages {
        let page = &passage["spans"][0]["page"];
        let headings: Vec<&str> = passage["headings"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        println!(
            "#{} p. {page} {}\n{}\n",
            passage["ordinal"],
            headings.join(" › "),
            passage["text"].as_str().unwrap_or_default()
        );
    }
}

/// A batch and its items.
pub fn batch(batch: &Batch, items: &[BatchItem]) {
    for i in items {
        item(i);
    }
    totals(batch);
}

/// An item of a batch.
pub fn item(item: &BatchItem) {
    let id = item.document_id.map(|id| id.to_string()).unwrap_or_else(|| "-".into());
    let error = item.error.as_ref().map(|e| format!("  {}: {}", e.code, e.detail)).unwrap_or_default();
    println!("{:<11}  {id}  {}{error}", item.status, item.path);
}

/// What a batch came to, in one line on standard error.
pub fn totals(batch: &Batch) {
    let mut counts: Vec<_> = batch.counts.iter().collect();
    counts.sort();
    let counts: Vec<String> = counts.into_iter().map(|(state, n)| format!("{n} {state}")).collect();
    eprintln!("{}, {} pages", counts.join(", "), batch.pages);
}

fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
