"""Lets the SkyPilot clusters of one loopback node live beside each other, and on loopback alone.

Part of the node image (the runtime that `sky launch` would install on a node), never of the API server.

1. A skylet port of its own for each cluster. All nodes share one network namespace. SkyPilot picks a free
   port and the skylet binds it seconds later, when its imports are done: of the clusters launched meanwhile
   all but one get a port that is taken by then, and their keepers restart the skylet for ever (2-3 CPU
   seconds each time). A port that was handed out here is not handed out again.
2. The skylet listens on all interfaces, without any authentication. Here it listens on loopback.
3. `sky logs` gives a job 5 seconds to begin to write, then reports that it has not finished; and a job whose
   driver has not started after 60 seconds is called failed (FAILED_DRIVER). On nodes that get what the server
   under test leaves of one machine, that took 65 seconds.
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
    # The file's first line is where to begin; the others are the ports that were handed out.
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
        for everywhere in ('0.0.0.0:', '[::]:'):
            address = address.replace(everywhere, '127.0.0.1:')
        return add_port(self, address)

    module._Server.add_insecure_port = add_loopback_port


# Seconds; of logs as many looks, one a second.
_PATIENCE = 600


def _patience_with_logs(module):
    if hasattr(module, 'SKY_LOG_WAITING_MAX_RETRY'):
        module.SKY_LOG_WAITING_MAX_RETRY = _PATIENCE


def _patience_with_drivers(module):
    if hasattr(module, '_INIT_SUBMIT_GRACE_PERIOD'):
        module._INIT_SUBMIT_GRACE_PERIOD = _PATIENCE


_AFTER_IMPORT = {
    'sky.utils.common_utils': _ports,
    'grpc._server': _loopback,
    'sky.skylet.job_lib': _patience_with_drivers,
    'sky.skylet.log_lib': _patience_with_logs,
}
