"""Adapts an API server to an infrastructure that lives on loopback only.

On the PYTHONPATH of the API server, hence of its executors and of the consolidated jobs and serve
controllers. SkyPilot itself stays as it was installed; these settings, which it hard-codes, are changed in
memory. Every report names them (`setup.rs`).
"""


def _network(module):
    # The managed-jobs controller and /serve/status wait until one of two public addresses answers. Nothing
    # here is reached through a network, and an address of ours would answer late under load.
    async def is_there():
        return None

    module.check_network_connection = lambda: None
    module.async_check_network_connection = is_there


def _ports(module):
    # Compute nodes of Slurm are in general not reachable from the API server. These are.
    from sky import clouds
    features = getattr(module.Slurm, '_CLOUD_UNSUPPORTED_FEATURES', {})
    features.pop(clouds.CloudImplementationFeatures.OPEN_PORTS, None)


def _one_jobs_controller(module):
    # As many as fit into the machine's memory otherwise, all started with the server.
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
    # A service's load balancer listens on all interfaces.
    if hasattr(module, 'uvicorn'):
        module.uvicorn = _LoopbackUvicorn(module.uvicorn)


_AFTER_IMPORT = {
    'sky.backends.backend_utils': _network,
    'sky.clouds.slurm': _ports,
    'sky.utils.controller_utils': _one_jobs_controller,
    'sky.serve.load_balancer': _load_balancer,
}
