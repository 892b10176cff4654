//! Settings of the user's SkyPilot client: the server's address and a service-account token, from
//! the section `api_server` of `~/.sky/config.yaml`, where `sky api login` writes them.
//!
//! SkyPilot's client sends this token to any server. skyload's clients send it to the server for
//! which the file has it, and to no other.

use std::{fs, io};

use saphyr_parser::{Event, Parser, ScalarStyle};
use url::Url;

use super::client_file::{self, ClientFileError};
use super::{strip, token_file};
use crate::env;
use crate::target::{ServerTarget, is_loopback};

/// Address of a server of the client's own machine, which the client uses without settings.
const LOCAL: &str = "http://127.0.0.1:46580";

/// Settings as written; a key that is missing or null is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct ClientConfig {
    endpoint: Option<String>,
    token: Option<String>,
}

/// Token of the file for a server; `None` without a token, and for another server than the client's.
pub(super) fn token_for(server: &ServerTarget) -> Result<Option<String>, ClientFileError> {
    let Some(path) = client_file::path(env::GLOBAL_CONFIG, ".sky/config.yaml") else {
        return Ok(None);
    };
    let error = |reason: String| ClientFileError {
        what: "the settings of SkyPilot's client",
        path: path.clone(),
        reason,
    };
    let text = match fs::read_to_string(&path) {
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(|source| error(source.to_string()))?,
    };
    let config = parse(&text).map_err(error)?;
    let Some(token) = config.token else { return Ok(None) };
    if !is_endpoint(server, env::text(env::ENDPOINT).as_deref(), config.endpoint.as_deref()) {
        return Ok(None);
    }
    let token = token_file::checked(&token)
        .map_err(|expected| error(format!("expected {expected} as service_account_token")))?;
    Ok(Some(token.to_owned()))
}

/// Whether a server is the one that the client uses, by the address in the shell's variable and in
/// the file.
fn is_endpoint(server: &ServerTarget, of_shell: Option<&str>, of_file: Option<&str>) -> bool {
    match server {
        ServerTarget::Isolated { .. } => false,
        // Its clients run without the shell's variable.
        ServerTarget::System => {
            Url::parse(of_file.unwrap_or(LOCAL)).is_ok_and(|url| is_loopback(&url))
        }
        ServerTarget::Remote(url) => {
            let endpoint = Url::parse(of_shell.or(of_file).unwrap_or(LOCAL));
            endpoint.is_ok_and(|endpoint| without_details(endpoint) == without_details(url.clone()))
        }
    }
}

/// Address without a login and without slashes at its end.
fn without_details(mut url: Url) -> Url {
    strip(&mut url);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url
}

/// Mapping or sequence that is being read.
enum Open {
    /// Mapping, with the key whose value is next; `None` before a key.
    Mapping(Option<String>),
    Sequence,
}

/// Settings in the first document of a text, or the reason why there is none, without any part of
/// the text.
fn parse(text: &str) -> Result<ClientConfig, String> {
    let mut config = ClientConfig::default();
    // Not recursive, since a text may nest deeply.
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) =
            event.map_err(|error| format!("expected YAML, in line {}", error.marker().line()))?;
        let node = match event {
            Event::MappingStart(..) => {
                open.push(Open::Mapping(None));
                continue;
            }
            Event::SequenceStart(..) => {
                open.push(Open::Sequence);
                continue;
            }
            Event::DocumentEnd => break,
            Event::MappingEnd | Event::SequenceEnd => {
                open.pop();
                None
            }
            Event::Alias(_) => None,
            Event::Scalar(text, style, ..) => {
                let is_null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                (!is_null).then(|| text.into_owned())
            }
            _ => continue,
        };
        config.add_end_of_node(&mut open, node);
    }
    Ok(config)
}

impl ClientConfig {
    /// Takes the end of a key or a value: a text, or `None` for anything else.
    fn add_end_of_node(&mut self, open: &mut [Open], node: Option<String>) {
        let value_of = match &*open {
            [Open::Mapping(Some(section)), Open::Mapping(Some(key))] if section == "api_server" => {
                match key.as_str() {
                    "endpoint" => Some(&mut self.endpoint),
                    "service_account_token" => Some(&mut self.token),
                    _ => None,
                }
            }
            _ => None,
        };
        match (value_of, open.last_mut()) {
            (value_of, Some(Open::Mapping(key @ Some(_)))) => {
                *key = None;
                if let Some(value) = value_of {
                    *value = node;
                }
            }
            (_, Some(Open::Mapping(key @ None))) => *key = Some(node.unwrap_or_default()),
            (_, Some(Open::Sequence) | None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn parsed(text: &str) -> (Option<String>, Option<String>) {
        let ClientConfig { endpoint, token } = parse(text).unwrap();
        (endpoint, token)
    }

    #[rstest]
    #[case::as_sky_writes_it("api_server:\n  endpoint: http://h\n  service_account_token: sky_t\n")]
    #[case::quoted(
        "'api_server':\n  endpoint: \"http://h\"\n  service_account_token: 'sky_t' # x\n"
    )]
    #[case::in_one_line("{api_server: {service_account_token: sky_t, endpoint: 'http://h'}}")]
    #[case::after_other_settings(
        "jobs:\n  api_server: {endpoint: x, service_account_token: y}\n  list: [a: {b: c}]\n\
         ? [a, b]\n: c\nx: &a {y: z}\nv: *a\n\
         api_server:\n  other: [1, 2]\n  service_account_token: sky_t\n  endpoint: http://h\n"
    )]
    #[case::before_another_document(
        "---\napi_server:\n  endpoint: http://h\n  service_account_token: sky_t\n---\n\
         api_server:\n  endpoint: http://other\n"
    )]
    fn address_and_token_are_read_from_their_section(#[case] text: &str) {
        assert_eq!(parsed(text), (Some("http://h".to_owned()), Some("sky_t".to_owned())));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::a_comment("# api_server: {service_account_token: sky_t}\n")]
    #[case::null("api_server:\n  endpoint: null\n  service_account_token:\n")]
    #[case::null_in_the_place_of_the_section("api_server: ~\n")]
    #[case::deeper("api_server:\n  more:\n    service_account_token: sky_t\n    endpoint: x\n")]
    #[case::in_a_list("api_server:\n  - service_account_token: sky_t\n    endpoint: x\n")]
    #[case::at_the_top("service_account_token: sky_t\nendpoint: x\n")]
    fn other_texts_have_neither(#[case] text: &str) {
        assert_eq!(parsed(text), (None, None));
    }

    #[test]
    fn an_invalid_text_is_an_error_with_its_line_and_no_part_of_it() {
        let error = parse("api_server:\n  service_account_token: \"sky_secret\n").unwrap_err();
        assert!(error.starts_with("expected YAML, in line "), "{error}");
        assert!(!error.contains("secret"), "{error}");
        let nested = "[".repeat(100_000);
        assert!(parse(&nested).is_err());
    }

    #[rstest]
    #[case::of_the_file("http://h.org", None, Some("http://h.org/"), true)]
    #[case::with_a_login_and_a_path(
        "https://h.org/east",
        None,
        Some("https://u:p@h.org:443/east/"),
        true
    )]
    #[case::of_the_shell("http://h.org", Some("http://h.org"), Some("http://other.org"), true)]
    #[case::other_than_the_shells(
        "http://h.org",
        Some("http://other.org"),
        Some("http://h.org"),
        false
    )]
    #[case::another_scheme("http://h.org", None, Some("https://h.org"), false)]
    #[case::another_path("http://h.org/east", None, Some("http://h.org"), false)]
    #[case::local("http://127.0.0.1:46580", None, None, true)]
    #[case::no_address("http://h.org", None, None, false)]
    #[case::no_url("http://h.org", None, Some("h.org"), false)]
    fn a_token_is_for_the_server_that_the_client_uses(
        #[case] server: &str,
        #[case] of_shell: Option<&str>,
        #[case] of_file: Option<&str>,
        #[case] expected: bool,
    ) {
        let server = ServerTarget::Remote(server.parse().unwrap());
        assert_eq!(is_endpoint(&server, of_shell, of_file), expected);
    }

    #[rstest]
    #[case::no_address(None, true)]
    #[case::of_this_machine(Some("http://localhost:46580"), true)]
    #[case::of_another_machine(Some("http://h.org"), false)]
    fn the_local_server_gets_a_token_for_this_machine(
        #[case] of_file: Option<&str>,
        #[case] expected: bool,
    ) {
        assert_eq!(is_endpoint(&ServerTarget::System, Some("http://h.org"), of_file), expected);
        assert!(!is_endpoint(&ServerTarget::Isolated { deploy: false }, None, of_file));
    }
}
