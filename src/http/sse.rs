//! Server-sent events: one task writes, the response body owns the task, so that a reader who leaves ends the work.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ContentEncoding},
    web::Bytes,
};
use futures::Stream;
use serde::Serialize;
use tokio::{
    runtime::Handle,
    sync::mpsc,
    task::JoinHandle,
    time::{Interval, MissedTickBehavior},
};

/// Longest silence on a stream.
const PING: Duration = Duration::from_secs(8);

/// Where a task writes its events. Writing waits for the reader.
pub struct Sink {
    frames: mpsc::Sender<Bytes>,
    count: u64,
    ping: Interval,
}

/// Nobody reads any more.
pub struct Gone;

impl Sink {
    /// Sends an event.
    pub async fn send(&mut self, name: &str, data: &impl Serialize) -> Result<(), Gone> {
        self.count += 1;
        // JSON has no line breaks, so one `data` line holds it.
        let data = serde_json::to_string(data).unwrap_or_default();
        self.ping.reset();
        self.frames.send(format!("event: {name}\nid: {}\ndata: {data}\n\n", self.count).into()).await.map_err(|_| Gone)
    }

    /// Sends data without the name of an event.
    pub async fn data(&mut self, data: &impl Serialize) -> Result<(), Gone> {
        let data = serde_json::to_string(data).unwrap_or_default();
        self.ping.reset();
        self.frames.send(format!("data: {data}\n\n").into()).await.map_err(|_| Gone)
    }

    /// Sends the word that ends a stream of chunks.
    pub async fn done(&mut self) -> Result<(), Gone> {
        self.frames.send(Bytes::from_static(b"data: [DONE]\n\n")).await.map_err(|_| Gone)
    }

    /// Waits for the time of a comment that says "still here", and sends it.
    pub async fn ping(&mut self) -> Result<(), Gone> {
        self.ping.tick().await;
        self.frames.send(Bytes::from_static(b": ping\n\n")).await.map_err(|_| Gone)
    }
}

/// A response whose body is what `write` sends.
pub fn response<F>(runtime: &Handle, write: impl FnOnce(Sink) -> F) -> HttpResponse
where
    F: Future<Output = ()> + Send + 'static,
{
    let (frames, received) = mpsc::channel(32);
    let _entered = runtime.enter(); // the interval needs a clock
    let mut ping = tokio::time::interval_at(tokio::time::Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let task = runtime.spawn(write(Sink { frames, count: 0, ping }));
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-accel-buffering", "no"))
        .insert_header(ContentEncoding::Identity)
        .streaming(Body { received, task: Work(task) })
}

struct Body {
    received: mpsc::Receiver<Bytes>,
    #[allow(dead_code)] // held for its end
    task: Work<()>,
}

impl Stream for Body {
    type Item = Result<Bytes, std::convert::Infallible>;
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.received.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

/// A task that ends when nobody waits for it any more.
pub struct Work<T>(pub JoinHandle<T>);

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl<T> Future for Work<T> {
    type Output = Result<T, tokio::task::JoinError>;
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}
