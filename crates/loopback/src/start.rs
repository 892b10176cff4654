//! Start of a local infra: parameters that all of them share, and the new infra's record.

use anyhow::Result;
use host::progress::Progress;
use host::signals::Signals;
use host::workspace::Workspace;
use skyload::ids::RunId;
use skyload::infrastructure::LocalInfra;
use skyload::record::Version;

use crate::account::Account;
use crate::base_dir::BaseDir;
use crate::image::Image;
use crate::ports::InfraPorts;
use crate::record::Record;
use crate::running::{InfraOptions, clean_up};
use crate::skypilot::SkyPilot;

/// Parameters of the start of a local infra.
#[derive(Clone, Copy)]
pub struct Start<'a> {
    /// Checkout and state directory.
    pub workspace: &'a Workspace,
    /// SkyPilot that launches on the infra.
    pub sky: &'a SkyPilot,
    /// Options of the command line.
    pub options: &'a InfraOptions,
    /// Signals, which end a start.
    pub signals: &'a Signals,
    /// Progress of the start.
    pub progress: Progress,
}

impl Start<'_> {
    /// Record of a persistent infra that the SkyPilot can use; `None` if there is none. Removes the
    /// infra of a run that was killed.
    pub(crate) fn existing(&self, infra: LocalInfra) -> Result<Option<Record>> {
        clean_up(self.workspace, infra, self.progress)?;
        let existing = Record::read(self.workspace, infra)?;
        if let Some(record) = &existing {
            record.ensure_usable_by(&self.sky.program)?;
        }
        Ok(existing)
    }

    /// Record of a new infra without a supervisor, whose processes run as `account`; `image` is
    /// that of its nodes, `None` for an infra without nodes.
    pub(crate) fn new_record(
        &self,
        base_dir: &BaseDir,
        ports: InfraPorts,
        account: Account,
        image: Option<&Image>,
    ) -> Record {
        let id = RunId::generate().to_string();
        Record {
            version: Version,
            owner: self.options.lifetime.owner(),
            supervisor: None,
            folder: base_dir.nodes(&id),
            account,
            ports,
            sky: self.sky.program.clone(),
            sky_version: self.sky.version.clone(),
            wheel_hash: image.map(|image| image.hash.clone()),
            image: image.map(|image| image.folder.clone()),
            priority: self.options.priority,
            id,
        }
    }
}
