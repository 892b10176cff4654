//! What a submitted YAML says of its task: the few fields that matter here,
//! read from what SkyPilot's client writes.
//!
//! The client sends two documents: the name of the whole and the task. One
//! document is accepted as well.

use serde_json::Value;

/// A task, as far as it is of interest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    /// Its name, or else that of the whole.
    pub(crate) name: Option<String>,
    /// Its commands.
    pub(crate) run: Option<String>,
    /// The name of the infrastructure that it insists on.
    pub(crate) infra: Option<String>,
    /// How many machines it wants.
    pub(crate) nodes: u64,
    /// How many replicas its service has, if it is one.
    pub(crate) replicas: Option<u64>,
}

impl Task {
    /// Reads a YAML.
    pub(crate) fn of(yaml: &str) -> Self {
        let documents: Vec<_> = yaml.split("\n---").map(fields).collect();
        let first = documents.first().map(Vec::as_slice).unwrap_or_default();
        let task = documents.last().map(Vec::as_slice).unwrap_or_default();
        let value = |name: &str| scalar(task, name);
        let below = |parent: &str, name: &str| {
            let (_, lines) = task.iter().find(|(key, _)| key == parent)?;
            let start = format!("{name}:");
            lines.iter().find_map(|line| Some(line.trim().strip_prefix(&start)?.trim().to_owned()))
        };
        let infra = below("resources", "infra");
        let infra = infra.map(|infra| {
            let name = infra.split('/').next().unwrap_or_default().to_ascii_lowercase();
            if name == "k8s" { "kubernetes".to_owned() } else { name }
        });
        let replicas = below("service", "min_replicas").or_else(|| below("service", "replicas"));
        let service = task.iter().any(|(key, _)| key == "service");
        Self {
            name: value("name").or_else(|| scalar(first, "name")),
            run: value("run"),
            infra: infra.filter(|infra| infra != "'*'" && infra != "*"),
            nodes: value("num_nodes").and_then(|nodes| nodes.parse().ok()).unwrap_or(1),
            replicas: service.then(|| replicas.and_then(|text| text.parse().ok()).unwrap_or(1)),
        }
    }
}

/// The keys of a document, each with its lines: the rest of its own and what
/// is indented below.
fn fields(document: &str) -> Vec<(String, Vec<String>)> {
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    for line in document.lines() {
        let inside = line.is_empty() || line.starts_with([' ', '#', '-']);
        match line.split_once(':').filter(|_| !inside) {
            Some((key, rest)) => fields.push((key.to_owned(), vec![rest.trim().to_owned()])),
            None => {
                fields.last_mut().into_iter().for_each(|(_, lines)| lines.push(line.to_owned()))
            }
        }
    }
    fields
}

fn scalar(fields: &[(String, Vec<String>)], name: &str) -> Option<String> {
    let (_, lines) = fields.iter().find(|(key, _)| key == name)?;
    let (first, rest) = lines.split_first()?;
    if first.starts_with(['|', '>']) {
        let rest: Vec<_> = rest.iter().map(|line| line.trim()).collect();
        return Some(rest.join("\n").trim_end().to_owned());
    }
    let text = folded(lines);
    if let Ok(Value::String(text)) = serde_json::from_str(&text) {
        return Some(text);
    }
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    match (quoted, text.as_str()) {
        (Some(quoted), _) => Some(quoted.replace("''", "'")),
        (None, "" | "null" | "~") => None,
        (None, plain) => Some(plain.to_owned()),
    }
}

/// Joins the lines of a scalar: a break is a space, an empty line is a break.
fn folded(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() {
            text.push('\n');
        } else {
            // A double quoted text says by a backslash that no space belongs here.
            let joined = text.strip_suffix('\\').map(str::to_owned);
            let space = joined.is_none() && !text.is_empty() && !text.ends_with('\n');
            text = joined.unwrap_or(text);
            text.push_str(if space { " " } else { "" });
            text.push_str(line);
        }
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_read_as_the_client_writes_it() {
        let yaml = "name: null\n---\n\nname: sky-cmd\n\nresources:\n  cpus: 2+\n  infra: \
                    kubernetes/here\n\nnum_nodes: 2\n\nrun: 'echo it''s\n\n  sleep 3\n\n  \
                    '\n\nfile_mounts: {}\n";
        let task = Task::of(yaml);
        assert_eq!(task.name.as_deref(), Some("sky-cmd"));
        assert_eq!(task.run.as_deref(), Some("echo it's\nsleep 3\n"));
        assert_eq!(task.infra.as_deref(), Some("kubernetes"));
        assert_eq!((task.nodes, task.replicas), (2, None));
    }

    #[test]
    fn long_lines_are_folded() {
        let task = Task::of("name: x\n---\nname: x\n\nrun: echo long\n  long; sleep\n  1\n");
        assert_eq!(task.run.as_deref(), Some("echo long long; sleep 1"));
        let task = Task::of("run: \"echo a\\n\\\n  echo b\"\n");
        assert_eq!(task.run.as_deref(), Some("echo a\necho b"));
    }

    #[test]
    fn a_file_is_read_as_people_write_it() {
        let yaml = "service:\n  readiness_probe: /\n  replicas: 2\nrun: |\n  echo a\n  echo b\n";
        let task = Task::of(yaml);
        assert_eq!(task.run.as_deref(), Some("echo a\necho b"));
        assert_eq!((task.name, task.replicas), (None, Some(2)));
    }
}
