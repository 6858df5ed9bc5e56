//! How many questions are worked on at once? As many as are answered fastest; others wait for a desk. Once someone had to be
//! turned away, nobody waits until that has stopped: those who are in are answered as quickly as ever, while a few questions
//! that come together all are answered.

use std::{
    pin::pin,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::RagError;

/// How long nobody must have been turned away before others wait again: twice what those who were turned away are told to wait.
const CALM: Duration = Duration::from_secs(2);
/// Who waits looks this often whether others are turned away by now.
const LOOK: Duration = Duration::from_millis(10);

/// Places for questions in a process that answers many.
#[derive(Debug)]
pub struct Room {
    free: Semaphore,
    inside: AtomicUsize,
    desks: usize,
    /// Most that may be inside.
    places: usize,
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
        Self {
            free: Semaphore::new(desks),
            inside: AtomicUsize::new(0),
            desks,
            places: desks + waiting,
            turned_away: Mutex::new(None),
        }
    }

    /// Whether whoever comes now is turned away; it is noted if so.
    pub fn turns_away(&self) -> bool {
        let most = if self.crowded() { self.desks } else { self.places };
        let full = self.inside.load(Ordering::Relaxed) >= most;
        if full {
            *self.turned_away.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        full
    }

    fn crowded(&self) -> bool {
        self.turned_away.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|last| last.elapsed() < CALM)
    }

    /// A place to work, perhaps after a short wait.
    ///
    /// # Errors
    /// `overloaded` if all places to wait are taken, or others begin to be turned away.
    pub async fn enter(&self) -> Result<Place<'_>, RagError> {
        if self.turns_away() {
            return Err(RagError::Overloaded);
        }
        self.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Inside(&self.inside);
        let mut desk = pin!(self.free.acquire());
        loop {
            match timeout(LOOK, &mut desk).await {
                Ok(Ok(desk)) => return Ok(Place { _desk: desk, _inside: inside }),
                Err(_) if !self.crowded() => {}
                _ => return Err(RagError::Overloaded),
            }
        }
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
        assert!(waiting.await.is_ok(), "a desk is free before the waiting one looks at the crowd");
    }

    #[tokio::test]
    async fn once_someone_is_turned_away_nobody_waits_until_it_is_calm() {
        let room = Room::new(2, 6);
        let mut working = vec![room.enter().await.unwrap(), room.enter().await.unwrap()];
        let mut waiting: Vec<_> = (0..6).map(|_| Box::pin(room.enter())).collect();
        assert!(waiting.iter_mut().all(|place| place.as_mut().now_or_never().is_none()), "eight that come together are let in");
        assert!(room.turns_away(), "the ninth is not");
        assert!(matches!(waiting.pop().unwrap().await, Err(RagError::Overloaded)), "nor does anyone go on waiting");
        waiting.clear();
        assert!(room.turns_away(), "two are enough as long as there is a crowd");
        working.pop();
        assert!(!room.turns_away());
        working.push(room.enter().await.unwrap());
        *room.turned_away.lock().unwrap() = Instant::now().checked_sub(CALM);
        assert!(Box::pin(room.enter()).as_mut().now_or_never().is_none() && !room.turns_away(), "after it more may wait again");
    }
}
