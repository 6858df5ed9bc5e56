//! Named places at which a test can kill the process: `DOSSIER_TEST_CRASH=name` aborts there, as a power cut would.

use std::sync::LazyLock;

static CRASH_AT: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("DOSSIER_TEST_CRASH").ok());

/// The places, in the order a document passes them.
pub const POINTS: [&str; 8] =
    ["blobs_written", "accepted", "parsed", "points_written", "published", "vectors_stored", "meaning_written", "purged"];

pub(crate) fn point(name: &str) {
    debug_assert!(POINTS.contains(&name));
    if CRASH_AT.as_deref() == Some(name) {
        std::process::abort();
    }
}
