# SPDX-License-Identifier: ISC
"""What "posthaste check" says of tables in files."""
import pytest


@pytest.fixture
def check(suite):
    s = suite(start=False)

    def run(spec, **files):
        for name, text in files.items():
            path = s.root / "etc" / name.replace("_", ".")
            path.write_bytes(text.encode() if isinstance(text, str) else text)
        s.set(transport_maps=spec.format(s.root / "etc"))
        done = s.command("posthaste", "check", check=False)
        return done.returncode, done.out + done.err

    return run


@pytest.mark.parametrize("kind", ["pcre", "regexp"])
def test_a_bad_pattern_is_named(check, kind):
    code, text = check(kind + ":{}/table", table="/fine/ x\n/(bad/ y\n")
    assert code == 0
    assert f"{kind} map" in text and "table, line 2: " in text, text


def test_a_bad_network_is_named(check):
    _, text = check("cidr:{}/table", table="192.0.2.1/24 x\n")
    assert 'perhaps you should use "192.0.2.0/24" instead' in text


def test_a_damaged_database_is_named(check):
    _, text = check("lmdb:{}/table", table_lmdb="no database at all")
    assert "table.lmdb: Invalid argument" in text, text


def test_a_berkeley_database_alone_says_what_is_wanted(check):
    _, text = check("hash:{}/table", table_db=b"\0" * 100)
    assert "Berkeley DB" in text and "source text" in text, text
