//! Minimal HTTP/1.1 client: one blocking request per connection.
//!
//! The stand-in's `sky` command line and tests use it. Load does not: skyload has a client
//! of its own for that.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::release::{API_VERSION, VERSION};

/// Read timeout of a request: longer than any test waits for a response.
const READ_TIMEOUT: Duration = Duration::from_secs(120);
/// Read timeout of a log stream: longer than any job is silent.
const STREAM_READ_TIMEOUT: Duration = Duration::from_secs(3600);

/// Response of a server.
#[derive(Debug)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, with a chunked transfer encoding removed.
    pub body: String,
}

impl Response {
    /// Value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Request id of a queued request, for `/api/get` and `/api/stream`.
    pub fn request_id(&self) -> anyhow::Result<&str> {
        self.header("x-skypilot-request-id").context("the response has no request id")
    }

    /// Body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body)
            .with_context(|| format!("expected JSON, got `{}`", self.body))
    }
}

/// Sends `GET url`.
pub fn get(url: &str) -> anyhow::Result<Response> {
    request("GET", url, None, READ_TIMEOUT, &mut |_| Ok(()))
}

/// Sends `POST url` with a JSON body.
pub fn post(url: &str, body: &Value) -> anyhow::Result<Response> {
    request("POST", url, Some(body), READ_TIMEOUT, &mut |_| Ok(()))
}

/// Sends a request for a stream, and passes each chunk to `on_chunk` as it arrives.
pub fn stream(
    url: &str,
    body: Option<&Value>,
    on_chunk: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let method = if body.is_some() { "POST" } else { "GET" };
    request(method, url, body, STREAM_READ_TIMEOUT, on_chunk)
}

/// Whether the API server at `endpoint` is healthy, or requires authentication.
pub fn is_healthy(endpoint: &str) -> bool {
    get(&format!("{endpoint}/api/health"))
        .is_ok_and(|response| matches!(response.status, 200 | 401))
}

fn request(
    method: &str,
    url: &str,
    body: Option<&Value>,
    read_timeout: Duration,
    on_chunk: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let rest = url
        .strip_prefix("http://")
        .with_context(|| format!("expected an http:// URL, got `{url}`"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, authority) = match authority.rsplit_once('@') {
        Some((login, authority)) => (authorization(login), authority),
        None => (of_environment(), authority),
    };
    let body = body.map(Value::to_string).unwrap_or_default();

    let mut stream =
        connect(authority, read_timeout).with_context(|| format!("connecting to {authority}"))?;
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         {login}X-SkyPilot-API-Version: {}\r\nX-SkyPilot-Version: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        API_VERSION,
        VERSION,
        body.len()
    )?;
    read_response(BufReader::new(stream), on_chunk).with_context(|| format!("{method} {url}"))
}

/// Header line for the credentials in a URL. None for a user without a password, like
/// Python's `requests`, which SkyPilot's client uses.
fn authorization(login: &str) -> String {
    match login.split_once(':') {
        None => String::new(),
        Some((user, password)) => {
            let decoded = percent_decode_str;
            let pair: Vec<u8> = decoded(user).chain([b':']).chain(decoded(password)).collect();
            format!("Authorization: Basic {}\r\n", BASE64_STANDARD.encode(pair))
        }
    }
}

/// Header line for the token of the environment, or for all cookies of the file that the
/// environment names: which of them are for a URL is decided by Python in the real client.
fn of_environment() -> String {
    if let Some(token) = variable("SKYPILOT_SERVICE_ACCOUNT_TOKEN") {
        return format!("Authorization: Bearer {token}\r\n");
    }
    let file = variable("SKYPILOT_API_COOKIE_FILE").and_then(|path| fs::read_to_string(path).ok());
    let file = file.unwrap_or_default();
    let fields = file.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let cookies: Vec<String> = fields
        .filter_map(|fields| match fields[..] {
            [_, _, _, _, _, name, value] => Some(format!("{name}={value}")),
            _ => None,
        })
        .collect();
    match cookies.is_empty() {
        true => String::new(),
        false => format!("Cookie: {}\r\n", cookies.join("; ")),
    }
}

#[expect(clippy::disallowed_methods, reason = "the names are those of SkyPilot's client")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn connect(authority: &str, read_timeout: Duration) -> anyhow::Result<TcpStream> {
    let address = authority.to_socket_addrs()?.next().context("the host has no address")?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(read_timeout))?;
    Ok(stream)
}

fn read_response(
    mut reader: impl BufRead,
    on_chunk: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let status_line = read_line(&mut reader)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status =
        status.with_context(|| format!("expected an HTTP status line, got {status_line:?}"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .with_context(|| format!("expected a colon in the header line {line:?}"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: String::new() };
    let bytes = match response.header("transfer-encoding") {
        Some("chunked") => read_chunks(&mut reader, on_chunk)?,
        // The client sends `Connection: close`, so the body ends with the connection.
        _ => {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            bytes
        }
    };
    response.body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(response)
}

fn read_chunks(
    reader: &mut impl BufRead,
    on_chunk: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&read_line(reader)?, 16)
            .context("reading the size of a chunk")?;
        let mut chunk = vec![0; size];
        reader.read_exact(&mut chunk)?;
        on_chunk(&chunk)?;
        body.append(&mut chunk);
        // Each chunk ends with CRLF, also the last, empty one.
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the connection closed before the end of the response");
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{authorization, read_response};

    #[test]
    fn credentials_of_a_url_are_decoded_and_not_sent_without_a_password() {
        // `me:p@ss`
        assert_eq!(authorization("me:p%40ss"), "Authorization: Basic bWU6cEBzcw==\r\n");
        assert_eq!(authorization("me"), "");
    }

    #[test]
    fn chunks_are_joined() {
        let text =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
        let response = read_response(text.as_bytes(), &mut |_| Ok(())).unwrap();
        assert_eq!((response.status, response.body.as_str()), (200, "abcde"));
    }

    #[test]
    fn a_truncated_response_is_an_error() {
        let text = "HTTP/1.1 200 OK\r\nA: b\r\n";
        assert!(read_response(text.as_bytes(), &mut |_| Ok(())).is_err());
    }
}
