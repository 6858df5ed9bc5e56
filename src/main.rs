//! The service `dossier`: command line, HTTP, settings, assembly.

#![allow(missing_docs)] // a program: nothing here is anybody's library

use std::process::ExitCode;

mod assemble;
mod cli;
mod config;
mod dev;
mod doctor;
mod door;
mod encoders;
mod generations;
mod http;
mod migrate;
mod probe;
mod progress;
mod quickstart;
mod scenario;
mod show;
mod target;
mod trial;

fn main() -> ExitCode {
    // Before the runtime: a child that reads one document needs neither threads nor settings.
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("parse-worker") {
        let (format, file, name) = (arguments.next(), arguments.next(), arguments.next());
        let code = ingest::sandbox::child_main(
            &format.unwrap_or_default(),
            file.unwrap_or_default().as_ref(),
            &name.unwrap_or_default(),
        );
        return ExitCode::from(code as u8);
    }
    ExitCode::from(cli::main())
}
