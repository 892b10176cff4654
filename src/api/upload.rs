//! Upload of files, as the SDK does it: a question whether the server has them, and if not, the zip
//! file in chunks.

use std::time::Duration;

use serde::Deserialize;

use super::ApiClient;
use super::response::unexpected_response;
use super::transport::TimeLimit;
use crate::record::outcome::Failure;

/// Size of a chunk. Source: `UPLOAD_CHUNK_BYTES` in `sky/server/constants.py`.
const CHUNK: usize = 95 * 1000 * 1000;

/// SDK timeout of reading the response to a chunk.
const READ_TIMEOUT: Duration = Duration::from_secs(180);

/// Maximum number of attempts for each chunk.
const MAX_ATTEMPTS: u64 = 3;

/// Response to the question for a blob.
#[derive(Deserialize)]
struct Existence {
    exists: bool,
}

/// Response to a chunk.
#[derive(Deserialize)]
struct Receipt {
    status: String,
}

impl ApiClient {
    /// Uploads a zip file under an ID, unless the server has it already. Calls `on_retry` before
    /// each further try.
    pub(crate) async fn upload(
        &self,
        step: &str,
        blob_id: &str,
        zip: &'static [u8],
        mut on_retry: impl FnMut(),
    ) -> Result<(), Failure> {
        let mut question = self.address("/upload_v2/blob");
        let size = zip.len().to_string();
        question.query_pairs_mut().extend_pairs([
            ("user_hash", self.user_id.as_str()),
            ("blob_id", blob_id),
            ("size_bytes", &size),
        ]);
        let response = self.execute(step, self.http.get(question), None).await?.expect_ok(step)?;
        let known: Existence = parsed(step, &response.body)?;
        if known.exists {
            return Ok(());
        }
        let total = zip.len().div_ceil(CHUNK);
        let mut is_complete = false;
        for (index, chunk) in zip.chunks(CHUNK).enumerate() {
            let number = (index, total);
            let status = self.upload_chunk(step, blob_id, chunk, number, &mut on_retry).await?;
            is_complete |= status == "completed";
        }
        match is_complete {
            true => Ok(()),
            false => Err(unexpected_response(step, 200, "upload not completed".to_owned())),
        }
    }

    /// Uploads a chunk, and returns the server's status of the upload.
    async fn upload_chunk(
        &self,
        step: &str,
        blob_id: &str,
        chunk: &'static [u8],
        (index, total): (usize, usize),
        on_retry: &mut impl FnMut(),
    ) -> Result<String, Failure> {
        let mut address = self.address("/upload_v2");
        let (index, total) = (index.to_string(), total.to_string());
        address.query_pairs_mut().extend_pairs([
            ("user_hash", self.user_id.as_str()),
            ("upload_id", blob_id),
            ("chunk_index", &index),
            ("total_chunks", &total),
        ]);
        let mut attempts = 1;
        loop {
            let request = self.http.post(address.clone());
            let request = request.header("content-type", "application/octet-stream").body(chunk);
            let limit = TimeLimit::of_sdk(READ_TIMEOUT);
            let response = self.execute(step, request, Some(limit)).await?;
            if response.status == 200 {
                let receipt: Receipt = parsed(step, &response.body)?;
                return Ok(receipt.status);
            }
            if attempts == MAX_ATTEMPTS {
                return response.expect_ok(step).map(|_| String::new());
            }
            attempts += 1;
            on_retry();
            let pause = if response.status == 503 { 10 } else { 1 };
            tokio::time::sleep(Duration::from_secs(pause)).await;
        }
    }
}

fn parsed<'a, T: Deserialize<'a>>(step: &str, body: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body)
        .map_err(|error| unexpected_response(step, 200, format!("expected a receipt: {error}")))
}
