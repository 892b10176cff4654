"""Prints facts about an installed SkyPilot as one JSON object.

Runs under the interpreter of that SkyPilot, from standard input, and only reads its source:
importing `sky` would take about two CPU seconds. Compatible with Python 3.9, the oldest that
SkyPilot runs on.
"""
import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys

# Newer releases first: if two files assign a constant, the first one counts.
CONSTANT_FILES = ('server/config.py', 'server/requests/executor.py')
CONSTANT = re.compile(r'_?((?:LONG|SHORT|SERVER)_WORKER_MEM_GB)$')
COMMAND_FILES = ('client/cli/command.py', 'client/cli.py', 'cli.py')
# The source composes the name from two parts, so only its end can be searched for.
PORT_VARIABLE = 'API_SERVER_LOCAL_PORT'
# Variables by which the server sizes its workers, and those that set its pools.
SIZE_VARIABLES = ('SKYPILOT_POD_CPU_CORE_LIMIT', 'SKYPILOT_POD_MEMORY_GB_LIMIT')
# The source may compose the names: f'{SKYPILOT_SERVER_ENV_VAR_PREFIX}LONG_WORKERS'.
POOL_VARIABLES = tuple(
    re.compile(r'(?:SKYPILOT_SERVER_|PREFIX\})' + pool + r'_WORKERS\b')
    for pool in ('LONG', 'SHORT'))
POOL_FILES = ('server/config.py', 'server/constants.py', 'skylet/constants.py')
PORT_VARIABLE_FILES = ('skylet/constants.py', 'server/common.py')


def find_package():
    # A script from standard input has the working directory first on its path. A
    # directory named `sky` there is not the installation to probe.
    if sys.path and sys.path[0] == '':
        del sys.path[0]
    spec = importlib.util.find_spec('sky')
    if spec is None or spec.origin is None:
        sys.exit(f'SkyPilot is not installed for {sys.executable}')
    return os.path.dirname(os.path.abspath(spec.origin))


def read(package, name):
    try:
        with open(os.path.join(package, name), encoding='utf-8') as file:
            return file.read()
    except FileNotFoundError:
        return None


def assignments(source):
    """Names and values that a module assigns at its top level."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if isinstance(node.value, ast.Constant):
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value.value


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def worker_constants(package):
    constants, sources = {}, []
    for name in CONSTANT_FILES:
        found = []
        for assigned, value in assignments(read(package, name) or ''):
            match = CONSTANT.match(assigned)
            if match and is_number(value) and match.group(1) not in constants:
                constants[match.group(1)] = value
                found.append(assigned)
        if found:
            sources.append(f'{os.path.join(package, name)}: {", ".join(found)}')
    return constants, '; '.join(sources)


def commit_of(package, recorded):
    """Commit: recorded in a release, otherwise that of the git checkout."""
    if recorded and 'SKYPILOT_COMMIT_SHA' not in recorded:
        return recorded

    def git(*arguments):
        return subprocess.run(('git', '-C', package) + arguments,
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL,
                              universal_newlines=True,
                              check=True).stdout.strip()

    try:
        commit = git('rev-parse', 'HEAD')
        return commit + '-dirty' if git('status', '--porcelain') else commit
    except (OSError, subprocess.CalledProcessError):
        return None


def selects_port(package):
    """Whether `sky api start` takes a port, and clients use it."""
    # A text search: parsing the 340 kB of `command.py` would take longer than all
    # the rest.
    takes_port = any(
        re.search(r'\bdef api_start\([^)]*\bport\b', read(package, name) or '')
        for name in COMMAND_FILES)
    return takes_port and any(PORT_VARIABLE in (read(package, name) or '')
                              for name in PORT_VARIABLE_FILES)


def consolidates(package):
    """Whether the configuration can make managed jobs run inside of the server."""
    return 'consolidation_mode' in (read(package, 'utils/schemas.py') or '')


def packages():
    """Versions of Python and of the packages that it finds."""
    installed = {}
    for distribution in importlib.metadata.distributions():
        # A damaged installation may lack either.
        name = distribution.metadata['Name']
        if name and distribution.version:
            normalized = re.sub(r'[-_.]+', '-', name).lower()
            # The first one on the path is the one that is imported.
            installed.setdefault(normalized, distribution.version)
    return {
        'python': '.'.join(map(str, sys.version_info[:3])),
        'installed': installed,
    }


def reads_size(package):
    """Whether the server takes CPUs and memory from variables."""
    text = read(package, 'utils/common_utils.py') or ''
    return all(variable in text for variable in SIZE_VARIABLES)


def pins_workers(package):
    """Whether the server takes the sizes of its pools from variables."""
    text = ''.join(read(package, name) or '' for name in POOL_FILES)
    return all(variable.search(text) for variable in POOL_VARIABLES)


def main():
    package = find_package()
    init = dict(assignments(read(package, '__init__.py') or ''))
    version = init.get('__version__')
    if not isinstance(version, str):
        sys.exit(f'{package} is not SkyPilot: no __version__ found')
    if not os.path.isdir(os.path.join(package, 'server')):
        sys.exit(f'SkyPilot {version} has no API server (the first release with one is 0.9.0)')
    constants, source = worker_constants(package)
    print(
        json.dumps({
            'version': version,
            'commit': commit_of(package, init.get('_SKYPILOT_COMMIT_SHA')),
            'constants': constants,
            'source': source or f'{package}: no worker memory constants',
            'selects_port': selects_port(package),
            'consolidates': consolidates(package),
            'packages': packages(),
            'reads_size': reads_size(package),
            'pins_workers': pins_workers(package),
        }))


main()
