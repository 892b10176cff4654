//! Names of clusters, managed jobs and services that a run creates on the server.
//!
//! Every name begins with the run's tag, which tells the run's resources from those of
//! others.

use std::path::PathBuf;
use std::sync::Arc;

use crate::hash;
use crate::ids::RunId;
use crate::infrastructure::cloud_of;

/// Names of the shared resources on one infra.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedNames {
    /// Infra in SkyPilot's form: `aws`, `slurm/NAME`.
    pub infra: String,
    /// Name of the shared cluster.
    pub cluster: String,
    /// Name of the shared managed job.
    pub job: String,
    /// Name of the shared service.
    pub service: String,
    /// Name of the managed job that runs until the teardown.
    pub long_job: String,
}

impl SharedNames {
    /// Names of a run's shared resources on its infra number `number`, counted from 0.
    pub fn new(run: &RunId, infra: &str, number: usize) -> Self {
        let name = |kind: &str| match number {
            0 => format!("{}-{kind}", run.tag()),
            n => format!("{}-{kind}{n}", run.tag()),
        };
        Self {
            infra: infra.to_owned(),
            cluster: name("cluster"),
            job: name("job"),
            service: name("service"),
            long_job: name("long-job"),
        }
    }
}

/// Names and numbers that the requests of one iteration contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IterationNames {
    /// Names of the shared resources.
    pub shared: Arc<SharedNames>,
    /// Name of the cluster or managed job that this iteration creates.
    pub own: String,
    /// ID of the last job that the iteration has submitted, on a cluster or managed; before any, of
    /// the shared job that the scenario needs.
    pub job_id: Option<u64>,
    /// ID of the request that the iteration cancels; `None` before there is one.
    pub request_id: Option<String>,
    /// Directory that `sky` processes send along with a launch; empty for requests without one.
    pub workdir: PathBuf,
    /// Free port for the replica of the shared service; 8080 if `None`.
    pub service_port: Option<u16>,
    /// Duration of the shared managed job in seconds. Users must begin to follow its output
    /// before it ends, since SkyPilot may show nothing of a job that is just ending.
    pub job_seconds: u64,
}

/// Path of the working directory that sessions upload, on the client and in the uploaded zip file.
pub(crate) const UPLOADED_WORKDIR: &str = "/skyload/workdir";

/// Duration of the shared managed job in seconds, without a ramp.
pub(crate) const JOB_SECONDS: u64 = 30;

impl IterationNames {
    /// Empty names, for a request that contains none.
    pub fn none() -> Self {
        let none = String::new;
        Self {
            shared: Arc::new(SharedNames {
                infra: none(),
                cluster: none(),
                job: none(),
                service: none(),
                long_job: none(),
            }),
            own: none(),
            job_id: None,
            request_id: None,
            workdir: PathBuf::new(),
            service_port: None,
            job_seconds: JOB_SECONDS,
        }
    }

    /// Name of the managed job that this iteration submits beside its cluster.
    pub(crate) fn own_job(&self) -> String {
        format!("{}-job", self.own)
    }

    /// ID of the iteration's upload. SkyPilot's client makes it of the names and contents of the
    /// files; those of another iteration would have other names.
    pub(crate) fn blob_id(&self) -> String {
        hash::sha256(self.own.as_bytes())
    }

    /// Argument with `{cloud}`, `{infra}`, `{own}`, `{cluster}`, `{service}` and `{workdir}`
    /// replaced.
    pub fn fill(&self, argument: &str) -> String {
        argument
            .replace("{cloud}", cloud_of(&self.shared.infra))
            .replace("{infra}", &self.shared.infra)
            .replace("{own}", &self.own)
            .replace("{cluster}", &self.shared.cluster)
            .replace("{service}", &self.shared.service)
            .replace("{workdir}", &self.workdir.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn all_shared_names_begin_with_the_tag_of_the_run() {
        let run = RunId::of_directory(Path::new("20261124-081512-3fa9"));
        for number in [0, 1] {
            let names = SharedNames::new(&run, "aws", number);
            for name in [&names.cluster, &names.job, &names.service, &names.long_job] {
                assert!(name.starts_with("skyload-3fa9-"), "{name}");
            }
        }
        assert_ne!(SharedNames::new(&run, "aws", 0), SharedNames::new(&run, "aws", 1));
    }

    #[test]
    fn placeholders_are_filled_with_shared_and_own_names() {
        let shared = SharedNames::new(&RunId::of_directory(Path::new("x-1")), "slurm/loop", 0);
        let names = IterationNames {
            shared: Arc::new(shared),
            own: "mine".to_owned(),
            ..IterationNames::none()
        };
        assert_eq!(names.fill("{own}@{infra} {cloud}"), "mine@slurm/loop slurm");
        assert_eq!(names.fill("{cluster} {service}"), "skyload-1-cluster skyload-1-service");
        assert_eq!(names.fill("echo hello"), "echo hello");
    }
}
