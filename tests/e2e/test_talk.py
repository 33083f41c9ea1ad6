"""Every conversation in talk/ is a test. Those that want the same configuration share a daemon."""

import glob
import os
import unittest

from daemon import HERE, Daemon, E2E
from talk import Talk


class Conversations(E2E):
    daemons = {}

    @classmethod
    def daemon_for(cls, config):
        if config not in cls.daemons:
            cls.daemons[config] = Daemon(esmtp=config, start=False)
            cls.addClassCleanup(cls.daemons[config].stop)
            cls.daemons[config].start()
        return cls.daemons[config]

    def hold(self, path):
        talk = Talk(path)
        d = self.daemon_for(talk.config())
        with d.client(greet=False) as c:
            talk.hold(c)
        self.assert_quiet(d)


def add_test(path):
    name = "test_" + os.path.basename(path)[: -len(".talk")].replace("-", "_")
    setattr(Conversations, name, lambda self: self.hold(path))


for talk_path in sorted(glob.glob(os.path.join(HERE, "talk", "*.talk"))):
    add_test(talk_path)

if __name__ == "__main__":
    unittest.main()
