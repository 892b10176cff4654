"""Asks an installed SkyPilot how many workers it would start on given machines.

Runs under the interpreter of the SkyPilot in question, from standard input, with a
home of its own. What is asked stands in the first argument, the answer on standard
output, both as one JSON object. Has to run on every Python that SkyPilot runs on,
hence 3.9.
"""
import inspect
import json
import os
import sys

SIGNAL_FILE = '~/.sky/.jobs_controller_consolidation_reloaded_signal'
CONFIG = 'jobs:\n  controller:\n    consolidation_mode: true\n'
NAMES = ('LONG_WORKER_MEM_GB', 'SHORT_WORKER_MEM_GB', 'SERVER_WORKER_MEM_GB')


def consolidate():
    """Has managed jobs run inside of the server, as a server at its start does.

    Releases that cannot do that refuse the configuration, so it is written only here.
    """
    os.makedirs(os.path.expanduser('~/.sky'), exist_ok=True)
    with open(os.path.expanduser('~/.sky/config.yaml'), 'w', encoding='utf-8') as file:
        file.write(CONFIG)
    with open(os.path.expanduser(SIGNAL_FILE), 'w', encoding='utf-8'):
        pass


def import_sky():
    # From standard input the working directory comes first on the path, and a
    # folder named `sky` there is not the installation that is asked.
    if sys.path and sys.path[0] == '':
        del sys.path[0]
    try:
        from sky.server import config
    except ImportError as error:
        sys.exit(f'this SkyPilot has no sky.server.config to ask ({error})')
    if not hasattr(config, 'compute_server_config'):
        sys.exit('this SkyPilot has no compute_server_config() to ask')
    from sky.utils import common_utils
    try:
        from sky.utils import controller_utils
    except ImportError:
        controller_utils = None
    return config, common_utils, controller_utils


def set_constants(config, values):
    for name in NAMES:
        for spelled in (name, '_' + name):
            if name in values and hasattr(config, spelled):
                setattr(config, spelled, values[name])


def forget(modules):
    """Some of SkyPilot's formulas remember their first answer."""
    for module in modules:
        for value in vars(module or object).values():
            if callable(getattr(value, 'cache_clear', None)):
                value.cache_clear()


def compute(config, controller_utils, deploy):
    """Calls SkyPilot's function as its server does."""
    accepted = inspect.signature(config.compute_server_config).parameters
    reserve = getattr(controller_utils, 'compute_memory_reserved_for_controllers', None)
    options = {}
    if 'quiet' in accepted:
        options['quiet'] = True
    if 'reserved_memory_mb' in accepted and reserve is not None:
        options['reserved_memory_mb'] = reserve(reserve_extra_for_pool=True)
    return config.compute_server_config(deploy, **options)


def workers(asked, modules, machine, mode):
    config, common_utils, controller_utils = modules
    forget(modules)
    common_utils.get_cpu_count = lambda: machine['cpus']
    common_utils.get_mem_size_gb = lambda: machine['memory_gib']
    answer = compute(config, controller_utils, mode == 'deploy')
    controllers = None
    count = getattr(controller_utils, 'get_number_of_jobs_controllers', None)
    if asked['consolidated'] and count is not None:
        controllers = count()
    long, short = answer.long_worker_config, answer.short_worker_config
    return {
        'server': answer.num_server_workers,
        'long': long.garanteed_parallelism,
        'short': short.garanteed_parallelism,
        'burst': max(long.burstable_parallelism, short.burstable_parallelism),
        'controllers': controllers,
    }


def all_workers(asked, modules):
    return [
        workers(asked, modules, machine, mode)
        for machine in asked['machines']
        for mode in asked['modes']
    ]


def main():
    asked = json.loads(sys.argv[1])
    # SkyPilot logs to standard output.
    answer_to, sys.stdout = sys.stdout, sys.stderr
    if asked['consolidated']:
        consolidate()
    modules = import_sky()
    before = all_workers(asked, modules)
    set_constants(modules[0], asked['constants'])
    after = all_workers(asked, modules)
    controller = getattr(modules[2], 'JOB_WORKER_MEMORY_MB', None)
    print(json.dumps({'controller_mb': controller, 'before': before, 'after': after}),
          file=answer_to)


main()
