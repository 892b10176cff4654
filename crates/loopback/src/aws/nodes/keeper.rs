//! Keeper of nodes, the separate process `__node-keeper`.
//!
//! Each connection has a thread: it finds the instance with the address, makes the instance's
//! node if there is none, and runs sshd in the node until the session ends. The main thread
//! ends the nodes of stopped and terminated instances.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::parent_id;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use host::signals::Signals;
use skyload::poll;

use super::accept::accept_all;
use super::ec2::{Ec2, Instance, State};
use super::init::ENDING;
use super::node::{self, Node, SCRIPT, Session, sshd};
use super::streams::{self, Streams};
use super::{NodesSettings, log};

/// Interval at which the states of instances are read.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Interval at which signals and the parent are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs the keeper with its settings as JSON, until a signal or the end of the supervisor.
pub fn keep(settings: &str) -> Result<()> {
    let settings: NodesSettings =
        serde_json::from_str(settings).context("reading the keeper's settings")?;
    keep_with(settings, sshd())
}

/// [`keep`] with the program that serves each connection.
pub(super) fn keep_with(settings: NodesSettings, program: Vec<String>) -> Result<()> {
    let supervisor = parent_id();
    let signals = Signals::listen()?;
    let listener = listen(&settings)?;
    let nodes = Arc::new(Nodes::new(settings, program));
    let accepting = Arc::clone(&nodes);
    thread::spawn(move || accept(&accepting, &listener));
    let is_over = || signals.interrupted() || parent_id() != supervisor;
    while poll::during(WATCH_INTERVAL, POLL_INTERVAL, || anyhow::Ok(is_over().then_some(())))?
        .is_none()
    {
        if let Err(error) = nodes.watch() {
            // The API may be starting or ending; the next round tries again.
            log(&format!("{error:#}"));
        }
    }
    nodes.end_all();
    Ok(())
}

/// Writes the script and opens the socket.
fn listen(settings: &NodesSettings) -> Result<UnixListener> {
    let folder = &settings.folder;
    let making = || format!("making the keeper's folder `{}`", folder.display());
    DirBuilder::new().recursive(true).mode(0o711).create(folder).with_context(making)?;
    fs::write(node::script(settings), SCRIPT).with_context(making)?;
    open_socket(&settings.socket())
}

/// Socket for this user alone, which accepts connections from the moment that its file exists.
pub(super) fn open_socket(path: &Path) -> Result<UnixListener> {
    let opening = || format!("opening the socket `{}`", path.display());
    // The kernel makes the file before the socket listens, and others wait for the file.
    let unready = path.with_file_name("new");
    // No thread of this process is running yet that would make a file.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = UnixListener::bind(&unready);
    rustix::process::umask(before);
    let listener = listener.with_context(opening)?;
    fs::rename(&unready, path).with_context(opening)?;
    Ok(listener)
}

fn accept(nodes: &Arc<Nodes>, listener: &UnixListener) {
    accept_all(
        "the keeper",
        || listener.accept(),
        |(connection, _)| {
            let (nodes, connection) = (Arc::clone(nodes), Arc::new(connection));
            let served = Arc::clone(&connection);
            let serve = move || {
                if let Err(error) = nodes.serve(&served) {
                    refuse(&served, &format!("{error:#}"));
                }
            };
            if let Err(error) = thread::Builder::new().spawn(serve) {
                refuse(&connection, &format!("starting a thread for the connection: {error}"));
            }
        },
    );
}

/// Logs the error of a connection, and sends it to the other side.
fn refuse(mut connection: &UnixStream, error: &str) {
    log(error);
    // The other side may be gone.
    _ = connection.write_all(error.as_bytes());
}

/// Node of one instance; `None` while it is stopped.
type Slot = Arc<Mutex<Option<Node>>>;

/// Nodes of all instances that were connected to and are not terminated.
struct Nodes {
    settings: NodesSettings,
    /// Program that serves a connection.
    program: Vec<String>,
    ec2: Ec2,
    slots: Mutex<BTreeMap<String, Slot>>,
    /// Whether all nodes are being ended, so that none may start.
    is_ending: AtomicBool,
}

impl Nodes {
    fn new(settings: NodesSettings, program: Vec<String>) -> Self {
        let ec2 = Ec2 { api: settings.api, regions: settings.regions.clone() };
        let is_ending = AtomicBool::new(false);
        Self { settings, program, ec2, slots: Mutex::default(), is_ending }
    }

    /// Serves a connection until the session in the node ends.
    fn serve(&self, connection: &UnixStream) -> Result<()> {
        let (address, streams): (String, Streams) = streams::receive(connection)?;
        self.session(&address)?.serve(&self.program, streams)
    }

    /// Session in the node of the instance with an address. Makes the node if there is none.
    fn session(&self, address: &str) -> Result<Session> {
        let instance = self.ec2.with_address(address)?;
        let instance =
            instance.with_context(|| format!("no instance has the address {address}"))?;
        if instance.state != State::Running {
            bail!("instance {} with the address {address} is not running", instance.id);
        }
        let slot = self.slot(&instance.id);
        // Held while the node is made: SkyPilot connects several times at once.
        let mut node = lock(&slot);
        drop(node.take_if(|node| !node.is_alive() || is_restarted(node, &instance)));
        if let Some(node) = &*node {
            return Ok(node.session());
        }
        let keys = self.ec2.public_keys(&instance)?;
        let is_ending = || self.is_ending.load(Ordering::Relaxed);
        ensure!(!is_ending(), ENDING);
        Ok(node.insert(Node::start(&self.settings, &instance, &keys, is_ending)?).session())
    }

    fn slot(&self, id: &str) -> Slot {
        Arc::clone(lock(&self.slots).entry(id.to_owned()).or_default())
    }

    /// Opens ports of running instances' nodes, ends the nodes of other instances, and removes
    /// the files of terminated ones.
    fn watch(&self) -> Result<()> {
        let slots = lock(&self.slots).clone();
        if slots.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = slots.keys().map(String::as_str).collect();
        let instances: HashMap<String, Instance> =
            self.ec2.with_ids(&ids)?.into_iter().map(|it| (it.id.clone(), it)).collect();
        let running = instances.values().filter(|it| it.state == State::Running);
        let open = self.ec2.open_ports(running)?;
        for (id, slot) in &slots {
            let instance = instances.get(id).filter(|it| it.state != State::Terminated);
            // A node that is starting, which may take minutes, is looked at in a later round.
            let Some(mut node) = try_lock(slot) else { continue };
            match instance {
                Some(instance) if instance.state == State::Running => {
                    // The node of an earlier start is ended at the next connection.
                    let node = node.as_mut().filter(|node| !is_restarted(node, instance));
                    let ports = instance.groups.iter().filter_map(|group| open.get(group));
                    let ports = ports.flatten().copied().collect();
                    let errors = node.map(|node| node.open_ports(&ports)).unwrap_or_default();
                    errors.iter().for_each(|error| log(&format!("{error:#}")));
                }
                Some(_) => drop(node.take()),
                None => {
                    drop(node.take());
                    lock(&self.slots).remove(id);
                    self.remove(id);
                }
            }
        }
        Ok(())
    }

    /// Removes the files of an instance, in a thread: other nodes must not wait for it.
    fn remove(&self, id: &str) {
        let (settings, id) = (self.settings.clone(), id.to_owned());
        let remove = move || {
            if let Err(error) = node::remove(&settings, &id) {
                log(&format!("{error:#}"));
            }
        };
        if let Err(error) = thread::Builder::new().spawn(remove) {
            // They are removed with the folder of all nodes.
            log(&format!("the files of a terminated instance stay: {error}"));
        }
    }

    /// Ends all nodes. One that is starting is given up, and releases its slot.
    fn end_all(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        // Cloned: a session that is just beginning needs the lock of the slots.
        let slots = lock(&self.slots).clone();
        let nodes = slots.values().filter_map(|slot| lock(slot).take());
        let mut nodes: Vec<Node> = nodes.collect();
        // All at once: the supervisor waits for the keeper as long as the keeper for a node.
        nodes.iter_mut().for_each(Node::begin_end);
    }
}

/// Whether an instance was stopped and started since its node started: its address is another.
fn is_restarted(node: &Node, instance: &Instance) -> bool {
    node.address != instance.public
}

/// Content of a lock; `None` while another thread has it.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(content) => Some(content),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// Content of a lock. A thread that panicked holds no half-made node: nodes are inserted whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
