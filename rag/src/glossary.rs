//! Which other names does a thing in a report go by? `Revenue` is `net sales` and `营业收入`: a question may use one, a table
//! another, in either language. The names are data, one concept a line, and belong to a pack.

use std::{collections::HashMap, sync::Arc};

use index::{
    lexical::{fold, term, tokens},
    nearest::nearest,
};
use serde::Serialize;

use crate::pack::{Problem, Text, Unit};

/// Concepts and their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Glossary {
    concepts: Vec<Concept>,
    /// Folded names and whose they are, longest first.
    names: Vec<(String, usize)>,
}

/// Who bears a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bearer {
    /// A person: the chief executive.
    Person,
    /// A firm: the auditor.
    Firm,
}

/// Something that reports speak of under several names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Concept {
    /// Whether it is a figure: whoever asks for it wants a number.
    pub figure: bool,
    /// Who bears it, if it is a role in a company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer: Option<Bearer>,
    /// Its names, the plainest first.
    pub names: Vec<String>,
    /// Words that never mean it, although one of its names stands in them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<String>,
    /// What it is counted in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The statement that has it, by its key in the pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Its names as terms.
    #[serde(skip)]
    terms: Arc<[Vec<u32>]>,
    /// Where its line stands.
    #[serde(rename = "from")]
    line: String,
}

/// A concept that a text speaks of.
#[derive(Debug, Clone, PartialEq)]
pub struct Mention<'a> {
    /// As the text writes it, folded.
    pub name: String,
    /// What it names.
    pub concept: &'a Concept,
}

/// A folded name, and without the small words of Chinese that a question may leave out: `归属上市公司股东净利润`.
fn spellings(name: String) -> impl Iterator<Item = String> {
    let bare = name.replace(['的', '于'], "");
    let other = (bare != name).then_some(bare);
    std::iter::once(name).chain(other)
}

impl Concept {
    /// All its names, each as terms.
    pub fn terms(&self) -> &[Vec<u32>] {
        &self.terms
    }
}

impl Mention<'_> {
    /// Whether it is a figure.
    pub fn figure(&self) -> bool {
        self.concept.figure
    }
}

impl Glossary {
    /// All concepts, in the order of the files.
    pub fn concepts(&self) -> &[Concept] {
        &self.concepts
    }

    /// The concept of a name.
    pub fn concept(&self, name: &str) -> Option<&Concept> {
        self.find(name).map(|at| &self.concepts[at])
    }

    /// The concepts of a folded text, and the text without them.
    pub fn mentions(&self, folded: &str) -> (Vec<Mention<'_>>, String) {
        let mut rest = folded.to_owned();
        let mut found: HashMap<usize, Mention> = HashMap::new();
        let mut order = Vec::new();
        for (name, at) in &self.names {
            let concept = &self.concepts[*at];
            let Some(start) = standing(&rest, name, &concept.not) else { continue };
            rest.replace_range(start..start + name.len(), " ");
            found.entry(*at).or_insert_with(|| {
                order.push(*at);
                Mention { name: name.clone(), concept }
            });
        }
        (order.iter().filter_map(|at| found.remove(at)).collect(), rest)
    }

    /// Adds the lines of a file; what is wrong with it goes to `problems`.
    pub(crate) fn add(&mut self, file: &Text, problems: &mut Vec<Problem>) {
        let mut see = Vec::new();
        for (number, line) in (1..).zip(file.text.lines()) {
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut wrong = |problem: String| problems.push(file.problem(number, problem));
            let (kind, cells) = line.split_once('\t').unwrap_or((line, ""));
            let cells: Vec<&str> = cells.split('\t').collect();
            if !["figure", "thing", "person", "firm", "see"].contains(&kind) {
                wrong(format!(
                    "`{kind}` is no kind of line; begin it with `figure`, `thing`, `person`, `firm` or `see`, then a tab"
                ));
            } else if cells.iter().any(|cell| cell.trim_start_matches('!').trim().is_empty()) {
                wrong("a name is empty; write each name after one tab, and at least one of them".into());
            } else if kind == "see" {
                match cells[..] {
                    [name, of] => see.push((number, name.to_owned(), of.to_owned())),
                    _ => wrong(format!(
                        "`see` has {} names; write the name and one name of the concept it belongs to",
                        cells.len()
                    )),
                }
            } else {
                self.concept_line(kind, &cells, file, number, problems);
            }
        }
        self.see(see, file, problems);
        self.sort();
    }

    fn concept_line(&mut self, kind: &str, cells: &[&str], file: &Text, number: usize, problems: &mut Vec<Problem>) {
        let (not, names): (Vec<&str>, Vec<&str>) = cells.iter().partition(|cell| cell.starts_with('!'));
        let not: Vec<String> = not.iter().map(|cell| fold(&cell[1..]).trim().to_owned()).collect();
        for phrase in &not {
            if !names.iter().any(|name| phrase.contains(&*fold(name))) {
                let problem = format!("`!{phrase}` rules nothing out, none of the names stands in it; take it out");
                problems.push(file.problem(number, problem));
            }
        }
        if names.is_empty() {
            problems.push(file.problem(number, "the line has no name; write at least one".into()));
            return;
        }
        let at = self.concepts.len();
        self.concepts.push(Concept {
            figure: kind == "figure",
            bearer: match kind {
                "person" => Some(Bearer::Person),
                "firm" => Some(Bearer::Firm),
                _ => None,
            },
            names: Vec::new(),
            not,
            unit: None,
            statement: None,
            terms: Arc::default(),
            line: file.place(number),
        });
        for name in names {
            self.name(at, name, file, number, problems);
        }
    }

    fn name(&mut self, at: usize, name: &str, file: &Text, number: usize, problems: &mut Vec<Problem>) {
        let folded = fold(name).trim().to_owned();
        if let Some(other) = self.find(&folded) {
            let Concept { names, line, .. } = &self.concepts[other];
            let whose = names.first().filter(|_| other != at);
            let problem = match whose {
                Some(whose) => format!(
                    "`{name}` is a name of `{whose}` already ({line}); a name has one concept, take it out of one of the lines"
                ),
                None => format!("`{name}` stands twice in this line; take one out"),
            };
            problems.push(file.problem(number, problem));
            return;
        }
        self.names.extend(spellings(folded).map(|name| (name, at)));
        let concept = &mut self.concepts[at];
        concept.names.push(name.trim().to_owned());
        let as_terms = |name: &String| tokens(name).iter().map(|token| term(token)).collect();
        concept.terms = concept.names.iter().map(as_terms).collect();
    }

    /// Further names, which may point to each other as long as they come to a concept.
    fn see(&mut self, mut open: Vec<(usize, String, String)>, file: &Text, problems: &mut Vec<Problem>) {
        loop {
            let before = open.len();
            open.retain(|(number, name, of)| match self.find(of) {
                Some(at) => {
                    self.name(at, name, file, *number, problems);
                    false
                }
                None => true,
            });
            if open.len() == before {
                break;
            }
        }
        for (number, name, of) in &open {
            let step = |from: &str| open.iter().find(|(_, name, _)| fold(name) == fold(from)).map(|(.., of)| of.as_str());
            let mut path = vec![name.as_str()];
            while let Some(next) = step(path[path.len() - 1]) {
                path.push(next);
                if path.len() > open.len() || fold(next) == fold(name) {
                    break;
                }
            }
            let circle = path.len() > 1 && fold(path[path.len() - 1]) == fold(name);
            let problem = if circle {
                format!("`see` goes round in a circle: {}; write one of them as a name of a concept", path.join(" → "))
            } else {
                let near = nearest(of, self.concepts.iter().flat_map(|c| c.names.iter().map(String::as_str)));
                let hint = near.map_or_else(|| "write a name of a concept".into(), |near| format!("did you mean `{near}`?"));
                format!("`{of}`, which `{name}` points to, is a name of nothing; {hint}")
            };
            problems.push(file.problem(*number, problem));
        }
    }

    /// Adds the concepts of another glossary that have no name in this one.
    pub(crate) fn merge(&mut self, other: &Self) {
        for concept in &other.concepts {
            if concept.names.iter().all(|name| self.find(name).is_none()) {
                let names = concept.names.iter().flat_map(|name| spellings(fold(name).into_owned()));
                self.names.extend(names.map(|name| (name, self.concepts.len())));
                self.concepts.push(concept.clone());
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.names.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    }

    /// What a figure is counted in, and the statement that has it; `false` if there is no such name.
    pub(crate) fn measure(&mut self, name: &str, unit: Unit, statement: Option<String>) -> bool {
        let Some(at) = self.find(name) else { return false };
        self.concepts[at].unit = Some(unit);
        self.concepts[at].statement = statement;
        true
    }

    /// The known name that is nearest to one that is not.
    pub(crate) fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.concepts.iter().flat_map(|concept| concept.names.iter().map(String::as_str)))
    }

    fn find(&self, name: &str) -> Option<usize> {
        let folded = fold(name);
        self.names.iter().find(|(known, _)| *known == folded.trim()).map(|(_, at)| *at)
    }
}

/// Where a name stands in a text, not as a part of a longer word and not in words that mean something else.
fn standing(text: &str, name: &str, not: &[String]) -> Option<usize> {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let latin = name.is_ascii();
    let whole =
        |at: &usize| !latin || !letter(text[..*at].chars().next_back()) && !letter(text[at + name.len()..].chars().next());
    let ruled_out = |at: &usize| {
        not.iter()
            .flat_map(|words| text.match_indices(words.as_str()))
            .any(|(start, words)| start <= *at && at + name.len() <= start + words.len())
    };
    text.match_indices(name).map(|(at, _)| at).find(|at| whole(at) && !ruled_out(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Pack;

    fn check(text: &str, wanted: &[&str], rest: &str) {
        let pack = Pack::default();
        let (found, left) = pack.glossary.mentions(&fold(text));
        assert_eq!(found.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), wanted, "{text}");
        assert_eq!(left.split_whitespace().collect::<Vec<_>>().join(" "), rest, "{text}");
    }

    #[test]
    fn concepts_are_found_by_their_longest_name_and_as_whole_words() {
        check("total revenue of the group", &["total revenue"], "of the group");
        check("Capex in China", &["capex"], "in china");
        check("归属于上市公司股东的净利润", &["归属于上市公司股东的净利润"], "");
        check("營業收入", &["营业收入"], "");
        check("prepsilon", &[], "prepsilon");
    }

    #[test]
    fn words_that_only_look_like_a_name_are_left_alone() {
        check("deferred revenue", &[], "deferred revenue");
        check("deferred revenue and revenue", &["revenue"], "deferred revenue and");
        check("存货跌价准备", &[], "存货跌价准备");
        check("产能利用率和产能", &["产能"], "产能利用率和");
    }

    fn wrong(text: &str) -> Vec<String> {
        let mut problems = Vec::new();
        Glossary::default().add(&Text::new("glossary.tsv", text), &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_what_to_write() {
        let check = |text: &str, line: usize, words: &str| {
            let found = wrong(text);
            assert!(found.len() == 1 && found[0].contains(&format!("glossary.tsv:{line}: ")), "{found:?}");
            assert!(found[0].contains(words), "{found:?}");
        };
        check("metric\trevenue", 1, "begin it with `figure`, `thing`, `person`, `firm` or `see`");
        check("# names\n\nfigure\trevenue\t\tsales", 3, "a name is empty");
        check("figure", 1, "a name is empty");
        check("figure\trevenue\nfigure\tsales\tRevenue", 2, "`Revenue` is a name of `revenue` already (glossary.tsv:1)");
        check("figure\t营业收入\t營業收入", 1, "stands twice in this line");
        check("figure\trevenue\t!profit", 1, "rules nothing out");
        check("figure\trevenue\nsee\tsales\trevenu", 2, "did you mean `revenue`?");
        check("see\tsales", 1, "`see` has 1 names");
        let circle = wrong("see\t营收\t收入\nsee\t收入\t营收");
        assert!(circle.len() == 2 && circle[0].contains("营收 → 收入 → 营收"), "{circle:?}");
    }

    #[test]
    fn a_name_may_point_to_a_name_that_points_to_a_concept() {
        let mut glossary = Glossary::default();
        glossary.add(&Text::new("a.tsv", "see\t老板\t一把手\nsee\t一把手\t董事长\nthing\t董事长"), &mut Vec::new());
        assert_eq!(glossary.concept("老板").map(|concept| concept.names[0].as_str()), Some("董事长"));
    }
}
