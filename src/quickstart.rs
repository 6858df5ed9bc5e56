//! `dossier quickstart`: the bundled reports, three questions, and what to try next.

use ingest::source::{Content, Source};
use rag::ask::{Answer, Ask, Verdict};
use serde::Deserialize;
use serde_json::{Map, json};

use crate::{
    cli::{Failure, exit},
    door::Door,
    progress, show,
};

const SCENARIO: &str = "default";

macro_rules! reports {
    ($($name:literal),* $(,)?) => { &[$(($name, include_bytes!(concat!("../examples/reports/", $name)))),*] };
}

/// The bundled reports: name and bytes.
const REPORTS: &[(&str, &[u8])] = reports![
    "cold-storage-capacity-by-country.csv",
    "energy-storage-market-size-2021-2024.xlsx",
    "larkmoor-cold-chain-market-2024.html",
    "marrowick-cold-logistics-annual-report-2024.docx",
    "quillhaven-coldstores-2023-annual-report.pdf",
    "人形机器人减速器行业研究2024.md",
    "工商业储能产业白皮书2024.docx",
    "栖霁传动-2022年年度报告.pdf",
    "栖霁传动-2023年年度报告.pdf",
    "虞江市储能产业简报2023-gb18030.txt",
];

const QUESTIONS: &str = include_str!("../examples/questions.jsonl");

/// A question and how it must end.
#[derive(Debug, Deserialize)]
struct Question {
    question: String,
    expect: Verdict,
}

/// The bundled reports.
pub fn sources() -> Vec<Source> {
    REPORTS.iter().map(|(name, bytes)| source(name, bytes)).collect()
}

/// Takes the bundled reports in, asks the questions, and fails if an answer is not what it must be.
pub async fn run(door: &Door, as_json: bool) -> Result<(), Failure> {
    eprintln!("Taking in {} example reports (Chinese and English: PDF, DOCX, HTML, Markdown, text, sheets) …", REPORTS.len());
    let sources = sources();
    let batch = door.open_batch(SCENARIO).await?;
    let count = sources.len();
    tokio::try_join!(door.ingest(SCENARIO, batch, sources), progress::watch(door, SCENARIO, batch, Some(count)))?;
    let items = door.items(SCENARIO, batch).await?;
    for item in items.iter().filter(|item| !matches!(item.status.as_str(), "ready" | "unchanged")) {
        show::item(item);
    }
    let state = door.batch(SCENARIO, batch).await?;
    if let Some(state) = &state {
        show::totals(state);
    }
    let mut answers = Vec::new();
    for question in questions()? {
        let ask = Ask { question: question.question.clone(), ..Ask::default() };
        let answer = door.ask(&ask, &mut |_| {}).await?;
        if !as_json {
            println!("\n▸ {}", question.question);
            show::answer(&answer, false);
        }
        answers.push((question, answer));
    }
    if as_json {
        let answers: Vec<_> =
            answers.iter().map(|(question, answer)| json!({ "question": question.question, "answer": answer })).collect();
        show::json(&json!({ "items": items, "answers": answers }));
    }
    next();
    match answers.iter().find(|(question, answer)| !as_expected(question.expect, answer)) {
        Some((question, _)) => Err(Failure::new(
            exit::FAILED,
            "quickstart",
            format!("this question was not settled as it should be: {}", question.question),
        )),
        None => Ok(()),
    }
}

fn as_expected(expected: Verdict, answer: &Answer) -> bool {
    answer.verdict == expected && (expected == Verdict::Refused) == answer.citations.is_empty()
}

/// A document of this name.
pub fn source(name: &str, bytes: &[u8]) -> Source {
    Source {
        name: name.into(),
        external_id: Some(format!("examples/{name}")),
        title: None,
        language: None,
        metadata: Map::new(),
        facts: Map::new(),
        content: Content::Bytes(bytes.to_vec()),
    }
}

fn questions() -> Result<Vec<Question>, Failure> {
    QUESTIONS
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            serde_json::from_str(line).map_err(|e| Failure::new(exit::FAILED, "quickstart", format!("bundled question: {e}")))
        })
        .collect()
}

fn next() {
    eprintln!(
        "\nNext:\n  dossier serve                          the web page and the API on http://127.0.0.1:8080\n  \
         dossier ask \"…\"                        ask about the example reports\n  \
         dossier ingest PATH --recursive        take in your own reports\n  \
         dossier search \"…\" · dossier docs ls   look around\n  \
         dossier eval run eval/suites/smoke     measure"
    );
}
