"""Builds the wheel that an API server ships to its nodes; prints where it is, and its hash."""
import json
import sys

try:
    import sky.clouds.slurm  # pylint: disable=unused-import
    import hostlist  # pylint: disable=unused-import
except ImportError as error:
    print(json.dumps({'missing': error.name or str(error)}))
    sys.exit()

from sky.backends import wheel_utils

wheel_hash = wheel_utils.build_sky_wheel()[1]
wheel = next((wheel_utils.WHEEL_DIR / wheel_hash).glob('*.whl'))
print(json.dumps({'built': {'wheel': str(wheel), 'hash': wheel_hash}}))
