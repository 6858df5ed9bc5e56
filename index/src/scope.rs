//! For whom, on whose bill, until when: the first argument everywhere.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{IndexError, meter::Meter};

/// The tenant of a fresh installation, and the scenario that always exists.
pub const DEFAULT: &str = "default";

/// A tenant and a scenario. Every query is filtered by both; a `Scope` that exists has valid names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope {
    tenant: String,
    scenario: String,
}

impl Scope {
    /// A scope by its names.
    ///
    /// # Errors
    /// `invalid_name` if a name is not 1 to 64 of `a-z 0-9 - _`, starting with a letter or digit.
    pub fn new(tenant: &str, scenario: &str) -> Result<Self, IndexError> {
        for name in [tenant, scenario] {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            let valid = name.len() <= 64
                && name.bytes().next().is_some_and(plain)
                && name.bytes().all(|b| plain(b) || b == b'-' || b == b'_');
            if !valid {
                return Err(IndexError::InvalidName { name: name.chars().take(80).collect() });
            }
        }
        Ok(Self { tenant: tenant.into(), scenario: scenario.into() })
    }

    /// A scope of the default tenant.
    ///
    /// # Errors
    /// `invalid_name`, see [`Scope::new`].
    pub fn of_scenario(scenario: &str) -> Result<Self, IndexError> {
        Self::new(DEFAULT, scenario)
    }

    /// The tenant's name.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The scenario's name.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self { tenant: DEFAULT.into(), scenario: DEFAULT.into() }
    }
}

/// One call: for whom, on whose bill, until when. It holds facts, never services.
#[derive(Debug, Clone)]
pub struct Call {
    /// For whom.
    pub scope: Scope,
    /// On whose bill: what was spent so far.
    pub meter: Meter,
    /// Until when.
    pub deadline: Instant,
}

impl Call {
    /// A call in a scope that must end within `limit`.
    pub fn new(scope: Scope, limit: Duration) -> Self {
        Self { scope, meter: Meter::default(), deadline: Instant::now() + limit }
    }

    /// Time left; zero when the deadline has passed.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
