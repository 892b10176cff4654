//! What goes to the server: addresses, and the fields of every request.

use rstest::rstest;

use super::*;

fn client(base: &str) -> ApiClient {
    ApiClient::new(&base.parse().unwrap(), &identity(), None, &Credentials::None).unwrap()
}

fn identity() -> ClientIdentity {
    let variables = [
        ("SKYPILOT_DEBUG", "0"),
        ("SKYPILOT_SERVER_DB", "secret"),
        ("HOME", "/root"),
        ("SKYPILOT_USER_ID", "of-the-caller"),
    ];
    ClientIdentity {
        user_id: "0a1b2c3d".to_owned(),
        command: "skyload api:status".to_owned(),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        remote: true,
    }
}

#[rstest]
#[case::of_a_host("http://127.0.0.1:46580", "http://127.0.0.1:46580/api/health")]
#[case::with_a_slash("http://127.0.0.1:46580/", "http://127.0.0.1:46580/api/health")]
#[case::below_a_path("https://sky.test/east", "https://sky.test/east/api/health")]
#[case::below_a_path_with_a_slash("https://sky.test/east/", "https://sky.test/east/api/health")]
fn a_path_is_below_the_servers_own(#[case] base: &str, #[case] address: &str) {
    assert_eq!(client(base).address("/api/health").as_str(), address);
}

#[test]
fn a_paths_query_stays_a_query() {
    let address = client("https://sky.test/east").address("/api/status?all_status=False");
    assert_eq!(address.as_str(), "https://sky.test/east/api/status?all_status=False");
}

#[test]
fn a_request_tells_of_its_user_and_of_nothing_that_is_the_servers_or_the_machines() {
    let fields = common_fields(&identity());
    let variables = fields["env_vars"].as_object().unwrap();
    let mut names: Vec<_> = variables.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = ["SKYPILOT_DEBUG", "SKYPILOT_USAGE_RUN_ID", "SKYPILOT_USER", "SKYPILOT_USER_ID"];
    assert_eq!(names, expected);
    assert_eq!(variables["SKYPILOT_USER_ID"], "0a1b2c3d", "not that of the caller");
    assert_eq!(fields["using_remote_api_server"], true);
    assert_eq!(fields["entrypoint_command"], "skyload api:status");
}

#[test]
fn a_login_in_the_address_is_in_no_address_that_an_error_prints() {
    let address = client("https://me:s3cret@sky.test/east").address("/api/health");
    assert_eq!(address.as_str(), "https://sky.test/east/api/health");
}
