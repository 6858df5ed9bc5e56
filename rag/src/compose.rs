//! Evidence → prompt: numbered passages, each with a source line, fenced by a marker that no document can know, as many as
//! fit the model's window.

use index::hit::Hit;
use uuid::Uuid;

use crate::{
    ask::{Role, Turn},
    chat::Endpoint,
    pack::Pack,
};

/// What is sent to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The instructions.
    pub system: String,
    /// The evidence and the question.
    pub user: String,
    /// How many of the passages are in it.
    pub passages: usize,
}

impl Prompt {
    /// Bytes sent.
    pub fn bytes(&self) -> u64 {
        (self.system.len() + self.user.len()) as u64
    }
}

/// Bytes that are surely no more than one token in any tokeniser we know of: Han characters (three bytes) are at most two.
const BYTES_PER_TOKEN: usize = 2;

/// The prompt for a question over passages, best first, with the pack's instructions. The best passage is always in it, cut if
/// it must be.
pub fn compose(pack: &Pack, question: &str, history: &[Turn], language: &str, hits: &[Hit], endpoint: &Endpoint) -> Prompt {
    let fence = fence();
    let system = pack.instructions(language, &fence);
    let mut tail = String::new();
    for turn in history.iter().rev().take(6).rev() {
        let who = if turn.role == Role::User { "User" } else { "Assistant" };
        tail.push_str(&format!("{who}: {}\n", turn.content));
    }
    tail.push_str(&format!("{}: {question}\n", if language == "zh" { "问题" } else { "Question" }));
    let room = (endpoint.context_tokens.saturating_sub(endpoint.max_tokens) as usize * BYTES_PER_TOKEN)
        .saturating_sub(system.len() + tail.len());
    let mut user = String::new();
    let mut passages = 0;
    for (at, hit) in hits.iter().enumerate() {
        let passage = passage(at + 1, hit, &fence);
        if user.len() + passage.len() > room && passages > 0 {
            break;
        }
        user.push_str(&passage);
        passages += 1;
    }
    user.push_str(&tail);
    Prompt { system, user, passages }
}

fn passage(number: usize, hit: &Hit, fence: &str) -> String {
    let found = &hit.passage;
    let page = found.page.as_ref().map(|page| format!(", p. {}", page.index)).unwrap_or_default();
    let headings = if found.headings.is_empty() { String::new() } else { format!(" — {}", found.headings.join(" › ")) };
    format!("[{number}] {}{page}{headings}\n<{fence}>\n{}\n</{fence}>\n\n", found.document.title, found.text.replace(fence, ""))
}

/// A marker for one request: the random part of a new id.
fn fence() -> String {
    format!("p{}", &Uuid::now_v7().simple().to_string()[20..])
}
