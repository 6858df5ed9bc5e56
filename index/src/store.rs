//! Where the points are: one point per passage with its words as a sparse vector and its meaning as a dense one.
//!
//! The store is a cache that can be rebuilt from the catalog. Scope and visibility are part of every query, never a sieve
//! behind it: `hidden` names the few versions that have points but are not published (being written, replaced, deleted).

use std::collections::HashMap;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    IndexError,
    corpus::DocumentId,
    scope::{Call, Scope},
};

pub mod cluster;
pub mod edge;

/// A passage's point.
#[derive(Debug, Clone)]
pub struct Point {
    /// The passage's id.
    pub id: Uuid,
    /// Whose it is.
    pub scope: Scope,
    /// Its document.
    pub document: DocumentId,
    /// Its version.
    pub version: u32,
    /// Terms, ascending, and their BM25 weights.
    pub words: (Vec<u32>, Vec<f32>),
    /// The encoder's vector, once known.
    pub meaning: Option<Vec<f32>>,
}

/// One side of the search.
#[derive(Debug, Clone)]
pub enum Arm {
    /// Query terms and their weights (inverse document frequencies of the scope).
    Words(Vec<u32>, Vec<f32>),
    /// The question's vector.
    Meaning(Vec<f32>),
}

/// What a query may see.
#[derive(Debug, Clone)]
pub struct Visible {
    /// Tenant and scenario.
    pub scope: Scope,
    /// Versions that are not published.
    pub hidden: Vec<(DocumentId, u32)>,
    /// If given, only these documents.
    pub documents: Option<Vec<DocumentId>>,
}

/// How many points each version has, and how many of them have a dense vector.
pub type Counts = HashMap<(DocumentId, u32), (u64, u64)>;

/// A store of points. Implementations differ in where the points live, not in what a query returns.
#[async_trait]
pub trait VectorStore: Send + Sync {
    /// Which store this is, in which version, for a person.
    async fn about(&self) -> Result<String, IndexError>;
    /// Makes what the points are kept in, where it is absent. Nothing else does: whoever only looks leaves no trace, and an
    /// answer out of an empty store would be wrong. It is called before what is there is compared with what must be.
    async fn prepare(&self) -> Result<(), IndexError>;
    /// Writes points, replacing those with the same ids.
    async fn upsert(&self, points: Vec<Point>) -> Result<(), IndexError>;
    /// Adds the dense vectors of points that exist.
    async fn set_meaning(&self, vectors: Vec<(Uuid, Vec<f32>)>) -> Result<(), IndexError>;
    /// Removes the points of a version.
    async fn delete(&self, document: DocumentId, version: u32) -> Result<(), IndexError>;
    /// The best `limit` points by one arm: `(id, score)`, best first; ties by id.
    async fn search(&self, call: &Call, arm: &Arm, visible: &Visible, limit: usize) -> Result<Vec<(Uuid, f32)>, IndexError>;
    /// The scores of given points by one arm; points that the arm does not reach are left out.
    async fn score(&self, call: &Call, arm: &Arm, visible: &Visible, ids: &[Uuid]) -> Result<Vec<(Uuid, f32)>, IndexError>;
    /// How many points a version has, and how many of them have a dense vector.
    async fn count(&self, document: DocumentId, version: u32) -> Result<(u64, u64), IndexError>;
    /// The same for all versions that have points.
    async fn versions(&self) -> Result<Counts, IndexError>;
    /// How many points there are in all, and how many of them have a dense vector.
    async fn total(&self) -> Result<(u64, u64), IndexError>;
    /// Returns once everything written so far is as safe as the store can make it: it survives the end of the process.
    async fn flush(&self) -> Result<(), IndexError>;
}

/// Points asked for beyond the limit, so that a tie at the limit shows; and the most that are asked for to settle one.
const MARGIN: usize = 16;
const MOST: usize = 16_384;

/// Scores that are nearer than this share of themselves are one: in which order a store adds up is its own affair.
const ROUNDING: f32 = 5e-6;

/// Orders points by score, equal ones by id, and gives those that are equal but for rounding the same score.
fn settle(hits: &mut [(Uuid, f32)]) {
    hits.sort_by(|a, b| b.1.total_cmp(&a.1));
    for tie in hits.chunk_by_mut(|a, b| a.1 - b.1 <= ROUNDING * a.1.abs()) {
        let best = tie[0].1;
        tie.iter_mut().for_each(|hit| hit.1 = best);
        tie.sort_unstable_by_key(|hit| hit.0);
    }
}

/// The best `limit` points, ties by id. A store cuts a tie at the limit wherever it likes: as long as the cut runs through
/// one, more is fetched, so that the same points come out of every store.
async fn best<F>(limit: usize, fetch: impl Fn(usize) -> F) -> Result<Vec<(Uuid, f32)>, IndexError>
where
    F: Future<Output = Result<Vec<(Uuid, f32)>, IndexError>>,
{
    if limit == 0 {
        return Ok(vec![]);
    }
    let mut wanted = limit + MARGIN;
    loop {
        let mut hits = fetch(wanted).await?;
        settle(&mut hits);
        let through_a_tie = hits.len() == wanted && hits[limit - 1].1 == hits[wanted - 1].1;
        if !through_a_tie || wanted >= MOST {
            hits.truncate(limit);
            return Ok(hits);
        }
        wanted = (4 * wanted).min(MOST);
    }
}

fn document_key(document: DocumentId) -> String {
    document.0.simple().to_string()
}

fn version_key(document: DocumentId, version: u32) -> String {
    format!("{}/{version}", document.0.simple())
}

fn version_of_key(key: &str) -> Option<(DocumentId, u32)> {
    let (document, version) = key.split_once('/')?;
    Some((DocumentId(Uuid::try_parse(document).ok()?), version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_rounding_alone_is_a_tie_and_what_differs_by_more_is_none() {
        let ids: Vec<Uuid> = (0..4).map(Uuid::from_u128).collect();
        let mut hits = vec![(ids[3], 17.000_004), (ids[1], 17.000_002), (ids[2], 17.0), (ids[0], 16.999)];
        settle(&mut hits);
        assert_eq!(hits.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [ids[1], ids[2], ids[3], ids[0]]);
        assert!(hits[0].1 == hits[2].1 && hits[2].1 > hits[3].1);
    }
}
