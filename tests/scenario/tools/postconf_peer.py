# SPDX-License-Identifier: ISC
"""Both postconf commands on the same files and arguments, and what is to be
the same: output, exit status, complaints, and the files afterwards."""
import os
import re
import shutil
import subprocess

from postfix_peer import LIBRARIES, ROOT as PEER
from posthaste import ROOT


def ours(folder, arguments):
    return run(ROOT / "sbin/postconf", folder, arguments, {})


def theirs(folder, arguments):
    return run(PEER / "usr/sbin/postconf", folder, arguments,
               {"LD_LIBRARY_PATH": str(LIBRARIES)})


def run(program, folder, arguments, environment):
    done = subprocess.run(
        [b"postconf", *(os.fsencode(a) for a in arguments)],
        executable=program, cwd=folder, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
             "MAIL_CONFIG": str(folder), **environment})
    return done.returncode, done.stdout, done.stderr


def complaints(folder, errors):
    """As a set: Postfix repeats some, and has no order for others."""
    lines = set()
    for line in errors.replace(os.fsencode(folder), b"ETC").split(b"\n"):
        line = line.removeprefix(b"postconf: ")
        # how much of the text is shown around the place
        line = re.sub(rb'( at: )".*', rb"\1", line)
        # the CR of a line's end
        line = line.replace(b"\r", b"")
        # two of its quotation marks are one too many
        line = line.replace(b'""', b'"')
        line = re.sub(rb"[^ -~]", b"?", line)
        if line.startswith(b"fatal: usage:"):
            line = b"fatal: usage:"
        if line:
            lines.add(line)
    return lines


def results(folder, main, master, arguments):
    """What each of the two says, and what it leaves behind."""
    for who in (theirs, ours):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, text in (("main.cf", main), ("master.cf", master)):
            if text is not None:
                (folder / name).write_bytes(text)
                # Postfix waits until a file has been still for a while
                os.utime(folder / name, (1e9, 1e9))
        status, out, errors = who(folder, arguments)
        files = {name: (folder / name).read_bytes()
                 for name in sorted(os.listdir(folder))
                 # Postfix leaves those behind when it refuses
                 if who is ours or not name.endswith(".tmp")}
        yield {"status": status,
               "out": out.replace(os.fsencode(folder), b"ETC"),
               "complaints": complaints(folder, errors), "files": files}


def comments(text):
    return [line for line in text.split(b"\n") if _is_comment(line)]


def entries(text):
    return [line for line in text.split(b"\n") if not _is_comment(line)]


def _is_comment(line):
    return line.strip()[:1] in (b"", b"#")
