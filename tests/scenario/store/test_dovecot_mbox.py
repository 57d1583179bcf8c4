# SPDX-License-Identifier: ISC
"""mbox files that Dovecot made are served as they are, and Dovecot serves what
we have made of them: UIDs, UIDVALIDITY, flags, keywords, subscriptions. mutt
reads them meanwhile."""
import os
import re
import shutil
import subprocess

import dovecot_peer
import pytest
from dovecot_peer import OWNER, Dovecot, dump_folder, quoted

real = pytest.mark.skipif(dovecot_peer.why_not() is not None,
                          reason=str(dovecot_peer.why_not()))
FROM = b"From alice@example.test  Sat Nov 21 13:25:01 2026\n"
INBOX, WORK = "INBOX", "Work"


def message(i):
    return (FROM + b"Subject: number %d\n\n" % i +
            b"x" * (10 * i) + b"\n\n")


class Both:
    """One account: the suite's bob, and a Dovecot of its own, in turn."""

    def __init__(self, s):
        self.s = s
        self.spool = s.root / "mail/spool/bob"
        self.mail = s.root / "mail/bob-folders"
        for directory in (self.spool.parent, self.mail):
            directory.mkdir()
            os.chown(directory, OWNER, -1)
        location = f"mbox:{self.mail}:INBOX={self.spool}"
        line = s.account("bob").replace("maildir:" + str(s.maildir("bob")),
                                        location)
        line = line.replace(f"userdb_uid={s.uid}", f"userdb_uid={OWNER}")
        (s.root / "etc/accounts").write_text(self.owned(line))
        folder = s.root / "dovecot"
        folder.mkdir()
        os.chown(folder, OWNER, -1)
        self.theirs = Dovecot(folder, location)

    def owned(self, line):
        fields = line.rstrip("\n").split(":")
        if len(fields) > 3 and os.geteuid() == 0:
            fields[2] = fields[3] = str(OWNER)
        return ":".join(fields) + "\n"

    def put(self, path, content):
        path.write_bytes(content)
        os.chown(path, OWNER, -1)
        path.chmod(0o600)

    def start(self):
        self.s.start()
        return self

    def ours(self, name):
        """As dump_folder has it."""
        c = self.s.imap()
        lines = c.ok(f"EXAMINE {name}")
        codes = {key: next(re.search(rb"%s (\d+)" % key, x)[1]
                           for x in lines if key in x)
                 for key in (b"UIDVALIDITY", b"UIDNEXT")}
        found = {}
        for row in c.ok("UID FETCH 1:* (FLAGS RFC822.SIZE)"):
            uid = re.search(rb"UID (\d+)", row)
            if uid:
                found[int(uid[1])] = (
                    int(re.search(rb"SIZE (\d+)", row)[1]),
                    sorted(f for f in
                           re.search(rb"FLAGS \(([^)]*)\)", row)[1].split()
                           if f != rb"\Recent"))
        c.logout()
        return codes, found

    def dovecots(self, name):
        client = self.theirs.imap()
        lines = dump_folder(client, name)
        client.logout()
        _, _, validity, uidnext, _ = lines[0].split("\t")
        found = {}
        for line in lines[1:]:
            _, _, uid, size, _, flags = line.split("\t")
            found[int(uid)] = (int(size),
                               sorted(f.encode() for f in flags.split()))
        return ({b"UIDVALIDITY": validity.encode(),
                 b"UIDNEXT": uidnext.encode()}, found)


@pytest.fixture
def both(suite):
    return Both(suite(main="disable_plaintext_auth = no\n", start=False))


@real
def test_from_dovecot_and_back(both):
    both.put(both.spool, b"".join(message(i) for i in range(1, 6)))
    client = both.theirs.imap()
    assert client.select()[0] == "OK"
    client.store("2", "+FLAGS", r"(\Seen \Flagged $Forwarded)")
    client.store("3", "+FLAGS", r"(\Answered \Draft Junk)")
    client.store("1", "+FLAGS", r"(\Deleted)")
    client.expunge()
    assert client.create(quoted(WORK))[0] == "OK"
    assert client.subscribe(quoted(WORK))[0] == "OK"
    client.copy("1:2", quoted(WORK))
    client.logout()
    expected = both.dovecots(INBOX), both.dovecots(WORK)
    both.start()
    got = both.ours(INBOX), both.ours(WORK)
    assert got == expected
    c = both.s.imap()
    assert any(b"Work" in x for x in c.ok('LSUB "" "*"'))
    # and now ours
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 -FLAGS (\Flagged)")
    c.ok(r"STORE 4 +FLAGS (\Seen Third)")
    c.ok(r"STORE 2 +FLAGS (\Deleted)")
    c.ok("EXPUNGE")
    c.append("INBOX", b"Subject: ours\r\n\r\nours\r\n", r"(\Flagged Junk)")
    c.ok("COPY 1 Work")
    c.ok("CREATE Other")
    c.append("Other", b"Subject: other\r\n\r\nother\r\n", r"(\Seen)")
    c.logout()
    for name in (INBOX, WORK, "Other"):
        mine, his = both.ours(name), both.dovecots(name)
        assert his == mine, (name, both.spool.read_bytes().decode())
    # and once more
    client = both.theirs.imap()
    client.select()
    client.store("1", "+FLAGS", r"(\Answered Fourth)")
    client.append(INBOX, None, None, b"Subject: his\r\n\r\nhis\r\n")
    client.logout()
    assert both.ours(INBOX) == both.dovecots(INBOX)


@real
def test_new_mail_seen_by_each(both):
    """Deliveries in between, and an INBOX that was emptied."""
    both.put(both.spool, message(1) + message(2))
    both.start()
    first = both.ours(INBOX)
    assert list(first[1]) == [1, 2]
    assert both.dovecots(INBOX) == first
    with open(both.spool, "ab") as f:
        f.write(message(3))
    theirs = both.dovecots(INBOX)
    assert list(theirs[1]) == [1, 2, 3]
    assert both.ours(INBOX) == theirs
    with open(both.spool, "ab") as f:
        f.write(message(4))
    mine = both.ours(INBOX)
    assert list(mine[1]) == [1, 2, 3, 4]
    assert both.dovecots(INBOX) == mine


@pytest.mark.skipif(shutil.which("mutt") is None, reason="no mutt")
def test_mutt_reads_meanwhile(both):
    both.put(both.spool, b"".join(message(i) for i in range(1, 5)))
    both.start()
    c = both.s.imap()
    c.ok("SELECT INBOX")
    c.ok(r"STORE 2 +FLAGS (\Flagged Junk)")
    rc = both.s.root / "muttrc"
    rc.write_text(f"set folder={both.s.root}\n"
                  "set mbox_type=mbox\nset delete=yes\nset move=no\n"
                  "set confirmappend=no\nset quit=yes\nset wait_key=no\n"
                  "set sort=mailbox-order\n"
                  "push '<first-entry><delete-message><next-entry>"
                  "<flag-message><quit>'\n")
    before = both.spool.read_bytes()
    subprocess.run(["script", "-qec",
                    f"mutt -n -F {rc} -f {both.spool}", "/dev/null"],
                   env={**os.environ, "TERM": "vt100", "HOME": str(both.mail)},
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    assert both.spool.read_bytes() != before, "mutt did nothing"
    lines = c.ok("NOOP")
    assert b"* 1 EXPUNGE" in lines
    found = c.ok("FETCH 1:* (UID FLAGS)")
    uids = [int(re.search(rb"UID (\d+)", x)[1]) for x in found if b"UID" in x]
    assert uids == [2, 3, 4]
    assert b"Junk" in found[0]
