//! How many questions are worked on at once? As many as are answered fastest; a few more wait for a place, and the rest are
//! turned away at once, while those who are in are answered as quickly as ever. Without a bound all would wait for all.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::RagError;

/// Places for questions in a process that answers many.
#[derive(Debug)]
pub struct Room {
    inside: Semaphore,
    desks: Semaphore,
}

/// A place in the room, free again when it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _inside: SemaphorePermit<'a>,
    _desk: SemaphorePermit<'a>,
}

impl Room {
    /// A room where `desks` questions are worked on and as many more as `waiting` wait.
    pub fn new(desks: usize, waiting: usize) -> Self {
        Self { inside: Semaphore::new(desks + waiting), desks: Semaphore::new(desks) }
    }

    /// Whether whoever comes now is turned away.
    pub fn is_full(&self) -> bool {
        self.inside.available_permits() == 0
    }

    /// A place to work, perhaps after a short wait.
    ///
    /// # Errors
    /// `overloaded`, at once, if all places to wait are taken.
    pub async fn enter(&self) -> Result<Place<'_>, RagError> {
        let inside = self.inside.try_acquire().map_err(|_| RagError::Overloaded)?;
        let desk = self.desks.acquire().await.map_err(|_| RagError::Overloaded)?;
        Ok(Place { _inside: inside, _desk: desk })
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
        assert!(room.is_full() && matches!(room.enter().await, Err(RagError::Overloaded)));
        drop(working);
        let _working = waiting.await.unwrap();
        assert!(room.enter().now_or_never().is_none(), "there is room to wait again");
    }
}
