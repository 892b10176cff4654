//! SHA-256 hashes of texts and files, as hexadecimal digits.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

/// SHA-256 of a byte string, in hexadecimal.
pub fn sha256(text: &[u8]) -> String {
    digits(&Sha256::digest(text))
}

/// SHA-256 of all bytes of `content`, in hexadecimal.
///
/// # Errors
///
/// When reading fails.
pub fn sha256_of(mut content: impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        match content.read(&mut buffer)? {
            0 => return Ok(digits(&hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

fn digits(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_and_a_file_of_the_same_bytes_have_the_same_hash() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sha256(b""), empty);
        let text = vec![7; 100_000];
        assert_eq!(sha256_of(text.as_slice()).unwrap(), sha256(&text));
    }
}
