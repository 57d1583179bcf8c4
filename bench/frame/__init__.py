# SPDX-License-Identifier: ISC
"""What all groups and peers of the bench stand on."""
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(TOP / "tests/scenario"))  # behind: it has a "peers", too
# Built and installed by bench/run itself, unless another build is named: by its
# root, or where that is elsewhere by its folder as well.
BUILD = TOP / "build-bench"
os.environ.setdefault("POSTHASTE_ROOT", str(BUILD / "root"))
if os.environ["POSTHASTE_ROOT"] != str(BUILD / "root"):
    BUILD = pathlib.Path(os.environ["POSTHASTE_ROOT"]).resolve().parent
BUILD = pathlib.Path(os.environ.get("BENCH_BUILD", BUILD)).resolve()
LOAD = BUILD / "bench/load"
PEERS = pathlib.Path(os.environ.get("BENCH_PEERS", BUILD / "peers")).resolve()
