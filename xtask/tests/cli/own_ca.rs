//! Remote servers with TLS, and the certificate authorities that are trusted.

use std::fs;

use fake_sky::FakeServer;
use predicates::prelude::predicate;
use rstest::rstest;
use skyload::analysis::Verdict;
use skyload::env;

use crate::support::{Site, TlsProxy};

#[rstest]
#[case::of_requests(env::REQUESTS_CA_BUNDLE)]
#[case::of_curl(env::CURL_CA_BUNDLE)]
#[case::of_openssl(env::SSL_CERT_FILE)]
fn a_server_is_trusted_by_the_bundle_that_a_variable_names(
    #[case] variable: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let tls = TlsProxy::start(server.port())?;
    let bundle = site.path("ca.pem");
    fs::write(&bundle, tls.authority())?;
    let load = site.load(["--server", &tls.url(), "--api", "status"]);
    load.env(variable, &bundle).run()?.expect(&site, Verdict::Pass)?;
    server.finish()
}

#[rstest]
#[case::no_bundle(None, "certificate")]
#[case::missing(Some("missing.pem"), "missing.pem` (REQUESTS_CA_BUNDLE)")]
#[case::without_certificates(Some("skyload.toml"), "no certificate in `")]
fn a_server_without_a_trusted_certificate_is_an_error(
    #[case] bundle: Option<&str>,
    #[case] message: &str,
) -> anyhow::Result<()> {
    let site = Site::new()?;
    let server = FakeServer::start(&[])?;
    let tls = TlsProxy::start(server.port())?;
    let mut load = site.load(["--server", &tls.url(), "--api", "status"]);
    if let Some(bundle) = bundle {
        load = load.env(env::REQUESTS_CA_BUNDLE, site.path(bundle));
    }
    let run = load.run()?;
    run.assert().code(1).stderr(predicate::str::contains(message));
    server.finish()
}
