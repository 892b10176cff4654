//! Release of SkyPilot that the stand-in reports.

/// Version of SkyPilot that the stand-in reports.
pub const VERSION: &str = "0.14.1";
/// Commit of SkyPilot that the stand-in reports.
pub const COMMIT: &str = "7e595970a806dcc9eefadf459f399edf1733e962";
/// API version of the stand-in: SkyPilot's version number of its HTTP protocol.
pub const API_VERSION: u32 = 62;
/// User id of clients and servers for which none is set.
pub const DEFAULT_USER_ID: &str = "fcd1e5cf";
