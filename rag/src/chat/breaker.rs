//! Is it worth asking? After failures in a row the endpoint is left alone for a while; then one question goes first.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// Failures in a row after which nobody is sent any more.
const FAILURES: u32 = 5;
/// For how long.
const REST: Duration = Duration::from_secs(30);

/// Shared by all who talk to one endpoint.
#[derive(Debug, Clone, Default)]
pub struct Breaker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// While it is left alone: until when.
    until: Option<Instant>,
    /// Whether somebody went first and is not back.
    probing: bool,
}

/// Leave to ask once. It ends with a result; dropped without one, nothing was learned.
#[derive(Debug)]
pub struct Leave {
    breaker: Breaker,
    probe: bool,
    told: bool,
}

impl Breaker {
    /// Leave to ask, or how long it will be refused yet.
    pub fn enter(&self, now: Instant) -> Result<Leave, Duration> {
        let mut state = self.0.lock();
        let probe = match state.until {
            None => false,
            Some(until) if now < until => return Err(until - now),
            Some(_) if state.probing => return Err(Duration::from_secs(1)),
            Some(_) => true,
        };
        state.probing |= probe;
        Ok(Leave { breaker: self.clone(), probe, told: false })
    }
}

impl Leave {
    /// It went well.
    pub fn good(mut self) {
        self.told = true;
        *self.breaker.0.lock() = State::default();
    }

    /// It failed.
    pub fn bad(mut self, now: Instant) {
        self.told = true;
        let mut state = self.breaker.0.lock();
        state.failures += 1;
        if self.probe || state.failures >= FAILURES {
            state.until = Some(now + REST);
        }
        state.probing &= !self.probe;
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if self.probe && !self.told {
            self.breaker.0.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            breaker.enter(now).unwrap().bad(now);
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_close_the_way_for_half_a_minute() {
        let now = Instant::now();
        let breaker = broken(now);
        assert_eq!(breaker.enter(now + Duration::from_secs(10)).unwrap_err(), Duration::from_secs(20));
        assert!(breaker.enter(now + REST).is_ok());
    }

    #[test]
    fn a_success_in_between_starts_the_count_anew() {
        let (now, breaker) = (Instant::now(), Breaker::default());
        for _ in 0..20 {
            for _ in 1..FAILURES {
                breaker.enter(now).unwrap().bad(now);
            }
            breaker.enter(now).unwrap().good();
        }
        assert!(breaker.enter(now).is_ok());
    }

    #[test]
    fn after_the_rest_one_goes_first_and_decides_for_all() {
        let now = Instant::now();
        let later = now + REST;
        let breaker = broken(now);
        let first = breaker.enter(later).unwrap();
        assert!(breaker.enter(later).is_err());
        first.bad(later);
        assert!(breaker.enter(later + Duration::from_secs(29)).is_err());
        breaker.enter(later + REST).unwrap().good();
        assert!(breaker.enter(later + REST).is_ok());
    }

    #[test]
    fn who_went_first_and_gave_up_makes_room() {
        let now = Instant::now();
        let breaker = broken(now);
        drop(breaker.enter(now + REST).unwrap());
        assert!(breaker.enter(now + REST).is_ok());
    }
}
