"""What scripts of both languages can do at each phase, and what the client hears (2.1, 2.2)."""

import time
import unittest

from daemon import E2E

PHASES = "accept", "connect", "ehlo", "mailfrom", "rcptto", "data"
CALLOUTS = {"accept": "core_validate_accept(ac, vctx)", "connect": "validate_connect(ac, vctx)",
            "ehlo": "validate_ehlo(str, ac, vctx)", "mailfrom": "validate_mailfrom(str, ac, vctx)",
            "rcptto": "validate_rcptto(msg, str, ac, vctx)", "data": "validate_data(msg, ac, vctx)"}
SORRY = "421 edge.example.org temporary issue, please retry your message later"  # D25
ENHANCED = SORRY.replace("421 ", "421 4.0.0 ")  # as RFC 2034 wants it after EHLO

# Name, what it is in each language, the lines that answer the phase (None: what they would be
# without it), and whether the session ends then (None: as a refusal at that phase does).
ACTIONS = (
    ("keep", "keep;", "", None, False),
    ("ec_keep", 'ec_keep "welcome";', "", None, False),
    ("stop", "stop;", "return msys.core.VALIDATE_DONE", None, False),
    ("250", 'ec_action 250 "2.0.0 of course";', 'vctx:set_code(250, "2.0.0 of course")', None, False),
    ("450", 'ec_action 450 "4.7.1 later";', 'vctx:set_code(450, "4.7.1 later")', ["450 4.7.1 later"], None),
    ("550", 'ec_action "550" "5.7.1 no";', 'vctx:set_code("550", "5.7.1 no")', ["550 5.7.1 no"], None),
    ("554", 'ec_action 554 "5.7.1 no";', 'vctx:pbp_action(554, "5.7.1 no")', ["554 5.7.1 no"], None),
    ("421", 'ec_action 421 "4.7.0 bye";', 'vctx:set_code(421, "4.7.0 bye")', ["421 4.7.0 bye"], True),
    ("lines", 'ec_action 550 "5.7.1 one\ntwo\nthree";', 'vctx:set_code(550, "5.7.1 one\\ntwo\\nthree")',
     ["550-5.7.1 one", "550-5.7.1 two", "550 5.7.1 three"], None),
    ("not lines of their own", 'ec_action 550 "5.7.1 a\r\n250 ok\r\n";', 'vctx:set_code(550, "5.7.1 a\\r\\n250 ok\\r\\n")',
     ["550-5.7.1 a", "550 5.7.1 250 ok"], None),
    ("disconnect", 'ec_disconnect 550 "5.7.1 out";', 'vctx:disconnect(550, "5.7.1 out")', ["550 5.7.1 out"], True),
    ("disconnect 421", 'ec_disconnect 421 "4.7.0 out";', 'vctx:pbp_disconnect(421, "4.7.0 out")',
     ["421 4.7.0 out"], True),
    ("D22 disconnect alone", "ec_disconnect;", "vctx:disconnect()", None, True),
    ("the field", "ec_disconnect;", "vctx.disconnect = 1", None, True),
    ("D25 run-time error", '$none = vctx_conn_get "none"; ec_tarpit $none;', 'error("boom")', [SORRY], True),
    ("bad code", '$c = "99"; ec_action $c "x";', 'vctx:set_code(99, "x")', [SORRY], True),
    ("D34 negative tarpit", '$c = "-1"; ec_tarpit $c;', "vctx:tarpit(-1)", [SORRY], True),
    ("D50 unknown service", 'audit_service "NoSuch" "/32";', 'msys.audit.inbound_session_count("/32", "NoSuch")',
     [SORRY], True),
)
NAMES = [action[0] for action in ACTIONS]


def address(phase, action):
    """Who comes from there meets that action at that phase: a script knows no more at accept."""
    return "127.40.%d.%d" % (1 + PHASES.index(phase), 1 + NAMES.index(action))


def sieve_script(phase):
    return "\n".join('if ec_test "%%{spfv1:i}" "%s" {\n%s\n}' % (address(phase, name), text)
                     for name, text, _, _, _ in ACTIONS)


def lua_script():
    callouts = []
    for phase in PHASES:
        rules = "\n".join('  if me == "%s" then %s end' % (address(phase, name), text)
                          for name, _, text, _, _ in ACTIONS)
        callouts.append("function m:%s\n  local me = msys.expandMacro('%%{spfv1:i}')\n%s\n"
                        "  return msys.core.VALIDATE_CONT\nend" % (CALLOUTS[phase], rules))
    return 'require("msys.core")\nlocal m = {}\n%s\nmsys.registerModule("m", m)\n' % "\n".join(callouts)


def arrive(c, phase):
    """The answer to the phase."""
    if phase in ("accept", "connect"):
        return c.reply()
    c.expect(220)
    if phase == "ehlo":
        return c.say("EHLO probe.example")
    c.hello()
    if phase == "mailfrom":
        return c.say("MAIL FROM:<a@example.net>")
    if phase == "rcptto":
        c.say("MAIL FROM:<a@example.net>", 250)
        return c.say("RCPT TO:<b@example.org>")
    c.envelope()
    return c.message(code=None)


def go_on(c, phase, granted):
    """What the state must be afterwards."""
    if phase in ("accept", "connect", "ehlo"):
        c.say("NOOP", 250)
    elif phase == "mailfrom":
        c.say("RCPT TO:<b@example.org>", 250 if granted else 503)
    elif phase == "rcptto":
        c.say("DATA", 354 if granted else 554)
    else:
        c.say("RCPT TO:<b@example.org>", 503)
        c.envelope("again@example.net")


class Actions(E2E):
    USUAL = {"accept": 220, "connect": 220, "ehlo": 250, "mailfrom": 250, "rcptto": 250, "data": 250}

    def play(self, d, phase, name, lines, ends):
        with d.client(address(phase, name), greet=False) as c:
            reply = arrive(c, phase)
            if lines is None:
                self.assertEqual(reply.code, self.USUAL[phase])
            else:
                is_late = phase in ("mailfrom", "rcptto", "data")
                self.assertEqual(reply.lines, [ENHANCED] if is_late and lines == [SORRY] else lines)
            if phase == "connect" and reply.code == 554:
                c.say("NOOP", 503)
                c.say("EHLO x", 503)
                c.say("QUIT", 221)
                c.expect_closed()
            elif ends or (ends is None and phase in ("accept", "connect")):
                c.expect_closed()
            else:
                go_on(c, phase, lines is None)

    def play_all(self, d):
        delivered = 0
        for phase in PHASES:
            for name, _, _, lines, ends in ACTIONS:
                with self.subTest(phase=phase, action=name):
                    self.play(d, phase, name, lines, ends)
                    delivered += phase == "data" and lines is None
        self.assertEqual(len(d.mails()), delivered)
        self.assert_quiet(d)

    def test_sieve(self):
        self.play_all(self.daemon(sieve={phase + "_phase1": sieve_script(phase) for phase in PHASES}))

    def test_sieve_phase2(self):
        self.play_all(self.daemon(sieve={phase + "_phase2": sieve_script(phase) for phase in PHASES}))

    def test_lua(self):
        self.play_all(self.daemon(lua={"m": lua_script()}))

    def test_D34_tarpits_hold_the_answer_of_each_phase(self):
        sieve = {phase + "_phase1": 'if ec_test "%%{spfv1:i}" "%s" { ec_tarpit "0.15"; ec_tarpit "0.1"; }'
                 % address(phase, "keep") for phase in PHASES}
        lua = "\n".join("function m:%s if msys.expandMacro('%%{spfv1:i}') == '%s' then vctx:tarpit(0.1) end "
                        "return msys.core.VALIDATE_CONT end" % (CALLOUTS[p], address(p, "keep")) for p in PHASES)
        d = self.daemon(sieve=sieve, lua={"m": "require('msys.core')\nlocal m = {}\n%s\nmsys.registerModule('m', m)" % lua})
        for phase in PHASES:
            began = time.monotonic()
            with d.client(address(phase, "keep"), greet=False) as c:
                self.assertEqual(arrive(c, phase).code, self.USUAL[phase])
                took = time.monotonic() - began
                self.assertTrue(0.35 <= took < 5, (phase, took))
                go_on(c, phase, True)
                line = d.wait_for_log("action: vctx:tarpit 0.1 s at %s for unknown.%s" % (phase, address(phase, "keep")))
        self.assertEqual((d.ask("stats")["tarpits"], d.ask("stats")["tarpit_ms"]), (6, 6 * 350))


if __name__ == "__main__":
    unittest.main()
