# SPDX-License-Identifier: ISC
"""The client's side of SCRAM."""
import base64
import hashlib
import hmac
import os


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data
                            ).decode()


class Scram:
    """A client of SCRAM, RFC 5802 section 3."""

    def __init__(self, digest, user="bob", password="posthaste"):
        self.digest, self.password = digest, password.encode()
        self.nonce = b64(os.urandom(15))
        self.bare = f"n={user},r={self.nonce}"
        self.first = "n,," + self.bare

    def final(self, challenge):
        """The second message; self.proof is then what the server must say."""
        got = dict(x.split("=", 1) for x in challenge.split(","))
        assert got["r"].startswith(self.nonce) and got["r"] != self.nonce
        assert int(got["i"]) >= 4096
        salted = hashlib.pbkdf2_hmac(
            self.digest, self.password, base64.b64decode(got["s"]),
            int(got["i"]))
        key = self.hmac(salted, "Client Key")
        without = f"c={b64('n,,')},r={got['r']}"
        text = f"{self.bare},{challenge},{without}"
        sign = self.hmac(hashlib.new(self.digest, key).digest(), text)
        self.proof = "v=" + b64(self.hmac(self.hmac(salted, "Server Key"),
                                          text))
        return f"{without},p={b64(bytes(a ^ b for a, b in zip(key, sign)))}"

    def hmac(self, key, text):
        return hmac.digest(key, text.encode(), self.digest)
