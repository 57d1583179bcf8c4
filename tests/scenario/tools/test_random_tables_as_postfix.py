# SPDX-License-Identifier: ISC
"""Random tables (table_random.py) give in our commands what they give in
Postfix's: output, exit status and complaints. POSTHASTE_CASES says how many
are tried, POSTHASTE_SEED which, POSTHASTE_KINDS of which kinds alone."""
import concurrent.futures
import difflib
import os
import re

import pytest

import postfix_peer
import table_peer
import table_random

MODULES = ("pcre", "cdb", "lmdb")
pytestmark = pytest.mark.skipif(postfix_peer.why_not(*MODULES) is not None,
                                reason=str(postfix_peer.why_not(*MODULES)))

CASES = int(os.environ.get("POSTHASTE_CASES", "350"))
SEED = os.environ.get("POSTHASTE_SEED", "1")
ONLY = os.environ.get("POSTHASTE_KINDS", "").split() or None
SHOWN = 40  # cases that differ


def complaints(results):
    return b"".join(err for _, _, _, err in results)


def if_is_broken(text, commands, got, wanted):
    """One of the lines complained about is an if."""
    bad = re.compile(rb"line (\d+): (?!IF has no|ignoring extra text after IF|"
                     rb"do not prepend)")
    found = {int(n) for n in bad.findall(complaints(got))}
    return any(re.match(rb"(?i)if", line) for n, line in
               enumerate(text.split(b"\n"), 1) if n in found)


def if_in_name_is_broken(text, commands, got, wanted):
    return b"{if" in commands[0][0][-1].lower() and \
        b"IF has no matching" in complaints(got) + complaints(wanted)


def has_null(text, commands, got, wanted):
    return b"\0" in text or any(b"\0" in (stdin or b"")
                                for _, stdin in commands)


def empty_alias(text, commands, got, wanted):
    return re.search(rb'(?m)^""', text) or any(
        re.search(rb'(?m)^""', stdin or b"") for _, stdin in commands)


def ends_in_backslash(text, commands, got, wanted):
    return re.search(rb"(?m)\\\s*$", text)


def open_at_end(text, commands, got, wanted):
    """A blank at the end of a line, maybe of one of [] or of quotes."""
    return any(re.search(rb"(?m)[\[\"][^]\n]*[ \t\r\f]+$", t)
               for t in [text, *(stdin or b"" for _, stdin in commands)])


def backslash_in_literal(text, commands, got, wanted):
    return any(re.search(rb"\[[^\n]*\\", t)
               for t in [text, *(stdin or b"" for _, stdin in commands)])


def pipe_behind_escape(text, commands, got, wanted):
    return any(re.search(rb"\\\S+\|", t)
               for t in [text, *(stdin or b"" for _, stdin in commands)])


# (reason, of which kinds, does the case fall under it): such may differ
RULES = {"regexp", "pcre", "cidr"}
DIFFERENT = [
    ("the block of an if that cannot be read is left out", RULES,
     if_is_broken),
    ("the same where the rules are in the name", {"spec"},
     if_in_name_is_broken),
    ("a line with a null byte is left out, not cut short", None, has_null),
    ("an alias without a name is none", {"aliases"}, empty_alias),
    ("a backslash ends the line: Postfix reads what is behind the text",
     RULES | {"aliases"}, ends_in_backslash),
    ("blanks at the end of a line are no part of what is left open there",
     {"aliases"}, open_at_end),
    ("a backslash in an address literal stays", {"aliases"},
     backslash_in_literal),
    ("who chooses the key cannot step over a rule", {"pcre"},
     lambda *case: b"nested recursion" in complaints(case[-1])),
    ("a | begins a word wherever it is, behind a backslash as well",
     {"aliases"}, pipe_behind_escape),
    ("a key that is not UTF-8 is not there, and was not deleted",
     {"built", "aliases"}, lambda *case: any(
         b" -d " in w[0] and b"non-UTF-8 key" in w[3] for w in case[-1])),
    ("an empty key is not found, not a failure", {"built", "aliases"},
     lambda *case: b"MDB_BAD_VALSIZE" in complaints(case[-1])),
    ("the part that is wrong is named, not what is around it", {"spec"},
     lambda text, commands, got, wanted: all(
         r[0][1] == 1 and b"postmap: fatal: " in r[0][3]
         for r in (got, wanted))),
    ("a table's name may be in braces, so that it can hold blanks", {"spec"},
     lambda *case: b"unsupported dictionary type: {" in complaints(case[-1])),
]


def reason_of(kind, files, commands, got, wanted):
    for reason, kinds, applies in DIFFERENT:
        if (kinds is None or kind in kinds) and applies(
                files.get("m", b""), commands, got, wanted):
            return reason
    return None


def difference(got, wanted):
    return ["  " + line for line in difflib.ndiff(
        [repr(line) for line in got.splitlines()],
        [repr(line) for line in wanted.splitlines()]) if line[0] in "+-"]


def report(number, kind, files, got, wanted):
    told = [f"case {SEED} {number}, {kind}: {files}"]
    for g, w in zip(got, wanted):
        if g != w:
            told += [f"  {g[0]}: ours {g[1]}, theirs {w[1]}", *difference(
                g[2] + g[3], w[2] + w[3])]
            break
    return "\n".join(told)


def test_random_tables(tmp_path):
    both = table_peer.Both(tmp_path)

    def one(number):
        kind, files, commands = table_random.case(SEED, number, ONLY)
        got, wanted = both.results(str(number), files, commands)
        if got == wanted or reason_of(kind, files, commands, got, wanted):
            return None
        return report(number, kind, files, got, wanted)

    # Postfix sleeps a second before it dies
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        differ = [d for d in pool.map(one, range(CASES)) if d]
    if differ:
        pytest.fail(f"{len(differ)} of {CASES} differ\n" +
                    "\n".join(differ[:SHOWN]), pytrace=False)
