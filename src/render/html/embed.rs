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
        Ok(Self { policy: security_policy(), styles: STYLES, scripts: SCRIPTS, data: json(data)? })
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

/// Content security policy of the page: embedded scripts and styles only. A script injected
/// through a name has none of the allowed hashes.
fn security_policy() -> String {
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
    fn no_text_can_end_the_data_block() {
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
    fn embedded_scripts_and_styles_load_nothing() {
        for text in SCRIPTS.iter().chain(&STYLES) {
            for loads in ["url(", "@import", "fetch(", "XMLHttpRequest", "import("] {
                assert!(!text.contains(loads), "{loads}");
            }
        }
    }
}
