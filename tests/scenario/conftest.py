# SPDX-License-Identifier: ISC
"""Fixtures: suite(...) makes an instance and starts it, dns(...) a name
server; both end with the test."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
# helpers of a folder of tests lie beside them
sys.path += [str(folder) for folder in HERE.iterdir() if folder.is_dir()]
sys.path.insert(0, str(HERE))

import costs  # noqa: E402
from peers import FakeDNS  # noqa: E402
from posthaste import AS_ROOT, Instance, crashed, pam_service  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    """The tests' folders lie below one of this run alone, which other users
    may enter: pytest's own is closed to them by each run that begins."""
    if config.option.basetemp is not None:
        return  # asked for; or a worker, which has its own below that
    base = tempfile.mkdtemp(prefix="ph-tests-", dir="/tmp")
    os.chmod(base, 0o755)
    config.option.basetemp = os.path.join(base, "run")
    if not os.environ.get("POSTHASTE_KEEP"):
        config.add_cleanup(lambda: shutil.rmtree(base, ignore_errors=True))


def pytest_collection_modifyitems(items):
    """First what takes longest, a whole build: last, all would wait for it."""
    items.sort(key=lambda item: "test_quickstart" not in item.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    costs.begin(item)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    if call.when == "teardown":
        costs.end(item)
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


# what these find once, by a crash at the wrong moment, is never forgiven
EXACT = re.compile("crash|chaos|lost|full_disk|failed_flush|converge|durab")


def note_failures(terminalreporter):
    """The tests that may be tried once more, alone, for ./run-tests."""
    folder = os.environ.get("POSTHASTE_FAILURES")
    if not folder:
        return
    failed = {report.nodeid for kind in ("failed", "error")
              for report in terminalreporter.getreports(kind)}
    never = {name for name in failed if EXACT.search(name)}
    path = pathlib.Path(folder, "crashed")
    if path.exists():
        never |= set(path.read_text().splitlines())
    root = terminalreporter.config.rootpath
    for file, names in (("final", failed & never), ("again", failed - never)):
        pathlib.Path(folder, file).write_text(
            "".join(f"{root}/{name}\n" for name in sorted(names)))


def note_crash(name):
    folder = os.environ.get("POSTHASTE_FAILURES")
    if folder:
        with open(pathlib.Path(folder, "crashed"), "a") as f:
            f.write(f"{name}\n")


def pytest_terminal_summary(terminalreporter):
    note_failures(terminalreporter)
    corpus_summary(terminalreporter)
    costs.summary(terminalreporter)


def corpus_summary(terminalreporter):
    """On how many messages the corpus tests have judged."""
    counts = [dict(report.user_properties) for report in
              terminalreporter.getreports("passed") +
              terminalreporter.getreports("failed") if report.when == "call"]
    counts = [c for c in counts if "messages" in c]
    if counts:
        terminalreporter.write_line(
            f"corpus: {max(c['real'] for c in counts)} real messages, and "
            f"made ones; {sum(c['messages'] for c in counts)} sent, "
            f"{len(counts)} ways")


@pytest.fixture
def suite(request):
    """suite(main="...", master="...", start=True, dns=...) -> Instance"""
    made = []

    def make(start=True, **options):
        instance = Instance(**options)
        made.append(instance)
        return instance.start() if start else instance

    yield make
    failed = getattr(request.node, "failed", True)
    for instance in made:
        if failed:
            print(f"--- log of {instance.root}\n{instance.log_tail(200)}")
            if crashed(instance.log()):
                note_crash(request.node.nodeid)
        instance.close(failed)


@pytest.fixture
def dns():
    """dns({("a.test", "MX"): [(10, "mx.a.test")]}) -> FakeDNS"""
    made = []

    def make(records=None):
        made.append(FakeDNS(records))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def small_disk(suite):
    """An instance whose queue lies on a file system of 3 MiB."""
    if not AS_ROOT:
        pytest.skip("needs root to mount")
    s = suite(start=False)
    spool = s.root / "spool"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0755",
                       "tmpfs", spool]).returncode != 0:
        pytest.skip("cannot mount here")
    yield s
    s.stop()
    subprocess.run(["umount", "-l", spool], check=True)


@pytest.fixture
def pam(tmp_path):
    """pam(user, "true") -> a PAM service that takes the password "posthaste"
    from this user, if the command agrees."""
    made = []

    def make(user, agrees="true"):
        made.append(pam_service(tmp_path / "check", user, agrees))
        return made[-1].name

    yield make
    for path in made:
        path.unlink(missing_ok=True)
