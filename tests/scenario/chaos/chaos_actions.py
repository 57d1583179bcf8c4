# SPDX-License-Identifier: ISC
"""What happens to the suite: a table of actions, and of groups of them.

An action that lasts has an undo, which the run calls when its time is over, and
before anything that needs a whole configuration (WHOLE).
"""
import collections
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

from chaos_causes import Cause
from chaos_loads import PATIENCE
from chaos_site import SCRIPTED
from imap_client import CONTEXT
from posthaste import threads, wait_for

# act(chaos) may say False: there was nothing to do it to
Action = collections.namedtuple("Action", "act undo longest",
                                defaults=(None, 0))

FROZEN = re.compile("percpu|sb_start_write|^0$")
COMPLAINT = re.compile(r"smtpd_tls_(cert|key)_file: \S+\.pem: ")
TAKEN_UP = 5  # seconds after a change in which it is taken up


def stat(pid):
    """Fields of /proc/PID/stat from the state on; pids are used again."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return []


def born(pid):
    fields = stat(pid)
    return fields[19] if fields and fields[0] != "Z" else None


def program(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def any_program(chaos, often=None):
    """Each program is as likely as the others, however many run of it; with
    a count of what was chosen so far, one of those that were least often."""
    by_name = collections.defaultdict(list)
    for pid in chaos.suite.processes():
        if program(pid) not in ("", "master"):
            by_name[program(pid)].append(pid)
    if not by_name:
        return None, None
    names = sorted(by_name)
    if often is not None:
        least = min(often[name] for name in names)
        names = [name for name in names if often[name] == least]
    name = chaos.noise.choice(names)
    return chaos.noise.choice(by_name[name]), name


def send_signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


# programs

def kill(chaos):
    pid, name = any_program(chaos, chaos.killed)
    if not pid:
        return False
    now = time.time()
    send_signal(pid, signal.SIGKILL)
    chaos.killed[name] += 1
    chaos.ends.append(Cause(name, now, now + 1))
    return True


def kill_master(chaos):
    everybody = {p: born(p) for p in chaos.suite.processes()}
    now = time.time()
    for pid in chaos.suite.processes("master"):
        send_signal(pid, signal.SIGKILL)

    def left():
        return [(p, program(p)) for p, b in everybody.items()
                if b and born(p) == b]

    try:
        # sessions of smtpd end by themselves, some behind their RCPT
        wait_for("the end of all programs", lambda: not left(), PATIENCE + 5)
    except AssertionError as e:
        raise AssertionError(f"{e}: {left()}") from None
    chaos.ends.append(Cause("master", now, time.time()))
    chaos.suite.start()


def pause(chaos):
    """Goes on by itself: what else happens meanwhile may wait for it."""
    pid, _ = any_program(chaos)
    if not pid:
        return False
    with chaos.pausing:  # an earlier pause may end just now
        chaos.paused.append((pid, born(pid)))
        send_signal(pid, signal.SIGSTOP)
    threading.Timer(chaos.noise.uniform(0.1, 3), go_on, (chaos,)).start()
    return born(pid) is not None


def go_on(chaos):
    with chaos.pausing:
        while chaos.paused:
            pid, when = chaos.paused.pop()
            if born(pid) == when:
                send_signal(pid, signal.SIGCONT)


# administration

def asked(chaos, *command):
    """Was a command of the suite done?"""
    return chaos.suite.command(*command, check=False).returncode == 0


def reload(chaos):
    return chaos.suite.posthaste("reload", check=False).returncode == 0


def restart(chaos):
    chaos.suite.posthaste("stop")
    chaos.suite.start()


def flush(chaos):
    return asked(chaos, "postqueue", "-f")


def flush_site(chaos):
    return asked(chaos, "postqueue", "-s", "defer.test")


def hold(chaos):
    return asked(chaos, "postsuper", "-h", "ALL")


def release(chaos):
    return asked(chaos, "postsuper", "-H", "ALL")


def requeue(chaos):
    return asked(chaos, "postsuper", "-r", "ALL")


def tidy(chaos):
    return asked(chaos, "postsuper", "-s")


def look(chaos):
    return asked(chaos, "mailq")


# hosts

def mood(chaos):
    host = chaos.noise.choice(chaos.site.hosts)
    host.set(chaos.noise.choice(host.MOODS))
    for place in SCRIPTED:
        path = chaos.suite.root / "files" / place / "moody"
        if chaos.noise.random() < 0.5:
            path.unlink(missing_ok=True)
        else:
            try:
                path.touch()
            except OSError:
                pass  # on a full disk


def names(chaos):
    chaos.site.names.set(chaos.noise.choice(chaos.site.names.MOODS))


def names_well(chaos):
    chaos.site.names.set("well")


def tables(chaos):
    table = chaos.noise.choice(chaos.site.tables)
    table.set(chaos.noise.choice(table.MOODS))


def tables_well(chaos):
    for table in chaos.site.tables:
        table.set("well")


def all_well(chaos):
    for host in chaos.site.hosts:
        host.set("well")
    for place in SCRIPTED:
        (chaos.suite.root / "files" / place / "moody").unlink(missing_ok=True)


# the disk

def feel(chaos, name, seen):
    """The first time: goes on when the suite was seen to suffer, so that what
    is counted has happened. Nothing else may keep it from that."""
    if name not in chaos.felt:
        chaos.undo()
        all_well(chaos)
        wait_for(f"what {name} does to the suite", seen, PATIENCE)
        chaos.felt.add(name)


def had_no_room(chaos):
    """Was a client told, or the log, that a write failed for want of room?"""
    return (chaos.refusals[452, "4.3.1"] > 0 or
            "No space left on device" in chaos.suite.log())


def fill(chaos):
    left = chaos.noise.choice((0, 0, 1, 3, 10, 50, 200))
    chaos.site.disk.fill(left if "fill" in chaos.felt else 0)
    feel(chaos, "fill", lambda: had_no_room(chaos))


def free(chaos):
    chaos.site.disk.free()


def waits_for_disk(pid):
    """Is it held up by a file system that is frozen? "0": the kernel does not
    tell where it waits."""
    try:
        where = pathlib.Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        return False
    return "D" in threads(pid) and FROZEN.search(where) is not None


def stall(chaos):
    def look():
        chaos.held_up.update(program(pid) for pid in chaos.suite.processes()
                             if waits_for_disk(pid))

    pauses = [chaos.noise.choice((20, 100, 300, 900))
              for _ in range(chaos.noise.randint(1, 6))]
    chaos.site.disk.stall(pauses if chaos.held_up else [900] * 3, look)


# settings, tables and certificates

SETTINGS = (
    {"default_destination_concurrency_limit": "2"},
    {"default_process_limit": "5"},
    {"smtpd_delay_reject": "no"},
    {"virtual_transport": "virtual", "imap_hibernate_timeout": "0"},
    {"qmgr_message_active_limit": "20"},
    {"default_destination_recipient_limit": "1"},
)
BROKEN = ("no_such_setting_of_ours = 1", "smtpd_tls_cert_file = /nowhere",
          "message_size_limit = many",
          "virtual_alias_maps = nonsense:/x", "a line that is none")


def write_main(chaos, more=""):
    path = chaos.suite.root / "etc/main.cf"
    new = path.with_name("main.cf.new")
    new.write_text(chaos.site.good_main + more)
    new.replace(path)


def settings(chaos):
    more = chaos.noise.choice(SETTINGS)
    write_main(chaos, "".join(f"{k} = {v}\n" for k, v in more.items()))
    done = chaos.suite.posthaste("reload", check=False)
    chaos.only_if_calm(done.returncode == 0, f"reload: {done.err}")
    return done.returncode == 0


def broken_settings(chaos):
    """A reload that does not check out changes nothing."""
    line = chaos.noise.choice(BROKEN)
    write_main(chaos, line + "\n")
    done = chaos.suite.posthaste("reload", check=False)
    if done.returncode == 0:
        chaos.complain("reload", f"took {line!r}")


def old_settings(chaos):
    write_main(chaos)


def changed_table(chaos):
    etc = chaos.suite.root / "etc"
    for name in ("virtual", "people"):
        text = (etc / name).read_text()
        lines = [line for line in text.splitlines() if "#" not in line]
        new = etc / f"{name}.new"
        new.write_text("\n".join(lines) + "\n" +
                       f"# {chaos.noise.random()}\n" * 5)
        new.replace(etc / name)


def other_pair(folder):
    """A certificate and its key, in a folder of their own."""
    folder.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "30", "-subj", "/CN=mx.example.test", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem"], check=True, capture_output=True)
    return folder


def shown(chaos, kind):
    """The certificate that a listener has."""
    with socket.create_connection(
            ("127.0.0.1", chaos.suite.ports[kind]), 30) as raw, \
            CONTEXT.wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True)


def taken_up(chaos):
    """Does each listener have the certificate that is on disk?"""
    good = ssl.PEM_cert_to_DER_cert(
        (chaos.suite.root / "etc/cert.pem").read_text())
    try:
        return all(shown(chaos, kind) == good
                   for kind in ("smtps", "imaps", "pop3s"))
    except OSError:
        return False


def renew(chaos):
    """One file after the other: for a moment they are no pair."""
    etc = chaos.suite.root / "etc"
    chaos.renewed = time.monotonic()
    if not chaos.pairs:
        chaos.pairs = [other_pair(etc / f"pair{i}") for i in range(2)]
    chaos.pairs.append(chaos.pairs.pop(0))
    for name in chaos.noise.sample(("key.pem", "cert.pem"), 2):
        shutil.copy(chaos.pairs[0] / name, etc / f"{name}.new")
        os.chmod(etc / f"{name}.new", 0o600)
        os.replace(etc / f"{name}.new", etc / name)
    feel(chaos, "renew", lambda: taken_up(chaos))


def broken_certificate(chaos):
    """The old one stays in use, whatever is started or reloaded meanwhile; so
    the renewal before is not under way, which would be the new one's."""
    def at_rest():
        return (time.monotonic() - chaos.renewed >= TAKEN_UP
                and handshake(chaos)[0])

    if "broken_certificate" not in chaos.felt:
        wait_for("a certificate to break", at_rest, PATIENCE)
    elif not at_rest():
        return False
    etc = chaos.suite.root / "etc"
    for name in ("key.pem", "cert.pem"):
        if not (etc / f"{name}.good").exists():
            shutil.copy2(etc / name, etc / f"{name}.good")
    name = chaos.noise.choice(("key.pem", "cert.pem"))
    begin = len(chaos.suite.log())
    os.truncate(etc / name, chaos.noise.randrange(200))
    feel(chaos, "broken_certificate", lambda: COMPLAINT.search(
        chaos.suite.log(), begin))
    return True


def old_certificate(chaos):
    etc = chaos.suite.root / "etc"
    good = [name for name in ("key.pem", "cert.pem")
            if (etc / f"{name}.good").exists()]
    if good and set(chaos.done) <= set(GROUPS["renewals"]):
        chaos.only_if_calm(*handshake(chaos))
    for name in good:
        os.replace(etc / f"{name}.good", etc / name)
    if good:
        chaos.renewed = time.monotonic()


def handshake(chaos):
    try:
        shown(chaos, "smtps")
        return True, ""
    except OSError as e:
        return False, f"handshake with a broken certificate on disk: {e}"


ACTIONS = {
    "kill": Action(kill),
    "kill_master": Action(kill_master),
    "pause": Action(pause, go_on, 3),
    "reload": Action(reload),
    "restart": Action(restart),
    "flush": Action(flush),
    "flush_site": Action(flush_site),
    "hold": Action(hold, release, 0.5),
    "requeue": Action(requeue),
    "tidy": Action(tidy),
    "look": Action(look),
    "mood": Action(mood, all_well, 8),
    "names": Action(names, names_well, 3),
    "tables": Action(tables, tables_well, 1.5),
    "fill": Action(fill, free, 3),
    "stall": Action(stall),
    "settings": Action(settings, old_settings, 3),
    "broken_settings": Action(broken_settings, old_settings, 0.3),
    "changed_table": Action(changed_table),
    "renew": Action(renew),
    "broken_certificate": Action(broken_certificate, old_certificate, 3),
}
# what cannot be done with these under way
EXCLUDES = {
    "restart": ("broken_settings", "broken_certificate", "fill", "pause"),
    "kill_master": ("broken_settings", "broken_certificate", "fill", "pause"),
    "settings": ("broken_settings", "fill"),
    "broken_settings": ("settings",),
    "renew": ("broken_certificate",),
}
# after these it may be no fault of a program's that it does not end in time
HELD_UP = {"pause", "stall", "fill"}
ON_DISK = {"stall", "fill"}
GROUPS = {
    "administration": ("reload", "flush", "mood", "restart", "hold",
                       "requeue", "tidy", "look", "flush_site"),
    "kills": ("kill",) * 6 + ("kill_master", "reload", "flush", "mood", "look",
                              "requeue"),
    "disk": ("fill", "fill", "stall", "mood", "flush"),
    "servers": ("names", "tables", "mood", "mood", "flush", "pause", "look"),
    "renewals": ("settings", "broken_settings", "changed_table", "renew",
                 "broken_certificate", "mood", "flush"),
}
GROUPS["everything"] = tuple(n for g in list(GROUPS.values()) for n in g)
