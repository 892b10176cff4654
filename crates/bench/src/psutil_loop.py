"""Sampling loop like that of upstream's script, as a process to be measured.

Each sample iterates over all processes of the machine once per keyword, records
the maximum and mean RSS of the processes that match, and reads the machine's CPU
and memory usage; then the loop sleeps. Prints "ready" after the first sample. At
the end of its input, it prints its result as one line of JSON and exits.
"""

import json
import select
import sys
import time

import psutil

KEYWORDS = ('SkyPilot:executor:short', 'SkyPilot:executor:long')
INTERVAL = int(sys.argv[1]) / 1000

samples = 0
peaks = {}
top = dict.fromkeys(KEYWORDS, 0)
average = dict.fromkeys(KEYWORDS, 0.0)


def sample(keyword):
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
        sample(keyword)
    # Only for their cost: upstream's script reads both.
    psutil.cpu_percent(interval=None)
    psutil.virtual_memory()
    samples += 1
    if samples == 1:
        print('ready', flush=True)
    # Sleeps for the interval, or until the end of the input.
    if select.select([sys.stdin], [], [], INTERVAL)[0]:
        break

print(json.dumps({'ticks': samples, 'cpu-seconds': time.process_time(), 'peaks': peaks}))
