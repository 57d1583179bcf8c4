# SPDX-License-Identifier: ISC
"""A server that is measured, and the site that all of them are set up for.

bench/peers/NAME.py has a class Server(Peer). The runner calls, in this order:

    peer = Server()
    peer.install()          once; raises Unavailable("why") where it cannot
    peer.configure(site)    in a new folder, site.root, on a disk
    peer.start()            returns when all its ports answer
    ...                     groups ask for port(), delivered(), command()
    peer.stop()             returns when no process of it is left

and again from configure() for each set of cases and each round. Everything
that a peer starts it starts with launch(), so that what it costs is counted.
"""
import contextlib
import dataclasses
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

import posthaste
from . import measure


DESCRIPTORS = 65536  # of each process: OpenSMTPD takes two for each session


class Unavailable(Exception):
    """This peer cannot run here; its text says why."""


@dataclasses.dataclass
class Site:
    """What every server is set up for, with these very values."""

    root: pathlib.Path       # its folder: 0755, empty, on a disk
    sink: int = 9            # mail to relay_domain goes to [127.0.0.1]:sink
    users: int = 1           # mailboxes user0@domain, user1@domain, ...
    sessions: int = 100      # at most so many connections at a time
    tls: bool = False        # certificate and key are in use
    domain: str = "bench.test"
    relay_domain: str = "relay.test"
    password: str = "bench"
    size_limit: int = 50_000_000
    options: dict = dataclasses.field(default_factory=dict)  # a group's own

    host = "mx.bench.test"

    def mailbox(self, number):
        return f"user{number}@{self.domain}"

    @property
    def certificate(self):
        return self.root / "cert.pem"

    @property
    def key(self):
        return self.root / "key.pem"


def with_options(text, options):
    """A main.cf with these lines in place of those of the same names."""
    kept = [line for line in text.splitlines()
            if line.split(" =")[0] not in options]
    return "\n".join(kept + [f"{k} = {v}" for k, v in options.items()]) + "\n"


class Peer:
    """What a module in bench/peers makes of it:

    name     as in "bench/run -o"
    about    one line: version and how it is tuned, printed below the table
    can      of "smtp" (plain SMTP to site's mailboxes, into Maildirs or what
             delivered() counts), "starttls", "smtps", "relay" (to site.sink),
             "sendmail", "backlog" (queued(), and command() knows "mailq" and
             "flush"), "large backlog" (in a quarter of an hour), "pop3",
             "pop3s", "imap", "imaps", "table"
    cannot   {what of those it cannot do: why}, said below the tables
    opening  connections at a time that may be begun, but not yet greeted;
             0: as many as come
    most     (sessions that it can hold at a time, why), where that is not many
    logs     its logs below site.root, whose ends are printed where it fails
    session_room  bytes of memory that a session needs, where that is a process
             of its own; 0: where it is little
    """

    name = ""
    about = ""
    can = frozenset()
    cannot = {}
    logs = ()
    opening = 0
    most = 1_000_000, ""
    session_room = 0

    def __init__(self):
        self.site = None
        self.group = None    # the processes of the instance that is running
        self.ports = {}      # "smtp", "smtps", "pop3", "imap", ...: number
        self.counted = False  # system calls are counted in this round
        self.counter = None

    # to be written by each peer

    def install(self):
        """Makes the program available, never onto the machine; its path."""
        raise NotImplementedError

    def version(self):
        raise NotImplementedError

    def configure(self, site):
        """Writes the configuration below site.root and chooses the ports.
        Called by begin() only, with self.site already set."""
        raise NotImplementedError

    def start(self):
        raise NotImplementedError

    def stop(self):
        """In order, so that nothing is left to do for the disk afterwards."""
        raise NotImplementedError

    def halt(self):
        """stop() in such a way that start() finds all that is left."""
        self.stop()

    def maildir(self, number):
        """Path of a user's Maildir, where it has one."""
        raise NotImplementedError

    def queued(self):
        """How many messages wait in its queue (what "backlog" asks for)."""
        raise NotImplementedError

    def command(self, name, *arguments):
        """(argv, environment) that runs this peer's command against this
        instance: "sendmail", "mailq" (lists the queue), "flush" (tries all
        of it now), "postmap"."""
        raise NotImplementedError

    # the same for all

    def port(self, what):
        return self.ports[what]

    def pids(self):
        return self.group.pids()

    def delivered(self, number=None):
        """Messages that arrived in one mailbox; in all of them with None."""
        if number is None:
            return sum(self.delivered(n) for n in range(self.site.users))
        try:
            return len(os.listdir(self.maildir(number) / "new"))
        except OSError:
            return 0

    def begin(self, site):
        """Configured for this site and started."""
        self.site = site
        self.ports = {}
        self.group = measure.Group(f"bench-{self.name}-{os.getpid()}")
        if self.counted:
            self.counter = measure.Counter(self.group)
        if site.tls:
            posthaste.certificate(site.root)
        try:
            self.configure(site)
            self.start()
        except BaseException:
            with contextlib.suppress(Exception):
                self.end()  # the reason is what start() said
            raise

    def end(self):
        """Stopped; what does not end in a minute is killed, by its pid."""
        try:
            self.stop()
            self.ended(60)
        finally:
            for pid in self.group.pids():
                _kill(pid)
            self.ended(10)
            if self.counter is not None:
                self.counter.close()
                self.counter = None
            self.group.close()

    def restart(self):
        """Stopped in order, and started on what it left: seconds of both."""
        began = time.monotonic()
        self.halt()
        self.ended(60)
        stopped = time.monotonic()
        self.start()
        return stopped - began, time.monotonic() - stopped

    def rest(self, seconds=600, share=0.02):
        """Waits until the server does nothing: two seconds with less than
        this share of a processor. Seconds until then."""
        began = now = time.monotonic()
        while now < began + seconds:
            used = self.group.used()
            time.sleep(2)
            if self.group.used() - used < 2 * share:
                return now - began
            now = time.monotonic()
        raise TooSlow(f"still at work after {seconds} s")

    def said(self):
        """The ends of its logs, for whoever asks why it failed."""
        ends = []
        for name in self.logs:
            with contextlib.suppress(OSError):
                text = (self.site.root / name).read_text(errors="replace")
                ends.append(text[-2000:])
        return "\n".join(ends)

    def staying(self):
        """Of the instance's processes those that halt() leaves."""
        return set()

    def ended(self, seconds):
        end = time.monotonic() + seconds
        while set(self.group.pids()) - self.staying() and \
                time.monotonic() < end:
            time.sleep(0.02)

    def enter(self):
        """What a process of the server begins with, whoever started us."""
        self.group.enter()
        open_many()

    def launch(self, argv, wait=True, **options):
        """Starts a program of the server: it and all that it starts belong to
        the instance. With wait it is a command that ends, or goes into the
        background by itself, and has to succeed; else its Popen is returned."""
        argv = [str(a) for a in argv]
        said = self.site.root / "launch.log"
        with open(said, "ab") as log:
            process = subprocess.Popen(
                argv, preexec_fn=self.enter, **{
                    "stdin": subprocess.DEVNULL, "stdout": log, "stderr": log,
                    **options})
        if wait and process.wait() != 0:
            raise RuntimeError(
                f"{self.name}: exit {process.returncode}: {' '.join(argv)}: "
                f"{said.read_text(errors='replace')[-400:].strip()}")
        return process

    def wait_ports(self, *names, seconds=60):
        """Returns when a connection to each of these ports is taken."""
        for name in names or self.ports:
            wait_for(f"{self.name}'s {name} port",
                     lambda: answers(self.ports[name]), seconds)


def open_many(number=DESCRIPTORS):
    """So many descriptors, or as many as this machine allows us."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
    except ValueError:  # above what root may have here
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


class TooSlow(RuntimeError):
    """What a case had to do was not done when its time was up."""


@contextlib.contextmanager
def deadline(seconds):
    """What is within ends by TooSlow when the time is up, wherever it is."""
    def ring(*_):
        raise TooSlow(f"not done in {seconds:g} s")
    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def wait_for(what, until, seconds=float("inf"), pause=0.02):
    """The first true answer of until(); fails when the time is up, or the
    case's. The pause grows with what asking costs, so that waiting takes
    little of the machine. "what" is a text, or a function that tells how far
    it is."""
    end = time.monotonic() + seconds
    try:
        while True:
            began = time.monotonic()
            answer = until()
            if answer:
                return answer
            now = time.monotonic()
            if now > end:
                raise TooSlow(f"not done in {seconds:g} s")
            time.sleep(max(pause, 10 * (now - began)))
    except TooSlow as e:
        raise TooSlow(f"{e}: {what() if callable(what) else what}") from None
