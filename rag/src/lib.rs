//! Question → answer with proof: `Ask → Evidence → Draft → Answer`, each stage a type.

pub mod ask;
