//! Limitations of recommended values, as text.

use std::io::{self, Write};

use super::super::Recommendation;
use super::super::support::{Caution, HEADROOM_PERCENT};

/// Headroom rule and the measurements that it comes from.
pub(super) fn headroom_rule() -> String {
    format!(
        "the largest peak of all runs plus {HEADROOM_PERCENT} %, rounded up to 0.05 GB. In 29 runs of \
         SkyPilot 0.14.1 with 1 to 50 users and no cloud, the largest peak was 182 to 191 MiB (long \
         executors), 168 to 189 (short) and 174 to 232 (server): by this rule, the values from any \
         one of these runs cover all of them. 1 GB is 1024^3 bytes, as in SkyPilot."
    )
}

/// Writes a line for each caution, with the constants that it applies to.
pub(super) fn write(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    const ALL: [Caution; 5] = [
        Caution::KeptWithoutClouds,
        Caution::Estimated,
        Caution::LeftOut,
        Caution::OneRun,
        Caution::FewJobs,
    ];
    if !recommendation.memory_variables.is_empty() {
        writeln!(
            out,
            "  CAUTION, all: measured with {}; the values are for servers with the same settings",
            recommendation.memory_variables.join(" ")
        )?;
    }
    for caution in ALL {
        let names: Vec<&str> = recommendation
            .constants
            .iter()
            .filter(|advice| advice.current.is_some() && advice.cautions.contains(&caution))
            .map(|advice| advice.constant.name())
            .collect();
        if !names.is_empty() {
            writeln!(out, "  CAUTION, {}: {}", names.join(", "), message(caution))?;
        }
    }
    Ok(())
}

fn message(caution: Caution) -> &'static str {
    match caution {
        Caution::OneRun => {
            "peaks of one run only; use several runs, with the loads that you expect"
        }
        Caution::KeptWithoutClouds => {
            "not lowered, although the peaks would allow it: no run with a cloud measured such a \
             process, and executors need more with one: 0.53 GB (short) and 0.70 GB (long) in \
             SkyPilot's own nightly tests. First run `load` with a cloud, for example \
             `-c emulated-aws`"
        }
        Caution::Estimated => {
            "the largest peak is not exact, but the estimated maximum of a lower bound, by the \
             fastest growth seen"
        }
        Caution::LeftOut => {
            "the peak of a run or of a class is a lower bound without an estimated maximum, and is \
             left out"
        }
        Caution::FewJobs => {
            "peaks with a few jobs per controller; in production a controller manages up to 200"
        }
    }
}
