//! Scripted server, for faults that the stand-in cannot inject.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Reaction of the server to a call.
#[derive(Clone, Copy)]
pub(super) enum Reaction {
    /// Response with this status and JSON body.
    Respond(u16, &'static str),
    /// Response that ends in the middle of its first chunk.
    CutOff,
    /// Response that ends in the middle of a line, after these complete lines.
    CutAfter(&'static str),
    /// Connection closed without a response.
    HangUp,
    /// Open connection without a response.
    Silence,
}

/// Health of a healthy server.
pub(super) const HEALTHY: Reaction = Reaction::Respond(
    200,
    r#"{"status":"healthy","api_version":"62","version":"0.14.1","commit":null}"#,
);

/// Starts a server and returns its address. `react` returns the reaction to the `n`th call of
/// a path, counted from 1. The server runs until the test's async runtime ends.
pub(super) async fn serve(
    mut react: impl FnMut(&str, u32) -> Reaction + Send + 'static,
) -> anyhow::Result<String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        let mut paths = Vec::<String>::new();
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let Ok(path) = read_request(&mut stream).await else { continue };
            paths.push(path.clone());
            let calls = paths.iter().filter(|other| **other == path).count();
            let reaction = react(&path, u32::try_from(calls).unwrap_or(u32::MAX));
            tokio::spawn(respond(stream, reaction));
        }
    });
    Ok(address)
}

/// Reads a whole request and returns its path, without the query.
async fn read_request(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim_end().to_ascii_lowercase();
        if path.is_empty() {
            path = line.split([' ', '?']).nth(1).unwrap_or_default().to_owned();
        } else if let Some(bytes) = line.strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap_or(0);
        } else if line.is_empty() {
            stream.read_exact(&mut vec![0; length]).await?;
            return Ok(path);
        }
    }
}

async fn respond(mut stream: BufReader<TcpStream>, reaction: Reaction) -> std::io::Result<()> {
    let response = match reaction {
        Reaction::Respond(status, body) => format!(
            "HTTP/1.1 {status} As Told\r\nConnection: close\r\nX-SkyPilot-Request-ID: 7\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
        Reaction::CutOff => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhal".into(),
        Reaction::CutAfter(lines) => format!(
            "HTTP/1.1 200 OK\r\nX-SkyPilot-Request-ID: 7\r\nTransfer-Encoding: chunked\r\n\r\n\
             {:x}\r\n{lines}\r\n9\r\nhal",
            lines.len()
        ),
        Reaction::HangUp => return Ok(()),
        Reaction::Silence => {
            // Waits until the client closes the connection.
            stream.read_to_end(&mut Vec::new()).await?;
            return Ok(());
        }
    };
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}
