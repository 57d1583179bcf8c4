# SPDX-License-Identifier: ISC
"""Accounts that only root can read are the new ones soon after they changed,
however busy auth-session is with other accounts."""
import threading
import time

import pytest

import scripted_redis
from ipc_client import Declined, Ipc
from posthaste import AS_ROOT, CHANGE_COUNTS, PASSWORD
from test_table_accounts import PROTOCOLS, login

OK, LATER, NEVER = range(3)


def find(s, name):
    """As programs ask: who is declined asks the next process."""
    for _ in range(10):
        c = Ipc(s, "auth-session", "auth")
        c.socket.settimeout(60)
        try:
            return c.ask("find_account", address=name,
                         local=False)[1]["verdict"]
        except Declined:
            pass
        finally:
            c.close()
    raise AssertionError("declined by each process")


class Busy:
    """There always is a question under way."""

    def __init__(self, s):
        self.over = False
        self.lost = []
        self.threads = [threading.Thread(target=self.ask, args=(s, i))
                        for i in range(4)]

    def __enter__(self):
        for t in self.threads:
            t.start()
            time.sleep(0.5)  # each asks in another part of a second
        return self

    def __exit__(self, *_):
        self.over = True
        for t in self.threads:
            t.join()

    def ask(self, s, i):
        while not self.over:
            i += 10
            try:
                if find(s, f"u{i}@example.test") != OK:
                    self.lost.append(i)
            except (EOFError, OSError) as e:
                self.lost.append(e)


def test_they_count_at_once(suite):
    redis = scripted_redis.Redis(scripted_redis.slowly(2))
    s = scripted_redis.site(suite, redis)
    folder = s.root / "etc/secret"
    folder.mkdir(mode=0o711)

    def write(name):
        new = folder / "new"
        new.write_text(f"{name}@example.test password={{PLAIN}}{PASSWORD}\n")
        new.chmod(0o600)
        new.rename(folder / "accounts")
    write("zoe")
    s.stop()
    s.set(account_files=f"texthash:{folder}/accounts,"
                        f" redis:{s.root}/etc/accounts.cf")
    s.start()
    assert find(s, "zoe@example.test") == OK
    with Busy(s) as busy:
        write("yves")
        changed = time.monotonic()
        while find(s, "yves@example.test") != OK:
            assert time.monotonic() - changed < 10
            time.sleep(0.1)
        assert find(s, "zoe@example.test") == NEVER
    # those that were under way were answered
    assert not busy.lost
    redis.close()


def roots_alone(suite, **settings):
    """A site, and what gives all its accounts another password."""
    redis = scripted_redis.Redis()  # not asked
    s = scripted_redis.site(suite, redis)
    redis.close()
    folder = s.root / "etc/secret"
    folder.mkdir(mode=0o711)
    accounts = folder / "accounts"

    def write(password):
        accounts.write_text("".join(
            f"{p}@example.test password={{PLAIN}}{password}\n"
            for p in PROTOCOLS))
        accounts.chmod(0o600)
    write("old word")
    s.stop()
    s.set(account_files=f"texthash:{accounts}", **settings)
    s.start()
    return s, write


@pytest.mark.skipif(not AS_ROOT, reason="auth reads all it needs")
def test_the_first_login_is_judged_by_the_new_ones(suite):
    s, write = roots_alone(suite)
    words = ["old word", "newer word", "last word", "old word"]
    for i, (old, new) in enumerate(zip(words, words[1:])):
        for p in PROTOCOLS:
            assert login(s, p, f"{p}@example.test", old) == ""
        write(new)
        time.sleep(CHANGE_COUNTS)
        # each is the first for some protocol; none costs a right one anything
        for p in PROTOCOLS[i:] + PROTOCOLS[:i]:
            assert login(s, p, f"{p}@example.test", old) != ""
            assert login(s, p, f"{p}@example.test", new) == ""


def login_held(s):
    """A client that has been asked for its name, and is silent."""
    c = Ipc(s, "auth", "auth")
    assert c.ask("authenticate", service="smtp", mechanism="LOGIN",
                 client="192.0.2.9", server="mx.test", tls=True, binding=b"",
                 has_initial=False, initial=b"")[0] == "challenge"
    return c


@pytest.mark.skipif(not AS_ROOT, reason="auth reads all it needs")
def test_a_login_under_way_keeps_nobody_out(suite):
    s, write = roots_alone(suite, auth_mechanisms="plain login")
    held = login_held(s)
    write("newer word")
    time.sleep(CHANGE_COUNTS)
    for p in PROTOCOLS:
        assert login(s, p, f"{p}@example.test", "newer word") == ""
    held.close()


@pytest.mark.skipif(not AS_ROOT, reason="auth reads all it needs")
def test_what_the_old_ones_say_is_no_free_guess(suite):
    s, write = roots_alone(suite, auth_mechanisms="plain login",
                           auth_failure_delay_max="5")
    name = PROTOCOLS[0].encode() + b"@example.test"
    clients = [login_held(s), login_held(s)]
    for c in clients:
        assert c.ask("response", data=name, cancel=False)[0] == "challenge"
    write("newer word")
    time.sleep(CHANGE_COUNTS)
    guessed, right = (
        c.ask("response", data=word, cancel=False)[1]
        for c, word in zip(clients, [b"a guess", b"old word"]))
    # neither is judged by what is no more; the guess costs what it did
    assert (guessed["verdict"], guessed["ticket"]) == (LATER, "")
    assert guessed["delay_ms"] > 0
    assert (right["verdict"], right["ticket"]) == (LATER, "")
    assert right["delay_ms"] == 0


@pytest.mark.skipif(not AS_ROOT, reason="auth reads all it needs")
def test_who_leaves_hears_nobody(suite):
    s, write = roots_alone(suite)
    clients = [Ipc(s, "auth-session", "auth") for _ in range(2)]

    def ask(c):
        return c.ask("find_account", address=f"{PROTOCOLS[0]}@example.test",
                     local=False)[1]["verdict"]
    assert [ask(c) for c in clients] == [OK, OK]
    write("newer word")
    time.sleep(CHANGE_COUNTS)
    with pytest.raises(Declined):
        ask(clients[0])
    # on a connection that was quiet: told by the kernel, not by an answer
    with pytest.raises(BrokenPipeError):
        ask(clients[1])
