//! The release of SkyPilot that the stand-in claims to be.

/// The version that the stand-in claims to be.
pub const VERSION: &str = "0.14.1";
/// The commit that the stand-in claims to be built from.
pub const COMMIT: &str = "7e595970a806dcc9eefadf459f399edf1733e962";
/// The version of the HTTP protocol that the stand-in speaks.
pub const API_VERSION: u32 = 62;
/// The user of a client and of a server that were told of none.
pub const DEFAULT_USER_ID: &str = "fcd1e5cf";
