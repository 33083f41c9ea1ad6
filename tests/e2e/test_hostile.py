"""Clients that misbehave: whatever they do, afterwards nobody is counted and the daemon lives."""

import random
import signal
import socket
import time
import unittest

from daemon import E2E

SESSION = (b"EHLO probe.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
           b"hello\r\n.\r\n")


def tarpit(seconds):
    return {"ehlo_phase1": 'ec_tarpit "%s" "slow";\n' % seconds}


class HalfClosed(E2E):
    def test_T10_all_that_was_sent_is_answered(self):
        d = self.daemon()
        with d.client() as c:
            c.send(b"EHLO probe.example\r\nNOOP\r\nVRFY x\r\n")
            c.finish_sending()
            for code in 250, 250, 252:
                c.expect(code)
            c.expect_closed()
        self.assert_quiet(d)

    def test_T10_a_whole_session_and_quit(self):
        d = self.daemon()
        with d.client() as c:
            c.send(SESSION + b"QUIT\r\n")
            c.finish_sending()
            for code in 250, 250, 250, 354, 250, 221:
                c.expect(code)
            c.expect_closed()
        self.assertEqual(len(d.mails()), 1)
        self.assert_quiet(d)

    def test_T10_half_a_command_is_none(self):
        d = self.daemon()
        with d.client() as c:
            c.send(b"NOOP\r\nNOOP")
            c.finish_sending()
            c.expect(250)
            c.expect_closed()
        self.assert_quiet(d)

    def test_T10_half_a_message_is_none(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"hello\r\n.\r")
            c.finish_sending()
            c.expect_closed()
        self.assert_quiet(d)
        self.assertEqual(d.mails(), [])

    def test_T10_fin_in_a_tarpit_ends_it(self):
        d = self.daemon(sieve=tarpit(60))
        with d.client() as c:
            c.line("EHLO probe.example")
            d.wait_for_log("tarpit")
            c.finish_sending()
            d.wait_for_count(0)
            c.expect_closed()

    def test_T10_fin_in_a_tarpit_with_unread_input_is_served(self):
        d = self.daemon(sieve=tarpit(1))
        with d.client() as c:
            began = time.monotonic()
            c.line("EHLO probe.example")
            d.wait_for_log("tarpit")
            c.send(b"NOOP\r\n")
            c.finish_sending()
            c.expect(250)
            self.assertGreater(time.monotonic() - began, 0.9)
            c.expect(250)
            c.expect_closed()
        self.assert_quiet(d)

    def test_T10_reset_in_a_tarpit_ends_it_at_once(self):
        d = self.daemon(sieve=tarpit(60))
        with d.client() as c:
            c.line("EHLO probe.example")
            d.wait_for_log("tarpit")
            c.send(b"NOOP\r\n")
            c.reset()
        d.wait_for_count(0)

    def test_T10_reset_with_the_last_command_ends_its_tarpit(self):
        d = self.daemon(sieve=tarpit(60))
        for _ in range(20):
            c = d.client()
            c.line("EHLO probe.example")
            c.reset()
        d.wait_for_count(0)

    def test_half_closed_slow_reader_gets_every_answer(self):
        d = self.daemon(esmtp="Max_Unproductive_Commands = 0")
        with d.client(receive_buffer=4096) as c:
            c.send(b"HELP\r\n" * 30000)
            c.finish_sending()
            for _ in range(30000):
                c.expect(214)
            c.expect_closed()
        self.assert_quiet(d)


class Storms(E2E):
    def test_resets_everywhere(self):
        """Each client stops somewhere else in a session, most by RST."""
        d = self.daemon()
        chance = random.Random(1)
        whole = SESSION * 2 + b"RSET\r\nNOOP\r\nQUIT\r\n"
        for i in range(400):
            c = d.client(source="127.%d.%d.%d" % (chance.randrange(1, 255), chance.randrange(256), 1 + i % 254),
                         greet=chance.random() < 0.5)
            try:
                c.send(whole[: chance.randrange(len(whole))])
            except OSError:
                pass
            if chance.random() < 0.7:
                c.reset()
            else:
                c.close()
        self.assert_quiet(d)

    def test_resets_in_waits(self):
        d = self.daemon(sieve={"connect_phase1": 'ec_tarpit "0.05";', "mailfrom_phase1": 'ec_tarpit "0.05";',
                               "rcptto_phase1": 'ec_tarpit "0.05";', "data_phase1": 'ec_tarpit "0.05";'})
        chance = random.Random(2)
        clients = []
        for i in range(200):
            c = d.client(source="127.1.%d.%d" % (i % 7, 1 + i % 250), greet=False)
            c.send(SESSION[: chance.randrange(len(SESSION) + 1)])
            clients.append(c)
            if len(clients) > 20:
                clients.pop(chance.randrange(20)).reset()
        for c in clients:
            c.reset()
        self.assert_quiet(d)


class Stalled(E2E):
    PHASES = (b"", b"EH", b"EHLO probe.example\r\n", SESSION[:46], SESSION[:-13], SESSION[:-10], SESSION[:-3], SESSION[:-1])

    def test_stalled_in_every_phase_are_counted_and_leave(self):
        d = self.daemon()
        clients = [d.client(source="127.5.0.%d" % (i + 1)) for i in range(len(self.PHASES))]
        for c, sent in zip(clients, self.PHASES):
            c.send(sent)
        self.assertEqual(d.count("127.5.0.0/24"), len(clients))
        with d.client() as other:  # the others are not held up
            other.say("NOOP", 250)
        for i, c in enumerate(clients):
            c.reset() if i % 2 else c.close()
        self.assert_quiet(d)

    def test_T14_command_timeout_ends_each(self):
        d = self.daemon(esmtp="Command_Timeout = 1")
        clients = [d.client() for _ in self.PHASES]
        for c, sent in zip(clients, self.PHASES):
            c.send(sent)
        for c in clients:
            c.expect_gone()
            c.close()
        self.assert_quiet(d)
        d.wait_for_log("timeout after DATA from unknown")

    def test_T14_transaction_timeout_ends_a_trickle(self):
        """Each octet is in time, the message is not."""
        d = self.daemon(esmtp="Transaction_Timeout = 2\nCommand_Timeout = 1")
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            began = time.monotonic()
            try:
                while time.monotonic() - began < 10:
                    c.send(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 5)
        self.assert_quiet(d)
        d.wait_for_log("timeout after DATA")

    def test_T14_transaction_timeout_is_not_late(self):
        """Also where no other limit is near."""
        d = self.daemon(esmtp="Transaction_Timeout = 1")
        with d.client() as c:
            c.hello()
            c.envelope()
            began = time.monotonic()
            c.expect(421, "4.4.2")
            c.expect_closed()
            self.assertLess(time.monotonic() - began, 4)
        with d.client() as c:
            c.expect_nothing(1.5)
            c.say("NOOP", 250)

    def test_T14_slow_command_octets(self):
        """Half a command that goes on and on is none within Command_Timeout."""
        d = self.daemon(esmtp="Command_Timeout = 1\nIdle_Time = 1")
        with d.client() as c:
            began = time.monotonic()
            try:
                while time.monotonic() - began < 10:
                    c.send(b"x")
                    time.sleep(0.1)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 5)
        self.assert_quiet(d)

    def test_idle_time_does_not_run_in_a_tarpit(self):
        """D34: a client that was made to wait for longer than Idle_Time is not idle."""
        d = self.daemon(esmtp="Idle_Time = 1", sieve=tarpit("1.5"))
        with d.client() as c:
            c.say("EHLO probe.example", 250)
            c.expect_nothing(0.5)
            c.say("NOOP", 250)

    def test_never_reading(self):
        """Answers that nobody takes: we stop reading, and in the end the client is sent away."""
        d = self.daemon(esmtp="Command_Timeout = 2\nMax_Unproductive_Commands = 0")
        with d.client(receive_buffer=4096) as c:
            c.sock.settimeout(1)
            sent = 0
            try:
                while sent < 50_000_000:
                    c.send(b"HELP\r\n" * 1000)
                    sent += 6000
            except TimeoutError:
                pass
            self.assertLess(sent, 50_000_000)
            d.wait_for_count(0)
        self.assert_quiet(d)

    def test_slow_reader_gets_all_in_order(self):
        d = self.daemon(esmtp="Max_Unproductive_Commands = 0")
        with d.client(receive_buffer=4096) as c:
            c.send(b"HELP\r\nVRFY x\r\nNOOP\r\n" * 5000)
            for _ in range(5000):
                for code in 214, 252, 250:
                    c.expect(code)
        self.assert_quiet(d)


class Noise(E2E):
    def bombard(self, d, octets):
        with d.client() as c:
            try:
                c.send(octets)
                c.finish_sending()
            except OSError:
                pass  # we are thrown out in the middle of it
            c.expect_gone()

    def test_binary_noise(self):
        d = self.daemon()
        chance = random.Random(3)
        for _ in range(60):
            self.bombard(d, chance.randbytes(chance.randrange(1, 20000)))
        self.assert_quiet(d)

    def test_noise_that_looks_like_smtp(self):
        d = self.daemon()
        chance = random.Random(4)
        pieces = [b"EHLO", b"MAIL", b"RCPT", b"DATA", b"FROM:", b"TO:", b"<", b">", b"@", b"a", b"example.org", b" ",
                  b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\0", b".", b".\r\n", b"\xc3\xbc", b"\xff", b"SIZE=",
                  b"9" * 30, b"x" * 3000, b"\"", b"[", b"]", b"\t", b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n",
                  b"RCPT TO:<b@example.org>\r\n", b"DATA\r\n", b"RSET\r\n"]
        for _ in range(150):
            self.bombard(d, b"".join(chance.choices(pieces, k=60)))
        self.assert_quiet(d)

    def test_tls_hello(self):
        d = self.daemon()
        self.bombard(d, bytes.fromhex("16030100c8010000c40303") + bytes(189))
        self.assert_quiet(d)

    def test_a_line_without_end(self):
        """It costs no memory, ends by Command_Timeout, and others are served by the same worker."""
        d = self.daemon(esmtp="Command_Timeout = 2\nMax_Unproductive_Commands = 0", workers=1)
        with d.client() as c, d.client() as other:
            began = time.monotonic()
            try:
                while time.monotonic() - began < 15:
                    c.send(b"x" * 262144)
                    if time.monotonic() - began < 1:
                        other.say("NOOP", 250)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 10)
            other.close()
        self.assert_quiet(d)

    def test_a_line_without_end_is_cut(self):
        d = self.daemon(workers=1)
        for octets in b"x", b"x\n", b"\n":
            sent = 0
            with self.subTest(octets), d.client() as c, self.assertRaises(OSError):
                while sent < 256 << 20:
                    sent += c.sock.send(octets * 131072)
            self.assertGreater(sent, 64 << 20)
        self.assert_quiet(d)

    def test_bare_line_feeds_without_end(self):
        d = self.daemon(esmtp="Command_Timeout = 2\nMax_Unproductive_Commands = 0", workers=1)
        with d.client() as c, d.client() as other:
            began = time.monotonic()
            try:
                while time.monotonic() - began < 15:
                    c.send(b"\n" * 262144)
                    if time.monotonic() - began < 1:
                        other.say("NOOP", 250)
            except OSError:
                pass
            self.assertLess(time.monotonic() - began, 10)
        self.assert_quiet(d)

    def test_urgent_octets(self):
        """TCP's out of band data is not for us, and harms nothing."""
        d = self.daemon()
        with d.client() as c:
            for _ in range(100):
                c.sock.send(b"!", socket.MSG_OOB)
                c.say("NOOP", 250)
        self.assert_quiet(d)

    def test_long_lines_are_counted_as_errors(self):
        d = self.daemon(esmtp="Max_Errors = 3")
        with d.client() as c:
            c.send((b"x" * 65536 + b"\r\n") * 5)
            for code in 500, 500, 421:
                c.expect(code)
            c.expect_gone()
        self.assert_quiet(d)

    def test_the_last_answer_is_not_overtaken_by_a_reset(self):
        """421 and close, while input is unread: the client can still read the 421."""
        d = self.daemon(esmtp="Max_Errors = 1")
        for _ in range(20):
            with d.client() as c:
                c.send(b"X\r\n" + b"NOOP\r\n" * 2000)
                c.expect(421)
                c.expect_closed()
        self.assert_quiet(d)


class EarlyTalkers(E2E):
    POLICY = {"connect_phase1": 'if ec_test :is "%{vctx_conn:early_talker}" "yes" {\n'
                                '  ec_action 554 "5.5.1 you spoke first";\n}\n'}

    def test_T11_banner_delay(self):
        d = self.daemon(esmtp="Banner_Delay = 1", sieve=self.POLICY)
        began = time.monotonic()
        with d.client() as c:
            self.assertGreater(time.monotonic() - began, 0.9)
            c.say("NOOP", 250)
        with d.client(greet=False) as c:
            c.send(b"EHLO probe.example\r\n")
            c.expect(554, "you spoke first")
            c.expect(503)
            c.say("QUIT", 221)
            c.expect_closed()
        d.wait_for_log("early_talker")
        self.assert_quiet(d)

    def test_T11_leaving_before_the_banner(self):
        d = self.daemon(esmtp="Banner_Delay = 60")
        with d.client(greet=False) as c:
            d.wait_for_count(1)
            c.finish_sending()
            d.wait_for_count(0)
        c = d.client(greet=False)
        d.wait_for_count(1)
        c.reset()
        d.wait_for_count(0)

    def test_T11_without_delay_what_has_arrived_is_seen(self):
        d = self.daemon(sieve=self.POLICY)
        d.signal(signal.SIGSTOP)
        with d.client(greet=False) as early, d.client(greet=False) as patient:
            early.send(b"EHLO probe.example\r\n")
            d.signal(signal.SIGCONT)
            early.expect(554, "you spoke first")
            patient.expect(220)


class Refused(E2E):
    def test_554_at_connect_stays_open_with_503(self):
        """RFC 5321 3.1; 2.1: all but QUIT hears 503."""
        d = self.daemon(sieve={"connect_phase1": 'ec_action 554 "5.7.1 not you";'})
        with d.client(greet=False) as c:
            c.expect(554, "5.7.1 not you")
            self.assertEqual(d.count(), 1)
            for command in "EHLO probe.example", "MAIL FROM:<a@example.net>", "NOOP", "GET / HTTP/1.1", "XYZZY":
                c.say(command, 503)
            c.say("QUIT", 221)
            c.expect_closed()
        d.wait_for_count(0)

    def test_421_at_connect_closes(self):
        d = self.daemon(sieve={"connect_phase1": 'ec_action 421 "4.7.0 not now";'})
        with d.client(greet=False) as c:
            c.expect(421, "4.7.0 not now")
            c.expect_closed()
        d.wait_for_count(0)

    def test_D32_any_code_at_accept_closes(self):
        d = self.daemon(sieve={"accept_phase1": 'ec_action 554 "5.7.1 not you";'})
        with d.client(greet=False) as c:
            c.expect(554, "5.7.1 not you")
            c.expect_closed()
        d.wait_for_count(0)

    def test_a_refused_sender_can_try_another(self):
        d = self.daemon(sieve={"mailfrom_phase1": 'if ec_test :is "%{vctx_conn:ehlo_domain}" "bad.example" {\n'
                                                  '  ec_action 550 "5.7.1 not from there";\n}\n'})
        with d.client() as c:
            c.hello("bad.example")
            c.say("MAIL FROM:<a@example.net>", 550)
            c.say("RCPT TO:<b@example.org>", 503)
            c.hello("good.example")
            c.envelope()
            c.message()

    def test_a_refused_message_leaves_nothing(self):
        d = self.daemon(sieve={"data_phase1": 'ec_action 550 "5.7.1 not that";'})
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message(code=550)
            c.say("DATA", 503)
            c.envelope()
            c.message(code=550)
        self.assertEqual(d.mails(), [])

    def test_disconnect_after_the_answer(self):
        d = self.daemon(sieve={"mailfrom_phase1": 'ec_disconnect 550 "5.7.1 go away";'})
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net>", 550)
            c.expect_closed()
        d.wait_for_count(0)


if __name__ == "__main__":
    unittest.main()
