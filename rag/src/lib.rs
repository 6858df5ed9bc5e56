//! Question → answer with proof: `Ask → Evidence → Prompt → Draft → Answer`, each stage a type ([`engine`] orders them).

use std::time::Duration;

use index::{
    IndexError,
    fault::{Coded, Fault},
};

pub mod ask;
pub mod card;
pub mod chat;
pub mod cite;
pub mod compose;
mod conflict;
pub mod engine;
pub mod evidence;
pub mod extractive;
mod figures;
mod follow;
pub mod forest;
pub mod glossary;
pub mod holdings;
mod list;
pub mod pack;
pub mod period;
pub mod quantity;
pub mod question;
pub mod rank;
pub mod room;
mod route;
pub mod select;
pub mod sentence;
mod statement;
pub mod trace;
pub mod typed;
pub mod verdict;
pub mod why_not;

/// What can go wrong while a question is answered. That nothing supports an answer is no error but a refusal.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RagError {
    #[error("the question is empty")]
    EmptyQuestion,
    #[error("the question has {got} characters; at most {most} are read")]
    QuestionTooLong { got: usize, most: usize },
    #[error("as_of is `{got}`; write a date such as 2023-12-31")]
    AsOf { got: String },
    #[error("max_tokens is 0; leave it out or give at least 1")]
    MaxTokens,
    #[error("deadline_ms is 0; leave it out or give the milliseconds that an answer may take")]
    DeadlineMs,
    #[error("response_schema {problem}")]
    ResponseSchema { problem: String },
    #[error("the history has {got} turns; at most {most} are read")]
    HistoryTooLong { got: usize, most: usize },
    #[error("more questions are being answered than this machine can work on; try again in a moment")]
    Overloaded,
    #[error("the model endpoint cannot be reached or failed: {reason}; look at llm.base_url and llm.model")]
    ModelUnavailable { reason: String },
    #[error("the model endpoint does not accept the key: {reason}; look at llm.api_key")]
    ModelUnauthorized { reason: String },
    #[error("the account at the model endpoint is used up: {reason}")]
    ModelQuota { reason: String },
    #[error("the model endpoint turns requests away for now ({reason}); try again later")]
    ModelRateLimited { reason: String },
    #[error("the model endpoint sent nothing for {} s", .0.as_secs())]
    ModelStalled(Duration),
    #[error("the model's answer ended without a finish reason, so it may be cut off; it was thrown away")]
    ModelTruncated,
    #[error("the model endpoint did not send an answer: {reason}")]
    ModelBadResponse { reason: String },
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl RagError {
    /// Whether a model's endpoint failed, so that another answerer may step in.
    pub fn is_the_models(&self) -> bool {
        self.code().starts_with("llm_")
    }
}

impl Coded for RagError {
    fn code(&self) -> &'static str {
        match self {
            Self::EmptyQuestion => "empty_question",
            Self::QuestionTooLong { .. } => "question_too_long",
            Self::AsOf { .. } => "invalid_as_of",
            Self::HistoryTooLong { .. } => "history_too_long",
            Self::Overloaded => "overloaded",
            Self::MaxTokens => "invalid_max_tokens",
            Self::DeadlineMs => "invalid_deadline",
            Self::ResponseSchema { .. } => "invalid_response_schema",
            Self::ModelUnavailable { .. } => "llm_unavailable",
            Self::ModelUnauthorized { .. } => "llm_unauthorized",
            Self::ModelQuota { .. } => "llm_quota_exhausted",
            Self::ModelRateLimited { .. } => "llm_rate_limited",
            Self::ModelStalled(_) => "llm_stalled",
            Self::ModelTruncated => "llm_truncated",
            Self::ModelBadResponse { .. } => "llm_bad_response",
            Self::Index(error) => error.code(),
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Overloaded => Fault::Limit,
            Self::EmptyQuestion
            | Self::QuestionTooLong { .. }
            | Self::AsOf { .. }
            | Self::HistoryTooLong { .. }
            | Self::MaxTokens
            | Self::DeadlineMs
            | Self::ResponseSchema { .. } => Fault::Caller,
            Self::ModelUnavailable { .. }
            | Self::ModelUnauthorized { .. }
            | Self::ModelQuota { .. }
            | Self::ModelRateLimited { .. }
            | Self::ModelStalled(_)
            | Self::ModelTruncated
            | Self::ModelBadResponse { .. } => Fault::Dependency,
            Self::Index(error) => error.fault(),
        }
    }

    /// A wrong key or an empty account stays so until somebody does something about it.
    fn retryable(&self) -> bool {
        match self {
            Self::ModelUnauthorized { .. } | Self::ModelQuota { .. } => false,
            Self::Overloaded => true,
            Self::Index(error) => error.retryable(),
            _ => self.fault() == Fault::Dependency,
        }
    }
}
