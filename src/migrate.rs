//! Moving an index between the embedded store and a server: points are written out of the catalog, so that no document is
//! read again and no text is encoded again. Ended in the middle, it goes on where it was.

use std::path::Path;

use index::db::{DataDir, Db};
use ingest::reconcile;
use serde_json::json;

use crate::{
    assemble,
    cli::{Failure, exit},
    config::{Settings, Store},
    doctor, show,
};

/// Fills the other store and compares the counts. Which store answers is a setting: this changes nothing about it.
pub async fn run(data: &Path, settings: &Settings, to: Store, as_json: bool) -> Result<u8, Failure> {
    if to == Store::Cluster {
        settings.qdrant.server()?;
    }
    let dir = DataDir::open(data)?;
    let db = Db::open(&dir).await?;
    let result = fill(&dir, &db, settings, to, as_json).await;
    db.close().await;
    result
}

async fn fill(dir: &DataDir, db: &Db, settings: &Settings, to: Store, as_json: bool) -> Result<u8, Failure> {
    let (live, _) = assemble::live(settings, dir, db).await?;
    let store = assemble::open_store(to, settings, dir, db, &live.name, live.dimensions).await?;
    store.prepare().await?;
    eprintln!("moving to {}", store.about().await?);
    let before = reconcile::compare(db, &*store).await?;
    let there = before.expected.0 - before.wrong.iter().map(|version| version.passages).sum::<u64>();
    let rest = doctor::heal(db, &*store, &live.space, &before).await?;
    let whole = rest.is_none();
    if as_json {
        show::json(&json!({
            "to": to, "passages": rest.expected.0, "there_before": there, "points": rest.found.0, "vectors": rest.found.1, "whole": whole,
        }));
    } else {
        println!("{} of {} passages are there, {} with vectors", rest.found.0, rest.expected.0, rest.found.1);
    }
    if !whole {
        let reason = format!("{} documents still differ; run the command again", rest.wrong.len() + rest.unknown.len());
        return Err(Failure::new(exit::FAILED, "migration_incomplete", reason));
    }
    if settings.index.store != to {
        eprintln!("set index.store to `{to}` (DOSSIER_INDEX__STORE={to}) and start: questions are then answered from there");
    }
    Ok(exit::OK)
}
