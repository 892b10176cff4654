"""What the original tool did, as a process to be measured.

Each tick looks through all processes of the machine once for each keyword, takes
the resident memory of those that match (their maximum and mean), and reads the
machine's CPU use and memory; then it sleeps. Says "ready" after the first tick,
and ends, with its result as one line of JSON, when its input does.
"""

import json
import select
import sys
import time

import psutil

KEYWORDS = ('SkyPilot:executor:short', 'SkyPilot:executor:long')
INTERVAL = int(sys.argv[1]) / 1000

ticks = 0
peaks = {}
top = dict.fromkeys(KEYWORDS, 0)
average = dict.fromkeys(KEYWORDS, 0.0)


def look(keyword):
    sizes = []
    for process in psutil.process_iter(['cmdline']):
        if keyword not in ' '.join(process.info['cmdline'] or []):
            continue
        try:
            size = process.memory_info().rss
        except psutil.Error:
            continue
        sizes.append(size)
        peaks[process.pid] = max(peaks.get(process.pid, 0), size)
    if sizes:
        top[keyword] = max(top[keyword], max(sizes))
        average[keyword] = max(average[keyword], sum(sizes) / len(sizes))


while True:
    for keyword in KEYWORDS:
        look(keyword)
    psutil.cpu_percent(interval=None)
    psutil.virtual_memory()
    ticks += 1
    if ticks == 1:
        print('ready', flush=True)
    if select.select([sys.stdin], [], [], INTERVAL)[0]:
        break

print(json.dumps({'ticks': ticks, 'cpu-seconds': time.process_time(), 'peaks': peaks}))
