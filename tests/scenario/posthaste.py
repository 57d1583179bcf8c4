# SPDX-License-Identifier: ISC
"""A private instance of the whole suite for one test.

Each instance has a folder of its own, its own ports, and its own log; what a
test may do with it are the methods of Instance. Nothing here sleeps for a
fixed time: what is awaited is an event, with a deadline.
"""
import os
import pathlib
import poplib
import pwd
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(os.environ.get("POSTHASTE_ROOT", "build/root")).resolve()
SOURCE = pathlib.Path(__file__).resolve().parents[2]
DEADLINE = float(os.environ.get("POSTHASTE_DEADLINE", "120"))
# s for which what was heard of a table before it changed may still be believed,
# and a little for those who are woken late
CHANGE_COUNTS = 1.1
PORTS = 700  # for each process that runs tests
AS_ROOT = os.geteuid() == 0
PASSWORD = "posthaste"
USERS = ("alice", "bob", "carol")


def own_ports():
    """The first of a row of ports that are for this process alone.

    Each runs tests beside others: a port that is free when it is asked for
    would be somebody else's when it is used. The lock is a name that ends
    with the process, and is one for all users.
    """
    for first in range(10000, 32000, PORTS):
        lock = socket.socket(socket.AF_UNIX)
        try:
            lock.bind(f"\0posthaste-test-ports-{first}")
        except OSError:
            lock.close()
            continue
        own_ports.lock = lock
        return first
    raise AssertionError("more than 30 test runs at a time")


def free_port():
    """A TCP port that nobody listens on, below those of connections."""
    if free_port.first is None:
        free_port.first = own_ports()
    for _ in range(PORTS):
        port = free_port.first + free_port.next % PORTS
        free_port.next += 1
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


free_port.first, free_port.next = None, 0


def wait_for(what, until, deadline=DEADLINE):
    """The first true answer of until(); fails when the deadline passes."""
    end = time.monotonic() + deadline
    while True:
        answer = until()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what}")
        time.sleep(0.01)


def threads(pid):
    """State letters of a process's threads; of one that is gone, none."""
    states, folder = set(), f"/proc/{pid}/task"
    try:
        tasks = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError):
        return states
    for task in tasks:
        try:
            text = pathlib.Path(folder, task, "stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        states.add(text[text.rindex(")") + 2])
    return states


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass  # it ended meanwhile


def freeze(pids):
    """Stops the processes that pids() names, and is done when they stand.

    kill(2) returns before each thread has stopped, and one that has not would
    go on for a while; nor may a child be born unseen.
    """
    def stopped():
        signal_all(pids(), signal.SIGSTOP)
        return all(threads(pid) <= set("TtZX") for pid in pids())

    wait_for("all threads to stop", stopped)


def kill_all(pids):
    """Kills these processes, and is done when none of them runs."""
    pids = list(pids)
    signal_all(pids, signal.SIGKILL)
    wait_for("the end of all that were killed",
             lambda: all(threads(pid) <= set("ZX") for pid in pids))


def quick(what, limit, once, tries=8):
    """once() is not held up by what lasts longer than the limit.

    Others' load may stretch any one of them, but hardly all.
    """
    took = []
    while len(took) < tries:
        began = time.monotonic()
        answer = once()
        took.append(time.monotonic() - began)
        if took[-1] < limit:
            return answer
    raise AssertionError(f"{what}: not within {limit:g} s: {took}")


def does_not_grow(what, measure, once, limit, tries=4):
    """once() leaves less than the limit behind.

    A process may be started meanwhile, or touch something for the first
    time; what is lost is lost each time.
    """
    grown = []
    while len(grown) < tries:
        before = measure()
        once()
        grown.append(measure() - before)
        if grown[-1] < limit:
            return
    raise AssertionError(f"{what}: {grown}, not below {limit}")


def does_not_leak(s, programs, once, count, each=64, tries=8):
    """once(count) leaves less than so many bytes behind for each time.

    What is touched for the first time, by as many at once as there never were
    before, is there for good; a leak is there each time. So one round of
    several that leaves less is enough, and before the first nothing counts.
    """
    def anonymous():
        return sum(int(re.search(r"RssAnon:\s+(\d+) kB", pathlib.Path(
            f"/proc/{pid}/status").read_text())[1])
            for name in programs for pid in s.processes(name))
    once(count // 4)
    does_not_grow(f"kB of {programs}", anonymous, lambda: once(count),
                  count * each // 1024, tries)


def is_not_felt(once, garbage, count=10, threads=1):
    """How long once() takes hardly changes while others do garbage().

    Beside others a client waits for its turn: each of them may have what
    it has, and a loaded machine is not even. What holds up the others
    takes many times that. Half of each count tell, in turns, so that the
    machine is the same for both.
    """
    def median():
        took = []
        for _ in range(count):
            began = time.monotonic()
            once()
            took.append(time.monotonic() - began)
        return sorted(took)[count // 2]

    def loaded():
        ends, done, failed = threading.Event(), [], []

        def run():
            try:
                while not ends.is_set():
                    garbage()
                    done.append(1)
            except BaseException as e:
                failed.append(e)
        others = [threading.Thread(target=run) for _ in range(threads)]
        for other in others:
            other.start()
        try:
            value = median()
            wait_for("garbage", lambda: done or failed)
        finally:
            ends.set()
            for other in others:
                other.join()
        assert not failed, failed
        return value

    told = []
    for _ in range(3):
        quiet = median()
        beside = loaded()
        told.append((quiet, beside))
        # what a context switch costs says nothing
        if beside < (4 + 4 * threads) * max(quiet, median(), 0.02):
            return
    raise AssertionError(f"(alone, beside garbage) in seconds: {told}")


def is_uncut(path, message):
    """Is the queue file's trailer behind it, so far?"""
    size = re.search(r",S=(\d+)", path.name)
    return size and len(message) > int(size[1])


def careless_tls(version=None):
    """The context of a TLS client that takes any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def resident(*pids):
    """kB in memory."""
    return sum(int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(
        f"/proc/{pid}/status").read_text())[1]) for pid in pids)


def owner_ids():
    """uid and gid that mailboxes belong to."""
    if AS_ROOT:
        entry = pwd.getpwnam("posthaste-mail")
        return entry.pw_uid, entry.pw_gid
    return os.getuid(), os.getgid()


def certificate(folder):
    """A self-made certificate, made once for a test run."""
    store = pathlib.Path(tempfile.gettempdir()) / (
        f"posthaste-cert-{os.getuid()}-{int(time.time() / 864000)}")
    if not (store / "cert.pem").exists():  # or those of ten days ago
        work = pathlib.Path(tempfile.mkdtemp())
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-days", "30", "-subj", "/CN=mx.example.test",
             "-addext", "subjectAltName=DNS:mx.example.test,DNS:localhost,IP:127.0.0.1",
             "-keyout", work / "key.pem", "-out", work / "cert.pem"],
            check=True, capture_output=True)
        os.chmod(work / "key.pem", 0o600)
        try:
            work.rename(store)
        except OSError:
            shutil.rmtree(work)
    for name in ("cert.pem", "key.pem"):
        shutil.copy2(store / name, folder / name)


MAIN_CF = """\
compatibility_level = 3.9
config_directory = {root}/etc
queue_directory = {root}/spool
data_directory = {root}/data
daemon_directory = {programs}/libexec/posthaste
command_directory = {programs}/sbin
maillog_file = {root}/log/mail.log
mail_owner = posthaste
setgid_group = posthaste-drop
myhostname = mx.example.test
mydomain = example.test
mydestination = local.test, localhost
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
virtual_mailbox_domains = example.test
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/mailboxes
virtual_alias_maps = texthash:{root}/etc/virtual
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
message_size_limit = 50000000
recipient_delimiter = +
dns_servers = 127.0.0.1:{dns}
smtpd_tls_cert_file = {root}/etc/cert.pem
smtpd_tls_key_file = {root}/etc/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
account_files = {root}/etc/accounts
account_domain = example.test
smtpd_client_connection_count_limit = 0
"""

MASTER_CF = """\
127.0.0.1:{smtp} inet n - n - 200 smtpd
127.0.0.1:{submission} inet n - n - 200 smtpd
  -o syslog_name=posthaste/submission
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{smtps} inet n - n - 200 smtpd
  -o syslog_name=posthaste/smtps
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
127.0.0.1:{pop3} inet n - n - 200 pop3d
127.0.0.1:{pop3s} inet n - n - 200 pop3d
  -o pop3d_tls_wrappermode=yes
127.0.0.1:{imap} inet n - n - 200 imapd
127.0.0.1:{imaps} inet n - n - 200 imapd
  -o imapd_tls_wrappermode=yes
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
showq unix n - n - - showq
smtp unix - - n - - smtp
relay unix - - n - - smtp
lmtp unix - - n - - lmtp
local unix - n n - - local
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
"""


# a program that ended as no test wants it to: ILL, ABRT, BUS, FPE, SEGV, SYS
CRASH = re.compile(r"panic:|killed by signal (4|6|7|8|11|31)\b|"
                   r"(Address|UndefinedBehavior)Sanitizer")


def crashed(log):
    """Does the log tell of one of our programs that crashed?"""
    return CRASH.search(log) is not None


def pam_service(script, user, agrees="true"):
    """The file of a PAM service that takes the password "posthaste" from this
    user, if the command agrees, by a script of that name."""
    path = pathlib.Path("/etc/pam.d") / f"posthaste-test-{os.getpid()}"
    script.write_text(f"#!/bin/sh\nread -r password\n{agrees} && "
                      f'[ "$PAM_USER" = {user} ] && '
                      '[ "$password" = posthaste ]\n')
    script.chmod(0o755)
    path.write_text(
        "auth [success=1 default=ignore] pam_exec.so quiet "
        f"expose_authtok {script}\n"
        "auth requisite pam_deny.so\nauth required pam_permit.so\n"
        "account required pam_permit.so\n")
    return path


class Instance:
    """The suite, configured for one test."""

    def __init__(self, main="", master="", dns=None, users=USERS,
                 master_cf=None, root=None):
        self.root = pathlib.Path(
            root or tempfile.mkdtemp(prefix="ph-", dir="/tmp"))
        os.chmod(self.root, 0o755)
        self.ports = {name: free_port() for name in
                      ("smtp", "submission", "smtps", "pop3", "pop3s",
                       "imap", "imaps")}
        self.dns_port = dns.port if dns else 9
        self.started = False
        self.may_crash = False  # the test itself sees to it
        self.log_start = 0
        for name in ("etc", "data", "log", "mail", "spool"):
            (self.root / name).mkdir(exist_ok=True)
        if AS_ROOT:
            shutil.chown(self.root / "data", "posthaste", "posthaste")
            shutil.chown(self.root / "log", "posthaste-log", "posthaste-log")
        self.uid, self.gid = owner_ids()
        os.chown(self.root / "mail", self.uid, self.gid)
        certificate(self.root / "etc")
        self.write("mailboxes", "".join(
            f"{u}@example.test example.test/{u}/\n" for u in users))
        self.write("virtual", "postmaster@example.test alice@example.test\n")
        self.write("accounts", "".join(self.account(u) for u in users))
        if AS_ROOT:
            shutil.chown(self.root / "etc/accounts", "posthaste-auth")
        os.chmod(self.root / "etc/accounts", 0o600)
        self.main_cf = MAIN_CF.format(
            root=self.root, programs=ROOT, uid=self.uid, gid=self.gid,
            dns=self.dns_port)
        self.write("main.cf", self.main_cf + main)
        self.write("master.cf",
                   (master_cf or MASTER_CF).format(**self.ports) + master)

    def account(self, user):
        home = self.root / "mail/example.test" / user
        return (f"{user}@example.test:{{PLAIN}}{PASSWORD}:{self.uid}:{self.gid}"
                f"::{home}::userdb_mail=maildir:{home}\n")

    # files and commands

    def write(self, name, text):
        """Writes a file in the configuration directory."""
        path = self.root / "etc" / name
        path.write_text(text)
        return path

    def set(self, **settings):
        """Adds settings to main.cf; later ones win."""
        with open(self.root / "etc/main.cf", "a") as f:
            for name, value in settings.items():
                f.write(f"{name} = {value}\n")

    def command(self, name, *arguments, stdin=None, check=True, timeout=120):
        """Runs a command of the suite against this instance."""
        arguments = [str(a) for a in arguments]
        env = dict(os.environ, MAIL_CONFIG=str(self.root / "etc"))
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run(
            [str(ROOT / "sbin" / name), *arguments], input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True, timeout=timeout, env=env,
            cwd=self.root)
        done.out = done.stdout.decode("utf-8", "replace")
        done.err = done.stderr.decode("utf-8", "replace")
        if check and done.returncode != 0:
            raise AssertionError(
                f"{name} {' '.join(arguments)}: exit {done.returncode}\n"
                f"{done.out}{done.err}\n{self.log_tail()}")
        return done

    def posthaste(self, *arguments, **options):
        return self.command("posthaste", "-c", self.root / "etc", *arguments,
                            **options)

    def start(self):
        self.started = True  # whatever comes of it: stop() cleans up
        if os.environ.get("POSTHASTE_RECORD"):
            self.start_recorded(os.environ["POSTHASTE_RECORD"])
        else:
            self.posthaste("start")
        return self

    def start_recorded(self, folder):
        """Under strace(1): what its programs call goes to the folder."""
        import recorder
        status, said = recorder.start(
            folder, [ROOT / "sbin/posthaste", "-c", self.root / "etc", "start"])
        assert status == 0, (status, said, self.log_tail())

    def stop(self):
        if self.started:
            self.started = False
            self.posthaste("stop", check=False)

    def close(self, failed=False):
        """Stops, looks for signs of trouble, removes the folder."""
        try:
            self.stop()
            log = self.log()
            left = self.processes()
            signal_all(left, signal.SIGKILL)
            if not failed:
                assert self.may_crash or not crashed(log), log
                assert not left, f"still running after stop: {left}"
        finally:
            if not os.environ.get("POSTHASTE_KEEP"):
                shutil.rmtree(self.root, ignore_errors=True)

    def processes(self, name=None):
        """Pids of this instance's programs: those below its master, the
        oldest first, and each behind its parent. Pids begin anew at 32768."""
        pid_file = self.root / "spool/pid/master.pid"
        try:
            master = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return []
        found = []
        parents, began = {}, {}
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            comm = stat[stat.index("(") + 1:stat.rindex(")")]
            fields = stat[stat.rindex(")") + 2:].split()
            if fields[0] != "Z":
                parents[int(entry)] = (int(fields[1]), comm)
                began[int(entry)] = int(fields[19])
        for pid, (parent, comm) in parents.items():
            if pid == master and comm != "master":
                continue
            up, depth = pid, 0
            while up in parents and up != master:
                up, depth = parents[up][0], depth + 1
            if up == master and (name is None or comm == name[:15]):
                found.append((began[pid], depth, pid))
        return [pid for _, _, pid in sorted(found)]

    def resident(self, *names):
        """kB in memory, of all processes of these programs."""
        return resident(*(pid for name in names
                          for pid in self.processes(name)))

    # log

    def log(self):
        path = self.root / "log/mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def log_tail(self, lines=40):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, deadline=DEADLINE):
        """The match of the first log line that has the pattern."""
        try:
            return wait_for(f"log line /{pattern}/",
                            lambda: re.search(pattern, self.log(), re.M),
                            deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log_tail()}") from None

    def tls(self):
        """The context of a TLS client that trusts this instance alone, by
        whichever name it is called."""
        context = ssl.create_default_context(
            cafile=str(self.root / "etc/cert.pem"))
        context.check_hostname = False
        return context

    # mail in

    def smtp(self, port="smtp", tls=False, login=None, timeout=DEADLINE):
        if port == "smtps":
            s = smtplib.SMTP_SSL("127.0.0.1", self.ports[port],
                                 timeout=timeout, context=self.tls())
        else:
            s = smtplib.SMTP("127.0.0.1", self.ports[port], timeout=timeout)
            if tls:
                s.starttls(context=self.tls())
        if login:
            s.login(login, PASSWORD)
        return s

    def send(self, to="bob@example.test", sender="alice@example.test",
             body="Hello\n", subject="test", **options):
        """Sends one message by SMTP; the queue id."""
        if isinstance(to, str):
            to = [to]
        text = (f"From: {sender}\r\nTo: {', '.join(to)}\r\n"
                f"Subject: {subject}\r\n\r\n{body}")
        with self.smtp(**options) as s:
            return self.send_on(s, sender, to, text)

    @staticmethod
    def send_on(session, sender, to, text):
        """One transaction on an open smtplib session; the queue id."""
        session.ehlo_or_helo_if_needed()
        code, reply = session.mail(sender)
        assert code == 250, (code, reply)
        for r in to:
            code, reply = session.rcpt(r)
            assert code == 250, (code, reply)
        code, reply = session.data(text)
        assert code == 250, (code, reply)
        return re.search(r"queued as (\S+)", reply.decode()).group(1)

    # mail out

    def maildir(self, user):
        return self.root / "mail/example.test" / user

    def message_files(self, user):
        """Of a virtual mailbox, oldest first."""
        files = {}  # one that is moved meanwhile is found twice, or once
        for part in ("new", "cur"):
            folder = self.maildir(user) / part
            if folder.is_dir():
                files.update((p.name.split(":")[0], p)
                             for p in folder.iterdir() if p.is_file())
        return [files[name] for name in sorted(files)]

    def messages(self, user):
        """Raw messages in a virtual mailbox, oldest first; whole."""
        return list(self.messages_by_file(user).values())

    def messages_by_file(self, user):
        """{path: raw message}; one that was moved is cut a moment later."""
        def look():
            try:
                found = {p: p.read_bytes() for p in self.message_files(user)}
            except FileNotFoundError:
                return None  # renamed by somebody who reads it
            if any(is_uncut(p, m) for p, m in found.items()):
                return None
            return (found,)
        return wait_for("all read, and cut behind the text", look)[0]

    def wait_messages(self, user, count=1, deadline=DEADLINE):
        try:
            wait_for(f"{count} messages for {user}",
                     lambda: len(self.message_files(user)) >= count, deadline)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.log_tail()}") from None
        return self.messages(user)

    def pop3(self, user="bob@example.test", password=PASSWORD, tls="stls"):
        if tls == "implicit":
            p = poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"],
                                context=self.tls(), timeout=DEADLINE)
        else:
            p = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=DEADLINE)
            if tls == "stls":
                p.stls(context=self.tls())
        if user:
            p.user(user)
            p.pass_(password)
        return p

    def imap(self, user="bob", tls=None, **options):
        """An IMAP dialogue (imap_client.Imap), logged in unless user=None.

        tls: None (the test's main.cf has disable_plaintext_auth = no),
        "starttls" or "implicit".
        """
        from imap_client import Imap
        c = Imap("127.0.0.1",
                 self.ports["imaps" if tls == "implicit" else "imap"],
                 tls=tls, **options)
        if user:
            c.login(user, PASSWORD)
        return c

    # queue

    def queue(self, *names):
        """Ids in these queues (all of them by default)."""
        ids = []
        for name in names or ("incoming", "deferred", "hold", "report",
                              "corrupt", "maildrop"):
            for _, _, files in os.walk(self.root / "spool" / name):
                ids += files
        return sorted(ids)

    def wait_empty(self, *names, deadline=DEADLINE):
        """Nothing left to deliver, or in these queues."""
        names = names or ("maildrop", "report", "deferred", "incoming")

        def empty():
            # twice: a file may go where this has looked already, and one
            # that is forwarded comes there before its original goes
            return not any(self.queue(*names) for _ in range(2))

        try:
            wait_for("an empty queue", empty, deadline)
        except AssertionError as e:
            left = [(str(p.relative_to(self.root)), p.stat())
                    for i in self.queue() for p in self.root.rglob(i)]
            about = [line for line in self.log().splitlines()
                     if any(name.split("/")[-1] in line for name, _ in left)]
            raise AssertionError("\n".join(
                [str(e), *map(str, left), *about, self.log_tail()])) from None
