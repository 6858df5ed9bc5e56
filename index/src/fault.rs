//! Whose move it is when something fails, and the code that a program can rely on.

/// Whose move it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller must change the request.
    Caller,
    /// A limit or budget was reached; the same request may pass later or with a larger limit.
    Limit,
    /// Something we depend on failed: a model endpoint, the disk, a store.
    Dependency,
    /// We are wrong.
    Bug,
}

/// An error with a stable code. Each crate has one error enum; each code has a section in `docs/ERRORS.md`.
pub trait Coded: std::error::Error {
    /// The code, snake_case, stable across versions.
    fn code(&self) -> &'static str;
    /// Whose move it is.
    fn fault(&self) -> Fault;
    /// Whether the same call may succeed later without a change.
    fn retryable(&self) -> bool {
        matches!(self.fault(), Fault::Dependency)
    }
}
