//! Client of the server's metrics, in Prometheus' text format.
//!
//! SkyPilot's server answers a scrape from a snapshot. A scrape that finds the snapshot older than
//! 30 s starts the next one in the background, so a later scrape gets it.

mod selection;
mod text;

use std::time::Duration;

use reqwest::header::HeaderMap;
use url::Url;

use super::http::Http;
use super::transport::{SendError, describe};
use super::{ClientError, send};
use crate::clock::Timeline;
use crate::credentials::{self, Credentials};
use crate::record::server_metrics::MetricsSnapshot;
use selection::Selection;

/// Time limit of a scrape: the default of Prometheus.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Client of one server's metrics.
#[derive(Debug)]
pub struct MetricsClient {
    http: Http,
    url: Url,
    credentials: Credentials,
    last_made: Option<f64>,
}

/// Result of a scrape.
#[derive(Clone, Debug, PartialEq)]
pub enum Scrape {
    /// Snapshot that is certainly the one of its time.
    Snapshot(MetricsSnapshot),
    /// Response from a time at which the server replaced its snapshot: which one it has is
    /// unknown, and the next scrape gets the new one.
    Replaced,
}

impl MetricsClient {
    /// Client of the metrics at `url`. A login in the URL is removed, since errors print URLs.
    pub fn new(url: &Url, credentials: &Credentials) -> Result<Self, ClientError> {
        let mut url = url.clone();
        credentials::strip(&mut url);
        let http = Http::new(&url, HeaderMap::new())
            .map_err(|reason| ClientError { url: url.clone(), reason })?;
        Ok(Self { http, url, credentials: credentials.clone(), last_made: None })
    }

    /// Scrapes the metrics, or returns the reason why there are none, without credentials.
    pub async fn scrape(&mut self, clock: &Timeline) -> Result<Scrape, String> {
        let text = self.text().await.map_err(|reason| self.credentials.hide_in(&reason))?;
        let selection = selection(&text).map_err(|reason| self.credentials.hide_in(&reason))?;
        let made = selection.made();
        let is_replaced = made.is_some() && made != self.last_made;
        self.last_made = made;
        Ok(match is_replaced {
            // The response's body is older than its own word of when the snapshot was made.
            true => Scrape::Replaced,
            false => Scrape::Snapshot(selection.into_snapshot(clock.now())),
        })
    }

    async fn text(&self) -> Result<String, String> {
        // Without the URL: reports are shared with people who must not see a remote server's.
        let reason = |error: SendError| describe(&error.without_url());
        let exchange = async {
            let request = self.http.get(self.url.clone());
            let response = send(&self.http, &self.credentials, request).await.map_err(reason)?;
            match response.status() {
                200 => {
                    let body = response.bytes().await.map_err(reason)?;
                    Ok(String::from_utf8_lossy(&body).into_owned())
                }
                status => Err(format!("HTTP {status}")),
            }
        };
        match tokio::time::timeout(TIMEOUT, exchange).await {
            Ok(text) => text,
            Err(_) => Err(format!("no response in {} s", TIMEOUT.as_secs())),
        }
    }
}

/// Snapshot of metrics in Prometheus' text format, for a response at the time of `clock`.
///
/// # Errors
///
/// With the first line that is not of the format.
pub fn parse_metrics(text: &str, clock: &Timeline) -> Result<MetricsSnapshot, String> {
    selection(text).map(|selection| selection.into_snapshot(clock.now()))
}

fn selection(text: &str) -> Result<Selection, String> {
    let mut selection = Selection::default();
    for sample in text::samples(text) {
        selection.add(&sample?);
    }
    Ok(selection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::server_metrics::Quantile;
    use crate::units::ByteSize;

    /// Lines of a server of SkyPilot 0.14.1, with a second status of one path and a scanner's path.
    const REAL: &str = include_str!("skypilot-0.14.1.txt");

    #[test]
    fn metrics_of_a_real_server_are_read() {
        let snapshot = parse_metrics(REAL, &Timeline::start()).unwrap();
        let lag = snapshot.lag.unwrap();
        assert_eq!((lag.count, lag.buckets.len(), lag.buckets[1].count), (528, 17, 458));
        assert!(matches!(lag.quantile(0.99), Some(Quantile::Within(lag)) if lag.as_millis() == 49));
        assert_eq!(snapshot.lag_max.map(|lag| lag.as_millis()), Some(124));
        assert_eq!(snapshot.queue_wait["short"].count, 9);
        assert_eq!(snapshot.pending["sky.status"].count, 3);
        assert_eq!(snapshot.executed["sky.status"].count, 3);
        assert_eq!(snapshot.executed.len(), 2, "other code is left out: {:?}", snapshot.executed);
        let paths: Vec<_> = snapshot.http.keys().map(String::as_str).collect();
        assert_eq!(paths, ["/api/get", "/api/health", "/status"], "scanners' paths are left out");
        assert_eq!(snapshot.http["/status"].count, 4, "all methods and statuses together");
        let server = snapshot.rss.iter().find(|gauge| gauge.role == "server").unwrap();
        assert_eq!((server.pid, server.rss), (6103, ByteSize(192_741_376)));
        let made = snapshot.made.unwrap();
        assert_eq!(made.as_micros() / 1000, 1_795_814_920_663);
    }

    #[test]
    fn a_metric_without_a_sample_is_absent() {
        let snapshot = parse_metrics("# TYPE x counter\nx 1\n", &Timeline::start()).unwrap();
        let expected = MetricsSnapshot { at: snapshot.at, ..MetricsSnapshot::default() };
        assert_eq!(snapshot, expected);
    }

    #[test]
    fn a_page_is_no_list_of_metrics() {
        let error = parse_metrics("<html>\n", &Timeline::start()).unwrap_err();
        assert_eq!(error, "expected Prometheus' text format, got `<html>` in line 1");
    }
}
