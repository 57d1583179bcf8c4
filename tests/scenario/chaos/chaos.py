# SPDX-License-Identifier: ISC
"""A suite under mixed load to which bad things happen, and its ledgers.

	chaos_site	the instance, its recipients, the disk it has to itself
	chaos_hosts	mail, name and table servers that change their minds
	chaos_loads	mail in, by every way
	chaos_boxes	IMAP and POP3 sessions
	chaos_texts	messages that tell whether they are whole
	chaos_ledger	what was answered with 250, and where it is
	chaos_causes	what it may be there once more for
	chaos_actions	what happens
	chaos_health	healing, and what must be so then

By hand, for as long as one likes, in rounds of a minute:
	chaos.py [SECONDS [SEED [ACTION or GROUP...]]]
The seed decides which actions come in which order, and what each load sends;
when they meet is the machine's affair.
"""
import collections
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

if __name__ == "__main__":
    HERE = pathlib.Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(HERE)] + [str(p) for p in HERE.iterdir() if p.is_dir()]

import chaos_actions  # noqa: E402
import chaos_boxes  # noqa: E402
import chaos_health  # noqa: E402
import chaos_loads  # noqa: E402
from chaos_actions import (  # noqa: E402
    ACTIONS, EXCLUDES, GROUPS, ON_DISK)
from chaos_ledger import Ledger  # noqa: E402
from chaos_site import Site  # noqa: E402
from posthaste import wait_for  # noqa: E402

ROUND = 60  # seconds
LONG = 600  # in which each action is done, and each program killed
HARMFUL = {"kill", "kill_master"}


def named(words):
    """Actions, and those of groups, in a row that the seed chooses from."""
    return [name for word in words for name in GROUPS.get(word, (word,))]


class Chaos:
    def __init__(self, seed, words):
        self.seed, self.actions = seed, named(words)
        self.site = Site(random.Random(f"{seed} hosts"),
                         bool(ON_DISK & set(self.actions)))
        if not self.site.disk:  # nobody but root has one
            self.actions = [a for a in self.actions if a not in ON_DISK]
        self.noise = random.Random(seed)
        self.due = list(dict.fromkeys(self.actions))  # each once, at first
        self.noise.shuffle(self.due)
        self.done = collections.Counter()
        self.vain = collections.Counter()
        self.refusals = collections.Counter()  # (code, status code)
        self.felt = set()  # actions of which the suite was seen to suffer
        self.held_up = collections.Counter()  # programs, by a disk
        self.killed = collections.Counter()
        self.ends = []  # Cause: what died by us
        self.slowest = (0, "")
        self.repeated = {}  # (token, place): copies beyond those wanted
        self.complaints, self.grown, self.rested = [], {}, {}
        self.paused, self.pairs = [], []
        self.pausing = threading.Lock()
        self.renewed = 0  # when certificates last changed
        self.patient = False  # waits for what is swept after minutes
        self.under_way = {}  # action: when it is to be undone
        self.stopping = threading.Event()
        self.ledger = Ledger()
        self.suite = self.site.suite
        self.meanings = {u: chaos_boxes.Meaning() for u in ("dave", "mia")}
        self.loads = self.make_loads()

    def make_loads(self):
        self.changes = {
            "dave": [chaos_boxes.Changes(self, "dave", n) for n in range(2)],
            "mia": [chaos_boxes.Changes(self, "mia", 0)]}
        self.pop3 = (chaos_boxes.Pop3(self, "erin"),
                     chaos_boxes.Pop3Mbox(self, "paul"))
        return [chaos_loads.Smtp(self, "a"), chaos_loads.Smtp(self, "b"),
                chaos_loads.Pipelined(self, "bdat"),
                chaos_loads.Sendmail(self, "sendmail"), *self.pop3,
                *(load for some in self.changes.values() for load in some),
                *(kind(self, user, 0) for user in self.meanings
                  for kind in (chaos_boxes.Reads, chaos_boxes.Waits))]

    # what others tell

    def complain(self, who, text):
        name = getattr(who, "name", who)
        self.complaints.append(
            f"{time.strftime('%T')} {name}: {text}"[:600])

    def harmed(self):
        """May something have been cut short?"""
        return bool(HARMFUL & set(self.done)) or self.ended_by_force()

    def only_if_calm(self, good, text):
        if not good and not self.harmed():
            self.complain("action", text)

    def ended_by_force(self):
        """Did master have to kill what did not end in time?"""
        log = self.suite.log()
        return "does not end" in log or "killed by signal" in log

    # what happens

    def undo(self, names=None):
        for name in list(self.under_way):
            if names is None or name in names:
                del self.under_way[name]
                ACTIONS[name].undo(self)

    def act(self):
        name = (self.due.pop() if self.due else
                self.noise.choice(self.actions))
        action, now = ACTIONS[name], time.monotonic()
        self.undo([n for n, end in self.under_way.items() if end <= now])
        self.undo(EXCLUDES.get(name, ()))
        self.undo([name])
        if action.act(self) is False:
            self.vain[name] += 1  # there was nothing to do it to
        else:
            self.done[name] += 1
        if action.undo:
            self.under_way[name] = time.monotonic() + self.noise.uniform(
                0.1, action.longest)
        self.slowest = max(self.slowest,
                           (round(time.monotonic() - now, 1), name))

    def start(self):
        if not self.suite.started:
            self.suite.start()
            for user in self.changes:
                chaos_boxes.make_folders(self.suite, user)
        wait_for("the first session", self.sessions_begin)
        self.stopping.clear()
        self.threads = [threading.Thread(target=load.run, daemon=True)
                        for load in self.loads]
        for thread, load in zip(self.threads, self.loads):
            load.before = load.sessions
            thread.start()

    def sessions_begin(self):
        with self.suite.smtp() as session:
            return session.noop()[0] == 250

    def round(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(self.noise.uniform(0.1, 0.6))
            self.act()

    def rest(self):
        """Stops the loads; all is undone first, so that they can end, and
        each can do its work at the latest now."""
        self.undo()
        chaos_actions.all_well(self)
        try:
            wait_for("a session of each load", lambda: not self.idle(),
                     chaos_loads.PATIENCE)
        except AssertionError as e:
            raise AssertionError(f"{e}: none of {self.idle()}") from None
        self.stopping.set()
        for thread, load in zip(self.threads, self.loads):
            thread.join(3 * chaos_loads.PATIENCE)
            assert not thread.is_alive(), f"{load.name} does not end"

    def idle(self):
        return [x.name for x in self.loads if x.sessions == x.before]

    def check(self):
        """Heals, and judges; of what there are more copies, for a reason."""
        chaos_health.make_well(self)
        for load in self.pop3:
            load.settle()
        for user, loads in self.changes.items():
            chaos_boxes.check_account(self.suite, user, loads,
                                      self.meanings[user])
        more = self.ledger.check(self.site, self.ends)
        chaos_health.check_files(self)
        chaos_health.check_processes(self)
        chaos_health.check_certificate(self)
        chaos_health.check_log(self)
        assert not self.complaints, "\n".join(self.complaints[:20])
        assert self.ledger.total, "no mail was taken"
        return more

    def forget(self):
        """Makes room for another round: takes out of mailboxes, by IMAP
        where others may be connected, what the ledger has accounted for."""
        for user, loads in self.changes.items():
            chaos_boxes.clear(self.suite, user, loads)
        self.ledger.forget(self.site)

    def run(self, seconds):
        """All of it, in rounds."""
        end = time.monotonic() + seconds
        self.patient = seconds > ROUND
        while (left := end - time.monotonic()) > 0:
            self.start()
            self.round(min(left, ROUND))
            self.rest()
            self.repeated |= self.check()
            if left > ROUND:
                print(f"{time.strftime('%T')} {self.report()}", flush=True)
                self.forget()
        chaos_health.check_traces(self, seconds >= LONG)
        if seconds >= LONG and "kill" in self.actions:
            chaos_health.check_killed(self)
        self.stop()

    def never_done(self):
        return [x for x in dict.fromkeys(self.actions) if not self.done[x]]

    def report(self):
        loads = {x.name: (x.sessions, x.broken) for x in self.loads}
        return (f"{self.ledger.total} recipients; {dict(self.done)}; in vain "
                f"{dict(self.vain)}; never done {self.never_done()}; refusals "
                f"{dict(self.refusals)}; held up by a disk "
                f"{dict(self.held_up)}; moods met {self.moods()}; "
                f"killed {dict(self.killed)}; came more than once, with a reason "
                f"{len(self.repeated)}, most of them {self.most_often()}; "
                f"slowest {self.slowest}; sessions that ended well and not: "
                f"{loads}; most grown {self.grown}")

    def moods(self):
        """{where: {mood: how often it was met}}"""
        return {name: dict(moody.met)
                for name, moody in self.site.moody().items()}

    def most_often(self):
        """What came more often than all else, and how much too often."""
        return max(((n, *key) for key, n in self.repeated.items()), default=())

    def stop(self):
        """Nothing of the instance is left running."""
        self.suite.stop()
        wait_for("the end of all that belonged to it",
                 lambda: not chaos_health.strangers(self.suite), 20)

    def close(self, failed):
        self.stopping.set()
        self.undo()
        self.site.close(failed)


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120
    seed = sys.argv[2] if len(sys.argv) > 2 else str(time.time())
    chaos = Chaos(seed, sys.argv[3:] or ["everything"])
    print(f"seed {seed}, in {chaos.suite.root}", flush=True)
    failed = True
    try:
        chaos.run(seconds)
        failed = False
    finally:
        print(chaos.report())
        if failed:
            print(*chaos.complaints[:20], sep="\n")
            keep = f"/tmp/chaos-{os.getpid()}.log"
            subprocess.run(["cp", chaos.suite.root / "log/mail.log", keep],
                           check=False)
            print(f"the log is kept in {keep}", flush=True)
        chaos.close(failed)


if __name__ == "__main__":
    main()
