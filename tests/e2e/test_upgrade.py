"""A new daemon takes over from the one that runs: no connection refused, no count wrong."""

import os
import pwd
import signal
import socket
import threading
import time
import unittest

from console import Console
from daemon import E2E, wait_until

SUM = {"ehlo_phase1": '($n) = audit_connections_on_service "127.7.0.0/16"; ec_action 450 "4.7.1 ${n} of us";'}


class Upgrade(E2E):
    def heir(self, d, start=True, **changes):
        heir = d.heir()
        self.addCleanup(self._end, heir)
        if changes:
            heir.configure(**changes)
        if start:
            heir.start()
            d.wait_for_log("upgrade: handed over")
        return heir

    def ended(self, d):
        self.assertEqual(d.wait(), 0)

    def test_nobody_there(self):
        d = self.daemon()
        d.signal(signal.SIGTERM)
        d.wait()
        heir = self.heir(d, start=False)
        heir.start()
        self.assert_quiet(heir)

    def test_counts_are_the_sum(self):
        d = self.daemon()
        old = [d.client(source="127.7.0.%d" % (i + 1)) for i in range(10)]
        six = d.client(host="::1")
        heir = self.heir(d)
        self.assertEqual((heir.count("127.7.0.0/16"), heir.count("::1/128")), (10, 1))
        new = [heir.client(source="127.7.1.%d" % (i + 1)) for i in range(5)]
        self.assertEqual(heir.count("127.7.0.0/16"), 15)
        self.assertEqual(heir.count("127.7.0.0/24"), 10)
        self.assertEqual(heir.count("127.7.1.0/24", "SMTP@127.0.0.1:%d" % d.port), 5)
        for i, c in enumerate(old):
            c.say("NOOP", 250)
            c.close()
            heir.wait_for_count(14 - i, "127.7.0.0/16")
        self.assertIsNone(d.process.poll())
        six.say("QUIT", 221)
        six.close()
        self.ended(d)
        self.assertEqual(heir.count("127.7.0.0/16"), 5)
        for c in new:
            c.say("QUIT", 221)
            c.close()
        self.assert_quiet(heir)

    def test_policy_in_either_sees_the_sum(self):
        d = self.daemon(sieve=SUM)
        old = [d.client(source="127.7.0.%d" % (i + 1)) for i in range(3)]
        heir = self.heir(d)
        new = [heir.client(source="127.7.1.%d" % (i + 1)) for i in range(4)]
        for c in old + new:
            wait_until(lambda c=c: "7 of us" in c.say("EHLO probe.example", 450).text, "all seven are seen")
        new.pop().close()
        for c in old + new:
            wait_until(lambda c=c: "6 of us" in c.say("EHLO probe.example", 450).text, "six are seen")
        for c in old + new:
            c.close()
        self.ended(d)
        self.assert_quiet(heir)

    def test_D76_caps_are_of_both(self):
        for option in "Listener_Sessions", "Service_Sessions":
            with self.subTest(option):
                d = self.daemon(esmtp="%s = 5" % option)
                old = [d.client() for i in range(3)]
                heir = self.heir(d)
                new = [heir.client() for i in range(2)]
                for c in old + new:
                    c.say("NOOP", 250)
                with heir.client(greet=False) as refused:
                    refused.expect(421, "4.4.5")
                old.pop().close()
                heir.wait_for_count(4)
                time.sleep(0.1)
                new.append(heir.client())
                with heir.client(greet=False) as refused:
                    refused.expect(421, "4.4.5")
                for c in old:
                    c.close()
                self.ended(d)
                new += [heir.client() for i in range(2)]
                with heir.client(greet=False) as refused:
                    refused.expect(421, "4.4.5")
                for c in new:
                    c.close()
                self.assert_quiet(heir)

    def test_a_message_under_way_is_finished(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"one\r\n")
            heir = self.heir(d)
            c.send(b"two\r\n.\r\n")
            c.expect(250)
            c.envelope()
            c.message()
            c.say("QUIT", 221)
        self.ended(d)
        self.assertEqual(len(heir.mails()), 2)

    def test_who_stays_longer_than_Drain_Timeout_is_drained(self):
        d = self.daemon(top="Drain_Timeout = 1")
        with d.client() as c:
            c.hello()
            began = time.monotonic()
            heir = self.heir(d)
            c.say("NOOP", 250)
            c.expect(421, "4.3.2")
            self.assertGreater(time.monotonic() - began, 0.9)
        self.ended(d)
        self.assert_quiet(heir)

    def test_a_bad_configuration_changes_nothing(self):
        d = self.daemon()
        heir = self.heir(d, start=False, esmtp="Max_Error = 1")
        with self.assertRaises(AssertionError):
            heir.start()
        self.assertEqual(heir.wait(), 78)
        heir.process.stderr.close()
        heir.process = None
        self.assert_quiet(d)
        d.configure(esmtp="")

    def test_an_heir_that_goes_away_changes_nothing(self):
        d = self.daemon()
        with d.client(source="127.7.0.1") as c:
            for i in range(3):
                seen = len(d.lines)
                with Console(d.control) as console:
                    self.assertEqual(console.ask("upgrade")[0], 0)
                    d.wait_for_log("handing over", seen)
                d.wait_for_log("the other one has gone, this one goes on", seen)
                wait_until(lambda: d.count() == 1, "it answers")
                with d.client() as other:
                    other.say("NOOP", 250)
            c.say("NOOP", 250)
            heir = self.heir(d)
            self.assertEqual(heir.count(), 1)
        self.ended(d)

    def test_an_old_one_that_dies_instead_of_handing_over(self):
        d = self.daemon()
        d.kill()
        os.unlink(d.control)
        with socket.socket(socket.AF_UNIX) as dying:
            dying.bind(d.control)
            dying.listen(1)
            heir = self.heir(d, start=False)

            def die():
                with dying.accept()[0] as asked:
                    asked.recv(100)
                    dying.close()
                    asked.sendall(b". 0\n+ 127.7.0.9 SMTP 127.0.0.1:%d\n" % d.port)

            death = threading.Thread(target=die)
            death.start()
            heir.start()
            death.join()
        self.assert_quiet(heir)

    def test_words_of_another_version_are_skipped(self):
        d = self.daemon()
        with Console(d.control) as console:
            console.ask("upgrade")
            console.send(b"weather fine\n+ 127.7.0.9 SMTP 127.0.0.1:%d\n" % d.port)
            d.wait_for_count(1, "127.7.0.9")
        d.wait_for_count(0)
        self.assert_quiet(d)

    def test_nonsense_from_the_heir_is_an_end(self):
        d = self.daemon()
        for text in b"- 127.0.0.1 SMTP 127.0.0.1:1\n", b"x" * 2000, b"now\nsocket 127.0.0.1:1\n", b"+ 1 2\n", b"\0\n":
            with self.subTest(text), Console(d.control) as console:
                seen = len(d.lines)
                console.ask("upgrade")
                console.send(b"+ 127.7.0.9 SMTP 127.0.0.1:%d\n" % d.port + text)
                d.wait_for_log("this one goes on", seen)
                wait_until(lambda: d.count() == 0, "what it said counts no more")
        self.assert_quiet(d)

    def test_the_end_of_the_old_one_is_the_leave_of_all(self):
        d = self.daemon()
        old = [d.client(source="127.7.0.%d" % (i + 1)) for i in range(20)]
        heir = self.heir(d)
        with heir.client(source="127.7.0.1"):
            self.assertEqual(heir.count("127.7.0.0/16"), 21)
            d.process.kill()
            heir.wait_for_count(1, "127.7.0.0/16")
            self.assertEqual(heir.count("127.7.0.1"), 1)
        for c in old:
            c.close()
        d.process.wait(20)
        d.process.stderr.close()
        d.process = None
        self.assert_quiet(heir)

    def test_more_and_fewer_workers(self):
        d = self.daemon(workers=4)
        for workers in 1, 3, 2:
            heir = self.heir(d, workers=workers)
            self.ended(d)
            clients = [heir.client(source="127.7.%d.%d" % (workers, i + 1)) for i in range(40)]
            self.assertEqual(heir.count(), 40)
            for c in clients:
                c.close()
            self.assert_quiet(heir)
            d = heir

    def test_a_unix_door(self):
        d = self.daemon(esmtp='Listen "./smtp.sock" {}')
        path = os.path.join(d.dir, "smtp.sock")

        def knock():
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(20)
                s.connect(path)
                self.assertTrue(s.recv(100).startswith(b"220 "))

        knock()
        heir = self.heir(d)
        self.ended(d)
        knock()
        heir.signal(signal.SIGTERM)
        self.assertEqual(heir.wait(), 0)
        self.assertFalse(os.path.exists(path))
        self.assertFalse(os.path.exists(heir.control))

    def test_a_second_one_while_the_first_is_under_way_is_refused(self):
        d = self.daemon()
        with d.client():
            heir = self.heir(d)
            third = self.heir(heir, start=False)
            with self.assertRaises(AssertionError):
                third.start()
            self.assertEqual(third.wait(), 1)
            third.process.stderr.close()
            third.process = None
            self.assert_counted(heir, 1)
        self.ended(d)
        self.assert_quiet(heir)

    def assert_counted(self, d, want):
        self.assertEqual(d.count(), want)

    def test_the_control_sockets_of_the_start_are_handed_over(self):
        d = self.daemon()
        one = 'Control_Listener { Listen "./control.sock" {} }'
        with open(d.conf) as f:
            text = f.read()
        d.write("tidewaiter.conf", text.replace(one, one[:-1] + ' Listen "./other.sock" {} }'))
        self.assertTrue(d.reload())
        self.assertFalse(os.path.exists(os.path.join(d.dir, "other.sock")))  # that takes a restart
        heir = self.heir(d)
        self.ended(d)
        with Console(os.path.join(d.dir, "other.sock")) as console:
            self.assertEqual(console.ask("count SMTP 0.0.0.0/0"), (0, "", ["0"]))
        self.assert_quiet(heir)

    def test_no_reload_while_handing_over(self):
        d = self.daemon()
        with d.client() as c, Console(d.control) as console:
            console.ask("upgrade")
            d.wait_for_log("handing over")
            self.assertFalse(d.reload())
            c.say("NOOP", 250)
        d.wait_for_log("this one goes on")
        self.assertTrue(d.reload())

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_T2_as_a_user(self):
        nobody = pwd.getpwnam("nobody")
        d = self.daemon(start=False, top='User = "nobody"')
        os.chmod(d.dir, 0o755)
        os.chown(d.dir, nobody.pw_uid, nobody.pw_gid)
        d.start()
        with d.client(source="127.7.0.1") as c:
            heir = self.heir(d, workers=4)
            with heir.client(source="127.7.0.2"):
                self.assertEqual(heir.count("127.7.0.0/24"), 2)
            c.say("QUIT", 221)
        self.ended(d)
        self.assert_quiet(heir)

    def test_under_load(self):
        """Clients come and go all the time, through three upgrades: each is let in and served."""
        d = self.daemon(workers=3, top="Drain_Timeout = 20")
        done, faults, over = [], [], threading.Event()

        def come_and_go(number):
            n = 0
            while not over.is_set():
                n += 1
                try:
                    with d.client(source="127.7.%d.%d" % (number, n % 200 + 1)) as c:
                        c.hello()
                        if n % 3 == 0:
                            c.envelope()
                            c.message()
                        c.say("QUIT", 221)
                        c.expect_closed()
                    done.append(1)
                except Exception as e:  # any: it is told below
                    faults.append(repr(e))

        held = [d.client(source="127.6.0.%d" % (i + 1)) for i in range(100)]
        threads = [threading.Thread(target=come_and_go, args=(i,)) for i in range(6)]
        for t in threads:
            t.start()
        try:
            now = d
            for workers in 2, 4, 3:
                time.sleep(0.7)
                served = len(done)
                heir = self.heir(now, workers=workers)
                self.assertEqual(heir.count("127.6.0.0/16"), len(held))
                for c in held[:50]:
                    c.close()
                heir.wait_for_count(len(held) - 50 if len(held) > 50 else 0, "127.6.0.0/16")
                for c in held:
                    c.close()
                self.ended(now)
                wait_until(lambda: len(done) > served + 20, "they are served")
                held = [heir.client(source="127.6.0.%d" % (i + 1)) for i in range(100)]
                now = heir
        finally:
            over.set()
            for t in threads:
                t.join()
        for c in held:
            c.close()
        self.assertEqual(faults, [])
        self.assertGreater(len(done), 100)
        self.assert_quiet(now)


if __name__ == "__main__":
    unittest.main()
