# SPDX-License-Identifier: ISC
"""Healing, and what must be so when all is well again."""
import os
import pathlib
import re
import time

import chaos_actions
import chaos_loads
from chaos_actions import born, program
from chaos_site import HAS_REDIS
from posthaste import SOURCE, crashed, wait_for

DESCRIPTORS = 500  # more than any program at rest has
MEMORY = 64 << 20  # bytes of its own
GROWTH = {"descriptors": 12, "memory": 12 << 20}  # between two rests
# what only a bug of ours can have said
BUG = re.compile(r"panic|assertion|unreachable|Sanitizer|"
                 r"protocol error(?!: host )|leaves no room for")
PROGRAM = re.compile(r"(?m)^PROGRAM\(([\w-]+),")
TRIED = 5  # an action that was in vain so often was done as well
MET = 30  # a mood that was chosen so often has met somebody
KEEPERS = ("pop3d-mbox", "imapd-mbox")  # who opens files for sessions
QUEUES = ("incoming", "deferred", "report", "maildrop", "hold")


def make_well(chaos, deadline=180):
    """Undoes all, and waits until the queue has run empty: a table of a server
    that was dead may be left alone for a minute."""
    chaos.undo()
    chaos_actions.all_well(chaos)
    chaos_actions.release(chaos)
    s = chaos.suite

    def empty():
        chaos_actions.release(chaos)
        chaos_actions.flush(chaos)
        time.sleep(0.3)  # for what that sets going
        return not any(s.queue(*QUEUES) for _ in range(2))

    try:
        wait_for("the queue to run empty", empty, deadline)
    except AssertionError:
        left = s.queue(*QUEUES)
        log = [line for line in s.log().splitlines()
               if any(i in line for i in left[:3])]
        raise AssertionError(f"still in the queue: {left}\n"
                             + "\n".join(log[-60:])) from None


def files_left(s):
    """Regular files of the queue, when no message is in it."""
    spool = s.root / "spool"
    return [str(p.relative_to(spool)) for p in spool.rglob("*")
            if p.is_file() and p.relative_to(spool).parts[0] not in
            ("pid", "lost+found")]


def temporaries(s):
    """Half-made files in mailboxes."""
    return [str(p) for folder in ("mail", "files/folder", "spool-mail")
            for p in (s.root / folder).rglob("*")
            if p.is_file() and (p.parent.name == "tmp" or p.suffix == ".new" or
                                p.name == "posthaste-arriving" or
                                (p.suffix == ".lock" and
                                 not p.name.startswith("posthaste-")))]


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def memory(pid):
    """Bytes that are this process's alone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    m = re.search(r"RssAnon:\s+(\d+) kB", text)
    return int(m[1]) << 10 if m else 0


def at_rest(chaos):
    """{(pid, born): (program, descriptors, memory)}"""
    return {(pid, born(pid)): (program(pid), descriptors(pid), memory(pid))
            for pid in chaos.suite.processes()}


def check_processes(chaos):
    now = at_rest(chaos)
    # master has a descriptor or two for each process, qmgr for each agent
    more = max(0, len(now) - len(chaos.rested))
    room = GROWTH["descriptors"] + 2 * more
    for key, (name, fds, size) in now.items():
        assert fds <= DESCRIPTORS, f"{name} {key} has {fds} descriptors"
        if os.environ.get("POSTHASTE_SANITIZED"):
            continue  # its memory is not what it is elsewhere
        assert size <= MEMORY, f"{name} {key} has {size} bytes"
        if key in chaos.rested:
            _, fds_before, size_before = chaos.rested[key]
            chaos.grown[name] = max(chaos.grown.get(name, (0, 0)),
                                    (fds - fds_before, size - size_before))
            assert fds - fds_before <= room, (
                name, fds_before, fds, f"{more} processes more")
            assert size - size_before <= GROWTH["memory"], (
                name, size_before, size)
    chaos.rested = now


def check_files(chaos):
    s = chaos.suite
    assert not s.queue("corrupt"), s.queue("corrupt")

    def none_left():
        return not files_left(s)

    # what was cut short is swept by a qmgr that has run for two minutes
    if not chaos.harmed() or chaos.patient:
        try:
            wait_for("an empty queue directory", none_left,
                     150 if chaos.harmed() else 10)
        except AssertionError as e:
            raise AssertionError(f"{e}: {files_left(s)[:10]}") from None
    left = temporaries(s)
    if not chaos.harmed():
        assert not left, left
    return len(left)


def check_log(chaos):
    text = chaos.suite.log()
    if not chaos_actions.HELD_UP & set(chaos.done):
        late = [line for line in text.splitlines() if "does not end" in line]
        assert not late, late[:5]
    assert not crashed(text), [x for x in text.splitlines() if crashed(x)][:5]
    bugs = [line for line in text.splitlines() if BUG.search(line)]
    assert not bugs, bugs[:5]


def check_killed(chaos):
    """Each program there is was killed, by the name the kernel has for it."""
    rows = (SOURCE / "lib/service/programs.def").read_text()
    runs = {name[:15] for name in (*PROGRAM.findall(rows), *KEEPERS)}
    if not chaos.site.pam:
        runs.discard("auth-pam")
    if not HAS_REDIS:
        runs.discard("lookup-auth-server"[:15])
    spared = runs - set(chaos.killed)
    assert not spared, f"never killed: {', '.join(sorted(spared))}"


# action: done so often, it must have left what this finds
TRACES = {
    "fill": (1, chaos_actions.had_no_room),
    "stall": (1, lambda chaos: chaos.held_up),
    "kill": (3, lambda chaos: "killed by signal 9" in chaos.suite.log()),
    "broken_certificate": (1, lambda chaos: chaos_actions.COMPLAINT.search(
        chaos.suite.log())),
    "broken_settings": (3, lambda chaos: "reload refused: the old "
                        "configuration stays" in chaos.suite.log()),
}


def met(chaos, moody, mood):
    """Did somebody meet this mood? Of who is dead only the suite can tell, or
    the kernel."""
    if mood != "dead" or moody is chaos.site.names:
        return moody.met[mood]
    return (moody is chaos.site.redis or
            f":{moody.server.port}: Connection refused" in chaos.suite.log())


def check_certificate(chaos):
    """After a renewal it is the new one's turn."""
    if chaos.done["renew"]:
        wait_for("each listener to have the certificate on disk",
                 lambda: chaos_actions.taken_up(chaos), chaos_loads.PATIENCE)


def check_traces(chaos, had_time):
    """What was counted has happened to somebody; and each action was done, if
    it was tried more than once or there was time for it."""
    never = [name for name in chaos.never_done()
             if had_time or chaos.vain[name] >= TRIED]
    assert not never, f"never done: {never}, in vain {dict(chaos.vain)}"
    vain = [name for name, (enough, found) in TRACES.items()
            if chaos.done[name] >= enough and not found(chaos)]
    vain += [f"{name} {mood}" for name, moody in chaos.site.moody().items()
             for mood, n in moody.chosen.items()
             if mood != "well" and n >= MET and not met(chaos, moody, mood)]
    assert not vain, f"left no trace: {', '.join(vain)}"


def strangers(s):
    """Processes that still hold something of a stopped instance."""
    found = []
    for pid in os.listdir("/proc"):
        if not pid.isdigit() or int(pid) == os.getpid():
            continue
        for link in ("cwd", "root", *(f"fd/{fd}" for fd in fds_of(pid))):
            try:
                target = os.readlink(f"/proc/{pid}/{link}")
            except OSError:
                continue
            if target.startswith(f"{s.root}/"):
                found.append((pid, program(pid), link, target))
                break
    return found


def fds_of(pid):
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []
