# SPDX-License-Identifier: ISC
"""postconf and Postfix's on random files and commands; by hand any number:
postconf_differences.py. What may differ is said there, in ALLOWED."""
import pprint

import pytest
from postconf_differences import differences
from postfix_peer import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.mark.parametrize("start", range(1, 151, 50))
def test_random_files_and_commands(start):
    found = differences(range(start, start + 50))
    assert found == [], pprint.pformat(found[:3], width=100)
