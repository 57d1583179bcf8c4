# SPDX-License-Identifier: ISC
"""Reads and makes the format of maildrop (lib/queue/drop_file.h), and runs
the commands as somebody else."""
import os
import shutil
import struct
import subprocess
import time

import posthaste

MAGIC = b"POSTHASTE-DROP 1\n"
END = b"POSTHASTE-END\n"


DIGITS = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"


def mint(n):
    """A queue id of now; n tells it from others."""
    def digits(value, count):
        out = ""
        for _ in range(count):
            out = DIGITS[value % 52] + out
            value //= 52
        return out
    return digits(int(time.time()), 6) + digits(n, 4) + "z000000000"


def field(name, value):
    if isinstance(value, str):
        value = value.encode()
    return bytes([len(name)]) + name.encode() + struct.pack(">H", len(value)) + value


def record(fields=(("sender", "alice"), ("recipient", "bob")),
           content=(b"Subject: x\n\nhello\n",), end=END):
    out = MAGIC + b"".join(field(n, v) for n, v in fields)
    out += field("content", "")
    for chunk in content:
        out += struct.pack(">I", len(chunk)) + chunk
    return out + struct.pack(">I", 0) + end


def parse(raw):
    """(fields, content) of a whole file."""
    assert raw.startswith(MAGIC)
    at = len(MAGIC)
    fields = []
    while not fields or fields[-1][0] != "content":
        n = raw[at]
        name = raw[at + 1:at + 1 + n].decode()
        length, = struct.unpack_from(">H", raw, at + 1 + n)
        value = raw[at + 3 + n:at + 3 + n + length]
        assert len(value) == length
        fields.append((name, value.decode("utf-8", "surrogateescape")))
        at += 3 + n + length
    content = b""
    while True:
        length, = struct.unpack_from(">I", raw, at)
        at += 4
        if length == 0:
            break
        content += raw[at:at + length]
        at += length
    assert raw[at:] == END
    return fields[:-1], content


def maildrop(instance):
    return instance.root / "spool/maildrop"


def prepare(instance):
    """The queue directory as master makes it, and set-gid copies of the
    commands beside the instance's etc, where they find their main.cf."""
    for name, mode in (("maildrop", 0o1730), ("public", 0o710)):
        path = instance.root / "spool" / name
        path.mkdir(exist_ok=True)
        if posthaste.AS_ROOT:
            shutil.chown(path, "posthaste", "posthaste-drop")
        os.chmod(path, mode)
    sbin = instance.root / "sbin"
    sbin.mkdir(exist_ok=True)
    for path in (posthaste.ROOT / "sbin").iterdir():
        shutil.copy(path, sbin / path.name)
    if posthaste.AS_ROOT:
        shutil.chown(sbin / "postdrop", "root", "posthaste-drop")
        os.chmod(sbin / "postdrop", 0o2755)
    instance.set(command_directory=sbin)
    return sbin


def run(instance, name, *arguments, stdin=b"", user=None, env=None, **options):
    """Runs a copy made by prepare(), as "user" where we are root."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    if user and posthaste.AS_ROOT:
        options.update(user=user, group="nogroup", extra_groups=[])
    return subprocess.run(
        [str(instance.root / "sbin" / name), *map(str, arguments)],
        input=stdin, capture_output=True, timeout=120, cwd="/",
        env={"PATH": "/usr/bin:/bin"} if env is None else env, **options)


def files(instance):
    return sorted(p for p in maildrop(instance).iterdir())


def only(instance):
    """Fields and content of the only file."""
    found = files(instance)
    assert len(found) == 1, found
    return parse(found[0].read_bytes())
