# SPDX-License-Identifier: ISC
"""What was answered with 250, and where it is in the end.

An entry is a token, which is a message's X-Id, and where it must be found.
What sessions took out of a mailbox on demand is told to taken(). A report
about a message has its token in its text.
"""
import collections
import re
import threading

from chaos_site import RECIPIENTS

TOKEN = re.compile(rb"^X-Id: (token-[\w-]+-end)\r?$", re.M)
IN_REPORT = re.compile(rb"token-[\w-]+-end")


def tokens_of(text):
    """(the message's token, or None; those a report is about)"""
    head, _, rest = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    if b"multipart/report" in head:
        return None, set(IN_REPORT.findall(rest))
    own = TOKEN.search(head)
    return own and own[1], set()


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.wanted = collections.Counter()  # (token, place)
        self.ids = {}  # token: queue id
        self.fetched = collections.Counter()
        self.total = 0

    def accepted(self, token, recipients, queue_id=None, report=False):
        with self.lock:
            self.total += len(recipients)
            self.ids[token] = queue_id
            for recipient in recipients:
                for place in RECIPIENTS[recipient]:
                    self.wanted[token, place] += 1
            if report:
                self.wanted[token, "report"] += 1

    def taken(self, text, place):
        own, _ = tokens_of(text)
        if own:
            with self.lock:
                self.fetched[own.decode(), place] += 1

    def copies(self, site):
        """How often each token is in each place."""
        found = collections.Counter(self.fetched)
        for user in ("alice", "bob", "carol", "dave", "erin"):
            for text in site.suite.messages(user):
                note(found, text, user)
        files = site.suite.root / "files"
        for place in ("command", "pipe"):
            for path in (files / place).glob("got.*"):
                note(found, path.read_bytes(), place)
        for path in (files / "folder").glob("new/*"):
            note(found, path.read_bytes(), "folder")
        for path, place in ((files / "file", "file"), (site.mbox, "mbox")):
            if path.exists():
                for own in TOKEN.findall(path.read_bytes()):
                    found[own.decode(), place] += 1
        for host, place in ((site.sink, "sink"), (site.named, "sink"),
                            (site.lmtp, "lmtp")):
            for _, _, text in host.server.messages:
                note(found, text, place)
        return found

    def balance(self, site):
        """What is lost, and of what there are more copies than needed."""
        found = self.copies(site)
        lost = [key for key, n in self.wanted.items() if found[key] < n]
        more = {key: (found[key], n) for key, n in self.wanted.items()
                if found[key] > n}
        return lost, more

    def story(self, site, token):
        """What the log says about the message with this token."""
        if not self.ids.get(token):
            return f"{token} came in through sendmail"
        done = site.suite.command("posttrace", self.ids[token], check=False)
        return self.ids[token] + "\n" + done.out + done.err

    def forget(self, site):
        """Begins anew: what is accounted for makes room."""
        self.wanted.clear()
        self.ids.clear()
        self.fetched.clear()
        files = site.suite.root / "files"
        paths = [p for place in ("command", "pipe")
                 for p in (files / place).glob("got.*")]
        paths += (files / "folder").glob("new/*")
        for user in ("alice", "bob", "carol"):
            paths += site.suite.message_files(user)
        for path in paths:
            path.unlink()
        (files / "file").unlink(missing_ok=True)
        for host in site.hosts:
            host.server.messages.clear()

    def check(self, site):
        """Fails with what is lost; what there is too much of."""
        lost, more = self.balance(site)
        if lost:
            raise AssertionError(
                f"{len(lost)} of {self.total} lost: {lost[:5]}\n"
                + self.story(site, lost[0][0]))
        return more


def note(found, text, place):
    own, about = tokens_of(text)
    if own:
        found[own.decode(), place] += 1
    for token in about:
        found[token.decode(), "report"] += 1
