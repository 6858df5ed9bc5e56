//! Floor 0: the corpus and how it is found. Words of the corpus ([`corpus`], [`page`]), for whom a call is made
//! ([`scope`]), the analyser ([`lexical`]), encoders ([`embed`]), vector stores ([`store`]), the catalog ([`catalog`]),
//! and the search over both arms ([`search`]).

use fault::{Coded, Fault};

pub mod corpus;
pub mod fault;
pub mod hit;
pub mod meter;
pub mod page;
pub mod scope;

/// What can go wrong while the corpus is stored or searched.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum IndexError {
    #[error("`{name}` is not a valid name: use 1 to 64 of a-z, 0-9, `-` and `_`, starting with a letter or digit")]
    InvalidName { name: String },
}

impl Coded for IndexError {
    fn code(&self) -> &'static str {
        match self {
            Self::InvalidName { .. } => "invalid_name",
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::InvalidName { .. } => Fault::Caller,
        }
    }
}
