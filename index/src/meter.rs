//! What a call has spent, whatever its outcome.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Counters shared by everyone who works on one call. Cloning shares them.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    prompt: AtomicU64,
    completion: AtomicU64,
    embedded: AtomicU64,
}

impl Meter {
    /// Tokens sent to and received from a chat model.
    pub fn chat(&self, prompt: u64, completion: u64) {
        self.0.prompt.fetch_add(prompt, Relaxed);
        self.0.completion.fetch_add(completion, Relaxed);
    }

    /// Tokens run through an encoder.
    pub fn embedded(&self, tokens: u64) {
        self.0.embedded.fetch_add(tokens, Relaxed);
    }

    /// Prompt, completion and embedded tokens so far.
    pub fn total(&self) -> (u64, u64, u64) {
        (self.0.prompt.load(Relaxed), self.0.completion.load(Relaxed), self.0.embedded.load(Relaxed))
    }
}
