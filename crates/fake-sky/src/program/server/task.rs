//! Parser of the task YAML in a submission, for the few fields that are used here.
//!
//! No general YAML parser: it reads the form that SkyPilot's client writes. The client sends
//! two documents, the name of the DAG and the task; a single document is accepted as well.

use serde_json::Value;

/// Task of a submission.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Task {
    /// Name of the DAG, from the header. Of a task without a header, the task's.
    pub(crate) dag: Option<String>,
    /// Name of the task.
    pub(crate) name: Option<String>,
    /// Shell commands.
    pub(crate) run: Option<String>,
    /// Required infra, in lower case; `None` for any.
    pub(crate) infra: Option<String>,
    /// Number of nodes.
    pub(crate) nodes: u64,
    /// Number of replicas; `None` if the task is not a service.
    pub(crate) replicas: Option<u64>,
}

impl Task {
    /// Name of a managed job with the task. As in SkyPilot (`sky/utils/dag_utils.py`), the name of
    /// the DAG goes first.
    pub(crate) fn name_of_managed_job(&self) -> Option<&str> {
        self.dag.as_deref().or(self.name.as_deref())
    }

    /// Parses the YAML of a task.
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
            dag: scalar(first, "name"),
            name: value("name"),
            run: value("run"),
            infra: infra.filter(|infra| infra != "'*'" && infra != "*"),
            nodes: value("num_nodes").and_then(|nodes| nodes.parse().ok()).unwrap_or(1),
            replicas: service.then(|| replicas.and_then(|text| text.parse().ok()).unwrap_or(1)),
        }
    }
}

/// Top-level keys of a document, each with its lines: the rest of the key's line, then the
/// lines below it.
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

/// Folds the lines of a scalar, by YAML's rules: a line break becomes a space, an empty line
/// becomes a line break.
fn folded(lines: &[String]) -> String {
    let mut text = String::new();
    for line in lines.iter().map(|line| line.trim()) {
        if line.is_empty() {
            text.push('\n');
        } else {
            // In a double-quoted scalar, a backslash before the line break suppresses the
            // space.
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
    fn a_task_of_skypilots_client_is_parsed() {
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
    fn a_managed_job_has_the_name_of_its_dag_or_else_of_its_task() {
        let name = |yaml| Task::of(yaml).name_of_managed_job().map(str::to_owned);
        assert_eq!(name("name: d\n---\n\nname: t\n\nrun: x\n").as_deref(), Some("d"));
        assert_eq!(name("name: null\n---\n\nname: t\n\nrun: x\n").as_deref(), Some("t"));
        assert_eq!(name("name: t\nrun: x\n").as_deref(), Some("t"));
        assert_eq!(name("name: null\n---\n\nrun: x\n"), None);
    }

    #[test]
    fn a_name_in_the_header_is_not_the_name_of_the_task() {
        assert_eq!(Task::of("name: d\n---\n\nrun: x\n").name, None);
    }

    #[test]
    fn long_lines_are_folded() {
        let task = Task::of("name: x\n---\nname: x\n\nrun: echo long\n  long; sleep\n  1\n");
        assert_eq!(task.run.as_deref(), Some("echo long long; sleep 1"));
        let task = Task::of("run: \"echo a\\n\\\n  echo b\"\n");
        assert_eq!(task.run.as_deref(), Some("echo a\necho b"));
    }

    #[test]
    fn a_hand_written_task_is_parsed() {
        let yaml = "service:\n  readiness_probe: /\n  replicas: 2\nrun: |\n  echo a\n  echo b\n";
        let task = Task::of(yaml);
        assert_eq!(task.run.as_deref(), Some("echo a\necho b"));
        assert_eq!((task.name, task.replicas), (None, Some(2)));
    }
}
