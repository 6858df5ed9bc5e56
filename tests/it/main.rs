//! The real program, started as a process and talked to over HTTP.

mod ask;
mod badinput;
mod fakes;
mod ingest;
mod service;
mod surfaces;
