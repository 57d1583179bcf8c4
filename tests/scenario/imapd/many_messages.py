# SPDX-License-Identifier: ISC
"""Mailboxes of thousands of messages, made without a server's help."""
import os

LINKS = 60000  # ext4 knows 65000 of a file
TEXT = b"Subject: one of many\r\n\r\nhello\r\n"


def make(s, name, data=TEXT):
    """A Maildir of bob's, and a file beside it to make messages of."""
    home = s.maildir("bob")
    for part in (home.parent, home, home / "cur", home / "new", home / "tmp"):
        part.mkdir(exist_ok=True)
        os.chown(part, s.uid, s.gid)
    path = home / name
    path.write_bytes(data)
    os.chown(path, s.uid, s.gid)
    return path


def many(s, count):
    """Links to few files, every tenth unseen."""
    for i in range(count):
        if i % LINKS == 0:
            source = make(s, f"source{i}")
        os.link(source, source.parent / "cur" / (
            f"{1600000000 + i}.M1P1.test,S={len(TEXT)},W={len(TEXT)}:2,"
            f"{'S' if i % 10 else ''}"))
    os.utime(source.parent / "cur", (1, 1))
