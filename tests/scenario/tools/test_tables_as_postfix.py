# SPDX-License-Identifier: ISC
"""postmap and postalias give what Postfix's give: output, exit status and
complaints, on each input of table_cases.py. Where they must not, the case is
in DIFFERENT, with the reason, and has to differ."""
import concurrent.futures

import pytest

import postfix_peer
import table_cases as cases
import table_peer
from table_peer import lines

pytestmark = pytest.mark.skipif(postfix_peer.why_not() is not None,
                                reason=str(postfix_peer.why_not()))

NULL = "a line with a null byte is left out, not cut short"
BROKEN_IF = "the block of an if that cannot be read is left out"
LONG = "a key that would never be found is not stored"
TRIMMED = "blanks around a table's name mean nothing"
BRACES = "a table's name may be in braces, so that it can hold blanks"
DEBUG = "Debian builds it without"
ADVICE = "we say which type it is like"
DIFFERENT = {
    "spec/Static:x": ADVICE, "spec/STATIC:x": ADVICE,
    "spec/static :x": ADVICE,
    "null in a value": NULL, "null in a key": NULL, "null line": NULL,
    "null": NULL,
    "if with nothing": BROKEN_IF, "if with a bad pattern": BROKEN_IF,
    "if with a bad flag": BROKEN_IF, "if with a bad network": BROKEN_IF,
    "if with host bits": BROKEN_IF, "cidr/if with text behind": BROKEN_IF,
    "cidr/if indented": BROKEN_IF,
    "pcre/slow": "who chooses the key cannot step over a rule by its length",
    "hash/long key": LONG, "btree -f/long key": LONG,
    "lmdb/long key": LONG, "cdb/long key": LONG,
    "lmdb/empty key asked": "an empty key is not found, not a failure",
    "hash -u/long key": LONG, "hash -N/long key": LONG,
    "spec/inline:{a=b} ": TRIMMED, "spec/ static:x": TRIMMED,
    "spec/unionmap:{static}": "the table that is wrong is named",
    "spec/unionmap:{{static:a}}": BRACES,
    "spec/unionmap:{{static:a b}, static:c}": BRACES,
    "spec/unionmap:{{inline:{a=b}}}": BRACES,
    "spec/pipemap:{{static:a}}": BRACES,
    "spec/regexp:/etc": "a folder is not an empty table",
    "spec/pcre:/etc": "a folder is not an empty table",
    "spec/nis:x": "nis is not to be had, and says so",
    "spec/debug:static:x": DEBUG, "spec/debug:inline:{a=b}": DEBUG,
    "spec/debug:fail:x": DEBUG, "spec/debug:nosuch:x": DEBUG,
    "message, crlf": "the end of a line is not part of it",
}

def compare(tmp_path, kind, all_cases):
    """all_cases: name, files, [(command, standard input)]. What differs."""
    both = table_peer.Both(tmp_path)

    def one(numbered):
        number, (name, files, commands) = numbered
        got, wanted = both.results(str(number), files, commands)
        reason = DIFFERENT.get(f"{kind}/{name}", DIFFERENT.get(
            name, DIFFERENT.get(name.rpartition(", -")[0])))
        if reason is None and got != wanted:
            return [f"{kind}, {name}:"] + [
                f"  {g}\n  wanted {w[1:]}"
                for g, w in zip(got, wanted) if g != w]
        if reason and got == wanted:
            return [f"{kind}, {name}: is the same now: {reason}"]
        return []

    # Postfix sleeps a second before it dies
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = pool.map(one, enumerate(all_cases))
        return "\n".join(line for lines in found for line in lines)


def asked(table, cases_of_kind, *options):
    return [(name, {"m": text},
             [(["postmap", *options, "-q", "-", f"{table}:m"], lines(keys))])
            for name, (text, keys) in cases_of_kind.items()]


def built(program, table, cases_of_kind, *options):
    m = f"{table}:m"
    return [(name, {"m": text},
             [([program, *options, m], None),
              # theirs cannot list a cdb
              *([([program, "-s", m], None)] if table != "cdb" else []),
              ([program, *options, "-q", "-", m], lines(keys))])
            for name, (text, keys) in cases_of_kind.items()]


@pytest.mark.parametrize("kind, all_cases", [
    ("texthash", asked("texthash", cases.MAPS)),
    ("texthash -f", asked("texthash", cases.MAPS, "-f")),
    ("texthash -u", asked("texthash", cases.MAPS, "-u")),
    ("hash", built("postmap", "hash", cases.MAPS)),
    ("btree -f", built("postmap", "btree", cases.MAPS, "-f")),
    ("hash -u", built("postmap", "hash", cases.MAPS, "-u")),
    ("hash -N", built("postmap", "hash", cases.MAPS, "-N")),
    ("lmdb", built("postmap", "lmdb", cases.MAPS)),
    ("cdb", built("postmap", "cdb", cases.MAPS)),
    ("aliases", built("postalias", "hash", cases.ALIASES)),
    ("regexp", asked("regexp", cases.PATTERNS)),
    ("pcre", asked("pcre", {**cases.PATTERNS, **cases.PCRE})),
    ("cidr", asked("cidr", cases.NETWORKS)),
    ("spec", [(s, {}, [(["postmap", "-q", "-", s], lines(cases.SPEC_KEYS))])
              for s in cases.SPECS]),
    ("commands", cases.COMMANDS),
], ids=lambda v: v if isinstance(v, str) else "")
def test_same_as_postfix(tmp_path, kind, all_cases):
    missing = postfix_peer.why_not(
        *{c[0].split(":")[0] for _, _, commands in all_cases
          for c, _ in commands for c in [c[-1:]]} & {"pcre", "cdb", "lmdb"})
    if missing:
        pytest.skip(missing)
    differs = compare(tmp_path, kind, all_cases)
    if differs:
        pytest.fail(differs, pytrace=False)


@pytest.mark.parametrize("table", ["lmdb", "cdb"])
@pytest.mark.parametrize("null_bytes", ["-n", "-N"])
def test_each_reads_what_the_other_made(tmp_path, table, null_bytes):
    if postfix_peer.why_not(table):
        pytest.skip(postfix_peer.why_not(table))
    both = table_peer.Both(tmp_path)
    home = tmp_path / "home"
    home.mkdir()
    entries = {f"key{i}": f"value {i} " + "x" * (i % 7) * 500
               for i in range(400)}
    for make, read in ((both.ours, both.theirs), (both.theirs, both.ours)):
        (home / "m").write_text(
            "".join(f"{k} {v}\n" for k, v in entries.items()))
        code, _, err = make(home, "postmap", null_bytes, f"{table}:m")
        assert code == 0, err
        (home / "m").unlink()
        for key, value in list(entries.items())[::9]:
            assert read(home, "postmap", "-q", key.upper(), f"{table}:m") == (
                0, value.strip().encode() + b"\n", b"")
        if table != "cdb" or read == both.ours:
            _, out, err = read(home, "postmap", "-s", f"{table}:m")
            assert dict(line.split("\t") for line in out.decode().splitlines()
                        ) == {k: v.strip() for k, v in entries.items()}, err
        assert read(home, "postmap", "-q", "none", f"{table}:m")[0] == 1
