# SPDX-License-Identifier: ISC
"""Each right alone, and each command: RFC 4314 section 4, whole.

alice has one right, or one beside "r" to get at messages. Whatever a command
needs and she has not is NO [NOPERM] where she knows of the mailbox ("l" or
"r"), and else the very bytes that a mailbox which is not there gets.

Each verb of imapd/verbs.def is in one of the tables here.
"""
import inspect
import re

import pytest
from posthaste import SOURCE, Instance
from sharing import ALL, BOB, MAIN, message

WORK = f"{BOB}/Work"
THERE = b"[NOPERM] You have not the right to do this"
MISSING = b"[NONEXISTENT] There is no such mailbox"
CREATE = b"[TRYCREATE] There is no such mailbox"

TABLE = (SOURCE / "imapd/verbs.def").read_text()
# {name: has it a UID form, is it for a selected mailbox alone}
VERBS = {name: (uid == "true", states == "IMAP_SELECTED")
         for name, states, uid in re.findall(
             r'^VERB\("(\w+)", \w+, ([^,]+), (\w+), \w+\)$', TABLE, re.M)}
# those that are legal before the login
OPEN = {"CAPABILITY", "NOOP", "LOGOUT", "ID", "STARTTLS", "LOGIN",
        "AUTHENTICATE"}
# of the connection, or of the account of who has logged in
OWN = OPEN | {"ENABLE", "IDLE", "COMPRESS", "NAMESPACE", "GETQUOTA",
              "SETQUOTA", "CANCELUPDATE"}

# command: the rights it needs, all of them; {} is the mailbox, # the UID of a
# new message in INBOX
BY_NAME = {
    "SELECT {}": "r",
    "EXAMINE {}": "r",
    "STATUS {} (MESSAGES)": "r",
    "GETACL {}": "a",
    "SETACL {} carol@example.test l": "a",
    "DELETEACL {} carol@example.test": "a",
    "LISTRIGHTS {} carol@example.test": "a",
    "DELETE {}": "x",
    "RENAME {} " + f"{BOB}/Room/Work": "x",
    "COPY 1 {}": "i",
    "UID COPY 1:* {}": "i",
    "MOVE 1 {}": "i",
    "UID MOVE # {}": "i",
    "APPEND {} ~{}": "i",
    "REPLACE 1 {} ~{}": "i",
    "UID REPLACE # {} ~{}": "i",
    "GETQUOTAROOT {}": "r",  # RFC 9208 section 6
    "GETMETADATA {} /shared/comment": None,  # "l" and another
    'SETMETADATA {} (/shared/comment "x")': None,
    "MYRIGHTS {}": None,  # any of lrikxa
}
CREATES = {"COPY", "MOVE", "APPEND", "REPLACE"}

# in the mailbox, where "r" goes without saying
SELECTED = {
    r"STORE 1 +FLAGS (\Seen)": "s",
    r"STORE 1 -FLAGS (\Seen)": "s",
    r"STORE 1 +FLAGS (\Deleted)": "t",
    r"STORE 1 +FLAGS (\Flagged)": "w",
    r"STORE 1 +FLAGS ($Word)": "w",
    r"UID STORE 1 FLAGS.SILENT (\Answered $Word)": "w",
    r"STORE 1 FLAGS ()": "swt",  # one of them
    r"STORE 1 +FLAGS (\Seen \Deleted)": "st",
    r"STORE 1 +FLAGS (\Flagged \Deleted $Word)": "wt",
    "EXPUNGE": "e",
    "UID EXPUNGE 1": "e",
    "FETCH 1 (FLAGS BODY.PEEK[])": ALL,
    "UID FETCH 1 (FLAGS BODY.PEEK[])": ALL,
    "SEARCH ALL": ALL,
    "UID SEARCH ALL": ALL,
    "SORT (DATE) UTF-8 ALL": ALL,
    "UID SORT (DATE) UTF-8 ALL": ALL,
    "THREAD REFERENCES UTF-8 ALL": ALL,
    "UID THREAD REFERENCES UTF-8 ALL": ALL,
    "ESEARCH ALL": ALL,
    "UID ESEARCH ALL": ALL,
    "COPY 1 INBOX": ALL,
    "UID COPY 1 INBOX": ALL,
    "CHECK": ALL,
    "UNSELECT": ALL,
}

# OK whatever she has: with these rights, all of them, the answer tells of the
# mailbox; with fewer, or None, it is that for one which is not there
TELLS = {
    'LIST "" {}': "l",
    'LIST "" {} RETURN (STATUS (MESSAGES))': "l",
    'LIST "" {} RETURN (MYRIGHTS)': "l",
    "SUBSCRIBE {}": None,
    'LIST (SUBSCRIBED) "" {}': "l",
    'LSUB "" {}': None,
    "UNSUBSCRIBE {}": None,
    "ESEARCH IN (mailboxes {}) RETURN (COUNT) ALL": "lr",
    "NOTIFY SET STATUS (mailboxes {} (MessageNew MessageExpunge))": "lr",
    "NOTIFY SET (mailboxes {} (MessageNew MessageExpunge))": None,
    "NOTIFY NONE": None,
}


def verb_of(text):
    return text.removeprefix("UID ").split()[0]


def test_each_verb_is_tried():
    """What is new in verbs.def is not forgotten here."""
    assert len(VERBS) == TABLE.count("\nVERB(")
    tried = [*BY_NAME, *SELECTED, *TELLS]
    apart = {"CLOSE": test_what_is_left_undone_quietly,
             "CREATE": test_making_and_renaming_into}
    assert all(f'"{verb} ' in inspect.getsource(test) or
               f'"{verb}"' in inspect.getsource(test)
               for verb, test in apart.items())
    verbs = {verb_of(text) for text in tried}
    assert not verbs & OWN
    assert verbs | OWN | set(apart) == set(VERBS)
    assert {verb_of(text) for text in tried if text.startswith("UID ")} == {
        verb for verb, (uid, _) in VERBS.items() if uid}


def test_strangers_are_refused(suite):
    """Anonymous: before the login; and where no mailbox is selected."""
    s = suite(main=MAIN + "imap_error_limit = 1000\n")
    texts = [text.replace("{}", "INBOX").replace("#", "1")
             for text in (*BY_NAME, *SELECTED, *TELLS) if "~" not in text]
    c = s.imap(user=None)
    for text in (*texts, *sorted(VERBS.keys() - OPEN)):
        c.bad(text)
    c.login("bob")
    for text in texts:
        if VERBS[verb_of(text)][1] or text in SELECTED:
            c.bad(text)


class World:
    """bob with a folder for each test, alice, and a folder for RENAME."""

    def __init__(self, suite):
        self.s = suite(main=MAIN)
        self.bob = self.s.imap("bob")
        self.bob.ok("CREATE Room")
        self.bob.ok("SETACL Room alice@example.test k")
        self.alice = self.s.imap("alice")
        self.alice.append("INBOX", message())
        self.alice.append("INBOX", message())

    def give(self, rights):
        bob = self.bob
        bob.command("UNSELECT")
        self.alice.ok("SELECT INBOX")
        for name in ("Work", "Room/Work"):
            bob.command(f"DELETE {name}")
        bob.ok("CREATE Work")
        bob.append("Work", message())
        bob.append("Work", message(2))
        bob.ok(f'SETACL Work alice@example.test "{rights}"')

    def ask(self, text, name):
        """(word, text) of a command of alice's on a mailbox."""
        c = self.alice
        text = text.replace("{}", name, 1)
        if verb_of(text) in ("MOVE", "REPLACE"):
            uid = c.append("INBOX", message())
            text = text.replace("#", str(uid))
        if not text.startswith(("SELECT", "EXAMINE")):
            c.ok("SELECT INBOX")
        if text.endswith("~{}"):
            word, rest, _ = c.command(text.replace("~{}", "{}"), message(9))
        else:
            word, rest, _ = c.command(text)
        return word, rest


def needed(text, rights):
    if text.startswith("MYRIGHTS"):
        return bool(set(rights) & set("lrikxa"))
    if text.startswith("GETMETADATA"):
        return "l" in rights and bool(set(rights) & set("rswip"))
    if text.startswith("SETMETADATA"):
        return {"l", "w"} <= set(rights)
    return set(BY_NAME[text]) <= set(rights)


@pytest.fixture(scope="module")
def world():
    """One instance for all rights: each begins with a new folder."""
    made = []

    def suite(**options):
        made.append(Instance(**options).start())
        return made[0]

    w = World(suite)
    yield w
    for s in made:
        s.close()


@pytest.mark.parametrize("rights", [
    "", *ALL, *("l" + x for x in ALL[1:]), *(ALL.replace(x, "") for x in ALL)])
def test_commands_with_a_name(world, rights):
    world.give(rights)
    for text in BY_NAME:
        word, rest = world.ask(text, WORK)
        if needed(text, rights):
            assert word == "OK", (rights, text, rest)
            if text.startswith(("DELETE ", "RENAME")):
                world.give(rights)
            continue
        assert word == "NO", (rights, text, rest)
        none = world.ask(text, f"{BOB}/nosuch")
        if set(rights) & set("lr"):
            assert rest == THERE, (rights, text)
        else:
            assert (word, rest) == none, (rights, text)
        assert none == ("NO", CREATE if verb_of(text) in CREATES
                        else MISSING)
    # nothing was done by what was refused
    names = [x for x in world.bob.ok('LIST "" *') if b"Work" in x]
    assert len(names) == 1


@pytest.mark.parametrize("rights", [
    "", *ALL, "lr", *("l" + x for x in "swi"), ALL, ALL.replace("l", ""),
    ALL.replace("r", "")])
def test_what_is_told_quietly(world, rights):
    world.give(rights)
    c = world.alice
    c.ok("SELECT INBOX")
    none = f"{BOB}/nosuch".encode()
    for text, needs in TELLS.items():
        lines = c.ok(text.replace("{}", WORK))
        missing = c.ok(text.replace("{}", none.decode()))
        told = [x.replace(WORK.encode(), none) for x in lines] != missing
        assert told == (needs is not None and set(needs) <= set(rights)), (
            rights, text, lines, missing)
        assert not any(b"* STATUS" in x or b"MYRIGHTS" in x for x in lines) \
            or {"l", "r"} <= set(rights), (rights, text, lines)


@pytest.mark.parametrize("rights", [
    "", *ALL, "lr", ALL, ALL.replace("l", ""), ALL.replace("r", "")])
def test_parts_of_what_may_not_be_read(world, rights):
    """RFC 4469: CATENATE with the URL of a message in another's mailbox."""
    world.give(rights)
    c, bob = world.alice, world.bob
    validity = re.search(rb"UIDVALIDITY (\d+)", b"".join(bob.ok(
        "STATUS Work (UIDVALIDITY)")))[1].decode()
    c.ok("SELECT INBOX")

    def parts(command, name, where):
        word, rest, _ = c.command(
            f'{command} INBOX CATENATE (URL "/{name}{where}")')
        return word, rest.replace(name.encode(), b"?")

    for where, text in {
            "/;UID=1": message(), "/;UID=1/;PARTIAL=0.3": message()[:3],
            "/;UID=1/;SECTION=TEXT": message().split(b"\r\n\r\n")[1],
            f";UIDVALIDITY={validity}/;UID=2": message(2)}.items():
        none = parts("APPEND", f"{BOB}/nosuch", where)
        assert none[0] == "NO" and none[1].startswith(b"[BADURL ")
        uid = c.append("INBOX", message(9))
        for command in ("APPEND", f"UID REPLACE {uid}"):
            word, rest = parts(command, WORK, where)
            if "r" not in rights:
                assert (word, rest) == none, (rights, where)
                continue
            assert word == "OK", (rights, where, rest)
            (line,) = c.ok("FETCH * BODY.PEEK[]")
            assert line.endswith(b"{%d}\r\n%s)" % (len(text), text)), line
    # and what is not there can be told by who may read alone
    other = parts("APPEND", WORK, "/;UID=99")
    assert other == parts("APPEND", f"{BOB}/nosuch", "/;UID=99")
    assert other[0] == "NO"


@pytest.mark.parametrize("right", ALL.replace("r", ""))
def test_commands_in_the_mailbox(world, right):
    c = world.alice
    for text, rights in SELECTED.items():
        if rights != ALL:  # who only reads leaves it as it is
            world.give("r" + right)
        c.ok(f"SELECT {WORK}")
        writes = right in "ieswt"
        assert (b"[READ-WRITE]" in c.text) == writes
        word, rest, _ = c.command(text)
        if right in rights:
            assert word == "OK", (right, text, rest)
            continue
        assert word == "NO", (right, text, rest)
        assert rest.startswith(b"[NOPERM]" if writes else b"[READ-ONLY]"), (
            right, text, rest)


@pytest.mark.parametrize("right", ALL.replace("r", ""))
def test_what_is_left_undone_quietly(world, right):
    """FETCH without "s", CLOSE without "e", flags of APPEND and COPY."""
    c, bob = world.alice, world.bob
    world.give("r" + right)
    bob.ok("SELECT Work")
    bob.ok(r"STORE 2 +FLAGS (\Deleted)")
    c.ok(f"SELECT {WORK}")
    c.ok("FETCH 1 BODY[TEXT]")
    flags = bob.ok("FETCH 1 FLAGS")[-1]
    assert (b"\\Seen" in flags) == (right == "s")
    c.ok("CLOSE")
    bob.ok("NOOP")
    assert len(bob.ok("FETCH 1:* FLAGS")) == (1 if right == "e" else 2)
    if right == "i":
        return
    bob.ok(f"SETACL Work alice@example.test i{right}")
    c.append(WORK, message(), r"(\Seen \Deleted \Draft $Word)")
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1 FLAGS (\Seen \Deleted \Draft $Word)")
    c.ok(f"COPY 1 {WORK}")
    bob.ok("NOOP")
    kept = {"s": {"\\Seen"}, "t": {"\\Deleted"},
            "w": {"\\Draft", "$Word"}}.get(right, set())
    for line in bob.ok("FETCH 1:* FLAGS")[-2:]:
        told = set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split())
        assert told - {"\\Recent"} == kept, (right, line)


@pytest.mark.parametrize("rights", ["t", "e", "te", "ri", "rt", "re", "rte"])
def test_moving_out_needs_both(world, rights):
    """RFC 6851 section 4.2, RFC 8508 section 4.4."""
    c = world.alice
    world.give("".join({"r", *rights}))
    c.ok(f"SELECT {WORK}")
    may = {"t", "e"} <= set(rights)
    for text in ("MOVE 1 INBOX", "UID MOVE 1:* INBOX"):
        word, rest, _ = c.command(text)
        assert word == ("OK" if may else "NO"), (rights, text, rest)
    world.give("".join({"r", "i", *rights}))
    c.ok(f"SELECT {WORK}")
    word, rest, _ = c.command(f"REPLACE 1 {WORK} {{}}", message(5))
    assert word == ("OK" if may else "NO"), (rights, rest)
    assert may or rest.startswith(b"[NOPERM]")
    c.ok("NOOP")


@pytest.mark.parametrize("right", ALL)
def test_making_and_renaming_into(world, right):
    """CREATE needs "k" on the parent, and RENAME on the new one."""
    c = world.alice
    world.give(right)
    word, rest, _ = c.command(f"CREATE {WORK}/Sub")
    assert (word, rest[:8]) == ("OK", b"[MAILBOX") if right == "k" else (
        "NO", b"[NOPERM]")
    world.bob.command("CREATE Source")
    world.bob.ok("SETACL Source alice@example.test lx")
    word, rest, _ = c.command(f"RENAME {BOB}/Source {WORK}/Renamed")
    assert word == ("OK" if right == "k" else "NO"), (right, rest)
    # what one may not see cannot be told from what is not there
    same = {c.command(f"CREATE {BOB}/{name}/Sub")[:2]
            for name in ("Hidden", "nosuch")}
    world.bob.command("CREATE Hidden")
    same |= {c.command(f"CREATE {BOB}/{name}/Sub")[:2]
             for name in ("Hidden", "nosuch")}
    assert same == {("NO", THERE)}
    world.bob.command("DELETE Work/Sub")
    world.bob.command("DELETE Work/Renamed")
