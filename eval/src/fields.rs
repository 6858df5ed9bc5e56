//! Is a document what we take it for? Its facts (company, kind, period, date, currency, …) against the truth: what a set's corpus
//! says in `meta`, and lines written by hand, which go before it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{EvalError, invalid};

/// The fields that are measured.
pub const FIELDS: [&str; 11] =
    ["company", "ticker", "kind", "form", "year", "part", "end", "date", "currency", "scale", "language"];

/// Facts of a document, by name.
pub type Facts = Map<String, Value>;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FieldReport {
    /// Documents that were read.
    pub documents: usize,
    /// Documents that could not be.
    pub unreadable: Vec<String>,
    /// By field.
    pub fields: BTreeMap<&'static str, Count>,
    /// Every value that is not right.
    pub misses: Vec<Miss>,
}

/// How often a field was right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// As it is, or left out where the document does not tell.
    pub right: usize,
    /// Another value.
    pub wrong: usize,
    /// Left out although it is known.
    pub absent: usize,
}

/// A value that is not right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// The document.
    pub document: String,
    /// The field.
    pub field: &'static str,
    /// What was read.
    pub found: Value,
    /// What is so.
    pub truth: Value,
}

#[derive(Deserialize)]
struct Row {
    #[serde(alias = "doc_id")]
    id: Option<String>,
    file: Option<PathBuf>,
    #[serde(default, alias = "metadata")]
    meta: Map<String, Value>,
}

/// Measures the files of sets (folders with `corpus.jsonl`) or of plain folders. `truth` is a file of JSON lines, each with the
/// beginning of a file's name as `file` and what is known; null says that the document does not tell. `read` gives the facts of a
/// file as the catalog keeps them.
///
/// # Errors
/// If a folder, its corpus or the file of truths cannot be read.
pub fn measure(
    folders: &[PathBuf],
    truth: Option<&Path>,
    read: &dyn Fn(&Path) -> Result<Facts, String>,
) -> Result<FieldReport, EvalError> {
    let truths: Vec<Map<String, Value>> =
        truth.map(invalid::rows).transpose()?.unwrap_or_default().into_iter().map(|(_, row)| row).collect();
    let mut report = FieldReport::default();
    for folder in folders {
        for (file, meta) in files(folder)? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let by_hand = truths.iter().find(|row| row.get("file").and_then(Value::as_str).is_some_and(|f| name.starts_with(f)));
            let known = of_meta(&meta);
            if by_hand.is_none() && known.is_empty() {
                continue;
            }
            match read(&file) {
                Ok(facts) => report.add(&name, &values(&facts), by_hand, &known),
                Err(reason) => report.unreadable.push(format!("{name}: {reason}")),
            }
        }
    }
    Ok(report)
}

/// The files of a set with what its corpus says of them, or those of a folder.
fn files(folder: &Path) -> Result<Vec<(PathBuf, Facts)>, EvalError> {
    let corpus = folder.join("corpus.jsonl");
    if corpus.is_file() {
        let rows = invalid::rows::<Row>(&corpus)?.into_iter().map(|(_, row)| row);
        return Ok(rows.filter_map(|row| Some((folder.join(row.file.or_else(|| row.id.map(Into::into))?), row.meta))).collect());
    }
    let broken = |source| EvalError::Unreadable { path: folder.display().to_string(), source };
    let entries = std::fs::read_dir(folder).map_err(broken)?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    Ok(files.into_iter().map(|file| (file, Map::new())).collect())
}

/// What a corpus says of a document, in the words of the facts.
fn of_meta(meta: &Map<String, Value>) -> Map<String, Value> {
    const KINDS: [(&str, &str); 5] = [
        ("10k", "annual"),
        ("10q", "quarterly"),
        ("8k", "current_report"),
        ("earnings", "earnings_release"),
        ("annual", "annual"),
    ];
    let text = |key: &str| meta.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let mut known = Map::new();
    for key in ["company", "currency", "ticker"] {
        known.extend(text(key).map(|value| (key.to_owned(), value.into())));
    }
    if let Some(kind) = text("doc_type") {
        let kind = kind.to_lowercase();
        known.extend(KINDS.iter().find(|(word, _)| kind.contains(word)).map(|(_, kind)| ("kind".to_owned(), (*kind).into())));
    }
    if let Some(year) = text("year").or_else(|| text("period")).and_then(|year| year.parse::<i64>().ok()) {
        known.insert("year".into(), year.into());
    }
    known
}

/// The facts as plain fields.
fn values(facts: &Map<String, Value>) -> Map<String, Value> {
    let value = |field: &str| {
        let fact = facts.get(field).cloned().unwrap_or_default();
        if fact.is_object() { fact["value"].clone() } else { fact }
    };
    let period = value("period");
    let pick = |field: &str| match field {
        "year" | "part" | "end" => period.get(field).cloned().unwrap_or_default(),
        other => value(other),
    };
    FIELDS.iter().map(|field| ((*field).to_owned(), pick(field))).collect()
}

impl FieldReport {
    fn add(&mut self, name: &str, found: &Map<String, Value>, by_hand: Option<&Map<String, Value>>, known: &Map<String, Value>) {
        self.documents += 1;
        for field in FIELDS {
            let (truth, loose) = match (by_hand.and_then(|row| row.get(field)), known.get(field)) {
                (Some(truth), _) => (truth, false),
                (None, Some(truth)) => (truth, true),
                (None, None) => continue,
            };
            let count = self.fields.entry(field).or_default();
            let got = &found[field];
            if same(got, truth, loose) {
                count.right += 1;
                continue;
            }
            if got.is_null() {
                count.absent += 1;
            } else {
                count.wrong += 1;
            }
            self.misses.push(Miss { document: name.to_owned(), field, found: got.clone(), truth: truth.clone() });
        }
    }

    /// For a person.
    pub fn table(&self) -> String {
        let mut text = format!("{} documents\n{:10} right wrong absent\n", self.documents, "");
        for (field, Count { right, wrong, absent }) in &self.fields {
            writeln!(text, "{field:10} {right:5} {wrong:5} {absent:6}").ok();
        }
        for Miss { document, field, found, truth } in &self.misses {
            writeln!(text, "{document}: {field} is {truth}, read {found}").ok();
        }
        for reason in &self.unreadable {
            writeln!(text, "not read: {reason}").ok();
        }
        text
    }
}

/// Whether a value is the true one. A corpus may call a company by a part of its name.
fn same(found: &Value, truth: &Value, loose: bool) -> bool {
    let plain = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let folded = index::lexical::fold(&text).into_owned();
        folded
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { ' ' })
            .collect::<String>()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    if found.is_null() || truth.is_null() {
        return found.is_null() && truth.is_null();
    }
    let (found, truth) = (plain(found), plain(truth));
    found == truth || loose && (found.starts_with(&truth) || truth.starts_with(&found))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_compared_as_a_reader_would() {
        let check = |found: Value, truth: Value, loose: bool, same: bool| assert_eq!(super::same(&found, &truth, loose), same);
        check(json!("Best Buy Co., Inc."), json!("BEST BUY CO INC"), false, true);
        check(json!("Amcor plc"), json!("Amcor"), true, true);
        check(json!("Amcor plc"), json!("Amcor"), false, false);
        check(json!("栖霁傳動"), json!("栖霁传动"), false, true);
        check(json!(2022), json!("2022"), false, true);
        check(Value::Null, Value::Null, false, true);
        check(json!("2022"), Value::Null, false, false);
    }

    #[test]
    fn a_folder_is_measured_by_hand_and_by_what_its_corpus_says() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "corpus.jsonl",
            "{\"doc_id\": \"a\", \"file\": \"a.md\", \"meta\": {\"company\": \"Acme\", \"doc_type\": \"10k\", \"period\": 2022}}",
        );
        write("truth.jsonl", "{\"file\": \"a\", \"currency\": null, \"year\": 2023}");
        let read = |_: &Path| {
            let facts = json!({ "company": { "value": "Acme Inc." }, "kind": null, "period": { "value": { "year": 2023 } } });
            Ok(facts.as_object().unwrap().clone())
        };
        let report = measure(&[dir.path().to_owned()], Some(&dir.path().join("truth.jsonl")), &read).unwrap();
        let right = |field: &str| report.fields[field];
        assert_eq!((report.documents, right("company").right, right("year").right, right("currency").right), (1, 1, 1, 1));
        assert_eq!(right("kind").absent, 1);
        assert_eq!(report.misses.len(), 1);
    }
}
