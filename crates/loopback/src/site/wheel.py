"""Builds the wheel that an API server copies to its nodes; prints the wheel's path and hash as JSON.

The argument is the kind of nodes, `slurm` or `aws`. For nodes of clouds, the packages that SkyPilot installs there
are printed too.
"""
import json
import re
import sys

try:
    if sys.argv[1] == 'slurm':
        import sky.clouds.slurm  # pylint: disable=unused-import
        from sky.adaptors import slurm
        # Imported on first use, from a separate package. Later releases of SkyPilot include it.
        if hasattr(slurm, 'hostlist'):
            slurm.hostlist.expand_hostlist('node')
except ImportError as error:
    # SkyPilot raises an ImportError of its own; the cause has the module's name.
    cause = error.__cause__ or error
    print(json.dumps({'missing': getattr(cause, 'name', None) or str(error)}))
    sys.exit()

from sky.backends import wheel_utils

wheel_hash = wheel_utils.build_sky_wheel()[1]
wheel = next((wheel_utils.WHEEL_DIR / wheel_hash).glob('*.whl'))
built = {'wheel': str(wheel), 'hash': wheel_hash}
if sys.argv[1] == 'aws':
    from sky.skylet import constants
    # `uv pip install -U "ray[default]==2.9.3" "click<8.3.0"; ..`
    # Releases after 0.14 fill in the version later.
    commands = constants.RAY_INSTALLATION_COMMANDS.replace('{ray_version}', constants.SKY_REMOTE_RAY_VERSION)
    installs = re.findall(r'install (?:-U )?((?:"[^"]+"\s*)+)', commands)
    packages = [name for names in installs for name in re.findall(r'"([^"]+)"', names)]
    built['requirements'] = list(dict.fromkeys(packages))
print(json.dumps({'built': built}))
