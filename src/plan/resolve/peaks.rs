//! Memory peaks per phase: whether they are recorded, and whether that is possible.

use super::Resolver;
use crate::plan::ServerTarget;
use crate::record::profile::LevelChoice;

impl Resolver<'_> {
    /// Whether peaks are recorded per phase, which needs peaks that can be reset.
    pub(super) fn phase_peaks(&mut self, server: &ServerTarget) -> bool {
        let (request, config) = (self.request, self.config);
        let is_remote = matches!(server, ServerTarget::Remote(_));
        if request.phase_peaks && is_remote {
            self.error(
                "--phase-peaks: memory of a remote server cannot be measured from this machine"
                    .to_owned(),
            );
        }
        // The error names the flag or the key that the user wrote. A flag overrides the file.
        let place = match (request.phase_peaks, config.profiler.phase_peaks) {
            (true, _) => Some("--phase-peaks"),
            (false, true) => Some("[profiler] phase-peaks"),
            (false, false) => None,
        };
        let (level, level_place) = match request.peaks {
            Some(level) => (level, "--peaks sampled"),
            None => (config.profiler.peaks, "[profiler] peaks = \"sampled\""),
        };
        // A file applies to remote servers, too, where the setting has no effect.
        let Some(place) = place.filter(|_| !is_remote) else { return false };
        if level == LevelChoice::Sampled {
            self.error(format!("{place}: sampling cannot reset peaks; remove it or {level_place}"));
        }
        true
    }
}
