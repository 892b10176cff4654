//! A request as it is typed.

use std::path::Path;

use crate::record::request::LoadRequest;
use crate::shell;

impl LoadRequest {
    /// The arguments of `cargo xtask load` that ask for the same. `--yes` is not among
    /// them: it is for one run, and whoever repeats the command is asked again.
    pub fn to_args(&self) -> Vec<String> {
        // Without `..`: a new field does not compile until it is handled here.
        let Self {
            users,
            cli,
            api,
            infra,
            run_async,
            copy_credentials,
            ramp,
            fit,
            iterations,
            sky,
            server,
            deploy,
            plan,
            config,
            budgets,
            phase_peaks,
            peaks,
            server_profile,
            server_env,
            upstream_figures,
            keep_server,
            yes: _,
        } = self;
        let mut args = Args::default();
        args.path("--config", config.as_deref());
        args.value("--profile", plan.as_deref());
        args.value("--sky", sky.as_deref());
        args.value("--server", server.as_deref());
        args.path("--server-profile", server_profile.as_deref());
        args.switch("--deploy", *deploy);
        for variable in server_env {
            args.value("--server-env", Some(&variable.typed()));
        }
        args.switch("--keep-server", *keep_server);
        args.list(Short("-c", "--clouds"), infra);
        args.switch("--copy-credentials", *copy_credentials);
        args.list(Short("-r", "--requests"), cli);
        args.list(Short("--apis", "--apis"), api);
        args.switch("--run-async", *run_async);
        args.number(Short("-n", "--requests-per-scenario"), users.as_deref());
        args.value("--waves", iterations.as_deref());
        args.value("--ramp", ramp.as_deref());
        args.value("--fit", fit.as_deref());
        for budget in budgets {
            args.value("--budget", Some(budget));
        }
        args.value("--peaks", peaks.map(|peaks| peaks.name()));
        args.switch("--phase-peaks", *phase_peaks);
        args.switch("--original-semantics", *upstream_figures);
        args.0
    }

    /// The whole command, as a POSIX shell takes it.
    pub fn command(&self) -> String {
        let args = self.to_args();
        let words = args.iter().map(|arg| shell::word(arg));
        let command = ["cargo", "xtask", "load"].into_iter().map(Into::into);
        command.chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// A flag by its short name, and the long one that can have its value attached.
#[derive(Clone, Copy)]
struct Short(&'static str, &'static str);

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn push(&mut self, arg: impl Into<String>) {
        self.0.push(arg.into());
    }

    fn switch(&mut self, flag: &str, is_on: bool) {
        if is_on {
            self.push(flag);
        }
    }

    fn value(&mut self, flag: &'static str, value: Option<&str>) {
        self.number(Short(flag, flag), value);
    }

    fn path(&mut self, flag: &'static str, path: Option<&Path>) {
        self.value(flag, path.map(Path::to_string_lossy).as_deref());
    }

    fn number(&mut self, flag: Short, value: Option<&str>) {
        let Some(value) = value else { return };
        match looks_like_a_flag(value) {
            true => self.push(format!("{}={value}", flag.1)),
            false => {
                self.push(flag.0);
                self.push(value);
            }
        }
    }

    /// A flag that takes all words up to the next flag.
    fn list(&mut self, flag: Short, values: &[String]) {
        if values.iter().any(|value| looks_like_a_flag(value)) {
            for value in values {
                self.push(format!("{}={value}", flag.1));
            }
        } else if !values.is_empty() {
            self.push(flag.0);
            self.0.extend_from_slice(values);
        }
    }
}

fn looks_like_a_flag(value: &str) -> bool {
    value.starts_with('-')
}
