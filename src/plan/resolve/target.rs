//! Which server is tested, and which SkyPilot.

use std::path::PathBuf;

use url::Url;

use super::Resolver;
use crate::credentials::{Login, without_login};
use crate::plan::{PINNED_SKYPILOT, ServerTarget, SkySelection};

impl Resolver<'_> {
    pub(super) fn server(&mut self) -> ServerTarget {
        let target = self.target();
        if self.request.server_profile.is_some() && !matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--server-profile: a server on this machine is profiled by the run itself; leave it \
                 out, or name a server elsewhere with --server URL"
                    .to_owned(),
            );
        }
        target
    }

    fn target(&mut self) -> ServerTarget {
        let request = self.request;
        let deploy = request.deploy;
        let target = match request.server.as_deref() {
            None | Some("isolated") => return ServerTarget::Isolated { deploy },
            Some("system") => ServerTarget::System,
            Some(text) => match Url::parse(text) {
                Ok(mut url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {
                    // A plan is a file, so a login must not be in it; see `Login`.
                    if let Err(error) = Login::take_from(&mut url) {
                        self.error(format!("--server: {error}"));
                    }
                    ServerTarget::Remote(url)
                }
                _ => {
                    self.error(format!(
                        "--server: expected isolated, system or an http(s) URL, got `{}`",
                        without_login(text)
                    ));
                    return ServerTarget::Isolated { deploy };
                }
            },
        };
        if !request.server_env.is_empty() {
            self.error(
                "--server-env: only an isolated server is given variables, any other has its own; \
                 leave out --server or --server-env"
                    .to_owned(),
            );
        }
        if deploy {
            self.error(
                "--deploy: only an isolated server is started in a mode of our choice; leave out \
                 --server or --deploy"
                    .to_owned(),
            );
        }
        if request.keep_server {
            self.error(
                "--keep-server: only an isolated server is removed at the end, so only that can be \
                 kept; leave out --server or --keep-server"
                    .to_owned(),
            );
        }
        if request.upstream_figures && matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--upstream-figures: the processes of a remote server cannot be seen from here; \
                 give the flag to `cargo xtask profile` on its machine"
                    .to_owned(),
            );
        }
        if request.peaks.is_some() && matches!(target, ServerTarget::Remote(_)) {
            self.error(
                "--peaks: how the peaks of a remote server are read is decided where it is \
                 profiled; give the flag to `cargo xtask profile` on its machine"
                    .to_owned(),
            );
        }
        target
    }

    pub(super) fn sky(&mut self, server: &ServerTarget) -> SkySelection {
        let text = match (self.request.sky.as_deref(), server) {
            (Some(text), _) => text,
            // The user's own server belongs to the user's own `sky`.
            (None, ServerTarget::System) => return SkySelection::Executable(PathBuf::from("sky")),
            (None, _) => return SkySelection::pinned(),
        };
        SkySelection::parse(text).unwrap_or_else(|| {
            self.error(format!(
                "--sky: `{text}` is none of a version (such as {PINNED_SKYPILOT}), nightly and the \
                 path of a sky program (with a `/` in it)"
            ));
            SkySelection::pinned()
        })
    }
}
