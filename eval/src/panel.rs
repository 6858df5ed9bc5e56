//! A suite over public sets: are we still as good on what others asked as we said we are? Only `suite.toml`, without cases of its own:
//!
//! ```toml
//! version = 1
//! name = "bilingual"
//! sets = ["xquad_en_zh"]          # folders under the directory of sets, which is not part of the suite
//! ask = false                     # search only
//! limit = 300                     # at most so many questions of each, spread evenly
//! [[gates]]
//! set = "xquad_en_zh"             # a gate is about one set
//! setting = "en questions, zh documents"      # or about one part of it, if the set has several
//! metric = "document.hit@10"
//! min = 0.93
//! ```
//!
//! Each set has documents of its own and is run against a fresh target; [`Panel::judge`] makes one report of them and holds the gates.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use crate::{
    EvalError, Options, Report, invalid,
    report::Gated,
    suite::{Bound, Gate},
};

/// A suite over sets that has been read and found consistent.
#[derive(Debug)]
pub struct Panel {
    name: String,
    sets: Vec<String>,
    ask: bool,
    limit: Option<usize>,
    gates: Vec<(Part, Gate)>,
}

#[derive(Debug)]
struct Part {
    set: String,
    setting: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: Spanned<u32>,
    name: String,
    sets: Vec<String>,
    #[serde(default)]
    ask: bool,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    gates: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    set: Spanned<String>,
    #[serde(default)]
    setting: Option<String>,
    metric: Spanned<String>,
    min: Option<f64>,
    max: Option<f64>,
}

impl Panel {
    /// Reads a suite over sets; `None` if the folder is anything else.
    ///
    /// # Errors
    /// `suite_invalid` with file, line and the nearest name; `suite_unreadable`.
    pub fn read(dir: &Path) -> Result<Option<Self>, EvalError> {
        let path = dir.join("suite.toml");
        if !path.is_file() || !invalid::toml::<toml::Table>(&path)?.0.contains_key("sets") {
            return Ok(None);
        }
        let (head, text) = invalid::toml::<Head>(&path)?;
        let wrong = |at: usize, problem: String| invalid::at(&path, invalid::line_of(&text, at), problem);
        if *head.version.get_ref() != 1 {
            let problem = format!("version {} is not known, this is version 1", head.version.get_ref());
            return Err(wrong(head.version.span().start, problem));
        }
        let mut gates = Vec::new();
        for row in head.gates {
            let set = row.set.get_ref();
            if !head.sets.contains(set) {
                let near = invalid::nearest(set, head.sets.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| format!(", did you mean `{near}`?"));
                return Err(wrong(row.set.span().start, format!("`{set}` is none of the sets{near}")));
            }
            let gate = Bound { metric: row.metric.get_ref(), min: row.min, max: row.max }
                .gate()
                .map_err(|problem| wrong(row.metric.span().start, problem))?;
            gates.push((Part { set: set.clone(), setting: row.setting }, gate));
        }
        Ok(Some(Self { name: head.name, sets: head.sets, ask: head.ask, limit: head.limit, gates }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its sets are.
    ///
    /// # Errors
    /// A sentence if one of them is not there.
    pub fn sets(&self, root: &Path) -> Result<Vec<(&str, PathBuf)>, String> {
        let at = |set: &'_ String| root.join(set);
        match self.sets.iter().find(|set| !at(set).join("set.json").is_file()) {
            Some(missing) => Err(format!("there is no set `{missing}` in {}", root.display())),
            None => Ok(self.sets.iter().map(|set| (set.as_str(), at(set))).collect()),
        }
    }

    /// How each set is run.
    pub fn options(&self, options: &Options) -> Options {
        let limit = [self.limit, options.limit].into_iter().flatten().min();
        Options { ask: self.ask || options.ask, limit, baseline: None, ..options.clone() }
    }

    /// Makes one report of those of the sets, in their order, and holds the gates and the baseline against it.
    ///
    /// # Errors
    /// `runs_incomparable` if the baseline is of other documents.
    pub fn judge(&self, reports: Vec<Report>, options: &Options) -> Result<Report, EvalError> {
        let mut hash = blake3::Hasher::new();
        for report in &reports {
            hash.update(report.corpus_hash.as_bytes());
        }
        let mut whole = Report::begin("suite", &self.name, hash.finalize().to_hex()[..16].to_owned(), options)?;
        for report in reports {
            let named = |setting: &str| format!("{}: {setting}", report.name);
            whole.add(&report.ingested);
            whole.settings.extend(report.settings.into_iter().map(|mut setting| {
                setting.name = named(&setting.name);
                setting
            }));
            whole.outcomes.extend(report.outcomes.into_iter().map(|mut outcome| {
                outcome.setting = named(&outcome.setting);
                outcome
            }));
        }
        for (Part { set, setting }, gate) in &self.gates {
            let over = setting.as_ref().map_or_else(|| set.clone(), |setting| format!("{set}: {setting}"));
            let one = |name: &str| if setting.is_some() { name == over } else { name.starts_with(&format!("{set}: ")) };
            let outcomes = whole.outcomes.iter().filter(|o| one(&o.setting));
            let gated = Gated { over: Some(over.clone()), ..Gated::of(*gate, outcomes) };
            whole.gates.push(gated);
        }
        whole.end(options)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Verdict, shelf::Shelf};

    fn set(root: &Path, name: &str, text: &str) {
        let dir = root.join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("set.json"), format!("{{\"set\":\"{name}\"}}")).unwrap();
        fs::write(dir.join("corpus.jsonl"), format!("{{\"doc_id\":\"d\",\"text\":\"{text}\",\"lang\":\"zh\"}}\n")).unwrap();
        let question =
            r#"{"id":"q","question":"甲公司毛利率","answers":["23.15%"],"gold_doc_ids":["d"],"answerable":true,"lang":"zh"}"#;
        fs::write(dir.join("questions.jsonl"), question).unwrap();
    }

    const SUITE: &str = "version = 1\nname = \"public\"\nsets = [\"one_zh\", \"two_zh\"]\nask = true
[[gates]]\nset = \"one_zh\"\nmetric = \"answer.correct\"\nmin = 0.9
[[gates]]\nset = \"two_zh\"\nsetting = \"all\"\nmetric = \"answer.correct\"\nmin = 0.9\n";

    #[tokio::test]
    async fn each_set_is_run_apart_and_a_gate_holds_for_its_own() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("suite.toml"), SUITE).unwrap();
        let panel = Panel::read(dir.path()).unwrap().unwrap();
        set(dir.path(), "one_zh", "甲公司毛利率为23.15%");
        assert!(panel.sets(dir.path()).unwrap_err().contains("there is no set `two_zh`"));
        set(dir.path(), "two_zh", "甲公司毛利率为24.00%");
        let options = Options::default();
        let mut reports = Vec::new();
        for (_, at) in panel.sets(dir.path()).unwrap() {
            reports.push(crate::run(&Shelf::default(), &at, &panel.options(&options), &|_| {}).await.unwrap());
        }
        let report = panel.judge(reports, &options).unwrap();
        let verdicts: Vec<Verdict> = report.gates.iter().map(|g| g.verdict).collect();
        assert_eq!(verdicts, [Verdict::Passed, Verdict::Failed]);
        assert_eq!((report.verdict, report.ingested.documents, report.outcomes.len()), (Verdict::Failed, 2, 2));
        assert!(report.table().contains("two_zh: all answer.correct fails on\n  q  "), "{}", report.table());
        assert_eq!(crate::Record::of(&report).cases.keys().collect::<Vec<_>>(), ["q (one_zh: all)", "q (two_zh: all)"]);
    }

    #[test]
    fn a_gate_on_a_set_that_is_not_there_names_its_neighbour() {
        let dir = tempfile::tempdir().unwrap();
        let check = |from: &str, to: &str, expected: &str| {
            fs::write(dir.path().join("suite.toml"), SUITE.replace(from, to)).unwrap();
            let error = Panel::read(dir.path()).unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        };
        check("set = \"one_zh\"", "set = \"on_zh\"", "suite.toml:6: `on_zh` is none of the sets, did you mean `one_zh`?");
        check("answer.correct", "answer.corect", "suite.toml:7: unknown metric `answer.corect`, did you mean `answer.correct`?");
        fs::write(dir.path().join("suite.toml"), "version = 1\nname = \"a\"\ncorpus = \"x\"\n").unwrap();
        assert!(Panel::read(dir.path()).unwrap().is_none());
    }

    #[test]
    fn the_panels_that_ship_are_valid() {
        let mut found = 0;
        for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/suites")).unwrap() {
            found += usize::from(Panel::read(&entry.unwrap().path()).unwrap().is_some());
        }
        assert!(found >= 1);
    }
}
