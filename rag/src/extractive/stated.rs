//! What do a company's own reports state a figure to be? Its statements, reviews and notes show the same figure many times, and
//! others of the same name: of a part of the company, per unit, in percent.
//!
//! A series is the figure if its label, with the group above it and its column, says all that is asked and no more. Of those that
//! are, the ones of the right statement count before others, those that several tables agree on before one alone, and the whole
//! before a part. What stays disputed is not told.

use std::collections::HashSet;

use index::lexical::fold;

use super::{
    Reader, Terms,
    compute::Found,
    facets,
    table::{FILLERS, Metric, Series, Sheet, Value, is_of_another_group, labelled, measured},
    terms,
};
use crate::{cite::Statement, period::Period, quantity::scale_of, question::Kind};

/// How near two amounts are that differ by rounding only.
const ROUNDED: f64 = 0.001;

/// A series that is the figure, with its values for the periods that are asked for.
struct Claim<'s, 'a> {
    /// How much speaks for it: its period is its column's own; the report is that of the year; what is the owners' is told as
    /// such, as asked; the statement is the right one.
    rank: (bool, bool, bool, u8),
    /// How alike its label is to the figure's name, and whether it says what it counts in.
    likeness: f32,
    /// The number of its table.
    sheet: usize,
    values: Vec<Found<'s, 'a>>,
}

impl Claim<'_, '_> {
    /// The amount of its last period.
    fn amount(&self) -> f64 {
        self.values.last().map_or(0.0, |found| found.value.number * found.sheet.scale(found.series, found.value))
    }

    fn agrees(&self, other: &Self) -> bool {
        (self.amount() - other.amount()).abs() <= ROUNDED * self.amount().abs().max(other.amount().abs())
    }
}

impl<'a> Reader<'a> {
    /// The one figure of one period that is asked for of a company, as its reports state it.
    pub(super) fn stated_once(&self, sheets: &[Sheet<'a>]) -> Option<Vec<Statement>> {
        let asks = matches!(self.kind, Kind::Number | Kind::Which | Kind::Other);
        if !self.filed || !asks || facets(self.question).len() > 1 {
            return None;
        }
        // Without a period, the figure of a company is that of the year of its newest report.
        let newest = || sheets.iter().filter_map(Sheet::year).max().map(Period::year);
        let period = self.question.periods.first().copied().or_else(newest)?;
        let found = self.stated(sheets, &self.metric(&self.question.subject), &[period])?;
        Some(found.iter().map(|found| self.said(found.sheet, found.series, found.value)).collect())
    }

    /// The values of one series for each of the periods, in the order of the periods.
    pub(super) fn stated<'s>(&self, sheets: &'s [Sheet<'a>], metric: &Metric, periods: &[Period]) -> Option<Vec<Found<'s, 'a>>> {
        if metric.concept.is_none() && !metric.names.is_empty() {
            // Several figures at once.
            return None;
        }
        let claims: Vec<Claim> =
            sheets.iter().enumerate().flat_map(|(at, sheet)| self.claims(at, sheet, metric, periods)).collect();
        let sides = |one: &Claim| {
            let tables: HashSet<usize> = claims.iter().filter(|other| one.agrees(other)).map(|other| other.sheet).collect();
            tables.len()
        };
        // Of the whole company, what is less is a part; of a part there is no telling.
        let whole = metric.rest.is_empty();
        let size = |claim: &Claim| if whole { claim.amount().abs() } else { 0.0 };
        let order = |a: &&Claim, b: &&Claim| {
            let size = size(a).total_cmp(&size(b));
            a.rank.cmp(&b.rank).then(sides(a).cmp(&sides(b))).then(size).then(a.likeness.total_cmp(&b.likeness))
        };
        let best = claims.iter().max_by(order)?;
        let mut rivals = claims.iter().filter(|other| other.rank == best.rank && !best.agrees(other));
        let outdone = |other: &Claim| sides(other) < sides(best) || size(other) < size(best);
        if !rivals.all(outdone) {
            return None;
        }
        // Of those that say the same, the one that says it best.
        let same = claims.iter().filter(|other| other.rank == best.rank && best.agrees(other));
        same.max_by(|a, b| a.likeness.total_cmp(&b.likeness)).map(|claim| claim.values.clone())
    }

    fn claims<'s>(&self, at: usize, sheet: &'s Sheet<'a>, metric: &Metric, periods: &[Period]) -> Vec<Claim<'s, 'a>> {
        let about = sheet.titles();
        let kind = self.question.pack.statement(&about);
        let wanted = metric.concept.as_ref().and_then(|concept| concept.statement.as_deref());
        let consolidated = ["consolidated", "合并"].iter().any(|word| about.contains(word));
        let statement = u8::from(kind.is_some() && kind == wanted) * (1 + u8::from(consolidated));
        let own = periods.last().is_some_and(|asked| sheet.reports.iter().any(|own| own.year == asked.year));
        let stock = wanted == Some("balance_sheet");
        let unit = metric.concept.as_ref().and_then(|concept| concept.unit);
        let mut claims = Vec::new();
        for series in &sheet.series {
            let Some(likeness) = self.names(metric, sheet, series) else { continue };
            let counts = |value: &&Value| measured(unit, series, value) && !(stock && kind == Some("cash_flow"));
            let mut surely = true;
            let of = |period: &Period| {
                let mut values = series.values.iter().filter(counts);
                values.find_map(|value| Some((self.speaks(value, *period, sheet)?, value)))
            };
            let Some(values) = periods.iter().map(of).collect::<Option<Vec<_>>>() else { continue };
            let values: Vec<Found> = values
                .into_iter()
                .map(|(sure, value)| {
                    surely &= sure >= 0.1;
                    Found { sheet, series, value }
                })
                .collect();
            let distinct = values.iter().enumerate().all(|(at, a)| values[..at].iter().all(|b| a.value.cell != b.value.cell));
            if distinct {
                let owners = of_the_owners(&self.folded) == of_the_owners(&fold(&series.label));
                let likeness = likeness + if scale_of(&sheet.unit).is_some() { 1.0 } else { 0.0 };
                claims.push(Claim { rank: (surely, own, owners, statement), likeness, sheet: at, values });
            }
        }
        claims
    }

    /// How surely a series is the figure: its label is the name, with what the question says beside it; or it is what the
    /// question says beside the name, and the name stands above.
    fn names(&self, metric: &Metric, sheet: &Sheet, series: &Series) -> Option<f32> {
        if is_of_another_group(metric, sheet, series) {
            return None;
        }
        let label = &series.label;
        let (own, column) = (terms(label), terms(&series.column));
        let fillers = terms(FILLERS);
        if !column.iter().all(|term| metric.said.contains(term) || fillers.contains(term)) {
            return None;
        }
        let beside = |found: &Terms| metric.rest.iter().filter(|term| found.contains(term)).copied().collect::<Vec<u32>>();
        let around = {
            let mut around = terms(&format!("{} {}", series.above, series.column));
            around.extend(&sheet.about);
            around
        };
        if !metric.rest.iter().all(|term| own.contains(term) || around.contains(term)) {
            return None;
        }
        let mut rest = beside(&own);
        // Both ways of counting shares are also the one that is asked for.
        let both = terms("basic diluted");
        if own.is_superset(&both) && rest.iter().any(|term| both.contains(term)) {
            rest.extend(both);
        }
        let with_rest = |name: &Vec<u32>| name.iter().copied().chain(rest.iter().copied()).collect::<Vec<u32>>();
        let exact = labelled(label, &metric.whole).map(|likeness| likeness + 0.5);
        let named = || metric.names.iter().filter_map(|name| labelled(label, &with_rest(name))).max_by(f32::total_cmp);
        let part = || {
            let group = fold(&format!("{} {}", series.above, sheet.caption)).into_owned();
            let mentions = self.question.pack.glossary.mentions(&group).0;
            let figures: Vec<_> = mentions.iter().filter(|mention| mention.figure()).map(|m| m.concept).collect();
            let only = figures.len() == 1 && Some(figures[0]) == metric.concept.as_ref();
            let whole = rest.len() == metric.rest.len() && !rest.is_empty();
            labelled(label, &rest).filter(|_| only && whole)
        };
        exact.or_else(named).or_else(part)
    }
}

/// Whether a folded text speaks of what is left for the owners of the parent company.
fn of_the_owners(folded: &str) -> bool {
    ["attributable to", "归属", "归母"].iter().any(|word| folded.contains(word))
}
