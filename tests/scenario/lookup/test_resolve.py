# SPDX-License-Identifier: ISC
"""What lookup answers about addresses, in a running suite."""
import pytest

from lookup_client import (ALIAS, DEFAULT, LATER, LOCAL, NEVER, OK, VIRTUAL,
                           Lookup)
from posthaste import wait_for


@pytest.fixture
def lookup(suite):
    """lookup(**options of suite) -> (instance, client)"""
    made = []

    def make(**options):
        instance = suite(**options)
        made.append(Lookup(instance))
        return instance, made[-1]

    yield make
    for client in made:
        client.close()


def test_mailbox_user_is_final(lookup):
    _, client = lookup()
    answer = client.resolve("Bob@Example.Test")
    assert answer["verdict"] == OK
    assert answer["class"] == VIRTUAL
    assert answer["address"] == "Bob@Example.Test"
    assert answer["final"]
    assert (answer["transport"], answer["nexthop"]) == ("virtual",
                                                        "example.test")


def test_system_users_are_found_when_confined(lookup):
    _, client = lookup(main="local_recipient_maps = unix:passwd.byname\n")
    root, nobody = client.resolve("root@local.test", "no-such@local.test")
    assert (root["verdict"], root["class"]) == (OK, LOCAL)
    assert (nobody["verdict"], nobody["dsn"]) == (NEVER, "5.1.1")
    assert nobody["text"] == "User unknown in local recipient table"


def test_missing_table_is_later_never_unknown_user(lookup):
    instance, client = lookup()
    (instance.root / "etc/mailboxes").unlink()

    def gone():
        answer = client.resolve("bob@example.test")
        return answer["verdict"] == LATER and answer
    answer = wait_for("a temporary failure", gone)
    assert (answer["dsn"], answer["text"]) == ("4.3.0",
                                               "Temporary lookup failure")
    instance.wait_log("warning: .*mailboxes: No such file")


def test_changed_table_is_seen_within_a_second(lookup):
    instance, client = lookup()
    assert client.resolve("new@example.test")["verdict"] == NEVER
    instance.write("mailboxes", "new@example.test example.test/new/\n")
    wait_for("the new mailbox", lambda: client.resolve(
        "new@example.test")["verdict"] == OK)
    assert client.resolve("bob@example.test")["verdict"] == NEVER


def test_table_built_by_postmap_is_seen(suite):
    instance = suite(
        main="virtual_mailbox_maps = hash:$config_directory/boxes\n",
        start=False)
    instance.write("boxes", "bob@example.test x/\n")
    instance.command("postmap", f"hash:{instance.root}/etc/boxes")
    instance.start()
    client = Lookup(instance)
    assert client.resolve("bob@example.test")["verdict"] == OK
    instance.write("boxes", "alice@example.test x/\n")
    instance.command("postmap", f"hash:{instance.root}/etc/boxes")
    wait_for("the new table", lambda: client.resolve(
        "alice@example.test")["verdict"] == OK)
    assert client.resolve("bob@example.test")["verdict"] == NEVER
    client.close()


def test_alias_that_names_itself_ends(lookup):
    instance, client = lookup()
    instance.write("virtual", "a@else.test b@else.test\n"
                              "b@else.test a@else.test\n"
                              "c@else.test c@else.test, d@else.test\n")

    def expanded(address):
        return sorted(d["address"] for d in client.expand(address)["results"])
    wait_for("the aliases", lambda: expanded("c@else.test") ==
             ["c@else.test", "d@else.test"])
    assert expanded("a@else.test") == ["a@else.test"]


def test_alias_without_end_is_later(suite):
    instance = suite(
        main="virtual_alias_maps = pcre:$config_directory/endless\n",
        start=False)
    instance.write("endless", "/^(.*)@endless.test$/ x$1@endless.test\n")
    instance.start()
    client = Lookup(instance)
    answer = client.expand("a@endless.test")
    assert answer["verdict"] == LATER
    assert answer["text"] == "Alias expansion error"
    instance.wait_log("warning: unreasonable virtual_alias_maps")
    client.close()


def test_routes_through_us_are_relaying(lookup):
    _, client = lookup()
    for address in ("x%else.test@local.test", "else.test!x@local.test",
                    "x@else.test@local.test", "@local.test:x@else.test"):
        answer = client.resolve(address)
        assert answer["class"] == DEFAULT, address
        assert answer["address"] == "x@else.test"


def test_virtual_alias_domain_without_the_alias(lookup):
    _, client = lookup(main="virtual_alias_domains = alias.test\n")
    answer = client.resolve("x@alias.test")
    assert (answer["verdict"], answer["class"]) == (NEVER, ALIAS)
    assert answer["text"] == "User unknown in virtual alias table"


def test_canonical_addresses(lookup):
    _, client = lookup(
        main="sender_canonical_maps = inline:{old@else.test=new@else.test}\n"
             "canonical_maps = inline:{bob=robert}\n")
    assert client.rewrite(0, "old@else.test", "bob", "")["addresses"] == [
        {"address": "new@else.test"}, {"address": "robert@mx.example.test"},
        {"address": ""}]
    assert client.rewrite(1, "old@else.test")["addresses"] == [
        {"address": "old@else.test"}]
