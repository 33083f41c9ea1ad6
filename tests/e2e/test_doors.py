"""Where the daemon listens: families kept apart, Unix sockets, doors that are in use."""

import os
import re
import socket
import stat
import subprocess
import unittest

from daemon import Daemon, E2E


class Doors(E2E):
    def can_connect(self, d, host, port):
        try:
            with d.client(host=host, port=port):
                return True
        except ConnectionRefusedError:
            return False

    def test_T9_a_star_is_IPv4_only(self):
        d = self.daemon(start=False)
        d.configure(esmtp='Listen "*:%d" {}' % d.other_port())
        d.start()
        self.assertTrue(self.can_connect(d, "127.0.0.1", d.other_port()))
        self.assertTrue(self.can_connect(d, "127.0.99.1", d.other_port()))
        self.assertFalse(self.can_connect(d, "::1", d.other_port()))

    def test_T9_a_star_in_brackets_is_IPv6_only(self):
        d = self.daemon(start=False)
        d.configure(esmtp='Listen "[*]:%d" {}' % d.other_port())
        d.start()
        self.assertTrue(self.can_connect(d, "::1", d.other_port()))
        self.assertFalse(self.can_connect(d, "127.0.0.1", d.other_port()))

    def test_D51_a_unix_socket_counts_as_loopback(self):
        d = self.daemon(esmtp='Listen "./smtp.sock" { File_Mode = 0600 }')
        path = os.path.join(d.dir, "smtp.sock")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(path)
            self.assertTrue(s.recv(1000).startswith(b"220 "))
            self.assertEqual(d.count("127.0.0.1/32"), 1)
            s.sendall(b"QUIT\r\n")
            self.assertTrue(s.recv(1000).startswith(b"221 "))
        self.assert_quiet(d)

    def backlogs(self, d):
        """Of all sockets of its port."""
        with subprocess.Popen(["ss", "-Hltn", "sport = :%d" % d.port], stdout=subprocess.PIPE, text=True) as ss:
            return {int(line.split()[2]) for line in ss.stdout}

    def test_T6_an_open_door_takes_a_new_backlog_and_mode(self):
        unix = 'Listen "./smtp.sock" { File_Mode = %s }'
        d = self.daemon(esmtp=unix % "0600", listen="Listen_Backlog = 11")
        self.assertEqual(self.backlogs(d), {11})
        with d.client() as c:
            for workers in 2, 3:
                d.configure(esmtp=unix % ("064%d" % workers), listen="Listen_Backlog = 7%d" % workers, workers=workers)
                self.assertTrue(d.reload())
                self.assertEqual(self.backlogs(d), {70 + workers})
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(d.dir, "smtp.sock")).st_mode), 0o640 + workers)
            c.say("NOOP", 250)
        self.assert_quiet(d)

    def test_many_workers_share_a_door(self):
        d = self.daemon(workers=8)
        clients = [d.client(source="127.3.%d.1" % i) for i in range(100)]
        self.assertEqual(d.count("127.3.0.0/16"), 100)
        for c in clients:
            c.say("QUIT", 221)
            c.close()
        self.assert_quiet(d)

    def test_session_ids_are_unique_among_the_most_workers(self):
        d = self.daemon(workers=256)
        clients = [d.client() for _ in range(600)]
        for c in clients:
            c.close()
        d.wait_for_count(0)
        ids = [re.search(r": ([0-9a-f]{16}): connect from", line) for line in d.lines]
        ids = [found[1] for found in ids if found]
        self.assertEqual((len(ids), len(set(ids))), (600, 600))

    def test_a_second_daemon_on_the_same_console_is_refused(self):
        d = self.daemon()
        second = Daemon(start=False)
        self.addCleanup(second.stop)
        second.conf = d.conf
        with self.assertRaisesRegex(AssertionError, "another process listens on it"):
            second.start()
        self.assertEqual(second.wait(), 1)
        second.process = None
        self.assert_quiet(d)

    def test_a_stale_socket_file_is_replaced(self):
        d = self.daemon(start=False)
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(d.control)
        d.start()
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
