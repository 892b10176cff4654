//! Slurm's queue: what is in it, and what is taken out of it.

use anyhow::Result;

use super::node::Node;

/// A job that is in the queue, be it that it waits or runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    id: String,
    pub(super) name: String,
}

/// All jobs that have not ended.
pub(super) fn jobs(node: &Node) -> Result<Vec<Job>> {
    let queue = node.read("squeue", &["-h", "-o", "%i %T %j"])?;
    Ok(queue.lines().filter_map(queued).collect())
}

/// The names of all that Slurm lists, with their states.
pub(super) fn described(node: &Node) -> Result<Vec<String>> {
    let queue = node.read("squeue", &["-h", "-o", "%j (%T)"])?;
    Ok(queue.lines().map(|line| line.trim().to_owned()).collect())
}

/// Cancels the jobs whose names contain `text`, and no others.
pub(super) fn cancel(node: &Node, text: &str) -> Result<()> {
    let jobs = jobs(node)?.into_iter().filter(|job| job.name.contains(text));
    let ids: Vec<String> = jobs.map(|job| job.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let args: Vec<&str> = ids.iter().map(String::as_str).collect();
    node.read("scancel", &args).map(drop)
}

/// The job in a line of `squeue`; `None` for one that was ended, whose processes a slow node
/// has yet to end.
fn queued(line: &str) -> Option<Job> {
    let (id, rest) = line.trim().split_once(' ')?;
    let (state, name) = rest.split_once(' ')?;
    let has_ended = matches!(state, "COMPLETING" | "COMPLETED" | "CANCELLED" | "FAILED");
    (!has_ended).then(|| Job { id: id.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_was_ended_is_not_in_the_queue() {
        let job = |state: &str| queued(&format!("  7 {state} skyload-3fa9-a b"));
        let named = Some(Job { id: "7".to_owned(), name: "skyload-3fa9-a b".to_owned() });
        assert_eq!(job("RUNNING"), named);
        assert_eq!(job("PENDING"), named);
        assert_eq!(job("COMPLETING"), None);
        assert_eq!(queued("slurm_load_jobs error"), None);
    }
}
