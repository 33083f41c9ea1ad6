"""Connections to next hops: kept, shared, limited; next hops that come and go."""

import threading
import time
import unittest

from daemon import E2E, wait_until
from sink import Sink

SLOW_CLIENTS = 100


class Pool(E2E):
    def hop(self, deeds=None, **more):
        s = Sink(deeds, **more)
        self.addCleanup(s.close)
        return s

    def deliver(self, c, want=250, mark=b"x"):
        c.line("MAIL FROM:<a@example.net>")
        reply = c.reply()
        if reply.code == 250:
            c.say("RCPT TO:<b@example.org>", 250)
            c.message(mark + b"\r\n", want)
        else:
            self.assertEqual(reply.code, want)
        return reply

    def test_one_connection_serves_one_client_after_another(self):
        sink = self.hop()
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1)
        for _ in range(10):
            with d.client() as c:
                c.hello()
                self.deliver(c)
                c.say("MAIL FROM:<a@example.net>", 250)  # given up
                c.say("QUIT", 221)
        self.assertEqual(sink.connections, 1)
        self.assertEqual(sink.commands.count("RSET"), 9)
        wait_until(lambda: not sink.open, "an idle connection is closed")
        self.assertEqual(sink.commands[-1], "QUIT")

    def test_reuse_limit(self):
        sink = self.hop()
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1, top="Gateway_Reuse_Limit = 3")
        with d.client() as c:
            c.hello()
            for _ in range(7):
                self.deliver(c)
        self.assertEqual(sink.connections, 3)

    def test_slow_clients_share_few_connections(self):
        """All of them are in the middle of a message, and each gets its own through."""
        sink = self.hop()
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, top="Max_Gateway_Connections = 4")
        most, over = [0], threading.Event()

        def watch():
            while not over.wait(0.01):
                most[0] = max(most[0], len(sink.open))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        self.addCleanup(over.set)
        clients = []
        for i in range(SLOW_CLIENTS):
            c = d.client(timeout=60)
            self.addCleanup(c.close)
            c.hello()
            c.send(b"MAIL FROM:<%d@example.net>\r\nRCPT TO:<b@example.org>\r\nRCPT TO:<c@example.org>\r\nDATA\r\n" % i)
            clients.append(c)
        for c in clients:
            for code in 250, 250, 250, 354:
                c.expect(code)
            c.send(b"Subject: x\r\n")
        for c in clients:
            c.send(b"\r\n.\r\n")
        for c in clients:
            c.expect(250)
        over.set()
        watcher.join()
        self.assertLessEqual(most[0], 4)
        done = sink.wait(SLOW_CLIENTS)
        self.assertEqual(sorted(t.sender for t in done), sorted("%d@example.net" % i for i in range(SLOW_CLIENTS)))
        for t in done:
            self.assertEqual(t.recipients, ["b@example.org", "c@example.org"])
        for c in clients:
            c.close()
        self.assert_quiet(d)

    def test_a_dead_next_hop_is_answered_for_at_once(self):
        dead = self.hop({"greeting": "sleep 1; 554 5.3.2 no"})
        d = self.daemon(gateway="127.0.0.1:%d" % dead.port, workers=1)
        with d.client() as c:
            c.hello()
            self.deliver(c, 451)
            began = time.monotonic()
            for _ in range(5):
                self.assertIn("4.4.1", self.deliver(c, 451).text)
            self.assertLess(time.monotonic() - began, 0.9)
            self.assertEqual(dead.connections, 1)
            dead.deeds = {}

            def is_back():
                time.sleep(0.1)  # the session's patience with commands in vain has a limit
                c.line("MAIL FROM:<a@example.net>")
                return c.reply().code == 250

            wait_until(is_back, "it is tried again")

    def test_routes_fall_back_and_return(self):
        first, second = self.hop(), self.hop()
        d = self.daemon(gateway=None, workers=1, top="Gateway_Retry_Time = 1\nGateway_Idle_Time = 0",
                        esmtp='Routes = ( "smtp://127.0.0.1?pref=20&port=%d" "smtp://127.0.0.1?pref=10&port=%d" )'
                        % (second.port, first.port))
        with d.client() as c:
            c.hello()
            self.deliver(c)
            first.deeds = {"greeting": "421 4.3.2 going down; close"}
            for _ in range(3):
                self.deliver(c)
            self.assertEqual((first.connections, second.connections), (2, 3))
            first.deeds = {}

            def is_back():
                self.deliver(c)
                return first.connections > 2

            wait_until(is_back, "the better one is used again")

    def test_a_kept_connection_that_died_costs_no_client_a_451(self):
        for deed in "250 2.0.0 Kept; close", "250 2.0.0 Kept; reset", "250 2.0.0 Kept; 421 4.4.2 idle; close":
            with self.subTest(deed):
                sink = self.hop({"dot": deed})
                d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1)
                for _ in range(20):
                    with d.client() as c:
                        c.hello()
                        self.deliver(c)
                self.assertEqual(len(sink.wait(20)), 20)

    def test_a_refused_EHLO_changes_nothing_but_the_name(self):
        """The transaction goes on (RFC 5321 4.1.4), on a connection that has to be told again."""
        sink = self.hop({"EHLO": "250 sink.example|XCLIENT HELO"})
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1,
                        top="Gateway_XCLIENT = true\nMax_Gateway_Connections = 1",
                        sieve={"ehlo_phase1": 'if vctx :is "ehlo_domain" "bad.example" { ec_action 550 "5.7.1 No"; }'})
        with d.client() as patient, d.client() as other:
            patient.hello("good.example")
            patient.say("MAIL FROM:<a@example.net>", 250)
            patient.say("EHLO bad.example", 550)
            other.hello("other.example")
            self.deliver(other)
            patient.say("RCPT TO:<b@example.org>", 250)
            patient.message()
        self.assertEqual([c for c in sink.commands if c.startswith("XCLIENT")],
                         ["XCLIENT HELO=good.example", "XCLIENT HELO=other.example", "XCLIENT HELO=bad.example"])

    def test_a_name_that_the_next_hop_refuses_is_its_clients_trouble(self):
        """What a client calls itself has the next hop left alone by nobody else."""
        sink = self.hop({"EHLO": "250 sink.example|XCLIENT ADDR HELO", "EHLO:bad.example": "501 5.5.2 not a name"})
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1)
        for _ in range(3):
            with d.client() as bad, d.client() as good:
                bad.hello("bad.example")
                self.assertIn("5.5.2 not a name", self.deliver(bad, 501).text)
                good.hello("good.example")
                self.deliver(good)
        self.assertEqual(len(sink.wait(3)), 3)

    def test_a_login_is_passed_on_and_taken_back(self):
        sink = self.hop({"EHLO": "250 sink.example|XCLIENT LOGIN"})
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1, esmtp='XClient_Hosts = ( "127.0.0.0/8" )')
        for who in "LOGIN=alice", "LOGIN=[UNAVAILABLE]", "ADDR=127.0.0.1":
            with d.client() as c:
                c.say("XCLIENT " + who, 220)
                c.hello()
                self.deliver(c)
        self.assertEqual([c for c in sink.commands if c.startswith("XCLIENT")],
                         ["XCLIENT LOGIN=alice", "XCLIENT LOGIN=[UNAVAILABLE]"])

    def test_D49_a_transaction_goes_on_as_the_new_client(self):
        sink = self.hop({"EHLO": "250 sink.example|XCLIENT NAME ADDR"})
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1,
                        top="Gateway_XCLIENT = true\nMax_Gateway_Connections = 1",
                        esmtp='XClient_Hosts = ( "0.0.0.0/0" )\nSMTP_Extensions = ( "XCLIENT" "XREMOTEIP" )')
        with d.client() as patient, d.client() as other:
            patient.say("XCLIENT NAME=first.example ADDR=192.0.2.1", 220)
            patient.hello()
            patient.say("MAIL FROM:<a@example.net>", 250)
            patient.say("XREMOTEIP 192.0.2.2", 250)
            other.hello()
            self.deliver(other)
            patient.say("RCPT TO:<b@example.org>", 250)
            patient.message()
        self.assertEqual([c for c in sink.commands if c.startswith("XCLIENT")],
                         ["XCLIENT NAME=first.example ADDR=192.0.2.1",
                          "XCLIENT NAME=[UNAVAILABLE] ADDR=127.0.0.1",
                          "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.2"])

    def test_T12_is_known_without_asking(self):
        sink = self.hop(lacks=("SMTPUTF8",))
        d = self.daemon(gateway="127.0.0.1:%d" % sink.port, workers=1, top="Gateway_Idle_Time = 0")
        with d.client() as c:
            c.hello()
            self.deliver(c)
            for _ in range(3):
                c.say("MAIL FROM:<ü@example.net> SMTPUTF8", 553)
            c.say("MAIL FROM:<a@example.net> SIZE=104857601", 552)
        self.assertEqual(sink.connections, 1)


if __name__ == "__main__":
    unittest.main()
