"""tidectl history: journals of a real daemon, asked without it (5.4, D81, D82)."""

import json
import os
import pty
import shutil
import signal
import subprocess
import time
import unittest

from daemon import E2E, PATIENCE, TIDECTL, wait_until

LUA = """
require("msys.audit_series")
local m = {}
function m:init()
  msys.audit_series.define("come.in", "cidr", 1, 60, { serialize = true })
  msys.audit_series.define("hello", "cidr", 1, 60, { serialize = true })
  msys.audit_series.define("names", "string", 1, 60, { serialize = true })
  return true
end
function m:validate_ehlo(str, ac, vctx)
  msys.audit_series.add("come.in")
  msys.audit_series.add("hello", { count = 10 })
  msys.audit_series.add("names", { key = str })
  return msys.core.VALIDATE_CONT
end
msys.registerModule("m", m)
"""
CAME = (("127.9.0.1", 3), ("127.9.0.2", 1), ("127.9.1.1", 2))

# The query, the exit code, what is printed
ANSWERS = (
    ("show count for 127.9.0.0/16 in come.in cidrsize 16", 0, "127.9.0.0/16       :         6\n"),
    ("show count for 127.9.0.0/16 in come.in cidrsize 24", 0,
     "127.9.0.0/24       :         4\n127.9.1.0/24       :         2\n"),
    ("show count for 127.9.0.0/24 in come.in", 0,
     "127.9.0.1/32       :         3\n127.9.0.2/32       :         1\n"),
    ("show count for 127.9.0.0/16 in come.in,hello cidrsize 16", 0, "127.9.0.0/16       : 6,60\n"),
    ("show count for 127.9.0.0/16 in union(come.in,hello) cidrsize 16", 0, "127.9.0.0/16       :        66\n"),
    ("show count for 127.9.0.0/16 in come.in order by count limit 2", 0,
     "127.9.0.1/32       :         3\n127.9.1.1/32       :         2\n"),
    ("show count for 127.9.0.0/16 in come.in threshold 3", 0, "127.9.0.1/32       :         3\n"),
    ("show count for 127.9.0.0/16 in come.in cidrsize 16 to 24", 0,
     "127.9.0.0/16       :         6\n127.9.0.0/17       :         6\n127.9.0.0/18       :         6\n"
     "127.9.0.0/19       :         6\n127.9.0.0/20       :         6\n127.9.0.0/21       :         6\n"
     "127.9.0.0/22       :         6\n127.9.0.0/23       :         6\n127.9.0.0/24       :         4\n"
     "127.9.1.0/24       :         2\n"),
    ("show count for 127.9.0.0/16 in come.in since 20990101", 0, ""),
    ("show count for 127.9.0.0/16 in come.in cidrsize 16 on 20200101", 0, "127.9.0.0/16       :         0\n"),
    ("show count for 127.9.0.0/16 in elsewhere", 1, 'ERROR: no journal of series "elsewhere" in DIR\n'),
    ("show count for 127.9.0.0/16 in comein", 1,
     'ERROR: no journal of series "comein" in DIR; did you mean "come.in"?\n'),
    ("show count for 127.9.0.0/16 in names", 1, 'ERROR: series "names" counts texts, not addresses\n'),
    ("show count for 127.9.0.0/33 in come.in", 64, 'ERROR: syntax near "127.9.0.0/33": '),
    ("show everything", 64, 'ERROR: syntax near "everything": expected "available" or "count for"\n'),
)


class History(E2E):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kept = None

    def journals(self):
        """Made once, by a daemon that has ended since."""
        if self.kept is not None:
            return self.kept
        d = self.daemon(audit="maintenance_interval = 1", lua={"m": LUA})
        directory = os.path.join(d.dir, "state", "journal")
        for source, count in CAME:
            for _ in range(count):
                with d.client(source=source) as c:
                    c.say("EHLO probe.example", 250)
                    c.say("QUIT", 221)
        ended = time.time() + 1
        wait_until(lambda: time.time() > ended, "the last window ends")
        d.signal(signal.SIGTERM)
        self.assertEqual(d.wait(), 0)
        shutil.copytree(directory, d.dir + ".journal")
        type(self).kept = d.dir + ".journal"
        self.addClassCleanup(shutil.rmtree, self.kept)
        return self.kept

    def ask(self, *words, stdin=""):
        done = subprocess.run([TIDECTL, "history", "--dir", self.journals(), *words], input=stdin,
                              capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def test_answers(self):
        for query, code, want in ANSWERS:
            for words in (query.split(), [query]):
                with self.subTest(query=query):
                    got, out, err = self.ask(*words)
                    said = (err if code else out).replace(self.journals(), "DIR")
                    self.assertEqual(got, code, err)
                    self.assertEqual(said[:len(want)] if want.endswith(": ") else said, want)
                    self.assertEqual(out if code else err, "")

    def test_a_shell_answers_each_line(self):
        code, out, err = self.ask(stdin="show available\n\n" + ANSWERS[0][0] + "\nnonsense\n" + ANSWERS[3][0])
        lines = out.splitlines()
        self.assertRegex(lines[0], r"^come\.in : \d{8}T\d{6}Z => \d{8}T\d{6}Z$")
        self.assertEqual([line.split(" : ")[0] for line in lines[:3]], ["come.in", "hello", "names"])
        self.assertEqual("\n".join(lines[3:]) + "\n", ANSWERS[0][2] + ANSWERS[3][2])
        self.assertEqual((code, err), (64, 'ERROR: syntax near "nonsense": expected "show" or "cache details"\n'))

    def test_a_terminal_gets_a_prompt(self):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([TIDECTL, "history", "--dir", self.journals()], stdin=theirs,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.close(theirs)
        os.write(ours, (ANSWERS[0][0] + "\n\x04").encode())
        out, _ = process.communicate(timeout=PATIENCE)
        os.close(ours)
        self.assertEqual(out.decode(), "cidr>" + ANSWERS[0][2] + "cidr>\n")
        self.assertEqual(process.returncode, 0)

    def test_json(self):
        code, out, _ = self.ask("--json", ANSWERS[3][0] + " aggregate daily")
        answer = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual((answer["series"], answer["union"], answer["complete"]), (["come.in", "hello"], False, True))
        self.assertEqual(sum(row["counts"][1]["count_high"] for row in answer["rows"]), 60)
        self.assertRegex(answer["rows"][0]["day"], r"^\d{8}$")
        self.assertEqual(answer["rows"][0]["cidr"], "127.9.0.0/16")
        for query, want in (("show available", "available"), ("cache details", "files"), (ANSWERS[8][0], "rows")):
            self.assertIn(want, json.loads(self.ask("--json", query)[1]))
        for query in ("nonsense", "show count for ::/0 in nobodys"):
            code, out, err = self.ask("--json", query)
            self.assertEqual("ERROR: " + json.loads(out)["error"] + "\n", err)

    def test_a_damaged_file_is_left_out(self):
        copy = self.journals() + ".damaged"
        shutil.copytree(self.journals(), copy)
        self.addCleanup(shutil.rmtree, copy)
        name = sorted(name for name in os.listdir(copy) if name.startswith("come%2Ein."))[0]
        os.truncate(os.path.join(copy, name), 70)
        done = subprocess.run([TIDECTL, "history", "--dir", copy, ANSWERS[0][0]], capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^tidectl: \S+/come%2Ein\.\S+: is cut short: 70 of \d+ octets \(left out\)\n$")
        self.assertLess(int(done.stdout.split(":")[1]), 6)

    def test_wrong_command_lines(self):
        for words in (["--dir"], ["--frob"], ["--json", "--dir"]):
            done = subprocess.run([TIDECTL, "history", *words], stdin=subprocess.DEVNULL, capture_output=True)
            self.assertEqual(done.returncode, 64, words)
        done = subprocess.run([TIDECTL, "history", "--dir", "/nonexistent", "show", "available"],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (1, "ERROR: /nonexistent: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
