# SPDX-License-Identifier: ISC
"""However many sets a search names, they are not all spelt out at once."""
import re

from many_messages import many

MESSAGES = 6000


def high_water(s):
    """KiB, of the user's process."""
    child = s.processes("imapd-session")[-1]
    with open(f"/proc/{child}/status", encoding="ascii") as f:
        return int(re.search(r"VmHWM:\s+(\d+)", f.read())[1])


def test_many_sets_in_a_mailbox_of_many_holes(suite):
    s = suite(main="disable_plaintext_auth = no\n")
    many(s, MESSAGES)
    c = s.imap()
    c.ok("SELECT INBOX")
    odd = ",".join(str(n) for n in range(1, MESSAGES, 2))
    c.ok(rf"UID STORE {odd} +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    c.ok("SEARCH RETURN (SAVE) 2:*")
    before = high_water(s)

    def found(keys):
        (line,) = c.ok(f"UID SEARCH RETURN (COUNT MIN MAX) {keys}")
        return [int(re.search(rb"%s (\d+)" % x, line)[1])
                for x in (b"COUNT", b"MIN", b"MAX")]

    # left are the even ones; "$" is from the second of them on
    every = " ".join(["1:*", "NOT 1:2", "NOT 5", "$"] * 450)
    assert found(every) == [MESSAGES // 2 - 3, 6, MESSAGES]
    assert found("OR UID 2:6 " * 600 + "1:2") == [3, 2, 6]
    assert high_water(s) - before < 20000, high_water(s) - before


def test_numbers_are_those_of_the_view(suite):
    """Against what is counted here, with holes, forwards and backwards."""
    s = suite(main="disable_plaintext_auth = no\n")
    many(s, 10000)
    c = s.imap()
    c.ok("SELECT INBOX")
    c.ok(r"STORE 1:9,4090:4100,5000:6000,9990 +FLAGS.SILENT (\Deleted)")
    c.ok("EXPUNGE")
    uids = [n for n in range(1, 10001)
            if not (n < 10 or 4090 <= n <= 4100 or 5000 <= n <= 6000
                    or n == 9990)]

    def search(keys):
        (line,) = c.ok("UID SEARCH " + keys)
        return [int(x) for x in line.split()[2:]]

    last = len(uids)
    for first, end in ((1, 1), (4080, 4095), (4096, 4097), (7000, last)):
        want = uids[first - 1:end]
        assert search(f"{first}:{end}") == want
        assert search(f"OR {first}:{end} DELETED") == want
        assert search(f"NOT {first}:{end}") == [
            x for x in uids if x not in set(want)]
    assert search("OR 4096 *") == [uids[4095], uids[-1]]
    (line,) = c.ok("UID SEARCH RETURN (PARTIAL -1:-2) OR 5:6 DELETED")
    assert b"%d:%d" % (uids[4], uids[5]) in line
