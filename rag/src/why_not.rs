//! Why did a question not find this document? Follows it down the road of a search and names the step where its best page fell
//! out: reading, cutting, filter, routing, both arms, fusion, ranking, or the number of hits.

use index::{
    corpus::{Document, Status},
    hit::Query,
    scope::Call,
    search::{Lookup, Searcher},
    store::Visible,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    RagError,
    holdings::Holdings,
    question::Question,
    route::{self, DEPTH, READ, Ranked, Trace},
};

/// Passages of the document that are shown.
const SHOWN: usize = 5;

/// Where a document fell out of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyNot {
    /// `found`, or the step: `parsing`, `splitting`, `filter`, `routing`, `arms`, `fusion`, `ranking`, `budget`.
    pub step: String,
    /// The same for a person.
    pub reason: String,
    /// Its best place among the hits.
    pub rank: Option<u32>,
    /// Its passages that came furthest, best first.
    pub passages: Vec<Place>,
    /// What the question was taken to ask, and where it was looked for.
    #[schema(value_type = Object)]
    pub understood: Value,
}

/// How far a passage came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// The stored page that holds it.
    pub part: u32,
    /// The heading above it.
    pub heading: Option<String>,
    /// Rank by words; absent below the first hundred.
    pub lexical_rank: Option<u32>,
    /// Rank by meaning; absent below the first hundred.
    pub dense_rank: Option<u32>,
    /// BM25 as a share of the most it could reach.
    pub lexical: f32,
    /// Cosine between question and passage.
    pub cosine: Option<f32>,
    /// Rank after both arms were put together.
    pub fused_rank: Option<u32>,
    /// Rank after its text was read.
    pub rank: Option<u32>,
    /// What made up its score.
    #[schema(value_type = Object)]
    pub added: Map<String, Value>,
}

/// Follows a document down the road of a search.
pub(crate) async fn why_not(
    searcher: &Searcher,
    call: &Call,
    query: &Query,
    question: &Question,
    holdings: &Holdings,
    document: &Document,
) -> Result<WhyNot, RagError> {
    let trace = route::trace(searcher, call, query, question, holdings).await?;
    let mut why = WhyNot {
        step: String::new(),
        reason: String::new(),
        rank: None,
        passages: Vec::new(),
        understood: trace.understood(question),
    };
    let mut fell = |step: &str, reason: String| (why.step, why.reason) = (step.to_owned(), reason);
    if document.version == 0 {
        let error = document.error.as_ref().map(|e| format!(": {} ({})", e.detail, e.code)).unwrap_or_default();
        let done = matches!(document.status, Status::Failed | Status::Quarantined);
        let state = if done { "it could not be read" } else { "it is still being read" };
        fell("parsing", format!("{state}{error}"));
        return Ok(why);
    }
    if document.passages == 0 {
        fell("splitting", "no passage was cut from it: it has no text".into());
        return Ok(why);
    }
    if trace.visible.documents.as_ref().is_some_and(|seen| !seen.contains(&document.id)) {
        fell("filter", "the filters or as_of leave it out".into());
        return Ok(why);
    }
    let searched = |leg: &&route::Leg| leg.within.as_ref().is_none_or(|within| within.contains(&document.id));
    if !trace.legs.iter().any(|leg| searched(&leg)) {
        let companies: Vec<&str> = trace.legs.iter().filter_map(|leg| leg.company.as_deref()).collect();
        fell("routing", format!("only the reports of {} were searched, and it is none of them", companies.join(", ")));
        return Ok(why);
    }
    let mut own = passages(&trace, document);
    own.sort_by_key(|(place, _)| (place.rank.unwrap_or(u32::MAX), place.fused_rank.unwrap_or(u32::MAX)));
    own.truncate(SHOWN);
    let best = own.first().cloned();
    why.passages = own.into_iter().map(|(place, _)| place).collect();
    let Some((best, leg)) = best else {
        why.passages = alone(searcher, call, query, question, &trace, document).await?;
        why.step = "arms".into();
        why.reason = format!("none of its passages is among the first {DEPTH} by words or by meaning");
        return Ok(why);
    };
    why.rank = rank_of(&trace, document);
    let (rank, fused) = (best.rank.unwrap_or(u32::MAX), best.fused_rank.unwrap_or(u32::MAX));
    (why.step, why.reason) = match why.rank {
        Some(rank) => ("found".into(), format!("it was found at rank {rank}")),
        None if fused as usize > READ => {
            ("fusion".into(), format!("its best passage is number {fused} by both arms; the text of the first {READ} is read"))
        }
        None if fused as usize <= query.top_k => {
            ("ranking".into(), format!("its best passage is number {fused} by both arms and {rank} after its text was read"))
        }
        None => {
            let of = leg.map(|company| format!(" among the reports of {company}")).unwrap_or_default();
            ("budget".into(), format!("its best passage is number {rank}{of}; {} are returned", query.top_k))
        }
    };
    Ok(why)
}

fn rank_of(trace: &Trace, document: &Document) -> Option<u32> {
    let of = |(leg, at, _): &(usize, usize, f32)| trace.legs[*leg].ranked[*at].snippet.document == document.id;
    trace.order.iter().position(of).map(|at| at as u32 + 1)
}

/// The document's passages that were found, each with the company whose leg found it.
fn passages(trace: &Trace, document: &Document) -> Vec<(Place, Option<String>)> {
    let legs = trace.legs.iter().flat_map(|leg| leg.ranked.iter().zip(1..).map(move |(ranked, rank)| (leg, ranked, rank)));
    legs.filter(|(_, ranked, _)| ranked.snippet.document == document.id)
        .map(|(leg, ranked, rank)| (place(ranked, Some(rank)), leg.company.clone()))
        .collect()
}

fn place(ranked: &Ranked, rank: Option<u32>) -> Place {
    Place {
        part: ranked.snippet.part,
        heading: ranked.snippet.headings.last().cloned(),
        lexical_rank: ranked.candidate.lexical_rank,
        dense_rank: ranked.candidate.dense_rank,
        lexical: ranked.candidate.lexical,
        cosine: ranked.candidate.cosine,
        fused_rank: u32::try_from(ranked.fused_rank).ok(),
        rank,
        added: ranked.added(),
    }
}

/// The document's best passages when it is searched alone: how far they are from what was found.
async fn alone(
    searcher: &Searcher,
    call: &Call,
    query: &Query,
    question: &Question,
    trace: &Trace,
    document: &Document,
) -> Result<Vec<Place>, RagError> {
    let (concepts, rest) = question.concepts();
    let things = &trace.sought.items;
    let lookup = Lookup { text: &question.searched, mode: query.mode, things, rest: &rest, concepts: &concepts };
    let asked = searcher.asked(call, &lookup).await?;
    let visible = Visible { documents: Some(vec![document.id]), ..trace.visible.clone() };
    let mut found = searcher.candidates(call, &asked, &visible, SHOWN).await?;
    found.truncate(SHOWN);
    let ids: Vec<_> = found.iter().map(|candidate| candidate.id).collect();
    let snippets = searcher.catalog().snippets(call, &ids).await?;
    let shown = found.into_iter().filter_map(|candidate| {
        let snippet = snippets.get(&candidate.id)?;
        Some(Place {
            part: snippet.part,
            heading: snippet.headings.last().cloned(),
            // Ranks within the document alone would mislead.
            lexical_rank: None,
            dense_rank: None,
            lexical: candidate.lexical,
            cosine: candidate.cosine,
            fused_rank: None,
            rank: None,
            added: Map::new(),
        })
    });
    Ok(shown.collect())
}
