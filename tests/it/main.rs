//! The real program, started as a process and talked to over HTTP.

#![allow(clippy::unwrap_used)] // a test that cannot go on fails

mod ask;
mod badinput;
mod cluster;
mod commands;
mod compose;
mod crash;
mod encoders;
mod fakes;
mod faults;
mod ingest;
mod lookalikes;
mod openai;
mod proof;
mod scenarios;
mod service;
mod surfaces;
