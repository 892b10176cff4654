//! Size of the server: `--size`, `--workers` and the mode that they imply.

use super::Resolver;
use crate::machine_size::MachineSize;
use crate::plan::{PinnedWorkers, ServerTarget};
use crate::units::ByteSize;

impl Resolver<'_> {
    /// Size of the server: that of the flag, or of the plan.
    pub(super) fn server_size(&mut self) -> Option<MachineSize> {
        let Some(text) = self.request.size.as_deref() else { return self.settings.size };
        let size = text.parse();
        size.map_err(|error| self.error(format!("--size: {error}"))).ok()
    }

    /// Whether an isolated server runs in deploy mode: with the flag, or with a size, as on a
    /// machine of its own.
    pub(super) fn is_deployed(&mut self, size: Option<MachineSize>) -> bool {
        let (deploy, local) = (self.request.deploy, self.request.local);
        // A size that could not be read still asks for one.
        let is_sized = size.is_some() || self.request.size.is_some();
        if deploy && local {
            self.error("--local: conflicts with --deploy; remove one of the two".to_owned());
        } else if local && !is_sized {
            self.error(
                "--local: a server without a size runs in local mode anyway; remove it, or add \
                 --size"
                    .to_owned(),
            );
        }
        deploy || (is_sized && !local)
    }

    /// Adds errors for flags that set the size of a server that skyload does not start.
    pub(super) fn check_size_of(&mut self, server: &ServerTarget) {
        if matches!(server, ServerTarget::Isolated { .. }) {
            return;
        }
        let (request, of_plan) = (self.request, self.settings.size.is_some());
        let given = [
            ("--size", request.size.is_some()),
            ("--workers", request.workers.is_some()),
            ("size of the plan", of_plan && request.size.is_none()),
        ];
        for (name, _) in given.into_iter().filter(|(_, is_given)| *is_given) {
            self.error(format!(
                "{name}: only for an isolated server, others have the size of their machine; \
                 remove --server or {}",
                if name.starts_with("--") { name } else { "use another plan" }
            ));
        }
    }

    /// Sizes of executor pools that the flag sets.
    pub(super) fn pinned_workers(&mut self) -> PinnedWorkers {
        let Some(text) = self.request.workers.as_deref() else { return PinnedWorkers::default() };
        text.parse().unwrap_or_else(|error| {
            self.error(format!("--workers: {error}"));
            PinnedWorkers::default()
        })
    }

    /// Whether the memory of a size is more than is usable, which is a usage error: the server
    /// would take the memory that is kept free before it reaches its own limit.
    pub(super) fn exceeds_memory(
        &mut self,
        size: Option<MachineSize>,
        usable: ByteSize,
        floor: ByteSize,
    ) -> bool {
        let Some(size) = size.filter(|size| size.memory > usable) else { return false };
        let machine = self.machine;
        self.error(format!(
            "--size: {} of memory for the server, {usable} is usable ({} available, {floor} kept \
             free{})\n  hint: use a smaller size, or a larger machine",
            size.memory,
            machine.memory_available,
            machine.memory_limit()
        ));
        true
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::tests::{MACHINE, config};
    use super::*;
    use crate::config::Config;
    use crate::plan::{LoadPlan, Machine, UsageErrors};
    use crate::record::request::LoadRequest;

    fn sized(size: &str) -> LoadRequest {
        LoadRequest { size: Some(size.to_owned()), ..LoadRequest::default() }
    }

    fn errors(request: &LoadRequest, machine: &Machine) -> Vec<String> {
        let UsageErrors(errors) = LoadPlan::resolve(request, &config(), machine).unwrap_err();
        errors
    }

    #[test]
    fn a_size_implies_deploy_mode_unless_local_mode_is_named() {
        let mode =
            |request: &LoadRequest| LoadPlan::resolve(request, &config(), &MACHINE).unwrap().server;
        assert_eq!(mode(&sized("2x4")), ServerTarget::Isolated { deploy: true });
        let local = LoadRequest { local: true, ..sized("2x4") };
        assert_eq!(mode(&local), ServerTarget::Isolated { deploy: false });
        assert_eq!(mode(&LoadRequest::default()), ServerTarget::Isolated { deploy: false });
    }

    #[test]
    fn a_plan_can_have_a_size_that_the_flag_replaces() {
        let config = Config::parse("[plans.default]\nsize = \"2x4\"\n", "skyload.toml").unwrap();
        let size = |request: &LoadRequest| {
            let plan = LoadPlan::resolve(request, &config, &MACHINE).unwrap();
            plan.size.map(|size| size.typed())
        };
        assert_eq!(size(&LoadRequest::default()).as_deref(), Some("2x4"));
        assert_eq!(size(&sized("4x8GiB")).as_deref(), Some("4x8"));
        let error = Config::parse("[plans.default]\nsize = \"2\"\n", "f").unwrap_err().to_string();
        assert!(error.starts_with("f:2: expected whole CPUs x GiB"), "{error}");
    }

    #[rstest]
    #[case::no_size(sized("4"), "--size: expected whole CPUs x GiB")]
    #[case::both_modes(
        LoadRequest { deploy: true, local: true, ..sized("2x4") },
        "--local: conflicts with --deploy"
    )]
    #[case::local_without_a_size(
        LoadRequest { local: true, ..LoadRequest::default() },
        "--local: a server without a size"
    )]
    #[case::no_pools(
        LoadRequest { workers: Some("web=3".to_owned()), ..LoadRequest::default() },
        "--workers: expected numbers of executors"
    )]
    #[case::of_a_local_server(
        LoadRequest { server: Some("system".to_owned()), ..sized("2x4") },
        "--size: only for an isolated server"
    )]
    #[case::pools_of_a_remote_server(
        LoadRequest {
            server: Some("http://127.0.0.1:1".to_owned()),
            workers: Some("long=3".to_owned()),
            ..LoadRequest::default()
        },
        "--workers: only for an isolated server"
    )]
    fn mistakes_are_usage_errors(#[case] request: LoadRequest, #[case] expected: &str) {
        let errors = errors(&request, &MACHINE);
        assert!(errors.len() == 1 && errors[0].starts_with(expected), "{errors:?}");
    }

    #[test]
    fn memory_beyond_what_is_usable_is_an_error_even_with_yes() {
        let machine = Machine { memory_available: ByteSize::gib(6), ..MACHINE };
        for yes in [false, true] {
            let errors = errors(&LoadRequest { yes, ..sized("2x8") }, &machine);
            let [error] = &errors[..] else { panic!("{errors:?}") };
            assert!(error.starts_with("--size: 8.0 GiB of memory for the server, "), "{error}");
        }
    }
}
