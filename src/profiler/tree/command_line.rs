//! Classification of members by their command line and ports.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Tree;
use crate::profiler::classify::{self, Subject};
use crate::profiler::source::ProcessSource;
use crate::server_command;

/// Hash of a command line. Command lines can be long, and one is kept for each process that
/// was ever in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u64);

impl Fingerprint {
    pub(super) fn of(command_line: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        command_line.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl<S: ProcessSource> Tree<S> {
    /// Reads a member's command line, and classifies the member if it has changed. Returns
    /// whether it has.
    pub(super) fn read_command_line(&mut self, index: usize) -> bool {
        let member = &self.members[index];
        let (pid, parent, is_unknown) =
            (member.stat.identity.pid, member.parent, member.is_unknown());
        if !self.source.command_line(pid, &mut self.command_line) {
            return false;
        }
        let fingerprint = Fingerprint::of(&self.command_line);
        // Only for an unknown image, since reading the command line of the parent may block.
        let parent_fingerprints =
            if is_unknown { self.fingerprints_of(parent) } else { Vec::new() };
        let has_changed =
            self.members[index].update_command_line(fingerprint, &parent_fingerprints);
        if has_changed {
            self.classify(index);
        }
        has_changed
    }

    /// Fingerprints of a member's command line: as last read, and the current one.
    fn fingerprints_of(&mut self, member: Option<usize>) -> Vec<Fingerprint> {
        let Some(member) = member.map(|index| &self.members[index]) else { return Vec::new() };
        // The parent may have set its title after the fork, so the fork may have either of the two.
        let mut fingerprints = Vec::from_iter(member.fingerprint);
        let mut now = Vec::new();
        if member.is_alive() && self.source.command_line(member.stat.identity.pid, &mut now) {
            fingerprints.push(Fingerprint::of(&now));
        }
        fingerprints
    }

    fn classify(&mut self, index: usize) {
        // First: whether the process is the server decides the class.
        self.update_main(index);
        let member = &mut self.members[index];
        // A port from the options has precedence.
        if member.is_main && self.ports.api.is_none() {
            self.ports.api = classify::api_port_in(&self.command_line);
        }
        let parent = member.parent.map(|parent| self.members[parent].class);
        let member = &mut self.members[index];
        let class = classify::classify(&Subject {
            pid: member.stat.identity.pid,
            command_line: &self.command_line,
            is_main: member.is_main,
            parent,
            is_fork: member.is_fork(),
        });
        let title = classify::first_argument(&self.command_line);
        member.title = String::from_utf8_lossy(title).into_owned();
        // A fork has its parent's command line.
        member.kind = match member.is_fork() {
            true => Some("fork".to_owned()),
            false => server_command::kind(server_command::arguments(&self.command_line)),
        };
        member.set_class(class);
        // The queue and web workers never get a title: only their ports tell them from executors.
        if member.is_untitled() {
            self.classify_by_ports(index);
        }
    }

    /// Decides whether a member whose command line was read is the server's main process:
    /// the member that runs the server and has no ancestor that does. Until there is one,
    /// the root is the main process, whatever it runs; afterwards the root is a wrapper.
    fn update_main(&mut self, index: usize) {
        let member = &self.members[index];
        let runs_server = !member.is_fork() && classify::runs_server(&self.command_line);
        let mut parent = member.parent;
        while let Some(ancestor) = parent.map(|parent| &self.members[parent]) {
            // A server that a request starts is part of the load, not the server under test.
            if ancestor.runs_server {
                return;
            }
            parent = ancestor.parent;
        }
        let member = &mut self.members[index];
        member.runs_server = runs_server;
        // A server that executes another program is none any more.
        member.is_main &= runs_server || member.is_root;
        if runs_server {
            // An earlier server that was restarted keeps its class.
            for other in self.members.iter_mut().filter(|other| !other.runs_server) {
                other.clear_main();
            }
            self.members[index].is_main = true;
        }
    }

    /// Classifies an untitled process by the ports on which it listens.
    pub(super) fn classify_by_ports(&mut self, index: usize) {
        let listens_on = self.source.listening_ports(self.members[index].stat.identity.pid);
        self.members[index].set_class(classify::by_ports(&listens_on, self.ports));
    }
}
