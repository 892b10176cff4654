//! Data and scripts inside of the page: written so that no name in them can end the
//! block that they stand in, and allowed by their hashes alone.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

pub(super) const SCRIPTS: [&str; 2] = [
    include_str!("vendor/uPlot.iife.min.js"),
    concat!(
        "\"use strict\";\n",
        include_str!("script/words.js"),
        include_str!("script/timeline.js"),
        include_str!("script/spans.js"),
        include_str!("script/distribution.js"),
        include_str!("script/handling.js"),
        include_str!("script/main.js"),
    ),
];

pub(super) const STYLES: [&str; 2] =
    [include_str!("vendor/uPlot.min.css"), include_str!("style/page.css")];

/// JSON that HTML reads as nothing but text.
pub(super) fn json(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value)?;
    // These occur in strings alone, where JSON has another spelling for them.
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

/// The page's own rule for what it may load and run: what stands in it, and nothing
/// else. A script that somebody smuggles in through a name has not the right hash.
pub(super) fn security_policy() -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hashes(&SCRIPTS),
        hashes(&STYLES)
    )
}

fn hashes(texts: &[&str]) -> String {
    let hash = |text: &&str| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)));
    texts.iter().map(hash).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_end_the_block_of_data() {
        let evil = "</script><!-- & \u{2028}\u{2029}";
        let text = json(&evil).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), evil);
    }

    #[test]
    fn no_script_or_style_ends_its_own_block() {
        for script in SCRIPTS {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        for style in STYLES {
            assert!(!style.contains("</style"));
        }
    }

    #[test]
    fn nothing_that_is_inlined_is_fetched_from_elsewhere() {
        for text in SCRIPTS.iter().chain(&STYLES) {
            for loads in ["url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
                assert!(!text.contains(loads), "{loads}");
            }
        }
    }
}
