"""How scripts go together: order, observing, errors, includes, contexts, and budgets that hold."""

import threading
import time
import unittest

from daemon import E2E, PATIENCE

SORRY = "edge.example.org temporary issue, please retry your message later"  # D25


def lua(body):
    return "require('msys.core')\nrequire('msys.audit')\nlocal m = {}\n%s\nmsys.registerModule('m', m)\n" % body


def callout(name, args, body, answer="CONT"):
    return "function m:validate_%s(%s)\n  %s\n  return msys.core.VALIDATE_%s\nend\n" % (name, args, body, answer)


def ehlo(body, answer="CONT"):
    return lua(callout("ehlo", "str, ac, vctx", body, answer))


class Modules(E2E):
    def stanzas(self, *stanzas, **shape):
        """A daemon with stanzas in that order: ("sieve", {phase: script}) or ("scriptlet", {name: script});
        a name that ends in ! is only observed."""
        text, files = [], {}
        for i, (kind, scripts) in enumerate(stanzas):
            rows = []
            for name, script in scripts.items():
                plain = name.rstrip("!")
                file = "%d.%s.%s" % (i, plain, "lua" if kind == "scriptlet" else "sieve")
                files[file] = script
                rows.append('script "%s" { source = "%s"%s }' % (
                    plain, file[:-4] if kind == "scriptlet" else file, " observe = true" * (plain != name)))
            text.append('%s "s%d" { %s }' % (kind, i, "\n".join(rows)))
        files.update(shape.pop("files", {}))
        return self.daemon(top="\n".join(text), files=files, **shape)

    def answer(self, d, line="EHLO probe.example"):
        """To EHLO, and what it took. The client leaves."""
        with d.client() as c:
            began = time.monotonic()
            reply = c.say(line)
            return reply, time.monotonic() - began

    def actions(self, d):
        return [(a["action"], a["code"] or a["ms"], a["observe"]) for a in d.ask("why", "127.0.0.1")["actions"]][::-1]


class Order(Modules):
    def test_D33_the_last_setter_wins(self):
        first, second = ehlo('vctx:set_code(550, "5.7.1 first")'), {"ehlo_phase1": 'ec_action 450 "4.7.1 second";'}
        d = self.stanzas(("scriptlet", {"m": first}), ("sieve", second))
        self.assertEqual(self.answer(d)[0].lines, ["450 4.7.1 second"])
        self.assertEqual(self.actions(d), [("vctx:set_code", 550, 0), ("ec_action", 450, 0)])

    def test_2_2_done_runs_no_further_module(self):
        first, second = ehlo('vctx:set_code(550, "5.7.1 first")', "DONE"), {"ehlo_phase1": 'ec_action 450 "4.7.1 x";'}
        d = self.stanzas(("scriptlet", {"m": first}), ("sieve", second))
        self.assertEqual(self.answer(d)[0].lines, ["550 5.7.1 first"])

    def test_D23_a_code_of_sieve_is_done(self):
        d = self.stanzas(("sieve", {"ehlo_phase1": 'ec_action 450 "4.7.1 first";'}),
                         ("scriptlet", {"m": ehlo('vctx:set_code(550, "5.7.1 second")')}))
        self.assertEqual(self.answer(d)[0].lines, ["450 4.7.1 first"])

    def test_D34_tarpits_of_modules_add_up_and_are_paid_before_the_code(self):
        d = self.stanzas(("sieve", {"ehlo_phase1": 'ec_tarpit "0.2";', "ehlo_phase2": 'ec_tarpit "0.2";'}),
                         ("scriptlet", {"m": ehlo("vctx:tarpit(0.2)")}),
                         ("sieve", {"ehlo_phase1": 'ec_tarpit "0.2"; ec_action 550 "5.7.1 no";'}))
        reply, took = self.answer(d)
        self.assertEqual(reply.code, 550)
        self.assertTrue(0.8 <= took < 5, took)

    def test_D34_max_tarpit(self):
        d = self.daemon(audit="max_tarpit = 1", sieve={"ehlo_phase1": 'ec_tarpit "0.7"; ec_tarpit 100;'})
        self.assertTrue(1 <= self.answer(d)[1] < 5)
        self.assertEqual(self.actions(d), [("ec_tarpit", 700, 0), ("ec_tarpit", 300, 0)])

    def test_D34_a_tarpit_is_paid_once(self):
        d = self.daemon(sieve={"connect_phase1": 'ec_tarpit "0.3";'})
        with d.client() as c:
            began = time.monotonic()
            c.hello()
            c.envelope()
            c.message()
            self.assertLess(time.monotonic() - began, 0.3)

    def test_1_6_phase2(self):
        """It runs after the end of phase 1, and after stop (D21), not after another terminal action."""
        second = 'ec_action 551 "5.7.1 second";'
        for first, want in ("", 551), ("stop;", 551), ("keep;", 250), ('ec_action 450 "4.7.1 x";', 450):
            d = self.daemon(sieve={"ehlo_phase1": first, "ehlo_phase2": second})
            self.assertEqual(self.answer(d)[0].code, want, first)

    def test_D35_no_answer_is_CONT(self):
        d = self.stanzas(("scriptlet", {"m": lua("function m:validate_ehlo(str, ac, vctx)\nend")}),
                         ("sieve", {"ehlo_phase1": 'ec_action 450 "4.7.1 x";'}))
        self.assertEqual(self.answer(d)[0].code, 450)
        d.wait_for_log(r"[0-9a-f]{16}: warning: [a-z]+: validate_\w+ of module \w+: CALLOUT error: \(null\)")

    def test_2_2_bypass(self):
        d = self.stanzas(("sieve", {"ehlo_phase1": 'ec_action 450 "4.7.1 x";'}),
                         ("scriptlet", {"m": ehlo('vctx:set_code(550, "5.7.1 y")')}),
                         esmtp='Peer "127.50.0.1" { Context = [ __bypass_sieve = "true" ] }\n'
                               'Peer "127.50.0.2" { Context = [ __bypass_sieve = "true" __bypass_scriptlet = "true" ] }')
        for source, want in ("127.50.0.3", 450), ("127.50.0.1", 550), ("127.50.0.2", 250):
            with d.client(source) as c:
                c.say("EHLO x", want)


class Observe(Modules):
    def test_nothing_is_done_and_all_is_told(self):
        d = self.stanzas(("sieve", {"ehlo_phase1!": 'ec_tarpit 30 "slow"; ec_disconnect 550 "5.7.1 no" "bad";'}),
                         ("scriptlet", {"m!": ehlo('vctx:tarpit(30) vctx:disconnect(550, "5.7.1 no")', "DONE")}))
        with d.client() as c:
            began = time.monotonic()
            c.hello()
            self.assertLess(time.monotonic() - began, 5)
            c.say("NOOP", 250)
        want = [("ec_tarpit", 30000, 1), ("ec_disconnect", 550, 1), ("vctx:tarpit", 30000, 1), ("vctx:disconnect", 550, 1)]
        self.assertEqual(self.actions(d), want)
        d.wait_for_log(r"observe: ec_tarpit 30.0 s at ehlo for unknown\[127.0.0.1\] by .*ehlo_phase1.sieve:1 \(slow\)")
        d.wait_for_log(r"observe: vctx:disconnect 550 5.7.1 no at ehlo .* by 1\.m\.lua:5")
        self.assertIn("(observed, not done)", d.ctl("why", "127.0.0.1").out)
        stats = d.ask("stats")
        self.assertEqual((stats["tarpits"], stats["rejections"]), (0, 0))
        self.assertEqual({c["counter"]: c["count"] for c in stats["counters"] if c["counter"] in ("slow", "bad")},
                         {"slow": 1, "bad": 1})

    def test_others_go_on_as_if_it_were_not_there(self):
        d = self.stanzas(("sieve", {"ehlo_phase1!": 'ec_action 550 "5.7.1 no";', "ehlo_phase2": 'ec_action 450 "4.7.1 yes";'}))
        self.assertEqual(self.answer(d)[0].code, 450)

    def test_its_errors_refuse_nobody(self):
        d = self.stanzas(("sieve", {"ehlo_phase1!": "$x = vctx_conn_get \"x\"; ec_tarpit $x;"}),
                         ("scriptlet", {"m!": ehlo('error("boom")')}))
        with d.client() as c:
            c.hello()
            c.say("NOOP", 250)
        self.assertEqual(self.actions(d), [("error", 421, 1), ("error", 421, 1)])


class Errors(Modules):
    BAD = '$x = vctx_conn_get "none"; ec_tarpit $x;'

    def test_D25_no_further_module_runs(self):
        d = self.stanzas(("sieve", {"ehlo_phase1": self.BAD}), ("sieve", {"ehlo_phase1": 'ec_action 550 "5.7.1 x";'}))
        with d.client() as c:
            c.line("EHLO x")
            c.expect(421, SORRY)
            c.expect_closed()
        d.wait_for_log(r"action: error 421 argument 1 of ec_tarpit: .* by .*/0\.ehlo_phase1\.sieve:1$")

    def test_1_9_runtime_error_continue(self):
        d = self.daemon(top='sieve "s" { runtime_error = "continue" script "ehlo_phase1" { source = "s.sieve" } }',
                        files={"s.sieve": self.BAD + ' ec_action 450 "4.7.1 went on";'})
        self.assertEqual(self.answer(d)[0].code, 450)
        d.wait_for_log(r"s\.sieve:1: .*going on")

    def test_D26_ec_error_mode_until_the_end_of_the_run(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_error_mode "continue"; %s' % self.BAD,
                               "mailfrom_phase1": self.BAD})
        with d.client() as c:
            c.hello()
            c.say("MAIL FROM:<a@b.example>", 421)
            c.expect_closed()

    def test_D35_a_lua_error_is_logged_with_a_traceback(self):
        d = self.daemon(lua={"m": lua("local function deep() error('boom') end\n"
                                      + callout("ehlo", "str, ac, vctx", "deep()"))})
        with d.client() as c:
            c.line("EHLO x")
            c.expect(421, SORRY)
            c.expect_closed()
        line = d.wait_for_log("traceback")
        self.assertIn("m.lua:4", line)
        self.assertIn("m.lua:6", line)

    def test_1_9_a_script_that_does_not_compile_starts_nothing(self):
        d = self.daemon(sieve={"connect_phase1": "# fine so far\n"})
        for script in "ec_tarpit", "no_such 1;", "if { }", 'ec_test "a" "b";', 'ec_tarpit "1" "2" "3";':
            d.configure(sieve={"connect_phase1": "# line 1\n  " + script})
            answer = d.ctl("reload")
            self.assertEqual(answer.code, 1, script)
            self.assertRegex(answer.err, r"(?m)^.*/connect_phase1\.sieve:2:\d+: ")
            with d.client():
                pass

    def test_D110_without_inbound_audit(self):
        d = self.daemon()
        d.configure(sieve={"connect_phase1": 'audit_connections_on_service "/32";'})
        with open(d.conf) as f:
            text = f.read().replace("inbound_audit {  }", "")
        d.write("tidewaiter.conf", text)
        answer = d.ctl("reload")
        self.assertEqual(answer.code, 1)
        self.assertIn("requires module inbound_audit", answer.err)


class Include(Modules):
    def test_1_10_same_variables_and_back(self):
        d = self.daemon(sieve={"ehlo_phase1": '$x = "1"; ec_include "lib/a.sieve"; ec_action 450 "4.7.1 ${x} ${y}";'},
                        files={"lib/a.sieve": '$y = "2 ${x}"; ec_include "b.sieve"; $x = "9";', "lib/b.sieve": '$y = "${y} b";'})
        self.assertEqual(self.answer(d)[0].lines, ["450 4.7.1 9 2 1 b"])

    def test_1_6_a_terminal_action_ends_all(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_include "a.sieve"; ec_action 450 "4.7.1 not reached";'},
                        files={"a.sieve": 'ec_include "b.sieve"; ec_action 451 "4.7.1 not reached";',
                               "b.sieve": 'ec_action 551 "5.7.1 here";'})
        self.assertEqual(self.answer(d)[0].lines, ["551 5.7.1 here"])
        self.assertTrue(d.ask("why", "127.0.0.1")["actions"][0]["file"].endswith("/b.sieve"))

    def test_D30_a_missing_file_is_a_run_time_error(self):
        d = self.daemon(sieve={"ehlo_phase1": '$f = vctx_conn_get "f"; ec_include "${f}.sieve";'},
                        esmtp='Context = [ f = "nowhere" ]')
        with d.client() as c:
            c.line("EHLO x")
            c.expect(421, SORRY)
            c.expect_closed()

    def test_D29_without_end(self):
        d = self.daemon(sieve={"ehlo_phase1": '$f = vctx_conn_get "f"; ec_include "${f}";'},
                        files={"a.sieve": '$f = "a.sieve"; ec_include "${f}";'}, esmtp='Context = [ f = "a.sieve" ]')
        for _ in range(3):
            self.assertEqual(self.answer(d)[0].code, 421)
        d.wait_for_count(0)

    def test_reload_reads_included_files_again(self):
        d = self.daemon(sieve={"ehlo_phase1": 'ec_include "a.sieve";'}, files={"a.sieve": 'ec_action 450 "4.7.1 old";'})
        self.assertEqual(self.answer(d)[0].lines, ["450 4.7.1 old"])
        d.write("a.sieve", 'ec_action 451 "4.7.1 new";')
        self.assertTrue(d.reload())
        self.assertEqual(self.answer(d)[0].lines, ["451 4.7.1 new"])


class Context(Modules):
    def test_D11_keys_live_on_variables_do_not(self):
        d = self.stanzas(
            ("sieve", {"connect_phase1": '$v = "lost"; vctx_conn_set "k" "kept";',
                       "mailfrom_phase1": 'vctx_mess_set "m" "of %{mailfrom_localpart}";',
                       "rcptto_phase1": '$k = vctx_conn_get "k"; $m = vctx_mess_get "m";\n'
                                        'ec_action 450 "4.7.1 [${k}] [${m}] [${v}]";'}))
        with d.client() as c:
            c.hello()
            for sender in "one", "two":
                c.say("MAIL FROM:<%s@example.net>" % sender, 250)
                self.assertEqual(c.say("RCPT TO:<b@example.org>").lines, ["450 4.7.1 [kept] [of %s] []" % sender])
                c.say("RSET", 250)

    def test_2_1_the_message_dictionary_is_emptied_for_the_next(self):
        d = self.daemon(sieve={"mailfrom_phase1": 'if vctx_mess "m" "set" { ec_action 550 "5.7.1 still there"; }\n'
                                                  'vctx_mess_set "m" "set";'})
        with d.client() as c:
            c.hello()
            for _ in range(3):
                c.envelope()
                c.message()

    def test_from_one_language_to_the_other(self):
        d = self.stanzas(
            ("sieve", {"connect_phase1": 'vctx_conn_set "s" "from sieve";'}),
            ("scriptlet", {"m": ehlo("vctx:set(msys.core.VCTX_CONN, 'l', vctx:get(msys.core.VCTX_CONN, 's') .. ' and ' .. "
                                     "vctx:get(msys.core.VCTX_CONN, 'p'))")}),
            ("sieve", {"ehlo_phase1": '$l = vctx_conn_get "l"; ec_action 450 "4.7.1 ${l}";'}), esmtp='Context = [ p = "preset" ]')
        self.assertEqual(self.answer(d)[0].lines, ["450 4.7.1 from sieve and preset"])

    def test_2_3_self_of_lua_is_the_sessions_own(self):
        d = self.daemon(workers=1, lua={"m": lua(
            callout("ehlo", "str, ac, vctx", "self.n = (self.n or 0) + 1")
            + callout("mailfrom", "str, ac, vctx", "vctx:set_code(450, '4.7.1 ' .. self.n)"))})
        for times in 1, 3, 2:
            with d.client() as c:
                for _ in range(times):
                    c.hello()
                self.assertEqual(c.say("MAIL FROM:<a@b.example>").lines, ["450 4.7.1 %d" % times])

    def test_T11_early_talker(self):
        d = self.daemon(esmtp="Banner_Delay = 0.5", sieve={
            "connect_phase1": 'if vctx_conn "early_talker" "yes" { ec_action 554 "5.5.1 wait for the banner" "early"; }'})
        with d.client(greet=False) as c:
            c.line("EHLO x")
            c.expect(554, "wait for the banner")
        began = time.monotonic()
        with d.client() as c:
            self.assertGreaterEqual(time.monotonic() - began, 0.5)
            c.hello()
        stats = d.ask("stats")
        self.assertEqual(stats["early_talkers"], 1)
        self.assertEqual(stats["counters"], [{"phase": "connect", "counter": "early", "class": "5xx", "count": 1}])
        d.wait_for_log("disconnect .* early_talker")

    def test_2_5_can_relay(self):
        d = self.daemon(sieve={"ehlo_phase1": 'if vctx_conn "ehlo_domain" "friend" { vctx_conn_set "can_relay" "true"; }'})
        for name, code in ("stranger", 554), ("friend", 250):
            with d.client() as c:
                c.hello(name)
                c.say("MAIL FROM:<a@example.net>", 250)
                c.say("RCPT TO:<b@elsewhere.example>", code)


class Budgets(Modules):
    """One worker, and scripts that would keep it for ever: others are served meanwhile."""

    LOOPS = {
        "loop": "while true do end",
        "pcall": "while true do pcall(function() while true do end end) end",
        "find": "string.find(string.rep('a', 100000), string.rep('a-', 100) .. 'b')",
        "memory": "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
        "coroutine": "while true do coroutine.wrap(function() while true do end end)() end",
    }

    def play(self, d, attacks):
        """Attackers say EHLO with each name, again and again; the longest that a NOOP took meanwhile."""
        over, failed = threading.Event(), []
        served = dict.fromkeys(attacks, 0)

        def attack(name):
            try:
                while not over.is_set():
                    with d.client("127.0.0.9") as c:
                        c.line("EHLO " + name)
                        c.expect(421, SORRY)
                        c.expect_closed()
                        served[name] += 1
            except Exception as e:  # shown by the main thread
                failed.append((name, e))

        threads = [threading.Thread(target=attack, args=(name,)) for name in attacks]
        longest, rounds = 0, 0
        with d.client() as c:
            c.hello()
            for t in threads:
                t.start()
            least, most = time.monotonic() + 3, time.monotonic() + PATIENCE
            while time.monotonic() < least or (time.monotonic() < most and not all(served.values())):
                began = time.monotonic()
                c.say("NOOP", 250)
                longest = max(longest, time.monotonic() - began)
                rounds += 1
            over.set()
        for t in threads:
            t.join(PATIENCE)
        self.assertEqual(failed, [])
        self.assertTrue(all(served.values()), served)
        return longest, rounds

    def assert_served(self, d, attacks):
        longest, rounds = self.play(d, attacks)
        # Each of them may have its 100 ms before it is our turn; a busy machine adds to it.
        self.assertLess(longest, 0.1 * len(attacks) + 2, "%d rounds" % rounds)
        d.wait_for_count(0)

    def test_T18_lua_that_loops_for_ever(self):
        body = "local name = string.match(tostring(str), 'EHLO (%w+)')\n"
        body += "\n".join("if name == '%s' then %s end" % one for one in self.LOOPS.items())
        self.assert_served(self.daemon(workers=1, esmtp="Max_Unproductive_Commands = 0", lua={"m": ehlo(body)}), list(self.LOOPS))

    def test_1_9_sieve_that_works_for_ever(self):
        """There are no loops, so: patterns that never match, and includes that double."""
        script = ('$long = "%s";\n'
                  'if vctx_conn "ehlo_domain" "regex" { if ec_test :regex "${long}" "^(a+)+$" { stop; } }\n'
                  'if vctx_conn "ehlo_domain" "doubling" { ec_include "d0.sieve"; }\n') % ("a" * 2000 + "b")
        files = {"d%d.sieve" % i: ('ec_include "d%d.sieve";' % (i + 1)) * 8 for i in range(9)}
        files["d9.sieve"] = '$x = ec_add "1" "1";'
        d = self.daemon(workers=1, esmtp="Max_Unproductive_Commands = 0", sieve={"ehlo_phase1": script}, files=files)
        self.assert_served(d, ["regex", "doubling"])


if __name__ == "__main__":
    unittest.main()
