//! The data directory and the SQL catalog in it: who may open it, what its tables are, how it is read and written.
//!
//! Statements use `$1` placeholders and the types TEXT, INTEGER, REAL and BLOB only, so that another SQL database can
//! stand behind the same statements.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{Any, AnyPool, Executor, Row, Transaction, any::AnyPoolOptions};

use crate::IndexError;

/// What makes the tables of each version out of those of the version before: a directory of an older program is brought up
/// step by step when it is opened, one of a newer program is refused. A step that has been in use is never changed.
const STEPS: &[&str] = &["
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, scenario TEXT NOT NULL, identity TEXT NOT NULL,
    external_id TEXT, name TEXT NOT NULL, title TEXT NOT NULL, media_type TEXT NOT NULL, language TEXT, metadata TEXT NOT NULL,
    status TEXT NOT NULL, stage TEXT, progress REAL NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0, newest INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0, pages INTEGER NOT NULL DEFAULT 0, passages INTEGER NOT NULL DEFAULT 0,
    error_code TEXT, error_detail TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    UNIQUE (tenant, scenario, identity));
CREATE INDEX IF NOT EXISTS documents_by_time ON documents (tenant, scenario, created_at, id);
CREATE TABLE IF NOT EXISTS versions (
    document TEXT NOT NULL, version INTEGER NOT NULL, tenant TEXT NOT NULL, scenario TEXT NOT NULL, state TEXT NOT NULL,
    hash TEXT NOT NULL, name TEXT NOT NULL, title TEXT, paged INTEGER NOT NULL DEFAULT 0, passages INTEGER NOT NULL DEFAULT 0,
    terms BLOB, warnings TEXT NOT NULL DEFAULT '[]', facts TEXT NOT NULL DEFAULT '{}', PRIMARY KEY (document, version));
CREATE INDEX IF NOT EXISTS versions_hidden ON versions (tenant, scenario) WHERE state <> 'live';
CREATE TABLE IF NOT EXISTS pages (
    document TEXT NOT NULL, version INTEGER NOT NULL, number INTEGER NOT NULL, label TEXT, width REAL NOT NULL, height REAL NOT NULL,
    text TEXT NOT NULL, words BLOB NOT NULL, blocks TEXT NOT NULL, PRIMARY KEY (document, version, number));
CREATE TABLE IF NOT EXISTS passages (
    id TEXT PRIMARY KEY, document TEXT NOT NULL, version INTEGER NOT NULL, ordinal INTEGER NOT NULL, kind TEXT NOT NULL, part INTEGER NOT NULL,
    text TEXT NOT NULL, headings TEXT NOT NULL, spans TEXT NOT NULL, regions TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS passages_by_hash ON passages (hash);
CREATE UNIQUE INDEX IF NOT EXISTS passages_in_order ON passages (document, version, ordinal);
CREATE TABLE IF NOT EXISTS vectors (space TEXT NOT NULL, hash TEXT NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (space, hash));
CREATE TABLE IF NOT EXISTS scopes (
    tenant TEXT NOT NULL, scenario TEXT NOT NULL, passages INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (tenant, scenario));
CREATE TABLE IF NOT EXISTS frequencies (
    tenant TEXT NOT NULL, scenario TEXT NOT NULL, term INTEGER NOT NULL, passages INTEGER NOT NULL, PRIMARY KEY (tenant, scenario, term)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, version INTEGER NOT NULL, tenant TEXT NOT NULL, scenario TEXT NOT NULL,
    stage TEXT NOT NULL, checkpoint INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, owner TEXT, lease_until INTEGER NOT NULL DEFAULT 0,
    UNIQUE (document, version));
CREATE TABLE IF NOT EXISTS batches (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, scenario TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS items (
    batch TEXT NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, document TEXT, version INTEGER, outcome TEXT NOT NULL,
    error_code TEXT, error_detail TEXT, PRIMARY KEY (batch, ordinal));
CREATE TABLE IF NOT EXISTS answers (
    id TEXT PRIMARY KEY, tenant TEXT NOT NULL, scenario TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, created_at INTEGER NOT NULL);
", "
CREATE TABLE generations (
    name TEXT PRIMARY KEY, state TEXT NOT NULL, space TEXT NOT NULL, dimensions INTEGER NOT NULL, encoder TEXT NOT NULL,
    created_at INTEGER NOT NULL, promoted_at INTEGER, verified TEXT);
CREATE TABLE generation_versions (
    generation TEXT NOT NULL, document TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (generation, document, version));
INSERT INTO generations (name, state, space, dimensions, encoder, created_at, promoted_at)
    SELECT 'g1', 'live', value, 384, 'null', 0, 0 FROM meta WHERE name = 'space';
DELETE FROM meta WHERE name = 'space';
", "
ALTER TABLE documents ADD COLUMN given TEXT NOT NULL DEFAULT '{}';
ALTER TABLE documents ADD COLUMN labels TEXT NOT NULL DEFAULT '[]';
", "
CREATE TABLE scenarios (
    tenant TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name));
INSERT INTO scenarios (tenant, name, settings, created_at, updated_at)
    SELECT tenant, scenario, '{}', MIN(created_at), MIN(created_at) FROM documents WHERE scenario <> 'default' GROUP BY tenant, scenario;
", "
ALTER TABLE answers ADD COLUMN trace TEXT NOT NULL DEFAULT 'null';
CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT, answer TEXT NOT NULL, tenant TEXT NOT NULL, feedback TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS feedback_by_answer ON feedback (tenant, answer);
"];

/// A data directory that this process holds alone: `catalog.sqlite`, `blobs/`, `index/`.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    lock: Option<File>,
}

impl DataDir {
    /// Opens the directory, creating it if absent, and locks it against other processes.
    ///
    /// # Errors
    /// `data_locked` if another process holds it, `storage` if it cannot be created or written.
    pub fn open(path: &Path) -> Result<Self, IndexError> {
        let failed = |e: std::io::Error| IndexError::from_io(format!("data directory `{}`", path.display()), e);
        for dir in [path.to_path_buf(), path.join("blobs"), path.join("index")] {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        match lock(&path.join("lock")).map_err(failed)? {
            Some(lock) => Ok(Self { path: path.into(), lock: Some(lock) }),
            None => Err(IndexError::DataLocked { path: path.display().to_string() }),
        }
    }

    /// Opens the directory beside a process that may hold it: for reading the catalog and writing an index of its own.
    ///
    /// # Errors
    /// `data_damaged` if there is no data directory, `storage` if it cannot be read.
    pub fn beside(path: &Path) -> Result<Self, IndexError> {
        if !path.join("catalog.sqlite").is_file() {
            return Err(IndexError::DataDamaged { reason: format!("`{}` holds no catalog", path.display()) });
        }
        let failed = |e: std::io::Error| IndexError::from_io(format!("data directory `{}`", path.display()), e);
        Ok(Self { path: path.into(), lock: lock(&path.join("lock")).map_err(failed)? })
    }

    /// Keeps others from doing the same work; the lock is held until it is dropped.
    ///
    /// # Errors
    /// `data_locked` if another process does it.
    pub fn alone(&self, name: &str) -> Result<File, IndexError> {
        let file = self.path.join(name);
        let held = lock(&file).map_err(|e| IndexError::from_io(format!("`{}`", file.display()), e))?;
        held.ok_or_else(|| IndexError::DataLocked { path: file.display().to_string() })
    }

    /// Bytes that are free where the directory is, as far as that is told.
    pub fn free(&self) -> Option<u64> {
        rustix::fs::statvfs(&self.path).ok().map(|stat| stat.f_bavail * stat.f_frsize)
    }

    /// Whether something may be written that needs so many bytes. The stores write through memory maps, and a map that meets a
    /// full disk ends the process: it must not come so far.
    ///
    /// # Errors
    /// `storage_full` if less is free.
    pub fn room(&self, bytes: u64, what: &str) -> Result<(), IndexError> {
        match self.free() {
            Some(free) if free < bytes => {
                let (free, bytes) = (free >> 20, bytes.div_ceil(1 << 20));
                Err(IndexError::StorageFull { what: format!("{what}: {free} MiB are free, {bytes} are needed") })
            }
            _ => Ok(()),
        }
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the original bytes with this hash are.
    pub fn blob(&self, hash: &str) -> PathBuf {
        self.path.join("blobs").join(&hash[..2]).join(hash)
    }
}

/// The SQL catalog: many readers, one writer at a time.
#[derive(Debug, Clone)]
pub struct Db {
    read: AnyPool,
    write: AnyPool,
}

impl Db {
    /// Opens or creates the catalog of a data directory.
    ///
    /// # Errors
    /// `data_damaged` if the file is no catalog or was written by a newer program, `storage` if it cannot be written.
    pub async fn open(dir: &DataDir) -> Result<Self, IndexError> {
        // Without room for its log a database cannot even be read.
        dir.room(1 << 20, "catalog")?;
        sqlx::any::install_default_drivers();
        let url = format!("sqlite:{}?mode=rwc", escape(&dir.path().join("catalog.sqlite")));
        let pool = |connections| {
            AnyPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(30)).after_connect(|connection, _| {
                Box::pin(async move {
                    // FULL: a commit is on the disk before an upload is acknowledged.
                    connection
                        .execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 20000; PRAGMA cache_size = -8000;")
                        .await?;
                    Ok(())
                })
            })
        };
        let write = pool(1).connect(&url).await.map_err(damaged)?;
        bring_up(&write, dir.lock.is_some()).await?;
        Ok(Self { read: pool(4).connect(&url).await.map_err(damaged)?, write })
    }

    /// Connections for reading.
    pub fn read(&self) -> &AnyPool {
        &self.read
    }

    /// A transaction for writing; it waits for the writer before it. Dropped without commit, it changes nothing.
    ///
    /// # Errors
    /// `storage_full`, `catalog` if the database cannot be written.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, IndexError> {
        // IMMEDIATE: another process may write too (`index build`); one that reads first and then writes would fail, not wait.
        Ok(self.write.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// A fact about the whole installation.
    ///
    /// # Errors
    /// `catalog` if the database cannot be read.
    pub async fn fact(&self, name: &str) -> Result<Option<String>, IndexError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_optional(&self.read).await?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Sets a fact about the whole installation.
    ///
    /// # Errors
    /// `catalog` if the database cannot be written.
    pub async fn set_fact(&self, name: &str, value: &str) -> Result<(), IndexError> {
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(name)
            .bind(value)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Closes all connections, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// The lock of a file, unless another process has it.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Milliseconds since 1970, the form of times in the catalog.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A catalog time as RFC 3339 in UTC.
pub fn rfc3339(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map(|t| t.to_string()).unwrap_or_default()
}

/// Runs the steps that the catalog has not seen, all or none of them; not under a program that works with the old ones.
async fn bring_up(catalog: &AnyPool, alone: bool) -> Result<(), IndexError> {
    let known = "SELECT 1 FROM sqlite_master WHERE name = 'meta'";
    let version: usize = match sqlx::query(known).fetch_optional(catalog).await.map_err(damaged)? {
        None => 0,
        Some(_) => {
            let row =
                sqlx::query("SELECT value FROM meta WHERE name = 'schema'").fetch_optional(catalog).await.map_err(damaged)?;
            row.map_or(Ok(0), |row| row.get::<String, _>(0).parse())
                .map_err(|_| IndexError::DataDamaged { reason: "its catalog does not say which version it has".into() })?
        }
    };
    let newest = STEPS.len();
    if version > newest {
        return Err(IndexError::DataDamaged {
            reason: format!(
                "its catalog has version {version} and this program reads up to version {newest}; use the program that wrote it"
            ),
        });
    }
    if version == newest {
        return Ok(());
    }
    if !alone {
        return Err(IndexError::DataDamaged {
            reason: format!(
                "its catalog has version {version}, this program makes it version {newest}, and another process has it open; stop that one first"
            ),
        });
    }
    let mut transaction = catalog.begin().await.map_err(damaged)?;
    for step in &STEPS[version..] {
        transaction.execute(*step).await.map_err(damaged)?;
    }
    sqlx::query("INSERT INTO meta (name, value) VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(newest.to_string())
        .execute(&mut *transaction)
        .await
        .map_err(damaged)?;
    transaction.commit().await.map_err(damaged)
}

fn damaged(error: sqlx::Error) -> IndexError {
    match IndexError::from(error) {
        IndexError::Catalog(e) => IndexError::DataDamaged { reason: format!("its catalog cannot be opened: {e}") },
        other => other,
    }
}

/// A path inside a `sqlite:` URL: what would end the path is percent-encoded.
fn escape(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
