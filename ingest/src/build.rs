//! How is an index filled beside the one that answers? From the catalog alone: passages are stored, their words are cut
//! again in a moment, and only texts that this encoder never saw go through it ([`vectors`]). After each group of documents
//! the generation notes what it holds, so that a build that ended anywhere goes on from there.

use std::collections::HashMap;

use index::{
    IndexError,
    catalog::{Catalog, bytes},
    corpus::{DocumentId, Passage, PassageId},
    embed::Embedder,
    generation::{self, Generation, Version},
    lexical,
    scope::{Call, Scope},
    store::Point,
};

/// Passages between two checkpoints, and texts encoded at once.
const GROUP: u64 = 1024;
const TEXTS: usize = 64;

/// How far a build is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Documents written so far.
    pub documents: u64,
    /// Documents that there are to write, as far as is known.
    pub of: u64,
    /// Passages written so far.
    pub passages: u64,
    /// Of them, passages whose vectors were not known before.
    pub encoded: u64,
}

/// Whether vectors that are not known yet are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They are.
    Encode,
    /// They are left to the queue.
    Leave,
}

/// Brings a generation to what is published now: what it lacks is written, what is no longer published removed. What is
/// published meanwhile is written too.
///
/// # Errors
/// `embedder_…` if the encoder fails, `vector_store_unavailable`, `storage_full`, `catalog`, `deadline_exceeded`. What was done
/// is kept.
pub async fn fill(
    catalog: &Catalog,
    into: &Generation,
    call: &Call,
    unknown: Unknown,
    say: &mut (dyn FnMut(Filled) + Send),
) -> Result<Filled, IndexError> {
    let mut filled = Filled::default();
    into.store.prepare().await?;
    loop {
        remove_stale(catalog, into).await?;
        let lacking = generation::lacking(catalog.db(), &into.name).await?;
        if lacking.is_empty() {
            return Ok(filled);
        }
        filled.of = filled.documents + lacking.len() as u64;
        let mut group: Vec<(DocumentId, u32)> = Vec::new();
        let mut waiting = 0;
        for version in &lacking {
            write(catalog, into, call, unknown, version, &mut filled).await?;
            group.push((version.document, version.version));
            waiting += version.passages;
            filled.documents += 1;
            if waiting >= GROUP {
                keep(catalog, into, &mut group).await?;
                waiting = 0;
            }
            say(filled);
        }
        keep(catalog, into, &mut group).await?;
    }
}

async fn remove_stale(catalog: &Catalog, from: &Generation) -> Result<(), IndexError> {
    let stale = generation::stale(catalog.db(), &from.name).await?;
    for (document, version) in &stale {
        from.store.delete(*document, *version).await?;
    }
    if !stale.is_empty() {
        from.store.flush().await?;
        generation::note(catalog.db(), &from.name, &[], &stale).await?;
    }
    Ok(())
}

/// Points first, note second: a crash between writes them once more, which replaces them.
async fn keep(catalog: &Catalog, into: &Generation, group: &mut Vec<(DocumentId, u32)>) -> Result<(), IndexError> {
    if !group.is_empty() {
        into.store.flush().await?;
        generation::note(catalog.db(), &into.name, group, &[]).await?;
        group.clear();
    }
    Ok(())
}

async fn write(
    catalog: &Catalog,
    into: &Generation,
    call: &Call,
    unknown: Unknown,
    version: &Version,
    filled: &mut Filled,
) -> Result<(), IndexError> {
    let mut from = 0;
    loop {
        let passages = catalog.passages(version.document, version.version, from, TEXTS).await?;
        let Some(last) = passages.last() else { return Ok(()) };
        from = last.ordinal + 1;
        let texts: Vec<String> = passages.iter().map(|passage| indexed_text(&version.title, passage)).collect();
        let call = Call { scope: version.scope.clone(), ..call.clone() };
        let (vectors, made) = match unknown {
            Unknown::Encode => vectors(catalog, &*into.embedder, &call, &texts).await?,
            Unknown::Leave => (known(catalog, &*into.embedder, &texts).await?, 0),
        };
        let mut points = points(&version.scope, version.document, version.version, &version.title, passages).await?;
        for ((point, _), text) in points.iter_mut().zip(&texts) {
            point.meaning = vectors.get(&text_hash(text)).cloned();
        }
        filled.passages += points.len() as u64;
        filled.encoded += made;
        into.store.upsert(points.into_iter().map(|(point, _)| point).collect()).await?;
    }
}

/// What is wrong with a generation that is to answer: each published version must have all its points, and, once its vectors
/// are not pending, all its vectors. `None` if nothing is.
///
/// # Errors
/// `catalog`, `vector_store_unavailable` if they cannot be read.
pub async fn incomplete(catalog: &Catalog, generation: &Generation, vectors: bool) -> Result<Option<String>, IndexError> {
    let lacking = generation::lacking(catalog.db(), &generation.name).await?.len();
    if lacking > 0 {
        return Ok(Some(format!("it lacks {lacking} documents; go on with `dossier index build`")));
    }
    for version in generation::held(catalog.db(), &generation.name).await? {
        let (points, meanings) = generation.store.count(version.document, version.version).await?;
        if points != version.passages || (vectors && meanings != points) {
            // It is written again when the build goes on.
            generation::note(catalog.db(), &generation.name, &[], &[(version.document, version.version)]).await?;
            return Ok(Some(format!(
                "{} has {} passages, and {points} points with {meanings} vectors; go on with `dossier index build`",
                version.document, version.passages
            )));
        }
    }
    Ok(None)
}

/// The vectors of texts by their hash: those of known texts from the catalog, the others from the encoder, kept before they
/// are used. Also how many the encoder made.
///
/// # Errors
/// `embedder_…`, `catalog`, `deadline_exceeded`.
pub async fn vectors(
    catalog: &Catalog,
    embedder: &dyn Embedder,
    call: &Call,
    texts: &[String],
) -> Result<(HashMap<String, Vec<f32>>, u64), IndexError> {
    let mut vectors = known(catalog, embedder, texts).await?;
    let mut missing: Vec<(String, &String)> = Vec::new();
    for text in texts {
        let hash = text_hash(text);
        if !vectors.contains_key(&hash) && !missing.iter().any(|(other, _)| *other == hash) {
            missing.push((hash, text));
        }
    }
    if missing.is_empty() {
        return Ok((vectors, 0));
    }
    let unknown: Vec<String> = missing.iter().map(|(_, text)| (*text).clone()).collect();
    let made = embedder.passages(call, &unknown).await?;
    let space = embedder.space().id();
    let mut tx = catalog.db().write().await?;
    for ((hash, _), vector) in missing.iter().zip(made) {
        sqlx::query("INSERT INTO vectors (space, hash, vector) VALUES ($1, $2, $3) ON CONFLICT (space, hash) DO NOTHING")
            .bind(&space)
            .bind(hash)
            .bind(bytes(&vector))
            .execute(&mut *tx)
            .await?;
        vectors.insert(hash.clone(), vector);
    }
    tx.commit().await?;
    crate::crash::point("vectors_stored");
    Ok((vectors, unknown.len() as u64))
}

async fn known(catalog: &Catalog, embedder: &dyn Embedder, texts: &[String]) -> Result<HashMap<String, Vec<f32>>, IndexError> {
    let hashes: Vec<String> = texts.iter().map(|text| text_hash(text)).collect();
    catalog.vectors(&embedder.space().id(), &hashes).await
}

/// The points of passages with their words, and how often each word's passage counts; vectors come later.
pub(crate) async fn points(
    scope: &Scope,
    document: DocumentId,
    version: u32,
    title: &str,
    passages: Vec<Passage>,
) -> Result<Vec<(Point, lexical::Analysis)>, IndexError> {
    let title = title.to_owned();
    let work = move || {
        let of = |p: &Passage| (p.id, lexical::analyse(&indexed_text(&title, p)));
        passages.iter().map(of).collect::<Vec<(PassageId, lexical::Analysis)>>()
    };
    let analyses = tokio::task::spawn_blocking(work).await.map_err(|e| IndexError::Internal(e.to_string()))?;
    let point = |(id, analysis): (PassageId, lexical::Analysis)| {
        let words = lexical::sparse(&analysis);
        (Point { id: id.0, scope: scope.clone(), document, version, words, meaning: None }, analysis)
    };
    Ok(analyses.into_iter().map(point).collect())
}

/// What is searched of a passage: title and headings in front of the text, so that they count with it.
pub fn indexed_text(title: &str, passage: &Passage) -> String {
    let mut text = String::with_capacity(title.len() + passage.text.len() + 64);
    for part in std::iter::once(title).chain(passage.headings.iter().map(String::as_str)).filter(|part| !part.is_empty()) {
        text.push_str(part);
        text.push('\n');
    }
    text.push_str(&passage.text);
    text
}

/// The name under which the catalog keeps the vector of a text.
pub(crate) fn text_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..32].to_string()
}
