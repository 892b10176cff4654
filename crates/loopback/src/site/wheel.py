"""Builds the wheel that an API server ships to its nodes; prints where it is, and its hash."""
import json
import sys

try:
    import sky.clouds.slurm  # pylint: disable=unused-import
    from sky.adaptors import slurm
    # Loaded when it is used, from a package of its own; later releases bring it along.
    if hasattr(slurm, 'hostlist'):
        slurm.hostlist.expand_hostlist('node')
except ImportError as error:
    # SkyPilot's own words for it stand in front of the cause.
    cause = error.__cause__ or error
    print(json.dumps({'missing': getattr(cause, 'name', None) or str(error)}))
    sys.exit()

from sky.backends import wheel_utils

wheel_hash = wheel_utils.build_sky_wheel()[1]
wheel = next((wheel_utils.WHEEL_DIR / wheel_hash).glob('*.whl'))
print(json.dumps({'built': {'wheel': str(wheel), 'hash': wheel_hash}}))
