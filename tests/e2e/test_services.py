"""What is counted beside the plain case: several services and endpoints, sessions that are held,
refused, capped or timed out, and what a count reads while sessions come and go."""

import os
import signal
import socket
import threading
import time
import unittest

from console import Console
from crowd import Crowd
from daemon import E2E, PATIENCE, wait_until

ALL = "0.0.0.0/0", "::/0"


class Services(E2E):
    def test_console_counts_itself(self):
        d = self.daemon()
        for prefix, want in (("0.0.0.0/0", 1), ("127.0.0.1", 1), ("127.0.0.1/32", 1), ("127.0.0.2", 0),
                             ("::/0", 0)):
            self.assertEqual(d.count(prefix, "Control"), want, prefix)
        with socket.socket(socket.AF_UNIX) as held:
            held.connect(d.control)
            d.wait_for_count(2, service="Control")
            self.assertEqual(d.ask("distinct", "Control", "127.0.0.0/8")["distinct"], 1)
            self.assertEqual(d.count(service="Control@" + d.control), 2)
            self.assertEqual(d.count(), 0)
        d.wait_for_count(1, service="Control")

    def test_D50_known_services_without_a_listener_are_empty(self):
        d = self.daemon()
        with d.client():
            for service in "ECStream", "ECmmove2", "ECCluster", "HTTP":
                for prefix in ALL:
                    self.assertEqual(d.count(prefix, service), 0, service)

    def test_D50_inbound_cidr_is_SMTP(self):
        d = self.daemon()
        with d.client("127.3.2.1"), d.client("127.3.2.1"), d.client("127.3.9.9"), d.client(host="::1"):
            for words in (["count", "%s", "127.3.2.0/24"], ["distinct", "%s", "127.3.0.0/16"],
                          ["count", "%s", "16-64"], ["top", "%s", "--by", "16"]):
                answers = [d.ctl(*(w.replace("%s", s) for w in words)) for s in ("SMTP", "inbound_cidr")]
                self.assertEqual(answers[0], answers[1])
                self.assertEqual(answers[0].code, 0)

    def test_D50_unknown_service_is_an_error_that_names_it(self):
        d = self.daemon()
        for service in "smtp", "SMTPS", "", "SMTP ", "LISTENER":
            for verb in "count", "distinct":
                answer = d.ctl(verb, service, "::/0")
                self.assertEqual((answer.code, answer.out), (64, ""), service)
                self.assertIn('"%s"' % service, answer.err)

    def test_unknown_endpoint_is_an_error_that_names_it(self):
        d = self.daemon()
        for endpoint in "127.0.0.1:1", "", "127.0.0.1:%d " % d.port, d.control:
            answer = d.ctl("count", "SMTP@" + endpoint, "::/0")
            self.assertEqual((answer.code, answer.out), (64, ""), endpoint)
            self.assertIn(endpoint, answer.err)

    def test_endpoints_are_counted_apart_also_one_that_a_reload_brings(self):
        d = self.daemon()
        d.configure(esmtp='Listen "127.0.0.2:%d" {}\nListen "./smtp.sock" {}' % d.port)
        with d.client("127.5.0.1"):
            self.assertTrue(d.reload())
            with d.client("127.5.0.1", "127.0.0.2"), d.client("127.5.0.2", "127.0.0.2"), d.client(host="::1"), \
                    d.client(host=os.path.join(d.dir, "smtp.sock")):
                for endpoint, want in (("127.0.0.1:%d" % d.port, 1), ("127.0.0.2:%d" % d.port, 2),
                                       ("[::1]:%d" % d.port, 0), (os.path.join(d.dir, "smtp.sock"), 1)):
                    self.assertEqual(d.count("127.0.0.0/8", "SMTP@" + endpoint), want, endpoint)
                self.assertEqual(d.count("127.0.0.0/8"), 4)
                self.assertEqual(d.count("127.0.0.1"), 1)  # D51: the Unix socket's
                self.assertEqual(d.count("::1", "SMTP@[::1]:%d" % d.port), 1)
                self.assertEqual(d.count("127.5.0.1"), 2)

                # An endpoint that a reload takes away keeps the sessions it has.
                d.configure(esmtp="")
                self.assertTrue(d.reload())
                self.assertEqual(d.count("127.0.0.0/8", "SMTP@127.0.0.2:%d" % d.port), 2)
                self.assertEqual(d.count("127.0.0.0/8"), 4)
        self.assert_quiet(d)

    def test_D105_a_mapped_address_is_the_IPv4_one(self):
        d = self.daemon()
        with d.client("127.5.0.1"):
            for prefix in "::ffff:127.5.0.1", "::ffff:127.5.0.0/120", "[::ffff:127.5.0.1]", "[::ffff:7f05:1]/128":
                self.assertEqual(d.count(prefix), 1, prefix)


class Held(E2E):
    """D51: whoever is accepted and not yet closed is counted, and nobody else."""

    def test_in_a_tarpit_and_when_it_is_cut_short(self):
        d = self.daemon(sieve={"connect_phase1": 'ec_tarpit 60 "slow";'})
        clients = [d.client("127.7.0.%d" % (1 + i), greet=False) for i in range(60)]
        d.wait_for_count(60, "127.7.0.0/24")
        wait_until(lambda: d.ask("status")["held"] == 60, "60 are held")
        for i, c in enumerate(clients):
            (c.close, c.reset, c.finish_sending)[i % 3]()
        d.wait_for_count(0)
        self.assertEqual(d.ask("status")["held"], 0)
        for c in clients:
            c.close()
        d.wait_for_log("disconnect .* end=hangup")

    def test_refused_by_policy(self):
        for phase in "accept", "connect":
            d = self.daemon(sieve={phase + "_phase1": 'ec_tarpit 0.5; ec_disconnect 421 "4.7.0 no";'})
            clients = [d.client("127.7.0.%d" % (1 + i), greet=False) for i in range(30)]
            wait_until(lambda: d.count("127.7.0.0/24") > 0, "they are counted while they are refused")
            for c in clients:
                c.expect(421)
                c.expect_closed()
            self.assertEqual(d.count(), 0)  # D37: nothing to wait for
            for c in clients:
                c.close()

    def test_D76_refused_by_a_cap_is_counted_while_it_lives_and_uses_no_slot(self):
        d = self.daemon(esmtp="Listener_Sessions = 3")
        held = [d.client("127.7.0.%d" % (1 + i)) for i in range(3)]
        for _ in range(5):
            with d.client("127.7.0.9", greet=False) as c:
                c.expect(421, "concurrency limit reached")
                c.expect_closed()
                self.assertEqual(d.count("127.7.0.0/24"), 3)
        held.pop().close()
        d.wait_for_count(2)
        held.append(d.client("127.7.0.9"))
        self.assertEqual(d.count("127.7.0.0/24"), 3)
        self.assertEqual([d.ask("stats")[k] for k in ("connections", "capped", "rejections")], [9, 5, 5])
        for c in held:
            c.close()
        d.wait_for_count(0)

    def test_silent_until_the_timeout(self):
        d = self.daemon(esmtp="Idle_Time = 1")
        clients = [d.client("127.7.0.%d" % (1 + i)) for i in range(30)]
        self.assertEqual(d.count("127.7.0.0/24"), 30)
        for c in clients:
            c.expect(421, "timeout")
            c.expect_closed()
            c.close()
        self.assertEqual(d.count(), 0)
        self.assertEqual(d.ask("stats")["timeouts"], 30)

    def test_SIGKILL_of_a_process_that_holds_hundreds(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_tarpit 60 "slow";'})
        crowd = Crowd(d, 250, "127.7.1.0/24")
        again = Crowd(d, 250, "127.7.1.0/24")
        self.assertEqual(d.count("127.7.1.0/24"), 500)
        self.assertEqual(d.ask("distinct", "SMTP", "127.7.1.0/24")["distinct"], 250)
        crowd.kill()
        d.wait_for_count(250, "127.7.1.0/24")
        again.kill()
        d.wait_for_count(0)
        self.assert_quiet(d)

    def test_reload_disturbs_no_session_and_no_count(self):
        d = self.daemon()
        clients = [d.client("127.7.0.%d" % (1 + i % 5)) for i in range(20)]
        for _ in range(3):
            d.configure(sieve={"mailfrom_phase1": 'ec_action 550 "5.7.1 new rules";'})
            self.assertTrue(d.reload())
            self.assertEqual((d.count("127.7.0.0/24"), d.count("127.7.0.3")), (20, 4))
        clients[0].hello()
        clients[0].say("MAIL FROM:<a@b.example>", 250)  # T6: as it began
        with d.client() as late:
            late.hello()
            late.say("MAIL FROM:<a@b.example>", 550)
        for c in clients:
            c.close()
        d.wait_for_count(0)

    def test_drain_lets_them_finish_and_counts_down(self):
        d = self.daemon()
        busy, idle = d.client("127.7.0.1"), [d.client("127.7.0.%d" % (2 + i)) for i in range(10)]
        busy.hello()
        busy.envelope()
        d.signal(signal.SIGTERM)
        for c in idle:
            c.expect(421, "4.3.2")
            c.expect_closed()
            c.close()
        self.assertEqual(d.count("127.7.0.0/24"), 1)
        busy.message()
        busy.expect(421)
        busy.expect_closed()
        busy.close()
        self.assertEqual(d.wait(), 0)
        self.assertEqual(len(d.mails()), 1)


class Churn(E2E):
    """T8: an answer that comes while sessions come and go is one that was possible."""

    STAY, COME = 20, 12
    WANT = {"127.8.1.0/24": (STAY, STAY), "127.8.1.7": (1, 1), "127.8.2.0/24": (0, COME),
            "127.8.0.0/16": (STAY, STAY + COME), "127.8.0.0/15": (STAY, STAY + 2 * COME),
            "127.0.0.0/8": (STAY, STAY + 2 * COME), "0.0.0.0/0": (STAY, STAY + 2 * COME)}

    def churn(self, d, net, over):
        """Never more than COME at a time: who sees the end of a session is not in it any more (D37)."""
        while not over.is_set():
            live = [d.client(net % (1 + i)) for i in range(self.COME)]
            for c in live:
                c.finish_sending()
            for c in live:
                c.expect_gone()
                c.close()

    def look(self, d, seconds):
        """{prefix: all that was read}"""
        end, seen = time.monotonic() + seconds, {prefix: set() for prefix in self.WANT}
        with Console(d.control) as console:
            while time.monotonic() < end:
                for prefix in seen:
                    seen[prefix].add(console.number("count SMTP " + prefix))
        return seen

    def test_T8_answers_during_churn_are_possible(self):
        d = self.daemon()
        stay = [d.client("127.8.1.%d" % (1 + i)) for i in range(self.STAY)]
        over = threading.Event()
        threads = [threading.Thread(target=self.churn, args=(d, net, over)) for net in ("127.8.2.%d", "127.9.3.%d")]
        for t in threads:
            t.start()
        try:
            seen = self.look(d, 3)
        finally:
            over.set()
            for t in threads:
                t.join(PATIENCE)
            for c in stay:
                c.close()
        for prefix, (least, most) in self.WANT.items():
            self.assertTrue(least <= min(seen[prefix]) and max(seen[prefix]) <= most, (prefix, seen[prefix]))
        self.assertGreater(len(seen["0.0.0.0/0"]), 3, "nothing was going on")
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
