//! How memory peaks are read, and of which times.

use super::Mistakes;
use crate::config::Config;
use crate::plan::{LoadRequest, ServerTarget};
use crate::sample::LevelChoice;

impl Mistakes {
    /// Whether each phase is to have peaks of its own, for which marks must be lowered.
    pub(super) fn phase_peaks(
        &mut self,
        request: &LoadRequest,
        config: &Config,
        server: &ServerTarget,
    ) -> bool {
        let (is_remote, level) = (
            matches!(server, ServerTarget::Remote(_)),
            request.peaks.unwrap_or(config.profiler.peaks),
        );
        if request.phase_peaks && is_remote {
            self.push(
                "--phase-peaks: the memory of a remote server cannot be measured from here"
                    .to_owned(),
            );
        }
        let is_asked_for = request.phase_peaks || config.profiler.phase_peaks;
        if is_asked_for && level == LevelChoice::Sampled {
            self.push("--phase-peaks: a sampler has no marks that could be lowered".to_owned());
        }
        is_asked_for && !is_remote
    }
}
