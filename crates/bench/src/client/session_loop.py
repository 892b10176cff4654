"""HTTP client with threads that share a requests.Session, as a simple load generator in Python.

Arguments: URL, number of threads, duration in seconds. Prints the number of requests as JSON.
"""

import json
import sys
import threading
import time

import requests
import requests.adapters

url, users, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
session = requests.Session()
# A connection for each thread; the default is 10.
session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=users))
counts = [[0, 0] for _ in range(users)]
end = time.monotonic() + seconds


def loop(count):
    while time.monotonic() < end:
        count[0 if session.get(url).status_code == 200 else 1] += 1


threads = [threading.Thread(target=loop, args=(count,)) for count in counts]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps({"requests": sum(c[0] for c in counts), "failed": sum(c[1] for c in counts)}))
