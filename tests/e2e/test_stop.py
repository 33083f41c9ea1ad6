"""Stopping (T7) and reloading (T6) with sessions under way."""

import os
import shutil
import signal
import time
import unittest

from daemon import E2E, wait_until
from sink import Sink


class Stopping(E2E):
    def ended(self, d, code=0):
        self.assertEqual(d.wait(), code)

    def test_T7_nobody_there(self):
        for number in signal.SIGTERM, signal.SIGINT:
            d = self.daemon()
            d.signal(number)
            self.ended(d)
            self.assertFalse(os.path.exists(d.control), "the control socket is left behind")

    def test_T7_idle_clients_get_421(self):
        d = self.daemon()
        with d.client() as greeted, d.client() as fresh, d.client(host="::1") as six:
            greeted.hello()
            d.signal(signal.SIGTERM)
            for c in greeted, fresh, six:
                c.expect(421, "4.3.2")
                c.expect_closed()
        self.ended(d)

    def test_T7_a_transaction_is_finished(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            d.signal(signal.SIGTERM)
            d.wait_for_log("stopping: 1 session")
            c.say("RCPT TO:<c@example.org>", 250)
            c.say("DATA", 354)
            time.sleep(0.1)
            c.send(b"hello\r\n.\r\n")
            c.expect(250)
            c.expect(421, "4.3.2")
            c.expect_closed()
        mails = d.mails()
        self.ended(d)
        self.assertEqual(len(mails), 1)

    def test_T7_a_message_at_its_next_hop_is_finished(self):
        with Sink({"dot": "sleep 1; polite"}) as sink:
            d = self.daemon(gateway="127.0.0.1:%d" % sink.port)
            with d.client() as c:
                c.hello()
                c.envelope()
                c.say("DATA", 354)
                c.send(b"x\r\n.\r\n")
                wait_until(lambda: sink.transactions, "the message is there")
                d.signal(signal.SIGTERM)
                c.expect(250)
                c.expect(421, "4.3.2")
                c.expect_closed()
            self.ended(d)
            self.assertEqual(len(sink.wait()), 1)

    def test_T7_a_tarpit_is_paid_then_421(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_tarpit "0.5" "slow";'})
        with d.client() as c:
            c.line("EHLO probe.example")
            d.wait_for_log("tarpit")
            d.signal(signal.SIGTERM)
            c.expect(250)
            c.expect(421, "4.3.2")
            c.expect_closed()
        self.ended(d)

    def test_T7_a_banner_that_is_due(self):
        d = self.daemon(esmtp="Banner_Delay = 1")
        with d.client(greet=False) as c:
            d.wait_for_count(1)
            d.signal(signal.SIGTERM)
            c.expect(220)
            c.expect(421, "4.3.2")
            c.expect_closed()
        self.ended(d)

    def test_T7_a_signal_after_the_console_drained(self):
        """`drain` has no deadline, SIGTERM brings one."""
        d = self.daemon(top="Drain_Timeout = 1")
        with d.client() as c:
            c.hello()
            c.envelope()
            self.assertEqual(d.ctl("drain").code, 0)
            c.expect_nothing(1.5)
            d.signal(signal.SIGTERM)
            c.expect(421, "4.3.2")
            c.expect_closed()
        self.ended(d)

    def test_T7_no_new_connections(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            d.signal(signal.SIGTERM)
            d.wait_for_log("stopping")

            def refused():
                try:
                    d.client(greet=False).close()
                except ConnectionRefusedError:
                    return True

            wait_until(refused, "connections are refused")
            c.say("RSET", 250)
            c.expect(421)
        self.ended(d)

    def test_T7_deadline(self):
        d = self.daemon(top="Drain_Timeout = 1")
        with d.client() as c:
            c.hello()
            c.envelope()
            began = time.monotonic()
            d.signal(signal.SIGTERM)
            c.expect(421, "4.3.2")
            c.expect_closed()
            self.assertGreater(time.monotonic() - began, 0.9)
        self.ended(d)

    def test_T7_a_second_signal_is_at_once(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_tarpit 60 "slow";'})
        with d.client() as busy, d.client() as held, d.client(receive_buffer=4096) as deaf:
            busy.line("EHLO probe.example")
            held.line("EHLO probe.example")
            deaf.line("NOOP")
            deaf.expect(250)
            d.wait_for_log("tarpit")
            d.signal(signal.SIGTERM)
            d.wait_for_log("stopping: ")
            busy.expect_nothing(0.3)
            began = time.monotonic()
            d.signal(signal.SIGTERM)
            for c in busy, held:
                c.expect(421, "4.3.2")
                c.expect_closed()
            self.ended(d)
            self.assertLess(time.monotonic() - began, 5)

    def test_T7_who_does_not_read_cannot_hold_it(self):
        d = self.daemon(top="Drain_Timeout = 1", esmtp="Max_Unproductive_Commands = 0")
        with d.client(receive_buffer=4096) as c:
            c.sock.settimeout(0.5)
            try:
                while True:
                    c.send(b"HELP\r\n" * 1000)
            except TimeoutError:
                pass
            began = time.monotonic()
            d.signal(signal.SIGTERM)
            self.ended(d)
            self.assertLess(time.monotonic() - began, 10)

    def test_T7_what_a_client_left_to_a_slow_disk(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        d = self.daemon(esmtp="Message_Memory = 4096", before=[
            "strace", "-f", "-qq", "-o", "trace", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=1000000"])
        tmp = os.path.join(d.maildir, "tmp")
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"much to be written\r\n" * 1000 + b".\r\n")
            wait_until(lambda: os.path.isdir(tmp) and os.listdir(tmp), "the message is being written")
        d.wait_for_count(0)
        d.signal(signal.SIGTERM)
        self.ended(d)

    def test_drain_and_stop_of_the_console(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            self.assertEqual(d.ctl("drain").code, 0)
            c.say("RSET", 250)
            c.expect(421, "4.3.2")
        self.ended(d)
        d = self.daemon()
        self.assertEqual(d.ctl("stop").code, 0)
        self.ended(d)

    def test_reload_while_draining_changes_nothing(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            d.signal(signal.SIGTERM)
            d.wait_for_log("stopping")
            d.signal(signal.SIGHUP)
            c.message()
        self.ended(d)


class Reloading(E2E):
    def test_T6_a_session_finishes_on_what_it_began_with(self):
        d = self.daemon(esmtp="Max_Recipients_Per_Message = 1", sieve={"mailfrom_phase1": 'ec_action 550 "5.7.1 old";'})
        with d.client() as old:
            old.hello()
            d.configure(esmtp="Max_Recipients_Per_Message = 2", sieve={"mailfrom_phase1": 'ec_action 550 "5.7.1 new";'})
            self.assertTrue(d.reload())
            old.say("MAIL FROM:<a@example.net>", 550)
            self.assertIn("old", old.say("MAIL FROM:<a@example.net>", 550).text)
            with d.client() as new:
                new.hello()
                self.assertIn("new", new.say("MAIL FROM:<a@example.net>", 550).text)
            d.configure(sieve=None)
            self.assertTrue(d.reload())
            with d.client() as newest:
                newest.hello()
                newest.envelope("a@example.net", "1@example.org", "2@example.org")
                newest.say("RCPT TO:<3@example.org>", 452)
                newest.message()
            self.assertIn("old", old.say("MAIL FROM:<a@example.net>", 550).text)
        self.assert_quiet(d)

    def test_T6_nobody_is_dropped_and_counts_stay(self):
        d = self.daemon()
        clients = [d.client(source="127.9.%d.1" % i) for i in range(50)]
        for i in range(5):
            d.configure(esmtp="Max_Errors = %d" % (10 + i))
            self.assertTrue(d.reload())
            self.assertEqual(d.count("127.9.0.0/16"), 50)
        for c in clients:
            c.hello()
            c.envelope()
            c.message()
            c.close()
        self.assertEqual(len(d.mails()), 50)
        self.assert_quiet(d)

    def test_T6_in_the_middle_of_a_message(self):
        d = self.daemon(sieve={"data_phase1": 'ec_log "looked at";'})
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"one\r\n")
            d.configure(gateway="maildir:elsewhere", sieve=None)
            self.assertTrue(d.reload())
            c.send(b"two\r\n.\r\n")
            c.expect(250)
        self.assertEqual(len(d.mails()), 1)
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()
        self.assertEqual(len(d.mails(os.path.join(d.dir, "elsewhere"))), 1)

    def test_T6_a_bad_file_leaves_the_old_configuration(self):
        d = self.daemon(esmtp="Max_Errors = 3")
        with d.client() as c:
            c.hello()
            for bad in dict(esmtp="Max_Errors = many"), dict(esmtp="Max_Error = 3"), dict(esmtp="} {"), \
                    dict(esmtp="", sieve={"connect_phase1": "nonsense"}), dict(esmtp="", lua={"x": "function end"}):
                with self.subTest(bad):
                    seen = len(d.lines)
                    d.configure(**dict({"sieve": None, "lua": None}, **bad))
                    self.assertFalse(d.reload())
                    d.wait_for_log(r"error: \S+:\d+", seen)
                    self.assertEqual(d.count(), 1)
                    c.say("NOOP", 250)
            with d.client() as other:
                for code in 500, 500, 421:
                    other.say("XYZZY", code)
        d.configure(esmtp="", sieve=None, lua=None)
        self.assertTrue(d.reload())
        self.assert_quiet(d)

    def test_T6_a_new_State_Dir_is_made(self):
        d = self.daemon(esmtp="Message_Memory = 4K")
        with open(d.conf) as f:
            text = f.read()
        d.write("tidewaiter.conf", text.replace('State_Dir = "state"', 'State_Dir = "state/new/one"'))
        self.assertTrue(d.reload())
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message(b"more than is kept in memory\r\n" * 1000)
        d.write("state/file", "")
        d.write("tidewaiter.conf", text.replace('State_Dir = "state"', 'State_Dir = "state/file"'))
        self.assertFalse(d.reload())
        self.assertIn("State_Dir", d.log_tail())

    def rename(self, d, name):
        with open(d.conf) as f:
            text = f.read()
        d.write("tidewaiter.conf", text.replace("edge.example.org", name))
        self.assertTrue(d.reload())

    def test_T6_a_new_Hostname_is_used_everywhere(self):
        broken = {"mailfrom_phase1": 'if envelope :localpart "from" "fail" { $x = ec_add $unset 1; }'}
        with Sink() as hop:
            d = self.daemon(gateway="127.0.0.1:%d" % hop.port, sieve=broken, top="Gateway_XCLIENT = false",
                            esmtp="Gateway_Idle_Time = 0\nDomain \"kept.org\" { Gateway = \"maildir:mail\" }",
                            domains='( "example.org" "kept.org" )')
            for name in "edge.example.org", "mx.example.org":
                if name != "edge.example.org":
                    self.rename(d, name)
                with d.client(greet=False) as c:
                    c.expect(220, name)
                    c.hello()
                    for recipient in "b@example.org", "b@kept.org":
                        c.envelope("a@example.net", recipient)
                        text = c.message().text
                    self.assertIn(name, text)  # the file's name
                    self.assertIn("EHLO " + name, hop.commands)
                    self.assertIn(name + " temporary issue", c.say("MAIL FROM:<fail@example.net>", 421).text)  # D25

    def test_T6_what_a_reload_cannot_change_is_said(self):
        d = self.daemon()
        d.configure(top="Landlock = off\nSeccomp = off")
        for _ in range(2):
            before = len(d.lines)
            self.assertTrue(d.reload())
            for name in "Landlock", "Seccomp":
                d.wait_for_log("warning: .*: %s stays on, expected a restart" % name, before)

    def test_T6_a_door_is_closed_and_opened(self):
        d = self.daemon()
        with d.client(host="::1") as inside:
            d.configure(esmtp="Listen \"127.0.0.1:%d\" {}" % d.other_port())
            self.assertTrue(d.reload())
            with d.client(port=d.other_port()) as c:
                c.say("NOOP", 250)
            d.configure(esmtp="")
            self.assertTrue(d.reload())
            with self.assertRaises(ConnectionRefusedError):
                d.client(port=d.other_port(), greet=False)
            inside.say("NOOP", 250)
        self.assert_quiet(d)

    def test_T6_a_door_that_cannot_be_opened_is_a_bad_file(self):
        d = self.daemon()
        d.configure(esmtp="Listen \"192.0.2.1:%d\" {}" % d.port)
        self.assertFalse(d.reload())
        d.wait_for_log("cannot listen on 192.0.2.1")
        self.assert_quiet(d)

    def test_T6_under_load(self):
        """Reloads while sessions come and go: nobody notices."""
        d = self.daemon()
        for i in range(20):
            d.configure(esmtp="Max_Errors = %d" % (10 + i))
            d.signal(signal.SIGHUP)
            for _ in range(5):
                with d.client(source="127.8.0.%d" % (i + 1)) as c:
                    c.hello()
                    c.envelope()
                    c.message()
                    c.say("QUIT", 221)
        self.assertEqual(len(d.mails()), 100)
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
