//! A local encoder out of fastembed's catalogue, fetched from where its makers keep it. Only `dossier models add NAME` does this,
//! and says what it fetches before it does; nothing else in this program downloads anything.

use std::{fs, io::Write, path::Path, time::Duration};

use futures::StreamExt;
use index::{
    IndexError,
    embed::onnx::{self, Catalogued},
};
use reqwest::{Client, Response, StatusCode};

use crate::{
    cli::{Failure, exit},
    progress::Bar,
};

/// Where models are kept, unless `HF_ENDPOINT` names a mirror.
const HUB: &str = "https://huggingface.co";
/// What a model cannot do without, and what says how it is used.
const NEEDED: &[&str] = &["tokenizer.json"];
const HELPFUL: &[&str] = &[
    "config.json",
    "special_tokens_map.json",
    "tokenizer_config.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
];
/// How long the server may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// Fetches a model's files into a folder, as [`onnx::add`] takes it.
///
/// # Errors
/// `encoder_download` if a file that is needed does not come, `storage` and `storage_full` if it cannot be written.
pub async fn fetch(model: &Catalogued, into: &Path) -> Result<(), Failure> {
    let hub = std::env::var("HF_ENDPOINT").ok().filter(|hub| !hub.trim().is_empty()).unwrap_or_else(|| HUB.into());
    let from = format!("{}/{}/resolve/main", hub.trim_end_matches('/'), model.code);
    let client = Client::builder().connect_timeout(Duration::from_secs(15)).read_timeout(SILENCE).build();
    let client = client.map_err(|e| absent(&from, &e.to_string()))?;
    eprintln!("fetching {} from {hub}", model.code);
    let needed = NEEDED.iter().copied().chain([model.file.as_str()]).chain(model.others.iter().map(String::as_str));
    for (file, needed) in needed.map(|file| (file, true)).chain(HELPFUL.iter().map(|file| (*file, false))) {
        let url = format!("{from}/{file}");
        let reply = client.get(&url).send().await.map_err(|e| absent(&url, &told(&e)))?;
        match reply.status() {
            status if status.is_success() => save(&url, reply, &into.join(file)).await?,
            StatusCode::NOT_FOUND if !needed => (),
            status => return Err(absent(&url, &format!("the server answered {status}"))),
        }
    }
    let manifest = into.join(onnx::MANIFEST);
    Ok(fs::write(&manifest, model.manifest()).map_err(|e| IndexError::from_io(format!("`{}`", manifest.display()), e))?)
}

/// Writes what comes to a file; one that is cut off is none.
async fn save(url: &str, reply: Response, to: &Path) -> Result<(), Failure> {
    let size = reply.content_length();
    let failed = |e| IndexError::from_io(format!("`{}`", to.display()), e);
    fs::create_dir_all(to.parent().unwrap_or(to)).map_err(failed)?;
    let mut file = fs::File::create(to).map_err(failed)?;
    let (mut bar, mut got) = (Bar::new("KB"), 0);
    let mut chunks = reply.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|e| absent(url, &told(&e)))?;
        file.write_all(&chunk).map_err(failed)?;
        got += chunk.len() as u64;
        bar.set(got >> 10, size.unwrap_or(got) >> 10);
    }
    match size {
        Some(size) if size != got => Err(absent(url, &format!("{got} of {size} bytes came"))),
        _ => Ok(file.sync_all().map_err(failed)?),
    }
}

/// An error with what is behind it: the outermost only says that a request failed.
fn told(error: &reqwest::Error) -> String {
    let mut told = error.to_string();
    let mut behind = std::error::Error::source(error);
    while let Some(cause) = behind {
        told = cause.to_string();
        behind = cause.source();
    }
    told
}

fn absent(url: &str, why: &str) -> Failure {
    let next = "HF_ENDPOINT names a mirror; or get the model's folder elsewhere and name it: `dossier models add DIR`";
    Failure::new(exit::UNREACHABLE, "encoder_download", format!("{url}: {why}; {next}"))
}
