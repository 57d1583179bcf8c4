# SPDX-License-Identifier: ISC
"""An instance whose programs can be replaced, and a look at processes."""
import os
import pathlib

from posthaste import ROOT, wait_for


# a program's beginning: it has a connection to master, and what to ask on it
SPEAKS_TO_MASTER = """#!/usr/bin/python3
import fcntl, os, re, socket, struct, time
def text(s): return bytes([len(s)]) + s.encode()
def field(name, kind, data):
    return text(name) + bytes([kind]) + struct.pack(">I", len(data)) + data
def frame(name, *fields):
    body = text(name) + b"".join(fields)
    return struct.pack(">I", len(body)) + body
master = socket.socket(fileno=3)
master.sendall(frame("hello", field("protocol", 0, b"master"),
                     field("version", 1, struct.pack(">Q", 2))))
def connect(service, number):
    return frame("connect", field("service", 0, service),
                 field("number", 1, struct.pack(">Q", number)))
"""


def own_programs(instance):
    """A daemon_directory of the instance's own, of links to the real one."""
    folder = instance.root / "libexec"
    folder.mkdir()
    for program in (ROOT / "libexec/posthaste").iterdir():
        (folder / program.name).symlink_to(program)
    instance.set(daemon_directory=folder)
    return folder


def replace(folder, program, text):
    """The program becomes a script."""
    path = folder / program
    path.unlink()
    path.write_text(text)
    path.chmod(0o755)


def restore(folder, program):
    (folder / program).unlink()
    (folder / program).symlink_to(ROOT / "libexec/posthaste" / program)


def status_of(pid):
    """The lines of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines()
                if ":\t" in line)


def wait_gone(pid):
    def gone():
        try:
            return status_of(pid)["State"].startswith("Z")
        except OSError:
            return True
    wait_for(f"end of process {pid}", gone)


def one(instance, program):
    """The pid of the program's process, when there is one."""
    return wait_for(f"a process {program}",
                    lambda: instance.processes(program))[0]


def alive(pid):
    try:
        os.kill(pid, 0)
        return not status_of(pid)["State"].startswith("Z")
    except OSError:
        return False
