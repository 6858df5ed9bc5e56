//! `dossier models probe`: asks a live endpoint what it does, and writes the card that says so.

use std::path::PathBuf;

use clap::Args;
use index::scope::Scope;
use rag::{
    card::Card,
    chat::probe::{Check, probe},
};

use crate::{
    cli::{Failure, exit},
    config::{Backend, Settings},
    show,
};

/// Which endpoint is asked, and where its card goes.
#[derive(Debug, Args)]
pub struct Probe {
    /// A backend of the settings, or a card to begin with; by default the endpoint of `llm`.
    name: Option<String>,
    /// An address that goes before.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// The model's name there.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The environment variable that holds the key.
    #[arg(long, value_name = "VARIABLE")]
    api_key_env: Option<String>,
    /// What the card is called.
    #[arg(long, value_name = "NAME", default_value = "probed")]
    card: String,
    /// Where the card is written; by default it is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Probes, prints what was seen, writes the card. 1 if the endpoint cannot be used, 5 if it cannot be reached.
pub async fn run(asked: Probe, settings: &Settings, json: bool) -> Result<u8, Failure> {
    let wrong = |reason: String| Failure::new(exit::USAGE, "invalid_settings", reason);
    if Scope::of_scenario(&asked.card).is_err() {
        return Err(wrong(format!("the name `{}` must be 1 to 64 of a-z, 0-9, `-` and `_`", asked.card)));
    }
    if let Some(file) = asked.out.as_ref().filter(|file| file.exists()) {
        return Err(wrong(format!("`{}` exists; a card is not written over another", file.display())));
    }
    let llm = &settings.llm;
    let cards = llm.cards()?;
    let start = match &asked.name {
        Some(name) => {
            llm.backend(name).unwrap_or_else(|| Backend { name: name.clone(), card: name.clone(), ..Backend::default() })
        }
        None => llm.simple().unwrap_or_else(|| Backend { name: "probed".into(), ..Backend::default() }),
    };
    let backend = Backend {
        base_url: asked.base_url.unwrap_or(start.base_url),
        model: asked.model.unwrap_or(start.model),
        api_key_env: asked.api_key_env.unwrap_or(start.api_key_env),
        ..start
    };
    let endpoint = llm.endpoint(&cards, &backend, "probe")?;
    let found = probe(&endpoint, cards.get(&backend.card), &asked.card, &today()).await?;
    let text = found.card.to_toml();
    Card::parse("the card", &text).map_err(|error| Failure::new(exit::FAILED, "internal", error.to_string()))?;
    if let Some(file) = &asked.out {
        let unwritable = |e| Failure::new(exit::FAILED, "storage", format!("cannot write `{}`: {e}", file.display()));
        std::fs::write(file, &text).map_err(unwritable)?;
    }
    if json {
        show::json(&found);
    } else {
        found.checks.iter().for_each(print);
        match &asked.out {
            Some(file) => eprintln!("the card is in {}", file.display()),
            None => print!("{text}"),
        }
    }
    Ok(if found.checks.iter().all(|check| check.good) { exit::OK } else { exit::FAILED })
}

/// Talk, so that the card alone is on standard output.
fn print(check: &Check) {
    eprintln!("{} {:<12} {}", if check.good { "✓" } else { "✗" }, check.name, check.seen);
}

fn today() -> String {
    jiff::Timestamp::now().to_string().chars().take(10).collect()
}
