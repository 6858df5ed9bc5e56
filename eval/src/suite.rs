//! A suite: our cases and the gates they must pass. `suite.toml` says over which documents and with which gates, `cases.jsonl` holds
//! one case per line. Every field is known: a typo stops the run before anything is ingested, with file, line and the nearest name.
//!
//! ```toml
//! version = 1
//! name = "smoke"
//! corpus = "../../../examples/reports"    # a folder, a file or a .jsonl, relative to the suite
//! top_k = 10                              # passages given to the answerer, and the depth of search that is timed
//! [[gates]]
//! metric = "page.hit@10"                  # see `metric::Metric`
//! min = 0.9                               # or max; both 0 to 1
//! ```
//! ```json
//! {"id": "…", "question": "…", "lang": "zh", "answerable": true, "facts": [{"any": ["23.15%", "百分之23.15"]}], "forbidden": [],
//!  "evidence": [{"doc": "report.pdf", "page": 12, "quote": "…"}], "tags": ["numeric"], "note": "…"}
//! ```
//! All facts must be stated, each in any of its wordings. Evidence with a page is found by any passage of that page; evidence in a
//! document without pages (`"page": null`) by a passage that holds the quote.

use std::{collections::HashMap, path::Path};

use rag::ask::Turn;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    EvalError, Options, Progress, Report, Target,
    corpus::Corpus,
    invalid,
    metric::{Measure, Metric, Unit},
    probe::{Expected, Place, Plan, Probe, Quote, TIMED},
    report::{Gated, Setting},
};

/// A suite that has been read and found consistent.
#[derive(Debug)]
pub struct Suite {
    name: String,
    pub(crate) pack: Option<String>,
    corpus: Corpus,
    top_k: usize,
    gates: Vec<Gate>,
    cases: Vec<Case>,
}

/// A bound on a metric over all cases it applies to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) metric: Metric,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

/// A gate as it is written.
pub(crate) struct Bound<'a> {
    pub(crate) metric: &'a str,
    pub(crate) min: Option<f64>,
    pub(crate) max: Option<f64>,
}

impl Bound<'_> {
    /// The gate, or what is wrong with it.
    pub(crate) fn gate(&self) -> Result<Gate, String> {
        let metric = Metric::parse(self.metric)?;
        if self.min.is_none() && self.max.is_none() {
            return Err(format!("the gate on `{metric}` has neither min nor max"));
        }
        match [self.min, self.max].into_iter().flatten().find(|b| !(0.0..=1.0).contains(b)) {
            Some(bound) => Err(format!("the gate on `{metric}` is {bound}, it must be 0 to 1")),
            None => Ok(Gate { metric, min: self.min, max: self.max }),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    version: Spanned<u32>,
    name: String,
    corpus: Spanned<String>,
    /// The pack that its questions are read with, if it is that of one.
    pack: Option<String>,
    #[serde(default)]
    top_k: Option<Spanned<usize>>,
    #[serde(default)]
    gates: Vec<GateRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GateRow {
    metric: Spanned<String>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    question: String,
    /// The conversation before it.
    #[serde(default)]
    history: Vec<Turn>,
    /// Language of the question; the report shows each apart.
    lang: String,
    answerable: bool,
    #[serde(default)]
    facts: Vec<Fact>,
    #[serde(default)]
    forbidden: Vec<String>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(default)]
    tags: Vec<String>,
    /// For the people who keep the suite.
    #[serde(default, rename = "note")]
    _note: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fact {
    any: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Evidence {
    doc: String,
    page: Option<u32>,
    quote: String,
}

impl Suite {
    /// Reads a suite and checks all of it.
    ///
    /// # Errors
    /// `suite_invalid` with file, line and the nearest name; `corpus_missing`; `suite_unreadable`.
    pub fn read(dir: &Path) -> Result<Self, EvalError> {
        let path = dir.join("suite.toml");
        let (head, text) = invalid::toml::<Head>(&path)?;
        let wrong = |at: usize, problem: String| invalid::at(&path, invalid::line_of(&text, at), problem);
        if *head.version.get_ref() != 1 {
            return Err(wrong(
                head.version.span().start,
                format!("version {} is not known, this is version 1", head.version.get_ref()),
            ));
        }
        let top_k = head.top_k.as_ref().map_or(10, |k| *k.get_ref());
        if let Some(k) = head.top_k.filter(|k| !(1..=100).contains(k.get_ref())) {
            return Err(wrong(k.span().start, format!("top_k is {}, it must be 1 to 100", k.get_ref())));
        }
        let mut gates = Vec::new();
        for row in head.gates {
            let start = row.metric.span().start;
            let bound = Bound { metric: row.metric.get_ref(), min: row.min, max: row.max };
            gates.push(bound.gate().map_err(|problem| wrong(start, problem))?);
        }
        let corpus = Corpus::read(dir.join(head.corpus.get_ref()))?;
        let path = dir.join("cases.jsonl");
        let rows = invalid::rows::<Case>(&path)?;
        if rows.is_empty() {
            return Err(invalid::at(&path, 0, "the suite has no cases"));
        }
        let mut lines = HashMap::new();
        for (line, case) in &rows {
            case.check(&corpus).map_err(|problem| invalid::at(&path, *line, problem))?;
            if let Some(first) = lines.insert(case.id.clone(), *line) {
                return Err(invalid::at(&path, *line, format!("the id `{}` is taken by line {first}", case.id)));
            }
        }
        let cases = rows.into_iter().map(|(_, case)| case).collect();
        Ok(Self { name: head.name, pack: head.pack, corpus, top_k, gates, cases })
    }

    /// Ingests the corpus, puts the cases, and holds the gates against what comes back.
    ///
    /// # Errors
    /// If the corpus cannot be ingested at all.
    pub async fn run(
        &self,
        target: &dyn Target,
        options: &Options,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Report, EvalError> {
        let mut report = Report::begin("suite", &self.name, self.corpus.hash.clone(), options)?;
        progress(Progress::Ingesting);
        report.ingested = target.ingest(&self.corpus.path).await?;
        let failed = report.ingested.failed.clone();
        let plan = Plan { target, mode: options.mode, top_k: self.top_k, ask: true, answer_mode: options.answer_mode, failed };
        let probes: Vec<Probe> = self.cases.iter().map(Case::probe).collect();
        let total = probes.len();
        let mut measured =
            plan.run("all", &probes, |done| progress(Progress::Questions { setting: "all".into(), done, total })).await;
        measured.score(&self.metrics());
        report.settings = Setting::with_languages("all", &measured, &self.metrics());
        report.gates = self.gates.iter().map(|gate| Gated::of(*gate, measured.outcomes.iter())).collect();
        report.outcomes = measured.outcomes;
        report.end(options)
    }

    pub(crate) fn plan(&self) -> crate::plan::Plan {
        let questions = self.cases.len();
        // Once timed at the usual depth, and once deep for those with gold documents.
        let deep = self.cases.iter().filter(|c| !c.evidence.is_empty()).count();
        crate::plan::Plan {
            kind: "suite",
            name: self.name.clone(),
            corpus_hash: self.corpus.hash.clone(),
            documents: self.corpus.documents,
            questions,
            unanswerable: self.cases.iter().filter(|c| !c.answerable).count(),
            settings: vec!["all".into()],
            searches: questions.min(TIMED) + deep,
            asks: questions,
            gates: self.gates.iter().map(|g| g.metric.to_string()).collect(),
            detectable: None,
            detectable_in_noise: None,
        }
    }

    /// The usual numbers, and those the gates ask for.
    fn metrics(&self) -> Vec<Metric> {
        let k = self.top_k;
        let mut metrics = vec![
            Metric::Ranking(Unit::Document, Measure::Hit, k),
            Metric::Ranking(Unit::Page, Measure::Hit, 1),
            Metric::Ranking(Unit::Page, Measure::Hit, k),
            Metric::Ranking(Unit::Page, Measure::Recall, k),
            Metric::Ranking(Unit::Page, Measure::Mrr, k),
            Metric::Ranking(Unit::Page, Measure::Ndcg, k),
            Metric::Facts,
            Metric::Correct,
            Metric::Wrong,
            Metric::RefusalRecall,
            Metric::RefusalPrecision,
            Metric::FalseRefusal,
            Metric::Citations,
        ];
        for gate in &self.gates {
            if !metrics.contains(&gate.metric) {
                metrics.push(gate.metric);
            }
        }
        metrics
    }
}

impl Evidence {
    fn on_page(&self) -> Option<Quote> {
        self.page.map(|page| Quote { document: self.doc.clone(), page, text: self.quote.clone() })
    }
}

impl Case {
    fn check(&self, corpus: &Corpus) -> Result<(), String> {
        if self.id.trim().is_empty() {
            return Err("the id is empty".into());
        }
        if self.question.trim().is_empty() {
            return Err(format!("the question of `{}` is empty", self.id));
        }
        let checked = !self.facts.is_empty() || !self.evidence.is_empty();
        if self.answerable && !checked {
            return Err(format!("`{}` is answerable, but has neither facts nor evidence: nothing could fail", self.id));
        }
        if !self.answerable && checked {
            return Err(format!("`{}` is not answerable, but has facts or evidence", self.id));
        }
        let blank = |texts: &[String]| texts.iter().any(|t| t.trim().is_empty());
        if self.facts.iter().any(|f| f.any.is_empty() || blank(&f.any)) || blank(&self.forbidden) {
            return Err(format!("`{}` has an empty fact or forbidden text", self.id));
        }
        for evidence in &self.evidence {
            corpus.holds(&evidence.doc)?;
            if evidence.page == Some(0) {
                return Err(format!("page 0 of `{}`: pages count from 1", evidence.doc));
            }
            if evidence.quote.trim().is_empty() {
                return Err(format!("the quote from `{}` is empty", evidence.doc));
            }
        }
        Ok(())
    }

    fn probe(&self) -> Probe {
        let mut documents: Vec<String> = Vec::new();
        for evidence in &self.evidence {
            if !documents.contains(&evidence.doc) {
                documents.push(evidence.doc.clone());
            }
        }
        let place = |e: &Evidence| e.page.map_or_else(|| Place::Quote(e.quote.clone()), Place::Page);
        Probe {
            id: self.id.clone(),
            question: self.question.clone(),
            history: self.history.clone(),
            documents,
            places: self.evidence.iter().map(|e| (e.doc.clone(), place(e))).collect(),
            quotes: self.evidence.iter().filter_map(Evidence::on_page).collect(),
            expected: Expected {
                answerable: self.answerable,
                facts: self.facts.iter().map(|f| f.any.clone()).collect(),
                forbidden: self.forbidden.clone(),
                ..Expected::default()
            },
            language: self.lang.clone(),
            tags: self.tags.clone(),
            ..Probe::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Mutant, Verdict, shelf::Shelf};

    const SUITE: &str = "version = 1\nname = \"little\"\ncorpus = \"reports\"\ntop_k = 3\n";
    const GATES: &str = "
[[gates]]
metric = \"page.hit@1\"
min = 0.9
[[gates]]
metric = \"answer.facts\"
min = 0.9
[[gates]]
metric = \"refusal.recall\"
min = 1.0
[[gates]]
metric = \"refusal.false\"
max = 0.1
[[gates]]
metric = \"citations.valid\"
min = 1.0
";
    const CASES: &str = r#"{"id":"毛利率","question":"甲公司毛利率是多少?","lang":"zh","answerable":true,"facts":[{"any":["23.15%"]}],"forbidden":["23.15万元"],"evidence":[{"doc":"甲.txt","page":2,"quote":"毛利率为23.15%"}],"tags":["numeric"],"note":"n"}
{"id":"staff","question":"How many people did Acme employ?","lang":"en","answerable":true,"facts":[{"any":["1,024"]}],"evidence":[{"doc":"acme.txt","page":null,"quote":"Acme did employ 1,024 people"}],"tags":[]}

{"id":"none","question":"乙银行存款准备金","lang":"zh","answerable":false,"tags":["negative"]}
"#;

    fn dir(suite: &str, cases: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("reports")).unwrap();
        let pages = |subject: &str| (3..20).map(|i| format!("\u{c}{subject}公司第{i}节")).collect::<String>();
        fs::write(dir.path().join("reports/甲.txt"), format!("目录\u{c}甲公司毛利率为23.15%{}", pages("甲"))).unwrap();
        fs::write(dir.path().join("reports/acme.txt"), "Acme did\nemploy 1,024 people\n").unwrap();
        fs::write(dir.path().join("suite.toml"), suite).unwrap();
        fs::write(dir.path().join("cases.jsonl"), cases).unwrap();
        dir
    }

    async fn run(suite: &str, cases: &str, mutant: Option<Mutant>) -> Report {
        let options = Options { mutant, ..Options::default() };
        crate::run(&Shelf::default(), dir(suite, cases).path(), &options, &|_| {}).await.unwrap()
    }

    fn failed(report: &Report) -> Vec<&str> {
        report.gates.iter().filter(|g| g.verdict == Verdict::Failed).map(|g| g.metric.as_str()).collect()
    }

    #[tokio::test]
    async fn a_good_target_passes_and_every_mutant_fails_its_gates() {
        let suite = SUITE.to_owned() + GATES;
        let good = run(&suite, CASES, None).await;
        assert!(good.passed(), "{}", good.table());
        assert_eq!(good.metric("page.hit@1").unwrap().n, 2);

        let check = async |mutant, gates: &[&str]| {
            let report = run(&suite, CASES, Some(mutant)).await;
            assert_eq!((failed(&report).as_slice(), report.passed()), (gates, false), "{}", report.table());
        };
        check(Mutant::ShuffledRanks, &["page.hit@1"]).await;
        check(Mutant::DroppedCitations, &["citations.valid"]).await;
        // Refusing everything answers nothing, so citations have nothing to be measured on.
        check(Mutant::AlwaysRefuses, &["answer.facts", "refusal.false"]).await;
    }

    #[tokio::test]
    async fn a_failed_gate_names_its_cases_and_where_they_went_wrong() {
        let suite = SUITE.to_owned() + GATES;
        let report = run(&suite, &CASES.replace("\"any\":[\"23.15%\"]", "\"any\":[\"24%\"]"), None).await;
        assert_eq!(failed(&report), ["answer.facts"]);
        let failing = &report.gates[1].failing;
        assert_eq!((failing.len(), failing[0].id.as_str()), (1, "毛利率"));
        assert_eq!(failing[0].note, "evidence at rank 1; answer wrong; does not say “24%”");
        assert!(report.table().contains("  毛利率  evidence at rank 1"), "{}", report.table());
    }

    #[tokio::test]
    async fn a_quote_that_is_not_on_its_page_is_told_from_a_page_that_is_not_found() {
        let cases = CASES.replace("\"page\":2,\"quote\":\"毛利率为23.15%\"", "\"page\":1,\"quote\":\"毛利率为23.15%\"");
        let report = run(&(SUITE.to_owned() + GATES), &cases, None).await;
        let note = &report.gates[0].failing[0].note;
        assert_eq!(note, "evidence not found, its document at rank 1; its quote is not in the stored page 1");
    }

    #[tokio::test]
    async fn each_language_is_shown_apart() {
        let report = run(SUITE, CASES, None).await;
        let shown: Vec<(&str, usize)> = report.settings.iter().map(|s| (s.name.as_str(), s.questions)).collect();
        assert_eq!(shown, [("all", 3), ("en", 1), ("zh", 2)]);
    }

    #[tokio::test]
    async fn a_forbidden_statement_costs_all_facts() {
        let report = run(&(SUITE.to_owned() + GATES), &CASES.replace("23.15万元", "甲公司"), None).await;
        assert_eq!(report.metric("answer.wrong").unwrap().mean, 0.5);
        assert_eq!(report.metric("answer.facts").unwrap().mean, 0.5);
    }

    #[tokio::test]
    async fn a_gate_with_nothing_to_measure_is_no_pass() {
        let only = CASES.lines().next().unwrap();
        let report = run(&(SUITE.to_owned() + GATES), only, None).await;
        assert_eq!(report.verdict, Verdict::Inconclusive);
    }

    fn check(suite: &str, cases: &str, expected: &str) {
        let error = Suite::read(dir(suite, cases).path()).unwrap_err();
        assert!(error.to_string().ends_with(expected), "{error}");
    }

    #[test]
    fn a_typo_in_the_suite_names_file_line_and_neighbour() {
        let gate = |line: &str| format!("{SUITE}[[gates]]\n{line}\n");
        let check = |suite: &str, expected| check(suite, CASES, expected);
        check(
            &gate("metric = \"page.hits@10\"\nmin = 1"),
            "suite.toml:6: unknown metric `page.hits@10`, did you mean `page.hit@10`?",
        );
        check(&gate("metrc = \"page.hit@10\""), "did you mean `metric`?");
        check(&gate("metric = \"page.hit@10\""), "suite.toml:6: the gate on `page.hit@10` has neither min nor max");
        check(&gate("metric = \"page.hit@10\"\nmin = 90"), "suite.toml:6: the gate on `page.hit@10` is 90, it must be 0 to 1");
        check(&SUITE.replace("= 3", "= 300"), "suite.toml:4: top_k is 300, it must be 1 to 100");
        check(&SUITE.replace("= 1", "= 2"), "suite.toml:1: version 2 is not known, this is version 1");
        check(&SUITE.replace("\"reports\"", "\"nowhere\""), "nowhere` does not exist");
    }

    #[test]
    fn a_typo_in_the_cases_names_file_line_and_neighbour() {
        let check = |from: &str, to: &str, expected| check(SUITE, &CASES.replace(from, to), expected);
        check("\"forbidden\"", "\"forbiden\"", "did you mean `forbidden`?");
        check("acme.txt", "acne.txt", "cases.jsonl:2: no document `acne.txt` in the corpus, did you mean `acme.txt`?");
        check("\"id\":\"none\"", "\"id\":\"staff\"", "cases.jsonl:4: the id `staff` is taken by line 2");
        check("\"page\":2", "\"page\":0", "cases.jsonl:1: page 0 of `甲.txt`: pages count from 1");
        check("\"any\":[\"1,024\"]", "\"any\":[]", "cases.jsonl:2: `staff` has an empty fact or forbidden text");
        check(
            "\"answerable\":false",
            "\"answerable\":true",
            "cases.jsonl:4: `none` is answerable, but has neither facts nor evidence: nothing could fail",
        );
    }

    #[test]
    fn the_suites_that_ship_are_valid() {
        for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/suites")).unwrap() {
            let dir = entry.unwrap().path();
            if dir.join("suite.toml").exists() && dir.join("cases.jsonl").exists() {
                Suite::read(&dir).unwrap();
            }
        }
    }
}
