# SPDX-License-Identifier: ISC
"""For tests of FETCH: mailboxes with given messages, answers by the grammar."""
import os
import time

from imap_grammar import parse

MAIN = "disable_plaintext_auth = no\n"


def put(s, messages, user="bob", first=1700000000):
    """Files in cur, in this order; bytes as they are. Names without sizes."""
    home = s.maildir(user)
    parts = [home / x for x in ("cur", "new", "tmp")]
    for part in (home.parent, home, *parts):
        part.mkdir(parents=True, exist_ok=True)
        os.chown(part, s.uid, s.gid)
    for i, message in enumerate(messages):
        path = parts[0] / f"{first + i}.M{i}P{len(message)}.test:2,"
        path.write_bytes(message)
        os.chown(path, s.uid, s.gid)
    past = time.time() - 10
    os.utime(parts[0], (past, past))


def wire(message):
    """As it is sent: with CRLF."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def fetch(c, what, uid=False, numbers="1:*", utf8=False):
    """{number: items} of one FETCH, each line read by the grammar."""
    found = {}
    command = "UID FETCH" if uid else "FETCH"
    for line in c.ok(f"{command} {numbers} {what}"):
        kind, data = parse(line, utf8)
        if kind in ("FETCH", "UIDFETCH"):
            assert data[0] not in found, line
            found[data[0]] = data[1]
    return found


def one(c, what, number=1):
    """The only item of one message."""
    (items,) = fetch(c, what, numbers=str(number)).values()
    (value,) = [v for k, v in items.items() if k != "FLAGS"]
    return value
