//! Tests of the supervisor with stand-ins for daemons. The supervisor needs a separate process,
//! since it reaps all children: the test binary starts itself again with the "test" that is the
//! supervisor.

use super::super::priority::NodePriority;
use super::*;
use crate::testing::script;
use skyload::poll::{Probe, wait_until};
use skyload::record::read_json;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Child;

const OPTIONS: &str = "SKYLOAD_TEST_NODES_OPTIONS";
const WATCHED: &str = "SKYLOAD_TEST_WATCHED_OPTIONS";

/// Supervisor process of the other tests; does nothing when run as a test.
#[test]
fn supervisor_process() {
    if let Some(options) = env::text(OPTIONS) {
        let watchdog = this_test("watchdog_process", WATCHED, &options);
        run_with(&options, watchdog).unwrap();
    }
}

/// Watchdog process of the supervisors; does nothing when run as a test.
#[test]
fn watchdog_process() {
    if let Some(options) = env::text(WATCHED) {
        watch(&options).unwrap();
    }
}

/// Command that runs one "test" of this module in a process of its own, with a variable.
fn this_test(name: &str, variable: &str, value: &str) -> Command {
    let name = format!("{}::{name}", module_path!());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", name.split_once("::").unwrap().1])
        .env_remove(OPTIONS)
        .env(variable, value)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Paths of files in the folder of a supervisor.
type At<'a> = &'a dyn Fn(&str) -> PathBuf;

/// The shell script `body` as the only daemon.
fn stand_in(body: &str, at: At<'_>) -> Vec<Daemon> {
    script(&at("daemon"), body);
    vec![Daemon {
        priority: Some(NodePriority::Idle),
        ready: Readiness::Exists(at("ready")),
        ..Daemon::new("stand-in", at("daemon"), at("log"))
    }]
}

struct TestSupervisor {
    folder: tempfile::TempDir,
    child: Child,
}

impl TestSupervisor {
    /// Starts a supervisor with the shell script `body` as its only daemon.
    fn with(body: &str, owner: Option<ProcessIdentity>) -> Self {
        Self::with_options(|options, at| {
            options.owner = owner;
            options.daemons = stand_in(body, at);
        })
    }

    /// Starts a supervisor with `daemons`, which gets the paths of files in its folder.
    fn with_daemons(daemons: impl FnOnce(At<'_>) -> Vec<Daemon>) -> Self {
        Self::with_options(|options, at| options.daemons = daemons(at))
    }

    /// Starts a supervisor with options that `set` changes.
    fn with_options(set: impl FnOnce(&mut NodesOptions, At<'_>)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let variables = vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("HERE".to_owned(), folder.path().display().to_string()),
        ];
        let mut options = NodesOptions {
            // A watchdog ends all processes with the id, and tests run at the same time.
            id: format!("test-{}", folder.path().display()),
            owner: None,
            account: Account::own(),
            variables,
            daemons: Vec::new(),
            figures: at("figures.json"),
            members: at("members.json"),
            folder: None,
            record: None,
        };
        set(&mut options, &at);
        let options = serde_json::to_string(&options).unwrap();
        let child = this_test("supervisor_process", OPTIONS, &options).spawn().unwrap();
        Self { folder, child }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Process whose pid the stand-in has written to `file`.
    fn process(&self, file: &str) -> ProcessIdentity {
        soon(|| {
            let pid = fs::read_to_string(self.path(file)).ok()?;
            ProcessIdentity::of(pid.strip_suffix('\n')?.parse().ok()?)
        })
    }

    fn figures(&self) -> Option<NodeFigures> {
        read_json(&self.path("figures.json"), "figures").ok()
    }

    fn terminate(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
            self.child.wait().unwrap();
        }
    }
}

impl Drop for TestSupervisor {
    fn drop(&mut self) {
        // Never SIGKILL: the supervisor must end the stand-ins.
        self.terminate();
    }
}

fn soon<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let (limit, every) = (Duration::from_secs(20), Duration::from_millis(10));
    wait_until(limit, every, || match probe() {
        Some(value) => Probe::Ready(value),
        None => Probe::NotYet("not yet".to_owned()),
    })
    .unwrap()
}

/// Daemon whose child leaves its parent, session and environment.
const ESCAPES: &str = "(setsid env -i /bin/sh -c 'echo $$ > '$HERE'/escaped; exec sleep 600' &)
touch $HERE/ready; exec sleep 600";

#[test]
fn a_process_that_left_its_parent_and_session_is_ended() {
    let mut supervisor = TestSupervisor::with(ESCAPES, None);
    let escaped = supervisor.process("escaped");
    supervisor.terminate();
    assert!(!escaped.is_alive());
    assert_eq!(supervisor.figures().unwrap().failure, None);
}

#[test]
fn killing_the_supervisor_ends_all_node_processes() {
    let body = format!("echo $$ > $HERE/daemon-pid; {ESCAPES}");
    let mut supervisor = TestSupervisor::with(&body, None);
    let processes = ["daemon-pid", "escaped"].map(|file| supervisor.process(file));
    // The escaped one has nothing that tells where it belongs, but for this list.
    let listed =
        || read_json::<Vec<ProcessIdentity>>(&supervisor.path("members.json"), "list").ok();
    soon(|| listed().filter(|list| processes.iter().all(|process| list.contains(process))));
    supervisor.child.kill().unwrap();
    supervisor.child.wait().unwrap();
    soon(|| processes.iter().all(|process| !process.is_alive()).then_some(()));
}

#[test]
fn nodes_end_when_their_owner_is_gone() {
    let mut owner = Command::new("sleep").arg("600").spawn().unwrap();
    let mut supervisor = TestSupervisor::with(ESCAPES, ProcessIdentity::of(owner.id()));
    let escaped = supervisor.process("escaped");
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(supervisor.child.wait().unwrap().success());
    assert!(!escaped.is_alive());
}

#[test]
fn files_that_the_nodes_user_has_left_are_removed_when_their_owner_is_gone() {
    // Only root can start processes of another user.
    if !geteuid().is_root() {
        return;
    }
    // None that an infra on this machine chooses.
    const USER: u32 = 60_050;
    let mut owner = Command::new("sleep").arg("600").spawn().unwrap();
    let mut supervisor = TestSupervisor::with_options(|options, at| {
        options.owner = ProcessIdentity::of(owner.id());
        options.account = Account { uid: USER, gid: USER, is_nodes_only: true };
        fs::set_permissions(at(""), fs::Permissions::from_mode(0o777)).unwrap();
        let body = "mktemp /tmp/skyload-test-XXXXXX > $HERE/left; touch $HERE/ready
            exec sleep 600";
        options.daemons = stand_in(body, at);
    });
    let left = soon(|| {
        let path = fs::read_to_string(supervisor.path("left")).ok()?;
        Some(PathBuf::from(path.strip_suffix('\n')?))
    });
    assert!(left.exists());
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(supervisor.child.wait().unwrap().success());
    assert!(!left.exists());
}

#[test]
fn nodes_outlive_a_moment_without_room_for_files() {
    let supervisor = TestSupervisor::with_options(|options, at| {
        let body = "echo $$ > $HERE/daemon-pid; touch $HERE/ready; exec sleep 600";
        options.daemons = stand_in(body, at);
        // Missing, as if the disk were full.
        options.figures = at("later/figures.json");
    });
    let daemon = supervisor.process("daemon-pid");
    // Written just before the figures.
    soon(|| supervisor.path("members.json").exists().then_some(()));
    fs::create_dir(supervisor.path("later")).unwrap();
    let figures: NodeFigures =
        soon(|| read_json(&supervisor.path("later/figures.json"), "figures").ok());
    assert_eq!(figures.failure, None);
    assert!(daemon.is_alive());
}

#[test]
fn cpu_of_exited_and_running_processes_is_counted() {
    let burn = "burn() { i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; }
        (burn) & wait; touch $HERE/ready; burn; times > $HERE/times; exec sleep 600";
    let supervisor = TestSupervisor::with(burn, None);
    let times = soon(|| {
        fs::read_to_string(supervisor.path("times")).ok().filter(|t| t.lines().count() == 2)
    });
    let used = cpu_time(&times);
    let counted = soon(|| {
        supervisor.figures().map(|it| it.cpu).filter(|cpu| *cpu + Duration::from_millis(30) >= used)
    });
    // The difference is the start of some small programs.
    assert!(counted < used + Duration::from_millis(300), "{counted:?} of {used:?}");
}

/// Sum of the times in the output of the shell's `times`: two lines of `0m0.100s 0m0.020s`.
fn cpu_time(times: &str) -> Duration {
    let seconds = times.split_whitespace().map(|word| {
        let (minutes, seconds) = word.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    });
    Duration::from_secs_f64(seconds.sum())
}

#[test]
fn a_daemon_that_exits_ends_all_nodes_and_is_named() {
    let mut supervisor = TestSupervisor::with("touch $HERE/ready; sleep 1; exit 3", None);
    assert!(!supervisor.child.wait().unwrap().success());
    let failure = supervisor.figures().unwrap().failure;
    assert_eq!(failure.as_deref(), Some("stand-in exited with status 3"));
}

#[test]
fn an_exposed_listener_of_a_node_process_is_named() {
    let listen = "python3 -c 'import socket, sys, time
s = socket.socket(); s.bind((\"0.0.0.0\", 0)); s.listen()
t = socket.socket(); t.bind((\"127.0.0.1\", 0)); t.listen()
print(s.getsockname()[1], flush=True); time.sleep(600)' > $HERE/port & touch $HERE/ready; wait";
    let supervisor = TestSupervisor::with(listen, None);
    let port: u16 = soon(|| fs::read_to_string(supervisor.path("port")).ok()?.trim().parse().ok());
    let exposed =
        soon(|| supervisor.figures().map(|it| it.exposed).filter(|list| !list.is_empty()));
    assert_eq!(exposed.len(), 1, "{exposed:?}");
    assert!(exposed[0].starts_with(&format!("0.0.0.0:{port} (python3")), "{exposed:?}");
}

#[test]
fn the_api_of_an_emulated_cloud_has_figures_of_its_own() {
    let port = host::ports::DAEMONS.ports().into_iter().find(|port| host::ports::is_free(*port));
    let port = port.unwrap();
    let supervisor = TestSupervisor::with_daemons(|at| {
        // The child counts as the API's, too.
        let serve = "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exec sleep 600' &
            exec python3 -c 'import os, socket, time
s = socket.create_server((\"127.0.0.1\", int(os.environ[\"PORT\"]))); time.sleep(600)'";
        script(&at("api"), serve);
        let api = Daemon {
            variables: vec![("PORT".to_owned(), port.to_string())],
            ready: Readiness::Listens(([127, 0, 0, 1], port).into()),
            role: Role::CloudApi,
            ..Daemon::new("API", at("api"), at("api.log"))
        };
        // Starts when the API listens, without the API's variables.
        script(&at("node"), "[ -z \"$PORT\" ] && touch $HERE/ready; exec sleep 600");
        let ready = Readiness::Exists(at("ready"));
        vec![api, Daemon { ready, ..Daemon::new("node", at("node"), at("log")) }]
    });
    let busy = Duration::from_millis(50);
    let figures =
        soon(|| supervisor.figures().filter(|it| it.cloud_api.is_some_and(|api| api.cpu > busy)));
    let api = figures.cloud_api.unwrap();
    assert_eq!(figures.processes, 1, "the node alone");
    assert!(api.memory > figures.memory && api.peak_memory >= api.memory, "{figures:?}");
    assert!(figures.cpu < api.cpu, "{figures:?}");
}

#[test]
fn a_daemon_is_not_ready_while_another_process_listens_at_its_address() {
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let supervisor = TestSupervisor::with_daemons(|at| {
        // A descendant of the API that listens once the address is free.
        let serve = "import os, socket, time
while True:
    try:
        listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
        break
    except OSError:
        time.sleep(0.01)
time.sleep(600)";
        fs::write(at("serve.py"), serve).unwrap();
        script(&at("api"), "touch $HERE/started; python3 $HERE/serve.py & wait");
        let api = Daemon {
            variables: vec![("PORT".to_owned(), address.port().to_string())],
            ready: Readiness::Listens(address),
            ..Daemon::new("API", at("api"), at("api.log"))
        };
        script(&at("node"), "touch $HERE/ready; exec sleep 600");
        vec![api, Daemon::new("node", at("node"), at("log"))]
    });
    soon(|| supervisor.path("started").exists().then_some(()));
    // Several rounds of the supervisor.
    std::thread::sleep(POLL_INTERVAL * 6);
    assert!(!supervisor.path("ready").exists());
    drop(other);
    soon(|| supervisor.path("ready").exists().then_some(()));
}

#[test]
fn nodes_have_idle_priority() {
    let supervisor =
        TestSupervisor::with("echo $$ > $HERE/pid; touch $HERE/ready; exec sleep 600", None);
    let process = supervisor.process("pid");
    let policy = policy_of(Path::new(&format!("/proc/{}/stat", process.pid)));
    assert_eq!(policy.as_deref(), Some("5"), "SCHED_IDLE is 5");
}

/// Scheduling policy in a `/proc/PID/stat` (field 41 in proc(5)).
fn policy_of(stat: &Path) -> Option<String> {
    let stat = fs::read_to_string(stat).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(41 - 3).map(str::to_owned)
}
