//! The answer in one sentence, and the command to type next.

use std::cmp::Ordering;
use std::io::{self, Write};

use super::super::Recommendation;
use super::super::support::{Advice, Caution};
use crate::shell;

/// Whether SkyPilot's constants are right, as far as the runs can tell.
pub(super) fn answer(recommendation: &Recommendation) -> String {
    let names = |is_meant: &dyn Fn(&Advice) -> bool| {
        let meant = recommendation.constants.iter().filter(|advice| is_meant(advice));
        meant.map(|advice| advice.constant.name()).collect::<Vec<_>>().join(", ")
    };
    let is_raised = |advice: &Advice| advice.change() == Some(Ordering::Greater);
    let low = names(&|advice| is_raised(advice) && advice.is_exceeded());
    let close = names(&|advice| is_raised(advice) && !advice.is_exceeded());
    let high = names(&|advice| advice.change() == Some(Ordering::Less));
    let raised =
        [("Too low for what these runs did", low), ("With less than the headroom above", close)];
    let raised: Vec<String> = raised
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {names}."))
        .collect();
    if !raised.is_empty() {
        return raised.join(" ");
    }
    if !recommendation.is_usable() {
        return "These runs say nothing about them.".to_owned();
    }
    let none = "No constant that was tried is too low for what these runs did.";
    if high.is_empty() {
        none.to_owned()
    } else if is_lowered_without_clouds(recommendation) {
        format!(
            "{none} Whether they can be lowered, these runs cannot tell: none launched on a cloud."
        )
    } else {
        format!("{none} {high} can be lowered: SkyPilot then starts more workers.")
    }
}

/// Writes the command to type next; in that, the runs are called by these names.
pub(super) fn next(
    recommendation: &Recommendation,
    names: &[String],
    out: &mut impl Write,
) -> io::Result<()> {
    let version = &recommendation.sky.version;
    if !recommendation.is_usable() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version}\n      no constant can be recommended; the \
             default plan runs processes of every class"
        );
    }
    if !recommendation.changes_anything() {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version} -n 20\n      nothing is to be changed; more \
             users would say whether that holds"
        );
    }
    let names: Vec<_> = names.iter().map(|name| shell::word(name)).collect();
    let patch = format!("cargo xtask recommend {} --patch > constants.patch", names.join(" "));
    let apply = format!("`git apply {APPLIED}` in a checkout of SkyPilot {version}");
    if is_lowered_without_clouds(recommendation) {
        return writeln!(
            out,
            "\nNEXT: cargo xtask load --sky {version} -n 20 -c CLOUD --copy-credentials\n      with a cloud that you \
             use, then `recommend` again with that run as well. For these values as they are: `{patch}`, \
             then {apply}"
        );
    }
    writeln!(out, "\nNEXT: {patch}\n      then {apply}")
}

/// The patch as it is named where it is applied, which is another folder.
const APPLIED: &str = "PATH/constants.patch";

fn is_lowered_without_clouds(recommendation: &Recommendation) -> bool {
    let cautioned = |advice: &Advice| advice.cautions.contains(&Caution::LoweredWithoutClouds);
    recommendation.constants.iter().any(cautioned)
}
