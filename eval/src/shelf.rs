//! A small target for tests: documents in memory, found by shared character pairs, answered with the best line of the best passage.
//! It stands for the product, so that what is tested is how the product is measured.

use std::{collections::HashSet, fs, path::Path, sync::Mutex};

use async_trait::async_trait;
use index::{
    corpus::{AnswerId, DocumentId, PageRef, PassageId, PassageKind},
    fault::Fault,
    hit::{Filters, Found, Hit, Hits, Mode, Source, Took, Why},
};
use rag::ask::{Answer, Ask, Citation, Reason, Refusal, Support, SupportVerdict, TextSpan, Timings, Usage, Verdict};
use serde_json::{Map, Value};

use crate::{EvalError, Ingested, NotIngested, Target, matching::fold};

/// The target. A page is what stands between form feeds; a document that says `BROKEN` cannot be ingested; a question that says
/// `fail` cannot be searched.
#[derive(Default)]
pub(crate) struct Shelf {
    pages: Mutex<Vec<Stored>>,
}

#[derive(Clone)]
struct Stored {
    source: Source,
    language: Option<String>,
    page: u32,
    paged: bool,
    text: String,
}

impl Shelf {
    fn add(&self, name: &str, external_id: Option<String>, language: Option<String>, text: &str, ingested: &mut Ingested) {
        if text.contains("BROKEN") {
            let name = external_id.unwrap_or(name.to_owned());
            ingested.failed.push(NotIngested { name, code: "unreadable".into(), detail: "it is broken".into() });
            return;
        }
        let source = Source {
            id: DocumentId::new(),
            external_id,
            title: String::new(),
            version: 1,
            metadata: Map::new(),
            name: name.to_owned(),
            facts: Map::new(),
        };
        let paged = text.contains('\u{c}');
        for (page, text) in (1..).zip(text.split('\u{c}')) {
            let stored = Stored { source: source.clone(), language: language.clone(), page, paged, text: text.to_owned() };
            self.pages.lock().unwrap().push(stored);
            ingested.pages += 1;
        }
        ingested.documents += 1;
    }
}

fn pairs(text: &str) -> HashSet<(char, char)> {
    let chars: Vec<char> = fold(text).chars().filter(|c| c.is_alphanumeric()).collect();
    chars.windows(2).map(|w| (w[0], w[1])).collect()
}

#[async_trait]
impl Target for Shelf {
    async fn ingest(&self, corpus: &Path) -> Result<Ingested, EvalError> {
        let mut ingested = Ingested { seconds: 0.5, ..Ingested::default() };
        if corpus.extension().is_some_and(|e| e == "jsonl") {
            for line in fs::read_to_string(corpus).unwrap().lines() {
                let row: Value = serde_json::from_str(line).unwrap();
                let id = row["doc_id"].as_str().unwrap().to_owned();
                let language = row["lang"].as_str().map(str::to_owned);
                self.add(&id.clone(), Some(id), language, row["text"].as_str().unwrap(), &mut ingested);
            }
            return Ok(ingested);
        }
        for entry in fs::read_dir(corpus).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            self.add(&name, None, None, &fs::read_to_string(&path).unwrap(), &mut ingested);
        }
        Ok(ingested)
    }

    async fn search(&self, query: &str, _: Mode, top_k: usize, filters: &Filters) -> Result<Hits, EvalError> {
        if query.contains("fail") {
            return Err(EvalError::Target { code: "store_unreachable", fault: Fault::Dependency, detail: "no store".into() });
        }
        let sought = pairs(query);
        let language = filters.0.get("language").and_then(Value::as_str);
        let pages = self.pages.lock().unwrap();
        let mut found: Vec<(usize, &Stored)> = pages
            .iter()
            .filter(|p| language.is_none() || p.language.as_deref() == language)
            .map(|p| (pairs(&p.text).intersection(&sought).count(), p))
            .filter(|(score, _)| *score > 0)
            .collect();
        found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let hits = found.iter().take(top_k).zip(1..).map(|((score, page), rank)| Hit {
            rank,
            score: *score as f32,
            passage: Found {
                id: PassageId::derive(page.source.id, 1, page.page),
                kind: PassageKind::Text,
                text: page.text.clone(),
                document: page.source.clone(),
                page: page.paged.then_some(PageRef { index: page.page, label: None }),
                part: page.page,
                headings: Vec::new(),
                regions: Vec::new(),
                spans: Vec::new(),
            },
            why: Why::default(),
        });
        Ok(Hits { data: hits.collect(), vectors_pending: 0, words_only: None, understood: None, took: Took::default() })
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, EvalError> {
        let hits = self.search(&ask.question, Mode::Hybrid, 10, &ask.filters).await?.data;
        let sought = pairs(&ask.question);
        let shared = |line: &str| pairs(line).intersection(&sought).count();
        let best = hits.first().and_then(|hit| {
            let line = hit.passage.text.lines().max_by_key(|line| shared(line))?;
            (shared(line) * 3 >= sought.len()).then(|| (hit.passage.clone(), line.to_owned()))
        });
        let mut answer = Answer {
            id: AnswerId::new(),
            verdict: Verdict::Refused,
            text: "no evidence".into(),
            language: "zh".into(),
            citations: Vec::new(),
            value: None,
            figures: Vec::new(),
            computations: Vec::new(),
            refusal: Some(Refusal { reason: Reason::NoEvidence, message: "no evidence".into(), nearest: Vec::new() }),
            confidence: None,
            degraded: None,
            usage: Usage::default(),
            timings: Timings::default(),
            model: "shelf".into(),
            created_at: String::new(),
        };
        if let Some((passage, line)) = best {
            answer.verdict = Verdict::Answered;
            answer.refusal = None;
            answer.text = format!("{line}[1]");
            answer.citations = vec![Citation {
                marker: 1,
                span: TextSpan { start: 0, end: line.chars().count() as u32 },
                document: passage.document,
                page: passage.page,
                part: passage.part,
                headings: Vec::new(),
                quote: line,
                regions: Vec::new(),
                support: Support { verdict: SupportVerdict::Supported, method: "verbatim".into() },
            }];
        }
        Ok(answer)
    }

    async fn page_text(&self, document: &DocumentId, _: u32, part: u32) -> Result<Option<String>, EvalError> {
        let pages = self.pages.lock().unwrap();
        Ok(pages.iter().find(|p| p.source.id == *document && p.page == part).map(|p| p.text.clone()))
    }
}
