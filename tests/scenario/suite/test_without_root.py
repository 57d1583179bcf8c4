# SPDX-License-Identifier: ISC
"""The whole suite as an ordinary user, through the same code."""
import os
import subprocess
import sys

import pytest

from posthaste import AS_ROOT, ROOT, SOURCE

NOBODY = 65534


def as_nobody(command, **options):
    return subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}",
         "--clear-groups", *command], capture_output=True, text=True,
        errors="replace", **options)


@pytest.mark.skipif(not AS_ROOT, reason="all tests run so already")
def test_suite_runs_without_root():
    if as_nobody(["test", "-x", str(ROOT / "sbin/posthaste")]).returncode:
        pytest.skip(f"user nobody cannot reach {ROOT}")
    env = dict(os.environ, PYTEST_XDIST_WORKER="gw9", HOME="/tmp",
               PYTHONDONTWRITEBYTECODE="1", POSTHASTE_FAILURES="",
               PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    done = as_nobody(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "--basetemp=" + f"/tmp/ph-nobody-{os.getpid()}",
         str(SOURCE / "tests/scenario/suite/test_message_arrives.py"),
         str(SOURCE / "tests/scenario/suite/test_who_may_send.py")],
        env=env, cwd=SOURCE, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
