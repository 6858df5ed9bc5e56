//! How many questions are worked on at once? As many as are answered fastest; others wait for a place. Once someone had to be
//! turned away, only few may wait until that has stopped: those who are in are answered as quickly as ever, while a few
//! questions that come together all are answered.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::RagError;

/// How long nobody must have been turned away before as many may wait as before.
const CALM: Duration = Duration::from_secs(1);

/// Places for questions in a process that answers many.
#[derive(Debug)]
pub struct Room {
    desks: Semaphore,
    inside: AtomicUsize,
    /// Most that may be inside.
    places: usize,
    /// Most that may be inside while others are turned away.
    few: usize,
    turned_away: Mutex<Option<Instant>>,
}

/// A place in the room, free again when it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _desk: SemaphorePermit<'a>,
    _inside: Inside<'a>,
}

#[derive(Debug)]
struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    /// A room where `desks` questions are worked on and as many more as `waiting` wait.
    pub fn new(desks: usize, waiting: usize) -> Self {
        let places = desks + waiting;
        let few = places.min(desks + desks.div_ceil(2));
        Self { desks: Semaphore::new(desks), inside: AtomicUsize::new(0), places, few, turned_away: Mutex::new(None) }
    }

    /// Whether whoever comes now is turned away; it is noted if so.
    pub fn turns_away(&self) -> bool {
        let now = Instant::now();
        let mut last = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        let crowded = last.is_some_and(|last| now.duration_since(last) < CALM);
        let full = self.inside.load(Ordering::Relaxed) >= if crowded { self.few } else { self.places };
        if full {
            *last = Some(now);
        }
        full
    }

    /// A place to work, perhaps after a short wait.
    ///
    /// # Errors
    /// `overloaded`, at once, if all places to wait are taken.
    pub async fn enter(&self) -> Result<Place<'_>, RagError> {
        if self.turns_away() {
            return Err(RagError::Overloaded);
        }
        self.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Inside(&self.inside);
        let desk = self.desks.acquire().await.map_err(|_| RagError::Overloaded)?;
        Ok(Place { _desk: desk, _inside: inside })
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_works_one_waits_and_the_third_is_turned_away_at_once() {
        let room = Room::new(1, 1);
        let working = room.enter().await.unwrap();
        let mut waiting = Box::pin(room.enter());
        assert!(waiting.as_mut().now_or_never().is_none());
        assert!(matches!(room.enter().await, Err(RagError::Overloaded)));
        drop(working);
        let _working = waiting.await.unwrap();
        assert!(room.enter().now_or_never().is_none(), "there is room to wait again");
    }

    #[tokio::test]
    async fn while_some_are_turned_away_only_few_wait() {
        let room = Room::new(2, 6);
        let _working = [room.enter().await.unwrap(), room.enter().await.unwrap()];
        let mut waiting: Vec<_> = (0..6).map(|_| Box::pin(room.enter())).collect();
        assert!(waiting.iter_mut().all(|place| place.as_mut().now_or_never().is_none()), "eight that come together are let in");
        assert!(room.turns_away());
        waiting.truncate(1);
        assert!(room.turns_away(), "three are enough as long as there is a crowd");
        waiting.clear();
        assert!(!room.turns_away());
        *room.turned_away.lock().unwrap() = Instant::now().checked_sub(CALM);
        waiting.push(Box::pin(room.enter()));
        assert!(waiting[0].as_mut().now_or_never().is_none() && !room.turns_away(), "after it more may wait again");
    }
}
