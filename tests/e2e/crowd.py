"""Many clients in one process, which can be killed."""

import ipaddress
import os
import subprocess
import threading

from daemon import BUILD, PATIENCE

CROWD = os.path.join(BUILD, "crowd")


class Crowd:
    """Many connections held by one process, all greeted. They come at once: more of them than the
    Listen_Backlog holds, and the kernel may forget one whose client believes that it is connected."""

    def __init__(self, d, count, net):
        block = ipaddress.ip_network(net)
        self.addresses = [str(block[(i + 1) % block.num_addresses]) for i in range(count)]
        self.process = subprocess.Popen([CROWD, "-n", str(count), "-t", "600", net, "127.0.0.1:%d" % d.port],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        deadline = threading.Timer(PATIENCE, self.process.kill)
        deadline.start()
        greeted = 0
        for line in self.process.stdout:
            greeted += " s  220 " in line
            if greeted == count:
                break
        deadline.cancel()
        if greeted < count:
            self.kill()
            raise AssertionError("only %d of %d were greeted" % (greeted, count))

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
