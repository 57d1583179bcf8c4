# SPDX-License-Identifier: ISC
"""A Redis server whose every answer the test decides: accounts uN@example.test
with the password pw-uN."""
import re
import socket
import threading
import time

import pytest

from posthaste import ROOT, owner_ids

NONE = b"$-1\r\n"
LOADING = b"-LOADING Redis is loading the dataset in memory\r\n"


def entry(key):
    user = re.fullmatch(r"(u\d+)@example\.test", key)
    if not user:
        return NONE
    text = f"password={{PLAIN}}pw-{user[1]}".encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


class Redis:
    """answer(key) gives the bytes, or None for silence; it may sleep."""

    def __init__(self, answer=entry):
        self.answer = answer
        self.asked = []
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                c = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(c)
            threading.Thread(target=self._serve, args=(c,),
                             daemon=True).start()

    def _serve(self, c):
        try:
            with c.makefile("rb") as f:
                while line := f.readline():
                    words = []
                    for _ in range(int(line[1:])):
                        words.append(f.read(int(f.readline()[1:])))
                        f.read(2)
                    key = words[-1].decode()
                    self.asked.append(key)
                    said = self.answer(key)
                    if said is not None:
                        c.sendall(said)
        except OSError:
            pass

    def close(self):
        self.listener.close()
        for c in self.connections:
            c.close()


def slowly(seconds):
    def answer(key):
        time.sleep(seconds)
        return entry(key)
    return answer


def site(suite, redis, main="", files="", **more):
    """Accounts are the server's; those named in files are looked for first."""
    if not list(ROOT.glob("**/table_redis.so")):
        pytest.skip("built without Redis")
    uid, gid = owner_ids()
    s = suite(start=False)
    first = [line for line in s.main_cf.splitlines(True)
             if not line.startswith("account_files")]
    s.write("main.cf", "".join(first) + "auth_failure_delay_max = 0\n" + main)
    lines = {"hosts": f"127.0.0.1:{redis.port}", "query": "GET %s", **more}
    path = s.write("accounts.cf",
                   "".join(f"{k} = {v}\n" for k, v in lines.items()))
    path.chmod(0o600)
    accounts = s.root / "etc/accounts"
    accounts.write_text("".join(s.account(name) for name in files.split()))
    s.set(account_files=(f"{accounts}, " if files else "") + f"redis:{path}",
          account_uid=uid, account_gid=gid, account_home="/nonexistent",
          account_mail=f"maildir:{s.root}/mail/%d/%n",
          account_domain="example.test")
    return s.start()
