"""Series outlive what happens to the daemon: a stop, kill -9 at any moment, a full disk, files that
are torn, an upgrade (D67, T16)."""

import calendar
import os
import pwd
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

from console import Console
from daemon import E2E, wait_until

HOUR = 'monitors = ( "3600,4" ) '
MINE = "@connections@3600,4"
SLOW = ["strace", "-f", "-qq", "-o", "trace", "-e", "trace=fsync",
        "-e", "inject=fsync:delay_enter=2000000"]
LUA = """
require("msys.audit_series")
local m = {}
function m:init()
  msys.audit_series.define("kept", "cidr", 3600, 4, { persist = true })
  msys.audit_series.define("journalled", "cidr", 1, 60, { serialize = true })
  msys.audit_series.define("fleeting", "string", 3600, 4)
  return true
end
function m:validate_ehlo(str, ac, vctx)
  msys.audit_series.add("kept")
  msys.audit_series.add("journalled")
  msys.audit_series.add("fleeting", { key = str })
  return msys.core.VALIDATE_CONT
end
msys.registerModule("m", m)
"""


class Series(E2E):
    def saved(self, d, name=""):
        return os.path.join(d.dir, "state", "series", name)

    def journal(self, d, name=""):
        return os.path.join(d.dir, "state", "journal", name)

    def come(self, d, count=1, source="127.9.0.1"):
        for _ in range(count):
            with d.client(source=source) as c:
                c.say("EHLO probe.example", 250)
                c.say("QUIT", 221)

    def came(self, d, source="127.9.0.1"):
        """Connections in all windows: an hour may begin meanwhile."""
        with Console(d.control) as console:
            code, text, lines = console.ask("inbound_audit show ip " + source)
        self.assertEqual(code, 0, text)
        return sum(int(line.split(": ")[1]) for line in lines if line.startswith("Connections "))

    def ask(self, d, line):
        with Console(d.control) as console:
            code, text, lines = console.ask("inbound_audit " + line)
        return "\n".join(lines) or text

    def stop(self, d):
        d.signal(signal.SIGTERM)
        self.assertEqual(d.wait(), 0)
        d.process.stderr.close()
        d.process, d.lines, d.ended = None, [], False

    def bad(self, d):
        return [name for name in os.listdir(self.saved(d)) if ".bad-" in name]

    def wait_for_save(self, d, name=MINE):
        """Begun from now on, and done."""
        now = time.time_ns()
        path = self.saved(d, name)
        wait_until(lambda: os.path.exists(path) and os.stat(path).st_mtime_ns > now
                   and not os.path.exists(path + ".new"), name + " is saved")

    def small_disk(self, d, path, size="64k"):
        os.makedirs(path, exist_ok=True)
        options = "mode=0755,size=" + size
        command = ["mount", "-t", "tmpfs", "-o", options, "none", path]
        done = subprocess.run(command, capture_output=True)
        if done.returncode != 0:
            self.skipTest("a file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)


class Restart(Series):
    def test_persist_D67_a_stop_and_a_start(self):
        d = self.daemon(audit=HOUR, lua={"m": LUA})
        self.come(d, 5)
        self.stop(d)
        self.assertEqual(sorted(os.listdir(self.saved(d))), [MINE, "kept"])
        for _ in range(2):
            d.start()
            self.assertEqual(self.came(d), 5)
            self.assertEqual(self.ask(d, "count_cidr 127.9.0.1 kept 3600,4 0 3"), "5")
            self.stop(d)
        self.assertEqual(self.bad(d), [])
        d.start()
        self.come(d, 2)
        self.assertEqual(self.came(d), 7)

    def test_persist_can_be_turned_off(self):
        d = self.daemon(audit=HOUR + "persist = false")
        self.come(d, 5)
        self.stop(d)
        self.assertEqual(os.listdir(self.saved(d)), [])
        d.start()
        self.assertEqual(self.came(d), 0)

    def test_on_demand(self):
        d = self.daemon(audit=HOUR, lua={"m": LUA})
        self.come(d, 3)
        self.assertEqual(self.ask(d, "save"), "OK")
        self.assertEqual(sorted(os.listdir(self.saved(d))), [MINE, "kept"])
        self.assertEqual(self.ask(d, "save fleeting"), "OK")
        self.assertRegex(self.ask(d, "save nobodys"), "^ERROR: ")
        d.kill()
        d.start()
        self.assertEqual(self.came(d), 3)
        shutil.copy(self.saved(d, "kept"), self.saved(d, "copy.kept"))
        self.assertEqual(self.ask(d, "load kept copy.kept"), "OK")
        self.assertEqual(self.ask(d, "count_cidr 127.9.0.1 kept 3600,4 0 3"), "3")
        self.assertEqual(self.ask(d, "delete_ip 127.9.0.1 kept 3600,4"), "OK")
        self.assertEqual(self.ask(d, "load kept"), "OK")
        self.assertEqual(self.ask(d, "count_cidr 127.9.0.1 kept 3600,4 0 3"), "3")
        foreign = self.ask(d, "load kept ../../tidewaiter.conf")
        self.assertRegex(foreign, "^ERROR: .*no file of a series")
        self.assertRegex(self.ask(d, "load fleeting kept"), "^ERROR: ")

    def test_files_that_are_wrong_are_set_aside(self):
        d = self.daemon(audit=HOUR)
        self.come(d, 3)
        self.stop(d)
        with open(self.saved(d, MINE), "rb") as f:
            whole = f.read()
        newer = whole[:8] + b"\x63" + whole[9:]
        for octets, why in ((b"", "no file of a series"), (whole[:-1], "is cut short"),
                            (newer, "a newer version"),
                            (b"From: somebody else\n" * 10, "no file of a series"),
                            (whole[:70] + b"\x07" + whole[71:], "damaged")):
            with open(self.saved(d, MINE), "wb") as f:
                f.write(octets)
            d.start()
            d.wait_for_log(r"@connections@3600,4: .*%s.*; set aside as .*\.bad-\d{8}T\d{6}Z" % why)
            self.assertEqual(self.came(d), 0)
            self.assert_quiet(d)
            self.stop(d)
            for name in self.bad(d):
                with open(self.saved(d, name), "rb") as f:
                    self.assertEqual(f.read(), octets)
                os.unlink(self.saved(d, name))
        for name in MINE, "copy":
            with open(self.saved(d, name), "wb") as f:
                f.write(whole)
        d.start()
        d.wait_for_log(r"series/copy: is the file of another series; set aside as .*copy\.bad-")
        self.assertEqual(self.came(d), 3)

    def test_D67_a_text_may_be_empty(self):
        """As the sender of a bounce is. It once kept its series from being saved."""
        d = self.daemon(audit=HOUR, lua={"m": LUA})
        for key in '""', "a":
            self.assertEqual(self.ask(d, "add fleeting 3600,4 %s 2" % key), "OK")
        self.assertEqual(self.ask(d, "save fleeting"), "OK")
        self.ask(d, 'delete_ip "" fleeting 3600,4')
        self.ask(d, "delete_ip a fleeting 3600,4")
        self.assertEqual(self.ask(d, "load fleeting"), "OK")
        self.assertEqual(self.ask(d, 'count_cidr "" fleeting 3600,4 0 3'), "2")


class Killed(Series):
    """kill -9."""

    def test_at_any_moment_costs_an_interval_at_most(self):
        chance = random.Random(4)
        d = self.daemon(audit=HOUR + "maintenance_interval = 1")
        times = []
        for _ in range(6):
            until = time.monotonic() + chance.uniform(0, 3)
            while time.monotonic() < until:
                self.come(d)
                times.append(time.monotonic())
                time.sleep(chance.uniform(0, 0.1))
            killed = time.monotonic()
            d.kill()
            d.start()
            came = self.came(d)
            # its turns are a second apart, and the machine is not always quick
            self.assertGreaterEqual(came, sum(t < killed - 1 - 1 - 0.5 for t in times))
            self.assertLessEqual(came, len(times))
            times = times[:came]
        self.assertEqual(self.bad(d), [])

    def test_in_the_middle_of_writing(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        d = self.daemon(audit=HOUR + "maintenance_interval = 1")
        self.come(d, 3)
        self.wait_for_save(d)
        self.stop(d)
        d.before = SLOW
        d.start()
        self.come(d, 4)
        wait_until(lambda: os.path.exists(self.saved(d, MINE + ".new")), "it is being written")
        os.kill(d.pid, signal.SIGKILL)
        d.kill()
        self.assertTrue(os.path.exists(self.saved(d, MINE + ".new")))
        d.before = []
        d.start()
        d.wait_for_log(r"@connections@3600,4\.new: unfinished, removed")
        self.assertIn(self.came(d), (3, 7))
        self.assertEqual(self.bad(d), [])
        self.assertFalse(os.path.exists(self.saved(d, MINE + ".new")))


class FullDisk(Series):
    def fill(self, path):
        with open(os.path.join(path, "fill.up"), "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def test_told_once_and_tried_again(self):
        d = self.daemon(start=False, audit=HOUR + "maintenance_interval = 1")
        self.small_disk(d, self.saved(d))
        d.start()
        self.come(d, 3)
        self.wait_for_save(d)
        with open(self.saved(d, MINE), "rb") as f:
            before = f.read()
        self.fill(self.saved(d))
        self.come(d, 2)
        d.wait_for_log(r"series cannot be saved: .*@connections@3600,4: No space left on device; "
                       "tried again every 1 s")
        time.sleep(3)
        self.assertEqual(len([line for line in d.lines if "cannot be saved" in line]), 1)
        with open(self.saved(d, MINE), "rb") as f:
            self.assertEqual(f.read(), before)
        d.kill()
        d.start()
        self.assertEqual(self.came(d), 3)
        self.come(d, 2)
        d.wait_for_log("series cannot be saved")
        os.unlink(self.saved(d, "fill.up"))
        d.wait_for_log("series are saved again")
        d.kill()
        d.start()
        self.assertEqual(self.came(d), 5)
        self.assertEqual(self.bad(d), [])

    def test_it_stops_all_the_same(self):
        d = self.daemon(start=False, audit=HOUR)
        self.small_disk(d, self.saved(d))
        d.start()
        self.come(d, 3)
        self.fill(self.saved(d))
        self.stop(d)

    def test_journals(self):
        d = self.daemon(start=False, audit="maintenance_interval = 1", lua={"m": LUA})
        self.small_disk(d, self.journal(d))
        d.start()
        self.fill(self.journal(d))
        self.come(d)
        d.wait_for_log("journals cannot be written: .*No space left on device")
        os.unlink(self.journal(d, "fill.up"))
        d.wait_for_log("journals are written again")
        self.assertEqual(len(os.listdir(self.journal(d))), 1)


@unittest.skipUnless(os.geteuid() == 0, "needs root")
class NoRight(Series):
    """As another user, behind Landlock and seccomp where they are."""

    def test_a_directory_of_somebody_else(self):
        nobody = pwd.getpwnam("nobody")
        d = self.daemon(start=False, top='User = "nobody"', audit=HOUR + "maintenance_interval = 1")
        os.chmod(d.dir, 0o755)
        os.chown(d.dir, nobody.pw_uid, nobody.pw_gid)
        d.start()
        self.come(d, 3)
        self.wait_for_save(d)
        self.assertEqual(os.stat(self.saved(d, MINE)).st_uid, nobody.pw_uid)
        os.chown(self.saved(d), 0, 0)
        self.come(d, 2)
        d.wait_for_log(r"series cannot be saved: .*@connections@3600,4\.new: Permission denied")
        os.chown(self.saved(d), nobody.pw_uid, nobody.pw_gid)
        d.wait_for_log("series are saved again")
        d.kill()
        os.chown(self.saved(d, MINE), 0, 0)
        os.chmod(self.saved(d, MINE), 0o600)
        d.start()
        d.wait_for_log(r"@connections@3600,4: Permission denied; set aside as")
        self.assertEqual(self.came(d), 0)


class Journals(Series):
    def inodes(self, d):
        return {name: os.stat(self.journal(d, name)).st_ino for name in os.listdir(self.journal(d))}

    def test_serialize_T16_D68_one_for_each_window_that_holds_anything(self):
        d = self.daemon(audit="maintenance_interval = 1", lua={"m": LUA})
        self.come(d, 2)
        wait_until(lambda: os.listdir(self.journal(d)), "a journal is written")
        time.sleep(2.5)
        names = sorted(os.listdir(self.journal(d)))
        self.assertLessEqual(len(names), 2)
        for name in names:
            self.assertRegex(name, r"^journalled\.\d{8}T\d{6}Z$")
            ended = calendar.timegm(time.strptime(name, "journalled.%Y%m%dT%H%M%SZ"))
            self.assertLess(abs(time.time() - ended), 10)
        inodes = self.inodes(d)
        self.assertEqual(sorted(inodes), names)
        self.stop(d)
        d.start()
        time.sleep(2.5)
        self.assertEqual(self.inodes(d), inodes)

    def test_old_ones_are_removed(self):
        d = self.daemon(start=False, audit="maintenance_interval = 1 journal_days = 30")
        os.makedirs(self.journal(d))
        old = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 31 * 86400))
        new = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - 29 * 86400))
        for name in "a." + old, "a." + new, "mail.log." + old, "a." + old + ".gz", "notes":
            open(self.journal(d, name), "w").close()
        d.start()
        d.wait_for_log("1 journals older than 30 days removed")
        self.assertEqual(sorted(os.listdir(self.journal(d))),
                         sorted(["a." + new, "mail.log." + old, "a." + old + ".gz", "notes"]))


class Upgrade(Series):
    def heir(self, d, **changes):
        heir = d.heir()
        self.addCleanup(self._end, heir)
        heir.configure(**changes)
        heir.start()
        d.wait_for_log("upgrade: handed over")
        heir.wait_for_log("series loaded")
        return heir

    def test_all_series_come_along_also_what_does_not_persist(self):
        d = self.daemon(audit=HOUR + "persist = false", lua={"m": LUA})
        self.come(d, 4)
        held = d.client(source="127.9.0.1")
        heir = self.heir(d)
        wait_until(lambda: self.came(heir) == 5, "the connections are known")
        self.assertEqual(self.ask(heir, "count_cidr 127.9.0.1 kept 3600,4 0 3"), "4")
        self.come(heir, 2)
        self.assertEqual(self.came(heir), 7)
        held.say("QUIT", 221)
        held.close()
        self.assertEqual(d.wait(), 0)
        self.assertEqual(self.came(heir), 7)
        self.stop(heir)
        self.assertEqual(os.listdir(self.saved(d)), ["kept"])

    def test_what_the_old_one_still_sees_is_counted_in_the_new_one(self):
        d = self.daemon(audit=HOUR, lua={"m": LUA})
        held = [d.client(source="127.9.0.1") for _ in range(20)]
        heir = self.heir(d)
        for i, c in enumerate(held):
            c.say("EHLO probe%d.example" % i, 250)
            c.envelope()
            c.message()
            c.say("QUIT", 221)
            c.close()
        self.assertEqual(d.wait(), 0)
        self.assertEqual(self.ask(heir, "count_cidr 127.9.0.1 kept 3600,4 0 3"), "20")
        with Console(heir.control) as console:
            _, _, lines = console.ask("inbound_audit show ip 127.9.0.1")
        for what in "Connections", "Receptions":
            found = [int(line.split(": ")[1]) for line in lines if line.startswith(what)]
            self.assertEqual(sum(found), 20)

    def test_under_load_nothing_is_counted_twice_or_not_at_all(self):
        d = self.daemon(audit=HOUR, lua={"m": LUA})
        over, counts = threading.Event(), []

        def clients():
            count = 0
            while not over.is_set():
                self.come(d)
                count += 1
            counts.append(count)

        threads = [threading.Thread(target=clients) for _ in range(4)]
        for t in threads:
            t.start()
        time.sleep(0.5)
        heir = self.heir(d)
        time.sleep(0.5)
        over.set()
        for t in threads:
            t.join()
        self.assertEqual(d.wait(), 0)
        self.assertEqual(self.came(heir), sum(counts))
        self.assertEqual(self.ask(heir, "count_cidr 127.9.0.1 kept 3600,4 0 3"), str(sum(counts)))

    def test_who_has_handed_over_writes_no_more(self):
        d = self.daemon(audit=HOUR + "maintenance_interval = 1")
        self.come(d, 4)
        held = d.client()
        heir = self.heir(d)
        heir.kill()
        os.unlink(self.saved(d, MINE))
        time.sleep(2.5)
        held.close()
        self.assertEqual(d.wait(), 0)
        self.assertEqual(os.listdir(self.saved(d)), [])

    def test_the_old_one_is_killed_while_it_saves(self):
        if shutil.which("strace") is None:
            self.skipTest("strace is not installed")
        d = self.daemon(audit=HOUR, before=SLOW)
        self.come(d, 4)
        self.assertEqual(self.ask(d, "save"), "OK")
        self.come(d, 3)
        held = d.client()
        heir = d.heir()
        heir.before = []
        self.addCleanup(self._end, heir)
        heir.start()
        d.wait_for_log("upgrade: handed over")
        self.come(heir, 2)
        wait_until(lambda: os.path.exists(self.saved(d, MINE + ".new")), "it is being written")
        os.kill(d.pid, signal.SIGKILL)
        d.kill()
        held.close()
        heir.wait_for_log("1 series loaded")
        self.assertEqual(self.came(heir), 4 + 2)
        self.assertEqual(self.bad(d), [])


if __name__ == "__main__":
    unittest.main()
