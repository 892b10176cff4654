//! Command lines of processes: which module or program a process runs, and on which port.
//!
//! `timeout 600 python -m sky.server.server` contains all arguments of a server and is none.
//! Only for Python does `-m` name the module to run, and only before the first argument that
//! is no option.

/// Module of SkyPilot's API server.
pub const SERVER: &[u8] = b"sky.server.server";

/// Arguments of a command line in the format of `/proc/PID/cmdline`: separated by NULs.
pub fn arguments(command_line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    // A process that sets its title pads the rest of the command line with NULs: skip empty
    // arguments.
    command_line
        .split(|&byte| byte == 0)
        .map(<[u8]>::trim_ascii)
        .filter(|argument| !argument.is_empty())
}

/// Module that a Python with these arguments runs; `None` for other programs, and for a
/// Python that runs a script or code.
pub fn python_module<'a>(mut arguments: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    if !is_python(arguments.next()?) {
        return None;
    }
    while let Some(argument) = arguments.next() {
        // The only long option of CPython that takes a value.
        if argument == b"--check-hash-based-pycs" {
            arguments.next()?;
        } else if !argument.starts_with(b"--") {
            // The first argument that is no option is a script.
            let letters = argument.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
            // `-u -B -m module` may be written as `-uBmmodule`: the first letter that takes a
            // value ends the group.
            let with_value = letters.iter().position(|letter| b"mcXW".contains(letter));
            match with_value.map(|at| letters.split_at(at + 1)) {
                Some(([.., b'm'], [])) => return arguments.next(),
                Some(([.., b'm'], module)) => return Some(module),
                Some(([.., b'c'], _)) => return None,
                Some((_, [])) => _ = arguments.next()?,
                _ => {}
            }
        }
    }
    None
}

/// Whether the arguments run the server's module, in this process or in one that the
/// process starts.
pub fn mentions_server<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> bool {
    after_module(arguments).is_some()
}

/// Port in the arguments of a server; `None` without a valid `--port`.
pub fn port<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Option<u16> {
    // Arguments before the module belong to a program around the server.
    let (mut arguments, mut found) = (after_module(arguments)?, None);
    while let Some(argument) = arguments.next() {
        let port = match argument.strip_prefix(b"--port") {
            Some([]) => arguments.next(),
            Some(rest) => rest.strip_prefix(b"="),
            None => None,
        };
        // The last valid one counts.
        found = port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok()).or(found);
    }
    found
}

/// Arguments after the server's module; `None` without the module.
pub fn after_module<'a>(
    mut arguments: impl Iterator<Item = &'a [u8]>,
) -> Option<impl Iterator<Item = &'a [u8]>> {
    let mut previous: &[u8] = b"";
    loop {
        let argument = arguments.next()?;
        if (previous == b"-m" && argument == SERVER) || argument.strip_prefix(b"-m") == Some(SERVER)
        {
            return Some(arguments);
        }
        previous = argument;
    }
}

/// Short name of a process for reports: its title or program, or the module or script of
/// an interpreter. `None` without arguments.
pub fn kind<'a>(arguments: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    const LENGTH: usize = 40;
    let first = String::from_utf8_lossy(arguments.clone().next()?).into_owned();
    let kind = if first.starts_with("ssh: ") && first.contains("[mux]") {
        // A persistent connection (`ControlPersist`). Its title contains the path of its
        // socket, which would make every connection a kind of its own.
        "ssh [mux]".to_owned()
    } else if first.starts_with("SkyPilot:") {
        // A SkyPilot title ends with a pid, which would make every executor a kind of its own.
        first.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':').to_owned()
    } else {
        // A title such as `sshd: user@notty` begins with the name of the program.
        let program = file_name(first.split([':', ' ']).next().unwrap_or(&first));
        interpreted(arguments).unwrap_or_else(|| program.to_owned())
    };
    // A process can set any text as its title, which reports print.
    Some(kind.chars().filter(|c| !c.is_control()).take(LENGTH).collect())
}

/// Module, script or known code that an interpreter runs; `None` for other programs and
/// for unknown code.
fn interpreted<'a>(arguments: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    const SHELLS: [&[u8]; 5] = [b"sh", b"bash", b"dash", b"ash", b"zsh"];
    const CODE: [&str; 2] = ["multiprocessing.resource_tracker", "multiprocessing.spawn"];
    if let Some(module) = python_module(arguments.clone()) {
        return Some(String::from_utf8_lossy(module).into_owned());
    }
    let first = arguments.clone().next()?;
    let name = first.rsplit(|&byte| byte == b'/').next().unwrap_or(first);
    // A login shell has a `-` before its name.
    if !is_python(first) && !SHELLS.contains(&name.strip_prefix(b"-").unwrap_or(name)) {
        return None;
    }
    for argument in arguments.skip(1) {
        let text = String::from_utf8_lossy(argument);
        let known = CODE.iter().find(|code| text.contains(*code));
        if let Some(code) = known {
            return Some((*code).to_owned());
        }
        // `-c CODE`: the code is the next argument, and may be a known one.
        if text.starts_with('-') && text.ends_with('c') {
            continue;
        }
        if !text.starts_with('-') {
            let script = !text.contains(char::is_whitespace) && text.contains(['/', '.']);
            return script.then(|| file_name(&text).to_owned());
        }
    }
    None
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Whether a program is CPython or PyPy by its file name, such as `python3.11`.
fn is_python(program: &[u8]) -> bool {
    let name = program.rsplit(|&byte| byte == b'/').next().unwrap_or(program);
    let name = name.to_ascii_lowercase();
    name.starts_with(b"python") || name.starts_with(b"pypy")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments of a line, separated by spaces in these tables.
    fn split(line: &str) -> impl Iterator<Item = &[u8]> + Clone {
        line.as_bytes().split(|&byte| byte == b' ')
    }

    #[test]
    fn a_python_runs_the_module_that_its_own_option_names() {
        for (line, module) in [
            ("/v/bin/python -m sky.server.server --port=1", Some("sky.server.server")),
            ("python3.11 -u -msky.jobs.controller 7", Some("sky.jobs.controller")),
            ("pypy3 -uBm a.b", Some("a.b")),
            ("python -X importtime -Wignore -m a.b", Some("a.b")),
            ("python --check-hash-based-pycs always -m a.b", Some("a.b")),
            ("python /opt/conda/bin/conda run python -m a.b", None),
            ("python -c code -m a.b", None),
            ("python - -m a.b", None),
            ("python -m", None),
            ("python", None),
            ("timeout 600 python -m a.b", None),
            ("strace -f -m a.b", None),
            ("tini -- python -m a.b", None),
        ] {
            assert_eq!(python_module(split(line)), module.map(str::as_bytes), "{line}");
        }
    }

    #[test]
    fn the_port_is_found_in_the_servers_arguments_alone() {
        for (line, named) in [
            ("python -m sky.server.server --host=:: --port=46780", Some(46780)),
            ("python -m sky.server.server --port 46780", Some(46780)),
            ("python -m sky.server.server --port=1 --port=2", Some(2)),
            ("forward --port=7 python -m sky.server.server --port=2", Some(2)),
            ("forward --port=7 python -m sky.server.server", None),
            ("python -m sky.server.server --port=http", None),
            ("sky --port=3", None),
        ] {
            assert_eq!(port(split(line)), named, "{line}");
        }
    }

    #[test]
    fn a_kind_is_a_short_name() {
        for (line, expected) in [
            ("ssh|-T|node|true", "ssh"),
            ("/usr/bin/rsync|-a|x|y", "rsync"),
            ("/opt/slurm/bin/squeue|--me", "squeue"),
            ("ssh: /tmp/sky_ssh_3fa9/11ab/84 [mux]", "ssh [mux]"),
            ("sshd: skyload@notty", "sshd"),
            ("/v/bin/python|-I|-S|/v/sky/metrics/container_memory.py", "container_memory.py"),
            ("python3|/v/sky/skylet/subprocess_daemon.py|--pid|7", "subprocess_daemon.py"),
            ("/usr/bin/python3|/usr/bin/aws|--version", "aws"),
            (
                "python|-B|-c|from multiprocessing.resource_tracker import main;main(25)",
                "multiprocessing.resource_tracker",
            ),
            ("python|-u|-msky.jobs.controller|7", "sky.jobs.controller"),
            ("python3|-u|-c|import sys; import os", "python3"),
            ("/bin/sh|-c|aws --version", "sh"),
            ("-bash", "-bash"),
            ("bash|/x/start.sh", "start.sh"),
            ("SkyPilot:executor:short:4711", "SkyPilot:executor:short"),
            ("kubectl|exec|pod", "kubectl"),
        ] {
            let arguments = line.as_bytes().split(|&byte| byte == b'|');
            assert_eq!(kind(arguments).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(kind(std::iter::empty()), None);
    }

    #[test]
    fn a_program_that_starts_the_server_mentions_it() {
        assert!(mentions_server(split("timeout 600 python -m sky.server.server")));
        assert!(mentions_server(split("sudo python -msky.server.server")));
        assert!(!mentions_server(split("grep sky.server.server -m 1")));
    }
}
