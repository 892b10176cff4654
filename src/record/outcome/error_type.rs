//! Error types of skyload, in lower case with hyphens, for errors that no server reports.

/// Response that did not arrive within the time limit.
pub const TIMEOUT: &str = "timeout";

/// Connection to the server that could not be made.
pub const CONNECT_ERROR: &str = "connect-error";

/// Connection that ended before the response did.
pub const CONNECTION_LOST: &str = "connection-lost";

/// Stream that the server ended although what it follows goes on.
pub const STREAM_ENDED: &str = "stream-ended";

/// Response of another form or content than SkyPilot's SDK expects.
pub const UNEXPECTED_RESPONSE: &str = "unexpected-response";

/// Output of a `sky` process that lacks the expected text.
pub const UNEXPECTED_OUTPUT: &str = "unexpected-output";

/// Error that the server reports without a type.
pub const UNTYPED_ERROR: &str = "untyped-error";

/// Error that the server sends as plain text where JSON is expected, such as a proxy's page.
pub const PLAIN_TEXT_ERROR: &str = "plain-text-error";

/// Server that answers only requests with credentials.
pub const NEEDS_AUTHENTICATION: &str = "needs-authentication";

/// Request of a `sky` process that is missing in the server's list.
pub const REQUEST_NOT_FOUND: &str = "request-not-found";

/// Request that was still running after its `sky` process had exited.
pub const REQUEST_NOT_FINISHED: &str = "request-not-finished";

/// Request that did not end within the limit of its scenario.
pub const SUSPECTED_WEDGE: &str = "suspected-wedge";

/// Iteration that was still running at the end of its scenario.
pub const ITERATION_NOT_FINISHED: &str = "iteration-not-finished";

/// Shared resource that was not set up.
pub const NOT_SET_UP: &str = "not-set-up";

/// Resource that was not set up in time.
pub const NOT_READY_IN_TIME: &str = "not-ready-in-time";

/// Teardown that did not end in time.
pub const NOT_REMOVED_IN_TIME: &str = "not-removed-in-time";

/// Managed job that still ran near the end of the teardown.
pub const JOB_NOT_FINISHED: &str = "job-not-finished";

/// Types of this module.
const ALL: [&str; 17] = [
    TIMEOUT,
    CONNECT_ERROR,
    CONNECTION_LOST,
    STREAM_ENDED,
    UNEXPECTED_RESPONSE,
    UNEXPECTED_OUTPUT,
    UNTYPED_ERROR,
    PLAIN_TEXT_ERROR,
    NEEDS_AUTHENTICATION,
    REQUEST_NOT_FOUND,
    REQUEST_NOT_FINISHED,
    SUSPECTED_WEDGE,
    ITERATION_NOT_FINISHED,
    NOT_SET_UP,
    NOT_READY_IN_TIME,
    NOT_REMOVED_IN_TIME,
    JOB_NOT_FINISHED,
];

/// Whether a type is skyload's own: then no server wrote it, and no secret is part of it.
pub fn is_own(error_type: &str) -> bool {
    ALL.contains(&error_type)
}
