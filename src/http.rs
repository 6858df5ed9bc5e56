//! The HTTP surface: every request passes one guard (who is it, is there room), reaches one handler, and leaves with an id.
//!
//! Actix's threads read and write; the work itself runs on the runtime of the caller of [`serve`], so that a long question
//! holds up nobody's health check. Work belongs to its request: a client that leaves ends it.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpMessage, HttpRequest, HttpResponse, HttpServer,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::{Compress, Next, from_fn},
    web,
};
use index::{
    IndexError,
    scope::{Call, DEFAULT},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit, watch},
};
use tracing::{debug, info, warn};
use utoipa::openapi::{
    Content, InfoBuilder, OpenApi, Ref, RefOr, ResponseBuilder,
    security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};
use utoipa_actix_web::{AppExt, service_config::ServiceConfig};
use uuid::Uuid;

use crate::assemble::Service;

mod answers;
mod batches;
mod body;
mod documents;
mod generations;
mod health;
mod openai;
mod page;
mod problem;
mod scenarios;
mod sse;

use problem::Problem;

/// What needs no key: who is asked for one must be able to load the page that asks, and a probe has none.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/", "/app.js", "/style.css"];
/// Uploads that may be in memory at the same time.
const UPLOADS_IN_MEMORY: usize = 2;
/// Longest that requests in progress are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever is turned away is told so after a breath: clients that come back at once would take the processors from those who are
/// being answered.
const BREATH: Duration = Duration::from_millis(25);
/// What is worked on in the engine's room.
const QUESTIONS: [&str; 3] = ["/v1/ask", "/v1/search", "/v1/chat/completions"];

/// What handlers share.
struct State {
    service: Arc<Service>,
    key: Option<String>,
    runtime: Handle,
    metrics: PrometheusHandle,
    in_flight: Arc<Semaphore>,
    uploads: Semaphore,
    stopping: watch::Receiver<bool>,
    /// Whether the last question that wanted the model found it failing.
    model_failed: AtomicBool,
}

/// A place among the requests in flight.
type Permit = Arc<OwnedSemaphorePermit>;

/// The id of a request.
struct RequestId(String);

/// The OpenAPI document, and as text.
struct Api {
    document: OpenApi,
    text: String,
}

/// Whether the server may listen here: beyond loopback only with a key.
///
/// # Errors
/// Why not, and what to do.
pub fn may_bind(address: &SocketAddr, key: Option<&str>) -> Result<(), String> {
    match address.ip().is_loopback() || key.is_some() {
        true => Ok(()),
        false => Err(format!(
            "{address} can be reached from other machines, and no key is set; set one (DOSSIER_SERVER__KEY or DOSSIER_SERVER__KEY_FILE), or listen on 127.0.0.1"
        )),
    }
}

/// Serves until `stop` is ready; then requests in progress get a few seconds, streams a last event. The work runs on the
/// runtime this function is called in; the future itself belongs on an actix system.
///
/// # Errors
/// What the listener returns.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn serve(
    service: Arc<Service>,
    listener: std::net::TcpListener,
    key: Option<String>,
    stop: impl Future<Output = ()>,
) -> impl Future<Output = std::io::Result<()>> {
    let runtime = Handle::current();
    let (stopping, stopped) = watch::channel(false);
    let room = service.settings.server.max_in_flight;
    let state = web::Data::new(State {
        service,
        key,
        runtime,
        metrics: recorder(),
        in_flight: Arc::new(Semaphore::new(room)),
        uploads: Semaphore::new(UPLOADS_IN_MEMORY),
        stopping: stopped,
        model_failed: AtomicBool::new(false),
    });
    run(state, listener, room, stopping, stop)
}

async fn run(
    state: web::Data<State>,
    listener: std::net::TcpListener,
    room: usize,
    stopping: watch::Sender<bool>,
    stop: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let shared = state.clone();
    let server = HttpServer::new(move || {
        let (app, document) = App::new().into_utoipa_app().configure(routes).split_for_parts();
        let document = complete(document);
        let text = document.to_json().unwrap_or_default();
        app.app_data(shared.clone())
            .app_data(web::Data::new(Api { document, text }))
            .default_service(web::to(unknown))
            .wrap(Compress::default())
            .wrap(from_fn(guard))
    })
    // Else a client that closes its side is served to the end.
    .h1_allow_half_closed(false)
    .disable_signals()
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    let handle = server.handle();
    let end = async {
        stop.await;
        info!("stopping: no new requests, streams are told");
        stopping.send_replace(true);
        handle.pause().await;
        // All places free: nobody is being answered any more.
        let all = state.in_flight.acquire_many(room as u32);
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            warn!("requests were still in progress after {} s", PATIENCE.as_secs());
        }
        handle.stop(true).await;
    };
    // Samples of durations are kept one by one until they are summed up.
    let upkeep = async {
        loop {
            tokio::time::sleep(Duration::from_secs(5)).await;
            state.metrics.run_upkeep();
        }
    };
    tokio::select! {
        (served, ()) = async { tokio::join!(server, end) } => served,
        () = upkeep => Ok(()),
    }
}

fn routes(config: &mut ServiceConfig) {
    config
        .service(health::alive)
        .service(health::ready)
        .service(health::show_metrics)
        .service(health::show_openapi)
        .service(page::show_page)
        .service(page::script)
        .service(page::style)
        .service(answers::ask_question)
        .service(answers::get_answer)
        .service(answers::add_feedback)
        .service(answers::search_passages)
        .service(openai::complete_chat)
        .service(openai::list_models)
        .service(openai::show_model)
        .service(scenarios::list_scenarios)
        .service(scenarios::create_scenario)
        .service(scenarios::show_scenario)
        .service(scenarios::change_scenario)
        .service(scenarios::delete_scenario)
        .service(documents::add_document)
        .service(documents::list_documents)
        .service(documents::show_document)
        .service(documents::change_document)
        .service(documents::delete_document)
        .service(documents::get_content)
        .service(documents::get_page)
        .service(documents::list_passages)
        .service(documents::tell_why_not)
        .service(batches::create_batch)
        .service(batches::show_batch)
        .service(batches::add_items)
        .service(batches::list_items)
        .service(batches::follow_batch)
        .service(generations::list_generations)
        .service(generations::promote_generation)
        .service(generations::roll_back_generation);
}

/// What the routes do not say of themselves: who we are, the key, and that every request can end with a problem.
fn complete(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("dossier")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some("Answers questions over reports, with proof. Errors are described in docs/ERRORS.md."))
        .build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("key".into(), RefOr::T(SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))));
    let problem = ResponseBuilder::new()
        .description("A problem")
        .content("application/problem+json", Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem")))))
        .build();
    let chat_error = ResponseBuilder::new()
        .description("An error")
        .content("application/json", Content::new(Some(RefOr::Ref(Ref::from_schema_name("ChatError")))))
        .build();
    for (path, item) in &mut document.paths.paths {
        let problem = if openai::is_route(path) { &chat_error } else { &problem };
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            operation.responses.responses.insert("default".into(), RefOr::T(problem.clone()));
            if !OPEN.contains(&path.as_str()) {
                operation.security =
                    Some(vec![SecurityRequirement::default(), SecurityRequirement::new("key", Vec::<String>::new())]);
            }
        }
    }
    document
}

/// The one recorder of the process, with buckets for durations of milliseconds to minutes.
fn recorder() -> PrometheusHandle {
    let buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];
    let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &buckets);
    let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        warn!("metrics are recorded elsewhere in this process; /metrics shows none of them");
    }
    handle
}

/// What every request passes: an id, a place, a key; and on the way back, problems in one form, headers, the log.
async fn guard(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let began = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    if method == Method::HEAD {
        // Handled like a GET; the connection knows that no body is sent.
        request.head_mut().method = Method::GET;
    }
    request.extensions_mut().insert(RequestId(id.clone()));
    let admitted = request
        .app_data::<web::Data<State>>()
        .cloned()
        .ok_or_else(|| Problem::internal("no state"))
        .and_then(|state| state.admit(&request));
    let path = request.path().to_owned();
    let mut response = match admitted {
        Err(problem) => {
            if problem.is_retryable() {
                tokio::time::sleep(BREATH).await;
            }
            request.into_response(told(&path, &problem, &id))
        }
        Ok(permit) => {
            if let Some(permit) = &permit {
                request.extensions_mut().insert(permit.clone());
            }
            let response = next.call(request).await?;
            let problem = response.response().error().map(Problem::of_framework);
            match problem {
                Some(problem) => response.into_response(told(&path, &problem, &id)),
                None => response.map_into_boxed_body(),
            }
        }
    };
    let stopping = response.request().app_data::<web::Data<State>>().is_some_and(|state| state.is_stopping());
    if stopping {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    dress(response.headers_mut(), &id);
    record(&response, method.as_str(), &id, began.elapsed());
    Ok(response)
}

/// A problem in the words that are spoken at an address.
fn told(path: &str, problem: &Problem, id: &str) -> HttpResponse {
    if openai::is_route(path) { openai::response(problem, id) } else { problem.response(id) }
}

/// The caller's id of the request if it is a plain one, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let plain =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:/".contains(&b));
    given.filter(plain).map_or_else(|| format!("req_{}", Uuid::now_v7().simple()), str::to_owned)
}

fn dress(headers: &mut HeaderMap, id: &str) {
    let mut set = |name: &'static str, value: &str| {
        let name = HeaderName::from_static(name);
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    set("x-request-id", id);
    set("x-content-type-options", "nosniff");
    set("referrer-policy", "no-referrer");
    set("cache-control", "no-store");
    set("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    // It only told the compressor to leave the body alone.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
}

fn record(response: &ServiceResponse, method: &str, id: &str, took: Duration) {
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".into());
    let status = response.status().as_u16();
    let method = if ["GET", "POST", "PATCH", "DELETE"].contains(&method) { method } else { "other" }.to_owned();
    let duration_ms = took.as_secs_f64() * 1000.0;
    match OPEN.contains(&route.as_str()) || route == "/metrics" {
        true => debug!(status, duration_ms, request.id = id, "{method} {route} {status}"),
        false => info!(status, duration_ms, request.id = id, "{method} {route} {status}"),
    }
    metrics::counter!("dossier_http_requests_total", "route" => route.clone(), "method" => method, "status" => status.to_string()).increment(1);
    metrics::histogram!("dossier_http_request_duration_seconds", "route" => route).record(took);
}

/// A path or method that no handler has.
async fn unknown(request: HttpRequest, api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    let fits = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), request.path().split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == given || (wanted.starts_with('{') && !given.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let Some((_, item)) = api.document.paths.paths.iter().find(|(template, _)| fits(template)) else {
        return Err(Problem::not_found());
    };
    let methods = [("GET", &item.get), ("POST", &item.post), ("PATCH", &item.patch), ("DELETE", &item.delete)];
    let allowed: Vec<&str> = methods.into_iter().filter(|(_, operation)| operation.is_some()).map(|(name, _)| name).collect();
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
    let detail = format!("{} is not possible here, {} is", request.method(), allowed.join(", "));
    let mut response = told(request.path(), &Problem::new("method_not_allowed", detail), &id);
    if let Ok(allowed) = HeaderValue::from_str(&allowed.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    Ok(response)
}

/// Ready when the server is told to stop.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        std::future::pending().await
    }
}

impl State {
    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    fn in_flight(&self) -> usize {
        self.service.settings.server.max_in_flight - self.in_flight.available_permits()
    }

    /// Whether a request may go on, and its place if it needs one.
    fn admit(&self, request: &ServiceRequest) -> Result<Option<Permit>, Problem> {
        if OPEN.contains(&request.path()) {
            return Ok(None);
        }
        self.same_origin(request)?;
        self.authenticate(request.headers())?;
        if !request.path().starts_with("/v1/") {
            return Ok(None);
        }
        // Before anything is read of it: whoever is turned away must not cost those who are in.
        let shut_out = QUESTIONS.contains(&request.path()) && self.service.engine.turns_away();
        match self.in_flight.clone().try_acquire_owned() {
            Ok(permit) if !shut_out => Ok(Some(Arc::new(permit))),
            _ => {
                metrics::counter!("dossier_shed_total").increment(1);
                Err(Problem::passing("overloaded", "too many requests are being answered at the moment; try again in a moment"))
            }
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(key) = &self.key else { return Ok(()) };
        let given =
            headers.get(header::AUTHORIZATION).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
            });
        match given {
            // Hashes are compared, in constant time: neither length nor first difference can be timed.
            Some(token) if blake3::hash(token.as_bytes()) == blake3::hash(key.as_bytes()) => Ok(()),
            Some(_) => Err(Problem::new("unauthenticated", "the key is not valid")),
            None => Err(Problem::new("unauthenticated", "send the key as `Authorization: Bearer KEY`")),
        }
    }

    /// A browser says which site a request comes from: other sites have no business here. Without a key, the host must be
    /// this machine too, else a site could point its own name at it.
    fn same_origin(&self, request: &ServiceRequest) -> Result<(), Problem> {
        let headers = request.headers();
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        let origin = text(header::ORIGIN);
        let foreign =
            origin.is_some_and(|origin| origin.split_once("://").is_none_or(|(_, from)| !from.eq_ignore_ascii_case(host)));
        if foreign && self.key.is_none() {
            return Err(Problem::new("foreign_origin", "a page of another web site may not talk to a server without a key"));
        }
        if self.key.is_none() && !host.is_empty() && !is_loopback(host) {
            return Err(Problem::new(
                "foreign_origin",
                "without a key the server answers under the names of this machine only (localhost, 127.0.0.1); set a key",
            ));
        }
        Ok(())
    }

    /// A call in a scenario that exists. An unknown name and one that cannot be are answered alike.
    async fn call(&self, scenario: Option<&str>) -> Result<Call, Problem> {
        self.service.call(scenario.unwrap_or(DEFAULT)).await.map_err(|error| match error {
            IndexError::NoScenario { .. } | IndexError::InvalidName { .. } => Problem::not_found(),
            error => error.into(),
        })
    }

    /// Does work away from the threads that read and write; it ends with the request.
    async fn work<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, Problem> {
        sse::Work(self.runtime.spawn(work)).await.map_err(Problem::internal)
    }

    /// Waits until another upload may be held in memory.
    async fn memory(&self) -> Result<SemaphorePermit<'_>, Problem> {
        self.uploads.acquire().await.map_err(Problem::internal)
    }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_loopback_a_key_is_needed() {
        let check = |address: &str, key: Option<&str>| may_bind(&address.parse().expect("an address"), key).is_ok();
        assert!(check("127.0.0.1:8080", None) && check("[::1]:8080", None) && check("0.0.0.0:8080", Some("k")));
        assert!(!check("0.0.0.0:8080", None) && !check("[::]:8080", None) && !check("192.168.1.2:80", None));
    }

    #[test]
    fn names_of_this_machine_are_known() {
        for host in ["localhost", "localhost:8080", "127.0.0.1:1", "127.9.9.9", "[::1]:8080", "LOCALHOST:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com:8080", "10.0.0.1:80", "[::2]:1", "127.0.0.1.example.com"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn an_id_of_a_request_is_kept_if_it_is_plain() {
        let check = |id: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HeaderName::from_static("x-request-id"), HeaderValue::from_static(id));
            request_id(&headers) == id
        };
        assert!(check("abc-1.2_3:4/5") && !check("a b") && !check("") && !check("<script>"));
    }
}
