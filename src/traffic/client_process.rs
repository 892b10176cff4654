//! Environment of the processes that scenarios start.

use tokio::process::Command as Process;

use crate::credentials::Credentials;
use crate::env;
use crate::record::environment::{ClientSettings, Inherited};

/// Sets the variables of a process that acts as the SkyPilot user `user_id`, and its working
/// directory.
pub(super) fn prepare(
    process: &mut Process,
    settings: &ClientSettings,
    credentials: &Credentials,
    user_id: &str,
) {
    inherit(process, settings);
    process
        .envs(settings.variables.iter().map(|(name, value)| (name, value)))
        // After the variables of the settings, which these replace.
        .env(env::USER_ID, user_id)
        .env(env::SENT_USER, user_id)
        .envs(endpoint_with_login(settings, credentials));
}

/// Sets the working directory of a process, and the variables that it inherits: this process
/// has those of the shell, of cargo and of nextest.
fn inherit(process: &mut Process, settings: &ClientSettings) {
    // Python imports packages from the working directory, and SkyPilot reads settings in it.
    process.current_dir("/");
    if let Inherited::Only(names) = &settings.inherits {
        process.env_clear();
        process.envs(names.iter().filter_map(|name| Some((name, env::raw(name)?))));
    }
    for name in settings.without.iter().map(String::as_str).chain(env::SCENARIO_ONLY) {
        process.env_remove(name);
    }
}

/// Variable with the server's address and the login. The address in the run's files has no
/// login. A token and cookies need no variable here: `sky` reads them as this process does, from
/// the environment and from the file that it names.
fn endpoint_with_login(
    settings: &ClientSettings,
    credentials: &Credentials,
) -> Option<(&'static str, String)> {
    let Credentials::Login(login) = credentials else { return None };
    Some((env::ENDPOINT, login.put_into(&settings.endpoint)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn processes_of_users_do_not_inherit_variables_of_scenarios() {
        let settings = ClientSettings {
            endpoint: "http://127.0.0.1:1".parse().unwrap(),
            sky: "sky".into(),
            variables: Vec::new(),
            without: Vec::new(),
            inherits: Inherited::All,
        };
        let mut process = Process::new("sky");
        prepare(&mut process, &settings, &Credentials::None, "u");
        let set: Vec<_> = process.as_std().get_envs().collect();
        for name in env::SCENARIO_ONLY {
            assert!(set.contains(&(OsStr::new(name), None)), "{name}: {set:?}");
        }
    }
}
