"""Users of SkyPilot's Python SDK in threads: each requests the status of all clusters in a loop.

Arguments: number of threads, duration in seconds. Prints as JSON the numbers of iterations that
succeeded and failed, the last error, and the CPU time used before the first iteration, in seconds.
"""

import json
import os
import resource
import sys
import threading
import time

import sky

users, seconds = int(sys.argv[1]), float(sys.argv[2])
usage = resource.getrusage(resource.RUSAGE_SELF)
start_up = usage.ru_utime + usage.ru_stime
counts = [[0, 0] for _ in range(users)]
errors = []
end = time.monotonic() + seconds


def loop(count):
    with open(os.devnull, "w") as output:
        while time.monotonic() < end:
            try:
                sky.stream_and_get(sky.status(), output_stream=output)
                count[0] += 1
            except Exception as error:  # The SDK raises whatever the server did.
                count[1] += 1
                errors.append(f"{type(error).__name__}: {error}")


threads = [threading.Thread(target=loop, args=(count,)) for count in counts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
result = {
    "succeeded": sum(count[0] for count in counts),
    "failed": sum(count[1] for count in counts),
    "error": errors[-1] if errors else None,
    "start-up": start_up,
}
# After the SDK's own output, on a line of its own.
print("\n" + json.dumps(result))
