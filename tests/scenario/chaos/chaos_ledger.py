# SPDX-License-Identifier: ISC
"""What was answered with 250, and where it is in the end.

An entry is a token, which is a message's X-Id, and where it must be found: once,
and once more for each cause there was until then (chaos_causes); what was not
answered may be there as often, or not at all. What sessions took out of a
mailbox on demand is told to taken(). A report about a message has its token in
its text. What is not whole (chaos_texts) is no copy, and in most places a fault.
What was judged and made room stays in the ledger: from then on no more of it
may come, but for causes from then on.
"""
import collections
import re
import threading
import time

import chaos_texts
from chaos_causes import Causes
from chaos_site import PAUL, RECIPIENTS, SCRIPTED

# of delivery, and of APPEND
FROM_LINE = re.compile(
    rb"(?m)^From \S+  ?(\w{3} \w{3} [ \d]\d [\d:]+ \d+)\r?$")
FILES = ("file", "mbox", "paul")  # where many messages are in one file
# where a part may be, if who brought it died: it stays in an mbox until
# somebody can tell that it is one, and a script cannot tell that it got one
IN_PARTS = (*FILES, *SCRIPTED)
EMPTIED = ("alice", "bob", "carol")  # who has no sessions
KEPT = ("erin", "dave", *FILES)  # from which others remove
WITH_OTHERS = ("dave", "mbox")  # where sessions put messages of their own

# what is no whole message
Part = collections.namedtuple("Part", "token place why")


class Mail:
    """One message: where it is to be, how often, and since when."""

    def __init__(self, recipients, report):
        self.since, self.accepted = time.time(), False
        self.settled = 0  # when it was judged, and made room
        self.expect(recipients, report)

    def expect(self, recipients, report):
        self.recipients = recipients
        self.wanted = collections.Counter(
            place for r in recipients for place in RECIPIENTS[r])
        self.wanted["report"] += report
        self.places = {p for p, n in self.wanted.items() if n}

    def settle(self, token, found):
        """What was not accepted, and did not come so far, may still come;
        of all else nothing more."""
        self.settled = time.time()
        left = {place: n - len(found.get((token, place), ()))
                for place, n in self.wanted.items()}
        self.wanted = collections.Counter(
            {place: n for place, n in left.items() if n > 0})


class Ledger:
    def __init__(self):
        self.lock = threading.Lock()
        self.mail = {}  # token: Mail
        self.fetched = Found()
        self.total = 0
        self.heard = 0  # of the log: it is about what was forgotten
        self.judged = None  # Found

    def offered(self, token, recipients, report=False):
        """From here on it may be delivered, whatever is answered."""
        with self.lock:
            self.mail[token] = Mail(recipients, report)

    def accepted(self, token, recipients, report=False):
        with self.lock:
            self.total += len(recipients)
            self.mail[token].accepted = True
            self.mail[token].expect(recipients, report)

    def taken(self, text, place):
        with self.lock:
            self.fetched.note(text, place, time.time())

    def copies(self, site):
        """All that was found or taken"""
        found = Found(self.fetched)
        for user in ("alice", "bob", "carol", "dave", "erin"):
            for path, text in site.suite.messages_by_file(user).items():
                found.note(text, user, named_time(path))
                if user in EMPTIED:
                    found.files.append(path)
        files = site.suite.root / "files"
        for place in SCRIPTED:
            for path in (files / place).glob("got.*"):
                found.note(path.read_bytes(), place, path.stat().st_mtime)
                found.files.append(path)
        for path in (files / "folder").glob("new/*"):
            found.note(path.read_bytes(), "folder", named_time(path))
            found.files.append(path)
        for path, place in ((files / "file", "file"), (site.mbox, "mbox"),
                            (site.suite.root / PAUL, "paul")):
            if path.exists():
                text = path.read_bytes()
                found.note_mbox(text, place)
                found.sizes[path] = len(text)
        for host, place in ((site.sink, "sink"), (site.named, "sink"),
                            (site.lmtp, "lmtp")):
            messages = host.taken()
            found.sizes[host] = len(messages)
            for when, text in messages:
                found.note(text, place, when)
        return found

    def lost(self, found):
        return [(token, place) for token, mail in self.mail.items()
                if mail.accepted for place, n in mail.wanted.items()
                if len(found.get((token, place), ())) < n]

    def torn(self, parts, causes):
        """Parts of messages where none may be, or that nothing explains. A
        part is no copy: one that is whole must be there as well."""
        return [x for x in parts if x.place not in IN_PARTS or
                not self.may_be_cut(x, causes)]

    def may_be_cut(self, part, causes):
        mail = self.mail.get(part.token)
        return causes.between(
            part.token, part.place, mail.recipients if mail else (),
            mail.since if mail else 0, time.time())

    def beyond(self, found):
        """{(token, place): when each copy came that nobody asked for}"""
        return {(token, place): sorted(times)[self.mail[token].wanted[place]:]
                for (token, place), times in found.items()
                if len(times) > self.mail[token].wanted[place]}

    def never_sent(self, found):
        return sorted(key for key in found if key[0] not in self.mail)

    def unexplained(self, beyond, causes):
        """What came more often than something had happened to it by then; of
        what was not to come at all, nothing can be a repetition."""
        said = []
        for (token, place), times in beyond.items():
            mail = self.mail[token]
            for number, when in enumerate(times, 1):
                why = causes.between(
                    token, place, mail.recipients, mail.settled or mail.since,
                    when) if place in mail.places else []
                if number > len(why):
                    said.append(self.too_many(token, place, times, why))
                    break
        return said

    def too_many(self, token, place, times, why):
        mail = self.mail[token]
        deaths = ", ".join(f"{x.program} {clock(x.begin)}" for x in why)
        state = "accepted" if mail.accepted else "not accepted"
        if mail.settled:
            state += f", settled at {clock(mail.settled)}"
        return (f"{token} (to {' '.join(mail.recipients)}, offered at "
                f"{clock(mail.since)}, {state}) is in "
                f"{place} {mail.wanted[place] + len(times)} times instead of "
                f"{mail.wanted[place]}, the others by "
                f"{' '.join(map(clock, times))}; what died or failed meanwhile "
                f"and may repeat it: {deaths or 'nothing'}")

    def story(self, site, causes, token):
        """What the log says about the message with this token."""
        done = [site.suite.command("posttrace", i, check=False)
                for i in sorted(causes.ids[token])]
        return "\n".join(x.out + x.err for x in done)

    def forget(self, site):
        """Begins anew: what was judged makes room, and nothing else."""
        found = self.judged
        for token, mail in self.mail.items():
            mail.settle(token, found.times)
        self.fetched = Found()
        for path in found.files:
            path.unlink()
        path = site.suite.root / "files/file"
        if path.exists() and path.stat().st_size == found.sizes[path]:
            path.unlink()
        for host in site.hosts:
            host.forget(found.sizes[host])
        for (token, place), times in self.copies(site).times.items():
            before = len(found.times.get((token, place), ()))
            if before and place in KEPT:
                self.mail[token].wanted[place] += min(len(times), before)
        self.heard = len(site.suite.log())

    def check(self, site, ends):
        """Fails with what is lost, and with what came more often than what
        ended explains; {(token, place): copies beyond those asked for}"""
        found = self.copies(site)
        causes = Causes(ends, site.suite.log()[self.heard:])
        if torn := self.torn(found.parts, causes):
            raise AssertionError(f"{len(torn)} not whole: {torn[:5]}\n"
                                 + self.story(site, causes, torn[0].token))
        if strange := self.never_sent(found.times):
            raise AssertionError(f"never sent: {strange[:5]}")
        lost, beyond = self.lost(found.times), self.beyond(found.times)
        if lost:
            raise AssertionError(
                f"{len(lost)} of {self.total} lost: {lost[:5]}\n"
                + self.story(site, causes, lost[0][0]))
        if said := self.unexplained(beyond, causes):
            raise AssertionError(
                f"{len(said)} too often:\n" + "\n".join(said[:5]) + "\n"
                + self.story(site, causes, said[0].split()[0]))
        self.judged = found
        return {key: len(times) for key, times in beyond.items()}


class Found:
    """What is in each place."""

    def __init__(self, others=None):
        # (token, place): when each copy came, at the latest; whole ones
        self.times = collections.defaultdict(list)
        self.parts = []
        self.files = []  # each holds one message
        self.sizes = collections.Counter()  # of files and hosts that hold many
        if others:
            self.parts += others.parts
            for key, times in others.times.items():
                self.times[key] += times

    def note(self, text, place, when):
        said = chaos_texts.read(text)
        if said.other and place in WITH_OTHERS:
            return
        if said.fault or said.other:
            self.parts.append(Part(said.token, place, said.fault or "other"))
            return
        if said.token:
            self.times[said.token, place].append(when)
        for token in said.about:
            self.times[token.decode(), "report"].append(when)

    def note_mbox(self, text, place):
        """Each message has its separator's time, and an empty line behind."""
        lines = list(FROM_LINE.finditer(text))
        ends = [line.start() for line in lines[1:]] + [len(text)]
        if text and (not lines or lines[0].start()):
            self.parts.append(Part(None, place, f"begins so: {text[:80]}"))
        for line, end in zip(lines, ends):
            when = time.mktime(time.strptime(line[1].decode())) + 1
            message = text[line.end() + 1:end].removesuffix(b"\n")
            self.note(message, place, when)


def named_time(path):
    """When a message was named so, into a Maildir: seconds, whole ones."""
    return int(path.name.split(".")[0]) + 1


def clock(when):
    return time.strftime("%T", time.localtime(when))
