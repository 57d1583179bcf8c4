# SPDX-License-Identifier: ISC
"""imapflow, the client of web mailers: folders, messages, IDLE, QRESYNC."""
import fcntl
import os
import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent / "imapflow"
# beside the install tree: the build folder
KEPT = pathlib.Path(os.environ.get("POSTHASTE_ROOT", "build/root")).resolve()


@pytest.fixture(scope="module")
def modules():
    """Where the package is, in the versions of package-lock.json."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("npm is not installed")
    folder = KEPT.parent / "imapflow"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        if not (folder / "node_modules/imapflow/package.json").exists():
            done = subprocess.run(
                ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=folder, capture_output=True, text=True, timeout=300)
            if done.returncode != 0:
                pytest.skip(f"imapflow cannot be had: {done.stderr[-300:]}")
    return folder


def test_a_web_mailer(suite, modules):
    s = suite()
    done = subprocess.run(
        ["node", HERE / "session.js", modules, str(s.ports["imaps"]),
         s.root / "etc/cert.pem"], capture_output=True, text=True,
        timeout=60)
    assert done.stdout == "done\n", done.stdout + done.stderr
