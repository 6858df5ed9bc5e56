//! The service `dossier`: command line, HTTP, settings, assembly.

#![allow(missing_docs)] // a program: nothing here is anybody's library

use std::process::ExitCode;

mod assemble;
mod catalogue;
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
    end_with_the_reader();
    ExitCode::from(cli::main())
}

/// Whoever reads what is printed may stop early (`dossier docs ls | head`), which is no failure: the program ends as others do
/// then, with 128 + `SIGPIPE`, and not with a panic of `println!`.
fn end_with_the_reader() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(141);
        }
        report(panic);
    }));
}
