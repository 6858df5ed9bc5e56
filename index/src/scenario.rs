//! Which scenarios are there, and what was said about each? Rows of the catalog; what their settings mean is known above.
//!
//! `default` always exists, whether or not anything was ever said about it.

use serde_json::{Map, Value};
use sqlx::{Any, Row, Transaction, any::AnyRow};

use crate::{
    IndexError,
    catalog::{Catalog, to_json},
    db::{now, rfc3339},
    scope::{Call, DEFAULT, Scope},
};

/// A scenario of a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioRow {
    /// Its name.
    pub name: String,
    /// What was set for it.
    pub settings: Map<String, Value>,
    /// When it was made, RFC 3339; `None` for a `default` that was never changed.
    pub created_at: Option<String>,
    /// When it was last changed.
    pub updated_at: Option<String>,
}

const ROW: &str = "SELECT name, settings, created_at, updated_at FROM scenarios WHERE tenant = $1";

impl Catalog {
    /// The scenario of a call.
    ///
    /// # Errors
    /// `not_found` if there is none.
    pub async fn scenario(&self, call: &Call) -> Result<ScenarioRow, IndexError> {
        let sql = format!("{ROW} AND name = $2");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(call.scope.tenant())
            .bind(call.scope.scenario())
            .fetch_optional(self.db().read())
            .await?;
        existing(&call.scope, row.as_ref())
    }

    /// All scenarios of the call's tenant, `default` first, then by name.
    pub async fn scenarios(&self, call: &Call) -> Result<Vec<ScenarioRow>, IndexError> {
        let sql = format!("{ROW} ORDER BY name");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(call.scope.tenant()).fetch_all(self.db().read()).await?;
        let mut scenarios = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        match scenarios.iter().position(|scenario| scenario.name == DEFAULT) {
            Some(at) => scenarios[..=at].rotate_right(1),
            None => scenarios.insert(0, unsaid()),
        }
        Ok(scenarios)
    }

    /// Makes the scenario of a call; `false` if it is there already.
    ///
    /// # Errors
    /// `catalog` if it cannot be written.
    pub async fn create_scenario(&self, call: &Call, settings: &Map<String, Value>) -> Result<bool, IndexError> {
        if call.scope.scenario() == DEFAULT {
            return Ok(false);
        }
        let mut tx = self.db().write().await?;
        let done = sqlx::query(
            "INSERT INTO scenarios (tenant, name, settings, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (tenant, name) DO NOTHING",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(to_json(settings))
        .bind(now())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes what is set for the scenario of a call; nobody else changes it meanwhile. If `change` fails, nothing happens.
    ///
    /// # Errors
    /// `not_found` if there is none, whatever `change` returns, `catalog` if it cannot be written.
    pub async fn change_scenario<E: From<IndexError>>(
        &self,
        call: &Call,
        change: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, E>,
    ) -> Result<ScenarioRow, E> {
        let mut tx = self.db().write().await?;
        let before = locked(&mut tx, &call.scope).await?;
        let settings = change(before.settings)?;
        sqlx::query(
            "INSERT INTO scenarios (tenant, name, settings, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) \
             ON CONFLICT (tenant, name) DO UPDATE SET settings = excluded.settings, updated_at = excluded.updated_at",
        )
        .bind(call.scope.tenant())
        .bind(call.scope.scenario())
        .bind(to_json(&settings))
        .bind(now())
        .execute(&mut *tx)
        .await
        .map_err(IndexError::from)?;
        let after = locked(&mut tx, &call.scope).await?;
        tx.commit().await.map_err(IndexError::from)?;
        Ok(after)
    }
}

async fn locked(tx: &mut Transaction<'static, Any>, scope: &Scope) -> Result<ScenarioRow, IndexError> {
    let sql = format!("{ROW} AND name = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(scope.tenant()).bind(scope.scenario()).fetch_optional(&mut **tx).await?;
    existing(scope, row.as_ref())
}

fn existing(scope: &Scope, row: Option<&AnyRow>) -> Result<ScenarioRow, IndexError> {
    match row {
        Some(row) => read(row),
        None if scope.scenario() == DEFAULT => Ok(unsaid()),
        None => Err(IndexError::NoScenario { name: scope.scenario().into() }),
    }
}

fn unsaid() -> ScenarioRow {
    ScenarioRow { name: DEFAULT.into(), settings: Map::new(), created_at: None, updated_at: None }
}

fn read(row: &AnyRow) -> Result<ScenarioRow, IndexError> {
    let settings = serde_json::from_str(&row.get::<String, _>("settings"))
        .map_err(|e| IndexError::DataDamaged { reason: format!("a scenario of its catalog cannot be read: {e}") })?;
    Ok(ScenarioRow {
        name: row.get("name"),
        settings,
        created_at: Some(rfc3339(row.get("created_at"))),
        updated_at: Some(rfc3339(row.get("updated_at"))),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::db::{DataDir, Db};

    async fn catalog() -> (tempfile::TempDir, Catalog) {
        let dir = tempfile::tempdir().unwrap();
        let db = Db::open(&DataDir::open(dir.path()).unwrap()).await.unwrap();
        (dir, Catalog::new(db))
    }

    fn call(tenant: &str, scenario: &str) -> Call {
        Call::new(Scope::new(tenant, scenario).unwrap(), Duration::from_secs(10))
    }

    fn settings(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[tokio::test]
    async fn default_is_there_before_anybody_made_it_and_keeps_what_is_said_about_it() {
        let (_dir, catalog) = catalog().await;
        let call = call("default", "default");
        assert_eq!(catalog.scenario(&call).await.unwrap().settings, Map::new());
        assert!(!catalog.create_scenario(&call, &Map::new()).await.unwrap());
        let said = settings(json!({ "title": "年报" }));
        let changed = catalog.change_scenario::<IndexError>(&call, |_| Ok(said.clone())).await.unwrap();
        assert_eq!((&changed.settings, catalog.scenarios(&call).await.unwrap()), (&said, vec![changed.clone()]));
    }

    #[tokio::test]
    async fn a_scenario_belongs_to_its_tenant_and_is_made_once() {
        let (_dir, catalog) = catalog().await;
        let (ours, theirs) = (call("one", "reports"), call("two", "reports"));
        assert!(matches!(catalog.scenario(&ours).await, Err(IndexError::NoScenario { .. })));
        assert!(catalog.create_scenario(&ours, &settings(json!({ "pack": "autos" }))).await.unwrap());
        assert!(!catalog.create_scenario(&ours, &Map::new()).await.unwrap());
        assert_eq!(catalog.scenario(&ours).await.unwrap().settings["pack"], "autos");
        assert!(catalog.scenario(&theirs).await.is_err());
        let refused = catalog.change_scenario(&ours, |_| Err(IndexError::EmptyQuery)).await;
        assert!(refused.is_err() && catalog.scenario(&ours).await.unwrap().settings["pack"] == "autos");
        let names: Vec<String> = catalog.scenarios(&ours).await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["default", "reports"]);
    }
}
