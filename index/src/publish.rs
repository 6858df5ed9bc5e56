//! Which version of a document is found: switching is one transaction.
//!
//! A version is `pending` while it is written, `live` when it is found, `retired` when it was replaced or deleted and its
//! points are still to be removed. Queries leave out what is not live ([`crate::catalog::Catalog::hidden`]), so the switch
//! takes effect at its commit, whatever points exist. The word frequencies of the scope change in the same transaction.

use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use crate::{IndexError, catalog::key, corpus::DocumentId, db::now, scope::Scope};

/// How many passages of a version hold each term, ascending by term.
pub type TermCounts = Vec<(u32, u32)>;

/// Makes a pending version the live one and retires the version before it. Returns the retired version.
///
/// # Errors
/// `catalog` if the transaction fails; then nothing has changed.
pub async fn publish(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    document: DocumentId,
    version: u32,
) -> Result<Option<u32>, IndexError> {
    let before = live(tx, document).await?;
    if before == Some(version) {
        return Ok(None);
    }
    if let Some(old) = before {
        retire(tx, scope, document, old).await?;
    }
    let row = sqlx::query(
        "UPDATE versions SET state = 'live' WHERE document = $1 AND version = $2 \
         RETURNING passages, terms, title, (SELECT COUNT(*) FROM pages p WHERE p.document = versions.document AND p.version = versions.version) * paged",
    )
    .bind(key(document.0))
    .bind(i64::from(version))
    .fetch_one(&mut **tx)
    .await?;
    let passages: i64 = row.get(0);
    add(tx, scope, passages, &from_bytes(&row.get::<Option<Vec<u8>>, _>(1).unwrap_or_default()), 1).await?;
    sqlx::query("UPDATE documents SET version = $2, passages = $3, title = COALESCE($4, title), pages = $5, updated_at = $6 WHERE id = $1")
        .bind(key(document.0))
        .bind(i64::from(version))
        .bind(passages)
        .bind(row.get::<Option<String>, _>(2))
        .bind(row.get::<i64, _>(3))
        .bind(now())
        .execute(&mut **tx)
        .await?;
    Ok(before)
}

/// Takes a version out of every query; its points and rows may be removed afterwards.
///
/// # Errors
/// `catalog` if the transaction fails.
pub async fn retire(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    document: DocumentId,
    version: u32,
) -> Result<(), IndexError> {
    let row = sqlx::query("SELECT state, passages, terms FROM versions WHERE document = $1 AND version = $2")
        .bind(key(document.0))
        .bind(i64::from(version))
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(()) };
    if row.get::<String, _>(0) == "live" {
        let terms = from_bytes(&row.get::<Option<Vec<u8>>, _>(2).unwrap_or_default());
        add(tx, scope, row.get(1), &terms, -1).await?;
    }
    sqlx::query("UPDATE versions SET state = 'retired', terms = NULL WHERE document = $1 AND version = $2")
        .bind(key(document.0))
        .bind(i64::from(version))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Marks the scope as changed, so that what was remembered of it is read again.
///
/// # Errors
/// `catalog` if the transaction fails.
pub async fn touch(tx: &mut Transaction<'static, Any>, scope: &Scope) -> Result<(), IndexError> {
    add(tx, scope, 0, &[], 1).await
}

/// The live version of a document.
async fn live(tx: &mut Transaction<'static, Any>, document: DocumentId) -> Result<Option<u32>, IndexError> {
    let row = sqlx::query("SELECT version FROM versions WHERE document = $1 AND state = 'live'")
        .bind(key(document.0))
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.map(|row| row.get::<i64, _>(0) as u32))
}

async fn add(
    tx: &mut Transaction<'static, Any>,
    scope: &Scope,
    passages: i64,
    terms: &[(u32, u32)],
    sign: i64,
) -> Result<(), IndexError> {
    sqlx::query(
        "INSERT INTO scopes (tenant, scenario, passages, revision) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (tenant, scenario) DO UPDATE SET passages = scopes.passages + excluded.passages, revision = scopes.revision + 1",
    )
    .bind(scope.tenant())
    .bind(scope.scenario())
    .bind(sign * passages)
    .execute(&mut **tx)
    .await?;
    for chunk in terms.chunks(200) {
        let rows: Vec<String> = (0..chunk.len()).map(|i| format!("($1, $2, ${}, ${})", 3 + 2 * i, 4 + 2 * i)).collect();
        let sql = format!(
            "INSERT INTO frequencies (tenant, scenario, term, passages) VALUES {} \
             ON CONFLICT (tenant, scenario, term) DO UPDATE SET passages = frequencies.passages + excluded.passages",
            rows.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(scope.tenant()).bind(scope.scenario());
        for (term, count) in chunk {
            query = query.bind(i64::from(*term)).bind(sign * i64::from(*count));
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

/// The form of the counts in the catalog.
pub fn to_bytes(terms: &[(u32, u32)]) -> Vec<u8> {
    terms.iter().flat_map(|(term, count)| [term.to_le_bytes(), count.to_le_bytes()].concat()).collect()
}

fn from_bytes(bytes: &[u8]) -> TermCounts {
    let number = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    bytes.chunks_exact(8).map(|pair| (number(&pair[..4]), number(&pair[4..]))).collect()
}
