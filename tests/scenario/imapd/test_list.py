# SPDX-License-Identifier: ISC
"""LIST and LSUB: RFC 3501, RFC 5258, RFC 9051 section 6.3.9."""
import re

import pytest

PLAIN = "disable_plaintext_auth = no\n"
SPECIAL = ["Archive", "Drafts", "Junk", "Sent", "Trash"]


def quiet(suite, main=""):
    """bob's session in an account without special folders."""
    s = suite(main=PLAIN + "mail_special_folders =\n" + main)
    return s, s.imap()


def parse(line):
    """(verb, attributes, name, rest)"""
    m = re.fullmatch(
        rb'\* (LIST|LSUB) \(([^)]*)\) "(.)" ("(?:[^"\\]|\\.)*"|\S+)(?: (.*))?',
        line)
    assert m, line
    name = m[4].decode("utf-8")
    if name.startswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return (m[1].decode(), set(m[2].decode().split()), name,
            (m[5] or b"").decode())


def listed(c, text):
    """{name: attributes} of a LIST or LSUB."""
    lines = [parse(x) for x in c.ok(text)
             if x.startswith((b"* LIST", b"* LSUB"))]
    assert len({x[2] for x in lines}) == len(lines), "told twice"
    return {name: attributes for _, attributes, name, _ in lines}


def make(c, *names):
    for name in names:
        c.ok(f'CREATE "{name}"')


def fruits(c):
    """The hierarchy of RFC 9051 section 6.3.9.8."""
    make(c, "Fruit", "Fruit/Apple", "Fruit/Banana", "Tofu", "Vegetable",
         "Vegetable/Broccoli", "Vegetable/Corn")
    for name in ("INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable",
                 "Vegetable/Broccoli"):
        c.ok(f'SUBSCRIBE "{name}"')


def test_the_separator_is_asked_for_by_two_empty_strings(suite):
    _, c = quiet(suite)
    c.talk(r'''
        C: A101 LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: A101 OK ...
        C: A102 LSUB "" ""
        S: * LSUB (\Noselect) "/" ""
        S: A102 OK ...
    ''')
    # not so in the extended form
    assert c.ok('LIST () "" ""') == []


@pytest.mark.parametrize("pattern, names", [
    ("*", "INBOX Fruit Fruit/Apple Fruit/Banana Tofu Vegetable"
     " Vegetable/Broccoli Vegetable/Corn"),
    ("%", "INBOX Fruit Tofu Vegetable"),
    ("%/%", "Fruit/Apple Fruit/Banana Vegetable/Broccoli Vegetable/Corn"),
    ("Fruit/%", "Fruit/Apple Fruit/Banana"),
    ("Fru*", "Fruit Fruit/Apple Fruit/Banana"),
    ("*an*", "Fruit/Banana"),
    ("inbox", "INBOX"),
    ("iNb%", "INBOX"),
    ("fruit", ""),
    ("Fruit/", ""),
    ("Fruit/Apple", "Fruit/Apple"),
    ("nothing*", ""),
    ("../*", ""),
    ("/etc/*", ""),
    ("*&*", ""),
])
def test_patterns(suite, pattern, names):
    _, c = quiet(suite)
    fruits(c)
    assert set(listed(c, f'LIST "" "{pattern}"')) == set(names.split())


def test_a_reference_stands_in_front(suite):
    _, c = quiet(suite)
    fruits(c)
    assert set(listed(c, 'LIST "Fruit/" "%"')) == {"Fruit/Apple",
                                                   "Fruit/Banana"}
    assert set(listed(c, 'LIST "Vege" "*n"')) == {"Vegetable/Corn"}


def test_children_are_told(suite):
    _, c = quiet(suite)
    fruits(c)
    got = listed(c, 'LIST "" "%" RETURN (CHILDREN)')
    assert got == {"INBOX": {r"\HasNoChildren"}, "Fruit": {r"\HasChildren"},
                   "Tofu": {r"\HasNoChildren"},
                   "Vegetable": {r"\HasChildren"}}


def test_subscribed_names_are_listed_though_they_do_not_exist(suite):
    _, c = quiet(suite)
    fruits(c)
    got = listed(c, 'LIST (SUBSCRIBED) "" "*"')
    assert set(got) == {"INBOX", "Fruit/Banana", "Fruit/Peach", "Vegetable",
                        "Vegetable/Broccoli"}
    assert all(r"\Subscribed" in a for a in got.values())
    assert r"\NonExistent" in got["Fruit/Peach"]
    assert not any(r"\NonExistent" in a for n, a in got.items()
                   if n != "Fruit/Peach")
    # the return option adds no name
    got = listed(c, 'LIST "" "*" RETURN (SUBSCRIBED)')
    assert "Fruit/Peach" not in got and len(got) == 8
    assert r"\Subscribed" in got["Fruit/Banana"]
    assert r"\Subscribed" not in got["Fruit"]
    # nothing is remote here: REMOTE changes nothing
    assert set(listed(c, 'LIST (REMOTE SUBSCRIBED) "" "*"')) == set(
        listed(c, 'LIST (SUBSCRIBED) "" "*"'))


def test_recursivematch(suite):
    """RFC 9051 section 6.3.9.8, examples 7 and 8."""
    _, c = quiet(suite)
    make(c, "foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22",
         "baz2/bar222", "eps2/mamba", "qux2/bar2")
    for name in ("foo2/bar1", "foo2/bar2", "baz2/bar2", "baz2/bar22",
                 "baz2/bar222", "eps2", "eps2/mamba", "qux2/bar2"):
        c.ok(f"SUBSCRIBE {name}")
    lines = [parse(x) for x in
             c.ok('LIST (RECURSIVEMATCH SUBSCRIBED) "" "*2"')]
    child = '("CHILDINFO" ("SUBSCRIBED"))'
    assert {(n, r"\Subscribed" in a, rest) for _, a, n, rest in lines} == {
        ("foo2", False, child), ("foo2/bar2", True, ""),
        ("baz2/bar2", True, ""), ("baz2/bar22", True, ""),
        ("baz2/bar222", True, ""), ("eps2", True, child),
        ("qux2/bar2", True, "")}
    lines = [parse(x) for x in
             c.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"')]
    assert {n for _, _, n, _ in lines} == {"foo2", "baz2", "eps2", "qux2"}
    assert all(rest == child for _, _, _, rest in lines)
    # a parent that does not exist
    c.ok("SUBSCRIBE gone/child")
    got = {n: (a, rest) for _, a, n, rest in
           map(parse, c.ok('LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"'))}
    assert r"\NonExistent" in got["gone"][0] and got["gone"][1] == child


def test_several_patterns_and_each_name_once(suite):
    _, c = quiet(suite)
    fruits(c)
    got = listed(c, 'LIST "" ("INBOX" "Tofu" "T%" "Fruit/%")')
    assert set(got) == {"INBOX", "Tofu", "Fruit/Apple", "Fruit/Banana"}


def test_status_comes_with_those_that_can_be_selected(suite):
    _, c = quiet(suite)
    make(c, "foo")
    c.append("foo", b"Subject: one\r\n\r\ntext\r\n")
    c.ok("SUBSCRIBE foo")
    c.ok("SUBSCRIBE bar")
    lines = c.ok('LIST (SUBSCRIBED) "" "*" RETURN (STATUS (MESSAGES UNSEEN))')
    assert [x for x in lines if b"STATUS" in x] == [
        b"* STATUS foo (MESSAGES 1 UNSEEN 1)"]
    at = lines.index(b"* STATUS foo (MESSAGES 1 UNSEEN 1)")
    assert parse(lines[at - 1])[2] == "foo"


@pytest.mark.parametrize("command", [
    'LIST', 'LIST ""', 'LIST "" "*" x', 'LIST (RECURSIVEMATCH) "" "*"',
    'LIST (REMOTE RECURSIVEMATCH) "" "*"', 'LIST (FUTURE) "" "*"',
    'LIST "" "*" RETURN (FUTURE)', 'LIST "" "*" RETURN (STATUS)',
    'LIST "" "*" RETURN (STATUS (NOTHING))', 'LIST "" () RETURN ()',
    'LSUB (SUBSCRIBED) "" "*"', 'LSUB "" ("a" "b")',
    'LIST "" "*" RETURN (METADATA)', 'LIST "" "*" RETURN (METADATA (x))',
])
def test_what_is_no_list_is_bad(suite, command):
    _, c = quiet(suite)
    c.bad(command)
    c.ok("NOOP")


def test_lsub_tells_levels_that_are_not_subscribed(suite):
    """RFC 3501 section 6.3.9: foo, for foo/bar and "%"."""
    _, c = quiet(suite)
    make(c, "foo/bar")
    c.ok("SUBSCRIBE foo/bar")
    assert set(listed(c, 'LSUB "" "*"')) == {"foo/bar"}
    got = listed(c, 'LSUB "" "%"')
    assert set(got) == {"foo"} and r"\Noselect" in got["foo"]
    c.ok("SUBSCRIBE foo")
    assert r"\Noselect" not in listed(c, 'LSUB "" "%"')["foo"]
    # what is gone stays on the list
    c.ok("DELETE foo/bar")
    assert "foo/bar" in listed(c, 'LSUB "" "*"')
    c.ok("UNSUBSCRIBE foo/bar")
    assert set(listed(c, 'LSUB "" "*"')) == {"foo"}


def test_new_accounts_have_special_folders(suite):
    """R44: made, subscribed and marked, not twice."""
    s = suite(main=PLAIN)
    c = s.imap()
    for text in ('LIST "" *', 'LIST "" * RETURN (SPECIAL-USE)'):
        got = listed(c, text)
        assert set(got) == {"INBOX", *SPECIAL}
        assert all("\\" + name in got[name] for name in SPECIAL)
    assert set(listed(c, 'LIST (SPECIAL-USE) "" *')) == set(SPECIAL)
    assert set(SPECIAL) <= set(listed(c, 'LSUB "" *'))
    # a client that makes its own meets the one there is
    assert b"ALREADYEXISTS" in c.no("CREATE Sent")
    assert b"USEATTR" in c.no(r"CREATE Gesendet (USE (\Sent))")
    assert "Gesendet" not in listed(c, 'LIST "" *')


def test_special_folders_are_those_of_the_settings(suite):
    s = suite(main=PLAIN + "mail_special_folders ="
              " Entwürfe:Drafts, Gesendet:Sent\n")
    c = s.imap()
    got = listed(c, 'LIST "" *')
    assert got["Gesendet"] >= {r"\Sent"}
    assert got["Entw&APw-rfe"] >= {r"\Drafts"}
    assert set(got) == {"INBOX", "Gesendet", "Entw&APw-rfe"}


def test_special_use_at_creation(suite):
    """RFC 6154 section 3."""
    _, c = quiet(suite)
    c.ok(r"CREATE MySpecial (USE (\Drafts))")
    assert r"\Drafts" in listed(c, 'LIST "" *')["MySpecial"]
    assert set(listed(c, 'LIST (SPECIAL-USE) "" *')) == {"MySpecial"}
    assert b"USEATTR" in c.no(r"CREATE Everything (USE (\All))")
    assert b"USEATTR" in c.no(r"CREATE Other (USE (\Future))")
    c.ok("CREATE Plain (USE ())")
    c.bad("CREATE Odd (USE)")
    c.bad("CREATE Odd (FUTURE x)")
    assert set(listed(c, 'LIST "" *')) == {"INBOX", "MySpecial", "Plain"}


def test_rights_and_entries_come_with_the_list(suite):
    """RFC 8440 and RFC 9590."""
    _, c = quiet(suite)
    make(c, "foo")
    c.ok('SETMETADATA foo (/private/comment "mine")')
    lines = c.ok('LIST "" "*" RETURN (MYRIGHTS METADATA (/private/comment))')
    assert b"* MYRIGHTS foo lrswipkxteacd" in lines
    assert b'* METADATA foo (/private/comment "mine")' in lines
    assert b"* METADATA INBOX (/private/comment NIL)" in lines


def test_names_go_out_as_the_client_can_read_them(suite):
    _, c = quiet(suite)
    c.ok('CREATE "Caf&AOk-"')
    make(c, "A&-B")
    assert {"Caf&AOk-", "A&-B"} <= set(listed(c, 'LIST "" *'))
    assert set(listed(c, 'LIST "" "Caf&AOk-"')) == {"Caf&AOk-"}
    c.ok("ENABLE IMAP4rev2")
    assert {"Café", "A&B"} <= set(listed(c, 'LIST "" *'))
    c.send('z LIST "" "Caf\u00e9"\r\n')
    word, _, lines = c.finish(b"z")
    assert word == "OK" and [parse(x)[2] for x in lines] == ["Café"]


def test_a_pattern_of_stars_costs_nothing(suite):
    _, c = quiet(suite)
    for i in range(20):
        make(c, f"{'a' * 100}{i}")
    assert listed(c, 'LIST "" "' + "*a" * 400 + '*b"') == {}
    c.ok("NOOP")
