"""Builds the wheel that an API server copies to its nodes; prints the wheel's path and hash as JSON."""
import json
import sys

try:
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
print(json.dumps({'built': {'wheel': str(wheel), 'hash': wheel_hash}}))
