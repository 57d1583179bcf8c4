# SPDX-License-Identifier: ISC
"""A suite under mixed load to which bad things happen, and its ledger.

What was answered with 250 is noted for each recipient. Meanwhile programs are
killed, the suite is reloaded, stopped and started, messages are held, released
and requeued, and the hosts mail is relayed to change their minds. In the end
all is made well again, the queue must run empty, and each entry of the ledger
must be where it belongs, or its sender must have a report about it.

By hand, for as long as one likes:
	chaos.py [SECONDS [SEED [ACTION...]]]
"""
import os
import random
import re
import signal
import smtplib
import subprocess
import sys
import threading
import time

import posthaste
from peers import FakeServer
from posthaste import wait_for

SENDER = "alice@example.test"
MAIN = """\
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_maps = inline:{{
 {{relay.test = smtp:[127.0.0.1]:{port}}}
 {{defer.test = smtp:[127.0.0.1]:{port}}}
 {{reject.test = smtp:[127.0.0.1]:{port}}} }}
"""
VIRTUAL = """\
postmaster alice@example.test
list@example.test bob@example.test, carol@example.test
mixed@example.test bob@example.test, x@relay.test
"""
# recipient of the envelope: where a copy must be found
DESTINATIONS = {
    "bob@example.test": ("bob",),
    "list@example.test": ("bob", "carol"),
    "mixed@example.test": ("bob", "sink"),
    "x@relay.test": ("sink",),
    "y@defer.test": ("sink",),
    "never@reject.test": ("report",),
}
HARMLESS = ("reload", "flush", "mood", "restart", "hold", "requeue")
HARMFUL = ("kill", "kill", "kill", "kill", "kill", "kill_master")


def stat(pid):
    """Fields of /proc/PID/stat from the state on; pids are used again."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def born(pid):
    fields = stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f, \
             open(f"/proc/{pid}/wchan") as wchan:
            return pid, f.read()[:60], wchan.read(), stat(pid)[:2]
    except OSError:
        return pid


class Chaos:
    def __init__(self, seed, actions):
        self.noise = random.Random(seed)
        self.actions = actions
        self.ledger = []  # (token, recipient)
        self.ids = {}  # token: queue id
        self.done = {}  # action: times
        self.slowest = (0, "")  # action
        self.stopping = threading.Event()
        self.deferring = True
        self.server = FakeServer(replies={"RCPT": self.judge, ".": self.end})
        self.suite = posthaste.Instance(
            main=MAIN.format(port=self.server.port))
        self.suite.write("virtual", VIRTUAL)

    # the host that mail is relayed to

    def judge(self, line):
        if "@reject.test" in line:
            return "550 5.1.1 nobody of that name"
        if self.deferring and "@defer.test" in line:
            return "450 4.2.0 later"
        if self.deferring and self.noise.random() < 0.1:
            return "451 4.3.0 not now"
        return "250 2.1.5 Ok"

    def end(self, _):
        if self.deferring and self.noise.random() < 0.05:
            return None  # hangs up
        return "250 2.0.0 Ok"

    # load

    def send_some(self, session, worker, number):
        names = list(DESTINATIONS)
        for i in range(5):
            token = f"token-{worker}-{number}-{i}-end"
            to = self.noise.sample(names, self.noise.choice((1, 1, 1, 2, 3)))
            if "mixed@example.test" in to:
                to = ["mixed@example.test"]  # keep copies countable
            filler = "x" * 70 + "\r\n"
            body = filler * self.noise.choice((1, 20, 20, 2000))
            self.ids[token] = self.suite.send_on(
                session, SENDER, to, f"Subject: {token}\r\n\r\n{body}")
            self.ledger += [(token, r) for r in to]

    def load(self, worker):
        number = 0
        while not self.stopping.wait(0.02):
            number += 1
            try:
                with self.suite.smtp(timeout=20) as session:
                    self.send_some(session, worker, number)
            except (smtplib.SMTPException, OSError, AssertionError):
                self.stopping.wait(0.05)

    def inject(self):
        """sendmail works whether the suite runs or not."""
        number = 0
        while not self.stopping.wait(0.1):
            number += 1
            token = f"token-local-{number}-end"
            to = self.noise.choice(("bob@example.test", "x@relay.test"))
            done = self.suite.command(
                "sendmail", "-i", "-f", SENDER, to, check=False,
                stdin=f"Subject: {token}\n\nhello\n")
            if done.returncode == 0:
                self.ledger.append((token, to))

    # actions

    def kill(self):
        programs = [p for p in self.suite.processes()
                    if p not in self.suite.processes("master")]
        if programs:
            try:
                os.kill(self.noise.choice(programs), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def kill_master(self):
        everybody = {p: born(p) for p in self.suite.processes()}
        for pid in self.suite.processes("master"):
            os.kill(pid, signal.SIGKILL)

        def left():
            return [command(p) for p, b in everybody.items()
                    if b and born(p) == b]

        try:
            wait_for("the end of all programs", lambda: not left())
        except AssertionError as e:
            raise AssertionError(f"{e}: {left()}") from None
        self.suite.start()

    def reload(self):
        self.suite.posthaste("reload", check=False)

    def restart(self):
        self.suite.posthaste("stop")
        self.suite.start()

    def flush(self):
        self.suite.command("postqueue", "-f", check=False)

    def hold(self):
        self.suite.command("postsuper", "-h", "ALL", check=False)
        self.stopping.wait(0.2)
        self.suite.command("postsuper", "-H", "ALL", check=False)

    def requeue(self):
        self.suite.command("postsuper", "-r", "ALL", check=False)

    def mood(self):
        self.deferring = not self.deferring

    def act(self):
        name = self.noise.choice(self.actions)
        self.done[name] = self.done.get(name, 0) + 1
        before = time.monotonic()
        getattr(self, name)()
        took = time.monotonic() - before
        if took > self.slowest[0]:
            self.slowest = (round(took, 1), name)

    # the run

    def run(self, seconds):
        threads = [threading.Thread(target=self.load, args=(i,), daemon=True)
                   for i in range(3)]
        threads.append(threading.Thread(target=self.inject, daemon=True))
        self.suite.start()
        for t in threads:
            t.start()
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                time.sleep(self.noise.uniform(0.1, 0.8))
                self.act()
        finally:
            self.stopping.set()
            for t in threads:
                t.join()

    def make_well(self, deadline):
        self.deferring = False
        self.suite.command("postsuper", "-H", "ALL", check=False)

        def empty():
            self.flush()
            time.sleep(0.3)
            return not self.suite.queue("incoming", "deferred", "report",
                                        "maildrop", "hold")

        try:
            wait_for("the queue to run empty", empty, deadline)
        except AssertionError:
            left = self.suite.queue("incoming", "deferred", "report",
                                    "maildrop", "hold")
            log = [line for line in self.suite.log().splitlines()
                   if any(i in line for i in left[:3])]
            raise AssertionError(f"still in the queue: {left}\n"
                                 + "\n".join(log[-60:])) from None

    def copies(self):
        """How often each token is found in each place."""
        texts = {u: self.suite.messages(u) for u in ("alice", "bob", "carol")}
        found = {}
        for user, messages in texts.items():
            for text in messages:
                head = text.split(b"\r\n\r\n", 1)[0]
                report = b"multipart/report" in head
                for token in set(re.findall(rb"token-[\w-]+-end",
                                            text if report else head)):
                    place = "report" if report else user
                    key = (token.decode(), place)
                    found[key] = found.get(key, 0) + 1
        for _, _, content in self.server.messages:
            token = re.search(rb"token-[\w-]+-end", content)
            if token:
                key = (token.group().decode(), "sink")
                found[key] = found.get(key, 0) + 1
        return found

    def balance(self):
        """What is lost, and how many copies there are too many."""
        found, wanted = self.copies(), {}
        for token, recipient in self.ledger:
            for place in DESTINATIONS[recipient]:
                wanted[token, place] = wanted.get((token, place), 0) + 1
        lost = [k for k, n in wanted.items()
                if found.get(k, 0) < (n if k[1] != "sink" else 1)]
        more = {k: (found[k], n) for k, n in wanted.items()
                if found.get(k, 0) > n}
        return lost, more

    def check(self):
        corrupt = self.suite.queue("corrupt")
        assert not corrupt, corrupt
        assert self.ledger
        lost, more = self.balance()
        if lost:
            raise AssertionError(
                f"{len(lost)} of {len(self.ledger)} lost: {lost[:5]}\n"
                + self.story(lost[0][0]))
        return more

    def story(self, token):
        """What the log says about the message with this token."""
        if token not in self.ids:
            return "came in through sendmail"
        done = self.suite.command("posttrace", self.ids[token], check=False)
        return self.ids[token] + "\n" + done.out + done.err

    def ended_by_force(self):
        """Did master have to kill what did not end in time?"""
        return re.search(r"does not end|killed by signal", self.suite.log())

    def close(self, failed):
        self.server.stop()
        self.suite.close(failed)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120
    seed = sys.argv[2] if len(sys.argv) > 2 else str(time.time())
    chaos = Chaos(seed, sys.argv[3:] or HARMLESS + HARMFUL)
    print(f"seed {seed}, in {chaos.suite.root}", flush=True)
    failed = True
    try:
        chaos.run(seconds)
        chaos.make_well(120)
        more = chaos.check()
        print(f"{len(chaos.ledger)} recipients, {chaos.done}, slowest "
              f"{chaos.slowest}; "
              f"{len(more)} with more copies than needed: "
              f"{list(more.items())[:8]}")
        failed = False
    finally:
        if failed:
            keep = f"/tmp/chaos-{os.getpid()}.log"
            subprocess.run(["cp", chaos.suite.root / "log/mail.log", keep],
                           check=False)
            print(f"the log is kept in {keep}")
        chaos.close(failed)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))
    main()
