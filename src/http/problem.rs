//! What does a caller read when something went wrong? One problem document (RFC 9457) for every failure, from one table.
//!
//! A code is stable and has a section in `docs/ERRORS.md`. What the caller can change is told in the error's own words; what
//! is ours or below us is told in general, and the rest goes to the log under the request's id.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
};
use index::fault::{Coded, Fault};
use serde::Serialize;
use tracing::{error, warn};

/// A code with its status and title.
pub struct Entry {
    pub code: &'static str,
    pub status: u16,
    pub title: &'static str,
}

const fn entry(code: &'static str, status: u16, title: &'static str) -> Entry {
    Entry { code, status, title }
}

/// Every code that a response, an event or a failed document can carry.
pub const TABLE: &[Entry] = &[
    // the request itself
    entry("invalid_json", 400, "The body is not valid JSON"),
    entry("invalid_multipart", 400, "The body is not a valid multipart form"),
    entry("unauthenticated", 401, "A key is needed"),
    entry("foreign_origin", 403, "The request comes from another web site"),
    entry("not_found", 404, "There is no such thing"),
    entry("method_not_allowed", 405, "The method is not allowed here"),
    entry("payload_too_large", 413, "The body is too large"),
    entry("unsupported_media_type", 415, "The body has a content type that is not read here"),
    entry("unknown_field", 422, "The request has a field that does not exist"),
    entry("invalid_request", 422, "The request is not valid"),
    entry("invalid_limit", 422, "The limit is out of range"),
    entry("invalid_cursor", 422, "The cursor is not one of this list"),
    entry("scenario_exists", 409, "There is a scenario of this name"),
    entry("scenario_not_empty", 409, "The scenario holds documents"),
    entry("invalid_scenario", 422, "The scenario cannot be set up like this"),
    entry("overloaded", 429, "Too many requests at the same time"),
    entry("server_shutting_down", 503, "The server is shutting down"),
    // searching and asking
    entry("invalid_name", 422, "The name is not valid"),
    entry("empty_query", 422, "The query is empty"),
    entry("invalid_top_k", 422, "top_k is out of range"),
    entry("filter_invalid", 422, "A filter is not valid"),
    entry("empty_question", 422, "The question is empty"),
    entry("question_too_long", 422, "The question is too long"),
    entry("invalid_as_of", 422, "as_of is not a date"),
    entry("history_too_long", 422, "The history is too long"),
    entry("invalid_max_tokens", 422, "max_tokens is out of range"),
    entry("invalid_deadline", 422, "deadline_ms is out of range"),
    entry("invalid_response_schema", 422, "response_schema is none"),
    entry("deadline_exceeded", 504, "The time for the request is over"),
    entry("llm_unavailable", 503, "The model endpoint cannot be reached or failed"),
    entry("llm_unauthorized", 503, "The model endpoint does not accept the key"),
    entry("llm_quota_exhausted", 503, "The account at the model endpoint is used up"),
    entry("llm_rate_limited", 503, "The model endpoint turns requests away for now"),
    entry("llm_stalled", 504, "The model endpoint fell silent"),
    entry("llm_truncated", 502, "The model's answer was cut off"),
    entry("llm_bad_response", 502, "The model endpoint did not send an answer"),
    // documents
    entry("empty_document", 422, "The document is empty"),
    entry("encrypted_document", 422, "The document is protected by a password"),
    entry("corrupt_document", 422, "The document is damaged"),
    entry("unsupported_type", 415, "The document is of a kind that cannot be read"),
    entry("parser_limit", 422, "The document passes a limit of the parser"),
    entry("no_text", 422, "No text was found in the document"),
    entry("unreadable_source", 422, "The source cannot be read"),
    entry("document_too_large", 413, "The document is too large"),
    entry("invalid_document", 422, "The document is not valid"),
    entry("manifest_invalid", 422, "The manifest is not valid"),
    entry("deleted", 410, "The document was deleted"),
    // what the service stands on
    entry("data_locked", 503, "The data directory is in use by another process"),
    entry("data_damaged", 500, "The data directory is damaged"),
    entry("other_encoder", 503, "The index belongs to another encoder"),
    entry("storage", 503, "The disk failed"),
    entry("storage_full", 507, "No space is left on the disk"),
    entry("catalog", 503, "The catalog failed"),
    entry("vector_store_unavailable", 503, "The vector store failed"),
    entry("vector_store_unauthorized", 503, "The vector store does not accept the key"),
    entry("vector_store_read_only", 503, "The vector store takes no writes"),
    entry("vector_store_certificate", 503, "The certificate of the vector store is not trusted"),
    entry("vector_store_version", 503, "The vector store has another version"),
    entry("vector_store_mismatch", 503, "The collection of the vector store is another one"),
    entry("same_encoder", 422, "The index belongs to this encoder already"),
    entry("unknown_generation", 404, "There is no such index"),
    entry("generation_incomplete", 422, "The index cannot answer"),
    entry("embedder_unavailable", 503, "The encoder failed"),
    entry("embedder_unauthorized", 503, "The encoder's endpoint does not accept the key"),
    entry("embedder_rate_limited", 503, "The encoder's endpoint turns requests away for now"),
    entry("embedder_bad_response", 502, "The encoder's endpoint did not send the vectors"),
    entry("encoder_invalid", 422, "The encoder's folder cannot be used"),
    entry("encoder_runtime", 422, "ONNX Runtime cannot be used"),
    entry("internal", 500, "The server made a mistake"),
];

/// Seconds after which a request that was turned away may be sent again.
const RETRY_SECONDS: u32 = 2;

/// A failure on its way to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    code: &'static str,
    detail: String,
    retryable: bool,
}

/// The problem document.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Identifies the kind of problem: `urn:dossier:problem:` and the code.
    r#type: String,
    /// The kind of problem for a person.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened this time.
    detail: String,
    /// Stable code, see `docs/ERRORS.md`.
    code: &'static str,
    /// The request; the server's log has it too.
    request_id: String,
    /// Whether the same request may succeed later.
    retryable: bool,
}

impl ProblemDocument {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// What happened this time.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl Problem {
    /// A problem that the caller can change, in words for them.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retryable: false }
    }

    /// A problem that passes by itself.
    pub fn passing(code: &'static str, detail: impl Into<String>) -> Self {
        Self { retryable: true, ..Self::new(code, detail) }
    }

    /// Whether the same may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The one answer for what is unknown, malformed or somebody else's.
    pub fn not_found() -> Self {
        Self::new("not_found", "there is nothing under this address that this key may see")
    }

    /// A failure of ours that nobody foresaw.
    pub fn internal(reason: impl fmt::Display) -> Self {
        error!("internal error: {reason}");
        Self::new("internal", general("internal"))
    }

    /// An error of a lower floor. What is no business of the caller's stays in the log.
    pub fn of(error: &(impl Coded + ?Sized)) -> Self {
        let code = error.code();
        let detail = match error.fault() {
            Fault::Caller | Fault::Limit => error.to_string(),
            Fault::Dependency | Fault::Bug => {
                warn!(code, "{error}");
                general(code)
            }
        };
        Self { code, detail, retryable: error.retryable() }
    }

    /// What actix itself found wrong before a handler ran.
    pub fn of_framework(error: &actix_web::Error) -> Self {
        if let Some(problem) = error.as_error::<Self>() {
            return problem.clone();
        }
        match error.as_response_error().status_code().as_u16() {
            404 => Self::not_found(),
            413 => Self::new("payload_too_large", "the body is larger than is allowed here"),
            415 => Self::new("unsupported_media_type", "the body has a content type that is not read here"),
            400..500 => Self::new("invalid_request", error.to_string()),
            _ => Self::internal(error),
        }
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    fn entry(&self) -> &'static Entry {
        TABLE.iter().find(|entry| entry.code == self.code).unwrap_or(&TABLE[TABLE.len() - 1])
    }

    /// The document for a request.
    pub fn document(&self, request_id: &str) -> ProblemDocument {
        let entry = self.entry();
        ProblemDocument {
            r#type: format!("urn:dossier:problem:{}", self.code),
            title: entry.title,
            status: entry.status,
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.into(),
            retryable: self.retryable,
        }
    }

    /// The response to a request.
    pub fn response(&self, request_id: &str) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        match self.status_code().as_u16() {
            401 => response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"dossier\"")),
            429 | 503 => response.insert_header((RETRY_AFTER, RETRY_SECONDS)),
            _ => &mut response,
        };
        response.body(serde_json::to_string(&self.document(request_id)).unwrap_or_default())
    }
}

fn general(code: &str) -> String {
    let title = TABLE.iter().find(|entry| entry.code == code).map_or("The server failed", |entry| entry.title);
    format!("{title}; the server's log says more under the id of this request")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.entry().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    // The response that is sent is made by `http::guard`, which knows the request's id.
    fn error_response(&self) -> HttpResponse {
        self.response("")
    }
}

impl From<index::IndexError> for Problem {
    fn from(error: index::IndexError) -> Self {
        Self::of(&error)
    }
}

impl From<ingest::IngestError> for Problem {
    fn from(error: ingest::IngestError) -> Self {
        Self::of(&error)
    }
}

impl From<rag::RagError> for Problem {
    fn from(error: rag::RagError) -> Self {
        Self::of(&error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn table() -> BTreeSet<&'static str> {
        TABLE.iter().map(|entry| entry.code).collect()
    }

    /// The sections of the documentation: code and text.
    fn sections() -> Vec<(&'static str, &'static str)> {
        let (_, sections) = include_str!("../../docs/ERRORS.md").split_once("\n## ").expect("sections");
        sections.split("\n## ").map(|section| section.split_once('\n').expect("a heading and a text")).collect()
    }

    /// The codes that a `Coded` returns, read from the source of its crate.
    fn codes_of_crate(source: &'static str) -> Vec<&'static str> {
        let codes = source.split("fn code(&self)").nth(1).and_then(|rest| rest.split("fn fault").next());
        let codes = codes.expect("fn code before fn fault").split("=> \"").skip(1);
        codes.filter_map(|rest| rest.split('"').next()).collect()
    }

    fn codes_of_floors() -> Vec<&'static str> {
        let sources = [
            include_str!("../../index/src/lib.rs"),
            include_str!("../../ingest/src/lib.rs"),
            include_str!("../../rag/src/lib.rs"),
        ];
        sources.into_iter().flat_map(codes_of_crate).collect()
    }

    /// The codes that commands end with by themselves.
    fn codes_of_commands() -> Vec<&'static str> {
        let sources = [
            include_str!("../catalogue.rs"),
            include_str!("../cli.rs"),
            include_str!("../doctor.rs"),
            include_str!("../door.rs"),
            include_str!("../migrate.rs"),
            include_str!("../generations.rs"),
            include_str!("../progress.rs"),
            include_str!("../quickstart.rs"),
            include_str!("../scenario.rs"),
            include_str!("../target.rs"),
            include_str!("../trial.rs"),
        ];
        let made = sources.into_iter().flat_map(|source| source.split("Failure::new(").skip(1));
        let code = |code: &&str| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        // A code that is handed on is no word here; a failure of a server without one is `http`.
        made.filter_map(|rest| rest.split('"').nth(1).filter(code))
            .map(|code| if code == "code" { "http" } else { code })
            .collect()
    }

    #[test]
    fn every_code_has_one_section_in_the_documentation() {
        let named: Vec<&str> = sections().into_iter().map(|(code, _)| code).collect();
        let set: BTreeSet<&str> = named.iter().copied().collect();
        assert_eq!(named.len(), set.len(), "a section is there twice");
        let mut codes = table();
        codes.extend(codes_of_crate(include_str!("../../eval/src/lib.rs")));
        codes.extend(codes_of_commands());
        assert_eq!(set, codes);
        assert_eq!(TABLE.len(), table().len(), "a code is in the table twice");
    }

    #[test]
    fn every_section_tells_the_status_of_the_table() {
        for (code, text) in sections() {
            let told =
                text.strip_prefix("HTTP ").and_then(|rest| rest.get(..3)).map(|status| status.parse::<u16>().expect("a status"));
            let status = TABLE.iter().find(|entry| entry.code == code).map(|entry| entry.status);
            assert_eq!(told, status, "{code}");
        }
    }

    #[test]
    fn every_code_of_a_lower_floor_is_in_the_table() {
        for code in codes_of_floors() {
            assert!(table().contains(code), "`{code}` is not in the table");
        }
    }

    #[test]
    fn what_is_below_us_is_told_in_general() {
        let error = index::IndexError::Store("segment /var/lib/x is broken".into());
        let document = Problem::of(&error).document("req_1");
        assert_eq!(document.status, 503);
        assert!(document.retryable && !document.detail.contains("/var/lib"), "{}", document.detail);
    }

    #[test]
    fn what_the_caller_can_change_is_told_in_full() {
        let document = Problem::of(&index::IndexError::TopK { got: 101 }).document("req_1");
        assert_eq!((document.status, document.detail.as_str()), (422, "top_k is 101; it must be 1 to 100"));
    }
}
