//! Which index answers? The indexes there are, and the switch from one to another while questions go on.

use actix_web::{HttpRequest, HttpResponse, get, post, web};
use serde::Deserialize;
use serde_json::json;

use super::{
    State,
    body::{self, SMALL},
    problem::{Problem, ProblemDocument},
};

/// The index that is to answer.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Promotion {
    /// Its name; the one that was built last if absent or empty.
    #[serde(default)]
    name: Option<String>,
}

/// List the indexes
///
/// Each belongs to one encoder; the one in the state `live` answers.
#[utoipa::path(tag = "admin", responses((status = 200, description = "The indexes, oldest first", body = serde_json::Value)))]
#[get("/v1/admin/index")]
pub async fn list_generations(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let records = index::generation::list(state.service.catalog.db()).await?;
    Ok(HttpResponse::Ok().json(json!({ "data": records })))
}

/// Let an index answer
///
/// It was built by `dossier index build` beside the server. What has come since is added, then it answers from the next question on.
#[utoipa::path(tag = "admin", request_body = Promotion, responses(
    (status = 200, description = "It answers", body = serde_json::Value),
    (status = "4XX", description = "It cannot answer; the one before goes on", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/admin/index/promote")]
pub async fn promote_generation(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let promotion: Promotion = body::json(&request, payload, SMALL).await?;
    let service = state.service.clone();
    // A caller that leaves does not stop a switch half-way.
    let work = state.runtime.spawn(async move { service.promote(&promotion.name.unwrap_or_default()).await });
    Ok(HttpResponse::Ok().json(work.await.map_err(Problem::internal)??))
}

/// Let the index before answer again
#[utoipa::path(tag = "admin", responses(
    (status = 200, description = "It answers", body = serde_json::Value),
    (status = "4XX", description = "There is none, or it cannot answer", body = ProblemDocument, content_type = "application/problem+json")))]
#[post("/v1/admin/index/rollback")]
pub async fn roll_back_generation(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let service = state.service.clone();
    let work = state.runtime.spawn(async move { service.roll_back().await });
    Ok(HttpResponse::Ok().json(work.await.map_err(Problem::internal)??))
}
