//! Tests of the keeper with a stand-in for the cloud API, and with bash instead of sshd.
//!
//! The keeper needs a separate process, since its end must end the nodes: the test binary starts
//! itself again with the "test" that is the keeper.

mod end;
mod requirement;
mod stand_in;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use host::process::scan::descendants;
use host::tools::remove_folder;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use skyload::env;
use skyload::ids::ProcessIdentity;
use skyload::poll::{Probe, wait_until};

use super::keeper::{keep_with, open_socket};
use super::*;
use crate::account::UBUNTU;
use requirement::can_run;
use stand_in::{OPEN_PORT, StandIn};

const SETTINGS: &str = "SKYLOAD_TEST_KEEPER_SETTINGS";
const ADDRESS: &str = "54.0.0.1";

/// Keeper process of the other tests; does nothing when run as a test.
#[test]
fn keeper_process() {
    if let Some(settings) = env::text(SETTINGS) {
        keep_with(serde_json::from_str(&settings).unwrap(), vec!["bash".to_owned()]).unwrap();
    }
}

struct TestKeeper {
    folder: tempfile::TempDir,
    settings: NodesSettings,
    api: StandIn,
    child: Child,
}

impl TestKeeper {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("image");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("from-image"), "image\n").unwrap();
        if geteuid().is_root() {
            std::os::unix::fs::chown(&home, Some(UBUNTU), Some(UBUNTU)).unwrap();
        }
        let api = StandIn::start();
        let settings = NodesSettings {
            program: std::env::current_exe().unwrap(),
            folder: folder.path().join("keeper"),
            home,
            packages: None,
            api: api.address,
            regions: vec!["us-east-1".to_owned()],
            priority: NodePriority::Normal,
        };
        let name = concat!(module_path!(), "::keeper_process");
        let name = name.split_once("::").unwrap().1;
        let user_namespace: &[&str] = match geteuid().is_root() {
            true => &[],
            false => &["unshare", "--user", "--map-root-user"],
        };
        let child = Command::new("env")
            .args(user_namespace)
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(SETTINGS, serde_json::to_string(&settings).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let keeper = Self { folder, settings, api, child };
        soon(|| keeper.settings.socket().exists().then_some(()));
        keeper
    }

    /// Keeper whose API has one running instance with [`ADDRESS`].
    fn with_instance() -> Self {
        let keeper = Self::start();
        keeper.api.set("i-1", "running", Some(ADDRESS));
        keeper
    }

    /// [`connect_to`] with the socket of this keeper.
    fn connect(&self, address: &str, script: &str) -> (String, String) {
        connect_to(&self.settings.socket(), address, script)
    }

    /// Output of a bash script in the node.
    fn run(&self, script: &str) -> String {
        let (text, error) = self.connect(ADDRESS, script);
        assert_eq!(error, "");
        text.trim_end().to_owned()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap())
    }

    fn descendants(&self) -> Vec<ProcessIdentity> {
        descendants(self.child.id())
    }
}

impl Drop for TestKeeper {
    fn drop(&mut self) {
        _ = kill(self.pid(), Signal::SIGTERM);
        _ = self.child.wait();
        // An ordinary user cannot enter all folders of an overlay.
        _ = remove_folder(self.folder.path());
    }
}

/// Output of a bash script that is run as root in the node at `address`, and the error of the
/// keeper with this socket, empty if there is none.
fn connect_to(socket: &Path, address: &str, script: &str) -> (String, String) {
    let mut socket = UnixStream::connect(socket).unwrap();
    let (input, mut typed) = std::io::pipe().unwrap();
    let (mut output, writer) = std::io::pipe().unwrap();
    streams::send_these(&socket, address, &[input.as_fd(), writer.as_fd(), writer.as_fd()])
        .unwrap();
    drop((input, writer));
    // Fails if the keeper has refused the connection.
    _ = typed.write_all(script.as_bytes());
    drop(typed);
    let (mut text, mut error) = (String::new(), String::new());
    output.read_to_string(&mut text).unwrap();
    socket.read_to_string(&mut error).unwrap();
    (text, error)
}

fn soon<T>(mut probe: impl FnMut() -> Option<T>) -> T {
    let (limit, every) = (Duration::from_secs(20), Duration::from_millis(10));
    wait_until(limit, every, || match probe() {
        Some(value) => Probe::Ready(value),
        None => Probe::NotYet("not yet".to_owned()),
    })
    .unwrap()
}

#[test]
fn a_socket_that_exists_accepts_connections() {
    for _ in 0..2000 {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("keeper");
        let waiting = socket.clone();
        let connected = std::thread::spawn(move || {
            while !waiting.exists() {
                std::hint::spin_loop();
            }
            UnixStream::connect(waiting)
        });
        let _listener = open_socket(&socket).unwrap();
        connected.join().unwrap().unwrap();
    }
}

/// Hash of the system files that SkyPilot's setup of a node changes.
fn system_files() -> String {
    let script = "find /etc /usr/lib/systemd /var/lib/dpkg -type f -print0 2>/dev/null | sort -z \
                  | xargs -0 sha256sum | sha256sum";
    let output = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_root_changes_on_a_node_is_changed_there_alone() {
    if !can_run() {
        return;
    }
    let before = system_files();
    let keeper = TestKeeper::with_instance();
    let script = "echo changed >/etc/skyload-test; rm -rf /etc/security/limits.d
echo '* soft nofile 1' >>/etc/passwd; rm /etc/os-release
{ mkdir -p /usr/lib/systemd/skyload-test; echo x >>/var/lib/dpkg/status; } 2>/dev/null
cat /etc/skyload-test; find /run -type s; cat /home/ubuntu/from-image; hostname; id -u ubuntu";
    assert_eq!(keeper.run(script), format!("changed\nimage\nnode-1\n{UBUNTU}"));
    assert_eq!(system_files(), before);
    assert!(!fs::exists("/etc/skyload-test").unwrap());
}

#[test]
fn root_on_a_node_has_no_files_of_users_and_no_power_over_the_machine() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    let script =
        "ls -A /root /srv /mnt /media /home 2>/dev/null; mount -t tmpfs tmpfs /mnt 2>/dev/null && echo mounted
mknod /tmp/disk b 8 0 2>/dev/null && echo disk; date -s 2020-01-01 >/dev/null 2>&1 && echo clock
echo done";
    let shown = keeper.run(script);
    assert!(shown.ends_with("done") && !shown.contains("mounted"), "{shown}");
    assert!(!shown.contains("disk") && !shown.contains("clock"), "{shown}");
    let names: Vec<&str> = shown.lines().filter(|line| !line.ends_with(':')).collect();
    let names: Vec<&&str> = names.iter().filter(|line| !line.is_empty()).collect();
    assert_eq!(names, [&"ubuntu", &"done"], "{shown}");
}

#[test]
fn a_node_reaches_the_cloud_api_and_nothing_else_and_listens_to_nobody_outside() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (api, other) = (keeper.api.address, other.local_addr().unwrap().port());
    let listening = || fs::read_to_string("/proc/net/tcp").unwrap();
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3
exec 3<>/dev/tcp/169.254.169.254/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; tail -n 1 <&3
(exec 4<>/dev/tcp/127.0.0.1/{other}) 2>/dev/null && echo other
(exec 5<>/dev/tcp/192.0.2.1/80) 2>/dev/null && echo internet
ls /sys/class/net
python3 -c 'import socket, time
s = socket.socket(); s.bind((\"0.0.0.0\", 47321)); s.listen(); print(\"listening\", flush=True)
time.sleep(600)' >/tmp/out 2>&1 & until grep -s listening /tmp/out; do sleep 0.1; done",
        api.port()
    );
    assert_eq!(keeper.run(&script), "stand-in\nstand-in\nlo\nlistening");
    let port = format!(":{:X} ", 47321);
    assert!(!listening().contains(&port));
    assert!(keeper.run("cat /proc/net/tcp").contains(&port));
}

#[test]
fn a_port_that_the_security_group_opens_leads_to_the_node_while_the_instance_runs() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::start();
    let address = "127.54.83.1";
    keeper.api.set("i-1", "running", Some(address));
    let script = format!(
        "mkdir /tmp/site; echo from-node >/tmp/site/file; cd /tmp/site
setsid python3 -m http.server {OPEN_PORT} >/dev/null 2>&1 &"
    );
    let (text, error) = keeper.connect(address, &script);
    assert_eq!((text.as_str(), error.as_str()), ("", ""));
    let get = || -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect((address, OPEN_PORT))?;
        stream.write_all(b"GET /file HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = soon(|| get().ok().filter(|answer| answer.contains(" 200 ")));
    assert!(answer.ends_with("from-node\n"), "{answer}");
    keeper.api.set("i-1", "terminated", None);
    soon(|| get().is_err().then_some(()));
}

#[test]
fn killing_the_keeper_ends_all_processes_of_nodes() {
    if !can_run() {
        return;
    }
    let mut keeper = TestKeeper::with_instance();
    keeper.run("setsid sleep 601 >/dev/null 2>&1 &");
    let processes = keeper.descendants();
    let line = |it: &ProcessIdentity| fs::read_to_string(format!("/proc/{}/cmdline", it.pid));
    assert!(processes.iter().any(|it| line(it).is_ok_and(|line| line.contains("sleep"))));
    kill(keeper.pid(), Signal::SIGKILL).unwrap();
    keeper.child.wait().unwrap();
    soon(|| processes.iter().all(|process| !process.is_alive()).then_some(()));
}

#[test]
fn a_keeper_that_is_told_to_end_ends_its_nodes() {
    if !can_run() {
        return;
    }
    let mut keeper = TestKeeper::with_instance();
    keeper.run("setsid sleep 602 >/dev/null 2>&1 &");
    let processes = keeper.descendants();
    assert!(!processes.is_empty());
    kill(keeper.pid(), Signal::SIGTERM).unwrap();
    assert!(keeper.child.wait().unwrap().success());
    assert!(processes.iter().all(|process| !process.is_alive()));
}

#[test]
fn a_stopped_node_keeps_its_files_and_a_terminated_one_does_not() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    keeper.run(
        "echo kept >/home/ubuntu/file; echo kept >/etc/file; setsid sleep 603 >/dev/null 2>&1 &",
    );
    keeper.api.set("i-1", "stopped", None);
    soon(|| keeper.descendants().is_empty().then_some(()));
    let (_, error) = keeper.connect(ADDRESS, "echo");
    assert!(error.contains("no instance has the address"), "{error}");

    let again = "54.0.0.2";
    keeper.api.set("i-1", "running", Some(again));
    let (text, error) =
        keeper.connect(again, "cat /home/ubuntu/file /etc/file; pgrep -f 'sleep 603'");
    assert_eq!((text.as_str(), error.as_str()), ("kept\nkept\n", ""));

    let files = keeper.settings.folder.join("nodes/i-1");
    assert!(files.exists());
    keeper.api.set("i-1", "terminated", None);
    soon(|| (!files.exists()).then_some(()));
    assert!(keeper.descendants().is_empty());
}

#[test]
fn a_node_that_was_stopped_and_started_between_two_looks_is_a_new_one() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    keeper.run("setsid sleep 604 >/dev/null 2>&1 &");
    keeper.api.set("i-1", "running", Some("54.0.0.3"));
    let (text, _) = keeper.connect("54.0.0.3", "pgrep -f 'sleep 604' || echo none");
    assert_eq!(text, "none\n");
}

#[test]
fn connections_at_once_share_a_node() {
    if !can_run() {
        return;
    }
    let keeper = TestKeeper::with_instance();
    std::thread::scope(|scope| {
        for number in 0..4 {
            let keeper = &keeper;
            scope.spawn(move || keeper.run(&format!("touch /tmp/{number}")));
        }
    });
    assert_eq!(keeper.run("ls /tmp"), "0\n1\n2\n3");
}

#[test]
fn an_address_without_an_instance_is_an_error_in_one_line() {
    let keeper = TestKeeper::start();
    keeper.api.set("i-1", "pending", Some(ADDRESS));
    let (text, error) = keeper.connect("54.9.9.9", "echo");
    assert_eq!((text.as_str(), error.as_str()), ("", "no instance has the address 54.9.9.9"));
    assert!(!keeper.folder.path().join("keeper/nodes").exists());
}

#[test]
fn the_proxy_command_is_quoted_for_a_shell_and_for_ssh() {
    let command =
        proxy_command_of(Path::new("/a b/100%/xtask"), Path::new("/state/nodes-1/keeper")).unwrap();
    assert_eq!(command, "'/a b/100%%/xtask' __node-ssh /state/nodes-1/keeper %h");
}
