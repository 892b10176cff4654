//! Reading of the server's own metrics: `--metrics` and `--metrics-url`.

use url::Url;

use super::Resolver;
use crate::credentials::{Login, without_login};
use crate::plan::ServerTarget;
use crate::plan::server_metrics::{MetricsSource, ServerMetrics};

/// Path of the metrics on a server of SkyPilot, for a URL without a path.
const PATH: &str = "/metrics";

impl Resolver<'_> {
    pub(super) fn server_metrics(&mut self, server: &ServerTarget) -> Option<ServerMetrics> {
        let request = self.request;
        // Any error of the URL is reported in addition to that of the server.
        let url = request.metrics_url.as_deref().map(|text| self.metrics_url(text));
        let is_isolated = matches!(server, ServerTarget::Isolated { .. });
        if is_isolated && url.is_some() {
            self.error(
                "--metrics-url: only for a server that skyload does not configure; pass --metrics \
                 for an isolated server, or --server"
                    .to_owned(),
            );
        }
        if !is_isolated && request.metrics && url.is_none() {
            self.error(
                "--metrics: the port of this server's metrics is unknown; pass --metrics-url URL \
                 (SkyPilot's default port is 9090)"
                    .to_owned(),
            );
        }
        let source = match url {
            Some(url) => MetricsSource::Url(url?),
            None if request.metrics => MetricsSource::Isolated,
            None => return None,
        };
        Some(ServerMetrics { source, interval: self.config.server_metrics.interval })
    }

    /// URL without its login: the plan is written to a file that must not contain one.
    fn metrics_url(&mut self, text: &str) -> Option<Url> {
        match Url::parse(text) {
            Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                if let Err(error) = Login::take_from(&mut url) {
                    self.error(format!("--metrics-url: {error}"));
                }
                if url.path() == "/" {
                    url.set_path(PATH);
                }
                Some(url)
            }
            _ => {
                self.error(format!(
                    "--metrics-url: expected an http(s) URL, got `{}`",
                    without_login(text)
                ));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::plan::resolve::tests::{MACHINE, config, words};
    use crate::plan::{LoadPlan, MetricsSource, UsageErrors};
    use crate::record::request::LoadRequest;

    fn resolved(
        server: &str,
        metrics: bool,
        url: Option<&str>,
        budgets: &[&str],
    ) -> Result<LoadPlan, Vec<String>> {
        let request = LoadRequest {
            server: Some(server.to_owned()),
            metrics,
            metrics_url: url.map(str::to_owned),
            budgets: words(budgets),
            ..LoadRequest::default()
        };
        LoadPlan::resolve(&request, &config(), &MACHINE).map_err(|UsageErrors(errors)| errors)
    }

    fn source(server: &str, metrics: bool, url: Option<&str>) -> Option<MetricsSource> {
        let plan = resolved(server, metrics, url, &[]).unwrap();
        plan.server_metrics.map(|metrics| metrics.source)
    }

    const REMOTE: &str = "http://127.0.0.1:1";

    #[test]
    fn metrics_are_off_by_default() {
        assert_eq!(source("isolated", false, None), None);
        assert_eq!(source(REMOTE, false, None), None);
    }

    #[test]
    fn an_isolated_server_has_its_own_port() {
        assert_eq!(source("isolated", true, None), Some(MetricsSource::Isolated));
    }

    #[rstest]
    #[case::without_a_path("http://h:9090", "http://h:9090/metrics")]
    #[case::with_a_path("https://h/east/metrics", "https://h/east/metrics")]
    #[case::with_a_login("http://me:s3cret@h:9090", "http://h:9090/metrics")]
    fn a_url_is_recorded_without_its_login(#[case] url: &str, #[case] recorded: &str) {
        for (server, metrics) in [(REMOTE, false), (REMOTE, true), ("system", false)] {
            let expected = MetricsSource::Url(recorded.parse().unwrap());
            assert_eq!(source(server, metrics, Some(url)), Some(expected));
        }
    }

    #[rstest]
    #[case::of_a_remote_server(REMOTE, true, None, "--metrics: the port of this server's")]
    #[case::of_a_local_server("system", true, None, "--metrics: the port of this server's")]
    #[case::of_an_isolated_server("isolated", true, Some("http://h"), "--metrics-url: only for")]
    #[case::no_url(REMOTE, false, Some("h:9090"), "--metrics-url: expected an http(s) URL, got")]
    #[case::with_a_login(REMOTE, false, Some("me:pw@h"), "expected an http(s) URL, got `..@h`")]
    fn a_source_that_cannot_be_read_is_an_error(
        #[case] server: &str,
        #[case] metrics: bool,
        #[case] url: Option<&str>,
        #[case] message: &str,
    ) {
        let errors = resolved(server, metrics, url, &[]).unwrap_err();
        assert!(errors.len() == 1 && errors[0].contains(message), "{errors:?}");
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let errors = resolved("isolated", false, Some("nothing"), &["sever=1GiB"]).unwrap_err();
        assert_eq!(errors.len(), 3, "{errors:?}");
    }

    #[rstest]
    #[case::of_a_gauge("server=1GiB", Some("http://h"), true)]
    #[case::of_no_gauge("threads=100", Some("http://h"), false)]
    #[case::without_gauges("server=1GiB", None, false)]
    fn gauges_of_a_remote_server_can_have_budgets(
        #[case] budget: &str,
        #[case] url: Option<&str>,
        #[case] accepted: bool,
    ) {
        assert_eq!(resolved(REMOTE, false, url, &[budget]).is_ok(), accepted);
    }
}
