//! Reading one document in a process of its own, with limits.
//!
//! Parsers meet hostile files; two ways to die (a stack overflow, a failed allocation) cannot be caught in a thread. The
//! child is this program itself, started as `dossier parse-worker`: it gets the file's path and format, limits itself, and
//! sends pages as length-framed JSON. Formats that only our own linear code reads are read in this process.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use index::page::Page;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncReadExt, process::Command};

use crate::{
    IngestError,
    parse::{self, About, Format},
};

/// Longest that reading one document may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What reading a document may use in its own process.
const MEMORY: u64 = 2 << 30;
const CPU_SECONDS: u64 = 300;

/// Where documents are read.
#[derive(Debug, Clone)]
pub enum Sandbox {
    /// In a process of its own: the program to start.
    Child(PathBuf),
    /// In this process: for tests and for programs that are themselves the sandbox.
    InProcess,
}

/// What the child sends.
#[derive(Debug, Serialize, Deserialize)]
enum Frame {
    Page(Box<Page>),
    Done(About),
    Failed { code: String, detail: String },
}

impl Sandbox {
    /// Reads a stored file. Calls `on_page` for each page as it comes.
    ///
    /// # Errors
    /// What [`parse::parse`] returns, and `parser_limit` when the child ran out of time or memory or crashed.
    pub async fn read(
        &self,
        file: &Path,
        name: &str,
        on_page: &mut (dyn FnMut(Page) + Send),
    ) -> Result<(Format, About), IngestError> {
        let format = {
            let bytes = tokio::fs::read(file).await.map_err(|e| index::IndexError::from_io("original file".into(), e))?;
            let format = crate::sniff::sniff(&bytes, name)?;
            if matches!(self, Self::InProcess) || format.is_plain() {
                let name = name.to_owned();
                let (pages, about) = tokio::task::spawn_blocking(move || {
                    let mut pages = Vec::new();
                    let about = parse::parse(format, &bytes, &name, &mut |page| {
                        pages.push(page);
                        Ok(())
                    })?;
                    Ok::<_, IngestError>((pages, about))
                })
                .await
                .map_err(|e| IngestError::ParserLimit { limit: format!("it stopped the parser ({e})") })??;
                pages.into_iter().for_each(on_page);
                return Ok((format, about));
            }
            format
        };
        let Self::Child(program) = self else { return Err(IngestError::ParserLimit { limit: "no parser".into() }) };
        let about = tokio::time::timeout(PATIENCE, child(program, file, format, name, on_page))
            .await
            .map_err(|_| IngestError::ParserLimit { limit: format!("reading it took longer than {} s", PATIENCE.as_secs()) })??;
        Ok((format, about))
    }
}

async fn child(
    program: &Path,
    file: &Path,
    format: Format,
    name: &str,
    on_page: &mut (dyn FnMut(Page) + Send),
) -> Result<About, IngestError> {
    let format = serde_json::to_string(&format).unwrap_or_default();
    let mut child = Command::new(program)
        .args(["parse-worker", format.trim_matches('"')])
        .arg(file)
        .arg(name)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| index::IndexError::from_io("parser process".into(), e))?;
    let Some(mut out) = child.stdout.take() else { return Err(IngestError::ParserLimit { limit: "no output".into() }) };
    loop {
        let mut length = [0; 4];
        if out.read_exact(&mut length).await.is_err() {
            break;
        }
        let mut frame = vec![0; u32::from_le_bytes(length) as usize];
        if out.read_exact(&mut frame).await.is_err() {
            break;
        }
        match serde_json::from_slice(&frame) {
            Ok(Frame::Page(page)) => on_page(*page),
            Ok(Frame::Done(about)) => return Ok(about),
            Ok(Frame::Failed { code, detail }) => return Err(IngestError::Parser { code, detail }),
            Err(e) => return Err(IngestError::ParserLimit { limit: format!("the parser sent nonsense ({e})") }),
        }
    }
    let status = child.wait().await.map_err(|e| index::IndexError::from_io("parser process".into(), e))?;
    Err(IngestError::ParserLimit { limit: reason(status) })
}

/// Why a child ended without a last word.
fn reason(status: std::process::ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(24) => format!("reading it took more than {CPU_SECONDS} s of processor time"),
        Some(6 | 9 | 11) => {
            format!("reading it needs more than {} GB of memory, or its parts are nested too deeply", MEMORY >> 30)
        }
        Some(signal) => format!("the parser was stopped by signal {signal}"),
        None => format!("the parser ended with {status}"),
    }
}

/// The child's side: limits this process, reads the file and writes frames to standard output. Returns the exit code.
pub fn child_main(format: &str, file: &Path, name: &str) -> i32 {
    let limit = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).is_ok();
    let limited = limit(Resource::As, MEMORY)
        && limit(Resource::Cpu, CPU_SECONDS)
        && limit(Resource::Core, 0)
        && limit(Resource::Fsize, 0)
        && limit(Resource::Nofile, 32);
    if !limited {
        return 1;
    }
    let (format, file, name) = (format.to_owned(), file.to_owned(), name.to_owned());
    let reader = std::thread::Builder::new().stack_size(64 << 20).spawn(move || {
        let frame = match read(&format, &file, &name) {
            Ok(about) => Frame::Done(about),
            Err(error) => {
                let failure = error.failure();
                Frame::Failed { code: failure.code, detail: failure.detail }
            }
        };
        send(&frame).is_ok()
    });
    i32::from(!reader.is_ok_and(|thread| thread.join().unwrap_or(false)))
}

fn read(format: &str, file: &Path, name: &str) -> Result<About, IngestError> {
    let format: Format =
        serde_json::from_str(&format!("\"{format}\"")).map_err(|_| IngestError::Unsupported { what: format.into() })?;
    let io = |e| IngestError::from(index::IndexError::from_io("original file".into(), e));
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(io)?.read_to_end(&mut bytes).map_err(io)?;
    parse::parse(format, &bytes, name, &mut |page| send(&Frame::Page(Box::new(page))).map_err(io))
}

fn send(frame: &Frame) -> std::io::Result<()> {
    let json = serde_json::to_vec(frame)?;
    let mut out = std::io::stdout().lock();
    out.write_all(&(json.len() as u32).to_le_bytes())?;
    out.write_all(&json)?;
    out.flush()
}
