"""Traces of an API server's executors: what a request, or the import of SkyPilot, allocates and imports.

First on the PYTHONPATH of a server that `cargo xtask explain` starts. The installed SkyPilot is not changed: two
functions of its executors are wrapped in memory. Each trace is a JSON file in the folder SKYLOAD_TRACES. An error here
must not disturb a request, so it goes to a file beside the traces.
"""
import importlib.machinery
import os
import sys
import time

import _thread
import _tracemalloc

_FOLDER = os.environ.get('SKYLOAD_TRACES', '')
# 'modules': memory as it is, with the costs of modules. 'allocations': tracemalloc, whose memory is several times
# that of what it traces.
_TRACED = os.environ.get('SKYLOAD_TRACED', 'modules')
_EXECUTORS = 'sky.server.requests.executor'
# An import alone has 7.
_FRAMES = 10
# Of sites and frames in a file.
_MAX_SITES = 200
_INTERVAL = 0.01
# A request that grows no more for this time is written although it has not ended: a daemon never ends.
_STEADY = 3.0
_MIB = 1 << 20


def _memory():
    """RSS and high-water mark."""
    rss = mark = 0
    with open('/proc/self/status', 'rb') as status:
        for line in status:
            if line.startswith(b'VmHWM:'):
                mark = int(line.split()[1]) << 10
            elif line.startswith(b'VmRSS:'):
                rss = int(line.split()[1]) << 10
    return rss, mark


def _rss():
    with open('/proc/self/statm', 'rb') as statm:
        return int(statm.read().split()[1]) * _PAGE


def _reset_mark():
    try:
        with open('/proc/self/clear_refs', 'wb') as refs:
            refs.write(b'5')
    except OSError:
        # The mark before is recorded, too.
        pass


def _log(text):
    with open(os.path.join(_FOLDER, f'error-{os.getpid()}.txt'), 'a', encoding='utf-8') as log:
        log.write(f'{text}\n')


def _guarded(function):
    """Function whose errors go to a file."""

    def guarded(*args):
        try:
            return function(*args)
        except Exception as error:  # pylint: disable=broad-except
            import traceback
            _log(f'{error!r}\n{traceback.format_exc()}')
            return None

    return guarded


def _importer():
    """Name of the module whose code imports, from the frames outside of Python's import machinery."""
    frame = sys._getframe(2)
    while frame is not None:
        name, file = frame.f_globals.get('__name__'), frame.f_code.co_filename
        is_machinery = file.startswith('<frozen importlib') or file == __file__ or name == 'importlib'
        if name and not is_machinery:
            return name
        frame = frame.f_back
    return None


class _Imports:
    """Costs of modules: what an import adds to RSS, with and without the imports within."""

    def __init__(self):
        self.costs = {}
        self._local = _thread._local()

    def measure(self, loader, method):
        original = getattr(loader, method)

        def measured(this, subject):
            name = getattr(subject, '__name__', None) or getattr(subject, 'name', '?')
            stack = self._local.__dict__.setdefault('stack', [])
            within = [0, 0.0]
            importer = _importer()
            stack.append(within)
            rss, began = _rss(), time.perf_counter()
            try:
                return original(this, subject)
            finally:
                stack.pop()
                total = (max(_rss() - rss, 0), time.perf_counter() - began)
                # An extension module is created and executed: two calls.
                cost = self.costs.setdefault(name, [importer, [0, 0.0], [0, 0.0]])
                for index in range(2):
                    cost[1][index] += total[index]
                    cost[2][index] += max(total[index] - within[index], 0)
                    if stack:
                        stack[-1][index] += total[index]

        setattr(loader, method, measured)

    def begin(self):
        machinery = importlib.machinery
        for loader in (machinery.SourceFileLoader, machinery.SourcelessFileLoader, machinery.ExtensionFileLoader):
            self.measure(loader, 'exec_module')
        self.measure(machinery.ExtensionFileLoader, 'create_module')


def _sites(traces):
    """Allocation sites, the largest first: innermost lines outside of Python's import machinery."""
    by_traceback = {}
    for trace in traces:
        known = by_traceback.setdefault(id(trace[2]), [0, 0, trace[2]])
        known[0] += trace[1]
        known[1] += 1
    sites = {}
    for size, count, frames in by_traceback.values():
        frames = [one for one in frames if one[0] != __file__]
        if not frames:
            continue
        shown = [one for one in frames if not one[0].startswith('<frozen importlib')]
        shown = shown or frames
        site = sites.setdefault(shown[0], [0, 0, 0, None])
        site[0] += size
        site[1] += count
        if size > site[2]:
            site[2:] = size, shown
    largest = sorted(sites.values(), key=lambda site: site[0], reverse=True)
    return len(largest), [{
        'size': size,
        'count': count,
        'frames': [{'file': file, 'line': line} for file, line in frames],
    } for size, count, _, frames in largest[:_MAX_SITES]]


class _Trace:
    """Trace of one request, or of the import of SkyPilot."""

    def __init__(self, request):
        self.request = request
        self.earlier = _executor.get('earlier', 0)
        self.modules = set(sys.modules)
        self.costs_before = set(_imports.costs)
        self.ended = False
        self.grown_to, self.grown_at, self.written_at = 0, time.monotonic(), 0.0
        self.lock = _thread.allocate_lock()
        _reset_mark()
        self.began = time.monotonic()
        self.rss_before, self.mark_before = _memory()

    def size(self):
        """Memory that is watched."""
        return _memory()[1]

    def grow(self, size):
        """Notes a growth."""
        self.grown_to, self.grown_at = size, time.monotonic()

    def watch(self):
        """Notes each growth until the request has ended, and writes the trace of one that does not end."""
        while not self.ended:
            time.sleep(_INTERVAL)
            with self.lock:
                if self.ended:
                    return
                size = self.size()
                if size > self.grown_to * 1.05 + _MIB:
                    self.grow(size)
                elif self.grown_at > self.written_at and time.monotonic() - self.grown_at > _STEADY:
                    self.written_at = time.monotonic()
                    self.write()

    def end(self):
        with self.lock:
            self.ended = True
            self.write()

    def imported(self):
        """Modules since the begin, with their costs."""
        costs = {name: cost for name, cost in list(_imports.costs.items()) if name not in self.costs_before}
        none = [None, [0, 0.0], [0, 0.0]]
        for name in list(sys.modules):
            if name in self.modules:
                continue
            importer, total, own = costs.get(name, none)
            yield {
                'name': name,
                'imported-by': importer,
                'rss': own[0],
                'seconds': own[1],
                'rss-with-imports': total[0],
                'seconds-with-imports': total[1],
            }

    def allocations(self):
        """Sites of allocations; none without tracemalloc."""
        return None

    def write(self):
        seconds = time.monotonic() - self.began
        rss_after, mark_after = _memory()
        modules = list(self.imported())
        content = {
            'pid': os.getpid(),
            'queue': _executor.get('queue'),
            'request': self.request,
            'earlier-requests': self.earlier,
            'is-whole': self.ended,
            'seconds': seconds,
            'rss-before': self.rss_before,
            'rss-after': rss_after,
            'mark-before': self.mark_before,
            'mark-after': mark_after,
            'modules': modules,
            'allocations': self.allocations(),
        }
        # Only now: an earlier import would be missing among the modules of the request.
        import json
        name = f'{self.request or "import"}-{os.getpid()}.json'
        temporary = os.path.join(_FOLDER, f'.{name}')
        with open(temporary, 'w', encoding='utf-8') as file:
            json.dump(content, file)
        os.replace(temporary, os.path.join(_FOLDER, name))


class _Allocations(_Trace):
    """Trace of the allocations of one request."""

    def __init__(self, request):
        super().__init__(request)
        self.kept = []
        _tracemalloc.start(_FRAMES)

    def size(self):
        return _tracemalloc.get_traced_memory()[0]

    def grow(self, size):
        super().grow(size)
        self.kept = _tracemalloc._get_traces()

    def write(self):
        # Growth since the last note was too small for one.
        size = self.size()
        if size > self.grown_to:
            self.grown_to, self.kept = size, _tracemalloc._get_traces()
        super().write()

    def end(self):
        super().end()
        _tracemalloc.stop()

    def allocations(self):
        after, peak = _tracemalloc.get_traced_memory()
        count, sites = _sites(self.kept)
        return {'peak': peak, 'after': after, 'at-sites': self.grown_to, 'site-count': count, 'sites': sites}


# State of this executor: its queue, and the trace of the import while it lasts.
_executor = {}
_imports = _Imports()


@_guarded
def _begin(request):
    trace = _Allocations(request) if _TRACED == 'allocations' else _Trace(request)
    _thread.start_new_thread(_guarded(trace.watch), ())
    return trace


@_guarded
def _end(trace):
    if trace is not None:
        trace.end()
        if trace.request is not None:
            _executor['earlier'] = trace.earlier + 1


def _wrapped(function, wrapper):
    # SkyPilot names the function when it orders a request: the wrapper must have its name.
    for name in ('__module__', '__name__', '__qualname__', '__doc__'):
        setattr(wrapper, name, getattr(function, name))
    return wrapper


def _initializer(function):

    def initialize(*args, **kwargs):
        result = function(*args, **kwargs)
        # Of other versions: the queue may be missing, and is then unknown.
        _executor['queue'] = args[0] if args and isinstance(args[0], str) else None
        _end(_executor.pop('import', None))
        return result

    return _wrapped(function, initialize)


def _runner(function):

    def run(*args, **kwargs):
        request = args[0] if args else kwargs.get('request_id')
        trace = None if request is None else _begin(request)
        try:
            return function(*args, **kwargs)
        finally:
            _end(trace)

    return _wrapped(function, run)


@_guarded
def _wrap(module):
    for name, wrapper in (('executor_initializer', _initializer), ('_request_execution_wrapper', _runner)):
        if hasattr(module, name):
            setattr(module, name, wrapper(getattr(module, name)))
        else:
            _log(f'{_EXECUTORS} has no {name}')


def _is_spawned():
    with open('/proc/self/cmdline', 'rb') as line:
        return b'--multiprocessing-fork' in line.read().split(b'\0')


def _run_next_site():
    """Runs the `sitecustomize` that this one hides: patches for a local infra, or the system's."""
    here = os.path.dirname(os.path.abspath(__file__))
    folders = [folder for folder in sys.path if os.path.abspath(folder or '.') != here]
    spec = importlib.machinery.PathFinder.find_spec('sitecustomize', folders)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


import importlib.util  # pylint: disable=wrong-import-position

_run_next_site()
_AFTER_IMPORT = {}
# An executor is a process that Python spawned. Others of these are never given a request.
if _FOLDER and _is_spawned():
    _PAGE = os.sysconf('SC_PAGE_SIZE')
    _AFTER_IMPORT[_EXECUTORS] = _wrap
    if _TRACED == 'modules':
        _imports.begin()
        _executor['import'] = _guarded(_Trace)(None)
