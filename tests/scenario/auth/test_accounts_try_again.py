# SPDX-License-Identifier: ISC
"""A server of accounts that says "try again" makes nobody another one, and no
password wrong."""
import subprocess

import pytest

import scripted_redis
from ipc_client import Ipc
from posthaste import ROOT

MECHANISMS = "auth_mechanisms = plain login cram-md5 scram-sha-256\n"
OK, LATER, NEVER = range(3)


class Loading(scripted_redis.Redis):
    """Says it is loading to the next so many questions."""

    def __init__(self):
        self.loading = 0
        super().__init__(self.say)

    def say(self, key):
        if self.loading == 0:
            return scripted_redis.entry(key)
        self.loading -= 1
        return scripted_redis.LOADING


@pytest.fixture
def redis():
    made = Loading()
    yield made
    made.close()


def attempt(s, mechanism, *words):
    """The last word that auth says to these of the client."""
    c = Ipc(s, "auth", "auth")
    try:
        kind, said = c.ask(
            "authenticate", service="smtp", mechanism=mechanism,
            client="192.0.2.9", server="mx.test", tls=True, binding=b"",
            has_initial=mechanism not in ("LOGIN", "CRAM-MD5"),
            initial=words[0] if mechanism not in ("LOGIN", "CRAM-MD5")
            else b"")
        for word in words[mechanism not in ("LOGIN", "CRAM-MD5"):]:
            if kind != "challenge":
                break
            kind, said = c.ask("response", cancel=False, data=word)
        assert kind == "authenticated"
        return said
    finally:
        c.close()


@pytest.mark.parametrize("mechanism, words", [
    ("PLAIN", [b"\0u1\0pw-u1"]),
    ("PLAIN", [b"u1\0u1@example.test\0pw-u1"]),
    ("LOGIN", [b"u1", b"pw-u1"]),
    ("CRAM-MD5", [b"u1 0123456789abcdef0123456789abcdef"]),
    ("SCRAM-SHA-256", [b"n,,n=u1,r=fyko+d2lbbFgONRv9qkx"]),
])
def test_one_question_of_a_login(suite, redis, mechanism, words):
    s = scripted_redis.site(suite, redis, MECHANISMS)
    # another's: what a server said of somebody holds for a moment
    assert attempt(s, "PLAIN", b"\0u9\0pw-u9")["verdict"] == OK
    redis.loading = 1
    assert attempt(s, mechanism, *words)["verdict"] == LATER
    assert redis.loading == 0
    said = attempt(s, "PLAIN", b"\0u1\0pw-u1")
    assert (said["verdict"], said["user"]) == (OK, "u1@example.test")


def test_an_app_password_is_not_wrong(suite, redis):
    s = scripted_redis.site(
        suite, redis, "account_app_password_file = $config_directory/app\n")
    s.stop()
    word = subprocess.run(
        [ROOT / "sbin/postaccount", "-c", s.root / "etc", "app-password",
         "add", "u1@example.test", "phone"], check=True, capture_output=True,
        text=True).stdout.strip()
    (s.root / "etc/app").chmod(0o640)
    s.start()
    plain = b"\0u1\0" + word.encode()
    assert attempt(s, "PLAIN", b"\0u9\0pw-u9")["verdict"] == OK
    redis.loading = 1
    assert attempt(s, "PLAIN", plain)["verdict"] == LATER
    assert attempt(s, "PLAIN", plain)["user"] == "u1@example.test"
