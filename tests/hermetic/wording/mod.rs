//! Words of documentation and reports: the glossary's, and comments that stand alone.

mod comments;
#[path = "../../support/glossary.rs"]
mod glossary;

use std::fs;
use std::path::{Path, PathBuf};

use glossary::GivenUp;
use rstest::rstest;
use skyload::analysis::{ChartData, Evidence, Report};
use skyload::record::RunDir;
use skyload::render::text::{self, Detail};
use skyload::render::{html, junit, markdown};

use crate::judging::attribution::attributed_run;
use crate::judging::evidence::{four_users, good_run, run_with_only_a_plan};
use crate::judging::live::live_page;
use crate::judging::texts::eventful_run;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn given_up() -> GivenUp {
    GivenUp::read(&root("docs/glossary.md"))
}

#[test]
fn a_word_that_was_given_up_is_found_whatever_is_around_it() {
    let words = given_up();
    assert_eq!(words.in_text("A Bystander: beside\n  it"), ["bystander"]);
    assert_eq!(words.in_text("held\nagainst"), ["held against"]);
    assert!(words.in_text("it returns an iteration").is_empty());
}

#[test]
fn the_page_of_a_run_in_progress_uses_the_words_of_the_glossary() {
    let page = live_page();
    let shown = page.split("<script>").next().and_then(|shown| shown.rsplit("</style>").next());
    let words = given_up();
    let found = words.in_text(shown.unwrap_or_default());
    assert!(found.is_empty(), "{found:?}");
}

/// Pages for users and for those who change skyload; CHANGELOG.md and CONTRIBUTING.md quote
/// words that were given up.
#[test]
fn documentation_uses_the_words_of_the_glossary() {
    let folder = fs::read_dir(root("docs")).expect("docs is there");
    let mut pages: Vec<PathBuf> = folder.map(|entry| entry.expect("it is listed").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|it| it == "md" || it == "yml"));
    pages.retain(|page| !page.ends_with("glossary.md"));
    pages.extend(["README.md", "skyload.toml", "schema/report.schema.json"].map(root));
    assert!(pages.len() > 10, "{pages:?}");
    let words = given_up();
    for page in pages {
        let text = fs::read_to_string(&page).expect("a page is text");
        let found = words.in_text(&text);
        assert!(found.is_empty(), "{}: {found:?}", page.display());
    }
}

fn kept(name: &str) -> Evidence {
    let run = RunDir::open(&root("tests/kept/v2").join(name)).expect("it is kept");
    Evidence::read(&run).expect("it can be read")
}

#[rstest]
#[case::eventful(eventful_run())]
#[case::good(good_run(&four_users()))]
#[case::attributed(attributed_run())]
#[case::without_a_server(run_with_only_a_plan())]
#[case::kept_passed(kept("passed"))]
#[case::kept_failed(kept("failed"))]
#[case::kept_ended_early(kept("broken-off"))]
#[case::kept_remote(kept("remote"))]
fn reports_use_the_words_of_the_glossary(#[case] evidence: Evidence) {
    let report = Report::assemble(&evidence);
    let data = ChartData::assemble(&report, &evidence);
    let mut forms = [(); 5].map(|()| Vec::new());
    let [compact, full, page, pull_request, cases] = &mut forms;
    text::render(&report, Detail::Compact, None, compact).expect("memory is enough");
    text::render(&report, Detail::Full, None, full).expect("memory is enough");
    html::render(&report, &data, page).expect("memory is enough");
    markdown::render(&report, pull_request).expect("memory is enough");
    junit::render(&report, cases).expect("memory is enough");
    let words = given_up();
    for form in forms {
        let form = String::from_utf8(form).expect("it is text");
        // Scripts and styles have words of their own.
        let shown = form.split("<script>").next().unwrap_or_default();
        let shown = shown.rsplit("</style>").next().unwrap_or_default();
        let found = words.in_text(shown);
        assert!(found.is_empty(), "{found:?} in\n{shown}");
    }
}
