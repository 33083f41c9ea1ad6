"""The tarpit is no weapon against us: Max_Tarpitted."""

import signal
import time
import unittest

from daemon import E2E, wait_until

HOLD = {"connect_phase1": 'ec_tarpit 60 "slow";'}


class Tarpit(E2E):
    def held(self, d, count, first=1):
        """Clients that wait for their banner, one after the other."""
        clients = []
        for i in range(first, first + count):
            clients.append(d.client(source="127.5.0.%d" % i, greet=False))
            wait_until(lambda: any(row["client"] == "127.5.0.%d" % i for row in d.ask("who")) or
                       d.ask("stats")["tarpits"] >= i, "client %d is held" % i)
        return clients

    def test_T14_the_oldest_are_let_go(self):
        d = self.daemon(workers=1, top="Max_Tarpitted = 3", sieve=HOLD)
        clients = self.held(d, 5)
        for c in clients[:2]:
            c.expect(421, "4.3.2")
            c.expect_closed()
        wait_until(lambda: d.ask("stats")["tarpits_cut"] == 2, "two are counted")
        self.assertEqual(d.ask("status")["held"], 3)
        d.wait_for_count(3)
        for c in clients[2:]:
            c.expect_nothing(0.1)
        d.wait_for_log("warning: more than 3 clients are held back: the oldest are let go")
        for i in 1, 2:
            d.wait_for_log(r"disconnect from unknown\[127\.5\.0\.%d\] .*end=crowded" % i)
        self.assertEqual(len([l for l in d.lines if "more than 3" in l]), 1)
        for c in clients:
            c.close()
        d.wait_for_count(0)
        self.assertEqual(d.ask("status")["held"], 0)

    def test_T14_who_has_left_counts_no_more(self):
        d = self.daemon(workers=1, top="Max_Tarpitted = 2", sieve=HOLD)
        one, two = self.held(d, 2)
        one.reset()
        d.wait_for_count(1)
        three, = self.held(d, 1, first=3)
        for c in two, three:
            c.expect_nothing(0.1)
        self.assertEqual(d.ask("stats")["tarpits_cut"], 0)

    def test_T14_all_workers_together(self):
        d = self.daemon(workers=4, top="Max_Tarpitted = 10", sieve=HOLD)
        clients = self.held(d, 40)
        wait_until(lambda: d.ask("status")["held"] <= 10 and d.count() <= 10, "at most ten are held")
        stats = d.ask("stats")
        self.assertEqual(stats["tarpits_cut"], stats["tarpits"] - d.ask("status")["held"])
        for c in clients:
            c.close()
        d.wait_for_count(0)

    def test_T14_in_the_middle_of_a_transaction(self):
        d = self.daemon(workers=1, top="Max_Tarpitted = 1", sieve={"rcptto_phase1": 'ec_tarpit 60 "slow";'})
        with d.client() as first, d.client() as second:
            for c in first, second:
                c.hello()
                c.say("MAIL FROM:<a@example.net>", 250)
                c.line("RCPT TO:<b@example.org>")
                d.wait_for_log("tarpit")
                time.sleep(0.1)
            first.expect(421, "4.3.2")
            first.expect_closed()
            second.expect_nothing(0.1)

    def test_T14_the_default_is_half_of_the_descriptors(self):
        d = self.daemon(workers=1, descriptors=80, sieve=HOLD)
        clients = [d.client(source="127.5.0.%d" % (i + 1), greet=False) for i in range(45)]
        wait_until(lambda: d.ask("stats")["tarpits_cut"] == 5, "five are let go")
        self.assertEqual(d.ask("status")["held"], 40)
        for c in clients:
            c.close()
        d.wait_for_count(0)

    def test_T6_a_reload_changes_it_for_new_sessions(self):
        d = self.daemon(workers=1, top="Max_Tarpitted = 5", sieve=HOLD)
        clients = self.held(d, 3)
        d.configure(top="Max_Tarpitted = 2")
        self.assertTrue(d.reload())
        time.sleep(0.1)
        self.assertEqual(d.ask("status")["held"], 3)
        clients += self.held(d, 1, first=4)
        for c in clients:
            c.close()

    def test_a_drain_still_pays_and_ends(self):
        d = self.daemon(workers=1, top="Max_Tarpitted = 2\nDrain_Timeout = 1", sieve=HOLD)
        clients = self.held(d, 3)
        d.signal(signal.SIGTERM)
        for c in clients:
            c.expect(421, "4.3.2")
            c.close()
        self.assertEqual(d.wait(), 0)


if __name__ == "__main__":
    unittest.main()
