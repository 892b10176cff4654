//! What a process runs, by its command line: an API server, a controller, or a program
//! that only passes their words on.
//!
//! `timeout 600 python -m sky.server.server` has all the words of a server and is none.
//! Only of a Python is `-m` the module that it runs, and only before its first argument.

/// The module that is an API server.
pub const SERVER: &[u8] = b"sky.server.server";

/// The words of a command line as the kernel keeps it: each ended by a NUL. A title that
/// a process gave itself is filled up with more of these.
pub fn words(command_line: &[u8]) -> impl Iterator<Item = &[u8]> + Clone {
    command_line.split(|&byte| byte == 0).map(<[u8]>::trim_ascii).filter(|word| !word.is_empty())
}

/// The module that a Python with these words runs; `None` of any other program, and of a
/// Python that runs a script or code.
pub fn python_module<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    if !is_python(words.next()?) {
        return None;
    }
    while let Some(word) = words.next() {
        if word == b"--check-hash-based-pycs" {
            words.next()?;
        } else if !word.starts_with(b"--") {
            // The first that is no option is a script.
            let letters = word.strip_prefix(b"-").filter(|letters| !letters.is_empty())?;
            // `-u -B -m module` may be written as `-uBmmodule`.
            let taker = letters.iter().position(|letter| b"mcXW".contains(letter));
            match taker.map(|at| letters.split_at(at + 1)) {
                Some(([.., b'm'], [])) => return words.next(),
                Some(([.., b'm'], module)) => return Some(module),
                Some(([.., b'c'], _)) => return None,
                Some((_, [])) => _ = words.next()?,
                _ => {}
            }
        }
    }
    None
}

/// Whether the words name the server's module as one to be run: by whoever has them, or
/// by what that starts.
pub fn mentions_server<'a>(words: impl Iterator<Item = &'a [u8]>) -> bool {
    after_module(words).is_some()
}

/// The port that a server's words name. Words before the module are not the server's.
pub fn port<'a>(words: impl Iterator<Item = &'a [u8]>) -> Option<u16> {
    let (mut words, mut found) = (after_module(words)?, None);
    while let Some(word) = words.next() {
        let port = match word.strip_prefix(b"--port") {
            Some([]) => words.next(),
            Some(rest) => rest.strip_prefix(b"="),
            None => None,
        };
        // The last one counts.
        found = port.and_then(|port| std::str::from_utf8(port).ok()?.parse().ok()).or(found);
    }
    found
}

/// The words after the server's module.
fn after_module<'a>(
    mut words: impl Iterator<Item = &'a [u8]>,
) -> Option<impl Iterator<Item = &'a [u8]>> {
    let mut before: &[u8] = b"";
    loop {
        let word = words.next()?;
        if (before == b"-m" && word == SERVER) || word.strip_prefix(b"-m") == Some(SERVER) {
            return Some(words);
        }
        before = word;
    }
}

/// What a process is, in a word or two for a reader: its title, or its program, and of
/// an interpreter the module or script that it runs. `None` without any words.
pub fn kind<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    const LENGTH: usize = 40;
    let first = String::from_utf8_lossy(words.clone().next()?).into_owned();
    let kind = if first.starts_with("ssh: ") && first.contains("[mux]") {
        // A connection that is kept open; its title holds a path that differs for each.
        "ssh [mux]".to_owned()
    } else if first.starts_with("SkyPilot:") {
        // The pid would make every executor a kind of its own.
        first.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(':').to_owned()
    } else {
        let program = file_name(first.split([':', ' ']).next().unwrap_or(&first));
        interpreted(words).unwrap_or_else(|| program.to_owned())
    };
    Some(kind.chars().filter(|c| !c.is_control()).take(LENGTH).collect())
}

/// What an interpreter runs: a module, a script, or a known piece of code. `None` of any
/// other program, and of code that nobody knows.
fn interpreted<'a>(words: impl Iterator<Item = &'a [u8]> + Clone) -> Option<String> {
    const SHELLS: [&[u8]; 5] = [b"sh", b"bash", b"dash", b"ash", b"zsh"];
    const CODE: [&str; 2] = ["multiprocessing.resource_tracker", "multiprocessing.spawn"];
    if let Some(module) = python_module(words.clone()) {
        return Some(String::from_utf8_lossy(module).into_owned());
    }
    let first = words.clone().next()?;
    let name = first.rsplit(|&byte| byte == b'/').next().unwrap_or(first);
    if !is_python(first) && !SHELLS.contains(&name.strip_prefix(b"-").unwrap_or(name)) {
        return None;
    }
    for word in words.skip(1) {
        let text = String::from_utf8_lossy(word);
        let known = CODE.iter().find(|code| text.contains(*code));
        if let Some(code) = known {
            return Some((*code).to_owned());
        }
        // Code of which nothing is known: the program's name says as much.
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

/// `python3.11`, wherever it is.
fn is_python(program: &[u8]) -> bool {
    let name = program.rsplit(|&byte| byte == b'/').next().unwrap_or(program);
    let name = name.to_ascii_lowercase();
    name.starts_with(b"python") || name.starts_with(b"pypy")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words are separated by spaces in these tables.
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
    fn the_port_is_the_servers_own_however_it_is_spelled() {
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
    fn a_kind_is_what_a_reader_calls_it() {
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
            let words = line.as_bytes().split(|&byte| byte == b'|');
            assert_eq!(kind(words).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(kind(std::iter::empty()), None);
    }

    #[test]
    fn whoever_passes_the_words_on_mentions_the_server() {
        assert!(mentions_server(split("timeout 600 python -m sky.server.server")));
        assert!(mentions_server(split("sudo python -msky.server.server")));
        assert!(!mentions_server(split("grep sky.server.server -m 1")));
    }
}
