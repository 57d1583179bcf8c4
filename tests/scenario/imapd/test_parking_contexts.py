# SPDX-License-Identifier: ISC
"""Searches that are kept up to date (CONTEXT, RFC 5267) go on behind parking:
what changed meanwhile is told as if the session had been there."""
import random

import pytest
from parked import SOON, all_parked, awake, stay_parked, told, until
from test_search_contexts import apply, message, updates

MAIN = SOON + "disable_plaintext_auth = no\n"


def tagged(c, tag, text):
    c.send(f"{tag} {text}\r\n".encode())
    word, rest, lines = c.finish(tag.encode())
    assert word == "OK", rest
    return lines


def opened(suite, n=6):
    s = suite(main=MAIN)
    c, other = s.imap(), s.imap()
    for i in range(n):
        other.append("INBOX", message(i))
    c.ok("SELECT INBOX")
    other.ok("SELECT INBOX")
    return s, c, other


@pytest.mark.parametrize("idle", [True, False])
def test_one_is_told(suite, idle):
    s, c, other = opened(suite)
    tagged(c, "B1", "UID SEARCH RETURN (UPDATE COUNT) FLAGGED KEYWORD $a")
    tagged(c, "B2", "SEARCH RETURN (UPDATE COUNT) NOT SEEN")
    tag = c.idle() if idle else None
    stay_parked(s)
    other.ok(r"STORE 2,4 +FLAGS.SILENT (\Flagged $a \Seen)")
    lines = until(c, b'"B1"') + told(c) if idle else c.ok("NOOP")
    assert b'* ESEARCH (TAG "B1") UID ADDTO (0 2,4)' in lines
    assert b'* ESEARCH (TAG "B2") REMOVEFROM (0 2,4)' in lines
    all_parked(s)
    other.ok(r"STORE 2 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    lines = until(c, b"EXPUNGE") if idle else c.ok("NOOP")
    # before the EXPUNGE that is its cause
    assert lines.index(b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 2)') < \
        lines.index(b"* 2 EXPUNGE")
    all_parked(s)
    other.append("INBOX", message("new"))
    lines = until(c, b'"B2"') if idle else c.ok("NOOP")
    assert b'* ESEARCH (TAG "B2") ADDTO (0 6)' in lines
    if idle:
        c.done(tag)
    all_parked(s)
    # the tags are in use, and can be cancelled
    c.send(b"B1 SEARCH RETURN (UPDATE) ALL\r\n")
    assert c.line() == b"B1 BAD Tag reuse"
    c.ok('CANCELUPDATE "B1" "B2"')
    all_parked(s)
    other.ok(r"STORE 1 +FLAGS.SILENT (\Seen)")
    assert not updates(c.ok("NOOP"), "B2")


def test_numbers_and_saved_ones_mean_what_they_meant(suite):
    s, c, other = opened(suite)
    c.ok("SEARCH RETURN (SAVE) 5")
    tagged(c, "B1", r'UID SEARCH RETURN (UPDATE) OR 2:3 $ FLAGGED SUBJECT "2"')
    tagged(c, "B2", r"UID SEARCH RETURN (UPDATE) FLAGGED OR 4:* NOT 99")
    tagged(c, "B3", "UID SEARCH RETURN (UPDATE) FLAGGED NOT $")
    c.ok("SEARCH RETURN (SAVE) 1")
    all_parked(s)
    other.ok(r"STORE 1 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    all_parked(s)
    other.ok(r"UID STORE 2:6 +FLAGS.SILENT (\Flagged)")
    lines = c.ok("NOOP")
    assert b'* ESEARCH (TAG "B1") UID ADDTO (0 3)' in lines
    assert b'* ESEARCH (TAG "B2") UID ADDTO (0 2:6)' in lines
    assert b'* ESEARCH (TAG "B3") UID ADDTO (0 2:4,6)' in lines


@pytest.mark.parametrize("order", ["(SUBJECT)", "(REVERSE ARRIVAL)"])
@pytest.mark.parametrize("uid", ["", "UID "])
def test_sorted_ones_keep_their_places(suite, order, uid):
    s, c, other = opened(suite, 3)
    noise = random.Random(7)
    lines = tagged(c, "B1", f"{uid}SORT RETURN (UPDATE ALL) {order} UTF-8 NOT SEEN")
    (found,) = [x for x in lines if b"ALL" in x]
    result = [int(x) for part in found.split()[-1].split(b",")
              for x in expand(part)]
    for step in range(4):
        all_parked(s)
        for _ in range(3):
            other.append("INBOX", message(noise.randrange(100)))
        other.ok("NOOP")
        n = len(other.ok("SEARCH RETURN (ALL) ALL") and
                other.ok("UID FETCH 1:* (UID)"))
        other.ok(rf"STORE {noise.randint(1, n)} +FLAGS.SILENT (\Seen)")
        lines = c.ok("NOOP")
        apply(result, lines, "B1")
        lines = c.ok(f"{uid}SORT {order} UTF-8 NOT SEEN")
        assert lines[-1].split()[2:] == [b"%d" % x for x in result]


def expand(part):
    first, _, last = part.partition(b":")
    step = 1 if not last or int(last) >= int(first) else -1
    return range(int(first), int(last or first) + step, step)


def test_one_that_is_too_long_keeps_its_process(suite):
    s, c, other = opened(suite, 0)
    for _ in range(13):
        other.ok("APPEND INBOX" + " {}" * 100, *[message("x")] * 100)
    c.ok("NOOP")
    odd = ",".join(str(n) for n in range(1, 1300, 2))
    tagged(c, "B1", f"UID SEARCH RETURN (UPDATE) UID {odd}")
    awake(s)
    other.ok(r"STORE 3 +FLAGS.SILENT (\Deleted)")
    other.ok("EXPUNGE")
    assert b'* ESEARCH (TAG "B1") UID REMOVEFROM (0 3)' in c.ok("NOOP")
    c.ok('CANCELUPDATE "B1"')
    all_parked(s)


def test_odd_keys_come_back(suite):
    """Strings of all forms; what is relative to now stays where it was."""
    s, c, other = opened(suite, 0)
    other.append("INBOX", "Subject: grün \"x\" (a)\r\n\r\nb\\c\r\n".encode())
    c.ok("NOOP")
    keys = {"B1": 'CHARSET UTF-8 SUBJECT "gr\u00fcn \\"x\\" (a)" TEXT "b\\\\c"',
            "B2": "OR (YOUNGER 3600 NOT SEEN) FLAGGED",
            "B3": "HEADER X-None NIL"}
    for tag, text in keys.items():
        tagged(c, tag, f"UID SEARCH RETURN (UPDATE) {text}")
    all_parked(s)
    other.append("INBOX", "Subject: grün \"x\" (a)\r\nX-None: a nil\r\n\r\n"
                 "b\\c\r\n".encode())
    lines = c.ok("NOOP")
    for tag in keys:
        assert b'* ESEARCH (TAG "%s") UID ADDTO (0 2)' % tag.encode() in lines
