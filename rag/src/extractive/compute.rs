//! What comes out? Carries out a plan, or the definition of a ratio, on figures of the tables, and says it with its steps.
//!
//! Figures over time are taken from one series, two figures from one table, those of a ratio from one document: numbers of
//! different places may be counted differently. What cannot be found is not guessed.

use std::collections::HashSet;

use index::{
    corpus::DocumentId,
    lexical::{fold, tokens},
};

use super::{
    Reader, Terms, Word, likely,
    plan::{self, Bound, Plan, What, is_range, phrase_at},
    ratio::{self, Formula, Ratio, Shown},
    table::{Metric, Series, Sheet, Value, asking_part, labelled, undated},
    terms,
};
use crate::{
    ask::{Computation, Figure, Operation},
    cite::{Place, Statement},
    glossary::Glossary,
    period::{Part, Period},
    question::Kind,
    sentence::one_line,
};

/// Least share of what is asked that a column and what stands over it say, where its rows are set against each other.
const HEADS: f32 = 0.6;
/// What a word counts that stands over the table only.
const OVER: f32 = 0.9;

/// How near the fits of two rows are that say the same.
const ALIKE: f32 = 0.01;
/// What asks for a sum over several years, whatever the row is called.
const SUMS: &[&str] = &["sum", "combined", "altogether", "in both", "之和", "总和", "加起来", "累计", "合计"];
/// Most years that are told one by one.
const MOST_YEARS: usize = 20;

/// A value with where it stands.
#[derive(Clone, Copy)]
pub(super) struct Found<'s, 'a> {
    pub sheet: &'s Sheet<'a>,
    pub series: &'s Series,
    pub value: &'s Value,
}

/// A result before it is written: its terms, its value, its working, and how many digits behind the point tell something.
struct Worked<'s, 'a> {
    op: Operation,
    name: String,
    terms: Vec<Found<'s, 'a>>,
    result: f64,
    unit: Option<String>,
    scale: f64,
    steps: Vec<String>,
}

impl<'a> Reader<'a> {
    /// What the question wants worked out, from the tables; `None` if it wants nothing or a figure is missing.
    pub(super) fn computed(&self, sheets: &[Sheet<'a>]) -> Option<Vec<Statement>> {
        // With a condition that no table knows, or over several reports without a period, any result would be a guess.
        let reports = self.question.documents().map_or(0, |named| named.len());
        if self.conditional() || self.kind == Kind::Why {
            return None;
        }
        let plan = Plan::of(self.question);
        let of_years = plan.as_ref().is_some_and(|plan| matches!(plan.what, What::Extreme(_) | What::Beyond(_)));
        if let Some((name, ratios)) = ratio::asked(&self.folded)
            && !of_years
            && !self.states(sheets, name)
            && self.of_the_whole(name)
        {
            return self.ratio(sheets, name, &ratios);
        }
        let plan = plan.or_else(|| self.moved(sheets)).filter(|_| !self.question.periods.is_empty() || reports <= 1)?;
        match (plan.what, plan.figures.as_slice()) {
            (What::Extreme(most), [figure]) => self.extreme(sheets, figure, most),
            (What::Beyond(bound), [figure]) => self.beyond(sheets, figure, bound),
            (What::Members { counts }, [group]) => self.members(sheets, group, counts),
            (What::Leader(most), [figure]) => self.leader(sheets, figure, &plan.periods, most),
            (What::Periods, [figure]) => self.dated(sheets, figure),
            (what, [figure]) => self.over_time(sheets, what, figure, &plan.periods),
            (what, [a, b]) => self.set_against(sheets, what, a, b, plan.periods.first().copied()),
            _ => None,
        }
    }

    /// How far a figure moved in one year, or its mean over one, where no table says so itself: `the increase in interest income in
    /// 2019`, `the 2019 average inventories`.
    fn moved(&self, sheets: &[Sheet<'a>]) -> Option<Plan> {
        const MOVES: &[&str] = &["change", "increase", "decrease", "decline", "variance", "average"];
        let plan = Plan::of_one_year(self.question).filter(|plan| self.by_likelihood() && plan.figures.len() == 1)?;
        let metric = self.metric(&self.question.subject);
        let rows = sheets.iter().flat_map(|sheet| sheet.series.iter().map(move |series| (sheet, series)));
        let fits = rows.map(|(sheet, series)| (self.fit(&metric, sheet, series).score, series));
        let (_, best) = fits.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
        let said = fold(&format!("{} {}", best.label, best.column)).into_owned();
        (!MOVES.iter().any(|word| said.contains(word))).then_some(plan)
    }

    /// Two things that are asked for at once (`the sales of A and B respectively`), out of one table.
    pub(super) fn each_thing(&self, sheets: &[Sheet<'a>]) -> Option<Vec<Statement>> {
        let periods: HashSet<Period> = self.question.periods.iter().copied().collect();
        if !self.by_likelihood() || periods.len() > 1 || !self.folded.contains("respective") {
            return None;
        }
        let things = plan::things(&self.question.subject)?.map(|thing| self.metric(&thing));
        let period = self.question.periods.first();
        let mut found: Vec<(f32, Vec<Found>)> = Vec::new();
        for sheet in sheets {
            let of = |metric: &Metric| {
                let fits = sheet.series.iter().map(|series| (self.fit(metric, sheet, series), series));
                let told = fits.filter(|(fit, _)| fit.enough).filter_map(|(fit, series)| {
                    let speaks = |value: &&Value| period.is_none_or(|period| self.speaks(value, *period, sheet).is_some());
                    let named = series.values.iter().filter(speaks).find(|value| self.asks_for_column(value));
                    let value = named.or_else(|| series.values.iter().find(speaks))?;
                    Some((fit.score, Found { sheet, series, value }))
                });
                told.max_by(|(a, _), (b, _)| a.total_cmp(b))
            };
            let [Some((a, first)), Some((b, second))] = things.each_ref().map(of) else { continue };
            if first.value.cell != second.value.cell {
                found.push(((a + b) / 2.0, vec![first, second]));
            }
        }
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let ((score, best), others) = found.split_first()?;
        is_sure(*score, best, others)
            .then(|| best.iter().map(|found| self.said(found.sheet, found.series, found.value)).collect())
    }

    /// The values of one series for each of several periods that are asked for.
    pub(super) fn one_by_one(&self, sheets: &[Sheet<'a>]) -> Option<Vec<Statement>> {
        let mut periods: Vec<Period> = Vec::new();
        for period in &self.question.periods {
            if !periods.contains(period) {
                periods.push(*period);
            }
        }
        if let [first, last] = periods.as_slice()
            && let (Some(a), Some(b)) = (first.year, last.year)
            && is_range(self.question)
            && first.part == last.part
        {
            let between = a.min(b) + 1..a.max(b);
            let mut all = between.take(MOST_YEARS).map(|year| Period { year: Some(year), ..*first }).collect::<Vec<_>>();
            if a > b {
                all.reverse();
            }
            periods.splice(1..1, all);
        }
        let plain = !matches!(self.question.kind, Kind::YesNo | Kind::Why | Kind::Who | Kind::Where);
        let companies = self.question.names.iter().filter(|name| !name.documents.is_empty()).count();
        if periods.len() < 2 || !plain || companies > 1 {
            return None;
        }
        let found = self.best_over_time(sheets, What::Periods, &self.question.subject, &periods)?;
        Some(found.iter().map(|found| self.said(found.sheet, found.series, found.value)).collect())
    }

    /// Whether more is asked than a figure: what would be without something, whether it tells anything of such a company.
    fn conditional(&self) -> bool {
        let word = |w: &str| matches!(w, "if" | "excluding" | "exclude" | "unless" | "assuming");
        let asked = fold(&self.question.searched);
        asked.split(|c: char| !c.is_alphanumeric()).any(word)
            || ["如果", "假如", "假设", "剔除", "若"].iter().any(|word| asked.contains(word))
    }

    /// Whether the question wants something worked out: then no single figure of a table is its answer.
    pub(super) fn works_out(&self, sheets: &[Sheet<'a>]) -> bool {
        let works_out = |(name, _): (&str, _)| self.kind != Kind::Why && !self.states(sheets, name) && self.of_the_whole(name);
        let looks = |what: What| matches!(what, What::Leader(_) | What::Members { .. });
        let plan = Plan::of(self.question).filter(|plan| !looks(plan.what));
        ratio::asked(&self.folded).is_some_and(works_out) || plan.is_some() || self.moved(sheets).is_some()
    }

    /// A change, mean or sum of one figure over periods.
    fn over_time(&self, sheets: &[Sheet<'a>], what: What, figure: &str, periods: &[Period]) -> Option<Vec<Statement>> {
        let terms = self.best_over_time(sheets, what, figure, periods)?;
        let Found { sheet, series, .. } = *terms.first()?;
        // The total is the row itself: of several years it is told for each.
        if what == What::Sum
            && phrase_at(&fold(&series.label), "total").is_some()
            && !SUMS.iter().any(|word| self.folded.contains(word))
        {
            return Some(terms.iter().map(|found| self.said(found.sheet, found.series, found.value)).collect());
        }
        let numbers: Vec<f64> = terms.iter().map(|t| t.value.number).collect();
        let decimals = terms.iter().map(|t| t.value.decimals).max().unwrap_or(0);
        let shown: Vec<String> = terms.iter().map(bare).collect();
        let (first, last) = (*numbers.first()?, *numbers.last()?);
        let (a, b) = (shown.first()?.clone(), shown.last()?.clone());
        let unit = self.unit_of(&terms[0]);
        let name = one_line(&series.label).into_owned();
        let own = |found: &Found| found.value.when.year.map(Period::year);
        let from = periods.first().copied().or_else(|| own(&terms[0]))?;
        let to = periods.last().copied().or_else(|| terms.last().and_then(own))?;
        let span = match self.question.chinese {
            true => format!("{}至{}", from.name(true), to.name(true)),
            false => format!("from {} to {}", from.name(false), to.name(false)),
        };
        let (op, result, working, out) = match what {
            What::Growth => {
                (first != 0.0).then_some(())?;
                let result = (last - first) / first * 100.0;
                (Operation::Growth, result, format!("({b} - {a}) / {a}"), format!("{}%", number(result, 2)))
            }
            What::Change => {
                let result = last - first;
                let out = format!("{}{}", number(result, decimals), if terms[0].value.percent { "%" } else { "" });
                (Operation::Difference, result, format!("{b} - {a}"), out)
            }
            What::Average => {
                let result = numbers.iter().sum::<f64>() / numbers.len() as f64;
                let out = format!("{}{}", number(result, decimals.max(2)), if terms[0].value.percent { "%" } else { "" });
                (Operation::Average, result, format!("({}) / {}", shown.join(" + "), numbers.len()), out)
            }
            What::Sum => {
                let result = numbers.iter().sum::<f64>();
                (Operation::Sum, result, shown.join(" + "), number(result, decimals))
            }
            _ => return None,
        };
        let percent = op == Operation::Growth || terms[0].value.percent;
        let scale = if percent { 1.0 } else { sheet.scale(series, terms[0].value) };
        let place = if percent { String::new() } else { unit };
        let step = format!("{working} = {out}");
        let said = match (self.question.chinese, op) {
            (true, Operation::Growth | Operation::Difference) => format!("{name}：{span}变动{out}{place}，{step}"),
            (true, Operation::Average) => format!("{name}：{span}平均{out}{place}，{step}"),
            (true, _) => format!("{name}：{span}合计{out}{place}，{step}"),
            (false, Operation::Growth | Operation::Difference) => format!("{name}: a change of {out}{place} {span}, {step}"),
            (false, Operation::Average) => format!("{name}: {out}{place} on average {span}, {step}"),
            (false, _) => format!("{name}: {out}{place} in all {span}, {step}"),
        };
        let said = format!("{}{said}", self.yes_or_no(first, last).unwrap_or_default());
        let unit = if percent { Some("%".to_owned()) } else { sheet.figure(series, terms[0].value).unit };
        let worked = Worked { op, name, terms, result: result * scale, unit, scale, steps: vec![step] };
        Some(vec![worked.statement(said)])
    }

    /// The series that best is the figure and holds all periods, with its values for them; without periods those of the table.
    fn best_over_time<'s>(
        &self,
        sheets: &'s [Sheet<'a>],
        what: What,
        figure: &str,
        periods: &[Period],
    ) -> Option<Vec<Found<'s, 'a>>> {
        let metric = self.metric(figure);
        if self.filed && !periods.is_empty() {
            return self.stated(sheets, &metric, periods);
        }
        let mut best: Option<(f32, Vec<Found>)> = None;
        let mut others: Vec<(f32, Vec<Found>)> = Vec::new();
        for sheet in sheets {
            for series in &sheet.series {
                let fit = self.fit(&metric, sheet, series);
                if !fit.enough || !self.by_likelihood() && best.as_ref().is_some_and(|(score, _)| *score >= fit.score) {
                    continue;
                }
                let of = |period: &Period| series.values.iter().find(|value| self.speaks(value, *period, sheet).is_some());
                let values = match periods {
                    [] => series.by_year(if what == What::Average { usize::MAX } else { 2 }),
                    _ => periods.iter().map(of).collect::<Option<Vec<_>>>(),
                };
                let Some(values) = values else { continue };
                let distinct: HashSet<usize> = values.iter().map(|value| value.cell.start).collect();
                if distinct.len() == values.len() {
                    let found = values.into_iter().map(|value| Found { sheet, series, value }).collect();
                    if best.as_ref().is_none_or(|(score, _)| *score < fit.score) {
                        others.extend(best.replace((fit.score, found)));
                    } else {
                        others.push((fit.score, found));
                    }
                }
            }
        }
        let (score, found) = best?;
        (!self.by_likelihood() || is_sure(score, &found, &others)).then_some(found)
    }

    /// A share, ratio, sum or difference of two figures of one period, out of one table.
    fn set_against(&self, sheets: &[Sheet<'a>], what: What, a: &str, b: &str, period: Option<Period>) -> Option<Vec<Statement>> {
        let (first, second) = (self.metric(a), self.metric(b));
        let mut best: Option<(f32, Found, Found)> = None;
        for sheet in sheets {
            // A figure is the row that fits it best, or none of this table.
            let of = |metric| {
                let fits = sheet.series.iter().map(|series| (self.fit(metric, sheet, series), series));
                let mut fits = fits.filter(|(fit, _)| fit.enough).collect::<Vec<_>>();
                let best = fits.iter().map(|(fit, _)| fit.score).fold(f32::MIN, f32::max);
                fits.retain(|(fit, _)| fit.score > best - ALIKE);
                fits
            };
            let (left, right) = (of(&first), of(&second));
            for (fit_a, series_a) in &left {
                for (fit_b, series_b) in &right {
                    let score = fit_a.score + fit_b.score;
                    if std::ptr::eq(*series_a, *series_b) || best.as_ref().is_some_and(|(s, ..)| *s >= score) {
                        continue;
                    }
                    let speaks = |value: &&Value| period.is_none_or(|p| self.speaks(value, p, sheet).is_some());
                    let Some(value_a) = series_a.values.iter().find(speaks) else { continue };
                    let same = |value: &&Value| {
                        let column = |value: &Value| undated(&value.header);
                        speaks(value)
                            && (value.header == value_a.header || value.when == value_a.when && column(value) == column(value_a))
                    };
                    let Some(value_b) = series_b.values.iter().find(same) else { continue };
                    let found = |series, value| Found { sheet, series, value };
                    best = Some((score, found(series_a, value_a), found(series_b, value_b)));
                }
            }
        }
        let (_, a, b) = best?;
        let (x, y) = (a.value.number, b.value.number);
        let decimals = a.value.decimals.max(b.value.decimals);
        let (shown_a, shown_b) = (bare(&a), bare(&b));
        let (op, result, working, out) = match what {
            What::Share if y != 0.0 => {
                let share = format!("{}%", number(x / y * 100.0, 2));
                // A proportion may be told as a part of one.
                let part = self.folded.contains("proportion") && !self.percent;
                let out = if part { format!("{} ({share})", number(x / y, 2)) } else { share };
                (Operation::Share, x / y * 100.0, format!("{shown_a} / {shown_b}"), out)
            }
            What::Ratio if y != 0.0 => (Operation::Ratio, x / y, format!("{shown_a} / {shown_b}"), number(x / y, 2)),
            What::Sum => (Operation::Sum, x + y, format!("{shown_a} + {shown_b}"), number(x + y, decimals)),
            What::Change => (Operation::Difference, x - y, format!("{shown_a} - {shown_b}"), number(x - y, decimals)),
            _ => return None,
        };
        let (name_a, name_b) = (one_line(&a.series.label), one_line(&b.series.label));
        let when = one_line(&a.value.header).into_owned();
        let money = matches!(op, Operation::Sum | Operation::Difference);
        let place = if money { self.unit_of(&a) } else { String::new() };
        let step = format!("{working} = {out}");
        let said = match (self.question.chinese, op) {
            (true, Operation::Share) => format!("{name_a}占{name_b}的{out}（{when}），{step}"),
            (true, Operation::Ratio) => format!("{name_a}与{name_b}之比为{out}（{when}），{step}"),
            (true, Operation::Sum) => format!("{name_a}与{name_b}合计{out}{place}（{when}），{step}"),
            (true, _) => format!("{name_a}与{name_b}相差{out}{place}（{when}），{step}"),
            (false, Operation::Share) => format!("{name_a} is {out} of {name_b} ({when}), {step}"),
            (false, Operation::Ratio) => format!("{name_a} to {name_b}: {out} ({when}), {step}"),
            (false, Operation::Sum) => format!("{name_a} and {name_b}: {out}{place} together ({when}), {step}"),
            (false, _) => format!("{name_a} and {name_b} differ by {out}{place} ({when}), {step}"),
        };
        let scale = if money { a.sheet.scale(a.series, a.value) } else { 1.0 };
        let unit = match op {
            Operation::Share => Some("%".to_owned()),
            Operation::Ratio => None,
            _ => a.sheet.figure(a.series, a.value).unit,
        };
        let worked = Worked {
            op,
            name: format!("{name_a} / {name_b}"),
            terms: vec![a, b],
            result: result * scale,
            unit,
            scale,
            steps: vec![step],
        };
        Some(vec![worked.statement(said)])
    }

    /// The table and series that best is a figure and has values of several years, with those of the years that are asked for.
    fn by_years<'s>(&self, sheets: &'s [Sheet<'a>], figure: &str) -> Option<(&'s Sheet<'a>, &'s Series, Vec<&'s Value>)> {
        let metric = self.metric(figure);
        let mut best: Option<(f32, &Sheet, &Series)> = None;
        for sheet in sheets {
            for series in &sheet.series {
                let fit = self.fit(&metric, sheet, series);
                let years: HashSet<i32> = series.values.iter().filter_map(|v| v.when.year).collect();
                if fit.enough && years.len() >= 2 && best.as_ref().is_none_or(|(score, ..)| *score < fit.score) {
                    best = Some((fit.score, sheet, series));
                }
            }
        }
        let (_, sheet, series) = best?;
        let asked: HashSet<i32> = self.question.periods.iter().filter_map(|p| p.year).collect();
        let among =
            |value: &&Value| value.when.is_dated() && (asked.len() < 2 || value.when.year.is_some_and(|y| asked.contains(&y)));
        Some((sheet, series, series.values.iter().filter(among).collect()))
    }

    /// The years in which a figure was above a bound, or below it.
    fn beyond(&self, sheets: &[Sheet<'a>], figure: &str, bound: Bound) -> Option<Vec<Statement>> {
        let (sheet, series, values) = self.by_years(sheets, figure)?;
        let outside = |value: &&&Value| {
            let scale = sheet.scale(series, value);
            // Where the table does not say what it counts in, both are taken as they are written.
            let (number, bound_of) =
                if scale == 1.0 { (value.number, bound.written) } else { (value.number * scale, bound.value) };
            // `$(5)`: costs are spoken of without their sign.
            let number = if bound_of >= 0.0 && is_cost(&fold(&series.label), &series.label) { number.abs() } else { number };
            if bound.above { number > bound_of } else { number < bound_of }
        };
        let (found, rest): (Vec<&&Value>, Vec<&&Value>) = values.iter().partition(outside);
        let name = one_line(&series.label);
        let shown = |values: &[&&Value]| {
            let one = |value: &&&Value| {
                let year = value.when.year.map(|year| year.to_string()).unwrap_or_default();
                let shown = bare(&Found { sheet, series, value });
                if self.question.chinese { format!("{year}年（{shown}）") } else { format!("{year} ({shown})") }
            };
            values.iter().map(one).collect::<Vec<_>>().join(if self.question.chinese { "、" } else { ", " })
        };
        let unit = super::table::unit_in_brackets(&sheet.unit);
        let said = match (self.question.chinese, bound.counts, found.is_empty()) {
            (true, _, true) => format!("{name}{unit}：没有一年，{}", shown(&rest)),
            (false, _, true) => format!("{name}{unit}: in none of the years, {}", shown(&rest)),
            (true, true, _) => format!("{name}{unit}：{}年，{}", found.len(), shown(&found)),
            (false, true, _) => format!("{name}{unit}: {} of {} years, {}", found.len(), values.len(), shown(&found)),
            (true, false, _) => format!("{name}{unit}：{}", shown(&found)),
            (false, false, _) => format!("{name}{unit}: {}", shown(&found)),
        };
        let places = found.iter().chain(&rest).map(|value| Found { sheet, series, value });
        Some(vec![placed(said, places)])
    }

    /// The rows that a table has under the name of a group, up to the one that sums them up.
    fn members(&self, sheets: &[Sheet<'a>], group: &str, counts: bool) -> Option<Vec<Statement>> {
        let metric = self.metric(group);
        let wanted: Terms = metric.whole.iter().copied().collect();
        let mut best: Option<(f32, &str, Vec<Found>)> = None;
        for sheet in sheets {
            let mut at = 0;
            while let Some(first) = sheet.series.get(at) {
                let name = first.group();
                let held = terms(&undated(name));
                let same = sheet.series[at..].iter().take_while(|series| series.group() == name).count();
                let rows = &sheet.series[at..at + same];
                at += same;
                let named = !wanted.is_empty() && held.is_superset(&wanted) && held.len() <= wanted.len() + 2;
                let score = wanted.len() as f32 / held.len().max(1) as f32 + sheet.standing;
                if !named || best.as_ref().is_some_and(|(known, ..)| *known >= score) {
                    continue;
                }
                let sums_up = |series: &Series| {
                    let label = fold(&series.label);
                    terms(&series.label).is_superset(&held)
                        || ["total", "less", "合计", "小计", "减"].iter().any(|word| phrase_at(&label, word).is_some())
                };
                let mut members: Vec<Found> = Vec::new();
                for series in rows.iter().take_while(|series| !sums_up(series)) {
                    let Some(value) = series.values.first() else { continue };
                    if members.last().is_none_or(|last| last.value.line != value.line) {
                        members.push(Found { sheet, series, value });
                    }
                }
                if members.len() >= 2 {
                    best = Some((score, name, members));
                }
            }
        }
        let (_, name, members) = best?;
        let name = one_line(name.trim_end_matches([':', '：']));
        let labels: Vec<String> = members.iter().map(|found| one_line(found.series.label.trim()).into_owned()).collect();
        let said = match (self.question.chinese, counts) {
            (true, true) => format!("{name}：{}项，{}", labels.len(), labels.join("、")),
            (true, false) => format!("{name}：{}", labels.join("、")),
            (false, true) => format!("{name}: {}, which are {}", labels.len(), labels.join("; ")),
            (false, false) => format!("{name}: {}", labels.join("; ")),
        };
        Some(vec![placed(said, members.into_iter())])
    }

    /// The period in which a figure was most, or least.
    fn extreme(&self, sheets: &[Sheet<'a>], figure: &str, most: bool) -> Option<Vec<Statement>> {
        let (sheet, series, values) = self.by_years(sheets, figure)?;
        let order = |a: &&&Value, b: &&&Value| a.number.total_cmp(&b.number);
        let winner = if most { values.iter().max_by(order) } else { values.iter().min_by(order) }?;
        let winner = Found { sheet, series, value: winner };
        let others = values.iter().filter(|value| value.cell != winner.value.cell).map(|value| Found { sheet, series, value });
        let others: Vec<Found> = others.collect();
        let year = winner.value.when.year?;
        let (name, shown) = (one_line(&series.label), bare(&winner));
        let rest: Vec<String> = others.iter().map(bare).collect();
        let said = match (self.question.chinese, most) {
            (true, true) => format!("{year}年{name}最高：{shown}；其他年度：{}", rest.join("、")),
            (true, false) => format!("{year}年{name}最低：{shown}；其他年度：{}", rest.join("、")),
            (false, true) => format!("{year}: {name} was highest with {shown}, against {}", rest.join(", ")),
            (false, false) => format!("{year}: {name} was lowest with {shown}, against {}", rest.join(", ")),
        };
        Some(vec![placed(said, std::iter::once(winner).chain(others))])
    }

    /// Whose figure is most, or least: the rows of one column, set against each other.
    fn leader(&self, sheets: &[Sheet<'a>], figure: &str, periods: &[Period], most: bool) -> Option<Vec<Statement>> {
        let metric = self.metric(figure);
        let mut best: Option<(f32, Vec<Found>)> = None;
        for sheet in sheets {
            if !rows_of(&self.folded, &sheet.corner) {
                continue;
            }
            let forecast = |value: &Value| ["forecast", "预测", "预计"].iter().any(|word| fold(&value.header).contains(word));
            let actual = sheet.series.iter().flat_map(|series| &series.values).filter(|value| !forecast(value));
            let latest = actual.filter_map(|value| value.when.year).max().filter(|_| periods.is_empty());
            let mut columns: Vec<(String, Vec<Found>)> = Vec::new();
            for series in sheet.series.iter().filter(|series| !is_rest(&series.label)) {
                for value in &series.values {
                    let speaks = |period: &Period| self.speaks(value, *period, sheet).is_some();
                    let other = !periods.is_empty() && !periods.iter().any(speaks)
                        || latest.is_some_and(|year| value.when.year != Some(year));
                    if other || forecast(value) && !self.asks_plans() {
                        continue;
                    }
                    let found = Found { sheet, series, value };
                    match columns.iter_mut().find(|(header, _)| *header == value.header) {
                        Some((_, rows)) => rows.push(found),
                        None => columns.push((value.header.clone(), vec![found])),
                    }
                }
            }
            for (header, rows) in columns.into_iter().filter(|(_, rows)| rows.len() >= 3) {
                let score = self.heads(&metric, sheet, &header);
                let labels: HashSet<&str> = rows.iter().map(|row| row.series.label.as_str()).collect();
                let better = best.as_ref().is_none_or(|(known, _)| score > *known);
                if score >= HEADS && better && labels.len() == rows.len() {
                    best = Some((score, rows));
                }
            }
        }
        let (_, mut rows) = best?;
        rows.sort_by(|a, b| b.value.number.total_cmp(&a.value.number));
        if !most {
            rows.reverse();
        }
        let [first, second, ..] = rows.as_slice() else { return None };
        if first.value.number == second.value.number {
            return None;
        }
        let name = |row: &Found| one_line(row.series.label.trim()).into_owned();
        let (a, b, header, unit) = (bare(first), bare(second), one_line(&first.value.header).into_owned(), self.unit_of(first));
        let said = match (self.question.chinese, most) {
            (true, true) => format!("{}最高，{header}为{a}{unit}；其次是{}，{b}", name(first), name(second)),
            (true, false) => format!("{}最低，{header}为{a}{unit}；其次是{}，{b}", name(first), name(second)),
            (false, true) => format!("{} is highest ({header}: {a}{unit}), before {} with {b}", name(first), name(second)),
            (false, false) => format!("{} is lowest ({header}: {a}{unit}), before {} with {b}", name(first), name(second)),
        };
        Some(vec![placed(said, rows.iter().take(2).copied())])
    }

    /// How much of a figure's name a column says, with what stands over its table.
    fn heads(&self, metric: &Metric, sheet: &Sheet, header: &str) -> f32 {
        let own = terms(&header.replace('_', " "));
        let total: f32 = metric.words.iter().map(|word| word.weight).sum();
        let held = |word: &Word| word.share(&own).max(OVER * word.share(&sheet.about));
        let said = metric.words.iter().map(|word| word.weight * held(word)).sum::<f32>() / total.max(1e-6);
        said + sheet.standing
    }

    /// The periods for which a table has a figure.
    fn dated(&self, sheets: &[Sheet<'a>], figure: &str) -> Option<Vec<Statement>> {
        let metric = self.metric(figure);
        let fits = sheets.iter().flat_map(|sheet| sheet.series.iter().map(move |series| (sheet, series)));
        let fits = fits.map(|(sheet, series)| (self.fit(&metric, sheet, series), sheet, series));
        let dated = fits.filter(|(fit, _, series)| fit.enough && series.values.iter().any(|v| v.when.year.is_some()));
        let (_, sheet, series) = dated.max_by(|(a, ..), (b, ..)| a.score.total_cmp(&b.score))?;
        let mut years: Vec<i32> = Vec::new();
        for year in series.values.iter().filter_map(|v| v.when.year) {
            if !years.contains(&year) {
                years.push(year);
            }
        }
        let years: Vec<String> = years.iter().map(i32::to_string).collect();
        let name = one_line(&series.label);
        let said = match self.question.chinese {
            true => format!("{name}：{}", years.join("、")),
            false => format!("{name}: {}", years.join(", ")),
        };
        Some(vec![placed(said, series.values.iter().take(1).map(|value| Found { sheet, series, value }))])
    }

    /// Whether a table states a ratio for what is asked, by the name that is asked for or another one that the pack knows, so that
    /// it need not be worked out.
    fn states(&self, sheets: &[Sheet], name: &str) -> bool {
        let known = self.question.pack.glossary.concept(name).into_iter().flat_map(|concept| &concept.names);
        let names: Vec<Terms> = known.map(String::as_str).chain([name]).map(terms).collect();
        let asked = &self.question.periods;
        // Whether it rose is told by two values and no word.
        let told = !asked.is_empty() && self.question.kind != Kind::YesNo;
        told && sheets.iter().any(|sheet| {
            let named = |series: &&Series| {
                let held = terms(&series.label);
                names.iter().any(|name| name.is_subset(&held) && held.len() <= name.len() + 2)
            };
            let speaks =
                |series: &Series| asked.iter().all(|p| series.values.iter().any(|v| self.speaks(v, *p, sheet).is_some()));
            sheet.series.iter().filter(named).any(speaks)
        })
    }

    /// Whether a ratio is asked for of the whole company, and not of a part of it.
    fn of_the_whole(&self, name: &str) -> bool {
        let subject = asking_part(&self.question.subject, &self.question.pack.glossary);
        let mut inside = 0;
        let bare = subject.chars().filter(|c| {
            inside += i32::from(*c == '(') - i32::from(*c == ')');
            inside == 0
        });
        let rest = fold(&bare.collect::<String>()).replace(name, " ");
        self.telling(&rest).is_empty()
    }

    /// A ratio by its definition, for each period, out of one document.
    fn ratio(&self, sheets: &[Sheet<'a>], name: &str, ratios: &[&Ratio]) -> Option<Vec<Statement>> {
        let mut documents: Vec<DocumentId> = Vec::new();
        for sheet in sheets {
            if !documents.contains(&sheet.document) {
                documents.push(sheet.document);
            }
        }
        // Without the name of a company any table would do, and none would be right.
        if documents.len() > 1 && self.question.documents().is_none() {
            return None;
        }
        // Without a period the newest annual report is meant.
        if self.question.periods.is_empty() {
            let year = |document: &DocumentId| sheets.iter().find(|sheet| sheet.document == *document)?.year();
            documents.retain(|document| year(document).is_some());
            documents.sort_by_key(|document| std::cmp::Reverse(year(document)));
            documents.truncate(1);
        }
        let per_document = documents.iter().flat_map(|document| ratios.iter().map(move |ratio| (*document, *ratio)));
        per_document.into_iter().find_map(|(document, ratio)| self.ratio_of(sheets, document, name, ratio))
    }

    fn ratio_of(&self, sheets: &[Sheet<'a>], document: DocumentId, name: &str, ratio: &Ratio) -> Option<Vec<Statement>> {
        let own: Vec<&Sheet<'a>> = sheets.iter().filter(|sheet| sheet.document == document).collect();
        let report = own.first()?.year();
        let periods = self.ratio_periods(report)?;
        let mut worked = Vec::new();
        for period in &periods {
            let mut found = Vec::new();
            let (value, working) = self.formula(sheets, &own, &ratio.formula, *period, &mut found)?;
            value.is_finite().then_some(())?;
            worked.push((*period, value, working, found));
        }
        let factor = if ratio.shown == Shown::Percent { 100.0 } else { 1.0 };
        let show = |value: f64| match ratio.shown {
            Shown::Percent => format!("{}%", number(value * 100.0, 2)),
            Shown::Times => number(value, 2),
            Shown::Days => number(value, 1),
            Shown::Money => number(value, 1),
        };
        let steps: Vec<String> = worked
            .iter()
            .map(|(period, value, working, _)| format!("{}: {working} = {}", period.name(self.question.chinese), show(*value)))
            .collect();
        let (first, last) = (worked.first()?.1, worked.last()?.1);
        let chinese = self.question.chinese;
        let averaged = periods.len() > 1 && ["average", "平均"].iter().any(|w| self.folded.contains(w));
        let mean = worked.iter().map(|(_, value, ..)| value).sum::<f64>() / worked.len() as f64;
        let terms: Vec<Found> = worked.iter().rev().flat_map(|(_, _, _, found)| found.iter().copied()).collect();
        let unit = match (ratio.shown, terms.first()) {
            (Shown::Money, Some(term)) => self.unit_of(term),
            (Shown::Days, _) => (if chinese { "天" } else { " days" }).to_owned(),
            _ => String::new(),
        };
        let each: Vec<String> = worked
            .iter()
            .rev()
            .map(|(period, value, working, _)| match chinese {
                true => format!("{}为{}{unit}（{working}）", period.name(true), show(*value)),
                false => format!("{}{unit} in {} ({working})", show(*value), period.name(false)),
            })
            .collect();
        let said = match (chinese, averaged) {
            (true, true) => format!("{name}：平均{}{unit}；{}", show(mean), each.join("，")),
            (true, false) => format!("{name}：{}", each.join("，")),
            (false, true) => format!("{name}: {}{unit} on average; {}", show(mean), each.join(", ")),
            (false, false) => format!("{name}: {}", each.join(", ")),
        };
        let trend = if periods.len() == 2 && !averaged { self.trend(first, last) } else { String::new() };
        let yes = if periods.len() == 2 { self.yes_or_no(first * factor, last * factor).unwrap_or_default() } else { "" };
        let result = if averaged { mean } else { last } * factor;
        let (unit, scale) = match ratio.shown {
            Shown::Percent => (Some("%".to_owned()), 1.0),
            Shown::Days => (Some("days".to_owned()), 1.0),
            Shown::Times => (None, 1.0),
            Shown::Money => {
                let term = terms.first()?;
                (term.sheet.figure(term.series, term.value).unit, term.sheet.scale(term.series, term.value))
            }
        };
        let worked =
            Worked { op: Operation::Definition, name: name.to_owned(), terms, result: result * scale, unit, scale, steps };
        Some(vec![worked.statement(format!("{yes}{said}{trend}"))])
    }

    /// The periods a ratio is asked for: with the year before where it is asked how it went.
    fn ratio_periods(&self, report: Option<i32>) -> Option<Vec<Period>> {
        const TREND: &[&str] =
            &["improv", "declin", "increas", "decreas", "consistent", "trend", "compare", "提高", "下降", "改善", "变化", "上升"];
        let mut years: Vec<i32> = self.question.periods.iter().filter_map(|p| p.year).collect();
        if self.question.periods.iter().any(|p| !matches!(p.part, Part::Year | Part::Month(12))) {
            return None;
        }
        if years.is_empty() {
            years.extend(report);
        }
        years.sort_unstable();
        years.dedup();
        let (first, last) = (*years.first()?, *years.last()?);
        if years.len() == 1 && TREND.iter().any(|word| self.folded.contains(word)) {
            years = vec![first - 1, first];
        } else if years.len() == 2 && last - first > 1 && ["average", "平均"].iter().any(|w| self.folded.contains(w)) {
            years = (first..=last).take(20).collect();
        }
        Some(years.into_iter().map(Period::year).collect())
    }

    fn formula<'s>(
        &self,
        all: &'s [Sheet<'a>],
        sheets: &[&'s Sheet<'a>],
        formula: &Formula,
        period: Period,
        found: &mut Vec<Found<'s, 'a>>,
    ) -> Option<(f64, String)> {
        match formula {
            Formula::Number(n) => Some((*n, number(*n, 2))),
            Formula::Figure(name) => {
                // Else as the company's statements agree on it; what only a note or a segment says is not built on.
                let stated = || {
                    let own = |found: &Found| {
                        sheets.iter().any(|sheet| sheet.document == found.sheet.document)
                            && self.question.pack.statement(&found.sheet.titles()).is_some()
                    };
                    let found = self.stated(all, &self.metric(name), &[period]).filter(|_| self.filed)?;
                    found.into_iter().find(own)
                };
                let term = self.figure_called(sheets, name, period, found).or_else(stated)?;
                found.push(term);
                Some((signed(name, &term), bare_abs(name, &term)))
            }
            Formula::Average(name) => {
                let before = Period { year: period.year.map(|y| y - 1), ..period };
                let (a, b) = (self.figure_called(sheets, name, before, found)?, self.figure_called(sheets, name, period, found)?);
                found.extend([a, b]);
                let mean = (signed(name, &a) + signed(name, &b)) / 2.0;
                Some((mean, format!("(({} + {}) / 2)", bare_abs(name, &a), bare_abs(name, &b))))
            }
            Formula::Both(left, op, right) => {
                let (x, said_x) = self.formula(all, sheets, left, period, found)?;
                let (y, said_y) = self.formula(all, sheets, right, period, found)?;
                let nested = |f: &Formula, said: String| match f {
                    Formula::Both(_, '+' | '-', _) if matches!(op, '*' | '/') => format!("({said})"),
                    _ => said,
                };
                let value = match op {
                    '+' => x + y,
                    '-' => x - y,
                    '*' => x * y,
                    _ if y == 0.0 => return None,
                    _ => x / y,
                };
                Some((value, format!("{} {op} {}", nested(left, said_x), nested(right, said_y))))
            }
        }
    }

    /// The value of a period that is labelled with a name, and nothing but that name; of a consolidated statement first, and of
    /// the page where the others were found, if they are of its kind.
    fn figure_called<'s>(
        &self,
        sheets: &[&'s Sheet<'a>],
        name: &str,
        period: Period,
        others: &[Found<'s, 'a>],
    ) -> Option<Found<'s, 'a>> {
        let names = called(name, &self.question.pack.glossary);
        let stock = is_stock(name);
        let mut found: Vec<(f32, bool, Found)> = Vec::new();
        for (at, sheet) in sheets.iter().enumerate() {
            let about = sheet.titles();
            let statement = ["statement", "balance sheet", "financial position", "利润表", "资产负债表", "现金流量表"]
                .iter()
                .any(|word| about.contains(word));
            let consolidated = ["consolidated", "合并"].iter().any(|word| about.contains(word));
            for series in &sheet.series {
                let Some(likeness) = names.iter().filter_map(|n| labelled(&series.label, n)).max_by(f32::total_cmp) else {
                    continue;
                };
                // The change of a stock over a year, in the statement of cash flows, is not the stock.
                let speaks = |value: &&Value| {
                    !(value.percent || stock && value.when.spans_time()) && self.speaks(value, period, sheet).is_some()
                };
                let Some(value) = series.values.iter().find(speaks) else { continue };
                let score = likeness
                    + if statement { 0.5 } else { 0.0 }
                    + if consolidated { 0.3 } else { 0.0 }
                    + 0.01 * sheet.series.len().min(40) as f32
                    - 0.001 * at as f32;
                found.push((score, statement, Found { sheet, series, value }));
            }
        }
        let page = |term: &Found| (term.sheet.document, term.sheet.part);
        let beside = |term: &Found| others.iter().any(|other| page(other) == page(term));
        let same_page: Vec<_> = found.iter().filter(|(.., term)| beside(term)).copied().collect();
        if let Some(term) = self.agreed(same_page) {
            return Some(term);
        }
        // A balance sheet that leaves a figure out is not filled up from another one.
        let amount = |(.., term): &(f32, bool, Found)| term.value.number * term.sheet.scale(term.series, term.value);
        let disputed = || found.iter().any(|other| found.first().map(amount) != Some(amount(other)));
        if stock && others.iter().any(|other| is_stock(&fold(&other.series.label))) && disputed() {
            return None;
        }
        self.agreed(found)
    }

    /// The one that tables agree on. Those of a consolidated statement come first; a table that disagrees speaks of a part of
    /// the company, as it does where it is less full and its amount is less.
    fn agreed<'s>(&self, mut found: Vec<(f32, bool, Found<'s, 'a>)>) -> Option<Found<'s, 'a>> {
        if found.iter().any(|(_, statement, _)| *statement) {
            found.retain(|(_, statement, _)| *statement);
        }
        let amount = |found: &Found| found.value.number * found.sheet.scale(found.series, found.value);
        let near = |a: &Found, b: &Found| (amount(a) - amount(b)).abs() <= 0.001 * amount(a).abs();
        let sides = |one: &Found| found.iter().filter(|(.., other)| near(one, other)).count();
        let (score, _, best) = *found.iter().max_by(|a, b| sides(&a.2).cmp(&sides(&b.2)).then(a.0.total_cmp(&b.0)))?;
        let others = || found.iter().filter(|(.., other)| !near(&best, other));
        let whole = others().all(|(less, _, other)| *less < score && amount(other).abs() < amount(&best).abs());
        (2 * sides(&best) > found.len() || whole).then_some(best)
    }

    /// `Yes: ` or `No: ` for a question that asks whether something rose, fell, changed or stayed.
    fn yes_or_no(&self, before: f64, after: f64) -> Option<&'static str> {
        if self.question.kind != Kind::YesNo {
            return None;
        }
        let has = |words: &[&str]| words.iter().any(|word| self.folded.contains(word));
        let up = has(&["improv", "increas", "grow", "grew", "rise", "rose", "higher", "提高", "上升", "增长", "增加", "改善"]);
        let down = has(&["declin", "decreas", "drop", "fall", "fell", "lower", "reduc", "下降", "减少", "降低"]);
        let steady = has(&["consistent", "stable", "steady", "稳定"]);
        let yes = match (up, down, steady) {
            (true, true, _) => return None,
            (true, false, _) => after > before,
            (false, true, _) => after < before,
            // A ratio that moves by two points in a year is no longer steady.
            (false, false, true) => (after - before).abs() <= 2.0,
            _ => after != before,
        };
        Some(match (self.question.chinese, yes) {
            (true, true) => "是的：",
            (true, false) => "不是：",
            (false, true) => "Yes: ",
            (false, false) => "No: ",
        })
    }

    fn trend(&self, before: f64, after: f64) -> String {
        let word = match (self.question.chinese, after.total_cmp(&before)) {
            (true, std::cmp::Ordering::Less) => "，有所下降",
            (true, std::cmp::Ordering::Greater) => "，有所上升",
            (false, std::cmp::Ordering::Less) => ": it declined",
            (false, std::cmp::Ordering::Greater) => ": it rose",
            _ => "",
        };
        if word.contains("rose") && self.folded.contains("improv") { ": it improved".into() } else { word.into() }
    }

    fn unit_of(&self, term: &Found) -> String {
        super::table::unit_in_brackets(&term.sheet.unit)
    }
}

impl Worked<'_, '_> {
    fn statement(self, said: String) -> Statement {
        let figures: Vec<Figure> = self.terms.iter().map(|t| t.sheet.figure(t.series, t.value)).collect();
        let result = Figure { name: self.name, value: self.result, unit: self.unit, scale: self.scale, marker: None };
        let computation = Computation { op: self.op, terms: figures, result, steps: self.steps };
        Statement { computation: Some(computation), ..placed(said, self.terms.into_iter()) }
    }
}

/// Whether figures are surely those that are meant, and not those of another document that are called alike.
fn is_sure(score: f32, found: &[Found], others: &[(f32, Vec<Found>)]) -> bool {
    let of = |found: &[Found]| found.first().map(|first| first.sheet.document);
    let amounts = |found: &[Found]| found.iter().map(|found| found.value.number).collect::<Vec<f64>>();
    let others = others.iter().filter(|(_, other)| of(other) != of(found) && amounts(other) != amounts(found));
    likely::surely(score, others.filter_map(|(score, other)| Some((of(other)?, *score))))
}

/// A statement that rests on several values.
fn placed<'s, 'a: 's>(said: String, terms: impl Iterator<Item = Found<'s, 'a>>) -> Statement {
    let mut places = terms.map(|term| term.sheet.place(term.value));
    let Place { hit, part, quote, focus } = places.next().unwrap_or_default();
    Statement { text: said, hit, part, quote, focus, further: places.collect(), ..Statement::default() }
}

/// A figure's names in reports, as terms.
fn called(name: &str, glossary: &Glossary) -> Vec<Vec<u32>> {
    match glossary.mentions(&fold(name)).0.as_slice() {
        [mention] => mention.concept.terms().to_vec(),
        _ => vec![tokens(name).iter().map(|token| index::lexical::term(token)).collect()],
    }
}

/// Costs and payments are counted as they are spoken of, whichever sign a statement gives them.
fn signed(name: &str, term: &Found) -> f64 {
    if is_cost(name, &term.series.label) { term.value.number.abs() } else { term.value.number }
}

fn bare_abs(name: &str, term: &Found) -> String {
    if is_cost(name, &term.series.label) { number(term.value.number.abs(), term.value.decimals) } else { bare(term) }
}

/// Whether a figure is what there is at a date, and not what flows over a time.
fn is_stock(name: &str) -> bool {
    const STOCKS: &[&str] = &[
        "assets",
        "liabilities",
        "inventor",
        "receivable",
        "payable",
        "equity",
        "property",
        "cash and cash",
        "debt",
        "goodwill",
    ];
    STOCKS.iter().any(|word| name.contains(word))
}

fn is_cost(name: &str, label: &str) -> bool {
    ["cost", "expense", "expenditure", "paid", "research"].iter().any(|word| name.contains(word))
        && !fold(label).contains("benefit")
}

fn bare(term: &Found) -> String {
    let shown = number(term.value.number, term.value.decimals);
    if term.value.percent { format!("{shown}%") } else { shown }
}

/// Whether the rows of a table may be what a question asks to choose from, by what heads their labels.
fn rows_of(folded: &str, corner: &str) -> bool {
    const KINDS: [&[&str]; 3] = [
        &["country", "region", "province", "state", "city", "国家", "地区", "省", "城市", "区域"],
        &["company", "operator", "supplier", "customer", "vendor", "企业", "公司", "厂商", "客户", "供应商"],
        &["segment", "product", "category", "application", "业务", "产品", "分部", "板块", "品类", "场景"],
    ];
    let corner = fold(corner);
    let of = |text: &str| KINDS.iter().position(|words| words.iter().any(|word| text.contains(word)));
    of(&corner).is_none_or(|rows| of(folded).is_none_or(|asked| asked == rows))
}

/// Whether a row sums up others, or is what is left of them.
fn is_rest(label: &str) -> bool {
    const WORDS: &[&str] = &["合计", "总计", "小计", "其他", "其它", "平均", "total", "other", "rest of", "average", "all "];
    let label = fold(label);
    WORDS.iter().any(|word| label.contains(word))
}

/// A number with thousands separators and at most so many decimals.
fn number(value: f64, decimals: usize) -> String {
    let text = format!("{:.*}", decimals, value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !zero { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::{super::table::tells_more, *};

    #[test]
    fn what_only_asks_how_it_went_names_no_part_of_a_company() {
        let check = |text: &str, wanted: bool| assert_eq!(tokens(text).iter().any(|token| tells_more(token)), wanted, "{text}");
        check("improving profile", false);
        check("historically consistent", false);
        check("average increased or decreased", false);
        check("是否有所提高", false);
        check("rigid packaging", true);
        check("谐波减速器", true);
    }

    #[test]
    fn numbers_are_grouped_and_rounded() {
        for (value, decimals, wanted) in
            [(1234567.0, 0, "1,234,567"), (-1234.56, 1, "-1,234.6"), (-0.001, 2, "0.00"), (0.685, 2, "0.69"), (12.0, 0, "12")]
        {
            assert_eq!(number(value, decimals), wanted);
        }
    }

    #[test]
    fn a_label_is_a_name_with_remarks_and_numbering_but_not_with_another_word() {
        let check = |label: &str, name: &str, wanted: bool| {
            let found = called(name, &crate::pack::Pack::standard().glossary).iter().any(|n| labelled(label, n).is_some());
            assert_eq!(found, wanted, "{label} as {name}");
        };
        check("Net sales", "revenue", true);
        check("Total net revenues", "revenue", true);
        check("Cost of sales", "revenue", false);
        check("Revenue from services", "revenue", false);
        check("Property, plant, and equipment, net", "property, plant and equipment", true);
        check("Net earnings attributable to Acme shareholders", "net income", true);
        check("一、营业总收入", "revenue", true);
        check("减：营业成本", "cost of sales", true);
        check("其他业务收入", "revenue", false);
        check("Total assets", "net assets", false);
        check("Revenue (including discontinued operations)", "revenue", false);
        assert_eq!(labelled("110,881,363 (2021: 110,618,049)", &[]), None);
    }
}
