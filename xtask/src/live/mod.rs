//! Live page of runs in progress: `load --live`.
//!
//! One thread of this process serves the page and reads what the processes of the run add to its
//! files, so that neither profiler nor scenarios wait for a viewer. Viewers get the latest state
//! only: one that reads slowly misses some, and delays nothing.

mod feed;
mod server;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context as _, Result};
use skyload::analysis::{Report, Verdict};
use skyload::live::Follower;
use skyload::record::RunDir;
use skyload::render::html::verdict_sentence;
use tokio::sync::{mpsc, oneshot, watch};

use feed::Shown;

/// Time limit for viewers to read the end of the last run before this process exits.
const FAREWELL: Duration = Duration::from_secs(1);

/// Live page, served until it is dropped.
pub(crate) struct LivePage {
    address: SocketAddr,
    /// Messages to the thread; `None` once it is to end.
    messages: Option<mpsc::UnboundedSender<Message>>,
    thread: Option<JoinHandle<()>>,
}

/// Message from the coordinator to the thread of the page.
enum Message {
    /// Start of a run.
    Follow(Box<Follower>),
    /// End of the run that is followed.
    Conclude(Conclusion),
}

/// End of a run.
struct Conclusion {
    verdict: Verdict,
    sentence: String,
    /// Path of the HTML report.
    report: String,
}

/// Listens on a port of 127.0.0.1, or on a free one for port 0. The error is a usage error.
pub(crate) fn listen(port: u16) -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| {
        let hint = "leave out the number for a free port";
        format!("--live: port {port} of 127.0.0.1 cannot be used: {error}\n  hint: {hint}")
    })
}

impl LivePage {
    /// Serves the page to the viewers of a listener.
    pub(crate) fn open(listener: TcpListener) -> Result<Self> {
        let address = listener.local_addr().context("reading the live page's port")?;
        listener.set_nonblocking(true).context("preparing the live page's port")?;
        let (sender, receiver) = mpsc::unbounded_channel();
        let page = server::Page::render().context("rendering the live page")?;
        let thread = std::thread::Builder::new().name("live-page".to_owned());
        let thread = thread
            .spawn(move || {
                let (shown, viewed) = watch::channel(Shown::default());
                // Viewers see a lost connection; the run goes on without a page.
                _ = serve(listener, page, viewed, feed::run(receiver, &shown));
            })
            .context("starting the thread of the live page")?;
        Ok(Self { address, messages: Some(sender), thread: Some(thread) })
    }

    /// Address of the page.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Shows a run from now on. To be called before its scenarios start, which then write their
    /// progress.
    pub(crate) fn follow(&self, run: &RunDir) -> Result<()> {
        let follower = Follower::begin(run.clone()).context("following the run")?;
        self.send(Message::Follow(Box::new(follower)));
        Ok(())
    }

    /// Shows the end of the run that is followed.
    pub(crate) fn conclude(&self, run: &RunDir, report: &Report) {
        self.send(Message::Conclude(Conclusion {
            verdict: report.verdict,
            sentence: verdict_sentence(report),
            report: run.report_html().display().to_string(),
        }));
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // Fails only if the thread has ended, and the page with it.
            _ = messages.send(message);
        }
    }
}

impl Drop for LivePage {
    fn drop(&mut self) {
        self.messages = None;
        if let Some(thread) = self.thread.take() {
            // Ends by itself soon, see `FAREWELL`.
            _ = thread.join();
        }
    }
}

/// Serves what is shown until the feed that shows it ends, and a moment longer.
fn serve(
    listener: TcpListener,
    page: server::Page,
    viewed: watch::Receiver<Shown>,
    feed: impl Future<Output = ()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (over, is_over) = oneshot::channel::<()>();
        let server = axum::serve(listener, server::router(page, viewed));
        let server = server.with_graceful_shutdown(async { _ = is_over.await });
        let feed = async {
            feed.await;
            _ = over.send(());
            tokio::time::sleep(FAREWELL).await;
        };
        tokio::select! {
            served = server => served,
            () = feed => Ok(()),
        }
    })
}

#[cfg(test)]
mod tests;
