# SPDX-License-Identifier: ISC
"""Mailboxes that groups of POP3 and IMAP begin with.

The same messages for every server: made once below the bench's folder, as a
Maildir, and given to a mailbox as links to the same files, so that no server
has others in memory or elsewhere on the disk. A peer with a form of its own has
fill(number, template) and takes them from Template.wire() or .text().
"""
import os
import pathlib
import random
import subprocess

import posthaste


def message(n, size=4096):
    """The n-th message, with the line ends of Maildirs."""
    head = (f"Return-Path: <sender{n % 97}@example.net>\n"
            f"Received: from mx{n % 7}.example.net (mx{n % 7}.example.net "
            f"[192.0.2.{n % 250}])\n\tby mx.bench.test (Postfix) with ESMTPS"
            f" id 4Xyz{n:06d}\n\tfor <bob@bench.test>; "
            "Mon, 7 Feb 1994 21:52:25 -0800 (PST)\n"
            f"From: =?utf-8?q?J=C3=B6rg?= Number {n % 97} "
            f"<sender{n % 97}@example.net>\n"
            "To: Bob <bob@bench.test>, Carol <carol@bench.test>\n"
            f"Subject: Message {n} about subject {n % 1000}\n"
            f"Date: Mon, 7 Feb 1994 21:{n // 60 % 60:02d}:{n % 60:02d} -0800\n"
            f"Message-ID: <{n}.bench@example.net>\n"
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n")
    line = f"This is a line of message {n}, of the usual length of lines.\n"
    text = head + line * (size // len(line) + 1)
    return text[:size - 1].encode() + b"\n"


def owner():
    """Whose mail is in every server: a link has one owner."""
    return posthaste.owner_ids()


class Template:
    """count messages of this size, made when they are first asked for."""

    def __init__(self, site, count, size=4096):
        self.base = site.root.parent / "templates"
        self.count, self.size = count, size
        self.bytes = count * size

    def made(self, kind, make):
        path = self.base / f"{kind}-{self.count}-{self.size}"
        if not path.exists():
            work = path.with_suffix(".new")
            work.mkdir(parents=True)
            make(work)
            subprocess.run(["chown", "-R", "%d:%d" % owner(), work],
                           check=True)
            work.rename(path)
        return path

    def maildir(self):
        return self.made("maildir", self.make_maildir)

    def wire(self):
        """Files "1.", "2.", ... with the line ends of the wire."""
        return self.made("wire", self.make_wire)

    def make_maildir(self, path):
        """In cur, seen; named as deliveries are.

        Time, microseconds and process must be as irregular as in life: Dovecot
        finds files by a hash that rotates by 28 bits, to which names with the
        same counter in two places look alike. With M{n}P1 half of 10,000 names
        shared one chain, 2,100 comparisons for each look."""
        for part in ("cur", "new", "tmp"):
            (path / part).mkdir()
        chance = random.Random(1)
        second, process = 1700000000, 1000
        for n in range(self.count):
            text = message(n, self.size)
            wire = len(text) + text.count(b"\n")
            second += chance.randrange(1, 400)
            process = (process + chance.randrange(1, 30)) % 32768
            name = (f"{second}.M{chance.randrange(1000000)}P{process}"
                    f".mx.bench.test,S={len(text)},W={wire}:2,S")
            (path / "cur" / name).write_bytes(text)

    def make_wire(self, path):
        for n in range(self.count):
            (path / f"{n + 1}.").write_bytes(
                message(n, self.size).replace(b"\n", b"\r\n"))


def give(peer, number, template):
    """This mailbox of the peer's has the template's messages, and no others
    before."""
    if hasattr(peer, "fill"):
        peer.fill(number, template)
        return
    home = pathlib.Path(peer.maildir(number))
    subprocess.run(["rm", "-rf", home], check=True)
    if not home.parent.exists():
        home.parent.mkdir(parents=True)
        os.chown(home.parent, *owner())
    subprocess.run(["cp", "-al", template.maildir(), home], check=True)
