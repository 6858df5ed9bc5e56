//! What does the scenario hold? Whose reports, of which kind, for which periods: the facts read of each document, gathered
//! once per change of the scenario, so that a question is matched against names and not against thousands of titles.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock, Mutex, Weak},
};

use index::{
    catalog::is_said,
    corpus::{DocumentId, ReportKind},
    hit::Source,
    lexical::fold,
    scope::Scope,
};
use serde_json::Value;

use crate::{
    period::{self, Part, Period},
    question::{Question, Subject, is_title_of_report, years},
};

/// A fact below this confidence is not built on.
const SURE: f64 = 0.6;

/// The documents of a scope, by what they are.
#[derive(Debug, Default)]
pub struct Holdings {
    documents: HashMap<DocumentId, Held>,
    /// Names under which documents go, each once.
    pub(crate) subjects: Vec<(Subject, Vec<DocumentId>)>,
    /// Codes on an exchange, upper case.
    tickers: HashMap<String, Vec<DocumentId>>,
}

/// A document, by what it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    /// What kind of report it is.
    pub kind: Option<ReportKind>,
    /// What it reports on.
    pub periods: Vec<Period>,
    /// The month in which what it reports on ends.
    pub closes: Option<u8>,
    /// The year and month in which it ends, as printed.
    pub ends: Option<(i32, u8)>,
    /// How many years before the one in which it ends its year is named: 1 where fiscal 2022 ends in January 2023.
    pub named_before: i32,
    /// When it was published, as far as it is printed.
    pub published: Option<String>,
    /// Whether it is a company's own report and not a story about it.
    pub report: bool,
    /// Whether it says so itself on its cover, so that a question about the company is surely about it.
    pub filed: bool,
}

impl Holdings {
    /// Gathers what is known of these documents.
    pub fn of(documents: &[Source]) -> Self {
        let mut holdings = Self::default();
        let mut known: HashMap<Subject, usize> = HashMap::new();
        let mut companies: HashMap<DocumentId, Subject> = HashMap::new();
        for source in documents {
            for subject in subjects(source) {
                let at = *known.entry(subject.clone()).or_insert_with(|| {
                    holdings.subjects.push((subject, Vec::new()));
                    holdings.subjects.len() - 1
                });
                holdings.subjects[at].1.push(source.id);
            }
            if let Some(ticker) = text_of(source, "ticker") {
                holdings.tickers.entry(ticker.to_uppercase()).or_default().push(source.id);
            }
            companies.extend(company(source).map(|company| (source.id, company)));
            holdings.documents.insert(source.id, Held::of(source));
        }
        holdings.share_names(&companies);
        holdings
    }

    /// What one report says of its company's names holds for the others: the name in English that only the annual report prints.
    fn share_names(&mut self, companies: &HashMap<DocumentId, Subject>) {
        let mut reports: HashMap<&Subject, Vec<DocumentId>> = HashMap::new();
        for (id, company) in companies {
            reports.entry(company).or_default().push(*id);
        }
        reports.values_mut().for_each(|reports| reports.sort_unstable());
        for (_, documents) in &mut self.subjects {
            let own: HashSet<&Subject> = documents.iter().filter_map(|id| companies.get(id)).collect();
            let mut known: HashSet<DocumentId> = documents.iter().copied().collect();
            let others = own.into_iter().flat_map(|company| &reports[company]).copied();
            documents.extend(others.filter(|id| known.insert(*id)).collect::<Vec<_>>());
        }
    }

    pub(crate) fn held(&self, id: DocumentId) -> Option<&Held> {
        self.documents.get(&id)
    }

    /// The reports of the companies that a question names: those of the asked years and of the year after if there are any, the
    /// newest annual ones if none is asked for.
    pub(crate) fn reports_for(&self, question: &Question) -> HashSet<DocumentId> {
        let named = question.documents().unwrap_or_default();
        let reports = || named.iter().filter_map(|id| Some((*id, self.held(*id).filter(|held| held.report)?)));
        let asked: HashSet<i32> = question.periods.iter().filter_map(|p| p.year).flat_map(|year| [year, year + 1]).collect();
        let of_period = |held: &Held| held.periods.iter().any(|own| own.year.is_some_and(|year| asked.contains(&year)));
        let fitting: HashSet<DocumentId> = reports().filter(|(_, held)| of_period(held)).map(|(id, _)| id).collect();
        if !fitting.is_empty() {
            return fitting;
        }
        let annual = |held: &Held| asked.is_empty() && held.kind == Some(ReportKind::Annual);
        let newest = reports().filter(|(_, held)| annual(held)).filter_map(|(_, held)| held.until()).max();
        let wanted = |held: &Held| newest.is_none() || annual(held) && held.until() == newest;
        reports().filter(|(_, held)| wanted(held)).map(|(id, _)| id).collect()
    }

    /// The documents of a code on an exchange, written in capitals or digits.
    pub(crate) fn listed(&self, code: &str) -> &[DocumentId] {
        let bare = code.rsplit([':', '：', '.']).next().unwrap_or(code).trim();
        let shouted = bare.len() >= 2 && !bare.contains(|c: char| c.is_ascii_lowercase());
        self.tickers.get(bare).filter(|_| shouted).map_or(&[], Vec::as_slice)
    }
}

impl Held {
    pub(crate) fn of(source: &Source) -> Self {
        let kind = fact(source, "kind").and_then(|kind| serde_json::from_value(kind.clone()).ok());
        let said = source.facts.get("period").is_some_and(is_said);
        let mut periods = if said { Vec::new() } else { years(source) };
        let read = fact(source, "period").and_then(|p| Some((p.get("year")?.as_i64()?, p.get("part")?.as_str()?)));
        if let Some((year, part)) = read {
            let part = match part {
                "H1" => Part::Half(1),
                "H2" => Part::Half(2),
                "9M" => Part::NineMonths,
                _ => match part.strip_prefix('Q').and_then(|n| n.parse().ok()) {
                    Some(quarter) => Part::Quarter(quarter),
                    None => Part::Year,
                },
            };
            let read = Period { year: i32::try_from(year).ok(), part };
            if !periods.contains(&read) {
                periods.insert(0, read);
            }
        }
        for named in period::periods(&source.name).into_iter().map(|(_, p)| p).filter(|p| p.year.is_some()) {
            // A folder or a hash may hold anything; the file's own name says what it is.
            let file = source.name.rsplit(['/', '\\']).next().is_some_and(|file| file.len() < 120);
            if file && !said && !periods.contains(&named) {
                periods.push(named);
            }
        }
        // A year in the title of a quarter's report tells whose quarter it is.
        let of_part = matches!(kind, Some(ReportKind::Quarterly | ReportKind::HalfYear));
        if of_part && periods.iter().any(|own| own.part != Part::Year) {
            periods.retain(|own| own.part != Part::Year);
        }
        let end = fact(source, "period").and_then(|period| period.get("end")?.as_str());
        let closes = end.and_then(|end| end.split('-').nth(1)?.parse().ok());
        let closing = periods.iter().find(|own| matches!(own.part, Part::Year | Part::Quarter(4))).and_then(|own| own.year);
        let year = end.and_then(|end| end.split('-').next()?.parse::<i32>().ok());
        let ends = year.zip(closes);
        let named_before = year.zip(closing).map_or(0, |(year, named)| (year - named).clamp(0, 1));
        let published = text_of(source, "date");
        let own = matches!(
            kind,
            Some(
                ReportKind::Annual
                    | ReportKind::HalfYear
                    | ReportKind::Quarterly
                    | ReportKind::Prospectus
                    | ReportKind::CurrentReport
                    | ReportKind::EarningsRelease
                    | ReportKind::Sustainability
            )
        );
        let filed = own && text_of(source, "company").is_some();
        Self { kind, periods, closes, ends, named_before, published, report: filed || is_title_of_report(source), filed }
    }

    /// The last day that it speaks of, for telling the newest: year and month.
    pub(crate) fn until(&self) -> Option<(i32, u8)> {
        self.periods.iter().filter_map(|p| Some((p.year?, p.part.ends()))).max()
    }
}

/// Under which names a document goes: whose it was said to be, else what metadata, title and cover say.
fn subjects(source: &Source) -> Vec<Subject> {
    let company = source.facts.get("company");
    let said = company.is_some_and(is_said);
    let mut found: Vec<Subject> = Subject::of(source).filter(|_| !said).into_iter().collect();
    if let Some(company) = text_of(source, "company") {
        let aliases = source.facts.get("aliases");
        // Other names that were read are those of the company that was read.
        let aliases = aliases.filter(|aliases| !said || is_said(aliases));
        let aliases = aliases.and_then(|aliases| aliases.get("value").unwrap_or(aliases).as_array());
        let mut names = vec![company.as_str()];
        names.extend(aliases.into_iter().flatten().filter_map(Value::as_str));
        names.extend(known_as(&names));
        for name in names {
            let long = if name.is_ascii() { name.len() >= 3 } else { name.chars().count() >= 2 };
            found.extend(Subject::named(name, true).filter(|subject| long && !subject.is_common()));
        }
    }
    let mut distinct = Vec::with_capacity(found.len());
    for subject in found {
        if !distinct.contains(&subject) {
            distinct.push(subject);
        }
    }
    distinct
}

/// Whose report it surely is, by the name on its cover.
fn company(source: &Source) -> Option<Subject> {
    Subject::named(&text_of(source, "company")?, true).filter(|subject| !subject.is_common())
}

/// The names in other languages of a company that the world knows by several (`known_as.tsv`): `波音` for Boeing.
fn known_as(names: &[&str]) -> Vec<&'static str> {
    static KNOWN: LazyLock<Vec<Vec<(Subject, &str)>>> = LazyLock::new(|| {
        let subject = |name: &'static str| Some((Subject::named(name, true)?, name));
        let lines = include_str!("known_as.tsv").lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split('\t').filter_map(subject).collect()).collect()
    });
    let own: Vec<Subject> = names.iter().filter_map(|name| Subject::named(name, true)).collect();
    let known = KNOWN.iter().find(|line| line.iter().any(|(subject, _)| own.contains(subject)));
    known.into_iter().flatten().map(|(_, name)| *name).collect()
}

/// The value of a fact that is sure enough.
fn fact<'a>(source: &'a Source, name: &str) -> Option<&'a Value> {
    let fact = source.facts.get(name)?;
    let sure = fact.get("confidence").and_then(Value::as_f64).is_none_or(|confidence| confidence >= SURE);
    fact.get("value").filter(|_| sure)
}

fn text_of(source: &Source, name: &str) -> Option<String> {
    fact(source, name)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// Which kind of report a question names.
pub(crate) fn report_named(question: &str) -> Option<ReportKind> {
    const NAMES: &[(ReportKind, &[&str])] = &[
        (
            ReportKind::HalfYear,
            &["半年度报告", "半年报", "中期报告", "中报", "interim report", "half-year report", "half-yearly report"],
        ),
        (ReportKind::Quarterly, &["季度报告", "季报", "10-q", "10q", "quarterly report"]),
        (ReportKind::Prospectus, &["招股说明书", "招股书", "招股意向书", "募集说明书", "prospectus"]),
        (ReportKind::CurrentReport, &["8-k", "8k", "current report", "临时公告"]),
        (
            ReportKind::EarningsRelease,
            &["业绩公告", "业绩快报", "业绩预告", "earnings release", "press release", "results announcement"],
        ),
        (
            ReportKind::Sustainability,
            &["可持续发展报告", "社会责任报告", "环境、社会及治理报告", "sustainability report", "esg report"],
        ),
        (ReportKind::WhitePaper, &["白皮书", "蓝皮书", "white paper", "whitepaper"]),
        (ReportKind::Annual, &["年度报告", "年报", "10-k", "10k", "20-f", "annual report", "annual filing"]),
    ];
    let folded = fold(question);
    let stands = |name: &str| {
        folded.match_indices(name).any(|(at, _)| {
            let inside = |c: Option<char>| name.is_ascii() && c.is_some_and(|c| c.is_ascii_alphanumeric());
            !inside(folded[..at].chars().next_back()) && !inside(folded[at + name.len()..].chars().next())
        })
    };
    NAMES.iter().find(|(_, names)| names.iter().any(|name| stands(name))).map(|(kind, _)| *kind)
}

/// The holdings of each scope as of its last change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelves(Arc<Mutex<HashMap<Scope, Shelf>>>);

/// The documents that holdings were gathered from, for telling whether they changed, and the holdings.
type Shelf = (Weak<Vec<Source>>, Arc<Holdings>);

impl Shelves {
    /// The holdings of these documents of a scope; gathered anew only when the documents were read anew.
    pub(crate) fn of(&self, scope: &Scope, documents: &Arc<Vec<Source>>) -> Arc<Holdings> {
        let kept = self.0.lock().ok().and_then(|shelves| shelves.get(scope).cloned());
        if let Some((of, holdings)) = kept
            && of.upgrade().is_some_and(|of| Arc::ptr_eq(&of, documents))
        {
            return holdings;
        }
        let holdings = Arc::new(Holdings::of(documents));
        if let Ok(mut shelves) = self.0.lock() {
            shelves.insert(scope.clone(), (Arc::downgrade(documents), holdings.clone()));
        }
        holdings
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{pack::Pack, question::Question};

    fn source(title: &str, facts: Value) -> Source {
        Source {
            id: DocumentId::new(),
            external_id: None,
            title: title.into(),
            version: 1,
            metadata: serde_json::Map::new(),
            name: String::new(),
            facts: facts.as_object().cloned().unwrap_or_default(),
        }
    }

    fn check(question: &str, kind: Option<ReportKind>) {
        assert_eq!(report_named(question), kind, "{question}");
    }

    #[test]
    fn a_question_names_a_kind_of_report_in_both_languages() {
        check("What was the key agenda of the 8k filing?", Some(ReportKind::CurrentReport));
        check("2023年半年度报告中的研发费用", Some(ReportKind::HalfYear));
        check("2023年年报披露的员工人数", Some(ReportKind::Annual));
        check("according to the annual report", Some(ReportKind::Annual));
        check("招股书里的实际控制人", Some(ReportKind::Prospectus));
        check("revenue of 1,810k", None);
        check("营业收入是多少", None);
    }

    #[test]
    fn a_company_goes_by_all_names_that_were_read() {
        let facts = json!({
            "company": { "value": "青川机电股份有限公司", "confidence": 0.97, "from": "text" },
            "aliases": ["青川机电", "QINGCHUAN ELECTRIC"],
            "ticker": { "value": "688123", "confidence": 0.9, "from": "text" },
            "kind": { "value": "annual", "confidence": 0.9, "from": "text" },
            "period": { "value": { "year": 2022, "part": "FY", "end": "2022-12-31" }, "confidence": 0.9, "from": "text" },
        });
        let source = source("年度报告", facts);
        let id = source.id;
        let holdings = Holdings::of(&[source]);
        let held = holdings.held(id).unwrap();
        assert_eq!((held.kind, held.report, held.until()), (Some(ReportKind::Annual), true, Some((2022, 12))));
        assert_eq!(holdings.listed("688123"), [id]);
        for question in ["青川机电2022年的净利润", "How many people work for Qingchuan Electric?", "688123的营业收入"]
        {
            let names = Question::over(Pack::standard(), question, &holdings).names;
            assert!(names.iter().any(|name| name.documents == [id]), "{question}: {names:?}");
        }
    }

    #[test]
    fn names_that_begin_alike_or_hold_one_another_are_told_apart() {
        let report = |company: &str, aliases: &[&str]| {
            let facts = json!({
                "company": { "value": company, "confidence": 0.97, "from": "text" },
                "aliases": aliases,
                "kind": { "value": "annual", "confidence": 0.9, "from": "text" },
            });
            source("report", facts)
        };
        let reports = [
            report("云栈汽车股份有限公司", &["YUNZHAN AUTOMOBILE"]),
            report("云栈汽车零部件股份有限公司", &[]),
            report("北岭股份有限公司", &[]),
            report("北岭储能技术股份有限公司", &["北岭储能"]),
            report("Halden, Inc.", &[]),
            report("Halden Marine Corporation", &[]),
            // The quarter's report does not print the English name.
            report("云栈汽车股份有限公司", &[]),
        ];
        let holdings = Holdings::of(&reports);
        let check = |question: &str, named: &[usize]| {
            let found = Question::over(Pack::standard(), question, &holdings).documents().unwrap_or_default();
            let wanted: HashSet<DocumentId> = named.iter().map(|at| reports[*at].id).collect();
            assert_eq!(found, wanted, "{question}");
        };
        check("云栈汽车2021年的营业收入", &[0, 6]);
        check("云栈汽车零部件2021年的营业收入", &[1]);
        check("revenue of Yunzhan Automobile in Q3 2021", &[0, 6]);
        check("北岭股份2021年的营业收入", &[2]);
        check("北岭储能2021年的营业收入", &[3]);
        check("北岭银行2021年的营业收入", &[]);
        check("比较北岭储能和北岭股份2021年的营业收入", &[2, 3]);
        check("Halden's revenue in 2021", &[4]);
        check("Halden Marine's revenue in 2021", &[5]);
        check("Did Halden Marine or Halden earn more in 2021?", &[4, 5]);
    }

    #[test]
    fn what_was_said_of_a_document_stands_above_what_was_read() {
        let said = |value: Value| json!({ "value": value, "confidence": 1.0, "from": "patch", "read": null });
        let facts = json!({
            "company": said(json!("栖霁传动股份有限公司")),
            "aliases": ["青川机电"],
            "period": said(json!({ "year": 2021, "part": "FY", "end": "2021-12-31" })),
        });
        let source = source("青川机电2023年年度报告", facts);
        let id = source.id;
        let holdings = Holdings::of(&[source]);
        assert_eq!(holdings.held(id).unwrap().until(), Some((2021, 12)));
        let named = |question: &str| {
            let names = Question::over(Pack::standard(), question, &holdings).names;
            names.iter().any(|name| name.documents == [id])
        };
        assert!(named("栖霁传动2021年的净利润是多少？"));
        assert!(!named("青川机电2023年的净利润是多少？"));
    }

    #[test]
    fn a_guess_is_not_built_on() {
        let guess = json!({ "company": { "value": "Somebody Ltd", "confidence": 0.3, "from": "text" } });
        assert!(Holdings::of(&[source("notes of a meeting", guess)]).subjects.is_empty());
    }
}
