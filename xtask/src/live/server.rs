//! HTTP server of the live page: the page, and its events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, Sse};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream};
use skyload::render::html::render_live_page;
use tokio::sync::watch;

use super::feed::Shown;

/// Text of the page.
#[derive(Clone)]
pub(super) struct Page(Arc<str>);

impl Page {
    pub(super) fn render() -> io::Result<Self> {
        let mut page = Vec::new();
        render_live_page(&mut page)?;
        Ok(Self(String::from_utf8_lossy(&page).into()))
    }
}

/// Routes of the page, whose viewers see what is `shown`.
pub(super) fn router(page: Page, shown: watch::Receiver<Shown>) -> Router {
    Router::new()
        .route("/", get(|| async move { Html(page.0.to_string()) }))
        .route("/events", get(events))
        .layer(from_fn(for_this_machine))
        .with_state(shown)
}

/// Refuses requests with the name of another host: a page of another site could have its name
/// resolved to this machine (DNS rebinding), and then read the answers.
async fn for_this_machine(request: Request, next: Next) -> Response {
    if !names_this_machine(request.headers()) {
        let text = "expected 127.0.0.1 or localhost as the host\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let mut response = next.run(request).await;
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    response.headers_mut().extend(headers);
    response
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name == "127.0.0.1" || name.eq_ignore_ascii_case("localhost")
}

async fn events(
    State(mut shown): State<watch::Receiver<Shown>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A new viewer is shown what there is.
    shown.mark_changed();
    let viewer = Viewer { shown, pending: VecDeque::new(), charts: None, has_ended: false };
    Sse::new(stream::unfold(viewer, |mut viewer| async {
        let event = viewer.next().await?;
        Some((Ok(event), viewer))
    }))
}

/// Viewer of the page. Asked for the next event when the one before is on its way, so that a slow
/// viewer misses states.
struct Viewer {
    shown: watch::Receiver<Shown>,
    pending: VecDeque<Event>,
    /// Number of the charts that were sent last; `None` if none were.
    charts: Option<u64>,
    has_ended: bool,
}

impl Viewer {
    /// Next event; `None` after the last.
    async fn next(&mut self) -> Option<Event> {
        while self.pending.is_empty() {
            if self.has_ended || self.shown.changed().await.is_err() {
                return None;
            }
            let shown = self.shown.borrow_and_update().clone();
            self.add(&shown);
        }
        self.pending.pop_front()
    }

    fn add(&mut self, shown: &Shown) {
        let event = |name: &str, data: &str| Event::default().event(name).data(data);
        if let Some((number, charts)) = &shown.charts
            && self.charts != Some(*number)
        {
            self.charts = Some(*number);
            self.pending.push_back(event("charts", charts));
        }
        self.pending.extend(shown.state.as_deref().map(|state| event("state", state)));
        if shown.is_over {
            self.has_ended = true;
            self.pending.push_back(event("end", "{}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::address(&["127.0.0.1:8080"], true)]
    #[case::address_without_port(&["127.0.0.1"], true)]
    #[case::name(&["LocalHost:1"], true)]
    #[case::another_name(&["skyload.example:8080"], false)]
    #[case::name_that_begins_so(&["127.0.0.1.example:8080"], false)]
    #[case::name_in_front(&["example@127.0.0.1"], false)]
    #[case::another_address(&["10.0.0.1:8080"], false)]
    #[case::two(&["127.0.0.1", "example"], false)]
    #[case::none(&[], false)]
    fn only_names_of_this_machine_are_answered(#[case] hosts: &[&str], #[case] expected: bool) {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().unwrap());
        }
        assert_eq!(names_this_machine(&headers), expected);
    }

    #[test]
    fn a_viewer_that_was_slow_gets_the_latest_state_alone() {
        let (sender, shown) = watch::channel(Shown::default());
        let mut viewer = Viewer { shown, pending: VecDeque::new(), charts: None, has_ended: false };
        let mut next = || viewer.next().now_or_never().map(|event| event.is_some());
        assert_eq!(next(), None, "nothing is shown yet");
        for state in ["1", "2", "3"] {
            sender.send_modify(|shown| shown.state = Some(state.into()));
        }
        assert_eq!([next(), next()], [Some(true), None]);
        sender.send_modify(|shown| shown.is_over = true);
        assert_eq!([next(), next(), next()], [Some(true), Some(true), Some(false)]);
    }
}
