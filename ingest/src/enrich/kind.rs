//! Which kind of report is it? A form of an authority by its name on the cover; else the words of the title.

use super::{Fact, ReportKind, Seen, Where, date, fact, lines::Line, on};

type Told = (Option<Fact<ReportKind>>, Option<String>);

/// The kind, and the name of the form if it is one.
pub(super) fn read(seen: &Seen) -> Told {
    if let Some((form, line, sure)) = filed(seen) {
        return (Some(fact(of_form(&form), sure, on(line))), Some(form));
    }
    let mut best: Option<(Fact<ReportKind>, Option<String>)> = None;
    for (line, from) in seen.naming() {
        let Some((kind, word)) = of_title(&line.key) else { continue };
        let sure = match from {
            Where::Page { .. } if line.page == seen.front.cover => 0.9,
            Where::Page { .. } => 0.75,
            Where::Header { .. } => 0.85,
            _ => 0.8,
        };
        if best.as_ref().is_none_or(|(b, _)| rank(kind, sure) > rank(b.value, b.confidence)) {
            best = Some((fact(kind, sure, from), named(kind, word, line)));
        }
    }
    if best.is_none()
        && let Some(told) = released(seen)
    {
        best = Some(told);
    }
    if best.is_none()
        && let Some(kind) = of_file(&seen.file.key)
    {
        best = Some((fact(kind.0, 0.6, Where::FileName), kind.1));
    }
    if best.is_none()
        && let Some((said, from)) = seen.given(&["kind", "doc_type", "document_type", "report_type", "type", "form"])
    {
        let line = Line::loose(&said);
        best = of_title(&line.key)
            .map(|(k, _)| (k, None))
            .or_else(|| of_file(&line.key))
            .map(|(k, form)| (fact(k, 0.8, from), form));
    }
    best.map_or((None, None), |(kind, form)| (Some(kind), form))
}

/// A broker's mark or a word of the offer says more than `annual report` beside it; else the surer reading.
fn rank(kind: ReportKind, sure: f32) -> f32 {
    let own = match kind {
        ReportKind::Prospectus | ReportKind::Research | ReportKind::Sustainability => 0.3,
        ReportKind::EarningsRelease | ReportKind::WhitePaper => 0.2,
        ReportKind::Announcement | ReportKind::MarketReport | ReportKind::Other => -0.3,
        _ => 0.0,
    };
    sure + own
}

/// Forms of the Securities and Exchange Commission.
const FORMS: [&str; 26] = [
    "10-k405", "10-k/a", "10-kt", "10-k", "10-q/a", "10-q", "8-k/a", "8-k", "20-f/a", "20-f", "40-f", "6-k", "11-k", "s-1/a",
    "s-1", "f-1/a", "f-1", "s-3", "f-3", "s-4", "f-4", "424b3", "424b4", "424b5", "def 14a", "10-12b",
];

fn form_in(text: &str) -> Option<&'static str> {
    FORMS
        .into_iter()
        .find(|f| text.strip_prefix(f).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '-')))
}

fn of_form(form: &str) -> ReportKind {
    match form.split('/').next().unwrap_or(form) {
        "10-K" | "10-K405" | "10-KT" | "20-F" | "40-F" | "11-K" => ReportKind::Annual,
        "10-Q" => ReportKind::Quarterly,
        "8-K" | "6-K" => ReportKind::CurrentReport,
        "S-1" | "F-1" | "S-3" | "F-3" | "S-4" | "F-4" | "424B3" | "424B4" | "424B5" => ReportKind::Prospectus,
        _ => ReportKind::Other,
    }
}

/// `FORM 10-K` on a line of its own, under the name of the Commission, on one of the first pages: an annual report to
/// shareholders may have a cover of its own in front. Less surely the same line by itself on the cover.
fn filed<'a>(seen: &'a Seen) -> Option<(String, &'a Line, f32)> {
    let lines = || seen.front.lines.iter().take_while(|l| l.page <= seen.front.cover + 7);
    let commission = lines().filter(|l| l.key.contains("securities and exchange commission") && l.is_short()).map(|l| l.page);
    for page in commission.take(3) {
        let mut open = false;
        for line in seen.front.page(page).take(30) {
            let key = line.key.trim_matches(|c: char| !c.is_alphanumeric());
            let words = key.strip_prefix("form").map(str::trim_start).or(open.then_some(key));
            if let Some(form) = words.filter(|_| line.is_short()).and_then(form_in) {
                return Some((form.to_uppercase(), line, 0.98));
            }
            open = key == "form";
            if let Some(at) = key.find("schedule 14a") {
                return (at < 5).then(|| ("DEF 14A".into(), line, 0.98));
            }
        }
    }
    let alone = |line: &'a Line| {
        let words =
            line.key.split_once("form ").filter(|(before, _)| ["", "annual report on ", "quarterly report on "].contains(before));
        let form = FORMS.into_iter().find(|form| words.is_some_and(|(_, name)| name.trim_end() == *form))?;
        Some((form.to_uppercase(), line, 0.9))
    };
    seen.front.cover().find_map(alone)
}

/// The kind a title names, and the word that names it.
pub(super) fn of_title(key: &str) -> Option<(ReportKind, &'static str)> {
    use ReportKind::*;
    // In the order in which the special comes before the general.
    const WORDS: [(&str, ReportKind); 73] = [
        ("证券研究报告", Research),
        ("公司研究报告", Research),
        ("公司深度报告", Research),
        ("公司点评", Research),
        ("公司深度", Research),
        ("行业深度", Research),
        ("行业点评", Research),
        ("投资评级", Research),
        ("equity research", Research),
        ("募集说明书", Prospectus),
        ("招股说明书", Prospectus),
        ("招股意向书", Prospectus),
        ("招股书", Prospectus),
        ("招股章程", Prospectus),
        ("全球发售", Prospectus),
        ("prospectus", Prospectus),
        ("offering memorandum", Prospectus),
        ("offering circular", Prospectus),
        ("社会责任报告", Sustainability),
        ("可持续发展报告", Sustainability),
        ("社会及管治报告", Sustainability),
        ("社会和管治报告", Sustainability),
        ("社会及治理", Sustainability),
        ("社会和公司治理", Sustainability),
        ("社会及公司治理", Sustainability),
        ("社会与公司治理", Sustainability),
        ("社会、管治报告", Sustainability),
        ("社会与治理", Sustainability),
        ("(esg)报告", Sustainability),
        ("esg报告", Sustainability),
        ("sustainability report", Sustainability),
        ("esg report", Sustainability),
        ("social responsibility report", Sustainability),
        ("social and governance report", Sustainability),
        ("social, and governance report", Sustainability),
        ("corporate responsibility report", Sustainability),
        ("impact report", Sustainability),
        ("白皮书", WhitePaper),
        ("蓝皮书", WhitePaper),
        ("white paper", WhitePaper),
        ("whitepaper", WhitePaper),
        ("业绩公告", EarningsRelease),
        ("业绩快报", EarningsRelease),
        ("业绩预告", EarningsRelease),
        ("业绩公布", EarningsRelease),
        ("results announcement", EarningsRelease),
        ("preliminary results", EarningsRelease),
        ("半年度报告", HalfYear),
        ("半年报", HalfYear),
        ("中期报告", HalfYear),
        ("interim report", HalfYear),
        ("interim financial report", HalfYear),
        ("half-year report", HalfYear),
        ("half-yearly report", HalfYear),
        ("half-year financial report", HalfYear),
        ("half year report", HalfYear),
        ("half yearly report", HalfYear),
        ("季度报告", Quarterly),
        ("季报", Quarterly),
        ("quarterly report", Quarterly),
        ("审计报告", Other),
        ("统计公报", MarketReport),
        ("proxy statement", Other),
        ("industry report", MarketReport),
        ("market report", MarketReport),
        ("market outlook", MarketReport),
        ("行业报告", MarketReport),
        ("研究报告", MarketReport),
        ("调查报告", MarketReport),
        ("调研报告", MarketReport),
        ("发展报告", MarketReport),
        ("分析报告", MarketReport),
        ("洞察报告", MarketReport),
    ];
    // `关于…年度报告的问询函的回复` is about a report.
    let about = key.find("关于").is_some_and(|at| at <= 40)
        && ["公告", "问询函", "回复", "法律意见", "核查意见", "审核意见"].iter().any(|w| key.contains(w));
    if about {
        return Some((Announcement, "公告"));
    }
    if let Some((word, kind)) = WORDS.iter().find(|(word, _)| key.contains(word)) {
        // `interim results`, `季度报告摘要` and the like keep their kind; a note on the report is none.
        return Some((*kind, word));
    }
    if let Some(word) = results(key) {
        return Some((EarningsRelease, word));
    }
    annual(key).or_else(|| field(key)).or_else(|| {
        let announced = key.contains("公告") && (key.contains("关于") || key.ends_with("公告"))
            || key.starts_with("notice of annual general");
        announced.then_some((Announcement, "公告"))
    })
}

/// A headline of results: `Announces Third Quarter Fiscal 2024 Results`, `Full Year 2023 Financial Results`, `中期业绩`.
fn results(key: &str) -> Option<&'static str> {
    let period = [
        "quarter",
        "full year",
        "full-year",
        "fiscal",
        "half-year",
        "half year",
        "first half",
        "interim",
        "annual",
        "year-end",
        "nine month",
        "q1",
        "q2",
        "q3",
        "q4",
    ];
    let english = key.split(|c: char| !c.is_alphanumeric()).any(|w| w == "results")
        && period.iter().any(|p| key.contains(p))
        && !["results of operations", "analysis of", "voting", "poll results"].iter().any(|p| key.contains(p));
    let chinese =
        key.contains("业绩") && ["年度业绩", "中期业绩", "季度业绩", "全年业绩", "末期业绩"].iter().any(|p| key.contains(p));
    (english || chinese).then_some("results")
}

/// A study of a field: a market, an industry, a trend and the word for a report.
fn field(key: &str) -> Option<(ReportKind, &'static str)> {
    let has = |words: &[&str]| words.iter().any(|w| key.contains(w));
    let english = has(&["market", "industry", "sector", "global", "trends", "state of"])
        && has(&["report", "outlook", "survey", "review", "study", "forecast"]);
    let chinese = has(&["行业", "产业", "市场", "领域", "趋势"]) && has(&["报告", "简报", "研究", "展望", "综述", "年鉴"]);
    ((english || chinese) && key.chars().count() <= 80).then_some((ReportKind::MarketReport, "report"))
}

/// An annual report of a company says `年度报告` right after a year, a name with its legal form, or alone on its line:
/// `中国开源年度报告` is a report on a field, written once a year.
fn annual(key: &str) -> Option<(ReportKind, &'static str)> {
    for word in ["年度报告", "年报"] {
        if let Some(at) = key.find(word) {
            let before = key[..at].trim_end_matches(['年', '度', ' ', ')', '|']);
            let own = before.is_empty()
                || before.ends_with(|c: char| c.is_ascii_digit() || c == ':')
                || before.ends_with("公司")
                || before.ends_with("集团")
                || before.ends_with("银行")
                || before.ends_with("控股");
            return Some(if own { (ReportKind::Annual, word) } else { (ReportKind::MarketReport, word) });
        }
    }
    for word in [
        "annual report",
        "annual financial report",
        "annual and sustainability report",
        "integrated report",
        "universal registration document",
        "annual integrated report",
    ] {
        if key.contains(word) {
            return Some((ReportKind::Annual, word));
        }
    }
    (key == "report and accounts" || key.contains("report and financial statements")).then_some((ReportKind::Annual, "report"))
}

/// The name of a form that is not an authority's number: only what an offer calls itself.
fn named(kind: ReportKind, word: &str, line: &Line) -> Option<String> {
    (kind == ReportKind::Prospectus && super::has_han(word)).then(|| {
        let at = line.key.find(word).unwrap_or(0);
        line.shown.get(at..at + word.len()).unwrap_or(word).to_owned()
    })
}

/// A press release says so in its first lines: a wire's name, `announced … results`.
fn released(seen: &Seen) -> Option<(Fact<ReportKind>, Option<String>)> {
    let line = seen.front.page(seen.front.cover).take(15).find(|l| {
        let says = ["today announced", "today reported", "announced financial results", "announced its", "announces"]
            .iter()
            .any(|w| l.key.contains(w));
        says && (l.key.contains("financial results") || l.key.contains("results for") || l.key.contains("quarter results"))
    })?;
    Some((fact(ReportKind::EarningsRelease, 0.75, on(line)), None))
}

/// What a name like `ACME_2023Q2_10Q` says.
pub(super) fn of_file(key: &str) -> Option<(ReportKind, Option<String>)> {
    if let Some((kind, _)) = of_title(key) {
        return Some((kind, None));
    }
    for token in key.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '/') {
        let dashed = match token {
            "10k" => "10-k",
            "10q" => "10-q",
            "8k" => "8-k",
            "20f" => "20-f",
            "6k" => "6-k",
            "earnings" => return Some((ReportKind::EarningsRelease, None)),
            other => other,
        };
        if let Some(form) = form_in(dashed).filter(|f| f.len() == dashed.len()) {
            let form = form.to_uppercase();
            return Some((of_form(&form), Some(form)));
        }
    }
    let (_, year) = date::years(key).next()?;
    (key.trim().ends_with("年报") || key.contains(&format!("{year}年报"))).then_some((ReportKind::Annual, None))
}
