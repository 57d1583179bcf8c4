# SPDX-License-Identifier: ISC
"""What a group of measurements is.

bench/groups/NAME.py has NAME, HELP (one line) and cases(quick), a list of
Case; perhaps REMARKS, lines below its table. run(peer, case) does the work once on a started peer and returns figures:
{"messages (1/s)": 1234.5, "p99 (ms)": 3.2}. A figure's name ends with its unit
in brackets; with "/s" more is better, else less is better. Cases with the same
site run one after the other on the same instance; each round starts a new one.

A site with sink=True has a sink of ours, peer.sink, to which mail for
relay_domain goes; it counts messages, and with sink="recipients" those. A
number is a port where nobody listens before the case does.

What is to be known of a server's figures is figures["note"], why some are
missing figures["lacks"]: each a line below the table.

Costs are not measured by hand: with frame.measure.Over(peer) as over: ...
then over.each(n) gives processor time of one message, and, in the round that
counts, system calls, flushes and context switches (the names in
measure.COUNTED; of that round nothing else is used). over.each(n, "part") names
the part of the case in front of each. A case whose counts would mean nothing,
or take minutes, says counted=False and is left out of that round.
"""
import dataclasses
import typing


@dataclasses.dataclass
class Case:
    label: str
    needs: frozenset                 # what a peer must be able to do
    run: typing.Callable             # run(peer, case) -> figures
    site: dict = dataclasses.field(default_factory=dict)  # of frame.peer.Site
    sessions: int = 1
    size: int = 4096
    count: int = 1
    only: frozenset = frozenset()    # these servers; all that can with none
    more: dict = dataclasses.field(default_factory=dict)  # the group's own
    counted: bool = True
    rounds: int = 100   # not more than these, for what takes minutes
    limit: float = 120  # seconds after which a server has failed
    long: bool = False  # left out of a short run
    # the figure beside which stands what the disk alone does of the same
    # (sessions, size)
    disk: str = ""
    # null(case) -> what our client does against a server that does nothing,
    # figures by the same names
    null: typing.Optional[typing.Callable] = None
    group: str = ""     # its name; written by the runner
