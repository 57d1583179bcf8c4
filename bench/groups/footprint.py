# SPDX-License-Identifier: ISC
"""What a server holds when it has nothing to do: after each of its protocols
was used once, and at rest. Memory is proportional: what its processes share is
counted once. A wakeup is a context switch of any of its processes. Of different
scope: Posthaste does SMTP and mailboxes and is in both tables with both; the
others do one of the two (REMARKS stand below the table).
"""
import imaplib
import os
import poplib
import re
import smtplib
import time

from frame.group import Case
from frame.peer import wait_for

NAME = "footprint"
HELP = "the idle server: processes, memory, wakeups, size of its programs"
REMARKS = ("posthaste is one instance with SMTP, IMAP and POP3 in both tables, "
           "the others are servers of SMTP, or of IMAP and POP3: \"ahead\" "
           "compares all three with a part",)
MAIL = ("From: <a@example.net>\r\nTo: <user0@bench.test>\r\n"
        "Subject: one\r\n\r\nOne message.\r\n")


def use(peer):
    """Each protocol once, so that what starts on demand has started."""
    site = peer.site
    if "smtp" in peer.can:
        before = peer.delivered()
        with smtplib.SMTP("127.0.0.1", peer.port("smtp")) as c:
            c.sendmail("a@example.net", [site.mailbox(0)], MAIL)
        wait_for("the message", lambda: peer.delivered() > before, 30)
    if "imap" in peer.can:
        with imaplib.IMAP4("127.0.0.1", peer.port("imap")) as c:
            c.login(site.mailbox(0), site.password)
            c.select("INBOX")
            c.noop()
    if "pop3" in peer.can:
        c = poplib.POP3("127.0.0.1", peer.port("pop3"))
        c.user(site.mailbox(0))
        c.pass_(site.password)
        c.uidl()
        c.quit()


def programs(pids):
    """Bytes of the programs that run and of the libraries that they bring
    along: files, each counted once."""
    found = {}
    for pid in pids:
        try:
            with open(f"/proc/{pid}/maps") as f:
                lines = f.read().splitlines()
        except OSError:
            continue
        for line in lines:
            words = line.split(None, 5)
            if len(words) == 6 and "x" in words[1] and words[5][0] == "/" \
                    and not SYSTEM.search(words[5]):
                found[words[3], words[4]] = size(pid, words[0])
    return sum(found.values())


# libraries of the system, that any program here would bring along
SYSTEM = re.compile(r"/lib(c|m|ssl|crypto|z|pthread|dl|rt|resolv|crypt|"
                    r"ld-linux[^/]*|nss_[a-z]+|pcre2-8|db-[0-9.]+|"
                    r"lmdb|sasl2|seccomp|cap|ev|cares|idn2|unistring|"
                    r"zstd|lzma|lz4|bz2)[-.0-9a-z]*\.so|/ld-linux")


def size(pid, addresses):
    try:
        return os.stat(f"/proc/{pid}/map_files/{addresses}").st_size
    except OSError:
        return 0


def idle(peer, case):
    """Of an instance once, in whichever tables it stands."""
    known = case.more["known"]
    if peer.site.root not in known:
        known[peer.site.root] = looked_at(peer, case)
    return dict(known[peer.site.root])


def looked_at(peer, case):
    use(peer)
    time.sleep(case.more["rest"])
    pids = peer.pids()
    before = peer.group.switches(), peer.group.used()
    time.sleep(case.more["watch"])
    factor = 10 / case.more["watch"]
    return {"processes (n)": len(pids),
            "memory (MB)": peer.group.memory() / 1e6,
            "wakeups in 10 s (n)":
                (peer.group.switches() - before[0]) * factor,
            "cpu in 10 s (ms)": (peer.group.used() - before[1]) * 1e3 * factor,
            "programs and libraries (MB)": programs(pids) / 1e6}


def cases(quick):
    more = {"rest": 0.5, "watch": 1} if quick else {"rest": 15, "watch": 10}
    more["known"] = {}
    return [Case(f"at rest: {what}", frozenset(needs), idle,
                 site={"users": 1}, more=more, counted=False, rounds=1)
            for what, needs in (
                ("servers of SMTP", {"smtp"}),
                ("servers of IMAP and POP3", {"imap", "pop3"}))]
