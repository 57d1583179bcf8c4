# SPDX-License-Identifier: ISC
"""Whatever happens to an account, in whatever order and by whomever: a client
that resynchronises by QRESYNC, one that stays and listens, and one that reads
everything anew see the same mail, and it is what lies on disk. No UID ever
means another message.

By hand, for long: python3 test_two_clients_converge.py SECONDS [SEED]
"""
import os
import pathlib
import random
import re
import sys
import time

import pytest

if __name__ == "__main__":
    HERE = pathlib.Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(HERE), str(HERE / "imapd")]

import dovecot_peer  # noqa: E402
from imap_client import Imap  # noqa: E402
from long_runs import (MAIN, by_hand, children,  # noqa: E402
                       kill_children, write_nonsense)
from mail_caches import Live, Resync, read_whole, set_text  # noqa: E402
from posthaste import free_port, wait_for  # noqa: E402

FLAGS = {"S": "\\seen", "F": "\\flagged", "R": "\\answered", "D": "\\draft",
         "T": "\\deleted"}
KEYWORDS = ("$Forwarded", "$Junk", "work", "Later", "NonJunk")


class World:
    """An account, those who change it, and those who look on."""

    def __init__(self, s, seed, connect=None):
        self.s = s
        self.connect = connect or s.imap
        self.random = random.Random(seed)
        self.home = s.maildir("bob")
        self.folders = ["INBOX"]
        self.made = 0
        self.named = 0
        self.validity = {}  # folder: its UIDVALIDITY
        self.meaning = {}  # (uidvalidity, uid, folder): message's id
        self.places = {}  # folder: {message's id: its UIDs}
        self.a = Resync()
        self.writers = {}
        self.live = []
        self.done = []  # what was done, for the one who reads the failure
        self.round = []  # and since the last check
        self.damaged = 0  # how often damage may still show
        self.writer(0).ok("NOOP")
        self.live_clients()

    # connections

    def writer(self, n):
        if n not in self.writers:
            self.writers[n] = self.connect()
        return self.writers[n]

    def write(self, *commands):
        """Commands of one of two writers, in a session that may be old."""
        c = self.writer(self.random.randrange(2))
        return [c.command(x) if isinstance(x, str) else c.command(*x)
                for x in commands]

    def live_clients(self):
        for client in self.live:
            client.c.close()
        self.live = [
            Live(self.connect(), self.random.choice(self.folders), qresync)
            for qresync in (False, True)]

    def drop_connections(self):
        for c in self.writers.values():
            c.close()
        self.writers = {}

    # disk

    def path(self, folder):
        if folder == "INBOX":
            return self.home
        return self.home / ("." + folder.replace("/", "."))

    def files(self, folder):
        """Paths of the folder's messages."""
        found = []
        for part in ("new", "cur"):
            try:
                found += [p for p in (self.path(folder) / part).iterdir()
                          if not p.name.startswith(".")]
            except FileNotFoundError:
                pass
        return sorted(found)

    def on_disk(self, folder):
        """{message's id: flags}, as files and their names say."""
        found = {}
        for p in self.files(folder):
            flags = p.name.partition(":2,")[2]
            ident = re.search(rb"X-Id: (\S+)", p.read_bytes())[1].decode()
            found.setdefault(ident, []).append(frozenset(
                FLAGS[f] for f in flags if f in FLAGS))
        return {k: sorted(v, key=sorted) for k, v in found.items()}

    # what happens

    def message(self):
        self.made += 1
        return (f"From: a@example.test\r\nSubject: {self.made}\r\n"
                f"X-Id: m{self.made}\r\n\r\nText\r\n").encode()

    def folder(self):
        return self.random.choice(self.folders)

    def some(self, folder):
        """A set of its UIDs, as a client may name them; it need not exist."""
        have = self.a.folders.get(folder, (0, 0, 1, {}))[3]
        uids = sorted(have) or [1]
        kind = self.random.randrange(5)
        if kind == 0:
            return "*"
        if kind == 1:
            return f"{self.random.choice(uids)}:*"
        return set_text(self.random.sample(
            uids, self.random.randint(1, len(uids))))

    def flag_list(self):
        names = [f for f in ("\\Seen", "\\Flagged", "\\Answered", "\\Draft")
                 + KEYWORDS if self.random.random() < 0.2]
        return f"({' '.join(names)})"

    def append(self):
        self.write((f"APPEND {self.folder()} {self.flag_list()} {{}}",
                    self.message()))

    def append_many(self):
        n = self.random.randint(2, 4)
        self.write((f"APPEND {self.folder()}"
                    + f" {self.flag_list()} {{}}" * n,
                    *(self.message() for _ in range(n))))

    def deliver(self):
        """As procmail would."""
        folder = self.path(self.folder())
        name = (f"{int(time.time())}.M{self.random.randrange(10**6)}"
                f"P{self.made}Q.host")
        if not (folder / "tmp").is_dir():
            return
        data = self.message().replace(b"\r\n", b"\n")
        (folder / "tmp" / name).write_bytes(data)
        os.chown(folder / "tmp" / name, self.s.uid, self.s.gid)
        os.rename(folder / "tmp" / name, folder / "new" / name)

    def store(self):
        folder = self.folder()
        sign = self.random.choice(("", "+", "-"))
        silent = self.random.choice(("", ".SILENT"))
        self.write(f"SELECT {folder}", f"UID STORE {self.some(folder)} "
                   f"{sign}FLAGS{silent} {self.flag_list()}")

    def expunge(self):
        folder = self.folder()
        some = self.some(folder)
        how = self.random.choice(("EXPUNGE", f"UID EXPUNGE {some}", "CLOSE"))
        self.write(f"SELECT {folder}",
                   f"UID STORE {some} +FLAGS.SILENT (\\Deleted)", how)

    def remove_highest(self):
        self.write(f"SELECT {self.folder()}",
                   "UID STORE * +FLAGS (\\Deleted)", "EXPUNGE")

    def move(self):
        folder = self.folder()
        self.write(f"SELECT {folder}",
                   f"UID MOVE {self.some(folder)} {self.folder()}")

    def copy(self):
        folder = self.folder()
        if sum(len(self.files(f)) for f in self.folders) < 300:
            self.write(f"SELECT {folder}",
                       f"UID COPY {self.some(folder)} {self.folder()}")

    def create(self):
        if len(self.folders) >= 6:
            return
        self.named += 1
        name = f"f{self.named}"
        if self.random.random() < 0.4:
            parent = self.folder()
            if parent != "INBOX":
                name = f"{parent}/{name}"
        ((word, text, _),) = self.write(f"CREATE {name}")
        assert word == "OK", (name, text)
        self.folders.append(name)

    def delete(self):
        """One without children; its name may come again."""
        leaves = self.leaves()
        if not leaves:
            return
        name = self.random.choice(leaves)
        ((word, text, _),) = self.write("UNSELECT", f"DELETE {name}")[1:]
        assert word == "OK", (name, text)
        self.folders.remove(name)
        # those who had it selected are told BYE
        self.drop_connections()
        for client in [x for x in self.live if x.folder == name]:
            client.c.close()
            self.live.remove(client)
        self.validity.pop(name, None)
        self.places.pop(name, None)
        if self.random.random() < 0.5:
            self.write(f"CREATE {name}")
            self.folders.append(name)
        else:
            self.a.forget(name)

    def rename(self):
        if len(self.folders) < 2:
            return
        old = self.random.choice(self.folders[1:])
        self.named += 1
        new = f"r{self.named}"
        ((word, text, _),) = self.write(f"RENAME {old} {new}")
        assert word == "OK", (old, new, text)
        for f in list(self.folders):
            if f == old or f.startswith(old + "/"):
                self.folders[self.folders.index(f)] = new + f[len(old):]
                self.a.renamed(f, new + f[len(old):])
                for known in (self.validity, self.places):
                    if f in known:
                        known[new + f[len(old):]] = known.pop(f)
                for client in self.live:
                    if client.folder == f:
                        client.folder = new + f[len(old):]

    def pop3(self):
        p = self.s.pop3()
        count = p.stat()[0]
        for n in range(1, count + 1):
            if self.random.random() < 0.2:
                p.dele(n)
        p.quit()

    def rename_outside(self):
        """As mutt marks messages."""
        for p in self.files(self.folder()):
            if self.random.random() < 0.3:
                base = p.name.partition(":2,")[0]
                old = p.name.partition(":2,")[2]
                kept = set(old) - set(FLAGS)
                flags = "".join(sorted(kept | {
                    f for f in FLAGS if f != "T" and
                    self.random.random() < 0.3}))
                try:
                    p.rename(p.parent.parent / "cur" / f"{base}:2,{flags}")
                except FileNotFoundError:
                    pass

    def mark_outside(self):
        """A whole folder, as mutt when it is left."""
        flags = "".join(sorted(self.random.sample("FRS", 2)))
        for p in self.files(self.folder()):
            base = p.name.partition(":2,")[0]
            try:
                p.rename(p.parent.parent / "cur" / f"{base}:2,{flags}")
            except FileNotFoundError:
                pass

    def put_outside(self):
        """Straight into cur, read: a filter that files what it knows."""
        folder = self.path(self.folder())
        if not (folder / "cur").is_dir():
            return
        for _ in range(self.random.randint(1, 3)):
            name = (f"{int(time.time())}.M{self.random.randrange(10**6)}"
                    f"P{self.made}R.host:2,S")
            data = self.message().replace(b"\r\n", b"\n")
            (folder / "tmp" / name).write_bytes(data)
            os.chown(folder / "tmp" / name, self.s.uid, self.s.gid)
            os.rename(folder / "tmp" / name, folder / "cur" / name)

    def leaves(self):
        return [f for f in self.folders if f != "INBOX" and not any(
            g.startswith(f + "/") for g in self.folders)]

    def moved(self, old, new):
        """What is known of a folder goes with it."""
        self.folders[self.folders.index(old)] = new
        self.a.renamed(old, new)
        for known in (self.validity, self.places):
            if old in known:
                known[new] = known.pop(old)
        # a message's UIDs are the folder's, whatever it is called
        for key in [k for k in self.meaning if k[2] == old]:
            self.meaning[(key[0], key[1], new)] = self.meaning.pop(key)
        for client in self.live:
            if client.folder == old:
                client.folder = new

    def rename_and_create_outside(self):
        """By another process: its name is another folder's at once."""
        leaves = self.leaves()
        if not leaves:
            return
        old = self.random.choice(leaves)
        self.named += 1
        new = f"o{self.named}"
        self.path(old).rename(self.path(new))
        self.moved(old, new)
        if self.random.random() < 0.5 and len(self.folders) < 7:
            for part in ("", "cur", "new", "tmp"):
                (self.path(old) / part).mkdir()
                os.chown(self.path(old) / part, self.s.uid, self.s.gid)
            self.folders.append(old)

    def exchange_outside(self):
        """Two names, each the other's from now on."""
        leaves = self.leaves()
        if len(leaves) < 2:
            return
        one, two = self.random.sample(leaves, 2)
        self.path(one).rename(self.path("between"))
        self.path(two).rename(self.path(one))
        self.path("between").rename(self.path(two))
        self.moved(one, "between")
        self.moved(two, one)
        self.moved("between", two)

    def unlink_outside(self):
        for p in self.files(self.folder()):
            if self.random.random() < 0.15:
                p.unlink(missing_ok=True)

    def unlink_last(self):
        files = self.files(self.folder())
        if files:
            max(files, key=lambda p: p.stat().st_ctime_ns).unlink(
                missing_ok=True)

    def new_session(self):
        self.drop_connections()
        if self.random.random() < 0.3:
            self.live_clients()

    def kill(self):
        kill_children(self.s)
        self.drop_connections()
        self.live_clients()

    def index_files(self):
        return list(self.home.glob("posthaste.index*"))

    def index_lost(self):
        for p in self.index_files():
            p.unlink()
        self.damaged = 0
        self.kill()

    def index_damaged(self):
        """What reads a bad page may fail, once; then all is made anew."""
        self.kill_all_quietly()
        self.damaged = 4
        for p in self.home.glob("posthaste.index"):
            if self.random.random() < 0.3:
                os.truncate(p, self.random.randrange(p.stat().st_size + 1))
            else:
                write_nonsense(p, self.random, 40)
        self.drop_connections()
        self.attempt(self.live_clients)

    def attempt(self, action):
        """After damage a session may end; with the next one all is well."""
        try:
            action()
        except (EOFError, ConnectionError, AssertionError) as e:
            if not self.damaged or (isinstance(e, AssertionError) and
                    not re.search("UNAVAILABLE|SERVERBUG", str(e))):
                raise
            self.damaged -= 1
            self.done.append(f"({action.__name__} met damage)")
            self.drop_connections()
            for client in self.live:
                client.c.close()
            self.live = []
            wait_for("sessions to end", lambda: not children(self.s))
            self.attempt(self.live_clients)
            self.attempt(action)

    def kill_all_quietly(self):
        for client in self.live:
            client.c.close()
        self.live = []
        kill_children(self.s)

    OPERATIONS = (
        ("append", 8), ("append_many", 2), ("deliver", 8), ("store", 10),
        ("expunge", 5), ("remove_highest", 3), ("move", 6), ("copy", 4),
        ("create", 3), ("delete", 1), ("rename", 2), ("pop3", 1),
        ("rename_outside", 5), ("unlink_outside", 2), ("unlink_last", 2),
        ("mark_outside", 2), ("put_outside", 4),
        ("rename_and_create_outside", 2), ("exchange_outside", 1),
        ("new_session", 3), ("kill", 1), ("index_lost", 1),
        ("index_damaged", 1))

    # a round

    def step(self):
        names, weights = zip(*self.OPERATIONS)
        (name,) = self.random.choices(names, weights)
        self.done.append(name)
        self.round.append(name)
        getattr(self, name)()
        # who listens may hear at any time
        if self.live and self.random.random() < 0.3:
            self.random.choice(self.live).update()

    def check(self):
        b = self.connect()
        c = self.connect()
        c.ok("ENABLE QRESYNC")
        for folder in self.folders:
            self.check_folder(b, c, folder)
        b.close()
        c.close()
        self.round = []

    def check_folder(self, b, c, folder):
        resynced = self.a.sync(c, folder, self.random.random() < 0.5)
        whole, state = read_whole(b, folder)
        flags = {uid: row[0] for uid, row in whole.items()}
        assert resynced == flags, (
            f"QRESYNC of {folder} has {differences(resynced, flags)}")
        for client in self.live:
            if client.folder == folder:
                known = client.update()
                assert known == flags, (
                    f"who listens to {folder} (qresync={client.qresync}) has "
                    f"{differences(known, flags)}")
        self.check_meaning(folder, whole, state)
        self.check_disk(folder, whole)

    def check_meaning(self, folder, whole, state):
        validity, uidnext = state
        assert self.validity.setdefault(folder, validity) == validity, (
            f"UIDVALIDITY of {folder} changed")
        assert uidnext > max(whole, default=0), (folder, state, sorted(whole))
        for uid, (_, ident) in whole.items():
            before = self.meaning.setdefault((validity, uid, folder), ident)
            assert before == ident, (
                f"UID {uid} of {folder} was {before} and is {ident}")
        places = {}
        for uid, (_, ident) in whole.items():
            places.setdefault(ident, set()).add(uid)
        if not {"move", "copy"} & set(self.round):
            for ident, uids in self.places.get(folder, {}).items():
                assert places.get(ident, set()) <= uids, (
                    f"{ident} of {folder} had UIDs {uids}, "
                    f"and has {places[ident]}")
        self.places[folder] = places

    def check_disk(self, folder, whole):
        disk = self.on_disk(folder)
        system = set(FLAGS.values())
        seen = {}
        for flags, ident in whole.values():
            seen.setdefault(ident, []).append(flags & system)
        seen = {k: sorted(v, key=sorted) for k, v in seen.items()}
        assert seen == disk, f"{folder}: {differences(seen, disk)}"

    def close(self):
        self.drop_connections()
        for client in self.live:
            client.c.close()


def differences(got, want):
    rows = [f"{k}: {got.get(k)} instead of {want.get(k)}"
            for k in sorted(set(got) | set(want), key=str)
            if got.get(k) != want.get(k)]
    return "; ".join(rows[:8])


def run(s, seed, seconds=None, rounds=None, connect=None):
    """Rounds of operations until time is up; what was done is printed."""
    print(f"seed {seed}", flush=True)
    world = World(s, seed, connect)
    end = time.monotonic() + (seconds or 3600)
    n = 0
    try:
        while time.monotonic() < end and (rounds is None or n < rounds):
            for _ in range(world.random.randint(1, 6)):
                world.attempt(world.step)
            world.attempt(world.check)
            n += 1
    except BaseException:
        print(f"seed {seed}, round {n}: ... {world.done[-40:]}", flush=True)
        raise
    finally:
        world.close()
    return n


@pytest.mark.parametrize("seed", range(1, 5))
def test_short_histories(suite, seed):
    run(suite(main=MAIN), seed, rounds=15)


def test_a_new_history_each_time(suite):
    run(suite(main=MAIN), time.time_ns() % 10**9, rounds=15)


def test_through_tls(suite):
    """The login stage passes on all that is said, in both directions."""
    s = suite(main=MAIN)
    run(s, time.time_ns() % 10**9, rounds=10,
        connect=lambda: s.imap(tls="implicit"))


@pytest.mark.parametrize("seed", range(11, 13))
def test_through_a_proxy(suite, tmp_path, seed):
    """Dovecot as a proxy before it: R43."""
    if reason := dovecot_peer.why_not():
        pytest.skip(reason)
    s = suite(main=MAIN)
    proxy = dovecot_peer.Proxy(tmp_path, free_port(), s.ports["imap"])

    def connect():
        return Imap("127.0.0.1", proxy.port).login("bob")

    def ready():
        try:
            return connect()
        except OSError:
            return None

    try:
        wait_for("the proxy", ready).close()
        run(s, seed, rounds=15, connect=connect)
    except BaseException:
        print(proxy.log.read_text())
        raise
    finally:
        proxy.close()


if __name__ == "__main__":
    by_hand(run, int(sys.argv[1]),
            int(sys.argv[2]) if len(sys.argv) > 2 else 1)
