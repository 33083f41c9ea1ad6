"""Many clients in one process, which can be killed."""

import ipaddress
import os
import subprocess

from daemon import BUILD, PATIENCE

CROWD = os.path.join(BUILD, "crowd")


class Crowd:
    """Many connections held by one process, all greeted."""

    def __init__(self, d, count, net):
        block = ipaddress.ip_network(net)
        self.addresses = [str(block[(i + 1) % block.num_addresses]) for i in range(count)]
        self.process = subprocess.Popen([CROWD, "-n", str(count), "-t", "600", net, "127.0.0.1:%d" % d.port],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        greeted = 0
        while greeted < count:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("only %d of %d were greeted" % (greeted, count))
            greeted += " s  220 " in line

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
