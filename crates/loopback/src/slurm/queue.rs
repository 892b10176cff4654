//! Jobs in Slurm's queue: listing and cancelling them.

use anyhow::Result;

use super::node::Node;

/// Pending or running job.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Job {
    id: String,
    pub(super) name: String,
}

/// Jobs that have not ended.
pub(super) fn jobs(node: &Node) -> Result<Vec<Job>> {
    // The name is last, since it may contain blanks.
    let queue = node.read("squeue", &["-h", "-o", "%i %T %j"])?;
    Ok(queue.lines().filter_map(parse_job).collect())
}

/// Names and states of all jobs that `squeue` lists, completing ones included.
pub(super) fn names_and_states(node: &Node) -> Result<Vec<String>> {
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

/// Job in a line of `squeue`; `None` if the job has ended, as one in state COMPLETING, whose
/// processes a slow node has yet to end.
fn parse_job(line: &str) -> Option<Job> {
    let (id, rest) = line.trim().split_once(' ')?;
    let (state, name) = rest.split_once(' ')?;
    let has_ended = matches!(state, "COMPLETING" | "COMPLETED" | "CANCELLED" | "FAILED");
    (!has_ended).then(|| Job { id: id.to_owned(), name: name.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completing_job_is_not_in_the_queue() {
        let job = |state: &str| parse_job(&format!("  7 {state} skyload-3fa9-a b"));
        let named = Some(Job { id: "7".to_owned(), name: "skyload-3fa9-a b".to_owned() });
        assert_eq!(job("RUNNING"), named);
        assert_eq!(job("PENDING"), named);
        assert_eq!(job("COMPLETING"), None);
        assert_eq!(parse_job("slurm_load_jobs error"), None);
    }
}
