//! Where would an analyst look? In the reports of the company that the question names, first of all those of the period it
//! asks about. A question that names neither searches everything.
//!
//! Routing is soft: passages of other documents stay in the result, behind those that fit.

use std::collections::HashSet;

use index::{
    IndexError,
    corpus::DocumentId,
    hit::{Hit, Hits, Query, Source},
    scope::Call,
    search::Searcher,
};

use crate::question::{Question, years};

/// What agreement adds to a score; two pages of look-alike reports differ by a few hundredths.
const COMPANY: f32 = 0.3;
/// The report of the asked period, or the one after it, which repeats its figures beside its own. It tells the reports of one
/// company apart; between documents of others a year in the title says little.
const PERIOD: f32 = 0.2;
const PERIOD_AFTER: f32 = 0.1;
const UNNAMED: f32 = 0.2;
/// Candidates for each hit that is asked for.
const WIDER: usize = 3;

/// Searches as the question directs.
pub(crate) async fn search(searcher: &Searcher, call: &Call, query: &Query, question: &Question) -> Result<Hits, IndexError> {
    let named = reports_of(question, &searcher.catalog().sources(call).await?);
    if named.is_none() && question.periods.is_empty() {
        return searcher.search(call, query).await;
    }
    // A top_k that is out of range stays so, for the search to refuse.
    let wider = Query { top_k: (query.top_k * WIDER).min(query.top_k.max(100)), ..query.clone() };
    let mut hits = searcher.search(call, &wider).await?;
    if let Some(named) = &named {
        let within = searcher.search_within(call, &wider, Some(named)).await?;
        let known: HashSet<_> = hits.data.iter().map(|hit| hit.passage.id).collect();
        hits.data.extend(within.data.into_iter().filter(|hit| !known.contains(&hit.passage.id)));
    }
    for hit in &mut hits.data {
        let added = agreement(hit, question, named.as_ref().is_some_and(|named| named.contains(&hit.passage.document.id)));
        hit.score += added;
        hit.why.routed = Some(added);
    }
    hits.data.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.passage.id.cmp(&b.passage.id)));
    hits.data.truncate(query.top_k);
    for (at, hit) in hits.data.iter_mut().enumerate() {
        hit.rank = at as u32 + 1;
    }
    Ok(hits)
}

/// The documents that are reports of a company that the question names: their title is little more than its name and a period
/// or kind. A story that mentions a company in its headline is no report of it.
fn reports_of(question: &Question, documents: &[Source]) -> Option<HashSet<DocumentId>> {
    let named = question.documents()?;
    let longest =
        question.names.iter().filter(|name| !name.documents.is_empty()).map(|name| name.text.chars().count()).max().unwrap_or(0);
    let is_report = |source: &&Source| !years(source).is_empty() || 4 * longest >= source.title.chars().count();
    let reports: HashSet<DocumentId> =
        documents.iter().filter(|s| named.contains(&s.id)).filter(is_report).map(|s| s.id).collect();
    (!reports.is_empty()).then_some(reports)
}

fn agreement(hit: &Hit, question: &Question, named: bool) -> f32 {
    let own = years(&hit.passage.document);
    let answers = |asked: &crate::period::Period| {
        if own.iter().any(|own| own.answers(*asked)) {
            return PERIOD;
        }
        let after = asked.year.is_some_and(|year| own.iter().any(|own| own.year == Some(year) || own.year == Some(year + 1)));
        if after { PERIOD_AFTER } else { 0.0 }
    };
    let period = question.periods.iter().map(answers).fold(0.0, f32::max);
    if named { COMPANY + period } else { UNNAMED * period }
}
