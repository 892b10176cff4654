//! Live page, with viewers over HTTP.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use skyload::analysis::Verdict;

use super::*;

/// Viewer that has sent a request.
struct Viewer(BufReader<TcpStream>);

impl Viewer {
    fn get(page: &LivePage, path: &str, host: &str) -> Self {
        let mut stream = TcpStream::connect(page.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// Rest of the response.
    fn text(mut self) -> String {
        let mut text = String::new();
        self.0.read_to_string(&mut text).unwrap();
        text
    }

    /// Lines up to the first that contains a text.
    fn until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert_ne!(self.0.read_line(&mut line).unwrap(), 0, "no `{text}`");
        }
    }
}

/// Directory of a run that has a plan only.
fn run_below(folder: &Path) -> RunDir {
    let run = RunDir::create(&folder.join("20261101-120000-ab12")).unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kept/v2/passed/plan.json");
    fs::copy(kept, run.plan()).unwrap();
    run
}

fn page() -> LivePage {
    LivePage::open(listen(0).unwrap()).unwrap()
}

#[test]
fn the_page_is_small_and_whole_and_for_names_of_this_machine_only() {
    let page = page();
    let text = Viewer::get(&page, "/", "127.0.0.1").text();
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("</html>"), "{text}");
    assert!(text.len() < 100_000, "{}", text.len());
    for header in ["content-security-policy: frame-ancestors 'none'", "cache-control: no-store"] {
        assert!(text.contains(header), "{header}");
    }
    let refused = Viewer::get(&page, "/", "skyload.example").text();
    assert!(refused.starts_with("HTTP/1.1 403") && !refused.contains("<html"), "{refused}");
    let refused = Viewer::get(&page, "/events", "skyload.example").text();
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
}

#[test]
fn a_port_in_use_is_a_usage_error_that_names_it() {
    let page = page();
    let port = page.address.port();
    let error = listen(port).unwrap_err();
    assert!(error.starts_with(&format!("--live: port {port} of 127.0.0.1 ")), "{error}");
}

#[test]
fn viewers_see_the_run_and_its_end_early_and_late() {
    let (page, folder) = (page(), tempfile::tempdir().unwrap());
    let run = run_below(folder.path());
    let mut viewer = Viewer::get(&page, "/events", "localhost");
    page.follow(&run).unwrap();
    assert!(run.progress().is_dir(), "scenarios are asked for their progress");
    viewer.until("event: charts");
    viewer.until("event: state");
    page.send(Message::Conclude(Conclusion {
        verdict: Verdict::OverBudget,
        sentence: "the budget was exceeded.".to_owned(),
        report: "report.html".to_owned(),
    }));
    viewer.until("\"verdict\":{\"name\":\"OVER BUDGET\"");
    let mut late = Viewer::get(&page, "/events", "localhost");
    late.until("\"verdict\":{\"name\":\"OVER BUDGET\"");
    drop(page);
    assert!(!run.progress().exists(), "nothing asks for progress any more");
    for viewer in [viewer, late] {
        assert!(viewer.text().contains("event: end"));
    }
}

/// Page that shows what is sent to it, until it is dropped.
fn page_of(viewed: watch::Receiver<Shown>) -> LivePage {
    let listener = listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    let (messages, mut receiver) = mpsc::unbounded_channel();
    let thread = std::thread::spawn(move || {
        let feed = async { while receiver.recv().await.is_some() {} };
        serve(listener, server::Page::render().unwrap(), viewed, feed).unwrap();
    });
    LivePage { address, messages: Some(messages), thread: Some(thread) }
}

#[test]
fn a_viewer_that_reads_nothing_delays_neither_others_nor_the_end() {
    let (shown, viewed) = watch::channel(Shown::default());
    let page = page_of(viewed);
    let slow = Viewer::get(&page, "/events", "localhost");
    let mut viewer = Viewer::get(&page, "/events", "localhost");
    // More than the buffers of a connection hold.
    let charts: Arc<str> = "x".repeat(1_000_000).into();
    for number in 1..=50 {
        shown.send_modify(|shown| {
            shown.charts = Some((number, Arc::clone(&charts)));
            shown.state = Some(format!("state {number}.").into());
        });
        viewer.until(&format!("state {number}."));
    }
    shown.send_modify(|shown| shown.is_over = true);
    viewer.until("event: end");
    let began = Instant::now();
    drop(page);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let text = slow.text();
    assert!(text.contains("event: charts") && !text.contains("event: end"), "it was not behind");
}
