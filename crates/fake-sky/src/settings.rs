//! Settings and injected faults of the stand-in: the `FAKE_SKY_*` environment variables.
//!
//! Every process of an instance inherits the variables and reads them once, at start.
//! An unknown variable is an error: a test with a misspelled setting would test nothing.
//!
//! Names of faults: `sky.status:3` is every 3rd request of this name, `sky.status:3!` only
//! the 3rd; `,` separates several. "Main" is the server's main process.
//!
//! | variable | meaning (default) |
//! |---|---|
//! | `FAKE_SKY_EXECUTOR_MIB` | resident memory of an executor (24) |
//! | `FAKE_SKY_IMPORT_MS` | import time of an executor, until it has its title (100) |
//! | `FAKE_SKY_SERVICE_MS` | run time of a request (20) |
//! | `FAKE_SKY_SPIKE_MIB` | memory that each request takes for 40 ms in addition (0) |
//! | `FAKE_SKY_REQUEST_MIB` | `sky.status:60`: memory that requests of this name take in addition while they run; daemons have names, too: `sky.status-refresh:60` (none) |
//! | `FAKE_SKY_LEAKED_MIB` | memory that an executor leaks with its first request (0) |
//! | `FAKE_SKY_LEAKED_THREADS` | likewise: idle threads (0) |
//! | `FAKE_SKY_ZOMBIES` | likewise: child processes that exited and are not reaped (0) |
//! | `FAKE_SKY_LEAK_KIB` | memory that an executor leaks with each request (0) |
//! | `FAKE_SKY_SHORT_POOL` | size of the executor pool for short requests (4); for long ones it is 2 |
//! | `FAKE_SKY_BURST` | executors beyond the pool, for one request each, per queue (0) |
//! | `FAKE_SKY_DAEMONS` | the server's own requests, each of which occupies a short executor, up to 4 (1) |
//! | `FAKE_SKY_STREAM_FLOOR_MS` | minimum duration of a log stream (200) |
//! | `FAKE_SKY_LOG_THREADS` | calls of `/logs` and `/jobs/logs` that are served at a time; others get HTTP 503 (128) |
//! | `FAKE_SKY_DROP_STREAMS_MS` | time after which each stream of a log ends, whatever it follows (never) |
//! | `FAKE_SKY_DAEMON_LINE_MS` | time between two lines in the log of a request of the server's own (1000) |
//! | `FAKE_SKY_FAIL` | `sky.status:3`: these requests FAIL with ValueError |
//! | `FAKE_SKY_CANCEL` | likewise: they end CANCELLED |
//! | `FAKE_SKY_WRONG_VALUE` | likewise: they SUCCEED, but return `null` |
//! | `FAKE_SKY_REFUSE` | likewise: `sky.launch` FAILs as without a cloud, others as without a jobs controller |
//! | `FAKE_SKY_TEXT_500` | likewise: the submission gets HTTP 500 with a traceback as text |
//! | `FAKE_SKY_TOKEN` | service-account token: calls without it get HTTP 401 (none) |
//! | `FAKE_SKY_COOKIE` | `name=value`: calls without this cookie get HTTP 401 (none) |
//! | `FAKE_SKY_BASIC_AUTH` | `user:password`: calls without these credentials get HTTP 401, health excepted (none) |
//! | `FAKE_SKY_LOGIN_USER` | user ID that the server records for every request, as for a login, instead of the client's (none) |
//! | `FAKE_SKY_UNAVAILABLE` | `/status:3`: these calls of the path get HTTP 503 |
//! | `FAKE_SKY_RESET` | likewise: the connection closes without a response |
//! | `FAKE_SKY_CUT` | likewise: the connection closes after the first chunk of the response |
//! | `FAKE_SKY_CONSOLIDATION` | 0: the managed-job queue FAILs with ClusterNotUpError until a controller is launched (1) |
//! | `FAKE_SKY_INFRA` | `kubernetes,aws`: the enabled infras (none) |
//! | `FAKE_SKY_LAUNCH_MS` | time until a cluster is UP, or a managed job runs (200) |
//! | `FAKE_SKY_SLEEP_MS` | duration of one second of `sleep` in the `run` of a job (1000) |
//! | `FAKE_SKY_INFRA_FAIL` | like `FAIL`, with errors of infra: ResourcesUnavailableError for `sky.launch`, else RuntimeError |
//! | `FAKE_SKY_SURVIVOR` | `sky.down:2`: these SUCCEED without removing anything; also `sky.jobs.cancel`, `sky.serve.down`, `sky.stop`, `sky.autostop` |
//! | `FAKE_SKY_JOB_FAILED` | `sky.launch:2`: the jobs that these submit end FAILED; also `sky.exec`, `sky.jobs.launch` |
//! | `FAKE_SKY_LATE` | like `FAIL`: the request runs, but the response to its submission takes 6 s more (SDK timeout of `/launch` and `/exec`: 5 s) |
//! | `FAKE_SKY_DIE_AFTER_MS` | main gets SIGKILL this long after its first queued request (never) |
//! | `FAKE_SKY_REPLACE_AFTER_MS` | likewise: another main takes over the port, and main is killed (never) |
//! | `FAKE_SKY_WEDGE` | 1: an executor in which a request was cancelled hangs with its next one (0) |
//! | `FAKE_SKY_STALL_MS` | duration for which the event loop blocks once, 50 ms after the first queued request (0) |
//! | `FAKE_SKY_METRICS_TTL_MS` | age from which a scrape has a new snapshot of the metrics made (30000) |
//! | `FAKE_SKY_METRICS_FAIL` | `/metrics:3`: these scrapes get HTTP 500 |
//! | `FAKE_SKY_METRICS_OMIT` | `sky_apiserver_queue_wait_seconds,..`: metrics that the release lacks (none) |
//! | `FAKE_SKY_COMMIT` | commit that the server reports (the release's) |
//! | `FAKE_SKY_CLOCK_AHEAD_MS` | offset of the server's clock, ahead of the machine's (0) |
//! | `FAKE_SKY_NOT_READY_MS` | delay from the start until the port opens (0) |
//! | `FAKE_SKY_NEVER_READY` | 1: the port never opens (0) |
//! | `FAKE_SKY_EXIT_AT_START` | main logs this message and exits with 1 (unset) |
//! | `FAKE_SKY_START_TIMEOUT_MS` | time limit of `sky api start` for the server to be healthy (60000) |
//! | `FAKE_SKY_START_MS` | delay before `sky api start` starts a server (0) |
//! | `FAKE_SKY_STOP_MS` | delay before `sky api stop` stops a server (0) |
//! | `FAKE_SKY_STOP_SPARES` | number of executors that `sky api stop` leaves running (0) |
//! | `FAKE_SKY_ORPHAN_MS` | time that a child process keeps running after main is gone (300000) |
//! | `FAKE_SKY_IDLE_EXIT_MS` | time without calls after which main exits (300000) |
//! | `FAKE_SKY_PYTHON` | path of this program under the name `python`, which `fake-sky constants` tells (none) |
//! | `FAKE_SKY_PINS_WORKERS` | 0: the release has no variables for the sizes of its pools (1) |
//! | `FAKE_SKY_SELECTS_PORT` | 0: the release is one that does not select a port, as `fake-sky constants` tells (1) |
//! | `FAKE_SKY_CONSTANTS` | JSON object that `fake-sky constants` prints instead of SkyPilot's |

mod faults;
mod sizes;

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, bail};

pub use self::faults::Faults;
pub use self::sizes::Sizes;

const PREFIX: &str = "FAKE_SKY_";

/// Settings of one instance.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table of the module describes each variable")]
pub struct Settings {
    pub executor_mib: usize,
    pub import: Duration,
    pub service: Duration,
    pub spike_mib: usize,
    pub request_mib: Sizes,
    pub leaked_mib: usize,
    pub leak_kib: usize,
    pub leaked_threads: usize,
    pub zombies: usize,
    pub short_pool: usize,
    pub burst: usize,
    pub daemons: usize,
    pub stream_floor: Duration,
    pub log_threads: usize,
    pub drop_streams: Option<Duration>,
    pub daemon_line: Duration,
    pub fail: Faults,
    pub cancel: Faults,
    pub wrong_value: Faults,
    pub refuse: Faults,
    pub text_500: Faults,
    pub basic_auth: Option<String>,
    pub token: Option<String>,
    pub cookie: Option<String>,
    pub login_user: Option<String>,
    pub unavailable: Faults,
    pub reset: Faults,
    pub cut: Faults,
    pub consolidation: bool,
    pub infra: Vec<String>,
    pub launch: Duration,
    pub sleep: Duration,
    pub infra_fail: Faults,
    pub survivor: Faults,
    pub job_failed: Faults,
    pub late: Faults,
    pub die_after: Option<Duration>,
    pub replace_after: Option<Duration>,
    pub wedge: bool,
    pub stall: Duration,
    pub metrics_ttl: Duration,
    pub metrics_fail: Faults,
    pub metrics_omit: Vec<String>,
    pub commit: Option<String>,
    pub clock_ahead: Duration,
    pub not_ready: Duration,
    pub never_ready: bool,
    pub exit_at_start: Option<String>,
    pub start_timeout: Duration,
    pub start: Duration,
    pub stop: Duration,
    pub stop_spares: usize,
    pub orphan: Duration,
    pub idle_exit: Duration,
    pub python: Option<String>,
    pub pins_workers: bool,
    pub selects_port: bool,
    pub constants: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            executor_mib: 24,
            import: Duration::from_millis(100),
            service: Duration::from_millis(20),
            spike_mib: 0,
            request_mib: Sizes::default(),
            leaked_mib: 0,
            leak_kib: 0,
            leaked_threads: 0,
            zombies: 0,
            short_pool: 4,
            burst: 0,
            daemons: 1,
            stream_floor: Duration::from_millis(200),
            log_threads: 128,
            drop_streams: None,
            daemon_line: Duration::from_secs(1),
            fail: Faults::default(),
            cancel: Faults::default(),
            wrong_value: Faults::default(),
            refuse: Faults::default(),
            text_500: Faults::default(),
            basic_auth: None,
            token: None,
            cookie: None,
            login_user: None,
            unavailable: Faults::default(),
            reset: Faults::default(),
            cut: Faults::default(),
            consolidation: true,
            infra: Vec::new(),
            launch: Duration::from_millis(200),
            sleep: Duration::from_secs(1),
            infra_fail: Faults::default(),
            survivor: Faults::default(),
            job_failed: Faults::default(),
            late: Faults::default(),
            die_after: None,
            replace_after: None,
            wedge: false,
            stall: Duration::ZERO,
            metrics_ttl: Duration::from_secs(30),
            metrics_fail: Faults::default(),
            metrics_omit: Vec::new(),
            commit: None,
            clock_ahead: Duration::ZERO,
            not_ready: Duration::ZERO,
            never_ready: false,
            exit_at_start: None,
            start_timeout: Duration::from_secs(60),
            start: Duration::ZERO,
            stop: Duration::ZERO,
            stop_spares: 0,
            orphan: Duration::from_secs(300),
            idle_exit: Duration::from_secs(300),
            python: None,
            pins_workers: true,
            selects_port: true,
            constants: None,
        }
    }
}

impl Settings {
    /// Reads the settings from this process's environment.
    pub fn from_env() -> anyhow::Result<Self> {
        // Other variables of the shell may be no text at all.
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::read(std::env::vars_os().filter_map(text))
    }

    /// Reads the settings among `variables`, and ignores variables without the prefix.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Self> {
        let mut settings = Self::default();
        for (name, value) in variables {
            if let Some(setting) = name.strip_prefix(PREFIX) {
                settings.set(setting, &value).with_context(|| format!("reading {name}={value}"))?;
            }
        }
        Ok(settings)
    }

    fn set(&mut self, setting: &str, value: &str) -> anyhow::Result<()> {
        match setting {
            "EXECUTOR_MIB" => self.executor_mib = value.parse()?,
            "IMPORT_MS" => self.import = millis(value)?,
            "SERVICE_MS" => self.service = millis(value)?,
            "SPIKE_MIB" => self.spike_mib = value.parse()?,
            "REQUEST_MIB" => self.request_mib = value.parse()?,
            "LEAKED_MIB" => self.leaked_mib = value.parse()?,
            "LEAK_KIB" => self.leak_kib = value.parse()?,
            "LEAKED_THREADS" => self.leaked_threads = value.parse()?,
            "ZOMBIES" => self.zombies = value.parse()?,
            "SHORT_POOL" => self.short_pool = value.parse()?,
            "BURST" => self.burst = value.parse()?,
            "DAEMONS" => self.daemons = value.parse()?,
            "STREAM_FLOOR_MS" => self.stream_floor = millis(value)?,
            "LOG_THREADS" => self.log_threads = value.parse()?,
            "DROP_STREAMS_MS" => self.drop_streams = Some(millis(value)?),
            "DAEMON_LINE_MS" => self.daemon_line = millis(value)?,
            "FAIL" => self.fail = value.parse()?,
            "CANCEL" => self.cancel = value.parse()?,
            "WRONG_VALUE" => self.wrong_value = value.parse()?,
            "REFUSE" => self.refuse = value.parse()?,
            "TEXT_500" => self.text_500 = value.parse()?,
            "BASIC_AUTH" => self.basic_auth = Some(value.to_owned()),
            "TOKEN" => self.token = Some(value.to_owned()),
            "COOKIE" => self.cookie = Some(value.to_owned()),
            "LOGIN_USER" => self.login_user = Some(value.to_owned()),
            "UNAVAILABLE" => self.unavailable = value.parse()?,
            "RESET" => self.reset = value.parse()?,
            "CUT" => self.cut = value.parse()?,
            "CONSOLIDATION" => self.consolidation = flag(value)?,
            "INFRA" => self.infra = value.split(',').map(str::to_owned).collect(),
            "LAUNCH_MS" => self.launch = millis(value)?,
            "SLEEP_MS" => self.sleep = millis(value)?,
            "INFRA_FAIL" => self.infra_fail = value.parse()?,
            "SURVIVOR" => self.survivor = value.parse()?,
            "JOB_FAILED" => self.job_failed = value.parse()?,
            "LATE" => self.late = value.parse()?,
            "DIE_AFTER_MS" => self.die_after = Some(millis(value)?),
            "REPLACE_AFTER_MS" => self.replace_after = Some(millis(value)?),
            "WEDGE" => self.wedge = flag(value)?,
            "STALL_MS" => self.stall = millis(value)?,
            "METRICS_TTL_MS" => self.metrics_ttl = millis(value)?,
            "METRICS_FAIL" => self.metrics_fail = value.parse()?,
            "METRICS_OMIT" => self.metrics_omit = value.split(',').map(str::to_owned).collect(),
            "COMMIT" => self.commit = Some(value.to_owned()),
            "CLOCK_AHEAD_MS" => self.clock_ahead = millis(value)?,
            "NOT_READY_MS" => self.not_ready = millis(value)?,
            "NEVER_READY" => self.never_ready = flag(value)?,
            "EXIT_AT_START" => self.exit_at_start = Some(value.to_owned()),
            "START_TIMEOUT_MS" => self.start_timeout = millis(value)?,
            "START_MS" => self.start = millis(value)?,
            "STOP_MS" => self.stop = millis(value)?,
            "STOP_SPARES" => self.stop_spares = value.parse()?,
            "ORPHAN_MS" => self.orphan = millis(value)?,
            "IDLE_EXIT_MS" => self.idle_exit = millis(value)?,
            "PYTHON" => self.python = Some(value.to_owned()),
            "PINS_WORKERS" => self.pins_workers = flag(value)?,
            "SELECTS_PORT" => self.selects_port = flag(value)?,
            "CONSTANTS" => self.constants = Some(value.to_owned()),
            _ => bail!("unknown setting; `fake_sky::settings` lists them all"),
        }
        Ok(())
    }
}

fn millis(value: &str) -> anyhow::Result<Duration> {
    Ok(Duration::from_millis(value.parse()?))
}

fn flag(value: &str) -> anyhow::Result<bool> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => bail!("expected 0 or 1, got `{value}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> anyhow::Result<Settings> {
        Settings::read([(name.to_owned(), value.to_owned()), ("HOME".to_owned(), "/x".to_owned())])
    }

    #[test]
    fn a_setting_is_read() {
        let settings = read("FAKE_SKY_STALL_MS", "1500").unwrap();
        assert_eq!(settings.stall, Duration::from_millis(1500));
        assert_eq!(settings.executor_mib, 24);
    }

    #[test]
    fn a_misspelled_setting_is_an_error() {
        assert!(read("FAKE_SKY_STALL", "1500").is_err());
        assert!(read("FAKE_SKY_FAIL", "sky.status:0").is_err());
        assert!(read("FAKE_SKY_NEVER_READY", "yes").is_err());
    }
}
