"""Computes how many workers an installed SkyPilot would start on given machines.

Runs under the interpreter of that SkyPilot, from standard input, with a temporary home.
Input is the first argument, output goes to standard output, both as one JSON object.
Compatible with Python 3.9, the oldest that SkyPilot runs on.
"""
import inspect
import json
import os
import sys

SIGNAL_FILE = '~/.sky/.jobs_controller_consolidation_reloaded_signal'
CONFIG = 'jobs:\n  controller:\n    consolidation_mode: true\n'
NAMES = ('LONG_WORKER_MEM_GB', 'SHORT_WORKER_MEM_GB', 'SERVER_WORKER_MEM_GB')


def consolidate():
    """Makes managed jobs run inside of the server, with the files that a server's start writes.

    Older releases reject the configuration, so it is written only on demand.
    """
    os.makedirs(os.path.expanduser('~/.sky'), exist_ok=True)
    with open(os.path.expanduser('~/.sky/config.yaml'), 'w', encoding='utf-8') as file:
        file.write(CONFIG)
    with open(os.path.expanduser(SIGNAL_FILE), 'w', encoding='utf-8'):
        pass


def import_sky():
    # A script from standard input has the working directory first on its path. A
    # directory named `sky` there is not the installation to import.
    if sys.path and sys.path[0] == '':
        del sys.path[0]
    try:
        from sky.server import config
    except ImportError as error:
        sys.exit(f'this SkyPilot has no sky.server.config ({error})')
    if not hasattr(config, 'compute_server_config'):
        sys.exit('this SkyPilot has no sky.server.config.compute_server_config()')
    from sky.utils import common_utils
    try:
        from sky.utils import controller_utils
    except ImportError:
        controller_utils = None
    return config, common_utils, controller_utils


def set_constants(config, values):
    for name in NAMES:
        # Older releases have a leading underscore.
        for attribute in (name, '_' + name):
            if name in values and hasattr(config, attribute):
                setattr(config, attribute, values[name])


def clear_caches(modules):
    """Clears the caches of SkyPilot's formulas, some of which keep their first result."""
    for module in modules:
        for value in vars(module or object).values():
            if callable(getattr(value, 'cache_clear', None)):
                value.cache_clear()


def compute(config, controller_utils, deploy):
    """Calls SkyPilot's function with the arguments that its server passes."""
    accepted = inspect.signature(config.compute_server_config).parameters
    reserve = getattr(controller_utils, 'compute_memory_reserved_for_controllers', None)
    options = {}
    if 'quiet' in accepted:
        options['quiet'] = True
    if 'reserved_memory_mb' in accepted and reserve is not None:
        options['reserved_memory_mb'] = reserve(reserve_extra_for_pool=True)
    return config.compute_server_config(deploy, **options)


def workers(request, modules, machine, mode):
    config, common_utils, controller_utils = modules
    clear_caches(modules)
    common_utils.get_cpu_count = lambda: machine['cpus']
    common_utils.get_mem_size_gb = lambda: machine['memory_gib']
    result = compute(config, controller_utils, mode == 'deploy')
    controllers = None
    count = getattr(controller_utils, 'get_number_of_jobs_controllers', None)
    if request['consolidated'] and count is not None:
        controllers = count()
    long, short = result.long_worker_config, result.short_worker_config
    # "garanteed" is SkyPilot's spelling.
    return {
        'server': result.num_server_workers,
        'long': long.garanteed_parallelism,
        'short': short.garanteed_parallelism,
        'burst': max(long.burstable_parallelism, short.burstable_parallelism),
        'controllers': controllers,
    }


def all_workers(request, modules):
    return [
        workers(request, modules, machine, mode)
        for machine in request['machines']
        for mode in request['modes']
    ]


def main():
    request = json.loads(sys.argv[1])
    # SkyPilot logs to standard output, which is reserved for the result here.
    output, sys.stdout = sys.stdout, sys.stderr
    if request['consolidated']:
        consolidate()
    modules = import_sky()
    before = all_workers(request, modules)
    set_constants(modules[0], request['constants'])
    after = all_workers(request, modules)
    controller = getattr(modules[2], 'JOB_WORKER_MEMORY_MB', None)
    print(json.dumps({'controller_mb': controller, 'before': before, 'after': after}),
          file=output)


main()
