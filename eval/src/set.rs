//! A public question set: how well does the target find and answer what others asked? Measured, never gated.
//!
//! A set is a directory with `set.json`, `corpus.jsonl` and `questions.jsonl`; fields we do not know are left alone, the data is not ours.
//! Where questions name a parallel document in another language, every question language is run over the documents of every
//! language: the translation of the gold document is the gold document there.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use index::hit::Filters;
use rag::ask::Turn;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    EvalError, Options, Progress, Report, Target,
    corpus::Corpus,
    invalid,
    matching::fold,
    metric::{Measure, Metric, Unit},
    probe::{Expected, Place, Plan, Probe, TIMED},
    report::Setting,
};

/// A set that has been read and found consistent.
#[derive(Debug)]
pub struct Set {
    name: String,
    corpus: Corpus,
    questions: Vec<Question>,
    facts: HashMap<String, Facts>,
}

/// What a right answer to one question says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Facts {
    id: String,
    /// All of these, each in any of its wordings.
    #[serde(default)]
    facts: Vec<Vec<String>>,
    /// Yes or no, where that is what is asked.
    #[serde(default)]
    boolean: Option<bool>,
}

#[derive(Deserialize)]
struct Head {
    set: String,
}

#[derive(Debug, Deserialize)]
struct Question {
    id: String,
    question: String,
    #[serde(default)]
    answers: Vec<String>,
    #[serde(default)]
    gold_doc_ids: Vec<String>,
    #[serde(default)]
    gold_pages: Vec<GoldPage>,
    answerable: bool,
    lang: String,
    #[serde(default)]
    category: Option<String>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Debug, Deserialize)]
struct GoldPage {
    doc_id: String,
    page: u32,
}

/// What some sets say in addition.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Meta {
    /// The same text in the other language, and the answer as it stands there.
    parallel_doc_id: Option<String>,
    parallel_answer: Option<String>,
    /// The document that an unanswerable question was written for.
    context_doc_id: Option<String>,
    /// `thousand`, `million`, `percent`: what the numbers of `answers` are counted in.
    scale: Option<String>,
    short_answer: Option<String>,
    /// Each part must be answered, in any of its wordings.
    answer_parts: Option<Vec<Vec<String>>>,
    /// The conversation before the question.
    history: Vec<Turn>,
    false_premise: bool,
    also_accepts_na: bool,
}

/// A longer reference (in columns, a Han character is two) is a text, not an answer that can be looked for.
const ESSAY: usize = 80;

impl Set {
    /// Reads a set and checks that its gold documents exist.
    ///
    /// # Errors
    /// `suite_invalid` with file and line; `corpus_missing`; `suite_unreadable`.
    pub fn read(dir: &Path) -> Result<Self, EvalError> {
        let head_path = dir.join("set.json");
        let head = std::fs::read_to_string(&head_path)
            .map_err(|source| EvalError::Unreadable { path: head_path.display().to_string(), source })?;
        let head: Head = serde_json::from_str(&head).map_err(|e| invalid::at(&head_path, e.line(), e.to_string()))?;
        let corpus = Corpus::read(dir.join("corpus.jsonl"))?;
        let path: PathBuf = dir.join("questions.jsonl");
        let rows = invalid::rows::<Question>(&path)?;
        if rows.is_empty() {
            return Err(invalid::at(&path, 0, "the set has no questions"));
        }
        for (line, q) in &rows {
            let gold = q.gold_doc_ids.iter().chain(q.gold_pages.iter().map(|p| &p.doc_id)).chain(&q.meta.parallel_doc_id);
            for document in gold {
                corpus.holds(document).map_err(|problem| invalid::at(&path, *line, problem))?;
            }
        }
        Ok(Self { name: head.set, corpus, questions: rows.into_iter().map(|(_, q)| q).collect(), facts: HashMap::new() })
    }

    /// Judges by the facts of a file instead of the references that the set gives, where the file has the question.
    ///
    /// # Errors
    /// `suite_invalid` with file and line if a line is no list of facts or names no question.
    pub fn with_facts(mut self, file: Option<&Path>) -> Result<Self, EvalError> {
        let Some(file) = file else { return Ok(self) };
        for (line, facts) in invalid::rows::<Facts>(file)? {
            if !self.questions.iter().any(|q| q.id == facts.id) {
                return Err(invalid::at(file, line, format!("the set has no question `{}`", facts.id)));
            }
            self.facts.insert(facts.id.clone(), facts);
        }
        Ok(self)
    }

    /// Ingests the corpus and puts the questions.
    ///
    /// # Errors
    /// If the corpus cannot be ingested at all.
    pub async fn run(
        &self,
        target: &dyn Target,
        options: &Options,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Report, EvalError> {
        let mut report = Report::begin("set", &self.name, self.corpus.hash.clone(), options)?;
        progress(Progress::Ingesting);
        report.ingested = target.ingest(&self.corpus.path).await?;
        let failed = report.ingested.failed.clone();
        let plan = Plan { target, mode: options.mode, top_k: 10, ask: options.ask, answer_mode: options.answer_mode, failed };
        for (setting, probes) in self.settings(options.limit) {
            let total = probes.len();
            let on = |done| progress(Progress::Questions { setting: setting.clone(), done, total });
            let mut measured = plan.run(&setting, &probes, on).await;
            measured.score(&metrics(options.ask));
            report.settings.extend(Setting::with_languages(&setting, &measured, &metrics(options.ask)));
            report.outcomes.extend(measured.outcomes);
        }
        report.end(options)
    }

    pub(crate) fn plan(&self, ask: bool, limit: Option<usize>) -> crate::plan::Plan {
        let settings = self.settings(limit);
        let probes = || settings.iter().flat_map(|(_, probes)| probes);
        let questions = probes().count();
        let timed: usize = settings.iter().map(|(_, probes)| probes.len().min(TIMED)).sum();
        crate::plan::Plan {
            kind: "set",
            name: self.name.clone(),
            corpus_hash: self.corpus.hash.clone(),
            documents: self.corpus.documents,
            questions,
            unanswerable: probes().filter(|p| !p.expected.answerable).count(),
            searches: timed + probes().filter(|p| !p.documents.is_empty()).count(),
            asks: if ask { questions } else { 0 },
            settings: settings.into_iter().map(|(name, _)| name).collect(),
            gates: Vec::new(),
            detectable: None,
            detectable_in_noise: None,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its questions in a language whose answer is a piece of text, or that have none: question, answers, gold documents, whether
    /// it is answerable, and the document that tells which questions belong together.
    pub(crate) fn spans<'a>(
        &'a self,
        language: &'a str,
    ) -> impl Iterator<Item = (String, Vec<String>, Vec<String>, bool, String)> + 'a {
        let of = move |q: &&Question| {
            q.lang == language && (!q.answerable || q.category.as_deref().is_some_and(|c| c.contains("span")))
        };
        self.questions.iter().filter(of).map(|q| {
            let expected = q.expected();
            let answers = if expected.facts.len() == 1 { expected.facts.concat() } else { Vec::new() };
            let cluster = q.meta.context_doc_id.as_ref().or(q.gold_doc_ids.first()).unwrap_or(&q.id).clone();
            (q.question.clone(), answers, q.gold_doc_ids.clone(), q.answerable, cluster)
        })
    }

    /// Its documents.
    pub(crate) fn documents(&self) -> &Path {
        &self.corpus.path
    }

    /// Its questions over all of its documents.
    pub(crate) fn probes(&self, limit: Option<usize>) -> Vec<Probe> {
        spread(&self.questions, limit).into_iter().map(|question| question.probe(None)).collect()
    }

    fn settings(&self, limit: Option<usize>) -> Vec<(String, Vec<Probe>)> {
        let picked = spread(&self.questions, limit);
        let languages: BTreeSet<&str> = picked.iter().map(|q| q.lang.as_str()).collect();
        if !self.questions.iter().any(|q| q.meta.parallel_doc_id.is_some()) {
            return vec![("all".to_owned(), picked.iter().map(|q| self.probe(q, None)).collect())];
        }
        let pairs = languages.iter().flat_map(|of| languages.iter().map(move |over| (*of, *over)));
        pairs
            .map(|(of, over)| {
                let probes = picked.iter().filter(|q| q.lang == of).map(|q| self.probe(q, Some(over))).collect();
                (format!("{of} questions, {over} documents"), probes)
            })
            .collect()
    }

    fn probe(&self, question: &Question, over: Option<&str>) -> Probe {
        let mut probe = question.probe(over);
        if let Some(Facts { facts, boolean, .. }) = self.facts.get(&question.id) {
            let or_refused = probe.expected.or_refused;
            probe.expected =
                Expected { answerable: true, facts: facts.clone(), boolean: *boolean, or_refused, ..Expected::default() };
        }
        probe
    }
}

/// So many of them, evenly spread: the first ones would all be about the first document.
pub(crate) fn spread<T>(questions: &[T], limit: Option<usize>) -> Vec<&T> {
    let n = limit.unwrap_or(usize::MAX).min(questions.len());
    (0..n).map(|i| &questions[i * questions.len() / n]).collect()
}

impl Question {
    /// The question over all documents, or over those of one language.
    fn probe(&self, over: Option<&str>) -> Probe {
        let abroad = over.is_some_and(|lang| lang != self.lang);
        let documents = match (&self.meta.parallel_doc_id, abroad) {
            (Some(parallel), true) => vec![parallel.clone()],
            _ => self.gold_doc_ids.clone(),
        };
        let places = self.gold_pages.iter().map(|p| (p.doc_id.clone(), Place::Page(p.page))).collect();
        let mut filters = Filters::default();
        if let Some(lang) = over {
            filters.0.insert("language".into(), Value::from(lang));
        }
        Probe {
            id: self.id.clone(),
            question: self.question.clone(),
            history: self.meta.history.clone(),
            language: self.lang.clone(),
            filters,
            documents,
            places: if abroad { Vec::new() } else { places },
            expected: self.expected(),
            tags: self.category.iter().cloned().collect(),
            ..Probe::default()
        }
    }

    fn expected(&self) -> Expected {
        let boolean =
            (self.category.as_deref() == Some("boolean")).then(|| self.answers.iter().any(|a| a.eq_ignore_ascii_case("true")));
        let wordings = |answers: &[String]| -> Vec<String> {
            answers.iter().filter(|a| !a.trim().is_empty()).map(|a| scaled(a, self.meta.scale.as_deref())).collect()
        };
        let mut any = wordings(&self.answers);
        any.extend(self.meta.short_answer.iter().chain(&self.meta.parallel_answer).cloned());
        let essay = any.iter().all(|a| columns(a) > ESSAY);
        let facts = match (self.category.as_deref(), &self.meta.answer_parts) {
            _ if !self.answerable => Vec::new(),
            (_, Some(parts)) => parts.iter().map(|p| wordings(p)).collect(),
            (Some("multi-span" | "names"), _) => any.into_iter().map(|a| vec![a]).collect(),
            _ => match any.as_slice() {
                [] => Vec::new(),
                [list] if is_list(list) => list.split('、').map(|item| vec![item.trim().to_owned()]).collect(),
                _ => vec![any],
            },
        };
        // A number in single units, as the Enterprise RAG Challenge gives it: within 1 %, whatever it is counted in.
        let typed = self.category.as_deref() == Some("number");
        let number = self.answers.iter().filter(|_| typed).filter_map(|a| a.parse().ok()).collect();
        let nothing_said = boolean == Some(false) && self.gold_pages.is_empty();
        let or_refused = nothing_said || self.meta.false_premise || self.meta.also_accepts_na;
        Expected { answerable: self.answerable, facts, boolean, essay, or_refused, number, ..Expected::default() }
    }
}

/// An enumeration of names, as Chinese answers give it: 甲公司、乙公司.
fn is_list(answer: &str) -> bool {
    answer.contains('、') && !answer.contains(['，', '。', ',']) && answer.split('、').all(|item| columns(item) <= 40)
}

/// An answer with the scale its set keeps beside it.
fn scaled(answer: &str, scale: Option<&str>) -> String {
    match scale {
        Some("percent") if !answer.contains('%') => format!("{answer}%"),
        Some(scale @ ("thousand" | "million" | "billion")) if !fold(answer).contains(scale) => format!("{answer} {scale}"),
        _ => answer.to_owned(),
    }
}

fn columns(text: &str) -> usize {
    crate::report::width(text)
}

/// What is reported of a set.
fn metrics(asked: bool) -> Vec<Metric> {
    const RANKING: [(Measure, usize); 7] = [
        (Measure::Hit, 1),
        (Measure::Hit, 10),
        (Measure::Recall, 1),
        (Measure::Recall, 5),
        (Measure::Recall, 10),
        (Measure::Ndcg, 10),
        (Measure::Mrr, 10),
    ];
    let mut metrics: Vec<Metric> =
        [Unit::Document, Unit::Page].iter().flat_map(|u| RANKING.iter().map(|(m, k)| Metric::Ranking(*u, *m, *k))).collect();
    if asked {
        metrics.extend([Metric::Correct, Metric::Wrong, Metric::FalseRefusal, Metric::RefusalRecall, Metric::Citations]);
    }
    metrics
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{Verdict, outcome::Judgement, shelf::Shelf};

    fn dir(corpus: &str, questions: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("set.json"), r#"{"set":"little_zh_en","unit":"page"}"#).unwrap();
        fs::write(dir.path().join("corpus.jsonl"), corpus).unwrap();
        fs::write(dir.path().join("questions.jsonl"), questions).unwrap();
        dir
    }

    async fn run(dir: &tempfile::TempDir, options: Options) -> Report {
        crate::run(&Shelf::default(), dir.path(), &options, &|_| {}).await.unwrap()
    }

    const CORPUS: &str = r#"{"doc_id":"甲公司","title":"","text":"甲公司年报 目录\u000c甲公司毛利率为23.15%\u000c甲公司员工人数为1,024人","lang":"zh","meta":{}}
{"doc_id":"acme","title":"","text":"Acme annual report\u000cAcme total revenue was $406.1 million in 2022","lang":"en","meta":{}}
{"doc_id":"bad","title":"","text":"BROKEN","lang":"en","meta":{}}
"#;
    const QUESTIONS: &str = r#"{"id":"q1","question":"甲公司毛利率是多少?","answers":["23.15%"],"gold_doc_ids":["甲公司"],"gold_pages":[{"doc_id":"甲公司","page":2}],"gold_span":null,"answerable":true,"lang":"zh","category":"fact","meta":{"history":[]}}
{"id":"q2","question":"Acme total revenue in 2022?","answers":["406100000.0"],"gold_doc_ids":["acme"],"gold_pages":[{"doc_id":"acme","page":2},{"doc_id":"acme","page":1}],"gold_span":null,"answerable":true,"lang":"en","category":"number","meta":{}}
{"id":"q3","question":"乙银行的存款准备金率","answers":[],"gold_doc_ids":[],"gold_pages":[],"gold_span":null,"answerable":false,"lang":"zh","category":"number","meta":{}}
{"id":"q4","question":"甲公司员工人数是多少?","answers":["1,025人"],"gold_doc_ids":["甲公司"],"gold_pages":[],"gold_span":null,"answerable":true,"lang":"zh","category":"fact","meta":{}}
"#;

    #[tokio::test]
    async fn documents_and_pages_are_ranked_and_answers_judged() {
        let report = run(&dir(CORPUS, QUESTIONS), Options { ask: true, ..Options::default() }).await;
        let value = |name: &str| report.metric(name).map(|e| (e.mean, e.n));
        assert_eq!(value("document.hit@1"), Some((1.0, 3)));
        // Only two questions have gold pages; of the two of q2 either is a hit, both together full recall.
        assert_eq!(value("page.hit@1"), Some((1.0, 2)));
        assert_eq!(value("page.recall@1"), Some((0.75, 2)));
        assert_eq!(value("page.recall@10"), Some((1.0, 2)));
        assert_eq!(value("answer.correct"), Some((2.0 / 3.0, 3)));
        assert_eq!(value("answer.wrong"), Some((1.0 / 3.0, 3)));
        assert_eq!(value("refusal.recall"), Some((1.0, 1)));
        assert_eq!(value("citations.valid"), Some((1.0, 3)));
        assert_eq!(report.verdict, Verdict::Passed);
        assert_eq!((report.ingested.documents, report.ingested.failed.len()), (2, 1));
        let wrong = report.outcomes.iter().find(|o| o.judgement == Some(Judgement::Wrong)).unwrap();
        assert_eq!((wrong.id.as_str(), wrong.document_rank), ("q4", Some(1)));
        assert_eq!(wrong.note, "document at rank 1; answer wrong; does not say “1,025人”");
    }

    #[tokio::test]
    async fn facts_of_ours_stand_in_for_the_references_of_a_set() {
        let dir = dir(CORPUS, QUESTIONS);
        let file = dir.path().join("facts.jsonl");
        fs::write(&file, r#"{"id":"q4","facts":[["1,024人","一千零二十四人"]]}"#).unwrap();
        let report = run(&dir, Options { ask: true, facts: Some(file.clone()), ..Options::default() }).await;
        assert_eq!(report.metric("answer.correct").map(|e| (e.mean, e.n)), Some((1.0, 3)));
        fs::write(&file, r#"{"id":"q9","facts":[]}"#).unwrap();
        let error = Set::read(dir.path()).unwrap().with_facts(Some(&file)).unwrap_err();
        assert!(error.to_string().contains("no question `q9`"), "{error}");
    }

    #[tokio::test]
    async fn without_asking_nothing_is_said_about_answers() {
        let report = run(&dir(CORPUS, QUESTIONS), Options::default()).await;
        assert!(report.metric("answer.correct").is_none() && report.settings[0].ask.is_none());
        assert_eq!(report.settings[0].search.unwrap().n, 4);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["settings"][0]["metrics"][0]["metric"], "document.hit@1");
        assert_eq!(json["outcomes"][0]["page_rank"], 1);
        assert!(report.table().contains("failed: bad (unreadable: it is broken)"), "{}", report.table());
    }

    #[tokio::test]
    async fn parallel_documents_are_gold_across_languages() {
        let corpus = r#"{"doc_id":"p-en","text":"The Panthers gave up 308 points","lang":"en"}
{"doc_id":"p-zh","text":"黑豹队 Panthers 只丢了 308 分","lang":"zh"}
"#;
        let questions = r#"{"id":"en","question":"How many points did the Panthers give up?","answers":["308"],"gold_doc_ids":["p-en"],"answerable":true,"lang":"en","meta":{"parallel_doc_id":"p-zh","parallel_answer":"308 分"}}
{"id":"zh","question":"黑豹队 Panthers 丢了多少分?","answers":["308 分"],"gold_doc_ids":["p-zh"],"answerable":true,"lang":"zh","meta":{"parallel_doc_id":"p-en","parallel_answer":"308"}}
"#;
        let report = run(&dir(corpus, questions), Options::default()).await;
        let names: Vec<&str> = report.settings.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "en questions, en documents",
                "en questions, zh documents",
                "zh questions, en documents",
                "zh questions, zh documents"
            ]
        );
        for setting in &report.settings {
            let hit = setting.metrics.iter().find(|l| l.metric == "document.hit@1").unwrap().estimate;
            assert_eq!((hit.mean, hit.n), (1.0, 1), "{}", setting.name);
        }
    }

    #[tokio::test]
    async fn a_question_that_cannot_be_measured_makes_a_small_run_inconclusive() {
        let more = QUESTIONS.to_owned()
            + r#"{"id":"q5","question":"fail","answers":["1"],"gold_doc_ids":["acme"],"answerable":true,"lang":"en"}"#;
        let report = run(&dir(CORPUS, &more), Options::default()).await;
        assert_eq!(report.verdict, Verdict::Inconclusive);
        assert_eq!(report.metric("document.hit@1").unwrap().n, 3);
        assert_eq!(report.outcomes[4].note, "not measured: no store");
    }

    #[tokio::test]
    async fn answers_that_no_rule_can_judge_count_neither_way() {
        let essay = format!(
            r#"{{"id":"e","question":"甲公司员工人数","answers":["{}"],"gold_doc_ids":["甲公司"],"answerable":true,"lang":"zh"}}"#,
            "论述".repeat(50)
        );
        let yes = r#"{"id":"b","question":"Acme total revenue","answers":["True"],"gold_doc_ids":["acme"],"answerable":true,"lang":"zh","category":"boolean"}"#;
        let report = run(&dir(CORPUS, &format!("{essay}\n{yes}\n")), Options { ask: true, ..Options::default() }).await;
        assert_eq!(report.settings[0].unjudged, 2);
        // The yes-or-no question can be judged; the answer just said neither.
        let value = |name: &str| report.metric(name).map(|e| (e.mean, e.n));
        assert_eq!((value("answer.correct"), value("answer.wrong")), (Some((0.0, 1)), Some((0.0, 1))));
    }

    #[tokio::test]
    async fn a_question_about_a_document_that_failed_says_so() {
        let question =
            r#"{"id":"q","question":"Acme total revenue","answers":["1"],"gold_doc_ids":["bad"],"answerable":true,"lang":"en"}"#;
        let report = run(&dir(CORPUS, question), Options::default()).await;
        assert_eq!(report.outcomes[0].note, "document not found; its document was not ingested (unreadable)");
    }

    #[test]
    fn a_gold_document_that_does_not_exist_is_found_before_the_run() {
        let questions = QUESTIONS.replace("\"gold_doc_ids\":[\"acme\"]", "\"gold_doc_ids\":[\"acne\"]");
        let error = Set::read(dir(CORPUS, &questions).path()).unwrap_err().to_string();
        assert!(error.ends_with("questions.jsonl:2: no document `acne` in the corpus, did you mean `acme`?"), "{error}");
    }

    #[test]
    fn a_limit_takes_questions_from_all_over_the_set() {
        let lines: String =
            (0..10).map(|i| format!("{{\"id\":\"{i}\",\"question\":\"q\",\"answerable\":false,\"lang\":\"zh\"}}\n")).collect();
        let set = Set::read(dir(CORPUS, &lines).path()).unwrap();
        let ids: Vec<&str> = spread(&set.questions, Some(4)).iter().map(|q| q.id.as_str()).collect();
        assert_eq!(ids, ["0", "2", "5", "7"]);
        assert_eq!(spread(&set.questions, None).len(), 10);
        assert!(spread(&set.questions, Some(0)).is_empty());
    }

    fn expected(row: &str) -> Expected {
        serde_json::from_str::<Question>(row).unwrap().expected()
    }

    #[test]
    fn several_answers_are_wordings_or_parts_as_the_set_means_them() {
        let any = expected(r#"{"id":"","question":"","answers":["63 days","63"],"answerable":true,"lang":"en"}"#);
        assert_eq!(any.facts, [["63 days", "63"]]);
        let all = expected(
            r#"{"id":"","question":"","answers":["2019","", "2018"],"answerable":true,"lang":"en","category":"multi-span"}"#,
        );
        assert_eq!(all.facts, [["2019"], ["2018"]]);
        let list = expected(r#"{"id":"","question":"","answers":["南通爱康、无锡爱康"],"answerable":true,"lang":"zh"}"#);
        assert_eq!(list.facts, [["南通爱康"], ["无锡爱康"]]);
        let scaled = expected(
            r#"{"id":"","question":"","answers":["$1,496.5"],"answerable":true,"lang":"en","meta":{"scale":"million"}}"#,
        );
        assert_eq!(scaled.facts, [["$1,496.5 million"]]);
        let no = expected(r#"{"id":"","question":"","answers":["False"],"answerable":true,"lang":"en","category":"boolean"}"#);
        assert_eq!((no.boolean, no.or_refused), (Some(false), true));
    }

    #[test]
    fn the_public_sets_are_read_where_they_are() {
        let root = std::env::var("DOSSIER_TEST_DATA")
            .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data").into());
        let sets = [
            "erc_annual_reports_en",
            "financebench_en",
            "prospectus_zh",
            "annual_report_zh",
            "rgb_zh",
            "xquad_en_zh",
            "tatqa_en",
        ];
        for name in sets {
            let dir = Path::new(&root).join(name);
            if !dir.exists() {
                eprintln!("skipped: no evaluation data at {}", dir.display());
                continue;
            }
            let set = Set::read(&dir).unwrap();
            assert_eq!(set.name, name);
            assert_eq!(set.settings(None).len(), if name == "xquad_en_zh" { 4 } else { 1 });
        }
    }
}
