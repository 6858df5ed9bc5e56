//! The road of a question: search → evidence → refuse now, or draft → check → answer.
//!
//! `answer` is the one entry; whoever wants to watch passes a sender and gets each step as an [`Event`].

use std::{
    collections::HashSet,
    sync::Arc,
    time::Instant,
};

use index::{
    corpus::{AnswerId, DocumentId},
    hit::{Hit, Mode, Query},
    lexical,
    scope::Call,
    search::Searcher,
};
use tokio::sync::mpsc;

use crate::ask::{Answer, Ask, Citation};

/// Passages given to the answerer if the question does not say.
const TOP_K: usize = 10;

/// A step on the road of a question, as server-sent events tell it.
#[derive(Debug, Clone)]
pub enum Event {
    /// The answer as far as it is known: id, language, model.
    Created(Box<Answer>),
    /// What was found, best first.
    Retrieved(Vec<Hit>),
    /// More text of the answer; checked already.
    Delta(String),
    /// A citation whose marker is in the text sent so far.
    Citation(Box<Citation>),
    /// The text as a whole, when what was sent must be replaced.
    Revised(String),
}
