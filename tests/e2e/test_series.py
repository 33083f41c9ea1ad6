"""What the built-in series keep: connections, receptions and rejections of real clients, by address
and block, in every monitor (D37, D38, D39, D49, D109), whatever is reloaded meanwhile.

E2E_SEEDS="7 8 9" tries other sequences."""

import collections
import concurrent.futures
import ipaddress
import os
import random
import stat
import unittest

from client import Client
from daemon import E2E, wait_until
from sink import Sink
from test_client import ALL_EXTENSIONS, PROXIED, TRUST, v1, v2

SEEDS = os.environ.get("E2E_SEEDS", "1 2").split()
MONITORS = 'monitors = ( "3600,3" "86400,1" )'  # the test is over before any of it is forgotten
KINDS = "Connections", "Receptions", "Rejections"

Seen = collections.namedtuple("Seen", "connections receptions rejections", defaults=(0, 0, 0))


def shown(d, block):
    """{seconds: Seen} of each monitor, over all its windows."""
    answer = d.ctl("inbound_audit", "show", "ip", block)
    if answer.code != 0:
        raise AssertionError("show ip %s: %s" % (block, answer.err))
    sums = collections.defaultdict(lambda: collections.Counter())
    for line in answer.out.splitlines():
        what, count = line.split(": ")
        kind, window = what.split(" ")
        sums[int(window.split("/")[0])][kind] += int(count)
    return {seconds: Seen(*(of[kind] for kind in KINDS)) for seconds, of in sums.items()}


class Series(E2E):
    def seen(self, d, block):
        """What every monitor says."""
        of = set(shown(d, block).values())
        self.assertEqual(len(of), 1, (block, of))
        return of.pop()

    def assert_seen(self, d, block, *want):
        self.assertEqual(self.seen(d, block), Seen(*want), block)


class Connections(Series):
    def test_D37_each_once_under_every_prefix(self):
        d = self.daemon(audit=MONITORS)
        for source, times in ("127.7.1.1", 3), ("127.7.1.2", 1), ("127.7.200.1", 2), ("127.8.0.1", 1):
            for _ in range(times):
                with d.client(source) as c:
                    c.hello()
        with d.client(host="::1"):
            pass
        for block, want in (("127.7.1.1", 3), ("127.7.1.0/24", 4), ("127.7.0.0/16", 6), ("127.0.0.0/8", 7),
                            ("0.0.0.0/0", 7), ("127.7.1.3", 0), ("127.7.1.2/31", 1), ("::1", 1), ("::/0", 1)):
            self.assert_seen(d, block, want)

    def test_D37_before_its_policy_and_even_if_it_is_refused(self):
        d = self.daemon(audit=MONITORS, sieve={"accept_phase1": 'ec_action 421 "4.7.0 no";'})
        with d.client("127.7.1.1", greet=False) as c:
            c.expect(421)
            c.expect_closed()
        self.assert_seen(d, "127.7.1.1", 1, 0, 1)

    def test_D37_a_script_sees_the_connection_that_asks(self):
        d = self.daemon(audit=MONITORS, sieve={"accept_phase1": '$n = ec_ip_connections "0"; ec_log "saw ${n}.";'})
        for n in 1, 2:
            with d.client("127.7.1.1"):
                d.wait_for_log(r"saw %d\." % n)

    def test_D76_over_a_cap_is_a_connection_and_a_rejection(self):
        d = self.daemon(audit=MONITORS, esmtp="Listener_Sessions = 1")
        with d.client("127.7.1.1"):
            for _ in range(2):
                with d.client("127.7.1.2", greet=False) as c:
                    c.expect(421, "4.4.5")
        self.assert_seen(d, "127.7.1.1", 1)
        self.assert_seen(d, "127.7.1.2", 2, 0, 2)

    def test_D109_not_those_of_the_console(self):
        d = self.daemon(audit=MONITORS)
        for _ in range(5):
            d.count()
        self.assert_seen(d, "0.0.0.0/0", 0)
        self.assert_seen(d, "::/0", 0)

    def test_no_monitors_no_series(self):
        d = self.daemon()
        with d.client() as c:
            c.hello()
            c.envelope()
            c.message()
        answer = d.ctl("inbound_audit", "show", "ip", "0.0.0.0/0")
        self.assertIn("no monitors", answer.err)


# What is said, from EHLO on, and how many rejections come of it. DOT: a message of so many octets.
DOT = "dot"
GOOD = "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.org>"
DIALOGUES = (
    ("D38 nothing refused", (*GOOD, DOT, "RSET", "NOOP", "VRFY x"), 0),
    ("D38 500 is about syntax", ("NONSENSE", "x" * 3000), 0),
    ("D38 501 is about syntax", ("EHLO", "MAIL", "MAIL FROM:a", "MAIL FROM:<a> SIZE=x"), 0),
    ("D38 501 is about syntax at RCPT", (GOOD[0], "RCPT", "RCPT TO:<>"), 0),
    ("D38 502 is no answer to a mail", ("EXPN x", "AUTH PLAIN"), 0),
    ("D38 503 is about order", ("RCPT TO:<b@example.org>", "DATA", GOOD[0], GOOD[0]), 0),
    ("D38 550 to another verb is none", ("XCLIENT ADDR=127.0.0.1",), 0),
    ("D38 relaying denied", (GOOD[0], "RCPT TO:<b@example.com>", "RCPT TO:<c@example.com>"), 2),
    ("D38 size, declared", ("MAIL FROM:<a@example.net> SIZE=5000",), 1),
    ("D38 size, beyond all numbers", ("MAIL FROM:<a@example.net> SIZE=99999999999999999999",), 1),
    ("D38 size, sent", (*GOOD, (DOT, 5000)), 1),
    ("D38 recipients of a message", (*GOOD, *(GOOD[1],) * 3), 1),
    ("D38 an extension that we lack", ("MAIL FROM:<a@example.net> MT-PRIORITY=3",), 1),
    ("D38 an address that needs one", (GOOD[0], "RCPT TO:<\xe4@example.org>"), 1),
    ("D38 nobody to send it to", (GOOD[0], "DATA"), 1),
    ("D38 a message that is none", (*GOOD, (DOT, b"a\nb\r\n")), 1),
    ("D38 policy at EHLO, each time", ("EHLO no.example", "EHLO no.example", "HELO no.example"), 3),
    ("D38 policy at MAIL", ("MAIL FROM:<no@example.net>",), 1),
    ("D38 policy at RCPT", (GOOD[0], "RCPT TO:<no@example.org>", GOOD[1], DOT), 1),
    ("D38 policy at the dot", ("MAIL FROM:<data@example.net>", GOOD[1], DOT), 1),
    ("D38 421 of policy, once", ("MAIL FROM:<gone@example.net>",), 1),
    ("D38 a failed script", ("MAIL FROM:<fail@example.net>",), 1),
    ("D38 the next hop at MAIL", ("MAIL FROM:<hop@example.net>",), 1),
    ("D38 the next hop at RCPT", (GOOD[0], "RCPT TO:<hop@example.org>"), 1),
    ("D38 the next hop at RCPT, whatever its code", (GOOD[0], "RCPT TO:<odd@example.org>"), 1),
    ("D38 the next hop at the dot", (GOOD[0], "RCPT TO:<dot@example.org>", DOT), 1),
    ("D38 421 for too many errors at NOOP", ("NOPE",) * 9 + ("NOPE",), 0),
    ("D38 421 for too many errors at MAIL", ("NOPE",) * 9 + ("MAIL FROM:a",), 1),
    ("D38 the last error is a refusal, once", ("NOPE",) * 9 + ("MAIL FROM:<a@example.net> SIZE=5000",), 1),
    ("D38 421 for commands without a message", ("RSET",) * 14 + ("EHLO x",), 1),
    ("D38 the same at RSET", ("RSET",) * 15, 0),
)
POLICY = {
    "ehlo_phase1": 'if vctx_conn :is "ehlo_domain" "no.example" { ec_action 550 "5.7.1 no"; }',
    "mailfrom_phase1": '''
        if envelope :localpart "from" "no" { ec_action 450 "4.7.1 no"; }
        if envelope :localpart "from" "gone" { ec_disconnect 421 "4.7.0 no"; }
        if envelope :localpart "from" "fail" { $x = ec_add $unset 1; }''',
    "rcptto_phase1": 'if envelope :localpart "to" "no" { ec_action 550 "5.1.1 no"; }',
    "data_phase1": 'if envelope :localpart "from" "data" { ec_action 550 "5.7.1 no"; }',
}
SHAPE = dict(audit=MONITORS, esmtp="Max_Message_Size = 4000 Max_Recipients_Per_Message = 3 Max_Errors = 10 "
             "Max_Unproductive_Commands = 15")
HOP = {"MAIL:hop@example.net": "550 5.7.1 no", "RCPT:hop@example.org": "450 4.1.1 no",
       "RCPT:odd@example.org": "501 5.1.3 no", "RCPT:dot@example.org": "250 2.1.5 Ok"}


class Rejections(Series):
    def say(self, c, what):
        """One command, or a message; the reply to it."""
        if what == DOT or what[0] == DOT:
            size = 100 if what == DOT else what[1]
            body = size if isinstance(size, bytes) else b"Subject: x\r\n\r\n" + b"0123456789012\r\n" * (size // 15)
            c.say("DATA", 354)
            c.send(body + b".\r\n")
        else:
            c.line(what.encode())
        return c.reply()

    def test_D38_what_is_a_rejection(self):
        with Sink(dict(HOP, dot="250 2.0.0 Ok")) as hop:
            d = self.daemon(sieve=POLICY, gateway="127.0.0.1:%d" % hop.port, **SHAPE)
            for i, (name, said, want) in enumerate(DIALOGUES):
                source = "127.7.2.%d" % (i + 1)
                hop.deeds["dot"] = "452 4.3.1 no" if "next hop at the dot" in name else "250 2.0.0 Ok"
                with self.subTest(name), d.client(source) as c:
                    c.hello()
                    replies = [self.say(c, what) for what in said]
                    self.assertEqual(self.seen(d, source).rejections, want, replies)
            self.assertEqual(d.ask("stats")["rejections"], self.seen(d, "127.7.2.0/24").rejections)
            self.assert_seen(d, "127.7.2.0/24", len(DIALOGUES), *self.seen(d, "0.0.0.0/0")[1:])

    def test_D38_554_at_connect_and_then_503(self):
        d = self.daemon(audit=MONITORS, sieve={"connect_phase1": 'ec_action 554 "5.7.1 no";'})
        with d.client("127.7.1.1", greet=False) as c:
            c.expect(554)
            for command in "EHLO x", GOOD[0], "DATA":
                c.say(command, 503)
            self.assert_seen(d, "127.7.1.1", 1, 0, 1)

    def test_D38_in_the_log_once_each(self):
        d = self.daemon(sieve=POLICY, **SHAPE)
        with d.client("127.7.1.1") as c:
            c.say("EHLO no.example", 550)
            c.hello()
            c.say("MAIL FROM:<a@example.net> X=y", 555)
            c.say(GOOD[0], 250)
            c.say("RCPT TO:<b@example.com>", 554)
            c.say("DATA", 554)
        self.assert_seen(d, "127.7.1.1", 1, 0, 4)
        d.wait_for_log("disconnect from")
        d.wait_for_log(r"reject: MAIL from unknown\[127\.7\.1\.1\]: 555 5\.5\.4 Unsupported option; from=<> ")
        self.assertEqual([l.split("reject: ")[1].split(" from ")[0] for l in d.lines if "reject: " in l],
                         ["EHLO", "MAIL", "RCPT", "DATA"])

    def test_D38_who_is_sent_away_while_an_answer_is_due(self):
        """421 is the answer then; to whom nothing is owed it is none."""
        d = self.daemon(audit=MONITORS, sieve={"mailfrom_phase1": "ec_tarpit 60;"})
        with d.client("127.7.1.1") as asks, d.client("127.7.1.2") as idles:
            asks.hello()
            idles.hello()
            asks.line(GOOD[0])
            wait_until(lambda: d.ask("status")["held"] == 1, "it is held")
            d.ask("kick", "127.7.1.0/24")
            for c in asks, idles:
                c.expect(421, "4.7.0")
                c.expect_closed()
        self.assert_seen(d, "127.7.1.1", 1, 0, 1)
        self.assert_seen(d, "127.7.1.2", 1, 0, 0)

    def test_a_timeout_is_no_answer(self):
        d = self.daemon(audit=MONITORS, esmtp="Command_Timeout = 0.3")
        with d.client("127.7.1.1") as c:
            c.hello()
            c.expect(421, "4.4.2")
        self.assert_seen(d, "127.7.1.1", 1, 0, 0)


class Receptions(Series):
    def send(self, d, recipients, source="127.7.1.1"):
        with d.client(source) as c:
            c.hello()
            c.envelope("a@example.net", *("r%d@example.org" % i for i in range(recipients)))
            c.message()

    def test_D39_a_message_is_one(self):
        d = self.daemon(audit=MONITORS)
        self.send(d, 1)
        self.send(d, 3)
        self.assert_seen(d, "127.7.1.1", 2, 2, 0)

    def test_D39_reception_unit_recipient(self):
        d = self.daemon(audit=MONITORS + " reception_unit = recipient")
        self.send(d, 1)
        self.send(d, 3)
        with d.client("127.7.1.1") as c:
            c.hello()
            c.say(GOOD[0], 250)
            c.say("RCPT TO:<x@example.com>", 554)  # only accepted ones
            c.say(GOOD[1], 250)
            c.message()
        self.assert_seen(d, "127.7.1.1", 3, 5, 1)

    def test_D39_not_before_the_next_hop_has_it(self):
        with Sink({"dot": "451 4.3.0 Not now"}) as hop:
            d = self.daemon(audit=MONITORS, gateway="127.0.0.1:%d" % hop.port)
            with d.client("127.7.1.1") as c:
                c.hello()
                c.envelope()
                c.message(code=451)
                self.assert_seen(d, "127.7.1.1", 1, 0, 1)
                hop.deeds["dot"] = "250 2.0.0 Ok"
                c.envelope()
                c.message()
                self.assert_seen(d, "127.7.1.1", 1, 1, 1)


class TrueClient(Series):
    def test_D49_after_XCLIENT_events_are_the_new_clients(self):
        """The connection was made by the old one, and stays there."""
        d = self.daemon(audit=MONITORS, esmtp=TRUST + " " + ALL_EXTENSIONS)
        with d.client("127.7.1.1") as c:
            c.hello()
            c.say("MAIL FROM:<a@example.net> X=y", 555)
            c.say("XCLIENT ADDR=192.0.2.7", 220)
            c.hello()
            c.say(GOOD[0], 250)
            c.say("RCPT TO:<b@example.com>", 554)
            c.say("XREMOTEIP 2001:db8::7", 250)
            c.say(GOOD[1], 250)
            c.message()
        self.assert_seen(d, "127.7.1.1", 1, 0, 1)
        self.assert_seen(d, "192.0.2.7", 0, 0, 1)
        self.assert_seen(d, "2001:db8::/64", 0, 1, 0)

    def test_D49_a_refusal_after_XCLIENT_is_the_new_clients(self):
        d = self.daemon(audit=MONITORS, esmtp=TRUST, sieve={
            "connect_phase1": 'if ec_test :is "%{spfv1:i}" "192.0.2.7" { ec_action 554 "5.7.1 no"; }'})
        with d.client("127.7.1.1") as c:
            c.hello()
            c.say("XCLIENT ADDR=192.0.2.7", 554)
        self.assert_seen(d, "127.7.1.1", 1, 0, 0)
        self.assert_seen(d, "192.0.2.7", 0, 0, 1)

    def test_behind_PROXY_the_header_tells_whose_it_is(self):
        d = self.daemon(audit=MONITORS, esmtp=PROXIED)
        for header in v1("192.0.2.7"), v2("192.0.2.7"), v2("2001:db8::7"), b"PROXY UNKNOWN\r\n":
            with d.client("127.0.0.5", greet=False) as c:
                c.send(header)
                c.expect(220)
                c.hello()
        self.assert_seen(d, "192.0.2.7", 2)
        self.assert_seen(d, "2001:db8::/32", 1)
        self.assert_seen(d, "127.0.0.5", 1)

    def test_without_a_header_nobody_has_come(self):
        d = self.daemon(audit=MONITORS, esmtp=PROXIED)
        for octets in b"", b"EHLO x\r\n", b"PROXY TCP4 nonsense\r\n":
            with d.client("127.0.0.5", greet=False) as c:
                c.send(octets)
                c.finish_sending()
                c.expect_gone()
        wait_until(lambda: d.ask("stats")["unproxied"] == 3, "all three are gone")
        self.assert_seen(d, "0.0.0.0/0", 0, 0, 0)

    def test_D76_nor_where_a_cap_was_full_before_the_header(self):
        d = self.daemon(audit=MONITORS, esmtp=PROXIED + " Listener_Sessions = 1")
        with d.client("127.0.0.5", greet=False) as first:
            first.send(v1("192.0.2.7"))
            first.expect(220)
            with d.client("127.0.0.5", greet=False) as c:
                c.expect(421, "4.4.5")
        self.assert_seen(d, "0.0.0.0/0", 1, 0, 0)


class Reload(Series):
    def come(self, d, times=1, source="127.7.1.1"):
        for _ in range(times):
            with d.client(source) as c:
                c.hello()

    def test_6324_nothing_is_counted_twice_after_a_reload(self):
        d = self.daemon(audit=MONITORS)
        for n in range(1, 4):
            self.come(d)
            self.assert_seen(d, "127.7.1.1", n)
            self.assertTrue(d.reload())
            self.assert_seen(d, "127.7.1.1", n)

    def test_a_session_of_before_counts_on(self):
        d = self.daemon(audit=MONITORS)
        with d.client("127.7.1.1") as c:
            c.hello()
            self.assertTrue(d.reload())
            c.say("MAIL FROM:<a@example.net> X=y", 555)
            c.envelope()
            c.message()
        self.assert_seen(d, "127.7.1.1", 1, 1, 1)

    def test_a_monitor_that_stays_keeps_its_data_wherever_it_stands(self):
        d = self.daemon(audit='monitors = ( "3600,3" "86400,1" )')
        self.come(d, 2)
        d.configure(audit='monitors = ( "7200,2" "86400, 1" )')
        self.assertTrue(d.reload())
        self.come(d)
        self.assertEqual(shown(d, "127.7.1.1"), {7200: Seen(1), 86400: Seen(3)})
        d.configure(audit='monitors = ( "86400,1" )')
        self.assertTrue(d.reload())
        self.come(d)
        self.assertEqual(shown(d, "127.7.1.1"), {86400: Seen(4)})

    def test_T6_a_reload_that_fails_changes_nothing(self):
        d = self.daemon(audit=MONITORS)
        self.come(d)
        d.configure(audit='monitors = ( "7200,2" ) max_bytes = 1')
        self.assertFalse(d.reload())
        self.come(d)
        self.assert_seen(d, "127.7.1.1", 2)

    def test_D60_a_definition_that_changes(self):
        script = "require('msys.audit_series')\nlocal m = {}\nfunction m:init()\n" \
            "  msys.audit_series.define('s', 'cidr', %d, 2)\n  return true\nend\n" \
            "function m:validate_ehlo(str, ac, vctx)\n  msys.audit_series.add('s')\n" \
            "  print('n=' .. msys.audit_series.count('s'))\n  return 0\nend\nmsys.registerModule('m', m)\n"
        d = self.daemon(lua={"m": script % 86400})
        self.come(d)
        d.wait_for_log(r"n=1$")
        self.assertTrue(d.reload())
        self.come(d)
        d.wait_for_log(r"n=2$")
        before = len(d.lines)
        d.configure(lua={"m": script % 3600})
        self.assertTrue(d.reload())
        d.wait_for_log(r"warning: series s .*its data are gone", before)
        self.come(d)
        d.wait_for_log(r"n=1$", before)

    def test_D64_T6_a_definition_that_is_gone(self):
        """What no script defines any more is an error at once, not only after a restart; not for a session of before."""
        script = "require('msys.audit_series')\nlocal m = {}\n%sfunction m:validate_ehlo(str, ac, vctx)\n" \
            "  msys.audit_series.add('s')\n  return 0\nend\nmsys.registerModule('m', m)\n"
        d = self.daemon(lua={"m": script % "msys.audit_series.define('s', 'cidr', 86400, 2)\n"})
        with d.client() as c:
            c.hello()
            d.configure(lua={"m": script % ""})
            self.assertTrue(d.reload())
            c.hello()
        with d.client() as c:
            c.say("EHLO me", 421)
        d.wait_for_log(r'no series is defined as "s"')


class Directories(Series):
    def mode(self, d, name):
        return stat.S_IMODE(os.stat(os.path.join(d.dir, name)).st_mode)

    def test_T5_they_are_made(self):
        d = self.daemon(audit=MONITORS)
        self.assertEqual([self.mode(d, "state/" + name) for name in ("series", "journal")], [0o750, 0o750])

    def test_where_they_are_said_to_be(self):
        d = self.daemon(audit='serialize_dir = "kept/series" log_dir = "kept/journal"')
        self.assertEqual([self.mode(d, "kept/" + name) for name in ("series", "journal")], [0o750, 0o750])

    def test_a_reload_does_not_move_them_out_of_reach(self):
        d = self.daemon()
        if not d.ask("status")["landlock"].startswith("on"):
            self.skipTest("no Landlock here")
        d.configure(audit='serialize_dir = "../tidewaiter-elsewhere"')
        before = len(d.lines)
        self.assertFalse(d.reload())
        d.wait_for_log(r"tidewaiter\.conf:\d+:\d+: needs a restart: .*/tidewaiter-elsewhere", before)
        d.configure(audit='log_dir = "state/other"')
        self.assertTrue(d.reload())
        self.assertEqual(self.mode(d, "state/other"), 0o750)


class Teller(Client):
    """Says things, and keeps the account that D38 and D39 want: by the codes on the wire."""

    COUNTED = "HELO", "EHLO", "MAIL", "RCPT", "DATA", "."

    def __init__(self, port, source, account):
        super().__init__("127.0.0.1", port, source)
        self.account = account
        account["connections"] += 1
        self.listen("CONNECT")

    def listen(self, verb):
        code = self.reply().code
        if verb == "." and code < 300:
            self.account["receptions"] += 1
        if code >= 400 and code not in (500, 501, 503) and verb in self.COUNTED + ("CONNECT",):
            self.account["rejections"] += 1
        return code

    def tell(self, command):
        self.line(command.encode())
        return self.listen(command.split(" ")[0])

    def deliver(self, size):
        if self.tell("DATA") == 354:
            self.send(b"Subject: x\r\n\r\n" + b"0123456789012\r\n" * (size // 15) + b".\r\n")
            self.listen(".")


class Account(Series):
    COMMANDS = ("EHLO x", "HELO x", "EHLO no.example", "EHLO", "NOOP", "NONSENSE", "RSET", *GOOD, *GOOD, *GOOD,
                "MAIL FROM:<no@example.net>", "MAIL FROM:<data@example.net>", "MAIL FROM:<a@example.net> SIZE=9999",
                "MAIL FROM:a", "MAIL FROM:<a@example.net> X", "RCPT TO:<no@example.org>", "RCPT TO:<b@example.com>",
                "RCPT TO:<hop@example.org>", "RCPT TO:c")

    def talk(self, d, chance, source, account):
        with Teller(d.port, source, account) as c:
            try:
                for _ in range(chance.randrange(0, 14)):
                    if chance.random() < 0.25:
                        c.deliver(chance.choice((30, 300, 6000)))
                    else:
                        c.tell(chance.choice(self.COMMANDS))
            except (AssertionError, ConnectionError):
                pass  # it was sent away; what it was told is in the account

    def talk_on(self, d, seed, accounts):
        chance = random.Random(seed)
        for _ in range(25):
            source = "127.%d.%d.%d" % (chance.choice((1, 9, 130)), chance.choice((0, 77)), chance.randrange(1, 9))
            self.talk(d, chance, source, accounts[source])

    def test_every_prefix_is_what_the_clients_were_told(self):
        """Several at once, and reloads in the midst of it."""
        for seed in SEEDS:
            with self.subTest(seed=seed), Sink(HOP) as hop, concurrent.futures.ThreadPoolExecutor(4) as pool:
                d = self.daemon(sieve=POLICY, gateway="127.0.0.1:%d" % hop.port, **SHAPE)
                told = [collections.defaultdict(collections.Counter) for _ in range(4)]
                talks = [pool.submit(self.talk_on, d, "%s.%d" % (seed, i), told[i]) for i in range(4)]
                while not all(talk.done() for talk in talks):
                    self.assertTrue(d.reload())
                for talk in talks:
                    talk.result()
                sources = sorted({source for accounts in told for source in accounts})
                for length in 0, 8, 9, 16, 24, 30, 32:
                    for source in sources[::7]:
                        block = ipaddress.ip_network("%s/%d" % (source, length), strict=False)
                        want = sum((accounts[a] for accounts in told for a in accounts
                                    if ipaddress.ip_address(a) in block), collections.Counter())
                        self.assert_seen(d, str(block), *(want[kind] for kind in Seen._fields))


if __name__ == "__main__":
    unittest.main()
