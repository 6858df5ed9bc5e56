//! What does an industry know? A pack: a folder of files with the names that things go by, what figures are counted in and which
//! statement has them, how statements are headed, the instructions for a model, and thresholds. `config/packs/` is compiled in;
//! a customer adds folders, which may include other packs ([`shelf`]).
//!
//! Nothing of a pack is in the index, so that an edit takes effect with the next question.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, LazyLock},
};

use index::nearest::nearest;
use serde::{Deserialize, Serialize};

use crate::glossary::{Concept, Glossary};

pub mod shelf;

pub use shelf::Packs;

/// Languages that questions are read in.
const LANGUAGES: [&str; 2] = ["zh", "en"];
/// What the instructions must hold: the mark that fences passages.
const FENCE: &str = "{fence}";
/// The files of a pack.
const FILES: [&str; 5] = ["pack.toml", "glossary.tsv", "metrics.toml", "answer.zh.md", "answer.en.md"];

/// An industry's knowledge.
#[derive(Debug, Clone, PartialEq)]
pub struct Pack {
    /// Its name, which is that of its folder.
    pub name: String,
    /// For a person.
    pub title: String,
    /// As its author counts.
    pub version: String,
    /// The languages it has instructions in.
    pub languages: Vec<String>,
    /// The packs whose knowledge it takes over.
    pub includes: Vec<String>,
    /// What goes by which names.
    pub glossary: Glossary,
    /// How statements are headed, folded, by key.
    pub statements: BTreeMap<String, Vec<String>>,
    /// Where it draws lines.
    pub thresholds: Thresholds,
    /// The instructions for a model, by language.
    answers: BTreeMap<String, String>,
}

/// Where a pack draws lines.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Thresholds {
    /// Passages given to whatever writes the answer, if the question does not say.
    pub passages: usize,
    /// Least share of what is asked that a sentence and what it leans on must hold to be an answer.
    pub sentence: f32,
    /// The same for a row of a table: a label is short, and a missing word makes it another metric.
    pub row: f32,
    /// The same across languages, where a word may have been translated otherwise.
    pub translated: f32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { passages: 10, sentence: 0.5, row: 0.6, translated: 0.4 }
    }
}

/// A pack as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    name: &'a str,
    title: &'a str,
    version: &'a str,
    languages: &'a [String],
    includes: &'a [String],
    statements: &'a BTreeMap<String, Vec<String>>,
    thresholds: Thresholds,
    concepts: &'a [Concept],
    answer: &'a BTreeMap<String, String>,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Unit {
    Money,
    Percent,
    PerShare,
    Count,
    Ratio,
}

/// `pack.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: toml::Spanned<String>,
    title: String,
    version: String,
    languages: toml::Spanned<Vec<String>>,
    #[serde(default)]
    includes: Vec<String>,
    #[serde(default)]
    statements: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    thresholds: GivenThresholds,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenThresholds {
    passages: Option<toml::Spanned<usize>>,
    sentence: Option<toml::Spanned<f32>>,
    row: Option<toml::Spanned<f32>>,
    translated: Option<toml::Spanned<f32>>,
}

/// A line of `metrics.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metric {
    unit: Unit,
    statement: Option<String>,
}

impl Pack {
    /// The instructions in a language, with the mark that fences passages.
    pub fn instructions(&self, language: &str, fence: &str) -> String {
        let text = self.answers.get(language).or_else(|| self.answers.values().next());
        text.map(|text| text.trim().replace(FENCE, fence)).unwrap_or_default()
    }

    /// All of it.
    pub fn shown(&self) -> Shown<'_> {
        Shown {
            name: &self.name,
            title: &self.title,
            version: &self.version,
            languages: &self.languages,
            includes: &self.includes,
            statements: &self.statements,
            thresholds: self.thresholds,
            concepts: self.glossary.concepts(),
            answer: &self.answers,
        }
    }

    /// The statement that a heading or caption names, by its key. The longest name decides: a statement of comprehensive
    /// income is none of income.
    pub fn statement(&self, folded: &str) -> Option<&str> {
        let names = self.statements.iter().flat_map(|(key, names)| names.iter().map(move |name| (key, name)));
        let held = names.filter(|(_, name)| folded.contains(name.as_str()));
        held.max_by_key(|(_, name)| name.len()).map(|(key, _)| key.as_str())
    }

    /// Reads a pack from its files, over the packs it includes.
    fn read(name: &str, files: &[Text], included: &dyn Fn(&str) -> Result<Arc<Self>, String>) -> Result<Self, PackError> {
        let file = |wanted: &str| files.iter().find(|file| file.name() == wanted);
        let Some(head) = file("pack.toml") else {
            let place = Text::new(&format!("{name}/pack.toml"), "");
            return Err(PackError(vec![place.problem(1, "there is no such file; every pack has one".into())]));
        };
        let given: Head = head.toml()?;
        let mut problems = strangers(files);
        let mut pack = Self {
            name: given.name.get_ref().clone(),
            title: given.title,
            version: given.version,
            languages: given.languages.get_ref().clone(),
            includes: given.includes,
            glossary: Glossary::default(),
            statements: BTreeMap::new(),
            thresholds: Thresholds::default(),
            answers: BTreeMap::new(),
        };
        if pack.name != name {
            let problem = format!("the name is `{}` and the folder `{name}`; make them the same", pack.name);
            problems.push(head.problem_at(given.name.span(), problem));
        }
        pack.take_over(head, included, &mut problems);
        for (key, names) in given.statements {
            pack.statements.insert(key, names.iter().map(|name| index::lexical::fold(name).into_owned()).collect());
        }
        if let Some(file) = file("glossary.tsv") {
            pack.glossary.add(file, &mut problems);
        }
        if let Some(file) = file("metrics.toml") {
            pack.measure(file, &mut problems);
        }
        given.thresholds.apply(&mut pack.thresholds, head, &mut problems);
        for language in pack.languages.clone() {
            if !LANGUAGES.contains(&language.as_str()) {
                let problem = format!("`{language}` is no language that questions are read in; write zh, en or both");
                problems.push(head.problem_at(given.languages.span(), problem));
                continue;
            }
            let name = format!("answer.{language}.md");
            match file(&name) {
                Some(file) if file.text.contains(FENCE) => drop(pack.answers.insert(language, file.text.clone())),
                Some(file) => {
                    let problem = format!("the instructions do not say how passages are fenced; write <{FENCE}> and </{FENCE}>");
                    problems.push(file.problem(1, problem));
                }
                None if pack.answers.contains_key(&language) => (),
                None => {
                    let problem =
                        format!("there are no instructions in `{language}`; add `{name}`, or include a pack that has it");
                    problems.push(head.problem_at(given.languages.span(), problem));
                }
            }
        }
        if problems.is_empty() { Ok(pack) } else { Err(PackError(problems)) }
    }

    /// What the included packs know, the first of them before the others.
    fn take_over(&mut self, head: &Text, included: &dyn Fn(&str) -> Result<Arc<Self>, String>, problems: &mut Vec<Problem>) {
        for (at, name) in self.includes.iter().enumerate() {
            match included(name) {
                Ok(pack) if at == 0 => {
                    self.glossary = pack.glossary.clone();
                    self.statements = pack.statements.clone();
                    self.thresholds = pack.thresholds;
                    self.answers = pack.answers.clone();
                }
                Ok(pack) => {
                    self.glossary.merge(&pack.glossary);
                    for (key, names) in &pack.statements {
                        self.statements.entry(key.clone()).or_insert_with(|| names.clone());
                    }
                    for (language, text) in &pack.answers {
                        self.answers.entry(language.clone()).or_insert_with(|| text.clone());
                    }
                }
                Err(reason) => problems.push(head.problem(head.line_with("includes"), reason)),
            }
        }
    }

    fn measure(&mut self, file: &Text, problems: &mut Vec<Problem>) {
        let metrics: BTreeMap<String, toml::Spanned<Metric>> = match file.toml() {
            Ok(metrics) => metrics,
            Err(PackError(more)) => return problems.extend(more),
        };
        for (name, metric) in metrics {
            let span = metric.span();
            let Metric { unit, statement } = metric.into_inner();
            if let Some(unknown) = statement.as_ref().filter(|statement| !self.statements.contains_key(*statement)) {
                let known: Vec<&str> = self.statements.keys().map(String::as_str).collect();
                let problem = format!(
                    "`{name}` stands in a statement `{unknown}`, which pack.toml does not name; there are {}",
                    known.join(", ")
                );
                problems.push(file.problem_at(span, problem));
            } else if !self.glossary.measure(&name, unit, statement) {
                let near = self
                    .glossary
                    .nearest(&name)
                    .map_or_else(|| "add it to the glossary".to_owned(), |near| format!("did you mean `{near}`?"));
                problems.push(file.problem_at(span, format!("`{name}` is not in the glossary; {near}")));
            }
        }
    }
}

/// The pack of reports of companies: what questions are read with unless another one is set.
impl Default for Pack {
    fn default() -> Self {
        Self::clone(&Self::standard())
    }
}

impl Pack {
    /// The pack that is used unless another one is set.
    pub fn standard() -> Arc<Self> {
        static STANDARD: LazyLock<Arc<Pack>> = LazyLock::new(shelf::standard);
        STANDARD.clone()
    }
}

impl GivenThresholds {
    fn apply(self, to: &mut Thresholds, file: &Text, problems: &mut Vec<Problem>) {
        if let Some(passages) = self.passages {
            if (1..=100).contains(passages.get_ref()) {
                to.passages = *passages.get_ref();
            } else {
                let problem = format!("thresholds.passages is {}; it must be 1 to 100", passages.get_ref());
                problems.push(file.problem_at(passages.span(), problem));
            }
        }
        let shares = [
            ("sentence", self.sentence, &mut to.sentence),
            ("row", self.row, &mut to.row),
            ("translated", self.translated, &mut to.translated),
        ];
        for (name, share, to) in shares {
            let Some(share) = share else { continue };
            if (0.0..=1.0).contains(share.get_ref()) {
                *to = *share.get_ref();
            } else {
                let problem = format!("thresholds.{name} is {}; it must be 0 to 1", share.get_ref());
                problems.push(file.problem_at(share.span(), problem));
            }
        }
    }
}

/// Files that nobody reads: a typo in a name would silently take a file out.
fn strangers(files: &[Text]) -> Vec<Problem> {
    let stranger = |file: &&Text| !FILES.contains(&file.name()) && !file.name().to_uppercase().starts_with("README");
    let problem = |file: &Text| {
        let hint = match nearest(file.name(), FILES) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("a pack has {}", FILES.join(", ")),
        };
        file.problem(1, format!("no file of a pack is called `{}`; {hint}", file.name()))
    };
    files.iter().filter(stranger).map(problem).collect()
}

/// A file of a pack.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Text {
    path: String,
    pub(crate) text: String,
}

impl Text {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.strip_prefix('\u{feff}').unwrap_or(text).into() }
    }

    fn name(&self) -> &str {
        self.path.rsplit(['/', '\\']).next().unwrap_or(&self.path)
    }

    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }

    pub(crate) fn problem(&self, line: usize, problem: String) -> Problem {
        Problem { file: self.path.clone(), line, problem }
    }

    fn problem_at(&self, span: std::ops::Range<usize>, problem: String) -> Problem {
        self.problem(1 + self.text.bytes().take(span.start).filter(|byte| *byte == b'\n').count(), problem)
    }

    fn line_with(&self, key: &str) -> usize {
        self.text.lines().position(|line| line.trim_start().starts_with(key)).map_or(1, |at| at + 1)
    }

    fn toml<T: serde::de::DeserializeOwned>(&self) -> Result<T, PackError> {
        toml::from_str(&self.text).map_err(|error| {
            let message = error.message().trim().replace('\n', " ");
            let mut names = message.split('`').skip(1).step_by(2);
            let near = names.next().filter(|_| message.starts_with("unknown ")).and_then(|got| nearest(got, names));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            PackError(vec![self.problem_at(error.span().unwrap_or(0..0), format!("{message}{hint}"))])
        })
    }
}

/// Something wrong with a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Its line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub problem: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.problem),
            line => write!(f, "{}:{line}: {}", self.file, self.problem),
        }
    }
}

/// Everything that is wrong with packs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PackError(pub Vec<Problem>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_in_the_language_asked_for_and_name_the_fence() {
        let pack = Pack::default();
        assert!(pack.instructions("zh", "p1").contains("<p1> 与 </p1>"));
        assert!(pack.instructions("en", "p1").contains("<p1> and </p1>"));
    }

    #[test]
    fn a_figure_tells_its_unit_and_its_statement_under_any_name() {
        let pack = Pack::default();
        for name in ["capex", "资本开支", "Purchases of Property, Plant and Equipment"] {
            let concept = pack.glossary.concept(name).unwrap();
            assert_eq!((concept.unit, concept.statement.as_deref()), (Some(Unit::Money), Some("cash_flow")), "{name}");
        }
    }

    #[test]
    fn statements_are_told_by_their_longest_name() {
        let check = |heading: &str, key: Option<&str>| {
            let pack = Pack::default();
            assert_eq!(pack.statement(&index::lexical::fold(heading)), key, "{heading}");
        };
        check("CONSOLIDATED STATEMENTS OF CASH FLOWS", Some("cash_flow"));
        check("Consolidated Statements of Comprehensive Income", Some("comprehensive_income"));
        check("合并资产负债表", Some("balance_sheet"));
        check("合并利潤表", Some("income_statement"));
        check("Segment results", None);
    }
}
