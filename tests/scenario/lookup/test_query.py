# SPDX-License-Identifier: ISC
"""Tables by name: those of the settings, and no others."""
import os

import pytest

from lookup_client import AGAIN, BROKEN, FOUND, NONE, Lookup
from posthaste import AS_ROOT, free_port, wait_for

MAIN = """\
smtpd_recipient_restrictions = check_recipient_access
  inline:{{a@x.test=REJECT,x.test=DUNNO}}, reject_unauth_destination
smtpd_restriction_classes = strict
strict = check_sender_access texthash:$config_directory/strict, reject
transport_maps = fail:on-purpose
"""


@pytest.fixture
def instance(suite):
    made = suite(main=MAIN.replace("{{", "{").replace("}}", "}"),
                 master="extra unix - - n - - error\n"
                        "  -o sender_bcc_maps=pcre:$config_directory/checks\n",
                 start=False)
    made.write("strict", "bad.test REJECT\n")
    made.write("checks", "/bad/ REJECT bad\n/./ FOUND\n")
    return made.start()


@pytest.fixture
def lookup(instance):
    client = Lookup(instance)
    yield client
    client.close()


def test_tables_of_restrictions_classes_and_overrides(instance, lookup):
    inline = "inline:{a@x.test=REJECT,x.test=DUNNO}"
    assert lookup.query(inline, "A@x.test", "x.test") == (FOUND, 0, "REJECT")
    assert lookup.query(inline, "b@x.test", "x.test") == (FOUND, 1, "DUNNO")
    assert lookup.query(inline, "b@y.test", "y.test")[0] == NONE
    strict = f"texthash:{instance.root}/etc/strict"
    assert lookup.query(strict, "bad.test")[2] == "REJECT"
    assert lookup.query("proxy:" + strict, "bad.test")[2] == "REJECT"
    checks = f"pcre:{instance.root}/etc/checks"
    assert lookup.query(checks, "so bad")[2] == "REJECT bad"
    assert lookup.query(f"{strict}, {checks}", "bad.test")[2] == "REJECT"


def test_patterns_are_shown_whole_keys_alone(instance, lookup):
    checks = f"pcre:{instance.root}/etc/checks"
    strict = f"texthash:{instance.root}/etc/strict"
    both = f"{strict} {checks}"
    assert lookup.query(checks, "", "bad")[0] == NONE
    assert lookup.query(both, "", "bad.test") == (FOUND, 1, "REJECT")


def test_a_failing_table_is_again(lookup):
    assert lookup.query("fail:on-purpose", "x")[0] == AGAIN


def test_no_other_table_can_be_asked(instance, lookup):
    for table in ("texthash:/etc/passwd", "texthash:/etc/shadow",
                  "static:x", "unix:group.byname",
                  f"texthash:{instance.root}/etc/main.cf",
                  f"cdb:{instance.root}/etc/strict",
                  f"texthash:{instance.root}/etc/strict,static:x"):
        assert lookup.query(table, "root")[0] == BROKEN, table
    instance.wait_log("warning: .*is in no setting")


PASSWORDS = """\
passwords = static:me:secret
smtp_sasl_password_maps = $passwords, inline:{a.test=b:c}
smtp_tls_policy_maps = inline:{a.test=encrypt}
lmtp_sasl_password_maps = inline:{a.test=d:e}
"""


def test_relay_passwords_are_told_to_smtp_alone(suite):
    """programs.def lets smtp reach lookup-smtp, and nobody else."""
    instance = suite(main=PASSWORDS, master=(
        "other unix - - n - - smtp\n"
        "  -o smtp_sasl_password_maps=inline:{{a.test=x:y}}\n"
        "  -o more=inline:{{a.test=v:w}} -o lmtp_sasl_password_maps=$more\n"
    ).replace("{{", "{").replace("}}", "}"))
    everybody, smtp = Lookup(instance), Lookup(instance, "lookup-smtp")
    for table, value in (("static:me:secret", "me:secret"),
                         ("inline:{a.test=b:c}", "b:c"),
                         ("inline:{a.test=d:e}", "d:e"),
                         ("inline:{a.test=x:y}", "x:y"),
                         ("inline:{a.test=v:w}", "v:w"),
                         ("inline:{a.test=encrypt}", "encrypt")):
        assert everybody.query(table, "a.test")[0] == BROKEN, table
        assert smtp.query(table, "a.test")[::2] == (FOUND, value), table
    virtual = f"texthash:{instance.root}/etc/virtual"
    assert everybody.query(virtual, "postmaster@example.test")[0] == FOUND
    assert smtp.query(virtual, "postmaster@example.test")[0] == BROKEN
    everybody.close()
    smtp.send("resolve", sender="", recipients=[{"address": "x@y.test"}])
    with pytest.raises(EOFError):
        smtp.receive()


def test_classes_of_a_service_of_its_own(suite):
    instance = suite(main="ours = check_sender_access inline:{c=d}\n",
                     master=f"127.0.0.1:{free_port()} inet n - n - 1 smtpd\n"
                            "  -o smtpd_restriction_classes=theirs\n"
                            "  -o {{ theirs = check_sender_access "
                            "inline:{{a=b}}, $ours }}\n"
                            .replace("{{", "{").replace("}}", "}"))
    lookup = Lookup(instance)
    assert lookup.query("inline:{a=b}", "a")[2] == "b"
    assert lookup.query("inline:{c=d}", "c")[2] == "d"
    lookup.close()


@pytest.mark.skipif(not AS_ROOT, reason="needs separated users")
def test_table_that_root_alone_can_read(suite):
    instance = suite(main="transport_maps = "
                          "texthash:$config_directory/secret\n", start=False)
    path = instance.write("secret", "a 1\n")
    os.chmod(path, 0o600)
    instance.start()
    table = f"texthash:{path}"

    def ask():
        client = Lookup(instance)
        try:
            return client.query(table, "a")[2]
        finally:
            client.close()
    assert ask() == "1"
    path.write_text("a 22\n")
    wait_for("the new content", lambda: ask() == "22")
    instance.wait_log("secret has changed -- restarting")
