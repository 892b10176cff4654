//! The least of an HTTP/1.1 client: one blocking request per connection.
//!
//! Used by the stand-in's `sky` command line and by its tests. It is no
//! example for load: skyload's own client is another one.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::release::{API_VERSION, VERSION};

/// Longer than any test waits for an answer, and never forever.
const WAIT: Duration = Duration::from_secs(120);
/// Longer than any job is silent.
const SILENCE: Duration = Duration::from_secs(3600);

/// What a server answered.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, decoded if it came in chunks.
    pub body: String,
}

impl Response {
    /// The value of the header `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The id under which a queued request can be waited for.
    pub fn request_id(&self) -> anyhow::Result<&str> {
        self.header("x-skypilot-request-id").context("the response names no request id")
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("not JSON: {}", self.body))
    }
}

/// Sends `GET url`.
pub fn get(url: &str) -> anyhow::Result<Response> {
    request("GET", url, None, WAIT, &mut |_| Ok(()))
}

/// Sends `POST url` with a JSON body.
pub fn post(url: &str, body: &Value) -> anyhow::Result<Response> {
    request("POST", url, Some(body), WAIT, &mut |_| Ok(()))
}

/// Sends a request for a stream, and hands over what comes when it comes.
pub fn stream(
    url: &str,
    body: Option<&Value>,
    heard: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let method = if body.is_some() { "POST" } else { "GET" };
    request(method, url, body, SILENCE, heard)
}

/// Whether an API server answers at `endpoint` that is healthy, or that wants to know first
/// who asks.
pub fn is_healthy(endpoint: &str) -> bool {
    get(&format!("{endpoint}/api/health"))
        .is_ok_and(|response| matches!(response.status, 200 | 401))
}

fn request(
    method: &str,
    url: &str,
    body: Option<&Value>,
    wait: Duration,
    heard: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let rest = url.strip_prefix("http://").with_context(|| format!("not an http URL: {url}"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, authority) = match authority.rsplit_once('@') {
        Some((login, authority)) => (authorization(login), authority),
        None => (String::new(), authority),
    };
    let body = body.map(Value::to_string).unwrap_or_default();

    let mut stream =
        connect(authority, wait).with_context(|| format!("connecting to {authority}"))?;
    write!(
        stream,
        "{method} /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\
         {login}X-SkyPilot-API-Version: {}\r\nX-SkyPilot-Version: {}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        API_VERSION,
        VERSION,
        body.len()
    )?;
    read_response(BufReader::new(stream), heard).with_context(|| format!("{method} {url}"))
}

/// The header line for the login of a URL. As Python's `requests`, which SkyPilot's client
/// is made of, it sends none for a user without a password.
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

fn connect(authority: &str, wait: Duration) -> anyhow::Result<TcpStream> {
    let address = authority.to_socket_addrs()?.next().context("it has no address")?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(wait))?;
    Ok(stream)
}

fn read_response(
    mut reader: impl BufRead,
    heard: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Response> {
    let status_line = read_line(&mut reader)?;
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("not a status line: {status_line:?}"))?;
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').context("a header line without a colon")?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: String::new() };
    let bytes = match response.header("transfer-encoding") {
        Some("chunked") => read_chunks(&mut reader, heard)?,
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
    heard: &mut dyn FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&read_line(reader)?, 16).context("a chunk's size")?;
        let mut chunk = vec![0; size];
        reader.read_exact(&mut chunk)?;
        heard(&chunk)?;
        body.append(&mut chunk);
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_line(reader: &mut impl BufRead) -> anyhow::Result<String> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        bail!("the connection was closed in the middle of a response");
    }
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{authorization, read_response};

    #[test]
    fn a_login_of_a_url_is_decoded_and_one_without_a_password_is_not_sent() {
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
    fn a_cut_off_response_is_an_error() {
        let text = "HTTP/1.1 200 OK\r\nA: b\r\n";
        assert!(read_response(text.as_bytes(), &mut |_| Ok(())).is_err());
    }
}
