# SPDX-License-Identifier: ISC
"""Fixtures of tests that ask tables of servers."""
import pytest


@pytest.fixture
def wire():
    """wire(kind, answer): a server (wire_servers.py) that ends with the test;
    without an answer it says what is in ENTRIES."""
    made = []

    def make(kind, answer=None):
        made.append(kind(answer or kind.good))
        return made[-1]

    yield make
    for server in made:
        server.close()
