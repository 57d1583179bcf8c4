# SPDX-License-Identifier: ISC
"""Tables in a folder that root alone can enter: lookup has read them while it
was root, and sees from outside that they are others now."""
import time

import pytest

from lookup_client import AGAIN, FOUND, Lookup
from posthaste import AS_ROOT, CHANGE_COUNTS, wait_for
from test_fresh_tables import KEYS, KINDS, WAYS, fill, was_not_there

WAYS = [way for way in WAYS if "link_of_the_folder" not in way.__name__]
pytestmark = pytest.mark.skipif(not AS_ROOT, reason="others' rights")


def close(folder):
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.chmod(0o600)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_changes_in_a_closed_folder(suite, way):
    s = suite(start=False)
    old, new = s.root / "etc/tables", s.root / "etc/new"
    fill(s, new, "new")
    close(new)
    if way is was_not_there:
        old.mkdir()
    else:
        fill(s, old, "old")
    close(old)
    specs = {kind: row[0].format(old / kind).replace("{{", "{").replace(
        "}}", "}") for kind, row in KINDS.items()}
    s.set(transport_maps=", ".join(specs.values()))
    s.start()
    client = Lookup(s)

    def ask():
        answers = {}
        for kind, table in specs.items():
            name, fields = client.asked(
                "query", table=table, address=False,
                keys=[{"key": KEYS.get(kind, "k.test")}])
            assert name == "query_reply"
            answers[kind] = fields["result"], fields["value"]
        return answers

    got = ask()
    if way is was_not_there:
        assert {a for a, _ in got.values()} == {AGAIN}
    else:
        assert set(got.values()) == {(FOUND, "old")}
    way(new, old)
    wait_for("the new tables",
             lambda: set(ask().values()) == {(FOUND, "new")}, 5)
    s.wait_log("has changed -- restarting")
    client.close()


def test_the_first_answer_is_the_new_one(suite):
    """The process that sees that it cannot read it gives none."""
    s = suite(start=False)
    fill(s, s.root / "etc/tables", "old")
    close(s.root / "etc/tables")
    (s.root / "etc/tables").chmod(0o711)
    specs = [f"{kind}:{s.root}/etc/tables/{kind}" for kind in (
        "texthash", "cdb", "lmdb")]
    s.set(transport_maps=", ".join(specs))
    s.start()
    clients = [Lookup(s) for _ in specs]
    for client, spec in zip(clients, specs):
        assert client.query(spec, "k.test")[::2] == (FOUND, "old")
    for kind in ("texthash", "cdb", "lmdb"):
        path = s.root / "etc/tables" / kind
        path.write_text("k.test new\n")
        if kind != "texthash":
            s.command("postmap", f"{kind}:{path}")
    close(s.root / "etc/tables")
    (s.root / "etc/tables").chmod(0o711)
    time.sleep(CHANGE_COUNTS)
    for client, spec in zip(clients, specs):
        assert client.query(spec, "k.test")[::2] == (FOUND, "new")
        client.close()


def test_what_was_unusable_is_seen_mended(suite):
    s = suite(start=False)
    folder = s.root / "etc/tables"
    folder.mkdir(mode=0o700)
    (folder / "damaged.cdb").write_text("no database")
    with open(folder / "large", "w") as f:
        f.truncate(1 << 30)
    specs = [f"cdb:{folder}/damaged", f"texthash:{folder}/large"]
    s.set(transport_maps=", ".join(specs))
    s.start()
    client = Lookup(s)
    for spec in specs:
        assert client.query(spec, "k.test")[0] == AGAIN
    for name in ("damaged", "large"):
        (folder / name).write_text("k.test new\n")
    s.command("postmap", f"cdb:{folder}/damaged")
    close(folder)
    wait_for("both of them", lambda: all(
        client.query(spec, "k.test")[::2] == (FOUND, "new")
        for spec in specs), 10)
    client.close()
