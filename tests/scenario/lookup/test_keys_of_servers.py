# SPDX-License-Identifier: ISC
"""What a table's server is asked through lookup: whole keys where the type is
asked as patterns are, and every table that a setting names."""
import pytest

from lookup_client import FOUND, NONE, OK, Lookup
from wire_servers import Socketmap, Tcp, netstring


@pytest.mark.parametrize("form", ["{}", "unionmap:{{{}}}", "debug:{}"])
@pytest.mark.parametrize("kind", [Socketmap, Tcp])
def test_no_parts_of_addresses(suite, wire, kind, form):
    s = suite(start=False)
    server = wire(kind)
    spec = form.format(server.spec())
    s.set(virtual_alias_maps=spec, transport_maps=spec,
          smtpd_recipient_restrictions=f"check_recipient_access {spec}, permit")
    s.start()
    server.asked.clear()  # what the check at the start asks
    lookup = Lookup(s)
    # the same from the table itself, of addresses and their parts
    assert lookup.query(spec, "x+y@example.test", "x@example.test", "x+y",
                        "@example.test") == (NONE, 0, "")
    assert lookup.query(spec, "x+y@example.test", address=True)[0] == NONE
    assert set(server.asked) == {"x+y@example.test"}
    lookup.resolve("bob+y@example.test")
    lookup.expand("bob+y@example.test")
    with s.smtp() as c:
        c.ehlo()
        c.mail("alice@example.test")
        assert c.rcpt("bob+y@example.test")[0] == 250
    assert "bob+y@example.test" in server.asked
    assert not {"bob@example.test", "bob+y", "bob", "@example.test",
                "test", ".test"} & set(server.asked), server.asked
    # as transport(5) says for patterns: the address, and the default
    assert set(server.asked) <= {"x+y@example.test", "bob+y@example.test",
                                 "example.test", "*"}, server.asked


def test_one_table_with_parts_beside_it(suite, wire):
    """A union of both kinds is asked for parts, as before."""
    s = suite(start=False)
    server = wire(Socketmap)
    s.write("virtual", "@example.test bob@example.test\n")
    spec = f"unionmap:{{texthash:{s.root}/etc/virtual, {server.spec()}}}"
    s.set(virtual_alias_maps=spec)
    s.start()
    assert Lookup(s).query(spec, "x@example.test",
                           "@example.test") == (FOUND, 1, "bob@example.test")


def test_domains_of_ours_for_the_client(suite, wire):
    """lookup-smtp asks a server for mydestination where generic(5) is used."""
    s = suite(start=False)
    server = wire(Socketmap, lambda key: netstring(
        b"OK x" if key == "ours.test" else b"NOTFOUND "))
    s.write("generic", "sales@ours.test outside@other.test\n"
            "team outside@team.test\n")
    generic = f"texthash:{s.root}/etc/generic"
    s.set(mydestination=f"localhost, {server.spec()}",
          smtp_generic_maps=generic)
    s.start()
    name, fields = Lookup(s, "lookup-smtp").asked(
        "generic", tables=generic, addresses=[
            {"address": a} for a in ("sales@ours.test", "team@ours.test",
                                     "team@elsewhere.test")])
    assert (name, fields["verdict"]) == ("rewrite_reply", OK), fields
    assert [a["address"] for a in fields["addresses"]] == [
        "outside@other.test", "outside@team.test", "team@elsewhere.test"]
    assert "ours.test" in server.asked
    assert "lookup error" not in s.log()


@pytest.mark.parametrize("enabled, asked", [("yes", "äb@example.test"),
                                            ("no", "Äb@example.test")])
def test_folding_is_as_settings_say(suite, wire, enabled, asked):
    s = suite(start=False)
    server = wire(Socketmap)
    s.set(virtual_alias_maps=server.spec(), smtputf8_enable=enabled)
    s.start()
    server.asked.clear()
    assert Lookup(s).query(server.spec(), "ÄB@example.test")[0] == NONE
    assert server.asked == [asked]


def test_long_keys(suite, wire):
    """What another table has found is a key as well, up to 4096 bytes."""
    s = suite(start=False)
    server = wire(Socketmap, lambda key: netstring(b"OK %d" % len(key)))
    s.write("first", f"a {'x' * 4096}\nb {'x' * 4097}\n")
    spec = f"pipemap:{{texthash:{s.root}/etc/first, {server.spec()}}}"
    s.set(virtual_alias_maps=spec)
    s.start()
    lookup = Lookup(s)
    assert lookup.query(spec, "a")[::2] == (FOUND, "4096")
    assert lookup.query(spec, "b")[0] == NONE
