//! What to know before a recommended value is used.

use std::io::{self, Write};

use super::super::Recommendation;
use super::super::support::{Caution, HEADROOM_PERCENT};

/// The rule and its reason.
pub(super) fn headroom_rule() -> String {
    format!(
        "the largest peak of all runs and {HEADROOM_PERCENT} % on top, rounded up to 0.05 GB. In 29 \
         runs of SkyPilot 0.14.1 with 1 to 50 users, the largest peak was from 182 to 191 MiB (long \
         executors), 168 to 189 (short) and 174 to 232 (server): by this rule, each of these runs \
         covers all of them. GB are units of 1024^3 bytes, as in SkyPilot."
    )
}

/// Writes a line for each, with the constants that it concerns.
pub(super) fn write(recommendation: &Recommendation, out: &mut impl Write) -> io::Result<()> {
    const ALL: [Caution; 5] = [
        Caution::LoweredWithoutClouds,
        Caution::Estimated,
        Caution::LeftOut,
        Caution::OneRun,
        Caution::FewJobs,
    ];
    if !recommendation.memory_variables.is_empty() {
        writeln!(
            out,
            "  CAUTION, all: the servers of these runs had {}; the constants are for servers that \
             have the same",
            recommendation.memory_variables.join(" ")
        )?;
    }
    for caution in ALL {
        let concerned: Vec<&str> = recommendation
            .constants
            .iter()
            .filter(|advice| advice.current.is_some() && advice.cautions.contains(&caution))
            .map(|advice| advice.constant.name())
            .collect();
        if !concerned.is_empty() {
            writeln!(out, "  CAUTION, {}: {}", concerned.join(", "), words(caution))?;
        }
    }
    Ok(())
}

fn words(caution: Caution) -> &'static str {
    match caution {
        Caution::OneRun => {
            "this is one run's peak; several runs, with the loads that you expect, say more"
        }
        Caution::LoweredWithoutClouds => {
            "lower than now, and no run launched on a cloud. Executors that do need more: 0.53 GB \
             (short) and 0.70 GB (long) were seen in SkyPilot's own nightly tests. Before you lower \
             it, load with `-c` and the clouds that you use"
        }
        Caution::Estimated => {
            "no exact peak, but the most that it can have been by the fastest growth seen"
        }
        Caution::LeftOut => {
            "the peak of a run or of a class is a lower bound, and nobody knows how high it was: it \
             was left out"
        }
        Caution::FewJobs => {
            "a controller looks after up to 200 jobs, those of the runs after a few"
        }
    }
}
