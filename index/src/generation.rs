//! Which index answers? A generation is one index in one embedding space: points, and the encoder that made their vectors.
//! One of them is live. Another is built beside it while the live one answers, promoted in one step, and the one before can
//! be taken back; what the catalog knows of them is a [`Record`] each.

use std::{fmt, str::FromStr, sync::Arc};

use parking_lot::RwLock;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sqlx::{Any, AssertSqlSafe, Row, Transaction, any::AnyRow};
use uuid::Uuid;

use crate::{
    IndexError,
    catalog::key,
    corpus::DocumentId,
    db::{Db, now, rfc3339},
    embed::{Embedder, Space},
    scope::Scope,
    store::VectorStore,
};

/// An index that is open: points, and the encoder that made their vectors.
#[derive(Clone)]
pub struct Generation {
    /// Its name: the folder or collection that holds its points.
    pub name: String,
    /// Its points.
    pub store: Arc<dyn VectorStore>,
    /// The encoder of its vectors.
    pub embedder: Arc<dyn Embedder>,
}

/// The generation that answers. Cloning shares it; whoever works takes it once, so that a question's vector never meets the
/// points of another space.
#[derive(Clone)]
pub struct Live(Arc<RwLock<Arc<Generation>>>);

impl Live {
    /// Starts with a generation.
    pub fn new(generation: Generation) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(generation))))
    }

    /// The one that answers now.
    pub fn now(&self) -> Arc<Generation> {
        self.0.read().clone()
    }

    /// From here on another one answers; what has begun ends where it began.
    pub fn switch(&self, generation: Generation) {
        *self.0.write() = Arc::new(generation);
    }
}

/// How far a generation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is being filled.
    Building,
    /// It holds what the live one holds.
    Built,
    /// It answers.
    Live,
    /// It answered before.
    Retired,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Built => "built",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = IndexError;
    fn from_str(text: &str) -> Result<Self, IndexError> {
        [Self::Building, Self::Built, Self::Live, Self::Retired]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| IndexError::DataDamaged { reason: format!("a generation is in the unknown state `{text}`") })
    }
}

/// What the catalog knows of a generation.
#[derive(Debug, Clone, Serialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// The space of its vectors.
    pub space: String,
    /// Numbers in a vector.
    pub dimensions: usize,
    /// The settings that open its encoder again, without secrets.
    pub encoder: Value,
    /// When it was begun, RFC 3339.
    pub created_at: String,
    /// When it last became the live one.
    pub promoted_at: Option<String>,
    /// What the last verification found.
    pub verified: Option<Value>,
}

const COLUMNS: &str = "SELECT name, state, space, dimensions, encoder, created_at, promoted_at, verified FROM generations";

/// All generations, oldest first.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn list(db: &Db) -> Result<Vec<Record>, IndexError> {
    let sql = AssertSqlSafe(format!("{COLUMNS} ORDER BY created_at, name"));
    sqlx::query(sql).fetch_all(db.read()).await?.iter().map(record).collect()
}

/// The generation of this name.
///
/// # Errors
/// `unknown_generation` with the names there are.
pub async fn find(db: &Db, name: &str) -> Result<Record, IndexError> {
    let all = list(db).await?;
    let names = all.iter().map(|record| record.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = IndexError::UnknownGeneration { name: name.into(), names };
    all.into_iter().find(|record| record.name == name).ok_or(unknown)
}

/// The generation that answers, if there is an index at all.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn live(db: &Db) -> Result<Option<Record>, IndexError> {
    Ok(list(db).await?.into_iter().find(|record| record.state == State::Live))
}

/// The generation that answered before the live one did.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn before(db: &Db) -> Result<Option<Record>, IndexError> {
    let retired = list(db).await?.into_iter().filter(|record| record.state == State::Retired);
    Ok(retired.max_by(|a, b| a.promoted_at.cmp(&b.promoted_at)))
}

/// The first generation of a catalog: live at once, since there is nothing to be filled with.
///
/// # Errors
/// `catalog` if it cannot be written.
pub async fn first(db: &Db, space: &Space, encoder: &Value) -> Result<Record, IndexError> {
    insert(db, "g1", space, encoder, State::Live).await
}

/// A generation to build in this space: the one that was begun before and not promoted, else a new one.
///
/// # Errors
/// `same_encoder` if the live one is in this space already.
pub async fn begin(db: &Db, space: &Space, encoder: &Value) -> Result<Record, IndexError> {
    let all = list(db).await?;
    for record in &all {
        if record.space != space.id() {
            continue;
        }
        match record.state {
            State::Live => return Err(IndexError::SameEncoder { name: record.name.clone(), space: space.id() }),
            State::Building | State::Built | State::Retired => return Ok(record.clone()),
        }
    }
    let number = all.iter().filter_map(|record| record.name.strip_prefix('g')?.parse::<u32>().ok()).max().unwrap_or(0) + 1;
    insert(db, &format!("g{number}"), space, encoder, State::Building).await
}

async fn insert(db: &Db, name: &str, space: &Space, encoder: &Value, state: State) -> Result<Record, IndexError> {
    let mut tx = db.write().await?;
    sqlx::query("INSERT INTO generations (name, state, space, dimensions, encoder, created_at, promoted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(name)
        .bind(state.as_str())
        .bind(space.id())
        .bind(space.dimensions as i64)
        .bind(encoder.to_string())
        .bind(now())
        .bind((state == State::Live).then(now))
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    find(db, name).await
}

/// Says that a generation holds everything.
///
/// # Errors
/// `catalog` if it cannot be written.
pub async fn built(db: &Db, name: &str) -> Result<(), IndexError> {
    let mut tx = db.write().await?;
    sqlx::query("UPDATE generations SET state = 'built' WHERE name = $1 AND state = 'building'")
        .bind(name)
        .execute(&mut *tx)
        .await?;
    Ok(tx.commit().await?)
}

/// Keeps what a verification found.
///
/// # Errors
/// `catalog` if it cannot be written.
pub async fn verified(db: &Db, name: &str, found: &Value) -> Result<(), IndexError> {
    let mut tx = db.write().await?;
    let sql = "UPDATE generations SET verified = $2 WHERE name = $1";
    sqlx::query(sql).bind(name).bind(found.to_string()).execute(&mut *tx).await?;
    Ok(tx.commit().await?)
}

/// Makes a generation the live one. The one before keeps a list of the versions it holds, so that what is missing and what
/// is too much can be told if it is taken back.
///
/// # Errors
/// `catalog` if the transaction fails; then nothing has changed.
pub async fn promote(tx: &mut Transaction<'static, Any>, name: &str) -> Result<(), IndexError> {
    for sql in [
        "DELETE FROM generation_versions WHERE generation = (SELECT name FROM generations WHERE state = 'live')",
        "INSERT INTO generation_versions (generation, document, version) \
         SELECT g.name, v.document, v.version FROM versions v, generations g WHERE v.state = 'live' AND g.state = 'live'",
        "UPDATE generations SET state = 'retired' WHERE state = 'live'",
    ] {
        sqlx::query(sql).execute(&mut **tx).await?;
    }
    sqlx::query("UPDATE generations SET state = 'live', promoted_at = $2 WHERE name = $1")
        .bind(name)
        .bind(now())
        .execute(&mut **tx)
        .await?;
    sqlx::query("DELETE FROM generation_versions WHERE generation = $1").bind(name).execute(&mut **tx).await?;
    Ok(())
}

/// A published version, as far as an index beside the live one is concerned with it.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its document.
    pub document: DocumentId,
    /// Its number.
    pub version: u32,
    /// Whose it is.
    pub scope: Scope,
    /// Its title.
    pub title: String,
    /// How many passages it has.
    pub passages: u64,
}

/// Published versions that a generation beside the live one does not hold yet.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn lacking(db: &Db, generation: &str) -> Result<Vec<Version>, IndexError> {
    versions(db, generation, "NOT EXISTS").await
}

/// Published versions that a generation beside the live one holds.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn held(db: &Db, generation: &str) -> Result<Vec<Version>, IndexError> {
    versions(db, generation, "EXISTS").await
}

async fn versions(db: &Db, generation: &str, which: &str) -> Result<Vec<Version>, IndexError> {
    let sql = format!(
        "SELECT v.document, v.version, v.tenant, v.scenario, COALESCE(v.title, ''), v.passages FROM versions v WHERE v.state = 'live' \
         AND {which} (SELECT 1 FROM generation_versions g WHERE g.generation = $1 AND g.document = v.document AND g.version = v.version) \
         ORDER BY v.document, v.version"
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(generation).fetch_all(db.read()).await?;
    rows.iter()
        .map(|row| {
            Ok(Version {
                document: document(row)?,
                version: row.get::<i64, _>(1) as u32,
                scope: Scope::new(row.get(2), row.get(3))?,
                title: row.get(4),
                passages: row.get::<i64, _>(5) as u64,
            })
        })
        .collect()
}

/// Versions that a generation beside the live one holds and that are not published any more.
///
/// # Errors
/// `catalog` if it cannot be read.
pub async fn stale(db: &Db, generation: &str) -> Result<Vec<(DocumentId, u32)>, IndexError> {
    let rows = sqlx::query(
        "SELECT g.document, g.version FROM generation_versions g WHERE g.generation = $1 AND NOT EXISTS \
         (SELECT 1 FROM versions v WHERE v.document = g.document AND v.version = g.version AND v.state = 'live')",
    )
    .bind(generation)
    .fetch_all(db.read())
    .await?;
    rows.iter().map(|row| Ok((document(row)?, row.get::<i64, _>(1) as u32))).collect()
}

/// Notes which versions a generation beside the live one has got, and which it has lost.
///
/// # Errors
/// `catalog` if it cannot be written.
pub async fn note(db: &Db, generation: &str, got: &[(DocumentId, u32)], lost: &[(DocumentId, u32)]) -> Result<(), IndexError> {
    let mut tx = db.write().await?;
    let insert = "INSERT INTO generation_versions (generation, document, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let delete = "DELETE FROM generation_versions WHERE generation = $1 AND document = $2 AND version = $3";
    for (sql, versions) in [(insert, got), (delete, lost)] {
        for (document, version) in versions {
            let query = sqlx::query(sql).bind(generation).bind(key(document.0)).bind(i64::from(*version));
            query.execute(&mut *tx).await?;
        }
    }
    Ok(tx.commit().await?)
}

fn document(row: &AnyRow) -> Result<DocumentId, IndexError> {
    let id = Uuid::try_parse(row.get(0));
    id.map(DocumentId).map_err(|_| IndexError::DataDamaged { reason: "a row of its catalog has no valid id".into() })
}

fn record(row: &AnyRow) -> Result<Record, IndexError> {
    let json = |text: String| {
        serde_json::from_str(&text).map_err(|e| IndexError::DataDamaged { reason: format!("a generation cannot be read: {e}") })
    };
    Ok(Record {
        name: row.get(0),
        state: row.get::<String, _>(1).parse()?,
        space: row.get(2),
        dimensions: row.get::<i64, _>(3) as usize,
        encoder: json(row.get(4))?,
        created_at: rfc3339(row.get(5)),
        // 0: before such times were kept.
        promoted_at: row.get::<Option<i64>, _>(6).filter(|at| *at > 0).map(rfc3339),
        verified: row.get::<Option<String>, _>(7).map(json).transpose()?,
    })
}
