# SPDX-License-Identifier: ISC
"""Connections on which nothing happens cost no process, and go on where they
were: DESIGN of parking in lib/login/session_parking.c."""
import os
import random
import shutil
import signal
import time
import zlib

import pytest

from parked import all_parked, awake, parent
from posthaste import CHANGE_COUNTS, USERS, owner_ids, wait_for

MAIN = """\
disable_plaintext_auth = no
auth_failure_delay_max = 0
imap_hibernate_timeout = 1s
imapd_client_connection_count_limit = 0
"""
FULL = os.environ.get("POSTHASTE_FULL") is not None


def message(text):
    return b"Subject: %s\r\n\r\n%s\r\n" % (text, text)


def deliver(s, user, i=1):
    """As a program of another suite would."""
    box = s.maildir(user)
    with open(box / f"tmp/{i}", "wb") as f:
        f.write(message(b"x"))
    os.chown(f.name, s.uid, s.gid)
    began = time.monotonic()
    os.rename(f.name, box / f"new/1700000{i:03}.M{i}.host")
    return began


def test_both_kinds_are_parked_and_go_on(suite):
    s = suite(main=MAIN)
    plain, idle, tls, nothing = (
        s.imap(), s.imap("alice"), s.imap("carol", tls="implicit"), s.imap())
    for c in (plain, idle, tls):
        c.append("INBOX", message(b"one"))
        c.ok("SELECT INBOX")
    tags = [c.idle() for c in (idle, tls)]
    all_parked(s)
    plain.ok("NOOP")
    assert b"one" in plain.ok("FETCH 1 BODY.PEEK[TEXT]")[0]
    nothing.ok("SELECT INBOX")
    for c, tag in zip((idle, tls), tags):
        c.done(tag)
        assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1"]
    for c in (plain, idle, tls, nothing):
        c.logout()
    for user in USERS:
        s.wait_log(rf"logout user=<{user}@example.test>.* in=\d+, out=\d+")


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_waking_is_quick(suite, tls):
    """By a change and by the client: some 10 ms, that others' load stretches,
    but hardly each time. What waits for a clock of half a second needs a
    quarter of one in the middle.
    """
    users = [f"u{i}" for i in range(12)]
    s = suite(main=MAIN, users=users)
    held = {}
    for user in users:
        c = held[user] = s.imap(user, tls=tls)
        c.ok("SELECT INBOX")
        held[user] = (c, c.idle())
    medians = []
    for first in (1, 4, 7, 10):
        took = wake_in_turn(s, held, range(first, first + 3))
        medians.append({what: sorted(times)[len(times) // 2]
                        for what, times in took.items()})
        if max(medians[-1].values()) < 0.1:
            break
    print(medians)
    assert max(medians[-1].values()) < 0.1, medians


def wake_in_turn(s, held, rounds):
    """Seconds that it took by a change, and by the client."""
    took = {"change": [], "client": []}
    for i in rounds:
        all_parked(s)
        for user, (c, tag) in held.items():
            if (int(user[1:]) + i) % 2:
                began = deliver(s, user, i)
                while not c.line().endswith(b" EXISTS"):
                    pass
                took["change"].append(time.monotonic() - began)
                assert c.line().endswith(b" RECENT")
            else:
                began = time.monotonic()
                c.done(tag)
                took["client"].append(time.monotonic() - began)
                held[user] = (c, c.idle())
    return took


def test_numbers_stay_true(suite):
    """What happened meanwhile is told as if the session had been there."""
    s = suite(main=MAIN)
    parked, quiet, other = s.imap(), s.imap(), s.imap(tls="starttls")
    for i in range(1, 8):
        parked.append("INBOX", message(b"m%d" % i))
    for c in (parked, quiet, other):
        c.ok("SELECT INBOX")
    tag = parked.idle()
    all_parked(s)
    other.ok(r"STORE 2,5 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    other.ok(r"STORE 1 +FLAGS (\Flagged $Label)")
    other.append("INBOX", message(b"m8"))

    lines = []
    while (b"* 6 EXISTS" not in lines or
           not any(b"$Label" in x and b"\\Flagged" in x for x in lines)):
        lines.append(parked.line())
    lines += parked.done(tag)
    numbers = list(range(1, 8))
    for line in lines:
        words = line.split()
        if words[2] == b"EXPUNGE":
            del numbers[int(words[1]) - 1]
    assert numbers == [1, 3, 4, 6, 7]
    assert b"* 6 EXISTS" in lines
    assert any(x.startswith(b"* 1 FETCH (") and b"$Label" in x and
               b"\\Flagged" in x for x in lines)
    assert any(b"$Label" in x and x.startswith(b"* FLAGS") for x in lines)
    # the one that was not in IDLE hears it with its next command
    lines = quiet.ok("NOOP")
    assert sum(x.endswith(b"EXPUNGE") for x in lines) == 2
    assert b"* 6 EXISTS" in lines
    for c in (parked, quiet, other):
        assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1 3 4 6 7 8"]
        assert c.ok("FETCH 6 (UID)") == [b"* 6 FETCH (UID 8)"]


def test_numbers_stay_true_where_no_expunge_was_told(suite):
    """RFC 9051 section 7.5.1: not with FETCH, STORE and SEARCH."""
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    for i in range(1, 6):
        c.append("INBOX", message(b"m%d" % i))
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    other.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    assert c.ok("FETCH 3 (UID)")[0] == b"* 3 FETCH (UID 3)"
    all_parked(s)
    assert c.ok("FETCH 3 (UID)")[0] == b"* 3 FETCH (UID 3)"
    assert c.ok("FETCH 5 (UID)")[0] == b"* 5 FETCH (UID 5)"
    all_parked(s)
    assert b"* 2 EXPUNGE" in c.ok("NOOP")
    assert c.ok("FETCH 4 (UID)")[0] == b"* 4 FETCH (UID 5)"


def test_what_was_enabled_stays(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.append("INBOX", message(b"x"))
    c.ok("ENABLE QRESYNC")
    c.ok("EXAMINE INBOX")
    all_parked(s)
    assert b"MODSEQ" in c.ok("UID FETCH 1 (MODSEQ)")[0]
    assert c.no("STORE 1 +FLAGS (\\Seen)")
    d = s.imap()
    d.ok("SELECT INBOX")
    all_parked(s)
    d.ok("STORE 1 +FLAGS (\\Deleted)")
    d.ok("EXPUNGE")
    assert b"* VANISHED 1" in c.ok("NOOP")


def test_signs_of_life_and_timeout(suite):
    s = suite(main=MAIN + "imap_idle_notify_interval = 2s\n"
              "imap_timeout = 5s\n")
    idle, quiet = s.imap(), s.imap("alice")
    idle.ok("SELECT INBOX")
    tag = idle.idle()
    began = time.monotonic()
    all_parked(s)
    for _ in range(4):
        assert idle.line() == b"* OK Still here"
    assert time.monotonic() - began > 6
    assert s.processes("imapd-session") == [parent(s)]
    (bye,) = quiet.closed()
    assert bye.startswith(b"* BYE ")
    s.wait_log(r"logout user=<alice@example.test>, .*reason=\(timeout")
    idle.done(tag)
    idle.logout()


def test_a_client_that_goes_needs_no_process(suite):
    s = suite(main=MAIN)
    held = [s.imap(u, tls=tls) for u in ("alice", "bob")
            for tls in (None, "implicit")]
    for c in held:
        c.ok("SELECT INBOX")
        c.idle()
    all_parked(s)
    for c in held:
        c.close()
    for user in ("alice", "bob"):
        wait_for("both to be missed", lambda: len([
            x for x in s.log().split("\n")
            if f"logout user=<{user}@" in x and "lost connection" in x]) == 2)
    assert s.processes("imapd-session") == [parent(s)]


def test_limit_counts_parked_ones(suite):
    s = suite(main=MAIN + "mail_max_userip_connections = 3\n")
    held = [s.imap() for _ in range(3)]
    all_parked(s)
    c = s.imap(user=None)
    assert b"[LIMIT]" in c.no("LOGIN bob posthaste")
    s.wait_log("see mail_max_userip_connections")
    held.pop().logout()
    held.append(wait_for("a place", lambda: login(s)))


def login(s):
    c = s.imap(user=None)
    return c if c.command("LOGIN bob posthaste")[0] == "OK" else None


def test_stop_and_reload(suite):
    s = suite(main=MAIN)
    held = [s.imap(u, tls=tls) for u in ("alice", "bob")
            for tls in (None, "implicit")]
    for c in held[::2]:
        c.ok("SELECT INBOX")
        c.idle()
    all_parked(s)
    old = parent(s)
    s.posthaste("reload")
    new = s.imap("carol")
    new.logout()
    assert old in s.processes("imapd-session")
    # they go on with the parent that has them
    held[1].ok("NOOP")
    s.send(to="bob@example.test")
    assert held[2].line() == b"* 1 EXISTS"
    s.stop()
    for c in held:
        assert c.closed()[-1].startswith(b"* BYE ")
    s.wait_log(r"logout user=<alice@example.test>.*reason=\(the server stops")


def test_the_parent_is_killed(suite):
    s = suite(main=MAIN)
    held = [s.imap(), s.imap("alice", tls="implicit")]
    all_parked(s)
    os.kill(parent(s), signal.SIGKILL)
    for c in held:
        assert c.closed() == []
    wait_for("another one", lambda: login(s)).logout()


def test_the_mailbox_is_gone(suite):
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    c.ok("CREATE box")
    c.ok("SELECT box")
    c.idle()
    all_parked(s)
    other.ok("DELETE box")
    other.ok("CREATE box")
    lines = c.closed()
    assert lines and lines[-1].startswith(b"* BYE "), lines
    other.logout()


def test_another_folder_of_that_name(suite):
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    c.ok("CREATE box")
    c.ok("SELECT box")
    all_parked(s)
    other.ok("RENAME box old")
    other.ok("CREATE box")
    c.send(b"a NOOP\r\n")
    lines = c.closed()
    assert lines and lines[-1].startswith(b"* BYE "), lines


def test_a_command_cut_in_two_parks_nobody(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.send(b"a NO")
    time.sleep(2.5)  # it would be parked by then
    assert len(s.processes("imapd-session")) == 2
    c.send(b"OP\r\n")
    assert c.line().startswith(b"a OK")


def test_killed_while_they_are_parked(suite):
    """Processes of users come and go by force; who is parked stays."""
    s = suite(main=MAIN)
    c, idle = s.imap(), s.imap()
    idle.ok("SELECT INBOX")
    tag = idle.idle()
    all_parked(s)
    d = s.imap()
    child = s.processes("imapd-session")[-1]
    os.kill(child, signal.SIGKILL)
    d.closed()
    c.ok("NOOP")
    idle.done(tag)


def test_many_cycles_of_mixed_users(suite):
    """Each finds its own message each time it wakes, and never another's.

    With POSTHASTE_FULL set: ten thousand cycles.
    """
    cycles = 10000 if FULL else 400
    users = [f"u{i}" for i in range(200 if FULL else 40)]
    s = suite(main=MAIN, users=users)
    noise = random.Random(5)
    held = {}
    for i, user in enumerate(users):
        tls = "implicit" if i % 8 == 0 else None
        c = s.imap(user, tls=tls)
        c.append("INBOX", message(user.encode()))
        c.ok("SELECT INBOX")
        held[user] = c
    done, count, tags = 0, dict.fromkeys(users, 1), {}
    while done < cycles:
        time.sleep(1.6)
        for user in noise.sample(users, len(users)):
            c = held[user]
            if user in tags:
                c.done(tags.pop(user))
            (line,) = [x for x in c.ok("FETCH 1 (BODY.PEEK[])")
                       if b"FETCH" in x]
            assert message(user.encode()) in line, (user, line)
            kind = noise.randrange(3)
            if kind == 0:
                tags[user] = c.idle()
            elif kind == 1:
                count[user] += 1
                assert c.append("INBOX", message(b"more")) == count[user]
            done += 1
    for user, c in held.items():
        if user in tags:
            c.done(tags.pop(user))
        (line,) = [x for x in c.ok("STATUS INBOX (MESSAGES)")
                   if b"STATUS" in x]
        assert line.endswith(b"(MESSAGES %d)" % count[user])
        c.logout()
    assert "another's session" not in s.log()


def test_a_refused_message_is_no_command(suite):
    s = suite(main=MAIN)
    c = s.imap()
    text = b"evil CREATE made-by-a-message\r\n"
    c.send(b"a1 UID APPEND x {%d+}\r\n" % len(text))
    assert c.line().startswith(b"a1 BAD")
    time.sleep(3)  # it would be parked by then
    c.send(text + b"\r\n")
    assert b"made-by-a-message" not in b"".join(c.ok('LIST "" *'))


def deflated(c):
    """The connection, compressed from here on."""
    c.ok("COMPRESS DEFLATE")
    assert c.buffer == b""
    plain = c.socket
    out = zlib.compressobj(9, zlib.DEFLATED, -15)
    into = zlib.decompressobj(-15)

    class Deflated:
        def __getattr__(self, name):
            return getattr(plain, name)

        def sendall(self, data):
            plain.sendall(out.compress(data) + out.flush(zlib.Z_SYNC_FLUSH))

        def recv(self, n):
            while (data := plain.recv(n)) != b"":
                if text := into.decompress(data):
                    return text
            return b""

    c.socket = Deflated()
    return c


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_compression_goes_on(suite, tls):
    """Both sides may refer to what was said before: RFC 1951."""
    s = suite(main=MAIN + "imap_idle_notify_interval = 2s\n")
    c = deflated(s.imap(tls=tls))
    noise = random.Random(3)
    text = bytes(noise.choices(b"abcdefghijklmnop ", k=20000))
    c.append("INBOX", b"Subject: x\r\n\r\n" + text + b"\r\n")
    c.ok("SELECT INBOX")
    all_parked(s)
    for i in range(3):
        # the client's deflate finds this in what it said before
        c.append("INBOX", b"Subject: x\r\n\r\n" + text + b"\r\n")
        assert text in c.ok(f"FETCH {i + 2} BODY.PEEK[TEXT]")[0]
        all_parked(s)
    tag = c.idle()
    all_parked(s)
    # signs of life come compressed too, from the parent
    assert [c.line() for _ in range(2)] == [b"* OK Still here"] * 2
    assert s.processes("imapd-session") == [parent(s)]
    s.send(to="bob@example.test")
    while c.line() != b"* 5 EXISTS":
        pass
    c.done(tag)
    assert b"COMPRESS=DEFLATE" not in c.capabilities()
    assert b"COMPRESSIONACTIVE" in c.no("COMPRESS DEFLATE")
    c.logout()


class EndlessBlock:
    """Deflate that never ends its block (RFC 1951, fixed codes): whole bytes
    leave, so that the last character waits for its last bits."""

    def __init__(self):
        self.bits = [0, 1, 0]

    def __call__(self, text):
        for c in text:
            code = 0x30 + c
            self.bits += [code >> i & 1 for i in range(7, -1, -1)]
        n = len(self.bits) // 8 * 8
        out, self.bits = self.bits[:n], self.bits[n:]
        return bytes(sum(out[i + k] << k for k in range(8))
                     for i in range(0, n, 8))


def test_compression_amid_a_block_keeps_its_process(suite):
    s = suite(main=MAIN)
    c = s.imap()
    c.ok("COMPRESS DEFLATE")
    plain, block = c.socket, EndlessBlock()
    into = zlib.decompressobj(-15)

    def answer(tag):
        text = b""
        while not text.endswith(b"\r\n"):
            text += into.decompress(plain.recv(65536))
        assert text.startswith(tag + b" OK"), text

    plain.sendall(block(b"a NOOP\r\nb"))
    answer(b"a")
    awake(s)
    plain.sendall(block(b" NOOP\r\nc"))
    answer(b"b")


def test_a_saved_search_stays(suite):
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    for i in range(1, 7):
        c.append("INBOX", message(b"m%d" % i))
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    c.ok("SEARCH RETURN (SAVE) 2:4,6")
    all_parked(s)
    other.ok(r"STORE 3 +FLAGS (\Deleted)")
    other.ok("EXPUNGE")
    all_parked(s)
    def found():
        return [x for x in c.command("FETCH $ (UID)")[2] if b"UID" in x]

    assert found() == [b"* 2 FETCH (UID 2)", b"* 4 FETCH (UID 4)",
                       b"* 6 FETCH (UID 6)"]
    assert b"* 3 EXPUNGE" in c.ok("NOOP")
    all_parked(s)
    assert found() == [b"* 2 FETCH (UID 2)", b"* 3 FETCH (UID 4)",
                       b"* 5 FETCH (UID 6)"]


def test_a_saved_search_that_is_too_long_stays(suite):
    s = suite(main=MAIN)
    c = s.imap()
    for start in range(0, 600, 100):
        c.ok("APPEND INBOX" + " {}" * 100, *[message(b"x")] * 100)
    c.ok("SELECT INBOX")
    odd = ",".join(str(n) for n in range(1, 600, 2))
    c.ok(f"SEARCH RETURN (SAVE) {odd}")
    time.sleep(2.5)  # it would be parked by then
    assert len(s.processes("imapd-session")) == 2
    assert len(c.ok("FETCH $ (UID)")) == 300
    c.ok("SEARCH RETURN (SAVE) 1")
    all_parked(s)
    assert c.ok("FETCH $ (UID)") == [b"* 1 FETCH (UID 1)"]



EVENTS = "(MessageNew (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)]) " \
         "MessageExpunge FlagChange)"


@pytest.mark.parametrize("how", ["selected", "selected-delayed"])
def test_notify_of_the_selected_mailbox(suite, how):
    """It is told without IDLE, with the items that were asked for."""
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    other.append("INBOX", message(b"first"))
    c.ok("SELECT INBOX")
    c.ok(f"NOTIFY SET ({how} {EVENTS})")
    other.ok("SELECT INBOX")
    for i in range(2, 4):
        all_parked(s)
        deliver(s, "bob", i)
        lines = []
        while not any(b"UID %d " % i in x for x in lines):
            lines.append(c.line())
        assert b"* %d EXISTS" % i in lines
        assert b"Subject: x" in lines[-1]
    all_parked(s)
    other.ok("NOOP")
    other.ok(r"STORE 2 +FLAGS (\Flagged)")
    while b"\\Flagged" not in (line := c.line()):
        pass
    assert line.startswith(b"* 2 FETCH")
    all_parked(s)
    other.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    if how == "selected":
        while c.line() != b"* 2 EXPUNGE":
            pass
    else:
        wait_for("the end of it", lambda: b"* 2 EXPUNGE" in c.ok("NOOP"))
    tag = c.idle()
    all_parked(s)
    deliver(s, "bob", 9)
    while not c.line().endswith(b"3 EXISTS"):
        pass
    c.done(tag)
    c.ok("NOTIFY NONE")
    all_parked(s)
    deliver(s, "bob", 10)
    assert not c.waiting(1.5)
    assert b"* 4 EXISTS" in c.ok("NOOP")


def change_account(s, user, change):
    """The line of that user becomes another; None: there is none."""
    path = s.root / "etc/accounts"
    lines = [change(x) if x.startswith(f"{user}@") else x
             for x in path.read_text().splitlines()]
    fresh = s.write("accounts.new", "".join(
        f"{x}\n" for x in lines if x is not None))
    shutil.copymode(path, fresh)
    if os.getuid() == 0:
        shutil.chown(fresh, "posthaste-auth")
    os.rename(fresh, path)


CHANGES = {
    "removed": lambda line: None,
    "moved": lambda line: line + "-elsewhere",
    "another's": lambda line: line.replace(
        f":{owner_ids()[0]}:", ":12345:", 1),
}


@pytest.mark.parametrize("what", CHANGES)
def test_the_account_is_not_what_it_was(suite, what):
    """Who has logged in as somebody that is no more gets no process."""
    s = suite(main=MAIN)
    c, idle, tls, alice = (s.imap(), s.imap(), s.imap(tls="implicit"),
                           s.imap("alice"))
    for x in (c, idle, tls):
        x.ok("SELECT INBOX")
    idle.idle()
    all_parked(s)
    change_account(s, "bob", CHANGES[what])
    time.sleep(CHANGE_COUNTS)
    c.send(b"a NOOP\r\n")
    tls.send(b"a NOOP\r\n")
    deliver(s, "bob")
    for x in (c, idle, tls):
        assert x.closed() == [
            b"* BYE The account has changed: log in again"], what
    assert s.processes("imapd-session") == [parent(s)]
    s.wait_log(r"logout user=<bob@example.test>, .*"
               r"reason=\(the account has changed\)")
    alice.ok("NOOP")


def test_a_process_goes_on_with_the_account_it_has(suite):
    """Sessions of before and behind a change do not end each other."""
    s = suite(main=MAIN + "imap_hibernate_timeout = 4s\n")
    old = s.imap()
    old.append("INBOX", message(b"old"))
    old.ok("SELECT INBOX")
    change_account(s, "bob", CHANGES["moved"])
    for _ in range(12):  # past the time when the change counts, never parked
        time.sleep(0.1)  # of 4 s
        old.ok("NOOP")
    new = s.imap()
    new.ok("SELECT INBOX")
    for _ in range(3):
        assert new.ok("UID SEARCH ALL") == [b"* SEARCH"]
        assert old.ok("UID SEARCH ALL") == [b"* SEARCH 1"]
        time.sleep(0.3)  # neither is parked
    all_parked(s)
    assert new.ok("UID SEARCH ALL") == [b"* SEARCH"]
    old.send(b"a NOOP\r\n")
    assert old.closed()[-1].startswith(b"* BYE The account has changed")
    assert new.ok("UID SEARCH ALL") == [b"* SEARCH"]


def test_a_quota_changes_while_parked(suite):
    s = suite(main=MAIN)
    c = s.imap()
    all_parked(s)
    change_account(s, "bob",
                   lambda line: line + " userdb_quota_rule=*:storage=10M")
    time.sleep(CHANGE_COUNTS)
    (line,) = [x for x in c.ok("GETQUOTAROOT INBOX") if b"STORAGE" in x]
    assert b"10240" in line


def test_without_accounts_it_goes_on(suite):
    """As for those that are not parked."""
    s = suite(main=MAIN)
    c = s.imap()
    c.append("INBOX", message(b"x"))
    c.ok("SELECT INBOX")
    all_parked(s)
    path = s.root / "etc/accounts"
    os.rename(path, path.with_suffix(".away"))
    time.sleep(CHANGE_COUNTS)
    assert c.ok("UID SEARCH ALL") == [b"* SEARCH 1"]
    os.rename(path.with_suffix(".away"), path)
