//! How far a batch is: a bar with pages per second and time left on a terminal, a line every ten seconds elsewhere.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use index::corpus::BatchId;
use indicatif::{ProgressBar, ProgressStyle};
use ingest::queue::Batch;

use crate::{
    cli::{Failure, exit},
    door::Door,
};

/// How long a failure that may pass is waited for.
const PATIENCE: f64 = 60.0;

/// Waits until a batch is done (and has `count` items, if items are still being added) and shows how far it is. If
/// nothing goes on, the wait ends with the reason, at once where that will not pass by itself; what was taken in is kept.
pub async fn watch(door: &Door, scenario: &str, id: BatchId, count: Option<usize>) -> Result<Batch, Failure> {
    let terminal = std::io::stderr().is_terminal();
    let bar = if terminal { bar() } else { ProgressBar::hidden() };
    let (began, mut said) = (Instant::now(), Instant::now());
    loop {
        let Some(batch) = door.batch(scenario, id).await? else {
            return Err(Failure::new(exit::FAILED, "not_found", format!("there is no batch `{id}`")));
        };
        let items: u32 = batch.counts.values().sum();
        let share = f64::from(batch.progress) * f64::from(items) / count.unwrap_or(items as usize).max(1) as f64;
        let text = line(&batch, share, began.elapsed());
        bar.set_position((share * 1000.0) as u64);
        bar.set_message(text.clone());
        if !terminal && said.elapsed() >= Duration::from_secs(10) {
            eprintln!("{text}");
            said = Instant::now();
        }
        if batch.done && items as usize >= count.unwrap_or(0) {
            bar.finish_and_clear();
            return Ok(batch);
        }
        if let Some(why) = batch.held_up.filter(|why| why.stays() || why.seconds > PATIENCE) {
            bar.finish_and_clear();
            let exit = if why.code.ends_with("_unavailable") { exit::UNREACHABLE } else { exit::FAILED };
            let next = "nothing that was taken in is lost, and it goes on with the next start; the rest follows with `dossier ingest … --resume";
            return Err(Failure::new(exit, &why.code, format!("{}; {next} {id}`", why.detail)));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How much of a known amount of work is done.
pub struct Bar {
    bar: ProgressBar,
    what: &'static str,
    said: Instant,
}

impl Bar {
    /// A bar that counts things of a name.
    pub fn new(what: &'static str) -> Self {
        let bar = if std::io::stderr().is_terminal() { bar() } else { ProgressBar::hidden() };
        Self { bar, what, said: Instant::now() }
    }

    /// Shows how far it is.
    pub fn set(&mut self, done: u64, all: u64) {
        let text = format!("{done} of {all} {}", self.what);
        self.bar.set_position(done * 1000 / all.max(1));
        self.bar.set_message(text.clone());
        if self.bar.is_hidden() && self.said.elapsed() >= Duration::from_secs(10) {
            eprintln!("{text}");
            self.said = Instant::now();
        }
        if done >= all {
            self.bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(1000).with_style(style)
}

fn line(batch: &Batch, share: f64, elapsed: Duration) -> String {
    let count = |state: &str| batch.counts.get(state).copied().unwrap_or(0);
    let done = count("ready") + count("unchanged");
    let failed = count("failed") + count("quarantined");
    let items: u32 = batch.counts.values().sum();
    let rate = f64::from(batch.pages) / elapsed.as_secs_f64().max(0.1);
    let mut text = format!("{:.0} % · {done} of {items} ready", share * 100.0);
    if count("searchable") > 0 {
        text += &format!(" · {} found by words, vectors pending", count("searchable"));
    }
    if failed > 0 {
        text += &format!(" · {failed} failed");
    }
    text += &format!(" · {} pages, {rate:.1}/s", batch.pages);
    if share > 0.02 && share < 1.0 {
        let left = elapsed.as_secs_f64() * (1.0 - share) / share;
        text += &format!(" · {} left", duration(left));
    }
    text
}

fn duration(seconds: f64) -> String {
    match seconds as u64 {
        s @ 0..60 => format!("{s} s"),
        s => format!("{} min {} s", s / 60, s % 60),
    }
}
