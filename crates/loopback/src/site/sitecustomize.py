"""Patches of an API server that launches on local infras.

On the PYTHONPATH of the API server, and thus of its executors and of the consolidated jobs and serve
controllers. The installed SkyPilot is not changed: settings that it hard-codes are changed in memory. Every
report lists these modifications (`site.rs`).
"""


def _network(module):
    # The managed-jobs controller and /serve/status wait until one of two public addresses answers. Loopback
    # needs no network, and a local address in their place would answer late under load.
    async def check_nothing():
        return None

    module.check_network_connection = lambda: None
    module.async_check_network_connection = check_nothing


def _ports(module):
    # SkyPilot assumes that the API server cannot reach compute nodes of Slurm. On loopback it can.
    from sky import clouds
    features = getattr(module.Slurm, '_CLOUD_UNSUPPORTED_FEATURES', {})
    features.pop(clouds.CloudImplementationFeatures.OPEN_PORTS, None)


def _one_jobs_controller(module):
    # SkyPilot starts as many as fit into the machine's memory, all with the server.
    if hasattr(module, 'get_number_of_jobs_controllers'):
        module.get_number_of_jobs_controllers = lambda: 1


class _LoopbackUvicorn:

    def __init__(self, uvicorn):
        self._uvicorn = uvicorn

    def __getattr__(self, name):
        return getattr(self._uvicorn, name)

    def run(self, *args, **options):
        if options.get('host') in ('0.0.0.0', '::'):
            options['host'] = '127.0.0.1'
        return self._uvicorn.run(*args, **options)


def _load_balancer(module):
    # SkyPilot's load balancers of services listen on all interfaces.
    if hasattr(module, 'uvicorn'):
        module.uvicorn = _LoopbackUvicorn(module.uvicorn)


_AFTER_IMPORT = {
    'sky.backends.backend_utils': _network,
    'sky.clouds.slurm': _ports,
    'sky.utils.controller_utils': _one_jobs_controller,
    'sky.serve.load_balancer': _load_balancer,
}
