//! Words of `--help`: those of the glossary.

#[path = "../../../tests/support/glossary.rs"]
mod glossary;

use std::path::Path;

use glossary::GivenUp;
use rstest::rstest;

use crate::support::Site;

#[rstest]
#[case::all(&[])]
#[case::load(&["load"])]
#[case::profile(&["profile"])]
#[case::report(&["report"])]
#[case::runs(&["runs"])]
#[case::prune(&["runs", "prune"])]
#[case::recommend(&["recommend"])]
#[case::reference(&["reference"])]
#[case::reference_set(&["reference", "set"])]
#[case::reference_check(&["reference", "check"])]
#[case::tests(&["test"])]
#[case::infra(&["infra"])]
#[case::infra_up(&["infra", "up"])]
#[case::bench_profiler(&["bench", "profiler"])]
#[case::bench_client(&["bench", "client"])]
fn help_uses_the_words_of_the_glossary(#[case] command: &[&str]) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let given_up = GivenUp::read(&root.join("docs/glossary.md"));
    let site = Site::new()?;
    let help = site.xtask(command.iter().chain(&["--help"])).run()?;
    help.assert().code(0);
    let text = String::from_utf8_lossy(&help.output.stdout);
    let found = given_up.in_text(&text);
    assert!(found.is_empty(), "{found:?} in\n{text}");
    Ok(())
}
