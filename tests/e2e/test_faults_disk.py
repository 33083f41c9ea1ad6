"""No room left: on the disk, under a limit of file sizes, in memory. Nothing is answered 250 that is
not in the mailbox, and afterwards it goes on."""

import os
import resource
import signal
import subprocess
import threading
import time
import unittest

from daemon import E2E, SANITIZED, wait_until

LINE = b"x" * 70 + b"\r\n"


class Faults(E2E):
    def send(self, d, mark, size, code=None):
        """One message of about so many octets. The code of the answer to its end."""
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(b"X-Mark: %s\r\n\r\n" % mark.encode() + LINE * (size // len(LINE)) + b"end\r\n.\r\n")
            reply = c.expect(code)
            c.say("NOOP", 250)
            c.say("QUIT", 221)
        return reply.code

    def marks(self, d):
        """Of what is in the mailbox, which must be whole."""
        found = []
        for mail in d.mails():
            self.assertTrue(mail.endswith(b"\nend\n"), "a message in new/ is whole")
            found.append(mail.split(b"X-Mark: ")[1].split(b"\n")[0].decode())
        return sorted(found)


class FullDisk(Faults):
    """A file system of 1 MiB."""

    def small_disk(self, d, name):
        path = os.path.join(d.dir, name)
        os.makedirs(path, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", path], capture_output=True)
        if done.returncode != 0:
            self.skipTest("a file system cannot be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def test_the_spool(self):
        d = self.daemon(start=False, top="Message_Memory = 4096")
        self.small_disk(d, "state")
        d.start()
        self.assertEqual(self.send(d, "fits", 500_000), 250)
        self.assertEqual(self.send(d, "toobig", 3_000_000), 452)
        self.assertEqual(self.marks(d), ["fits"])
        d.wait_for_log("a message cannot be kept: No space left on device")

        confirmed, others = [], []

        def one(i):
            code = self.send(d, "many%d" % i, 400_000)
            (confirmed if code == 250 else others).append((code, "many%d" % i))

        threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(confirmed) + len(others), 8)
        self.assertEqual({code for code, _ in others} - {452}, set())
        self.assertEqual(self.marks(d), sorted(["fits"] + [mark for _, mark in confirmed]))

        for _, mark in others:
            self.assertEqual(self.send(d, mark, 400_000), 250)
        self.assertEqual(len(self.marks(d)), 9)
        self.assert_quiet(d)

    def test_who_leaves_gives_its_room_back(self):
        d = self.daemon(start=False, top="Message_Memory = 4096")
        self.small_disk(d, "state")
        d.start()
        with d.client() as c:
            c.hello()
            c.envelope()
            c.say("DATA", 354)
            c.send(LINE * 20_000)
            c.reset()
        wait_until(lambda: self.send(d, "after", 500_000) == 250, "there is room again")
        self.assert_quiet(d)

    def test_the_Maildir(self):
        d = self.daemon(start=False)
        path = self.small_disk(d, "mail")
        d.start()
        confirmed = []
        for i in range(20):
            code = self.send(d, "m%02d" % i, 100_000)
            if code != 250:
                break
            confirmed.append("m%02d" % i)
        self.assertEqual(code, 452)
        self.assertGreater(len(confirmed), 5)
        self.assertEqual(self.marks(d), confirmed)
        self.assertEqual(os.listdir(os.path.join(path, "tmp")), [])
        self.assertEqual(self.send(d, "small", 100), 250)

        new = os.path.join(path, "new")
        os.unlink(os.path.join(new, sorted(os.listdir(new))[0]))
        self.assertEqual(self.send(d, "again", 90_000), 250)
        self.assert_quiet(d)

    def test_the_log(self):
        """Nobody is made to wait for it."""
        d = self.daemon(start=False)
        path = self.small_disk(d, "logs")
        d.start()
        d.configure(top='Log_File = "logs/log"')
        d.signal(signal.SIGHUP)
        log = os.path.join(path, "log")
        wait_until(lambda: os.path.exists(log) and os.path.getsize(log), "it logs there")
        with open(os.path.join(path, "fill"), "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 4096):
                    pass
            except OSError:
                pass
        used = d.cpu_seconds()
        for i in range(20):
            self.send(d, "m%02d" % i, 10_000, 250)
        time.sleep(1)
        self.assertLess(d.cpu_seconds() - used, 0.8)
        self.assertEqual(len(self.marks(d)), 20)
        os.unlink(os.path.join(path, "fill"))
        self.send(d, "after", 100, 250)

        def logged():
            with open(log, errors="replace") as f:
                return "disconnect" in f.read()

        wait_until(logged, "it is logged again")
        d.configure(top="")
        self.assertTrue(d.reload())
        self.assert_quiet(d)

    def test_no_files_left_in_the_Maildir(self):
        d = self.daemon(start=False)
        path = self.small_disk(d, "mail")
        subprocess.run(["mount", "-o", "remount,nr_inodes=8", path], check=True)
        d.start()
        codes = [self.send(d, "m%d" % i, 100) for i in range(8)]
        self.assertEqual(sorted(set(codes)), [250, 452])
        self.assertEqual(len(self.marks(d)), codes.count(250))
        self.assert_quiet(d)


class FileSizes(Faults):
    """RLIMIT_FSIZE."""

    def limited(self, **shape):
        d = self.daemon(**shape)
        resource.prlimit(d.pid, resource.RLIMIT_FSIZE, (65536, 65536))
        return d

    def test_the_spool(self):
        d = self.limited(top="Message_Memory = 4096")
        self.assertEqual(self.send(d, "big", 200_000), 452)
        self.assertEqual(self.send(d, "small", 20_000), 250)
        self.assertEqual(self.marks(d), ["small"])
        self.assert_quiet(d)

    def test_the_Maildir(self):
        d = self.limited()
        self.assertEqual(self.send(d, "big", 200_000), 452)
        self.assertEqual(self.send(d, "small", 20_000), 250)
        self.assertEqual(self.marks(d), ["small"])
        self.assertEqual(os.listdir(os.path.join(d.maildir, "tmp")), [])
        self.assert_quiet(d)


@unittest.skipIf(SANITIZED, "a sanitizer reserves all the memory that there is")
class FullMemory(Faults):
    """RLIMIT_AS. The process ends with 71 (EX_OSERR), the service manager starts it again; clients
    that had no answer come again."""

    def test_it_ends_and_nothing_is_lost(self):
        d = self.daemon(top="Message_Memory = 64M")
        confirmed = ["before"]
        self.send(d, "before", 10_000, 250)
        with open("/proc/%d/statm" % d.pid) as f:
            size = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.prlimit(d.pid, resource.RLIMIT_AS, (size + (24 << 20), size + (24 << 20)))

        def small():
            for i in range(1000):
                try:
                    self.send(d, "small%d" % i, 5000, 250)
                except (OSError, AssertionError):
                    return
                confirmed.append("small%d" % i)

        def big():
            try:
                with d.client() as c:
                    c.hello()
                    c.envelope()
                    c.say("DATA", 354)
                    for _ in range(200):
                        c.send(LINE * 3000)
                        time.sleep(0.01)
            except (OSError, AssertionError):
                pass

        threads = [threading.Thread(target=f) for f in (small, big, big, big)]
        for t in threads:
            t.start()
        code = d.wait()
        for t in threads:
            t.join()
        self.assertEqual(code, 71)
        self.assertIn("fatal: out of memory", d.lines)
        self.assertEqual(sorted(set(confirmed) - set(self.marks(d))), [])
        self.assertGreater(len(confirmed), 1)
        d.kill()
        d.start()
        self.send(d, "after", 10_000, 250)
        self.assert_quiet(d)


if __name__ == "__main__":
    unittest.main()
