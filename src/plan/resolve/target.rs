//! Server and SkyPilot under test: `--server` and `--sky`.

use std::path::PathBuf;

use url::Url;

use super::Resolver;
use crate::credentials::{Login, without_login};
use crate::machine_size::MachineSize;
use crate::plan::{Dependencies, ServerTarget, SkySelection};

impl Resolver<'_> {
    pub(super) fn server(&mut self, size: Option<MachineSize>) -> ServerTarget {
        let deploy = self.is_deployed(size);
        let target = self.target(deploy);
        self.check_size_of(&target);
        if self.request.server_profile.is_some() && !matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--server-profile: only for a remote server, the run itself profiles one on this \
                 machine; remove it, or pass --server URL"
                    .to_owned(),
            );
        }
        if self.request.token_file.is_some() && matches!(target, ServerTarget::Isolated { .. }) {
            self.error(
                "--token-file: an isolated server has no service accounts; remove it, or pass \
                 --server URL"
                    .to_owned(),
            );
        }
        target
    }

    fn target(&mut self, deploy: bool) -> ServerTarget {
        let request = self.request;
        let target = match request.server.as_deref() {
            None | Some("isolated") => return ServerTarget::Isolated { deploy },
            Some("system") => ServerTarget::System,
            Some(text) => match Url::parse(text) {
                Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    // The plan is written to a file that must not contain the login.
                    match Login::take_from(&mut url) {
                        Ok(Some(_)) if request.token_file.is_some() => self.error(
                            "--token-file: the URL of --server has a login; remove one".to_owned(),
                        ),
                        Ok(_) => {}
                        Err(error) => self.error(format!("--server: {error}")),
                    }
                    ServerTarget::Remote(url)
                }
                _ => {
                    self.error(format!(
                        "--server: expected isolated, system or an http(s) URL, got `{}`",
                        without_login(text)
                    ));
                    // Any target, so that other flags are checked too and all errors reported.
                    return ServerTarget::Isolated { deploy };
                }
            },
        };
        if !request.server_env.is_empty() {
            self.error(
                "--server-env: only for an isolated server, other servers have their own \
                 environment; remove --server or --server-env"
                    .to_owned(),
            );
        }
        if request.deploy {
            self.error(
                "--deploy: only for an isolated server; remove --server or --deploy".to_owned(),
            );
        }
        if request.keep_server {
            self.error(
                "--keep-server: only for an isolated server, others are never removed; remove \
                 --server or --keep-server"
                    .to_owned(),
            );
        }
        if request.upstream_figures && matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--upstream-figures: processes of a remote server are not visible on this machine; \
                 pass the flag to `cargo xtask profile` on the server's machine"
                    .to_owned(),
            );
        }
        if request.peaks.is_some() && matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--peaks: peaks of a remote server are read on its machine; pass the flag to \
                 `cargo xtask profile` there"
                    .to_owned(),
            );
        }
        target
    }

    pub(super) fn sky(&mut self, server: &ServerTarget) -> SkySelection {
        let text = match (self.request.sky.as_deref(), server) {
            (Some(text), _) => text,
            // A local server is loaded with the user's own `sky`, the one on PATH.
            (None, ServerTarget::System) => return SkySelection::Executable(PathBuf::from("sky")),
            (None, _) => return SkySelection::pinned(),
        };
        SkySelection::parse(text).unwrap_or_else(|error| {
            self.error(format!("--sky: {error}"));
            SkySelection::pinned()
        })
    }

    pub(super) fn dependencies(&mut self, sky: &SkySelection) -> Dependencies {
        let Some(text) = self.request.dependencies_as_of.as_deref() else {
            return Dependencies::OwnDate;
        };
        if !sky.is_installed() {
            self.error(
                "--dependencies-as-of: only for a SkyPilot that skyload installs; remove it, or \
                 pass --sky a version, nightly, a checkout or git:REPO@REF"
                    .to_owned(),
            );
        }
        match text.parse() {
            Ok(date) => Dependencies::At(date),
            Err(error) => {
                self.error(format!("--dependencies-as-of: {error}"));
                Dependencies::OwnDate
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::UsageErrors;
    use super::super::tests::{MACHINE, config};
    use super::*;
    use crate::plan::LoadPlan;
    use crate::record::request::LoadRequest;

    fn dependencies(sky: Option<&str>, date: &str) -> Result<Dependencies, Vec<String>> {
        let request = LoadRequest {
            sky: sky.map(str::to_owned),
            dependencies_as_of: Some(date.to_owned()),
            ..LoadRequest::default()
        };
        let plan = LoadPlan::resolve(&request, &config(), &MACHINE);
        plan.map(|plan| plan.dependencies).map_err(|UsageErrors(errors)| errors)
    }

    #[rstest]
    #[case::the_default(None)]
    #[case::nightly(Some("nightly"))]
    #[case::of_a_repository(Some("git:../skypilot@master"))]
    fn a_skypilot_that_skyload_installs_takes_a_date(#[case] sky: Option<&str>) {
        let date = "2026-11-20T23:59:59Z".parse().unwrap();
        assert_eq!(dependencies(sky, "2026-11-20"), Ok(Dependencies::At(date)));
    }

    #[test]
    fn the_dependencies_of_an_installed_skypilot_have_no_date() {
        let errors = dependencies(Some("/opt/bin/sky"), "yesterday").unwrap_err();
        let [installed, date] = errors.as_slice() else { panic!("{errors:?}") };
        assert!(installed.starts_with("--dependencies-as-of: only for a SkyPilot that skyload"));
        assert!(date.starts_with("--dependencies-as-of: expected a day"), "{date}");
    }
}
