# SPDX-License-Identifier: ISC
"""What IMAP costs: one instance of each server, the same messages (links to the
same files), the same client.

"cold" is without an index, the files in memory; Cyrus has no such state, for
its index is made when it is given messages: its cold is a first look.

What a command on many messages costs in system calls, switches and flushes is
counted over several in one session ("warm"), whose log-in and SELECT are in it,
divided among them. Its processor time is the command's alone.
"""
import contextlib
import os
import pathlib
import statistics
import time

from frame import mail, measure, smtp
from frame.group import Case

NAME = "imap"
HELP = "IMAP: log in, append, select, fetch, search, store, move, idle"
NEEDS = frozenset({"imap"})
SITE = {"users": 40}

ENVELOPES = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"
BODIES = "UID FETCH 1:* (BODY.PEEK[])"
NOWHERE = "nowhere to be found"
HEADER = f'SEARCH HEADER Subject "{NOWHERE}"'
TEXT = f'SEARCH TEXT "{NOWHERE}"'


def words(peer, mode, sessions, count, *commands, first=0):
    return ["-w", peer.site.password, "-u", first, peer.port("imap"), mode,
            f"user%d@{peer.site.domain}", sessions, count, *commands]


def usage_file(group):
    """Where the client can read what the server's processes have used."""
    old = group.path / "cpuacct.usage"
    return str(old if old.exists() else group.path / "cpu.stat")


def client(peer, *arguments, seconds=0, **options):
    return measure.load("imap_load", "-d", seconds,
                        *words(peer, *arguments, **options),
                        env={**os.environ,
                             "USAGE_FILE": usage_file(peer.group)})


def times(peer, user, *commands):
    """Milliseconds of each command, in one session: those of the clock and of
    the server's processors."""
    said = client(peer, "time", 1, 1, *commands, first=user)
    return ([said[f"ms{n}"] for n in range(len(commands))],
            [said[f"cpu{n}"] for n in range(len(commands))])


def null(*arguments):
    """Our client against a server that does nothing."""
    server = measure.Server("null_server", "-m", 1000, "imap")
    try:
        return measure.load("imap_load", server.port, *arguments)
    finally:
        server.close()


def login(peer, case):
    client(peer, "login", case.sessions, case.sessions * 2)
    with measure.Over(peer) as over:
        said = client(peer, "login", case.sessions, case.count,
                      seconds=smtp.seconds(peer, case))
    return {"logins (1/s)": said["count"] / said["seconds"],
            **smtp.latency(said), **over.each(said["count"])}


def null_login(case):
    said = null("login", "user%d@x", case.sessions, 2000)
    return {"logins (1/s)": 2000 / said["seconds"], **smtp.latency(said)}


def append(peer, case):
    client(peer, "append", case.sessions, case.sessions * 5)
    with measure.Over(peer) as over:
        said = client(peer, "append", case.sessions, case.count,
                      seconds=smtp.seconds(peer, case))
    return {"messages (1/s)": said["count"] / said["seconds"],
            **smtp.latency(said), **over.each(said["count"])}


def null_append(case):
    said = null("append", "user%d@x", case.sessions, 5000)
    return {"messages (1/s)": 5000 / said["seconds"], **smtp.latency(said)}


def given(peer, user, count):
    template = mail.Template(peer.site, count)
    mail.give(peer, user, template)
    return template


def in_memory(path):
    """What was made a while ago may not be there any more."""
    for folder, _, files in os.walk(path):
        for name in files:
            pathlib.Path(folder, name).read_bytes()


def counts(peer, user, part, *commands):
    """In the round that counts: what one of these commands costs, which were
    given once before."""
    times(peer, user, "SELECT INBOX", *dict.fromkeys(commands))
    with measure.Over(peer) as over:
        times(peer, user, "SELECT INBOX", *commands)
    return over.each(len(commands), part)


def select(peer, case):
    given(peer, 20, case.count)
    (cold,), (cold_cpu,) = times(peer, 20, "SELECT INBOX")
    if peer.counted:
        return counts(peer, 20, "warm", *["SELECT INBOX"] * 10)
    time.sleep(0.5)
    warm = [times(peer, 20, "SELECT INBOX") for _ in range(5)]
    return {"cold (ms)": cold, "cold, cpu (ms)": cold_cpu,
            "warm (ms)": statistics.median(m[0] for m, _ in warm),
            "warm, max (ms)": max(m[0] for m, _ in warm),
            "warm, cpu (ms)": statistics.median(c[0] for _, c in warm)}


def again(peer, user, command, number):
    """Median and maximum of the clock, median of the processors, over new
    sessions."""
    rows = [times(peer, user, "SELECT INBOX", command) for _ in range(number)]
    took = [m[1] for m, _ in rows]
    return (statistics.median(took), max(took),
            statistics.median(c[1] for _, c in rows))


def fetch(peer, case):
    template = given(peer, 21, case.count)
    size = template.bytes / 1e6
    in_memory(template.maildir())
    (_, cold), (_, cold_cpu) = times(peer, 21, "SELECT INBOX", ENVELOPES)
    if peer.counted:
        return {**counts(peer, 21, "envelopes, warm", *[ENVELOPES] * 5),
                **counts(peer, 21, "bodies, warm", *[BODIES] * 3)}
    time.sleep(0.3)
    warm, worst, cpu = again(peer, 21, ENVELOPES, 5)
    (_, first), _ = times(peer, 21, "SELECT INBOX", BODIES)
    bodies, _, bodies_cpu = again(peer, 21, BODIES, 3)
    return {"envelopes, cold (ms)": cold, "envelopes, cold, cpu (ms)": cold_cpu,
            "envelopes, warm (ms)": warm, "envelopes, warm, max (ms)": worst,
            "envelopes, warm, cpu (ms)": cpu,
            "bodies, first (MB/s)": size * 1000 / first,
            "bodies, warm (MB/s)": size * 1000 / bodies,
            "bodies, warm, cpu (ms)": bodies_cpu}


def null_fetch(case):
    said = null("time", "user%d@x", 1, 1, BODIES, BODIES)
    return {f"bodies, {when} (MB/s)": said[f"bytes{n}"] / 1e3 / said[f"ms{n}"]
            for n, when in enumerate(("first", "warm"))}


def search(peer, case):
    given(peer, 22, case.count)
    (_, header), (_, header_cpu) = times(peer, 22, "SELECT INBOX", HEADER)
    if peer.counted:
        return {**counts(peer, 22, "HEADER, warm", *[HEADER] * 10),
                **counts(peer, 22, "TEXT, warm", *[TEXT] * 3)}
    time.sleep(0.3)
    header_again, header_worst, header_again_cpu = again(peer, 22, HEADER, 4)
    (_, text), (_, text_cpu) = times(peer, 22, "SELECT INBOX", TEXT)
    text_again, _, cpu = again(peer, 22, TEXT, 2)
    return {"HEADER, cold (ms)": header, "HEADER, cold, cpu (ms)": header_cpu,
            "HEADER, warm (ms)": header_again,
            "HEADER, warm, max (ms)": header_worst,
            "HEADER, warm, cpu (ms)": header_again_cpu,
            "TEXT, first (ms)": text, "TEXT, first, cpu (ms)": text_cpu,
            "TEXT, warm (ms)": text_again, "TEXT, warm, cpu (ms)": cpu}


SILENT = "STORE 1:* +FLAGS.SILENT (\\Flagged)"
TOLD = "STORE 1:* -FLAGS (\\Flagged)"


def store(peer, case):
    given(peer, 23, case.count)
    times(peer, 23, "SELECT INBOX", "UID FETCH 1 (FLAGS)")
    if peer.counted:
        return counts(peer, 23, "all", *[SILENT, TOLD] * 2)
    (_, silent, told), (_, silent_cpu, told_cpu) = times(
        peer, 23, "SELECT INBOX", SILENT, TOLD)
    return {"all, silent (ms)": silent, "all, silent, cpu (ms)": silent_cpu,
            "all, told (ms)": told, "all, told, cpu (ms)": told_cpu}


def store_one(peer, case):
    number = case.more["number"]
    given(peer, 25, number)
    times(peer, 25, "SELECT INBOX", "UID FETCH 1 (FLAGS)")
    with measure.Over(peer) as over:
        said = client(peer, "repeat", 1, number, "SELECT INBOX",
                      "STORE %d +FLAGS (\\Answered)", first=25,
                      seconds=smtp.seconds(peer, case))
    return {"commands (1/s)": said["count"] / said["seconds"],
            **smtp.latency(said), **over.each(said["count"])}


def null_store_one(case):
    number = case.more["number"]
    said = null("repeat", "user%d@x", 1, number, "SELECT INBOX",
                "STORE %d +FLAGS (\\Answered)")
    return {"commands (1/s)": number / said["seconds"], **smtp.latency(said)}


def move(peer, case):
    given(peer, 24, case.count)
    there = getattr(peer, "personal", "") + "There"
    times(peer, 24, f"CREATE {there}", "SELECT INBOX", "NOOP")
    figures = {}
    for what in ("MOVE", "COPY"):
        if what in getattr(peer, "lacks", ()):
            figures["lacks"] = f"it has no {what}"
            continue
        command = f"{what} 1:{case.more['number']} {there}"
        if peer.counted:
            figures.update(counts(peer, 24, what, command, command))
            continue
        (_, took), (_, cpu) = times(peer, 24, "SELECT INBOX", command)
        figures.update({f"{what} (ms)": took, f"{what}, cpu (ms)": cpu})
    return figures


INOTIFY = pathlib.Path("/proc/sys/fs/inotify/max_user_instances")


@contextlib.contextmanager
def instances(number):
    """All mailboxes are one system user's: some servers need an instance of
    inotify for each connection."""
    before = INOTIFY.read_text()
    INOTIFY.write_text(str(max(number, int(before))))
    try:
        yield
    finally:
        INOTIFY.write_text(before)


def at_rest(peer, seconds):
    """Its memory, when that has not become less for so long."""
    least, since = peer.group.memory(), time.monotonic()
    while time.monotonic() < since + seconds:
        time.sleep(seconds / 10)
        now = peer.group.memory()
        if now < least * 0.99:
            least, since = now, time.monotonic()
    return least


def idle(peer, case):
    """Connections that wait in IDLE, each of another user."""
    with instances(8192):
        before, used = peer.group.memory(), peer.group.used()
        waiting = measure.Server(
            "imap_load", *words(peer, "idle", case.count, 1), first="ready")
        try:
            first = peer.group.memory() - before
            cpu = peer.group.used() - used
            rest = at_rest(peer, case.more["rest"]) - before
        finally:
            waiting.close()
    return {"a connection, cpu (ms)": cpu * 1000 / case.count,
            "a connection (KB)": first / 1024 / case.count,
            "the same at rest (KB)": rest / 1024 / case.count}


def stores_one(number):
    """As each server is, and with none that flushes but Cyrus, which cannot be
    told: Dovecot and Courier say OK to a flag that no disk has. On ext4 without
    a journal Posthaste flushes in both (mail_flags_flush)."""
    def case(label, site, **options):
        return Case(label, NEEDS, store_one, site=site,
                    more={"number": number}, **options)
    return [case("STORE on one", SITE, null=null_store_one,
                 disk="commands (1/s)"),
            case("STORE on one, not flushed",
                 {**SITE, "options": {"posthaste": {"mail_flags_flush": "no"}}})]


def idles(quick):
    if quick:
        return [Case("20 in IDLE", NEEDS, idle, site=SITE, count=20,
                     more={"rest": 1}, counted=False)]
    site = {"users": 1000, "sessions": 1000}
    aside = {**site, "options": {"dovecot": "hibernate"}}
    return [Case(label, NEEDS, idle, site=where, count=1000, more={"rest": 5},
                 only=only, counted=False, rounds=1)
            for label, where, only in (
                ("1,000 in IDLE", site, frozenset()),
                ("1,000 in IDLE, set aside by Dovecot", aside,
                 frozenset({"dovecot"})))]


def cases(quick):
    many, all_of, few = (500, 200, 50) if quick else (100_000, 10_000, 1000)
    one = 50 if quick else 3000

    def case(label, work, **options):
        return Case(label, NEEDS, work, site=SITE, **options)
    return [
        case("log in and out, 10 sessions", login, sessions=10,
             count=100 if quick else 100_000, null=null_login),
        case("APPEND 4 KB, 1 session", append, sessions=1,
             count=50 if quick else 100_000, disk="messages (1/s)",
             null=null_append),
        case("APPEND 4 KB, 10 sessions", append, sessions=10,
             count=100 if quick else 100_000, disk="messages (1/s)",
             null=null_append),
        case(f"SELECT of {many:,}", select, count=many, rounds=1, limit=240),
        case(f"FETCH of {all_of:,}", fetch, count=all_of, null=null_fetch),
        case(f"SEARCH in {all_of:,}", search, count=all_of),
        case(f"STORE on {all_of:,}", store, count=all_of),
        *stores_one(one),
        case(f"MOVE and COPY of {few:,}", move, count=4 * few if quick
             else all_of, more={"number": few}),
        *idles(quick)]
