//! What the things are called that scenarios create and share.
//!
//! Every name begins with the run's tag, so that whatever is left of a run can be
//! told from what belongs to others.

use crate::ids::RunId;

/// The things of one infrastructure that all scenarios share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedNames {
    /// What SkyPilot calls the infrastructure.
    pub infra: String,
    /// The cluster.
    pub cluster: String,
    /// The managed job.
    pub job: String,
    /// The service.
    pub service: String,
}

impl SharedNames {
    /// The names of a run's resources on its infrastructure with this number.
    pub fn new(run: &RunId, infra: &str, number: usize) -> Self {
        let name = |what: &str| match number {
            0 => format!("{}-{what}", run.tag()),
            n => format!("{}-{what}{n}", run.tag()),
        };
        Self {
            infra: infra.to_owned(),
            cluster: name("cluster"),
            job: name("job"),
            service: name("service"),
        }
    }
}

/// What one iteration of one user has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IterationNames {
    /// What is shared.
    pub shared: SharedNames,
    /// What this iteration alone creates: a cluster or a job.
    pub own: String,
    /// The number of the managed job that is shared, once there is one.
    pub job_id: Option<u64>,
    /// A free port for the service's replica, where one was looked for.
    pub service_port: Option<u16>,
    /// Seconds that the managed job runs which is shared: it is to be followed while it does.
    pub job_seconds: u64,
}

/// Seconds that the shared job runs where all follow it at once.
pub(crate) const JOB_SECONDS: u64 = 30;

impl IterationNames {
    /// Those of a request that names nothing.
    pub fn none() -> Self {
        let none = String::new;
        Self {
            shared: SharedNames { infra: none(), cluster: none(), job: none(), service: none() },
            own: none(),
            job_id: None,
            service_port: None,
            job_seconds: JOB_SECONDS,
        }
    }

    /// Replaces `{infra}`, `{own}`, `{cluster}` and `{service}` in an argument.
    pub fn fill(&self, argument: &str) -> String {
        argument
            .replace("{infra}", &self.shared.infra)
            .replace("{own}", &self.own)
            .replace("{cluster}", &self.shared.cluster)
            .replace("{service}", &self.shared.service)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn everything_that_a_run_creates_begins_with_its_tag() {
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        for number in [0, 1] {
            let names = SharedNames::new(&run, "aws", number);
            for name in [&names.cluster, &names.job, &names.service] {
                assert!(name.starts_with("skyload-3fa9-"), "{name}");
            }
        }
        assert_ne!(SharedNames::new(&run, "aws", 0), SharedNames::new(&run, "aws", 1));
    }

    #[test]
    fn an_argument_names_what_is_shared_and_what_is_the_iterations_own() {
        let shared = SharedNames::new(&RunId::of_directory(Path::new("x-1")), "slurm/loop", 0);
        let names = IterationNames { shared, own: "mine".to_owned(), ..IterationNames::none() };
        assert_eq!(names.fill("{own}@{infra}"), "mine@slurm/loop");
        assert_eq!(names.fill("{cluster} {service}"), "skyload-1-cluster skyload-1-service");
        assert_eq!(names.fill("echo hello"), "echo hello");
    }
}
