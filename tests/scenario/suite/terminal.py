# SPDX-License-Identifier: ISC
"""Programs that want a terminal."""
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import termios
import time

import pytest


def on_terminal(command, folder, env, timeout=30):
    """Runs a program that wants a terminal, until it ends. What it showed."""
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        os.execvpe(command[0], command, dict(os.environ, **env))
    shown = b""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        try:
            if select.select([terminal], [], [], 0.2)[0]:
                shown += os.read(terminal, 65536)
        except OSError:
            break
    else:
        os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0, shown[-2000:]
    return shown
