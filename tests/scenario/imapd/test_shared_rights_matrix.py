# SPDX-License-Identifier: ISC
"""Each right alone, and each command: RFC 4314 section 4, whole.

alice has one right, or one beside "r" to get at messages. Whatever a command
needs and she has not is NO [NOPERM] where she knows of the mailbox ("l" or
"r"), and else the very bytes that a mailbox which is not there gets.
"""
import re

import pytest
from posthaste import Instance
from sharing import ALL, BOB, MAIN, message

WORK = f"{BOB}/Work"
THERE = b"[NOPERM] You have not the right to do this"
MISSING = b"[NONEXISTENT] There is no such mailbox"
CREATE = b"[TRYCREATE] There is no such mailbox"

# command: the rights it needs, all of them; {} is the mailbox
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
    "MOVE 1 {}": "i",
    "APPEND {} ~{}": "i",
    "REPLACE 1 {} ~{}": "i",
    "GETMETADATA {} /shared/comment": None,  # "l" and another
    'SETMETADATA {} (/shared/comment "x")': None,
    "MYRIGHTS {}": None,  # any of lrikxa
}
CREATES = ("COPY", "MOVE", "APPEND", "REPLACE")

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
    "UID SEARCH ALL": ALL,
    "COPY 1 INBOX": ALL,
}


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
        if text.startswith(("MOVE", "REPLACE")):
            c.append("INBOX", message())
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
        assert none == ("NO", CREATE if text.startswith(CREATES)
                        else MISSING)
    # nothing was done by what was refused
    names = [x for x in world.bob.ok('LIST "" *') if b"Work" in x]
    assert len(names) == 1


@pytest.mark.parametrize("right", ALL.replace("r", ""))
def test_commands_in_the_mailbox(world, right):
    c = world.alice
    for text, rights in SELECTED.items():
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
