//! Does the store hold what the catalog says? What is missing and what is too much, told by counts, and put right from the
//! catalog alone: no document is read again and no text is encoded again.

use std::collections::HashSet;

use index::{
    IndexError,
    catalog::Catalog,
    corpus::DocumentId,
    db::Db,
    scope::Scope,
    store::{Point, VectorStore},
};
use serde::Serialize;
use sqlx::Row;

use crate::build::{indexed_text, points, text_hash};

/// Points written between two reports of progress.
const POINTS: usize = 256;

/// A version of a document, as the catalog knows it.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its document.
    pub document: DocumentId,
    /// Its number.
    pub version: u32,
    /// Whose it is.
    pub scope: Scope,
    /// What is searched in front of each of its passages.
    pub title: String,
    /// Its passages: as many points it must have.
    pub passages: u64,
    /// Whether its points must have their vectors too.
    pub embedded: bool,
}

/// How the store differs from the catalog.
#[derive(Debug, Default)]
pub struct Difference {
    /// Points, and points with vectors, that the catalog expects.
    pub expected: (u64, u64),
    /// Those that the store has.
    pub found: (u64, u64),
    /// Versions with points or vectors missing, or with points of an earlier reading left.
    pub wrong: Vec<Version>,
    /// Versions that the store has and the catalog does not know.
    pub unknown: Vec<(DocumentId, u32)>,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.wrong.is_empty() && self.unknown.is_empty()
    }
}

/// What was put right.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Healed {
    /// Versions whose points were written.
    pub versions: u64,
    /// Points that were written.
    pub points: u64,
    /// Versions that were removed because the catalog does not know them.
    pub removed: u64,
    /// Versions with a vector that the catalog does not have: it is still to be made.
    #[serde(skip)]
    pub unembedded: Vec<(DocumentId, u32)>,
}

/// Compares the store with the catalog. Versions that a worker is about to write or remove are left out.
///
/// # Errors
/// Those of the store, and `catalog`.
pub async fn compare(db: &Db, store: &dyn VectorStore) -> Result<Difference, IndexError> {
    // The store first: a version has its row before it has points, so that none that is being written looks unknown.
    let found = store.total().await?;
    let (settled, _, busy) = versions(db).await?;
    let sum = |embedded: bool| settled.iter().filter(|v| v.embedded || !embedded).map(|v| v.passages).sum();
    let expected = (sum(false), sum(true));
    if !busy && found == expected {
        return Ok(Difference { expected, found, ..Difference::default() });
    }
    let mut counts = store.versions().await?;
    let (settled, rest, _) = versions(db).await?;
    let wrong = settled.into_iter().filter(|version| {
        let (points, vectors) = counts.remove(&(version.document, version.version)).unwrap_or_default();
        points != version.passages || (version.embedded && vectors != points)
    });
    let wrong = wrong.collect();
    counts.retain(|version, _| !rest.contains(version));
    Ok(Difference { expected, found, wrong, unknown: counts.into_keys().collect() })
}

/// Writes the points that are missing, out of the catalog, and removes those that it does not know. Ended in the middle, it
/// goes on where it was when it is called again. `progress` gets the points written and those to be written.
///
/// # Errors
/// Those of the store, and `catalog`.
pub async fn heal(
    catalog: &Catalog,
    space: &str,
    store: &dyn VectorStore,
    difference: &Difference,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Healed, IndexError> {
    let mut healed = Healed::default();
    for (document, version) in &difference.unknown {
        store.delete(*document, *version).await?;
        healed.removed += 1;
    }
    let all = difference.wrong.iter().map(|version| version.passages).sum();
    for version in &difference.wrong {
        if store.count(version.document, version.version).await?.0 > version.passages {
            store.delete(version.document, version.version).await?;
        }
        let (mut from, mut whole) = (0, true);
        loop {
            let passages = catalog.passages(version.document, version.version, from, POINTS).await?;
            let Some(last) = passages.last() else { break };
            from = last.ordinal + 1;
            let hashes: Vec<String> = passages.iter().map(|p| text_hash(&indexed_text(&version.title, p))).collect();
            let vectors = catalog.vectors(space, &hashes).await?;
            let points: Vec<Point> = points(&version.scope, version.document, version.version, &version.title, passages)
                .await?
                .into_iter()
                .zip(&hashes)
                .map(|((point, _), hash)| Point { meaning: vectors.get(hash).cloned(), ..point })
                .collect();
            healed.points += points.len() as u64;
            whole &= points.iter().all(|point| point.meaning.is_some());
            store.upsert(points).await?;
            progress(healed.points, all);
        }
        healed.versions += 1;
        if version.embedded && !whole {
            healed.unembedded.push((version.document, version.version));
        }
    }
    store.flush().await?;
    Ok(healed)
}

/// The versions whose counts are settled, the keys of the others, and whether a worker is to do something about one of those.
async fn versions(db: &Db) -> Result<(Vec<Version>, HashSet<(DocumentId, u32)>, bool), IndexError> {
    let rows = sqlx::query(
        "SELECT v.document, v.version, v.tenant, v.scenario, COALESCE(v.title, ''), v.passages, v.state, \
         (SELECT j.stage FROM jobs j WHERE j.document = v.document AND j.version = v.version) FROM versions v",
    )
    .fetch_all(db.read())
    .await?;
    let (mut settled, mut rest, mut busy) = (Vec::with_capacity(rows.len()), HashSet::new(), false);
    for row in &rows {
        let id = row.get::<String, _>(0).parse();
        let document = DocumentId(id.map_err(|_| IndexError::DataDamaged { reason: "a document has no valid id".into() })?);
        let version = row.get::<i64, _>(1) as u32;
        let (state, stage) = (row.get::<String, _>(6), row.get::<Option<String>, _>(7));
        let embedded = match (state.as_str(), stage.as_deref()) {
            ("live", None) => true,
            ("live" | "pending", Some("embed")) => false,
            (_, stage) => {
                busy |= stage.is_some();
                rest.insert((document, version));
                continue;
            }
        };
        let scope = Scope::new(row.get(2), row.get(3))?;
        let passages = row.get::<i64, _>(5) as u64;
        settled.push(Version { document, version, scope, title: row.get(4), passages, embedded });
    }
    Ok((settled, rest, busy))
}
