//! Do two sources disagree? A figure that two documents state differently is shown from both, with the date of each: which one
//! holds is for the reader to say.
//!
//! Only what is surely the same figure counts: the same company and period, no other figure in the sentence that could be meant,
//! and a difference that neither rounding nor a scale left to the head of a table explains.

use index::{corpus::DocumentId, hit::Source, lexical::fold};

use crate::{
    cite::Statement,
    evidence::Evidence,
    extractive::table::bare_label,
    period::{Period, periods},
    quantity::{Quantity, Unit, quantities},
    question::{Name, Question, years},
};

/// A statement that may answer, as far as its figure is concerned.
pub(crate) struct Claim<'a> {
    pub statement: &'a Statement,
    pub document: DocumentId,
    pub period: Option<Period>,
    pub score: f32,
}

/// Another statement must be nearly as good as the best one to stand against it.
const RIVAL: f32 = 0.9;

/// The two sides of a disagreement, as they are shown, and what is said of it.
pub(crate) fn dispute(question: &Question, evidence: &Evidence, claims: &[Claim]) -> Option<(Vec<Statement>, String)> {
    let best = claims.first()?;
    let source = |claim: &Claim| evidence.hits.get(claim.statement.hit).map(|hit| &hit.passage.document);
    let (ours, figure) = (source(best)?, figure(question, evidence, best.statement)?);
    let rival = claims.iter().skip(1).take_while(|claim| claim.score >= RIVAL * best.score).find(|claim| {
        claim.document != best.document
            && claim.period == best.period
            && source(claim).is_some_and(|theirs| distinct(ours, theirs) && comparable(question, ours, theirs))
            && one_thing(evidence, best.statement, claim.statement)
            && self::figure(question, evidence, claim.statement).is_some_and(|other| differ(&figure, &other))
    })?;
    let theirs = source(rival)?;
    let side = |claim: &Claim, source: &Source| {
        let date = source.metadata.get("date").and_then(serde_json::Value::as_str).map(|date| match question.chinese {
            true => format!("（{date}）"),
            false => format!(" ({date})"),
        });
        let text = match question.chinese {
            true => format!("{}{}：{}", source.title, date.unwrap_or_default(), claim.statement.text),
            false => format!("{}{}: {}", source.title, date.unwrap_or_default(), claim.statement.text),
        };
        Statement { text, ..claim.statement.clone() }
    };
    let said = if question.chinese { "两份资料的说法不一致。" } else { "The two sources disagree." };
    Some((vec![side(best, ours), side(rival, theirs)], said.to_owned()))
}

/// Whether a reader can tell two sources apart: by their titles, or by what is known of them.
fn distinct(a: &Source, b: &Source) -> bool {
    a.title != b.title || a.metadata.get("date") != b.metadata.get("date")
}

/// Whether two documents speak of one thing: reports of the company and for the period that the question names, or texts that are
/// reports of nobody.
fn comparable(question: &Question, a: &Source, b: &Source) -> bool {
    let one = |name: &Name| name.documents.contains(&a.id) && name.documents.contains(&b.id);
    match question.documents() {
        Some(_) => question.names.iter().any(one) && !question.periods.is_empty(),
        None => !question.periods.is_empty() || years(a).is_empty() && years(b).is_empty(),
    }
}

/// Whether two statements call their figure alike: a profit is not the owners' part of it.
fn one_thing(evidence: &Evidence, a: &Statement, b: &Statement) -> bool {
    let called = |statement: &Statement| {
        let [name, .., _] = statement.focus.as_slice() else { return None };
        let page = evidence.page(evidence.hits.get(statement.hit)?, statement.part)?;
        Some(fold(bare_label(page.text.get(name.clone())?)).replace(' ', ""))
    };
    let says = |statement: &Statement, name: &str| fold(&statement.text).replace(' ', "").contains(name);
    match (called(a), called(b)) {
        (Some(a), Some(b)) => a == b,
        (Some(name), None) => says(b, &name),
        (None, Some(name)) => says(a, &name),
        (None, None) => true,
    }
}

/// The one figure that a statement states.
fn figure(question: &Question, evidence: &Evidence, statement: &Statement) -> Option<Quantity> {
    if let Some(cell) = statement.focus.last() {
        let page = evidence.page(evidence.hits.get(statement.hit)?, statement.part)?;
        return quantities(page.text.get(cell.clone())?).into_iter().next();
    }
    let text = &statement.text;
    let dated = periods(text);
    let mut amounts = quantities(text).into_iter().filter(|q| {
        q.is_amount()
            && !question.text.contains(text[q.range.clone()].trim())
            && !dated.iter().any(|(range, _)| range.start < q.range.end && q.range.start < range.end)
    });
    let only = amounts.next();
    only.filter(|_| amounts.next().is_none())
}

/// Whether two figures cannot both be right: neither rounding nor a power of ten lies between them.
fn differ(a: &Quantity, b: &Quantity) -> bool {
    let share = |unit: Unit| matches!(unit, Unit::Percent | Unit::Point);
    let kinds = match (a.unit, b.unit) {
        (Unit::Money(Some(a)), Unit::Money(Some(b))) => a == b,
        (Unit::Measure(a), Unit::Measure(b)) => a == b,
        (a, b) => share(a) == share(b),
    };
    if !kinds || a.value == 0.0 || b.value == 0.0 {
        return false;
    }
    let (a_value, b_value) = (a.value.abs(), b.value.abs());
    let power = 10_f64.powi((a_value / b_value).log10().round() as i32);
    let slack = (a.precision / a_value).max(b.precision / b_value) * 1.01 + 1e-6;
    (a_value / (b_value * power) - 1.0).abs() > slack
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: bool) {
        let of = |text: &str| quantities(text).into_iter().next().unwrap();
        assert_eq!(differ(&of(a), &of(b)), expected, "{a} and {b}");
    }

    #[test]
    fn figures_differ_if_neither_rounding_nor_scale_explains_it() {
        check("0.86", "0.72", true);
        check("1.51亿元", "15,138.67万元", false);
        check("151,386.72", "15.14亿元", false);
        check("14.5%", "20.7%", true);
        check("14.5%", "14.5", false);
        check("$1.2 million", "£1.2 million", false);
        check("63 days", "64 days", true);
    }
}
