"""Patches of SkyPilot on nodes: several SkyPilot clusters share one node, on loopback only.

Part of the node image (the runtime that `sky launch` would install on a node), never of the API server.

1. A separate skylet port for each cluster. All nodes share one network namespace. SkyPilot picks a free port
   and the skylet binds it seconds later, when its imports are done. Of the clusters launched meanwhile, all
   but one get a port that is in use by then, and their skylets are restarted forever (2-3 CPU-seconds each
   time). The patch never assigns a port twice.
2. The skylet listens on all interfaces, without any authentication. The patch restricts it to loopback.
3. `sky logs` waits 5 s for a job's first output, then reports that the job has not finished; and a job whose
   driver has not started after 60 s fails (FAILED_DRIVER). On nodes with the CPU that the server under test
   leaves of one machine, that took 65 s. The patch allows 10 min for both.
"""
import fcntl
import os
import socket


def _is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        try:
            s.bind(('', port))
            return True
        except OSError:
            return False


def _find_free_port(start_port):
    # The file has one number per line: first the one to begin after, then the ports assigned so far.
    with open(os.environ['SKYLOAD_SKYLET_PORTS'], 'a+', encoding='utf-8') as ports:
        fcntl.flock(ports, fcntl.LOCK_EX)
        ports.seek(0)
        last = max((int(line) for line in ports.read().split()), default=start_port)
        for port in range(last + 1, 65535):
            if _is_free(port):
                ports.write(f'{port}\n')
                return port
    raise OSError('No free ports available.')


def _ports(module):
    if 'SKYLOAD_SKYLET_PORTS' in os.environ:
        module.find_free_port = _find_free_port


def _loopback(module):
    add_port = module._Server.add_insecure_port

    def add_loopback_port(self, address):
        for all_interfaces in ('0.0.0.0:', '[::]:'):
            address = address.replace(all_interfaces, '127.0.0.1:')
        return add_port(self, address)

    module._Server.add_insecure_port = add_loopback_port


# In seconds. For logs also the number of retries, one per second.
_TIMEOUT = 600


def _log_timeout(module):
    if hasattr(module, 'SKY_LOG_WAITING_MAX_RETRY'):
        module.SKY_LOG_WAITING_MAX_RETRY = _TIMEOUT


def _driver_timeout(module):
    if hasattr(module, '_INIT_SUBMIT_GRACE_PERIOD'):
        module._INIT_SUBMIT_GRACE_PERIOD = _TIMEOUT


_AFTER_IMPORT = {
    'sky.utils.common_utils': _ports,
    'grpc._server': _loopback,
    'sky.skylet.job_lib': _driver_timeout,
    'sky.skylet.log_lib': _log_timeout,
}
