"""The published examples, as they stand and with lower limits: a tarpit for who holds too many
sessions, measured, counted, logged, and over when its client hangs up (D34, D50, T10)."""

import contextlib
import os
import time
import unittest

from client import Client
from console import Console
from crowd import Crowd
from daemon import E2E, ROOT, wait_until

SIEVE = os.path.join(ROOT, "tests/sieve")
EXAMPLES = "on_listener", "on_service", "audit_service"
HOST, NET = 5, 20  # the limits of published-low


def stanza(name, path):
    return 'sieve "%s" { script "connect_phase1" { source = "%s" } }' % (name, path)


def published(name):
    return stanza(name, os.path.join(SIEVE, "published", name + ".sieve"))


def low(name, seconds=10):
    """With another length of the tarpits, which is 10 s as published."""
    with open(os.path.join(SIEVE, "published-low", name + ".sieve")) as f:
        return f.read().replace("ec_tarpit 10 ", 'ec_tarpit "%g" ' % seconds)


class Waiting:
    """A client that waits for its banner."""

    def __init__(self, d, source, host="127.0.0.1"):
        self.began = time.monotonic()
        self.client = d.client(source, host, greet=False)
        self.id = d.session(self.client)["session"]

    def banner(self):
        """How long it came after."""
        self.client.timeout = 40
        self.client.expect(220)
        return time.monotonic() - self.began


class Published(E2E):
    def hold(self, d, *sources, host="127.0.0.1"):
        """Sessions that were let in at once."""
        held = []
        for source in sources:
            began = time.monotonic()
            held.append(d.client(source, host))
            self.addCleanup(held[-1].close)
            self.assertLess(time.monotonic() - began, 5)
        return held

    def waiting(self, d, source, host="127.0.0.1"):
        w = Waiting(d, source, host)
        self.addCleanup(w.client.close)
        return w

    def assert_held_for(self, seconds, got):
        self.assertTrue(seconds <= got < seconds + 4, "held %.3f s, not %g s" % (got, seconds))


class AsTheyStand(Published):
    def test_few_sessions_are_let_in(self):
        d = self.daemon(top="\n".join(map(published, EXAMPLES)))
        self.hold(d, *["127.20.0.1"] * 30)
        self.hold(d, *[None] * 30, host="::1")
        self.assertEqual(d.ask("why", "0.0.0.0/0")["actions"], [])
        self.assertEqual(d.ask("stats")["tarpits"], 0)

    def test_D34_the_1001st_of_an_address_pays_each_of_three(self):
        d = self.daemon(top="\n".join(map(published, EXAMPLES)), esmtp="Listen_Backlog = 4096")
        crowd = Crowd(d, 1000, "127.20.0.1/32")
        self.addCleanup(crowd.kill)
        w = self.waiting(d, "127.20.0.1")
        actions = [d.wait_for_log("%s: action: ec_tarpit 10.0 s at connect for .*/%s.sieve:4; 1001 %s from "
                                  r"127.20.0.1/32 \(too many connections /32\)" % (w.id, name, service))
                   for name, service in zip(EXAMPLES, ("LISTENER", "SMTP", "inbound_cidr"))]
        self.assertEqual(len(set(actions)), 3)
        self.assertEqual(d.count("127.20.0.1"), 1001)
        row = d.session(w.client)
        self.assertEqual((row["state"], row["wait"]), ("greet", "tarpit"))
        self.assertTrue(20000 < row["left_ms"] <= 30000, row)
        w.client.close()
        d.wait_for_count(1000, "127.20.0.1")


class Lowered(Published):
    """Thresholds 5 and 20 instead of 1000 and 10000."""

    def test_D34_ten_seconds_for_the_host_twenty_with_the_network(self):
        """With the lengths as published; the three examples wait at the same time."""
        held = {}
        for name in EXAMPLES:
            d = self.daemon(top=stanza(name, os.path.join(SIEVE, "published-low", name + ".sieve")))
            self.hold(d, *["127.20.0.1"] * HOST)
            host = self.waiting(d, "127.20.0.1")
            self.hold(d, *["127.20.0.%d" % (2 + i) for i in range(NET - HOST - 1)])
            held[name] = d, host, self.waiting(d, "127.20.0.1")
        for d, host, both in held.values():
            self.assertEqual((d.count("127.20.0.1"), d.count("127.20.0.0/24")), (HOST + 2, NET + 1))
            self.assertEqual(d.ask("status")["held"], 2)
        for d, host, both in held.values():
            self.assert_held_for(10, host.banner())
        for d, host, both in held.values():
            self.assert_held_for(20, both.banner())
            stats = d.ask("stats")
            self.assertEqual((stats["tarpits"], stats["tarpit_ms"]), (2, 30000))

    def play(self, name, service, sources, host, block_of_host, block_of_net):
        d = self.daemon(sieve={"connect_phase1": low(name, 0.4)})
        script = os.path.join(d.dir, "connect_phase1.sieve")
        self.hold(d, *sources[:HOST], host=host)
        w = self.waiting(d, sources[0], host)
        self.assert_held_for(0.4, w.banner())
        want = "%s: action: ec_tarpit 0.4 s at connect for .* by %s:%d; %%d %s from %s .too many connections /%d."
        d.wait_for_log(want % (w.id, script, 4, service, block_of_host, 32) % (HOST + 1))
        self.hold(d, *sources[HOST:NET - 1], host=host)
        w = self.waiting(d, sources[0], host)
        self.assert_held_for(0.8, w.banner())
        d.wait_for_log(want % (w.id, script, 4, service, block_of_host, 32) % (HOST + 2))
        d.wait_for_log(want % (w.id, script, 8, service, block_of_net, 24) % (NET + 1))
        return d, w, script

    def test_IPv4(self):
        sources = ["127.20.0.1"] * HOST + ["127.20.0.%d" % (2 + i) for i in range(NET)]
        for name, service in zip(EXAMPLES, ("LISTENER", "SMTP", "inbound_cidr")):
            d, w, script = self.play(name, service, sources, "127.0.0.1", "127.20.0.1/32", "127.20.0.0/24")
            answer = d.ask("why", "127.20.0.1")
            last = answer["actions"][0]
            self.assertEqual(
                {k: last[k] for k in last if k != "ts"},
                {"session": w.id, "client": "127.20.0.1", "phase": "connect", "action": "ec_tarpit", "ms": 400,
                 "code": 0, "text": "", "counter": "too many connections /24", "file": script, "line": 8,
                 "service": service, "prefix": "127.20.0.0/24", "value": NET + 1, "observe": 0})
            self.assertEqual([(a["line"], a["value"]) for a in answer["actions"]],
                             [(8, NET + 1), (4, HOST + 2), (4, HOST + 1)])
            self.assertEqual(answer["blocks"], [
                {"prefix": "127.20.0.1/32", "count": HOST + 2, "distinct": 1},
                {"prefix": "127.20.0.0/24", "count": NET + 1, "distinct": NET - HOST},
                {"prefix": "127.20.0.0/16", "count": NET + 1, "distinct": NET - HOST},
                {"prefix": "127.0.0.0/8", "count": NET + 1, "distinct": NET - HOST}])
            counters = {(c["phase"], c["counter"], c["class"]): c["count"] for c in d.ask("stats")["counters"]}
            self.assertEqual(counters, {("connect", "too many connections /32", "informational"): 2,
                                        ("connect", "too many connections /24", "informational"): 1})
            # What it prints for people names the same.
            text = d.ctl("why", "127.20.0.1").out
            for part in script + ":8", "ec_tarpit", "127.20.0.0/24", " %d " % (NET + 1):
                self.assertIn(part, text)
            self.assertIn("connect:too many connections /32 (informational) = 2\n", d.ctl("stats").out)

    def test_D45_IPv6_the_exact_address_and_a_literal_24(self):
        for name, service in zip(EXAMPLES, ("LISTENER", "SMTP", "inbound_cidr")):
            # Everybody is ::1, so all but the first five are held; the last pays both.
            d = self.daemon(sieve={"connect_phase1": low(name, 0.4)})
            self.hold(d, *[None] * HOST, host="::1")
            more = [self.waiting(d, None, "::1") for _ in range(NET - HOST + 1)]
            for w in more[:-1]:
                self.assert_held_for(0.4, w.banner())
            self.assert_held_for(0.8, more[-1].banner())
            d.wait_for_log(r"%s: .* %d %s from ::1/128 " % (more[-1].id, NET + 1, service))
            d.wait_for_log(r"%s: .* %d %s from ::/24 " % (more[-1].id, NET + 1, service))

    def test_listener_is_this_endpoint_service_all_of_them(self):
        for name, is_held in zip(EXAMPLES, (False, True, True)):
            d = self.daemon(sieve={"connect_phase1": low(name, 0.4)})
            d.configure(esmtp='Listen "127.0.0.2:%d" {}' % d.port)
            self.assertTrue(d.reload())
            self.hold(d, *["127.20.0.1"] * HOST)
            seconds = self.waiting(d, "127.20.0.1", "127.0.0.2").banner()
            self.assertEqual(seconds >= 0.4, is_held, (name, seconds))
            self.assertEqual(len(d.ask("why", "127.20.0.1")["actions"]), is_held)
            self.assert_held_for(0.4, self.waiting(d, "127.20.0.1").banner())

    def test_T10_a_hang_up_in_the_tarpit_is_seen_at_once(self):
        d = self.daemon(sieve={"connect_phase1": low("on_service", 60)})
        self.hold(d, *["127.20.0.1"] * HOST)
        for leave in Client.close, Client.reset, Client.finish_sending:
            w = self.waiting(d, "127.20.0.1")
            d.wait_for_count(HOST + 1, "127.20.0.1")
            wait_until(lambda: d.ask("status")["held"] == 1, "it is held")
            began = time.monotonic()
            leave(w.client)
            d.wait_for_count(HOST, "127.20.0.1")
            line = d.wait_for_log(w.id + ": disconnect .* tarpit=60.0 time=[0-9.]* end=hangup")
            self.assertLess(time.monotonic() - began, 2)
            self.assertLess(float(line.split(" time=")[1].split()[0]), 10)
        self.assertEqual(d.ask("stats")["hangups"], 3)


LUA = """
require("msys.core")
require("msys.audit")
local m = {}
function m:validate_ehlo(str, ac, vctx)
  local form, service, limit = string.match(tostring(str), "EHLO (%%S+)/(%%w+)/(%%d+)")
  local forms = { net = "/24", host = "/32", block = "%(addr)s/%(len)d", addr = "%(addr)s" }
  if service == "cidr" then service = "inbound_cidr" end
  local n = msys.audit.inbound_session_count(forms[form], service)
  if n > tonumber(limit) then
    vctx:tarpit(0.3)
  end
  return msys.core.VALIDATE_CONT
end
msys.registerModule("m", m)
"""


class Lua(Published):
    """msys.audit.inbound_session_count in its four forms."""

    def play(self, host, source, net, peer, length):
        d = self.daemon(lua={"m": LUA % {"addr": peer, "len": length}})
        if net is not None:
            self.hold(d, *net, host=host)
        c, = self.hold(d, source, host=host)
        total = 1 + len(net or ())
        exact = d.count(peer)
        for service, name in (("SMTP", "SMTP"), ("cidr", "inbound_cidr")):
            for form, n, block in (("net", total, "%s/24"), ("host", exact, "%s/32"), ("block", total, "%s/24"),
                                   ("addr", exact, "%s")):
                for limit, seconds in ((n, 0), (n - 1, 0.3)):
                    began = time.monotonic()
                    before = len(d.lines)
                    c.say("EHLO %s/%s/%d" % (form, service, limit), 250)
                    took = time.monotonic() - began
                    if not seconds:
                        self.assertFalse([line for line in d.lines[before:] if "action:" in line])
                        continue
                    self.assert_held_for(seconds, took)
                    action = d.ask("why", peer)["actions"][0]
                    self.assertEqual((action["action"], action["ms"], action["value"], action["service"]),
                                     ("vctx:tarpit", 300, n, name))
                    self.assertEqual((action["file"], action["line"]), ("m.lua", 11))
                    want = {"net": "/24", "block": "/24"}.get(form, "/%d" % (128 if ":" in host else 32))
                    self.assertTrue(action["prefix"].endswith(want), action)
        return d, c

    def test_IPv4(self):
        net = ["127.20.0.1"] * 3 + ["127.20.0.%d" % (2 + i) for i in range(4)]
        self.play("127.0.0.1", "127.20.0.1", net, "127.20.0.1", 24)

    def test_IPv6(self):
        self.play("::1", None, [None] * 6, "::1", 24)

    def test_D50_each_service_by_its_name(self):
        d = self.daemon(lua={"m": LUA % {"addr": "127.0.0.1", "len": 24}})
        with d.client() as c, contextlib.ExitStack() as stack:
            for service in "ECStream", "ECmmove2", "ECCluster", "HTTP":
                for form in "net", "host", "block", "addr":
                    c.say("EHLO %s/%s/0" % (form, service), 250)
            self.assertEqual(d.ask("why", "127.0.0.1")["actions"], [])
            d.wait_for_log("[0-9a-f]{16}: warning: ECmmove2 is a service of a cluster")
            # The console's connections come from 127.0.0.1, as this client does.
            for n in 1, 2:
                console = stack.enter_context(Console(d.control))
                self.assertEqual(console.number("count Control 127.0.0.1"), n)
                for form in "net", "host", "block", "addr":
                    c.say("EHLO %s/Control/%d" % (form, n - 1), 250)
                    d.wait_for_log("vctx:tarpit 0.3 s at ehlo .*; %d Control from 127.0.0.[01]/(24|32)" % n)
            c.say("EHLO net/NoSuch/0", 421)
            c.expect_closed()
        d.wait_for_log('no service is named "NoSuch"')


if __name__ == "__main__":
    unittest.main()
