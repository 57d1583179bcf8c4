# SPDX-License-Identifier: ISC
"""Scripted servers of socketmap: and tcp: tables."""
import socket
import threading
import urllib.parse

from posthaste import free_port

ENTRIES = {"sales@example.test": "bob@example.test",
           "o'brien@example.test": "carol@example.test",
           "a b%c@example.test": "carol@example.test"}


class Wire:
    """A server whose answers a function makes; None: it hangs up."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []
        self.connections = 0
        self.port = free_port()
        self.open()

    def open(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(16)
        self.peers = []
        threading.Thread(target=self.accept, args=(self.listener,),
                         daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(peer)
            threading.Thread(target=self.serve, args=(peer,),
                             daemon=True).start()

    def serve(self, peer):
        f = peer.makefile("rb")
        try:
            while True:
                question = self.question(f)
                if question is None:
                    return
                self.asked.append(question)
                answer = self.answer(question)
                if answer is None:
                    return
                peer.sendall(answer)
        except (OSError, ValueError):
            pass
        finally:
            peer.close()

    def question(self, f):
        raise NotImplementedError

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        for peer in self.peers:
            try:
                peer.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def netstring(text):
    return b"%d:%s," % (len(text), text)


def read_netstring(f):
    """The next one; None: the end."""
    digits = b""
    while not digits.endswith(b":"):
        c = f.read(1)
        if not c:
            return None
        digits += c
    text = f.read(int(digits[:-1]))
    assert f.read(1) == b","
    return text


class Socketmap(Wire):
    type = "socketmap"

    def question(self, f):
        text = read_netstring(f)
        if text is None:
            return None
        name, key = text.split(b" ", 1)
        assert name == b"aliases"
        return key.decode("utf-8", "surrogateescape")

    def spec(self):
        return f"socketmap:inet:127.0.0.1:{self.port}:aliases"

    @staticmethod
    def good(key):
        if key in ENTRIES:
            return netstring(b"OK " + ENTRIES[key].encode())
        return netstring(b"NOTFOUND ")


class Tcp(Wire):
    type = "tcp"

    def question(self, f):
        line = f.readline()
        if not line:
            return None
        assert line.startswith(b"get ") and line.endswith(b"\n")
        return urllib.parse.unquote(line[4:-1].decode("ascii"))

    def spec(self):
        return f"tcp:127.0.0.1:{self.port}"

    @staticmethod
    def good(key):
        if key in ENTRIES:
            return b"200 " + ENTRIES[key].replace("@", "%40").encode() + b"\n"
        return b"500 not%20here\n"
