//! Tests of what is sent to the server, and of secrets in its responses.

use rstest::rstest;
use serde_json::json;

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
fn a_path_is_appended_to_the_servers_base_path(#[case] base: &str, #[case] address: &str) {
    assert_eq!(client(base).address("/api/health").as_str(), address);
}

#[test]
fn the_query_of_a_path_stays_a_query() {
    let address = client("https://sky.test/east").address("/api/status?all_status=False");
    assert_eq!(address.as_str(), "https://sky.test/east/api/status?all_status=False");
}

#[test]
fn a_request_has_its_users_variables_and_none_of_the_server_or_the_machine() {
    let fields = common_fields(&identity());
    let variables = fields["env_vars"].as_object().unwrap();
    let mut names: Vec<_> = variables.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected = [
        "SKYPILOT_DEBUG",
        "SKYPILOT_SKYLOAD_USER",
        "SKYPILOT_USAGE_RUN_ID",
        "SKYPILOT_USER",
        "SKYPILOT_USER_ID",
    ];
    assert_eq!(names, expected);
    assert_eq!(variables["SKYPILOT_USER_ID"], "0a1b2c3d", "not the caller's");
    assert_eq!(variables["SKYPILOT_SKYLOAD_USER"], "0a1b2c3d", "which a login leaves as it is");
    assert_eq!(fields["using_remote_api_server"], true);
    assert_eq!(fields["entrypoint_command"], "skyload api:status");
}

#[test]
fn a_login_in_the_url_is_removed_from_the_urls_that_errors_print() {
    let address = client("https://me:s3cret@sky.test/east").address("/api/health");
    assert_eq!(address.as_str(), "https://sky.test/east/api/health");
}

const SECRET: &str = "sky_0123456789abcdef";

/// Client with a token, for a server that sends one response to every request.
async fn client_of_server_sending(status: u16, body: String) -> ApiClient {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            _ = stream.read(&mut [0; 8192]).await;
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n");
            let response = format!("{head}connection: close\r\n\r\n{body}");
            _ = stream.write_all(response.as_bytes()).await;
        }
    });
    let credentials = Credentials::Token(SECRET.to_owned());
    ApiClient::new(&base, &identity(), None, &credentials).unwrap()
}

#[rstest]
// Half of the secret is beyond the 300 characters of an excerpt.
#[case::in_plain_text(format!("{}{SECRET}", "x".repeat(290)))]
#[case::in_a_traceback(format!("Traceback (most recent call last):\n  File\nE: {SECRET}\n"))]
#[case::in_json(json!({"detail": {"type": "E", "message": SECRET}}).to_string())]
#[case::in_a_requests_error(json!({"detail": {
    "status": "FAILED", "error": json!({"type": "E", "message": SECRET}).to_string(),
}}).to_string())]
#[tokio::test]
async fn a_secret_repeated_by_the_server_is_in_no_failure(
    #[case] body: String,
    #[values(200, 500)] status: u16,
) {
    let client = client_of_server_sending(status, body).await;
    let value = client.get("s", "1").await.and_then(|request| request.result);
    let health = client.health(HealthPolicy::PROBE).await;
    let rows = client.list_requests_once().await;
    let failures = [value.err(), health.err(), rows.err()];
    for failure in failures.into_iter().flatten() {
        assert!(!failure.to_string().contains("sky_0"), "{failure}");
    }
}

#[tokio::test]
async fn a_secret_is_removed_from_logs() {
    let client = client_of_server_sending(200, format!("AWS: no\n{SECRET}")).await;
    assert_eq!(client.log("s", "1").await.unwrap(), "AWS: no\n..");
}

/// Server that redirects two requests, and responds to the next one by an empty list. Returns its URL
/// and the heads of the requests.
async fn redirecting_server() -> (Url, tokio::sync::mpsc::UnboundedReceiver<String>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    const MOVED: &str = "HTTP/1.1 307 X\r\nlocation: /moved\r\ncontent-length: 0\r\n";
    const LIST: &str = "HTTP/1.1 200 X\r\ncontent-length: 2\r\n";
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let (sender, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for (head, body) in [(MOVED, ""), (MOVED, ""), (LIST, "[]")] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 8192];
            let length = stream.read(&mut request).await.unwrap();
            sender.send(String::from_utf8_lossy(&request[..length]).to_lowercase()).unwrap();
            let response = format!("{head}connection: close\r\n\r\n{body}");
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    (base, heads)
}

#[tokio::test]
async fn a_redirect_of_a_local_server_is_followed_with_the_headers_of_every_request() {
    let (base, mut heads) = redirecting_server().await;
    let versions = ClientVersions { api: "62".to_owned(), release: "0.14.1".to_owned() };
    let credentials = Credentials::Token(SECRET.to_owned());
    let client = ApiClient::new(&base, &identity(), Some(&versions), &credentials).unwrap();
    assert_eq!(client.list_requests_once().await, Ok(Vec::new()));
    // The second time by the client that follows redirects.
    for path in ["/api/status?", "/api/status?", "/moved"] {
        let head = heads.recv().await.unwrap();
        let authorization = format!("authorization: bearer {SECRET}");
        let headers = ["accept: */*", "x-skypilot-api-version: 62", authorization.as_str()];
        assert!(head.starts_with(&format!("get {path}")), "{head}");
        assert!(headers.iter().all(|header| head.contains(header)), "{head}");
    }
}
