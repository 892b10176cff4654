//! What a member is: reading its command line and its ports, and classing it.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Tree;
use crate::profiler::classify::{self, Subject};
use crate::profiler::source::ProcessSource;
use crate::server_command;

/// A command line, as far as telling it from others goes: they can be long, and
/// are remembered for each process there ever was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Print(u64);

impl Print {
    pub(super) fn of(command_line: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        command_line.hash(&mut hasher);
        Self(hasher.finish())
    }
}

impl<S: ProcessSource> Tree<S> {
    /// Reads a member's command line, and classes it anew if that is another.
    pub(super) fn look(&mut self, index: usize) -> bool {
        let member = &self.members[index];
        let (pid, parent, is_unknown) =
            (member.glance.identity.pid, member.parent, member.is_unknown());
        if !self.source.command_line(pid, &mut self.command_line) {
            return false;
        }
        let print = Print::of(&self.command_line);
        let parents = if is_unknown { self.prints_of(parent) } else { Vec::new() };
        let is_other = self.members[index].take_command_line(print, &parents);
        if is_other {
            self.classify(index);
        }
        is_other
    }

    /// The command lines of a member: as it was last read, and as it is now.
    fn prints_of(&mut self, member: Option<usize>) -> Vec<Print> {
        let Some(member) = member.map(|index| &self.members[index]) else { return Vec::new() };
        let mut prints = Vec::from_iter(member.print);
        let mut now = Vec::new();
        if member.is_alive() && self.source.command_line(member.glance.identity.pid, &mut now) {
            prints.push(Print::of(&now));
        }
        prints
    }

    fn classify(&mut self, index: usize) {
        self.settle_main(index);
        let member = &mut self.members[index];
        if member.is_main && self.ports.api.is_none() {
            self.ports.api = classify::api_port_in(&self.command_line);
        }
        let parent = member.parent.map(|parent| self.members[parent].class);
        let member = &mut self.members[index];
        let class = classify::classify(&Subject {
            pid: member.glance.identity.pid,
            command_line: &self.command_line,
            is_main: member.is_main,
            parent,
            is_copy: member.is_copy(),
        });
        let title = classify::first_word(&self.command_line);
        member.title = String::from_utf8_lossy(title).into_owned();
        // A copy has its parent's words.
        member.kind = match member.is_copy() {
            true => Some("fork".to_owned()),
            false => server_command::kind(server_command::arguments(&self.command_line)),
        };
        member.take_class(class);
        if member.is_untitled() {
            self.search(index);
        }
    }

    /// Decides whether a member whose words were read is the server's main process: the
    /// one that runs the server, if it descends from none. Until there is one it is the
    /// root, whatever that runs; from then on the root was a program around the server.
    fn settle_main(&mut self, index: usize) {
        let member = &self.members[index];
        let runs_server = !member.is_copy() && classify::runs_server(&self.command_line);
        let mut parent = member.parent;
        while let Some(ancestor) = parent.map(|parent| &self.members[parent]) {
            if ancestor.runs_server {
                return;
            }
            parent = ancestor.parent;
        }
        let member = &mut self.members[index];
        member.runs_server = runs_server;
        member.is_main &= runs_server || member.is_root;
        if runs_server {
            for other in self.members.iter_mut().filter(|other| !other.runs_server) {
                other.lose_main();
            }
            self.members[index].is_main = true;
        }
    }

    /// Looks up where an untitled process waits for connections, and classes it
    /// by that.
    pub(super) fn search(&mut self, index: usize) {
        let listens_on = self.source.listening_ports(self.members[index].glance.identity.pid);
        self.members[index].take_class(classify::by_ports(&listens_on, self.ports));
    }
}
