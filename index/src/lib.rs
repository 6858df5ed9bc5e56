//! Floor 0: the corpus and how it is found. Words of the corpus ([`corpus`], [`page`]), for whom a call is made
//! ([`scope`]), the analyser ([`lexical`]), encoders ([`embed`]), vector stores ([`store`]), which of them answer
//! ([`generation`]), the catalog ([`db`], [`catalog`], [`scenario`], [`publish`]), and the search over both arms
//! ([`search`], [`hit`]).

use fault::{Coded, Fault};

pub mod catalog;
pub mod corpus;
pub mod db;
pub mod embed;
pub mod fault;
pub mod generation;
pub mod hit;
pub mod lexical;
pub mod lexicon;
pub mod meter;
pub mod nearest;
pub mod page;
pub mod publish;
pub mod scenario;
pub mod scope;
pub mod search;
pub mod store;

/// What can go wrong while the corpus is stored or searched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IndexError {
    #[error("`{name}` is not a valid name: use 1 to 64 of a-z, 0-9, `-` and `_`, starting with a letter or digit")]
    InvalidName { name: String },
    #[error("there is no scenario `{name}`; `dossier scenario ls` lists them, `dossier scenario create` makes one")]
    NoScenario { name: String },
    #[error("the query is empty")]
    EmptyQuery,
    #[error("top_k is {got}; it must be 1 to 100")]
    TopK { got: usize },
    #[error("filter `{key}`: {reason}")]
    Filter { key: String, reason: String },
    #[error("the data directory `{path}` is in use by another process; stop it, or talk to it with --url")]
    DataLocked { path: String },
    #[error("the data directory is damaged: {reason}")]
    DataDamaged { reason: String },
    #[error("{what}: {error}")]
    Storage { what: String, error: std::io::Error },
    #[error("no space left on the disk ({what}); free some and try again, nothing was lost")]
    StorageFull { what: String },
    #[error("the catalog failed: {0}")]
    Catalog(sqlx::Error),
    #[error("the vector store failed: {0}")]
    Store(String),
    #[error("the Qdrant server at {url} does not accept the API key; set qdrant.api_key or qdrant.api_key_file")]
    StoreKey { url: String },
    #[error("the Qdrant server at {url} takes no writes: {reason}")]
    StoreReadOnly { url: String, reason: String },
    #[error(
        "the certificate of the Qdrant server at {url} is not trusted ({reason}); an authority of your own is named by the environment variable SSL_CERT_FILE, the file with its certificate"
    )]
    StoreCertificate { url: String, reason: String },
    #[error("the Qdrant server at {url} has the version {got}; this program speaks with 1.{least} and newer ones of 1.x")]
    StoreVersion { url: String, got: String, least: u32 },
    #[error("the collection `{collection}` of the Qdrant server {reason}")]
    StoreMismatch { collection: String, reason: String },
    #[error("the encoder failed: {0}")]
    Encoder(String),
    #[error("the encoder at {host} does not accept the key ({status}); set embedding.api_key or embedding.api_key_file")]
    EncoderKey { host: String, status: u16 },
    #[error("the encoder at {host} turns requests away for now; it was asked {tries} times")]
    EncoderBusy { host: String, tries: u32 },
    #[error("the encoder at {host} did not send the vectors: {reason}")]
    EncoderAnswer { host: String, reason: String },
    #[error("the encoder folder `{dir}`: {reason}")]
    EncoderFolder { dir: String, reason: String },
    #[error("ONNX Runtime: {reason}")]
    EncoderRuntime { reason: String },
    #[error(
        "the index was built with the encoder `{built}` and `{configured}` is configured; configure the first one again, or build another index beside it with `dossier index build` and let that one answer with `dossier index promote`"
    )]
    OtherEncoder { built: String, configured: String },
    #[error(
        "the generation `{name}` answers already with the encoder `{space}`; configure another one ([embedding]) to build an index for it"
    )]
    SameEncoder { name: String, space: String },
    #[error("there is no generation `{name}`; there are {names}")]
    UnknownGeneration { name: String, names: String },
    #[error("the generation `{name}` cannot answer: {reason}")]
    GenerationIncomplete { name: String, reason: String },
    #[error("the deadline passed while {doing}")]
    Deadline { doing: &'static str },
    #[error("{0}")]
    Internal(String),
}

impl IndexError {
    /// An error of the file system; a full disk is told apart.
    pub fn from_io(what: String, error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::StorageFull { what },
            _ => Self::Storage { what, error },
        }
    }
}

impl From<sqlx::Error> for IndexError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        // SQLITE_FULL is 13; `Any` hands the code on as text.
        if text.contains("database or disk is full") || text.contains("(code: 13)") {
            return Self::StorageFull { what: "catalog".into() };
        }
        Self::Catalog(error)
    }
}

impl Coded for IndexError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "invalid_name",
            Self::NoScenario { .. } => "not_found",
            Self::EmptyQuery => "empty_query",
            Self::TopK { .. } => "invalid_top_k",
            Self::Filter { .. } => "filter_invalid",
            Self::DataLocked { .. } => "data_locked",
            Self::DataDamaged { .. } => "data_damaged",
            Self::Storage { .. } => "storage",
            Self::StorageFull { .. } => "storage_full",
            Self::Catalog(_) => "catalog",
            Self::Store(_) => "vector_store_unavailable",
            Self::StoreKey { .. } => "vector_store_unauthorized",
            Self::StoreReadOnly { .. } => "vector_store_read_only",
            Self::StoreCertificate { .. } => "vector_store_certificate",
            Self::StoreVersion { .. } => "vector_store_version",
            Self::StoreMismatch { .. } => "vector_store_mismatch",
            Self::Encoder(_) => "embedder_unavailable",
            Self::EncoderKey { .. } => "embedder_unauthorized",
            Self::EncoderBusy { .. } => "embedder_rate_limited",
            Self::EncoderAnswer { .. } => "embedder_bad_response",
            Self::EncoderFolder { .. } => "encoder_invalid",
            Self::EncoderRuntime { .. } => "encoder_runtime",
            Self::OtherEncoder { .. } => "other_encoder",
            Self::SameEncoder { .. } => "same_encoder",
            Self::UnknownGeneration { .. } => "unknown_generation",
            Self::GenerationIncomplete { .. } => "generation_incomplete",
            Self::Deadline { .. } => "deadline_exceeded",
            Self::Internal(_) => "internal",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::InvalidName { .. } | Self::NoScenario { .. } | Self::EmptyQuery | Self::TopK { .. } | Self::Filter { .. } => {
                Fault::Caller
            }
            Self::DataLocked { .. } | Self::OtherEncoder { .. } | Self::SameEncoder { .. } => Fault::Caller,
            Self::UnknownGeneration { .. } | Self::GenerationIncomplete { .. } => Fault::Caller,
            Self::EncoderFolder { .. } | Self::EncoderRuntime { .. } => Fault::Caller,
            Self::DataDamaged { .. } | Self::Storage { .. } | Self::Catalog(_) | Self::Store(_) => Fault::Dependency,
            Self::Encoder(_) | Self::EncoderKey { .. } | Self::EncoderBusy { .. } | Self::EncoderAnswer { .. } => {
                Fault::Dependency
            }
            Self::StoreKey { .. } | Self::StoreReadOnly { .. } | Self::StoreCertificate { .. } => Fault::Dependency,
            Self::StoreVersion { .. } | Self::StoreMismatch { .. } => Fault::Dependency,
            Self::StorageFull { .. } | Self::Deadline { .. } => Fault::Limit,
            Self::Internal(_) => Fault::Bug,
        }
    }
}
