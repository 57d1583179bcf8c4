# SPDX-License-Identifier: ISC
"""local_login_sender_maps: under which addresses a user of this machine may
send; postdrop sees to it, whatever sendmail says."""
import os
import socket

import pytest

import drops
from posthaste import AS_ROOT

ROWS = [
    # what the table has for "nobody", sender, may it
    ("nobody", "nobody", True),
    ("nobody@example.test", "nobody", False),
    ("nobody", "nobody@example.test", False),
    ("nobody nobody@example.test", "nobody@Example.TEST", True),
    ("a@b.test,nobody@example.test", "nobody+lists@example.test", True),
    ("nobody@example.test", "nobody+x@other.test", False),
    ("@example.test", "anybody@example.test", True),
    ("@example.test", "anybody@sub.example.test", False),
    ("@example.test", "anybody", False),
    ("@example.test", "<>", False),
    ("<>", "<>", True),
    ("<>", "nobody", False),
    ("*", "anybody@anywhere.test", True),
    ("*@example.test", "anybody@example.test", False),
]


@pytest.fixture
def site(suite):
    s = suite(start=False)
    drops.prepare(s)
    return s


def send(s, sender, user="nobody"):
    return drops.run(s, "sendmail", "-f", sender, "bob@example.test",
                     stdin="Subject: x\n\nx\n", user=user)


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
def test_patterns(site):
    for pattern, sender, may in ROWS:
        (site.root / "etc/senders").write_text(f"nobody {pattern}\n")
        site.set(local_login_sender_maps="texthash:${config_directory}/senders")
        done = send(site, sender)
        assert (done.returncode == 0) == may, (pattern, sender, done)
        if not may:
            assert b"sender address rejected: not owned by user nobody" in \
                done.stderr, (pattern, sender, done)
    assert len(drops.files(site)) == sum(may for _, _, may in ROWS)


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
def test_who_is_in_no_table_sends_as_nobody(site):
    site.set(local_login_sender_maps="inline:{{root = *}}")
    assert send(site, "nobody").returncode != 0
    assert send(site, "<>").returncode != 0
    assert send(site, "anybody@anywhere.test", user=None).returncode == 0
    assert len(drops.files(site)) == 1


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
def test_a_user_without_a_name(site):
    site.set(local_login_sender_maps="inline:{{uid:54321 = a@example.test}}")
    assert send(site, "a@example.test", user=54321).returncode == 0
    assert send(site, "b@example.test", user=54321).returncode != 0


@pytest.mark.skipif(not AS_ROOT, reason="needs other users")
def test_other_words_for_the_null_sender(site):
    site.set(local_login_sender_maps="inline:{{nobody = EMPTY}}",
             empty_address_local_login_sender_maps_lookup_key="EMPTY")
    assert send(site, "<>").returncode == 0
    assert send(site, "nobody").returncode != 0


def test_a_table_that_is_not_there_permits_nothing(site):
    site.set(local_login_sender_maps=f"texthash:{site.root}/nowhere")
    done = drops.run(site, "sendmail", "-f", "a@example.test",
                     "bob@example.test", stdin="x\n")
    assert done.returncode == os.EX_TEMPFAIL
    assert b"local_login_sender_maps: " in done.stderr
    assert not drops.files(site)


def test_a_server_that_is_down_permits_nothing(site):
    """postdrop asks it itself."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and nobody listens
        port = silent.getsockname()[1]
        site.set(local_login_sender_maps=f"socketmap:inet:127.0.0.1:{port}"
                                         ":senders")
        done = drops.run(site, "sendmail", "-f", "a@example.test",
                         "bob@example.test", stdin="x\n")
        assert done.returncode == os.EX_TEMPFAIL
        assert b"local_login_sender_maps: " in done.stderr
    assert not drops.files(site)
