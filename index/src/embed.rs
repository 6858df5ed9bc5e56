//! How does a text become a vector? [`Embedder`] is the boundary: passages in bulk, one question at once. A vector only
//! means something next to vectors of the same [`Space`], one model and one runtime; an index belongs to one.

use async_trait::async_trait;

use crate::{IndexError, scope::Call};

pub mod builtin;
pub mod cross;
pub mod onnx;
pub mod remote;
pub mod scale;

pub use builtin::Builtin;
pub use cross::CrossEncoder;
pub use onnx::Onnx;
pub use remote::Remote;

/// A space that vectors live in, and how its cosines mix with words.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The model's name.
    pub model: String,
    /// What runs it, with the version that may change a vector.
    pub runtime: String,
    /// The first digits of the BLAKE3 of the model's files.
    pub checksum: String,
    /// Numbers in a vector.
    pub dimensions: usize,
    /// What the cosine weighs against the words when both are fused. It belongs to the encoder: some squeeze all their
    /// cosines together.
    pub beta: f32,
    /// The cosine of two texts that have nothing to do with each other.
    pub cosine_floor: f32,
}

impl Space {
    /// The name of the space: model, runtime and checksum. Vectors of two spaces are never compared.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.model, self.runtime, self.checksum)
    }
}

/// Texts to unit vectors of one space.
#[async_trait]
pub trait Embedder: Send + Sync {
    /// The space of its vectors.
    fn space(&self) -> &Space;

    /// One vector for each passage, in order. What was run is recorded in the call's meter even if the call fails.
    ///
    /// # Errors
    /// `deadline_exceeded`, or `embedder_unavailable`.
    async fn passages(&self, call: &Call, texts: &[String]) -> Result<Vec<Vec<f32>>, IndexError>;

    /// The vector of a question; it goes before passages that wait.
    ///
    /// # Errors
    /// `deadline_exceeded`, or `embedder_unavailable`.
    async fn query(&self, call: &Call, text: &str) -> Result<Vec<f32>, IndexError>;
}
