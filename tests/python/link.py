"""One end of a bad cable between two networks: IP packets, of a network device that this program is (tun).

What the device is to send goes to standard output, late, out of turn, or not at all; what comes on standard input the device receives. Two
of these, each with the other's output as its input, are a cable. Arguments: the device's address, the other's, the delay of each packet and
the further delay of some in milliseconds, how many of a hundred get that, how many of a hundred are lost, and a seed for chance.

Says "there" on standard error when it is ready, and with SIGTERM how many packets it carried, delayed further, and lost.
"""

import fcntl
import heapq
import os
import random
import select
import signal
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 1, 0x1000

here, there = sys.argv[1:3]
delay, further, late_percent, lost_percent = (float(n) for n in sys.argv[3:7])
chance = random.Random(int(sys.argv[7]))
device = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"bad", IFF_TUN | IFF_NO_PI))
for words in (f"address add {here} peer {there} dev bad", "link set bad up"):
    subprocess.run(["ip", *words.split()], check=True)

carried = late = lost = 0


def end(*_):
    # The other end goes at the same time: said once.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(carried, late, lost, file=sys.stderr, flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
print("there", file=sys.stderr, flush=True)

waiting, coming, number = [], b"", 0
while True:
    patience = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
    ready, _, _ = select.select([device, 0], [], [], patience)
    if device in ready:
        packet = os.read(device, 65536)
        number += 1
        if chance.uniform(0, 100) < lost_percent:
            lost += 1
        else:
            is_late = chance.uniform(0, 100) < late_percent
            late += is_late
            due = time.monotonic() + (delay + further * is_late) / 1000
            heapq.heappush(waiting, (due, number, packet))
    if 0 in ready:
        more = os.read(0, 65536)
        if not more:
            end()
        coming += more
        while len(coming) >= 2 and len(coming) >= 2 + (length := int.from_bytes(coming[:2], "big")):
            os.write(device, coming[2 : 2 + length])
            coming = coming[2 + length :]
    while waiting and waiting[0][0] <= time.monotonic():
        packet = heapq.heappop(waiting)[2]
        carried += 1
        os.write(1, len(packet).to_bytes(2, "big") + packet)
