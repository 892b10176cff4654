"""Prints the credential files of clouds, one `target<TAB>source` per line.

Runs under the interpreter of the SkyPilot under test, with the user's HOME. SkyPilot
knows which files each cloud needs, and their names below a server's home.
"""
import sys

import sky
try:
    from sky.utils.registry import CLOUD_REGISTRY
except ImportError:
    CLOUD_REGISTRY = sky.clouds.CLOUD_REGISTRY

for name in sys.argv[1:]:
    cloud = CLOUD_REGISTRY.from_str(name.split('/')[0])
    if cloud is None:
        continue
    for target, source in cloud.get_credential_file_mounts().items():
        print(f'{target}\t{source}')
