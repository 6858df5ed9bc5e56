//! What the catalog answers: documents, stored pages, passages, word frequencies of a scope, answers.
//!
//! Everything here takes the [`Call`] and stays inside its scope; an id of another scope is answered like one that does not
//! exist. Writing documents and jobs is the ingest queue's; switching versions is [`crate::publish`]'s.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Row, any::AnyRow};
use uuid::Uuid;

use crate::{
    IndexError,
    corpus::{AnswerId, Document, DocumentId, Failure, PageRef, Passage, PassageId, PassageKind, Status},
    db::{Db, now, rfc3339},
    hit::{Filters, Found, Snippet, Source},
    page::{Page, Word},
    scope::{Call, Scope},
};

/// Reads the catalog. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Catalog {
    db: Db,
    sources: Arc<Mutex<HashMap<Scope, Cached>>>,
}

/// The published documents of a scope, as of a revision of that scope.
type Cached = (i64, Arc<Vec<Source>>);

/// A page of a list: what is on it, and where the next one starts.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// What is on this page.
    pub data: Vec<T>,
    /// Opaque start of the next page; `None` on the last.
    pub next_cursor: Option<String>,
}

/// Documents of a scenario in one status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Census {
    /// The scenario.
    pub scenario: String,
    /// Their status.
    pub status: Status,
    /// How many they are.
    pub documents: u64,
    /// Their published passages.
    pub passages: u64,
}

const DOCUMENT: &str = "id, scenario, external_id, name, title, media_type, language, metadata, labels, status, stage, progress, version, bytes, pages, \
                        passages, error_code, error_detail, created_at, updated_at, \
                        (SELECT facts FROM versions v WHERE v.document = documents.id AND v.version = documents.version) AS facts";

/// An answer as it was stored, with what came after it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredAnswer {
    /// The scenario it was asked in.
    pub scenario: String,
    /// The question.
    pub question: String,
    /// The answer, as it was sent.
    pub answer: Value,
    /// How it came about; null in answers of older programs.
    pub trace: Value,
    /// What was thought of it, in order.
    pub feedback: Vec<Value>,
}

impl Catalog {
    /// A catalog over an open database.
    pub fn new(db: Db) -> Self {
        Self { db, sources: Arc::default() }
    }

    /// The database behind it.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// A document of the scope.
    pub async fn document(&self, call: &Call, id: DocumentId) -> Result<Option<Document>, IndexError> {
        let sql = format!("SELECT {DOCUMENT} FROM documents WHERE tenant = $1 AND scenario = $2 AND id = $3");
        let row = sqlx::query(AssertSqlSafe(sql))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .bind(key(id.0))
            .fetch_optional(self.db.read())
            .await?;
        row.as_ref().map(document).transpose()
    }

    /// The documents of the scope, oldest first, from `cursor` on. A cursor that is none lists from the start.
    pub async fn documents(&self, call: &Call, cursor: Option<&str>, limit: usize) -> Result<Listed<Document>, IndexError> {
        let (time, id) = cursor.and_then(|c| c.split_once('-')).unwrap_or(("0", ""));
        let sql = format!(
            "SELECT {DOCUMENT} FROM documents WHERE tenant = $1 AND scenario = $2 AND (created_at > $3 OR (created_at = $3 AND id > $4)) \
             ORDER BY created_at, id LIMIT $5"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .bind(time.parse::<i64>().unwrap_or(0))
            .bind(id)
            .bind(limit as i64 + 1)
            .fetch_all(self.db.read())
            .await?;
        let next_cursor = (rows.len() > limit).then(|| {
            let last = &rows[limit - 1];
            format!("{}-{}", last.get::<i64, _>("created_at"), last.get::<String, _>("id"))
        });
        Ok(Listed { data: rows.iter().take(limit).map(document).collect::<Result<_, _>>()?, next_cursor })
    }

    /// How many documents, and passages of them, each scenario of the tenant has in each status.
    pub async fn census(&self, call: &Call) -> Result<Vec<Census>, IndexError> {
        let rows = sqlx::query(
            "SELECT scenario, status, COUNT(*), CAST(SUM(passages) AS INTEGER) FROM documents WHERE tenant = $1 \
             GROUP BY scenario, status ORDER BY scenario, status",
        )
        .bind(call.scope.tenant())
        .fetch_all(self.db.read())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Census {
                    scenario: row.get(0),
                    status: row.get::<String, _>(1).parse().map_err(|reason| IndexError::DataDamaged { reason })?,
                    documents: row.get::<i64, _>(2) as u64,
                    passages: row.get::<i64, _>(3) as u64,
                })
            })
            .collect()
    }

    /// A stored page of a version of a document of the scope.
    pub async fn page(&self, call: &Call, document: DocumentId, version: u32, number: u32) -> Result<Option<Page>, IndexError> {
        let row = sqlx::query(
            "SELECT p.number, p.label, p.width, p.height, p.text, p.words, p.blocks FROM pages p \
             JOIN versions v ON v.document = p.document AND v.version = p.version \
             WHERE v.tenant = $1 AND v.scenario = $2 AND p.document = $3 AND p.version = $4 AND p.number = $5",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(key(document.0))
        .bind(i64::from(version))
        .bind(i64::from(number))
        .fetch_optional(self.db.read())
        .await?;
        row.map(|row| {
            Ok(Page {
                number: row.get::<i64, _>(0) as u32,
                label: row.get(1),
                width: row.get::<f64, _>(2) as f32,
                height: row.get::<f64, _>(3) as f32,
                text: row.get(4),
                words: words_from_bytes(&row.get::<Vec<u8>, _>(5)),
                blocks: from_json(&row.get::<String, _>(6))?,
            })
        })
        .transpose()
    }

    /// How many stored pages a version has, and whether their numbers mean something to a reader; `None` if there is none.
    pub async fn parts(&self, call: &Call, document: DocumentId, version: u32) -> Result<Option<(u32, bool)>, IndexError> {
        let row = sqlx::query(
            "SELECT (SELECT COUNT(*) FROM pages p WHERE p.document = v.document AND p.version = v.version), v.paged FROM versions v \
             WHERE v.tenant = $1 AND v.scenario = $2 AND v.document = $3 AND v.version = $4",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(key(document.0))
        .bind(i64::from(version))
        .fetch_optional(self.db.read())
        .await?;
        Ok(row.map(|row| (row.get::<i64, _>(0) as u32, row.get::<i64, _>(1) == 1)))
    }

    /// The hash of the original bytes of a version (0: of the newest, published or not), and the name they came under.
    pub async fn original(
        &self,
        call: &Call,
        document: DocumentId,
        version: u32,
    ) -> Result<Option<(String, String)>, IndexError> {
        let row = sqlx::query(
            "SELECT hash, name FROM versions WHERE tenant = $1 AND scenario = $2 AND document = $3 AND version = \
             CASE WHEN $4 = 0 THEN (SELECT newest FROM documents WHERE id = $3) ELSE $4 END",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(key(document.0))
        .bind(i64::from(version))
        .fetch_optional(self.db.read())
        .await?;
        Ok(row.map(|row| (row.get(0), row.get(1))))
    }

    /// What a person should know about a version: pages without text, parts that were skipped.
    pub async fn warnings(&self, call: &Call, document: DocumentId, version: u32) -> Result<Vec<String>, IndexError> {
        let row =
            sqlx::query("SELECT warnings FROM versions WHERE tenant = $1 AND scenario = $2 AND document = $3 AND version = $4")
                .bind(call.scope.tenant())
                .bind(call.scope.scenario())
                .bind(key(document.0))
                .bind(i64::from(version))
                .fetch_optional(self.db.read())
                .await?;
        row.map_or(Ok(vec![]), |row| from_json(&row.get::<String, _>(0)))
    }

    /// Passages of a version in order, from ordinal `from` on.
    pub async fn passages(
        &self,
        document: DocumentId,
        version: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Passage>, IndexError> {
        let rows = sqlx::query(
            "SELECT id, ordinal, kind, text, headings, spans, regions FROM passages \
             WHERE document = $1 AND version = $2 AND ordinal >= $3 ORDER BY ordinal LIMIT $4",
        )
        .bind(key(document.0))
        .bind(i64::from(version))
        .bind(i64::from(from))
        .bind(limit as i64)
        .fetch_all(self.db.read())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Passage {
                    id: PassageId(uuid(row.get(0))?),
                    ordinal: row.get::<i64, _>(1) as u32,
                    kind: kind(row.get(2)),
                    text: row.get(3),
                    headings: from_json(&row.get::<String, _>(4))?,
                    spans: from_json(&row.get::<String, _>(5))?,
                    regions: from_json(&row.get::<String, _>(6))?,
                })
            })
            .collect()
    }

    /// The rows of a statement that takes tenant, scenario and these ids.
    async fn rows(&self, call: &Call, sql: String, ids: &[Uuid]) -> Result<Vec<AnyRow>, IndexError> {
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(call.scope.tenant()).bind(call.scope.scenario());
        for id in ids {
            query = query.bind(key(*id));
        }
        Ok(query.fetch_all(self.db.read()).await?)
    }

    /// Passages with their documents, by id. Only what the scope holds and has published comes back.
    pub async fn found(&self, call: &Call, ids: &[Uuid]) -> Result<HashMap<Uuid, Found>, IndexError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT p.id, p.kind, p.text, p.headings, p.spans, p.regions, p.part, v.paged, g.label, d.id, d.external_id, d.title, p.version, d.metadata, d.name \
             FROM passages p JOIN versions v ON v.document = p.document AND v.version = p.version AND v.state = 'live' \
             JOIN documents d ON d.id = p.document \
             LEFT JOIN pages g ON g.document = p.document AND g.version = p.version AND g.number = p.part \
             WHERE d.tenant = $1 AND d.scenario = $2 AND p.id IN ({})",
            places(3, ids.len())
        );
        let rows = self.rows(call, sql, ids).await?;
        rows.iter()
            .map(|row| {
                let id = uuid(row.get(0))?;
                let part = row.get::<i64, _>(6) as u32;
                let found = Found {
                    id: PassageId(id),
                    kind: kind(row.get(1)),
                    text: row.get(2),
                    headings: from_json(&row.get::<String, _>(3))?,
                    spans: from_json(&row.get::<String, _>(4))?,
                    regions: from_json(&row.get::<String, _>(5))?,
                    part,
                    page: (row.get::<i64, _>(7) == 1).then(|| PageRef { index: part, label: row.get(8) }),
                    document: Source {
                        id: DocumentId(uuid(row.get(9))?),
                        external_id: row.get(10),
                        title: row.get(11),
                        version: row.get::<i64, _>(12) as u32,
                        metadata: from_json(&row.get::<String, _>(13))?,
                        name: row.get(14),
                        facts: Map::new(),
                    },
                };
                Ok((id, found))
            })
            .collect()
    }

    /// Passages by id as far as they are read to rank them. Only what the scope holds and has published comes back.
    pub async fn snippets(&self, call: &Call, ids: &[Uuid]) -> Result<HashMap<Uuid, Snippet>, IndexError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT p.id, p.document, p.part, p.kind, p.text, p.headings FROM passages p \
             JOIN versions v ON v.document = p.document AND v.version = p.version AND v.state = 'live' \
             WHERE v.tenant = $1 AND v.scenario = $2 AND p.id IN ({})",
            places(3, ids.len())
        );
        let rows = self.rows(call, sql, ids).await?;
        rows.iter()
            .map(|row| {
                let snippet = Snippet {
                    document: DocumentId(uuid(row.get(1))?),
                    part: row.get::<i64, _>(2) as u32,
                    kind: kind(row.get(3)),
                    text: row.get(4),
                    headings: from_json(&row.get::<String, _>(5))?,
                };
                Ok((uuid(row.get(0))?, snippet))
            })
            .collect()
    }

    /// The published documents of the scope. Read once per change of the scope.
    pub async fn sources(&self, call: &Call) -> Result<Arc<Vec<Source>>, IndexError> {
        let revision = self.scope_row(call).await?.1;
        if let Some((cached, sources)) = self.sources.lock().ok().and_then(|c| c.get(&call.scope).cloned())
            && cached == revision
        {
            return Ok(sources);
        }
        let rows = sqlx::query(
            "SELECT id, external_id, title, version, metadata, name, \
             (SELECT facts FROM versions v WHERE v.document = documents.id AND v.version = documents.version) FROM documents \
             WHERE tenant = $1 AND scenario = $2 AND version > 0 ORDER BY created_at, id",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .fetch_all(self.db.read())
        .await?;
        let sources = rows
            .iter()
            .map(|row| {
                Ok(Source {
                    id: DocumentId(uuid(row.get(0))?),
                    external_id: row.get(1),
                    title: row.get(2),
                    version: row.get::<i64, _>(3) as u32,
                    metadata: from_json(&row.get::<String, _>(4))?,
                    name: row.get(5),
                    facts: row.get::<Option<String>, _>(6).map_or(Ok(Map::new()), |facts| from_json(&facts))?,
                })
            })
            .collect::<Result<Vec<_>, IndexError>>()?;
        let sources = Arc::new(sources);
        if let Ok(mut cache) = self.sources.lock() {
            cache.insert(call.scope.clone(), (revision, sources.clone()));
        }
        Ok(sources)
    }

    /// The languages of the scope's published documents.
    pub async fn languages(&self, call: &Call) -> Result<Vec<String>, IndexError> {
        let rows = sqlx::query("SELECT DISTINCT language FROM documents WHERE tenant = $1 AND scenario = $2 AND version > 0 AND language IS NOT NULL")
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .fetch_all(self.db.read())
            .await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// The documents of the scope that the filters let through and that are not dated after `as_of`; `None` when all are.
    pub async fn matching(
        &self,
        call: &Call,
        filters: &Filters,
        as_of: Option<&str>,
    ) -> Result<Option<Vec<DocumentId>>, IndexError> {
        if filters.0.is_empty() && as_of.is_none() {
            return Ok(None);
        }
        let conditions = filters.0.iter().map(|(key, value)| Condition::parse(key, value)).collect::<Result<Vec<_>, _>>()?;
        if let Some(day) = as_of.filter(|day| !is_day(day)) {
            return Err(IndexError::Filter {
                key: "as_of".into(),
                reason: format!("`{}` is no date; write one like 2023-12-31", day.chars().take(40).collect::<String>()),
            });
        }
        let rows = sqlx::query(
            "SELECT id, external_id, name, title, language, metadata, \
             (SELECT facts FROM versions v WHERE v.document = documents.id AND v.version = documents.version), labels FROM documents \
             WHERE tenant = $1 AND scenario = $2 AND version > 0 ORDER BY id",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .fetch_all(self.db.read())
        .await?;
        let mut matching = Vec::new();
        for row in &rows {
            let id = DocumentId(uuid(row.get(0))?);
            let facts = row.get::<Option<String>, _>(6).map_or(Ok(Map::new()), |facts| from_json(&facts))?;
            let (said, read): (Map<_, _>, Map<_, _>) = facts.into_iter().partition(|(_, fact)| is_said(fact));
            let mut fields = plain(&read);
            // What the caller said stands above what was read, and what was said of a fact above metadata.
            fields.extend(from_json::<Map<String, Value>>(&row.get::<String, _>(5))?);
            fields.extend(plain(&said));
            for (at, name) in [(1, "external_id"), (2, "name"), (3, "title"), (4, "language")] {
                if let Some(text) = row.get::<Option<String>, _>(at) {
                    fields.insert(name.into(), text.into());
                }
            }
            fields.insert("id".into(), id.to_string().into());
            fields.insert("labels".into(), from_json(&row.get::<String, _>(7))?);
            // A report whose date is not printed is not older than what it reports on.
            let dated = ["date", "period_end"].iter().find_map(|field| fields.get(*field).and_then(Value::as_str));
            let later = as_of.is_some_and(|day| dated.is_some_and(|date| after(date, day)));
            if !later && conditions.iter().all(|condition| condition.holds(&fields)) {
                matching.push(id);
            }
        }
        Ok(Some(matching))
    }

    /// Versions of the scope that have or may have points and are not published.
    pub async fn hidden(&self, call: &Call) -> Result<Vec<(DocumentId, u32)>, IndexError> {
        let rows = sqlx::query("SELECT document, version FROM versions WHERE tenant = $1 AND scenario = $2 AND state <> 'live'")
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .fetch_all(self.db.read())
            .await?;
        rows.iter().map(|row| Ok((DocumentId(uuid(row.get(0))?), row.get::<i64, _>(1) as u32))).collect()
    }

    /// How many passages the scope has published, and how many of them hold each term.
    pub async fn frequencies(&self, call: &Call, terms: &[u32]) -> Result<(u64, HashMap<u32, u64>), IndexError> {
        let passages = self.scope_row(call).await?.0;
        if terms.is_empty() {
            return Ok((passages, HashMap::new()));
        }
        let sql = format!(
            "SELECT term, passages FROM frequencies WHERE tenant = $1 AND scenario = $2 AND term IN ({})",
            places(3, terms.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(call.scope.tenant()).bind(call.scope.scenario());
        for term in terms {
            query = query.bind(i64::from(*term));
        }
        let rows = query.fetch_all(self.db.read()).await?;
        Ok((passages, rows.iter().map(|row| (row.get::<i64, _>(0) as u32, row.get::<i64, _>(1).max(0) as u64)).collect()))
    }

    /// Published documents of the scope whose vectors, or whose points altogether, are still to be written.
    pub async fn vectors_pending(&self, call: &Call) -> Result<u32, IndexError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM jobs WHERE tenant = $1 AND scenario = $2 AND stage IN ('index', 'embed') \
             AND EXISTS (SELECT 1 FROM versions v WHERE v.document = jobs.document AND v.version = jobs.version AND v.state = 'live')",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .fetch_one(self.db.read())
        .await?;
        Ok(row.get::<i64, _>(0) as u32)
    }

    /// Stores an answer with the record of how it came about.
    pub async fn store_answer(
        &self,
        call: &Call,
        id: AnswerId,
        question: &str,
        answer: &impl Serialize,
        trace: &impl Serialize,
    ) -> Result<(), IndexError> {
        let mut tx = self.db.write().await?;
        sqlx::query(
            "INSERT INTO answers (id, tenant, scenario, question, answer, trace, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(key(id.0))
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(question)
        .bind(to_json(answer))
        .bind(to_json(trace))
        .bind(now())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// A stored answer of the caller's tenant.
    pub async fn answer(&self, call: &Call, id: AnswerId) -> Result<Option<StoredAnswer>, IndexError> {
        let row = sqlx::query("SELECT scenario, question, answer, trace FROM answers WHERE tenant = $1 AND id = $2")
            .bind(call.scope.tenant())
            .bind(key(id.0))
            .fetch_optional(self.db.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let given = sqlx::query("SELECT feedback, created_at FROM feedback WHERE tenant = $1 AND answer = $2 ORDER BY id")
            .bind(call.scope.tenant())
            .bind(key(id.0))
            .fetch_all(self.db.read())
            .await?;
        let feedback = given.iter().map(|row| {
            let mut feedback: Value = from_json(&row.get::<String, _>(0))?;
            feedback["created_at"] = rfc3339(row.get(1)).into();
            Ok(feedback)
        });
        Ok(Some(StoredAnswer {
            scenario: row.get(0),
            question: row.get(1),
            answer: from_json(&row.get::<String, _>(2))?,
            trace: from_json(&row.get::<String, _>(3))?,
            feedback: feedback.collect::<Result<_, IndexError>>()?,
        }))
    }

    /// Attaches what somebody thinks of an answer; `false` if the caller's tenant has no such answer.
    pub async fn add_feedback(&self, call: &Call, id: AnswerId, feedback: &impl Serialize) -> Result<bool, IndexError> {
        let mut tx = self.db.write().await?;
        let added = sqlx::query(
            "INSERT INTO feedback (answer, tenant, feedback, created_at)
             SELECT id, tenant, $3, $4 FROM answers WHERE tenant = $1 AND id = $2",
        )
        .bind(call.scope.tenant())
        .bind(key(id.0))
        .bind(to_json(feedback))
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(added.rows_affected() == 1)
    }

    /// Vectors of texts that were embedded before in this space, by the hash of the text.
    pub async fn vectors(&self, space: &str, hashes: &[String]) -> Result<HashMap<String, Vec<f32>>, IndexError> {
        if hashes.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!("SELECT hash, vector FROM vectors WHERE space = $1 AND hash IN ({})", places(2, hashes.len()));
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(space);
        for hash in hashes {
            query = query.bind(hash);
        }
        let rows = query.fetch_all(self.db.read()).await?;
        Ok(rows.iter().map(|row| (row.get(0), floats(&row.get::<Vec<u8>, _>(1)))).collect())
    }

    async fn scope_row(&self, call: &Call) -> Result<(u64, i64), IndexError> {
        let row = sqlx::query("SELECT passages, revision FROM scopes WHERE tenant = $1 AND scenario = $2")
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .fetch_optional(self.db.read())
            .await?;
        Ok(row.map_or((0, 0), |row| (row.get::<i64, _>(0) as u64, row.get(1))))
    }
}

/// One filter: a field and what its value must be.
struct Condition<'a> {
    field: &'a str,
    test: Test<'a>,
}

enum Test<'a> {
    OneOf(Vec<&'a Value>),
    Range(Vec<(&'a str, &'a Value)>),
}

impl<'a> Condition<'a> {
    fn parse(field: &'a str, value: &'a Value) -> Result<Self, IndexError> {
        let wrong = |reason: &str| IndexError::Filter { key: field.into(), reason: reason.into() };
        let test = match value {
            Value::Array(values) if values.iter().any(|v| v.is_array() || v.is_object()) => {
                return Err(wrong("a list may hold texts, numbers, true, false and null only"));
            }
            Value::Array(values) => Test::OneOf(values.iter().collect()),
            Value::Object(bounds) => {
                if bounds.is_empty() {
                    return Err(wrong("a range needs at least one of gte, gt, lte, lt"));
                }
                for (name, bound) in bounds {
                    if !["gte", "gt", "lte", "lt"].contains(&name.as_str()) {
                        return Err(wrong(&format!("`{name}` is no bound; use gte, gt, lte or lt")));
                    }
                    if !bound.is_number() && !bound.is_string() {
                        return Err(wrong(&format!("the bound `{name}` must be a number or a text")));
                    }
                    if field == "date" && !bound.as_str().is_some_and(is_day) {
                        return Err(wrong(&format!("{bound} is no date; write one like 2023-12-31")));
                    }
                }
                Test::Range(bounds.iter().map(|(name, bound)| (name.as_str(), bound)).collect())
            }
            single => Test::OneOf(vec![single]),
        };
        Ok(Self { field, test })
    }

    fn holds(&self, fields: &Map<String, Value>) -> bool {
        let value = fields.get(self.field).unwrap_or(&Value::Null);
        // A field that is a list holds if one of its values does.
        let values = value.as_array().map_or_else(|| vec![value], |list| list.iter().collect());
        match &self.test {
            Test::OneOf(allowed) => values.iter().any(|v| allowed.iter().any(|a| equal(a, v))),
            Test::Range(bounds) => values.iter().any(|v| {
                bounds.iter().all(|(name, bound)| match (order(v, bound), *name) {
                    (Some(order), "gte") => order.is_ge(),
                    (Some(order), "gt") => order.is_gt(),
                    (Some(order), "lte") => order.is_le(),
                    (Some(order), _) => order.is_lt(),
                    (None, _) => false,
                })
            }),
        }
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        // `"2023"` in the metadata lies within a range of numbers.
        _ => number(a)?.partial_cmp(&number(b)?),
    }
}

/// Whether somebody said a fact, and it was not read.
pub fn is_said(fact: &Value) -> bool {
    fact["from"].as_str().is_some_and(|from| matches!(from, "manifest" | "patch"))
}

/// What was read of a document as fields that can be filtered: `company`, `ticker`, `kind`, `form`, `year`, `period`, `period_end`,
/// `date`, `currency`.
fn plain(facts: &Map<String, Value>) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in ["company", "ticker", "kind", "form", "date", "currency"] {
        if let Some(value) = facts.get(name).map(|fact| fact.get("value").unwrap_or(fact)).filter(|value| value.is_string()) {
            fields.insert(name.into(), value.clone());
        }
    }
    if let Some(period) = facts.get("period").and_then(|fact| fact.get("value")) {
        fields.extend(period.get("year").map(|year| ("year".to_owned(), year.clone())));
        fields.extend(period.get("part").map(|part| ("period".to_owned(), part.clone())));
        fields.extend(period.get("end").map(|end| ("period_end".to_owned(), end.clone())));
    }
    fields
}

/// Whether a text is a day, a month, a year or a time, as RFC 3339 writes them.
fn is_day(text: &str) -> bool {
    let padded = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        // Dates are compared as texts: without its dashes one would stand wrong.
        _ if !text.contains('-') => return false,
        _ => text.to_owned(),
    };
    padded.parse::<jiff::civil::Date>().is_ok() || text.parse::<jiff::Timestamp>().is_ok()
}

/// Whether a date, as far as it is given, lies wholly after a day: a document dated `2023` may be of the first of January.
fn after(date: &str, day: &str) -> bool {
    let length = date.len().min(day.len()).min(10);
    match (date.get(..length), day.get(..length)) {
        (Some(date), Some(day)) => date > day,
        _ => false,
    }
}

/// An id as the catalog writes it.
pub fn key(id: Uuid) -> String {
    id.simple().to_string()
}

/// Any value as the JSON text of a column.
pub fn to_json(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

/// Words as bytes: start (4), length (2), and the box in 65535ths of the page (2 each), little endian.
pub fn words_to_bytes(words: &[Word]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(words.len() * 14);
    for word in words {
        bytes.extend(word.start.to_le_bytes());
        bytes.extend((word.end.saturating_sub(word.start).min(65_535) as u16).to_le_bytes());
        for side in word.rect {
            bytes.extend(((side.clamp(0.0, 1.0) * 65_535.0).round() as u16).to_le_bytes());
        }
    }
    bytes
}

fn words_from_bytes(bytes: &[u8]) -> Vec<Word> {
    let short = |at: &[u8], i: usize| u16::from_le_bytes([at[i], at[i + 1]]);
    bytes
        .chunks_exact(14)
        .map(|at| {
            let start = u32::from_le_bytes([at[0], at[1], at[2], at[3]]);
            let side = |i| f32::from(short(at, i)) / 65_535.0;
            Word { start, end: start + u32::from(short(at, 4)), rect: [side(6), side(8), side(10), side(12)] }
        })
        .collect()
}

/// A vector as bytes, little endian.
pub fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, IndexError> {
    serde_json::from_str(text)
        .map_err(|e| IndexError::DataDamaged { reason: format!("a row of its catalog cannot be read: {e}") })
}

fn uuid(text: &str) -> Result<Uuid, IndexError> {
    Uuid::try_parse(text).map_err(|_| IndexError::DataDamaged { reason: "a row of its catalog has no valid id".into() })
}

fn kind(text: &str) -> PassageKind {
    if text == "table" { PassageKind::Table } else { PassageKind::Text }
}

/// `$3, $4, …` for a list of values.
pub fn places(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

fn document(row: &AnyRow) -> Result<Document, IndexError> {
    let code: Option<String> = row.get("error_code");
    Ok(Document {
        id: DocumentId(uuid(row.get("id"))?),
        scenario: row.get("scenario"),
        external_id: row.get("external_id"),
        name: row.get("name"),
        title: row.get("title"),
        media_type: row.get("media_type"),
        language: row.get("language"),
        metadata: from_json(&row.get::<String, _>("metadata"))?,
        labels: from_json(&row.get::<String, _>("labels"))?,
        facts: row.get::<Option<String>, _>("facts").map_or(Ok(Map::new()), |facts| from_json(&facts))?,
        status: row.get::<String, _>("status").parse().map_err(|reason| IndexError::DataDamaged { reason })?,
        stage: row.get("stage"),
        progress: row.get::<f64, _>("progress") as f32,
        version: row.get::<i64, _>("version") as u32,
        bytes: row.get::<i64, _>("bytes") as u64,
        pages: row.get::<i64, _>("pages") as u32,
        passages: row.get::<i64, _>("passages") as u32,
        error: code.map(|code| Failure { code, detail: row.get::<Option<String>, _>("error_detail").unwrap_or_default() }),
        created_at: rfc3339(row.get("created_at")),
        updated_at: rfc3339(row.get("updated_at")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(filter: Value, fields: Value, holds: bool) {
        let condition = Condition::parse("year", &filter).unwrap();
        assert_eq!(condition.holds(fields.as_object().unwrap()), holds, "{filter} on {fields}");
    }

    #[test]
    fn filters_hold_by_value_list_and_range() {
        check(json!(2023), json!({ "year": 2023 }), true);
        check(json!(2023), json!({ "year": 2023.0 }), true);
        check(json!("2023"), json!({ "year": 2023 }), false);
        check(json!([2022, 2023]), json!({ "year": 2023 }), true);
        check(json!({ "gte": 2022, "lt": 2023 }), json!({ "year": 2023 }), false);
        check(json!({ "gte": "2023-01-01" }), json!({ "year": "2023-06-30" }), true);
        check(json!("云"), json!({ "year": ["云", "网"] }), true);
        check(json!(2023), json!({}), false);
        check(json!(null), json!({}), true);
    }

    #[test]
    fn a_number_written_as_a_text_lies_in_a_range() {
        check(json!({ "gte": 2022, "lt": 2024 }), json!({ "year": "2023" }), true);
        check(json!({ "gt": 2023 }), json!({ "year": "年报" }), false);
    }

    #[test]
    fn a_date_is_compared_as_far_as_it_is_given() {
        assert!(after("2023-07-01", "2023-06-30") && after("2024", "2023-12-31") && !after("2023", "2023-06-30"));
        assert!(!after("2023-06-30T08:00:00Z", "2023-06-30"));
        for text in ["2023", "2023-06", "2023-06-30", "2023-06-30T08:00:00Z"] {
            assert!(is_day(text), "{text}");
        }
        for text in ["", "yesterday", "2023-13", "20230630", "去年"] {
            assert!(!is_day(text), "{text}");
        }
        let error = Condition::parse("date", &json!({ "gte": "last year" })).err().unwrap().to_string();
        assert_eq!(error, "filter `date`: \"last year\" is no date; write one like 2023-12-31");
    }

    #[test]
    fn a_filter_that_is_none_says_what_to_write() {
        let error = Condition::parse("year", &json!({ "from": 1 })).err().unwrap().to_string();
        assert_eq!(error, "filter `year`: `from` is no bound; use gte, gt, lte or lt");
    }

    #[test]
    fn words_keep_their_place() {
        let words = vec![Word { start: 70_000, end: 70_007, rect: [0.0, 0.25, 0.5, 1.0] }];
        let back = words_from_bytes(&words_to_bytes(&words));
        assert_eq!((back[0].start, back[0].end), (70_000, 70_007));
        assert!(back[0].rect.iter().zip(words[0].rect).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
