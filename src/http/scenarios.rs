//! Scenarios: which there are, making one, looking at it, changing and deleting it.

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LOCATION, patch, post, web};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    State,
    body::{self, SMALL},
    problem::{Problem, ProblemDocument},
};
use crate::scenario::{Scenario, ScenarioError, Setup};

impl From<ScenarioError> for Problem {
    fn from(error: ScenarioError) -> Self {
        let detail = error.to_string();
        match error {
            // An unknown name and one that cannot be are answered alike.
            ScenarioError::Index(index::IndexError::NoScenario { .. }) => Self::not_found(),
            ScenarioError::Index(error) => Self::of(&error),
            ScenarioError::Invalid(_) => Self::new("invalid_scenario", detail),
            ScenarioError::UnknownField(_) => Self::new("unknown_field", detail),
            ScenarioError::Exists(_) => Self::new("scenario_exists", detail),
            ScenarioError::NotEmpty { .. } => Self::new("scenario_not_empty", detail),
        }
    }
}

/// Scenarios.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Scenarios {
    /// By name; `default` is the first and always there.
    data: Vec<Scenario>,
}

/// A new scenario.
#[derive(utoipa::ToSchema)]
#[allow(dead_code)] // describes the body
pub struct NewScenario {
    /// Its name: 1 to 64 of `a-z`, `0-9`, `-` and `_`, starting with a letter or digit. `id` means the same.
    name: String,
    #[schema(inline)]
    #[serde(flatten)]
    setup: Setup,
}

/// List scenarios
#[utoipa::path(tag = "scenarios", responses((status = 200, description = "The scenarios", body = Scenarios)))]
#[get("/v1/scenarios")]
pub async fn list_scenarios(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(Scenarios { data: state.service.scenarios().await? }))
}

/// Make a scenario
#[utoipa::path(tag = "scenarios", request_body = NewScenario, responses(
    (status = 201, description = "The scenario", body = Scenario),
    (status = "4XX", description = "It cannot be made like this", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/scenarios")]
pub async fn create_scenario(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut said: Map<String, Value> = body::json(&request, payload, SMALL).await?;
    let names: Vec<Value> = ["name", "id"].into_iter().filter_map(|field| said.shift_remove(field)).collect();
    let name = match names.as_slice() {
        [Value::String(name)] => name,
        [Value::String(name), Value::String(id)] if name == id => name,
        _ => return Err(Problem::new("invalid_request", "`name` must be there, and a text")),
    };
    let scenario = state.service.create_scenario(name, &said).await?;
    Ok(HttpResponse::Created().insert_header((LOCATION, format!("/v1/scenarios/{}", scenario.name))).json(scenario))
}

/// One scenario
#[utoipa::path(tag = "scenarios", params(("scenario" = String, Path, description = "The scenario")), responses(
    (status = 200, description = "The scenario", body = Scenario),
    (status = 404, description = "There is no such thing", body = ProblemDocument, content_type = "application/problem+json")))]
#[get("/v1/scenarios/{scenario}")]
pub async fn show_scenario(state: web::Data<State>, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    state.call(Some(&name)).await?;
    Ok(HttpResponse::Ok().json(state.service.scenario(&name).await?))
}

/// Change a scenario
///
/// A field replaces the one before, null removes it; `limits` are merged field by field.
#[utoipa::path(tag = "scenarios", params(("scenario" = String, Path, description = "The scenario")), request_body = Setup, responses(
    (status = 200, description = "The scenario", body = Scenario),
    (status = "4XX", description = "It cannot be changed like this", body = ProblemDocument, content_type = "application/problem+json")))]
#[patch("/v1/scenarios/{scenario}")]
pub async fn change_scenario(
    state: web::Data<State>,
    name: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    state.call(Some(&name)).await?;
    let change: Map<String, Value> = body::json(&request, payload, SMALL).await?;
    Ok(HttpResponse::Ok().json(state.service.change_scenario(&name, &change).await?))
}

/// What is said with a deletion.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Deletion {
    /// `delete`: its documents, batches and answers go with it. Without it a scenario with documents is kept.
    #[param(inline)]
    documents: Option<WithDocuments>,
}

/// What happens to the documents.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WithDocuments {
    Delete,
}

/// Delete a scenario
#[utoipa::path(tag = "scenarios", params(("scenario" = String, Path, description = "The scenario"), Deletion), responses(
    (status = 204, description = "It is gone"),
    (status = "4XX", description = "It cannot be deleted like this", body = ProblemDocument, content_type = "application/problem+json")))]
#[delete("/v1/scenarios/{scenario}")]
pub async fn delete_scenario(
    state: web::Data<State>,
    name: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    state.call(Some(&name)).await?;
    let deletion: Deletion = body::query(&request)?;
    state.service.remove_scenario(&name, deletion.documents.is_some()).await?;
    Ok(HttpResponse::NoContent().finish())
}
