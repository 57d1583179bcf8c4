# SPDX-License-Identifier: ISC
"""Each line of doc/DURABILITY.md that says what a crash leaves names a test,
each section with such lines names those of power cuts, and there are such
tests."""
import re

from posthaste import SOURCE

TEXT = (SOURCE / "doc/DURABILITY.md").read_text()


def tables():
    """(cells of its head, [cells of each line]) of each table."""
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.M):
        rows = [[cell.strip() for cell in line.strip("|").split(" | ")]
                for line in block.splitlines()]
        yield rows[0], rows[2:]


def named_tests():
    """{name: (file, function)} of the document's last table."""
    (rows,) = [rows for head, rows in tables()
               if [c.strip() for c in head] == ["test", "which"]]
    return {name.strip(): which.split() for name, which in rows}


def about_crashes():
    return [(head, row) for head, rows in tables() for row in rows
            if not re.match("how|test", head[0].strip())]


def of_power_cuts():
    """{section that says what crashes leave: names of its power cuts' tests,
    or why there is none}"""
    found = {}
    for section in re.split(r"^(?=##)", TEXT, flags=re.M):
        title = section.split("\n", 1)[0]
        if not re.search(r"^\|.*crash.*\| test \|$", section, re.M):
            continue
        line = re.search(r"^Power cut: ([^.]*)\.", section, re.M)
        found[title] = line[1] if line else ""
    return found


def test_each_section_names_what_judges_power_cuts():
    known = named_tests()
    sections = of_power_cuts()
    assert len(sections) > 8
    bad = {title: said for title, said in sections.items()
           if not said.startswith("nothing is flushed") and
           (not said or set(said.split(", ")) - set(known))}
    assert not bad, bad


def test_each_line_names_its_test():
    known = named_tests()
    lines = about_crashes()
    assert len(lines) > 100
    bad = [row for head, row in lines
           if head[-1].strip() != "test" or row[-1].strip() not in known]
    assert not bad, bad
    named = {row[-1].strip() for _, row in lines}
    named |= {name for said in of_power_cuts().values()
              for name in said.split(", ")}
    # what stands for several destinations is told in words, not in a table
    assert set(known) - named <= {"destinations"}, set(known) - named


def test_each_test_is_there():
    for name, (file, function) in named_tests().items():
        text = (SOURCE / file).read_text()
        begins = rf"^(def )?{function}\("
        assert re.search(begins, text, re.M), (name, file, function)
        if file.endswith(".c"):  # and it is run
            assert len(re.findall(rf"\b{function}\b", text)) > 1, name
