//! Is the service alive, is it ready, what has it done? And what can be asked of it: the OpenAPI document.

use std::sync::atomic::Ordering::Relaxed;

use actix_web::{HttpResponse, get, http::header::CONTENT_TYPE, web};
use index::hit::{Filters, Mode, Query};
use metrics::gauge;
use serde::Serialize;

use super::{Api, State, problem::Problem};

/// Whether the service is ready, and what is worse than it could be.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// `ready`.
    status: &'static str,
    /// `vectors_pending`: some documents are found by their words only; `words_only`: all are, the encoder does not answer;
    /// `llm_unavailable`: the last question found the
    /// model endpoint failing; `documents_waiting`: the vector store took no documents, or is compared with the catalog.
    degraded: Vec<&'static str>,
}

/// Alive
///
/// Answers as long as the process can answer at all.
#[utoipa::path(tag = "health", responses((status = 200, description = "Alive", body = serde_json::Value)))]
#[get("/healthz")]
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Ready
///
/// The catalog and the store answer. A model endpoint that is down does not make the service unready: search and extractive
/// answers go on.
#[utoipa::path(tag = "health", responses((status = 200, description = "Ready", body = Readiness)))]
#[get("/readyz")]
pub async fn ready(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    if state.is_stopping() {
        return Err(Problem::passing("server_shutting_down", "the server is shutting down"));
    }
    // One search through catalog, encoder and store: what a question needs.
    let query =
        Query { text: "ready".into(), mode: Mode::Hybrid, top_k: 1, filters: Filters::default(), as_of: None, explain: false };
    let service = state.service.clone();
    let call = state.service.anywhere();
    let hits = state.work(async move { service.searcher.search(&call, &query).await }).await??;
    let mut degraded = Vec::new();
    if hits.words_only.is_some() {
        degraded.push("words_only");
    }
    if hits.vectors_pending > 0 {
        degraded.push("vectors_pending");
    }
    if state.service.pipeline.store_in_doubt() {
        degraded.push("documents_waiting");
    }
    if state.model_failed.load(Relaxed) {
        degraded.push("llm_unavailable");
    }
    Ok(HttpResponse::Ok().json(Readiness { status: "ready", degraded }))
}

/// Metrics
///
/// In the text format of Prometheus.
#[utoipa::path(tag = "health", responses((status = 200, description = "Metrics", content_type = "text/plain", body = String)))]
#[get("/metrics")]
pub async fn show_metrics(state: web::Data<State>) -> Result<HttpResponse, Problem> {
    let call = state.service.anywhere();
    let census = state.service.catalog.census(&call).await?;
    for status in ["queued", "running", "searchable", "ready", "failed", "quarantined"] {
        let count: u64 = census.iter().filter(|row| row.status.as_str() == status).map(|row| row.documents).sum();
        gauge!("dossier_documents", "status" => status).set(count as f64);
    }
    gauge!("dossier_queue_length").set(state.service.pipeline.queue().waiting().await? as f64);
    gauge!("dossier_vector_store_up").set(f64::from(u8::from(!state.service.pipeline.store_in_doubt())));
    gauge!("dossier_requests_in_flight").set(state.in_flight() as f64);
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")).body(state.metrics.render()))
}

/// This document
#[utoipa::path(tag = "health", responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value)))]
#[get("/openapi.json")]
pub async fn show_openapi(api: web::Data<Api>) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(api.text.clone())
}
