# SPDX-License-Identifier: ISC
"""Lists that expand to too much: an end, a reason, and nobody else waits."""
import time

SECONDS = 60  # where one is enough on an idle machine


def bounced(s, outcome, to):
    """Why it was; and others get their mail at the same time."""
    began = time.monotonic()
    s.send(to=to)
    s.send(to="bob@example.test")
    s.wait_messages("bob")
    result = outcome(s, to)
    assert result.status == "bounced" and result.dsn == "5.2.4", result
    assert time.monotonic() - began < SECONDS
    return result.text


def test_a_million_addresses(local, outcome):
    s = local(aliases="all: :include:{root}/home/all\n")
    for i in range(50):
        s.own(f"part{i}", "".join(f"u{i}x{k}@other.test\n"
                                  for k in range(20000)))
    s.own("all", "".join(f":include:{s.home}/part{i}\n" for i in range(50)))
    assert bounced(s, outcome, "all@local.test") == \
        f":include:{s.home}/part1: more than 20000 destinations"


def test_files_that_name_two_others_each(local, outcome):
    """Two to the power of forty times the same address."""
    s = local()
    for i in range(40):
        s.own(f"list{i}", f":include:{s.home}/list{i + 1}\n"
                          f":include:{s.home}/./list{i + 1}\n")
    s.own("list40", "carol@example.test\n")
    s.own(".forward", f":include:{s.home}/list0\n")
    text = bounced(s, outcome, f"{s.user}@local.test")
    assert text.replace("/./", "/") == \
        f":include:{s.home}/list39: more than 1000 included files"


def test_the_same_entry_again_and_again(local, outcome):
    s = local()
    s.own("many", "carol@example.test\n" * 30000)
    s.own(".forward", f":include:{s.home}/many\n" * 3)
    assert bounced(s, outcome, f"{s.user}@local.test") == \
        (f":include:{s.home}/many: more than 50000 entries of aliases and "
         "their files")


def test_large_files_again_and_again(local, outcome):
    s = local()
    s.own("large", "# " + "x" * 3_000_000 + "\ncarol@example.test\n")
    s.own(".forward", f":include:{s.home}/large\n" * 100)
    assert bounced(s, outcome, f"{s.user}@local.test") == \
        (f":include:{s.home}/large: more than {16 << 20} bytes of included "
         "files")


def test_what_root_wrote_may_be_larger(local, outcome):
    """More entries, and more destinations, than a user's files may have."""
    s = local(aliases="all: :include:{root}/all\n")
    names = "".join(f"bob+{i % 20}@example.test\n" for i in range(60000))
    (s.root / "all").write_text(names)
    s.send(to="all@local.test")
    assert outcome(s, "all@local.test").status == "sent"
    s.wait_messages("bob", 20)
    s.own("large", names)
    s.own(".forward", f":include:{s.home}/large\n")
    assert bounced(s, outcome, f"{s.user}@local.test") == (
        f":include:{s.home}/large: more than 50000 entries of aliases and "
        "their files")


def test_a_user_who_names_roots_list_many_times(local, outcome):
    """What a user led to counts as his, whoever wrote it."""
    s = local(aliases="large: :include:{root}/large\n")
    (s.root / "large").write_text("bob@example.test\n" * 20000)
    for i in range(4):
        s.own(f"part{i}", "large\n")
    s.own(".forward", "".join(f":include:{s.home}/part{i}\n"
                              for i in range(4)))
    assert bounced(s, outcome, f"{s.user}@local.test").endswith(
        "more than 50000 entries of aliases and their files")


def test_list_of_many_is_delivered(local, outcome):
    """What is legal: as many as there may be, named twice each."""
    s = local(aliases="all: :include:{root}/home/all\n")
    s.own("all", "".join(f"bob+{i}@example.test\nbob+{i}@example.test\n"
                         for i in range(200)))
    s.send(to="all@local.test")
    assert outcome(s, "all@local.test").status == "sent"
