//! Tests of the module that traces executors, in executors of a stand-in for SkyPilot's package.

use std::process::Command;

use skyload::record::trace::{Allocations, Trace};
use skyload::units::ByteSize;
use tempfile::TempDir;

use super::*;

/// Functions of SkyPilot's executors: a request that takes 20 MiB for a while, and one that imports
/// a module of 12 MiB.
const EXECUTOR: &str = "
import time
KEPT = []
def executor_initializer(group, clean_env=None):
    KEPT.append(b'i' * (5 << 20))
def _request_execution_wrapper(request_id, ignore, connections=0):
    if request_id == 'grows':
        blocks = [b'x' * ((1 << 20) + number) for number in range(20)]
        time.sleep(0.4)
    elif request_id == 'imports':
        import heavy
    elif request_id == 'fails':
        raise ValueError(request_id)
    return request_id
";

const HEAVY: &str = "import wave\nTABLE = [b'x' * ((1 << 20) + number) for number in range(12)]\n";

/// Server: one executor, which runs three requests.
const SERVER: &str = "
import concurrent.futures, multiprocessing
from sky.server.requests import executor
if __name__ == '__main__':
    spawn = multiprocessing.get_context('spawn')
    with concurrent.futures.ProcessPoolExecutor(
            1, mp_context=spawn, initializer=executor.executor_initializer, initargs=('short',)) as pool:
        for request in ['grows', 'imports', 'fails']:
            future = pool.submit(executor._request_execution_wrapper, request, False, connections=2)
            assert future.exception() if request == 'fails' else future.result() == request
";

/// Traces of a server with these variables, and its standard output.
fn traces(traced: Traced, before: &[(&str, &str)]) -> (Vec<Trace>, String) {
    let (run, output, _folder) = served(EXECUTOR, SERVER, traced, before);
    assert_eq!(run.read_trace_errors().unwrap(), [""; 0]);
    (run.read_traces().unwrap(), output)
}

/// Directory of a server of this source with these executors, and its standard output.
fn served(
    executor: &str,
    server: &str,
    traced: Traced,
    before: &[(&str, &str)],
) -> (RunDir, String, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(&folder.path().join("run")).unwrap();
    prepare(&run).unwrap();
    let packages = folder.path().join("packages");
    let package = packages.join("sky/server/requests");
    fs::create_dir_all(&package).unwrap();
    for (path, content) in [
        ("sky/__init__.py", ""),
        ("sky/server/__init__.py", ""),
        ("sky/server/requests/__init__.py", ""),
        ("sky/server/requests/executor.py", executor),
        ("heavy.py", HEAVY),
        ("server.py", server),
        // Patches for a local infra: hidden by the module, which runs them.
        ("sitecustomize.py", "import os\nif os.environ.get('ECHO'): print(os.environ['ECHO'])\n"),
    ] {
        fs::write(packages.join(path), content).unwrap();
    }
    let mut others = vec![("PYTHONPATH".to_owned(), packages.display().to_string())];
    others.extend(before.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let output = Command::new("python3")
        .arg(packages.join("server.py"))
        .envs(variables(traced, &run, others))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (run, String::from_utf8_lossy(&output.stdout).into_owned(), folder)
}

fn of<'a>(traces: &'a [Trace], request: &str) -> &'a Trace {
    traces.iter().find(|trace| trace.request.as_deref() == Some(request)).unwrap()
}

#[test]
fn modules_have_their_cost_in_the_import_and_in_the_request_that_imports_them() {
    let (traces, output) = traces(Traced::Modules, &[("ECHO", "patched")]);
    assert!(output.starts_with("patched\n"), "the next sitecustomize is run: {output}");
    let import = traces.iter().find(|trace| trace.request.is_none()).unwrap();
    let names = |trace: &Trace| -> Vec<String> {
        trace.modules.iter().map(|module| module.name.clone()).collect()
    };
    let of_import = names(import);
    assert!(of_import.contains(&"sky.server.requests.executor".to_owned()), "{of_import:?}");
    assert!(!of_import.contains(&"heavy".to_owned()), "of a request: {of_import:?}");
    assert!(import.growth() >= ByteSize::mib(5), "the initializer counts: {import:?}");

    let grows = of(&traces, "grows");
    assert!(grows.growth() >= ByteSize::mib(19), "{grows:?}");
    assert!(grows.is_whole && grows.modules.is_empty() && grows.allocations.is_none(), "{grows:?}");
    assert_eq!((grows.queue.as_deref(), grows.earlier_requests), (Some("short"), 0));

    let imports = of(&traces, "imports");
    let [heavy, wave] = ["heavy", "wave"].map(|name| {
        let mut modules = imports.modules.iter();
        modules.find(|module| module.name == name).unwrap_or_else(|| panic!("{imports:?}"))
    });
    assert!(heavy.rss >= ByteSize::mib(10), "{heavy:?}");
    assert!(wave.rss < ByteSize::mib(2), "the importing module is no cost of it: {wave:?}");
    assert_eq!(heavy.imported_by.as_deref(), Some("sky.server.requests.executor"));
    assert_eq!(wave.imported_by.as_deref(), Some("heavy"));
    assert!(heavy.seconds_with_imports >= heavy.seconds + wave.seconds, "{heavy:?}");
    assert_eq!(imports.earlier_requests, 1);
    assert!(of(&traces, "fails").is_whole);
}

#[test]
fn a_request_has_the_sites_of_its_peak_the_largest_first() {
    let (traces, _) = traces(Traced::Allocations, &[]);
    assert_eq!(traces.len(), 3, "the import is not traced: {traces:#?}");
    let allocations = |request| -> &Allocations {
        of(&traces, request).allocations.as_ref().expect("they are traced")
    };
    let grows = allocations("grows");
    let largest = &grows.sites[0];
    assert!(largest.frames[0].file.ends_with("sky/server/requests/executor.py"), "{largest:?}");
    assert_eq!(largest.frames[0].line, 8);
    // Sites are those of the last growth that was noted: by 5 % and 1 MiB below the peak, or more
    // where a busy machine delays a look.
    assert!(largest.size >= ByteSize::mib(15) && largest.count >= 15, "{largest:?}");
    assert!(grows.peak >= ByteSize::mib(20), "{grows:?}");
    assert!(grows.after < ByteSize::mib(1), "the blocks were freed: {grows:?}");
    let heavy = &allocations("imports").sites[0];
    assert!(heavy.frames[0].file.ends_with("heavy.py"), "{heavy:?}");
}

#[test]
fn executors_of_another_skypilot_run_and_say_what_is_not_traced() {
    // Without a queue, and with another runner.
    let executor = EXECUTOR.replace("(group, clean_env=None)", "()").replace("_wrapper", "");
    let server = SERVER.replace("('short',)", "()").replace("_wrapper", "");
    let (run, _, _folder) = served(&executor, &server, Traced::Modules, &[]);
    let missing = "sky.server.requests.executor has no _request_execution_wrapper";
    assert_eq!(run.read_trace_errors().unwrap(), [missing]);
    let [import] = run.read_traces().unwrap().try_into().unwrap();
    assert_eq!((import.request, import.queue), (None, None));
}

#[test]
fn a_process_that_is_no_executor_is_not_traced() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(&folder.path().join("run")).unwrap();
    prepare(&run).unwrap();
    let status = Command::new("python3")
        .args(["-c", "import tracemalloc; assert not tracemalloc.is_tracing()"])
        .envs(variables(Traced::Allocations, &run, Vec::new()))
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(run.read_traces().unwrap(), []);
}
