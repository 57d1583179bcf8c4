# SPDX-License-Identifier: ISC
"""A site of Dovecot's moves here, as MIGRATING.md says, and back: what an IMAP
client sees of folders, subscriptions, flags, quotas and rights stays."""
import imaplib
import os
import pathlib
import re
import shlex
import shutil
import tempfile

import dovecot_peer
import pytest
from dovecot_peer import OWNER, quoted, unquoted
from posthaste import AS_ROOT

why = dovecot_peer.why_not() or (None if AS_ROOT else
                                 "another's mailboxes need root")
real = pytest.mark.skipif(why is not None, reason=str(why))

BOB, ALICE = "bob@example.test", "alice@example.test"
DOVECOT = """
base_dir = {0}/state
state_dir = {0}/state
log_path = {0}/state/log
protocols = imap
ssl = no
mail_location = maildir:{0}/mail/%d/%n
mail_uid = {1}
mail_gid = {2}
first_valid_uid = 0
mail_plugins = acl quota
protocol imap {{
  mail_plugins = acl quota imap_acl imap_quota
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
  mailbox Sent {{
    special_use = \\Sent
    auto = subscribe
  }}
  mailbox Gelöscht {{
    special_use = \\Trash
    auto = create
  }}
}}
{shared}
plugin {{
  acl = vfile
  acl_shared_dict = file:{0}/state/shared.db
  quota = {quota}
  quota_rule = *:storage=1M:messages=100
  quota_vsizes = yes
}}
"""
SHARED = """
namespace {{
  type = shared
  prefix = shared/%%u/
  separator = /
  location = maildir:{0}/mail/%%d/%%n
  list = children
  subscriptions = no
}}
namespace {{
  type = public
  prefix = Public/
  separator = /
  location = maildir:{0}/public
  list = children
  subscriptions = no
}}
"""
OURS = """
disable_plaintext_auth = no
account_uid = {1}
account_gid = {2}
account_mail = maildir:{0}/mail/%d/%n
account_quota = *:storage=1M:messages=100
mail_hierarchy_separator = {separator}
mail_special_folders = Sent:Sent, Gelöscht:Trash
"""
OURS_SHARED = """
mail_shared_prefix = shared
mail_public_folders = Public = maildir:{0}/public
"""


class Site(dovecot_peer.Dovecot):
    """Dovecot with people in it."""

    def __init__(self, folder, separator="/", prefix="", shared="",
                 quota="maildir:User quota"):
        super().__init__(folder, "")
        self.conf.write_text(DOVECOT.format(
            folder, OWNER, OWNER, separator=separator, prefix=prefix,
            quota=quota, shared=shared.format(folder)))
        for name in ("mail/example.test", "public"):
            (folder / name).mkdir(parents=True)
        for path in (folder / "mail", folder / "mail/example.test",
                     folder / "public"):
            os.chown(path, OWNER, OWNER)

    def imap(self, user=BOB):
        command = ["env", f"HOME={self.folder}", f"USER={user}",
                   *dovecot_peer.started("/usr/lib/dovecot/imap", "-c",
                                         str(self.conf))]
        return Client(imaplib.IMAP4_stream(
            " ".join(map(shlex.quote, command)) + " 2>/dev/null"))


class Client:
    """Asks, and has the rows of the answer."""

    def __init__(self, c):
        self.c = c

    def ask(self, text):
        """{name: rows} of a command that goes well."""
        name, _, rest = text.partition(" ")
        imaplib.Commands.setdefault(name, ("AUTH", "SELECTED"))
        self.c.untagged_responses.clear()
        tag = self.c._command(name, *([rest] if rest else []))
        said, data = self.c._command_complete(name, tag)
        assert said == "OK", (text, data)
        if name in ("SELECT", "EXAMINE"):
            self.c.state, self.c.is_readonly = "SELECTED", True
        return {k: [row.decode() if isinstance(row, bytes) else row
                    for row in rows]
                for k, rows in self.c.untagged_responses.items()}

    def append(self, name, n, flags=""):
        said, data = self.c.append(quoted(name), flags, None, message(n))
        assert said == "OK", (name, data)


def message(n):
    return (f"From: a@b.c\r\nSubject: number {n}\r\n\r\n" + "x" * 1000 +
            "\r\n").encode()


# what differs between servers, and means nothing
UNTOLD = {"\\hasnochildren", "\\haschildren", "\\unmarked", "\\marked"}


def listed(client, command):
    rows = {}
    for row in client.ask(command).get(command.split()[0], []):
        attributes, _, name = re.fullmatch(
            r'\(([^)]*)\) ("."|NIL) (.*)', row).groups()
        rows[unquoted(name)] = {a.lower() for a in attributes.split()
                                if a.lower() not in UNTOLD}
    return rows


def flags_of(client, name):
    client.ask(f"EXAMINE {quoted(name)}")
    if not int(client.c.untagged_responses["EXISTS"][-1]):
        return []
    rows = client.ask("UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)")
    told = []
    for row in rows["FETCH"]:
        flags = set(re.search(r"FLAGS \(([^)]*)\)", row)[1].split())
        told.append((int(re.search(r"UID (\d+)", row)[1]),
                     re.search(r"SIZE (\d+)", row)[1],
                     re.search(r'INTERNALDATE "([^"]*)"', row)[1],
                     *sorted(flags - {"\\Recent"})))
    return sorted(told)


def rights(text):
    """Without those of RFC 2086 (c, d) that are kept for old clients."""
    return "".join(sorted(set(text) - set("cd")))


def lists_of_rights(client, name):
    words = client.ask(f"GETACL {quoted(name)}")["ACL"][0].split()
    pairs = words[-2 * ((len(words) - 1) // 2):]
    return {unquoted(who): rights(unquoted(which)) for who, which in
            zip(pairs[::2], pairs[1::2])}


def picture(client):
    """All that a client sees of everything."""
    seen = {"LIST": listed(client, 'LIST "" "*"'),
            "LSUB": sorted(listed(client, 'LSUB "" "*"'))}
    for name, attributes in seen["LIST"].items():
        if attributes & {"\\noselect", "\\nonexistent"}:
            continue
        said = client.ask(f"STATUS {quoted(name)} (MESSAGES UIDNEXT"
                          " UIDVALIDITY UNSEEN)")["STATUS"][0]
        seen["STATUS", name] = said[said.rindex("("):]
        seen["messages", name] = flags_of(client, name)
        said = client.ask(f"MYRIGHTS {quoted(name)}")["MYRIGHTS"][0]
        seen["MYRIGHTS", name] = rights(unquoted(said.split()[-1]))
        if "a" in seen["MYRIGHTS", name]:
            seen["GETACL", name] = lists_of_rights(client, name)
    said = client.ask("GETQUOTAROOT INBOX")
    seen["QUOTA"] = said["QUOTAROOT"] + said["QUOTA"]
    client.c.logout()
    return seen


@pytest.fixture
def folder():
    path = pathlib.Path(tempfile.mkdtemp(prefix="moved."))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def use(site, separator="/", prefix=""):
    """What people do."""
    bob = site.imap()
    sub = prefix + "Work" + separator + "2024"
    for name in (prefix + "Work", sub, prefix + "Entwürfe", prefix + "R&D",
                 prefix + "shared ideas"):
        bob.ask(f"CREATE {quoted(name)}")
        for n in range(3):
            bob.append(name, n, r"(\Seen $Label1 keyword)" if n else "")
    for name in (prefix + "Work", sub, prefix + "R&D"):
        bob.ask(f"SUBSCRIBE {quoted(name)}")
    for n in range(5):
        bob.append("INBOX", n)
    bob.ask("SELECT INBOX")
    bob.ask(r"UID STORE 2,4 +FLAGS (\Flagged \Answered $Forwarded)")
    bob.ask(r"UID STORE 3 +FLAGS (\Deleted)")
    bob.ask("EXPUNGE")
    bob.c.logout()


def share(site):
    bob = site.imap()
    bob.ask(f"SETACL Work {ALICE} lrswi")
    bob.ask(f'SETACL "R&-D" {ALICE} lr')
    bob.c.logout()
    alice = site.imap(ALICE)
    alice.append("INBOX", 1)
    alice.ask(f"SUBSCRIBE shared/{BOB}/Work")
    alice.append(f"shared/{BOB}/Work", 9, r"(\Flagged)")
    alice.ask("SUBSCRIBE Public/News")
    alice.append("Public/News", 1)
    alice.c.logout()


def age(folder):
    """Dovecot finds out in whole seconds that its list of what is shared is
    old: what is changed here never falls into the second of its own change."""
    for path in folder.glob("mail/*/*/.*/dovecot-acl"):
        os.utime(path, (1e9, 1e9))


def publish(folder):
    """A public folder that everybody reads and writes."""
    news = folder / "public/.News"
    for name in ("cur", "new", "tmp"):
        (news / name).mkdir(parents=True)
    (news / "dovecot-acl").write_text("anyone lrwsti\n")
    for path in (news, *news.iterdir()):
        os.chown(path, OWNER, OWNER)


def ours(suite, folder, separator="/", more=""):
    s = suite(start=False)
    s.write("main.cf", s.main_cf + OURS.format(
        folder, OWNER, OWNER, separator=separator) + more.format(folder))
    s.write("accounts", "".join(f"{user}:{{PLAIN}}word::::::\n"
                                for user in (BOB, ALICE)))
    return s.start()


def log_in(s, user=BOB):
    c = imaplib.IMAP4("127.0.0.1", s.ports["imap"], timeout=60)
    c.login(user, "word")
    return Client(c)


def go_on(client, separator="/", prefix=""):
    """What bob does here."""
    def name(*levels):
        return quoted(prefix + separator.join(levels))
    client.ask(f"CREATE {name('Work', '2025')}")
    client.ask(f"SUBSCRIBE {name('Work', '2025')}")
    client.ask(f"UNSUBSCRIBE {name('R&D')}")
    client.ask(f"RENAME {name('Entwürfe')} {name('Work', 'Entwürfe')}")
    client.append("Work", 11, r"(\Draft keyword another)")
    client.append("INBOX", 12)
    client.ask("SELECT INBOX")
    client.ask(r"UID STORE 2 FLAGS (\Seen third)")
    client.ask(r"UID STORE 5 +FLAGS (\Deleted)")
    client.ask("EXPUNGE")
    client.ask(f"UID COPY 1,2 {name('Work', '2024')}")
    client.c.logout()


def share_more(bob, alice):
    bob.ask(f'SETACL "R&-D" {ALICE} lrs')
    bob.ask(f"SETACL Work/2025 {ALICE} lrt")
    bob.c.logout()
    alice.ask(f"UNSUBSCRIBE shared/{BOB}/Work")
    alice.ask(f"SUBSCRIBE shared/{BOB}/R&-D")
    alice.ask("SUBSCRIBE Public")
    alice.append("Public/News", 2, r"(\Answered)")
    alice.c.logout()


def assert_same(left, right):
    assert not {key: (left.get(key), right.get(key))
                for key in {**left, **right}
                if left.get(key) != right.get(key)}


def check(s, user):
    said = s.command("postmailbox", "check", user).out
    assert re.search(r"; 0 problems$", said, re.M), said
    assert ", 0 to be given" in said
    assert not re.search(r" [1-9]\d* to be given", said), said


@real
def test_there_and_back(suite, folder):
    site = Site(folder, shared=SHARED)
    publish(folder)
    use(site)
    share(site)
    age(folder)
    there = {user: picture(site.imap(user)) for user in (BOB, ALICE)}
    s = ours(suite, folder, more=OURS_SHARED)
    for user in (BOB, ALICE):
        check(s, user)
    log_in(s).c.logout()  # who shares is known from here on
    for user in (BOB, ALICE):
        assert_same(there[user], picture(log_in(s, user)))
    go_on(log_in(s))
    share_more(log_in(s), log_in(s, ALICE))
    here = {user: picture(log_in(s, user)) for user in (BOB, ALICE)}
    assert here[BOB] != there[BOB] and here[ALICE] != there[ALICE]
    s.stop()
    for user in (BOB, ALICE):
        assert_same(here[user], picture(site.imap(user)))


@real
@pytest.mark.parametrize("quota", ["count:User quota", "maildir:User quota"])
@pytest.mark.parametrize("separator", [".", "/"])
def test_alone(suite, folder, quota, separator):
    site = Site(folder, separator=separator, quota=quota)
    use(site, separator)
    there = picture(site.imap())
    s = ours(suite, folder, separator)
    check(s, BOB)
    assert_same(there, picture(log_in(s)))
    go_on(log_in(s), separator)
    here = picture(log_in(s))
    s.stop()
    assert_same(here, picture(site.imap()))


def without_prefix(seen):
    """Names as they are when INBOX is no other folders' parent."""
    def short(name):
        return re.sub(r"^INBOX\.(?=.)", "", name)
    told = {}
    for key, value in seen.items():
        if key == "LIST":
            value = {short(name): what for name, what in value.items()}
        elif key == "LSUB":
            value = sorted(map(short, value))
        told[key if isinstance(key, str) else (key[0], short(key[1]))] = value
    return told


@real
def test_a_prefix_is_all_that_goes(suite, folder):
    site = Site(folder, separator=".", prefix="INBOX.")
    use(site, ".", "INBOX.")
    there = without_prefix(picture(site.imap()))
    s = ours(suite, folder, ".")
    check(s, BOB)
    assert_same(there, picture(log_in(s)))
    go_on(log_in(s), ".")
    here = picture(log_in(s))
    s.stop()
    assert_same(here, without_prefix(picture(site.imap())))


def test_what_dovecot_leaves_in_new_and_in_subscriptions(suite, folder):
    """As above, of what it wrote, where there is none."""
    maildir = folder / "mail/example.test/bob"
    for name in ("cur", "new", "tmp"):
        (maildir / name).mkdir(parents=True)
    base = "1600000000.M%dP1.host,S=%d"
    for i in range(1, 5):
        (maildir / "new" / (base % (i, len(message(i))))).write_bytes(
            message(i))
    # as if we had been killed amid taking them up
    third = maildir / "new" / (base % (3, len(message(3))))
    third.rename(maildir / "cur" / f"{third.name}:2,")
    # it was told of three: the first is the oldest, not the lowest
    (maildir / "dovecot-uidlist").write_text(
        "3 V1600000001 N9 G283a0a16ce0f036b151b000083ecc375\n" + "".join(
            f"{uid} :{base % (i, len(message(i)))}\n"
            for uid, i in ((3, 2), (5, 1), (8, 3))))
    (maildir / "subscriptions").write_text(
        f"V\t2\n\nWork\n{shared_line('Work')}\nPublic/News\n")
    for path in (folder / "mail", *(folder / "mail").rglob("*")):
        os.chown(path, OWNER, OWNER)
    s = ours(suite, folder, more="mail_shared_prefix = shared\n")
    c = log_in(s)
    assert sorted(set(listed(c, 'LSUB "" "*"')) - {"Gelöscht"}) == [
        "Public/News", "Sent", "Work", f"shared/{ALICE}/Work"]
    c.ask("SELECT INBOX")
    rows = c.ask("UID FETCH 1:* (BODY[HEADER.FIELDS (SUBJECT)])")["FETCH"]
    told = {int(re.search(rb"UID (\d+)", row[0])[1]):
            re.search(rb"number (\d)", row[1])[1]
            for row in rows if isinstance(row, tuple)}
    assert told == {3: b"2", 5: b"1", 8: b"3", 9: b"4"}
    c.ask(f"UNSUBSCRIBE shared/{ALICE}/Work")
    c.ask(f"SUBSCRIBE shared/{ALICE}/Other")
    c.c.logout()
    lines = (maildir / "subscriptions").read_text().splitlines()
    assert shared_line("Other") in lines
    assert shared_line("Work") not in lines


def shared_line(name):
    """A folder of alice's, parted at the dot of her name."""
    return f"shared/alice@example\ttest/{name}"
