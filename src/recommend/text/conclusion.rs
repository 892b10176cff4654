//! Conclusion in one sentence, and the next command.

use std::cmp::Ordering;
use std::io::{self, Write};

use super::super::Recommendation;
use super::super::support::{Advice, Caution};
use crate::shell;

/// Sentence on whether SkyPilot's constants are too low, enough, or can be lowered.
pub(super) fn sentence(recommendation: &Recommendation) -> String {
    let names = |selects: &dyn Fn(&Advice) -> bool| {
        let selected = recommendation.constants.iter().filter(|advice| selects(advice));
        selected.map(|advice| advice.constant.name()).collect::<Vec<_>>().join(", ")
    };
    let is_raised = |advice: &Advice| advice.change() == Some(Ordering::Greater);
    let low = names(&|advice| is_raised(advice) && advice.is_exceeded());
    let close = names(&|advice| is_raised(advice) && !advice.is_exceeded());
    let high = names(&|advice| advice.change() == Some(Ordering::Less));
    let raised = [("Below the peaks of these runs", low), ("With too little headroom", close)];
    let raised: Vec<String> = raised
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(problem, names)| format!("{problem}: {names}."))
        .collect();
    if !raised.is_empty() {
        return raised.join(" ");
    }
    if !recommendation.is_usable() {
        return "These runs support no value of any constant.".to_owned();
    }
    let mut sentences = vec!["No measured constant is too low for these runs.".to_owned()];
    if !high.is_empty() {
        sentences.push(format!("{high} can be lowered: SkyPilot then starts more workers."));
    }
    let kept = names(&is_kept_without_clouds);
    if !kept.is_empty() {
        sentences.push(format!(
            "Whether {kept} can be lowered is unknown, since no run with a cloud measured such a \
             process."
        ));
    }
    sentences.join(" ")
}

/// Writes the next command, with these names of the runs.
pub(super) fn next(
    recommendation: &Recommendation,
    names: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    let version = &recommendation.sky.version;
    if !recommendation.is_usable() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version}\n      to get recommended constants; the \
             default plan runs processes of every class"
        );
    }
    if recommendation.constants.iter().any(is_kept_without_clouds) {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version} -n 20 -c emulated-aws\n      then run \
             `recommend` with that run too"
        );
    }
    if !recommendation.changes_anything() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version} -n 20\n      to check with more users; no \
             constant changes so far"
        );
    }
    let names: Vec<_> = names.iter().map(|name| shell::word(name)).collect();
    let patch = format!("cargo xtask recommend {} --patch > constants.patch", names.join(" "));
    let apply = format!("`git apply {APPLIED}` in a checkout of SkyPilot {version}");
    writeln!(out, "\nNEXT: {patch}\n      then {apply}")
}

/// Path of the patch in the command that applies it, from another directory.
const APPLIED: &str = "PATH/constants.patch";

fn is_kept_without_clouds(advice: &Advice) -> bool {
    advice.cautions.contains(&Caution::KeptWithoutClouds)
}
