//! How memory peaks are read, and of which times.

use super::Resolver;
use crate::plan::ServerTarget;
use crate::record::profile::LevelChoice;

impl Resolver<'_> {
    /// Whether each phase is to have peaks of its own, for which marks must be lowered.
    pub(super) fn phase_peaks(&mut self, server: &ServerTarget) -> bool {
        let (request, config) = (self.request, self.config);
        let is_remote = matches!(server, ServerTarget::Remote(_));
        if request.phase_peaks && is_remote {
            self.error("--phase-peaks: memory of a remote server cannot be measured".to_owned());
        }
        // A flag overrides the file; what is named is what the user wrote.
        let place = match (request.phase_peaks, config.profiler.phase_peaks) {
            (true, _) => Some("--phase-peaks"),
            (false, true) => Some("[profiler] phase-peaks"),
            (false, false) => None,
        };
        let (level, level_place) = match request.peaks {
            Some(level) => (level, "--peaks sampled"),
            None => (config.profiler.peaks, "[profiler] peaks = \"sampled\""),
        };
        // A file is for servers elsewhere, too, whose marks are not ours to lower.
        let Some(place) = place.filter(|_| !is_remote) else { return false };
        if level == LevelChoice::Sampled {
            self.error(format!(
                "{place}: a sampler has no marks that could be lowered; leave it out, or \
                 {level_place}"
            ));
        }
        true
    }
}
