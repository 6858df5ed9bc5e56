//! Questions that the reports cannot answer: a company, a year or a metric of theirs exchanged for one that they do not hold,
//! checked by searching for it. Every one must be refused.

use std::path::Path;

use index::hit::{Filters, Mode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{EvalError, Target, invalid};

/// A question with one thing exchanged, as a line of a set's `questions.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct Swapped {
    id: String,
    question: String,
    answers: [String; 0],
    answerable: bool,
    lang: &'static str,
    /// What was exchanged: `company`, `year`, `metric`.
    category: &'static str,
    meta: Value,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "doc_id", alias = "external_id")]
    id: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    lang: String,
    #[serde(default, alias = "metadata")]
    meta: Value,
}

const COMPANIES: [&[&str]; 2] = [
    &[
        "Harrowgate Metals plc",
        "Tolvanen Shipping Oyj",
        "Brightwell Foods Inc.",
        "Casterline Energy Corp.",
        "Norvale Pharma Ltd",
        "Ostrander Rail Inc.",
        "Pellworm Chemicals AG",
        "Quarrington Homes plc",
        "Redmayne Media Inc.",
        "Silverbirch Airlines Ltd",
        "Trelawney Mining plc",
        "Umbra Robotics Inc.",
    ],
    &[
        "峦峰精工",
        "澄迈重工",
        "瀚岳生物",
        "丰禾乳业",
        "启沅软件",
        "磐砺钢铁",
        "星屿航空",
        "越溪纺织",
        "临岚医疗",
        "泽陇农业",
        "沛澜水务",
        "宏翎光学",
    ],
];
const METRICS: [&[&str]; 2] = [
    &[
        "customer churn rate",
        "aircraft fleet size",
        "scope 3 emissions",
        "number of oil wells drilled",
        "proved reserves of natural gas",
        "average revenue per user",
        "box office revenue",
        "embedded value",
        "combined ratio",
        "hospital bed occupancy",
        "passenger load factor",
        "crude steel output",
    ],
    &[
        "碳排放量",
        "客户流失率",
        "粗钢产量",
        "客座率",
        "票房收入",
        "内含价值",
        "综合成本率",
        "探明储量",
        "月活跃用户数",
        "床位使用率",
        "飞机架数",
        "发电小时数",
    ],
];
const YEARS: [i32; 8] = [1987, 1991, 1993, 1995, 1998, 2031, 2034, 2037];
const KNOWN: [&[&str]; 2] = [
    &["total revenue", "net income", "total assets", "operating expenses", "cash and cash equivalents", "number of employees"],
    &["营业收入", "净利润", "总资产", "研发费用", "货币资金", "员工人数"],
];

/// So many questions over the documents of some corpora, which the target holds already.
///
/// # Errors
/// If a corpus cannot be read or the target cannot be searched.
pub async fn swapped(target: &dyn Target, corpora: &[&Path], count: usize) -> Result<Vec<Swapped>, EvalError> {
    let mut documents = Vec::new();
    for corpus in corpora {
        documents.extend(invalid::rows::<Row>(corpus)?.into_iter().map(|(_, row)| row));
    }
    let mut made: Vec<Swapped> = Vec::new();
    let mut turn = 0;
    // Each turn exchanges one thing of each document; a list that is used up ends it.
    while made.len() < count && turn < 3 * YEARS.len() {
        for (at, document) in documents.iter().enumerate() {
            let of = |list: &[&'static str]| list[(turn / 3 + at) % list.len()];
            let chinese = document.lang == "zh";
            let language = usize::from(chinese);
            let year = document.meta["year"].as_i64().unwrap_or(if chinese { 2008 } else { 2022 });
            let stated = document.meta["company"].as_str().unwrap_or(&document.title);
            let (category, company, metric, year, absent) = match turn % 3 {
                0 => ("company", of(COMPANIES[language]), of(KNOWN[language]), year, of(COMPANIES[language]).to_owned()),
                1 => {
                    let year = i64::from(YEARS[(turn / 3 + at) % YEARS.len()]);
                    ("year", stated, of(KNOWN[language]), year, year.to_string())
                }
                _ => ("metric", stated, of(METRICS[language]), year, of(METRICS[language]).to_owned()),
            };
            let question = match chinese {
                true => format!("{company}{year}年的{metric}是多少？"),
                false => format!("What was the {metric} of {company} in {year}?"),
            };
            let known = made.iter().any(|other| other.question == question);
            if made.len() < count && !company.is_empty() && !known && !stands(target, &absent, &document.id, category).await? {
                made.push(Swapped {
                    id: format!("swap-{:03}", made.len()),
                    question,
                    answers: [],
                    answerable: false,
                    lang: if chinese { "zh" } else { "en" },
                    category,
                    meta: json!({"context_doc_id": document.id, "exchanged_for": absent}),
                });
            }
        }
        turn += 1;
    }
    Ok(made)
}

/// Whether a passage holds what must be absent: a year in the document, anything else anywhere.
async fn stands(target: &dyn Target, absent: &str, document: &str, category: &str) -> Result<bool, EvalError> {
    let mut filters = Filters::default();
    if category == "year" {
        filters.0.insert("external_id".into(), document.into());
    }
    let hits = target.search(absent, Mode::Lexical, 100, &filters).await?;
    let absent = absent.to_lowercase();
    Ok(hits.data.iter().any(|hit| hit.passage.text.to_lowercase().contains(&absent)))
}
