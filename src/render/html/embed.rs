//! Data, scripts and styles that are embedded in the page. No text in them can end its block, and
//! the browser runs scripts by their hashes only.

use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

const SCRIPTS: [&str; 2] = [
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

/// Scripts of the page of a run in progress, whose charts grow.
const LIVE_SCRIPTS: [&str; 2] = [
    include_str!("vendor/uPlot.iife.min.js"),
    concat!(
        "\"use strict\";\n",
        include_str!("script/words.js"),
        include_str!("script/timeline.js"),
        include_str!("script/handling.js"),
        include_str!("script/main.js"),
        include_str!("script/live.js"),
    ),
];

const STYLES: [&str; 2] = [include_str!("vendor/uPlot.min.css"), include_str!("style/page.css")];

/// Parts of a page that its template writes as they are.
pub(super) struct Embedded {
    /// Content security policy, which permits the styles and scripts.
    pub(super) policy: String,
    pub(super) styles: [&'static str; 2],
    pub(super) scripts: [&'static str; 2],
    /// Data of the charts, as JSON.
    pub(super) data: String,
}

impl Embedded {
    /// Styles and scripts of every page, with the data of this one.
    pub(super) fn with(data: &impl Serialize) -> io::Result<Self> {
        let policy = security_policy(&SCRIPTS, "");
        Ok(Self { policy, styles: STYLES, scripts: SCRIPTS, data: json(data)? })
    }

    /// Styles and scripts of the page of a run in progress, which gets its data from its own
    /// address.
    pub(super) fn live(data: &impl Serialize) -> io::Result<Self> {
        let policy = security_policy(&LIVE_SCRIPTS, "connect-src 'self'; ");
        Ok(Self { policy, styles: STYLES, scripts: LIVE_SCRIPTS, data: json(data)? })
    }
}

/// JSON without characters that HTML interprets.
fn json(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value)?;
    // In JSON, these characters occur only in strings, where they can be escaped.
    Ok(text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029"))
}

/// Content security policy of a page: embedded scripts and styles only, and `more`. A script
/// injected through a name has none of the allowed hashes.
fn security_policy(scripts: &[&str], more: &str) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src {}; {more}img-src data:; base-uri 'none'; \
         form-action 'none'",
        hashes(scripts),
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
    fn no_text_can_end_the_data_block() {
        let evil = "</script><!-- & \u{2028}\u{2029}";
        let text = json(&evil).unwrap();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), evil);
    }

    #[test]
    fn no_script_or_style_ends_its_own_block() {
        for script in SCRIPTS.into_iter().chain(LIVE_SCRIPTS) {
            assert!(!script.contains("</script") && !script.contains("<!--"));
        }
        for style in STYLES {
            assert!(!style.contains("</style"));
        }
    }

    #[test]
    fn embedded_scripts_and_styles_load_nothing() {
        for text in SCRIPTS.iter().chain(&LIVE_SCRIPTS).chain(&STYLES) {
            for loads in ["url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
                assert!(!text.contains(loads), "{loads}");
            }
        }
    }
}
