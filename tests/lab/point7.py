# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 7: Xen 4.20, whose xl runs the device model once as a probe before it starts it."""

import guest as guests
from report import expect

LIMIT = 5.0  # seconds; xl itself would wait for 60


def probe(lab, report):
    """How long the probe run takes, as seen in dom0."""
    with report.check("1", "xl's probe run of the device model ends by itself, soon") as notes:
        lab.agent.must("rm -f /run/lifetime")
        guest = guests.menu_guest(lab.outer, "probed", "timed")
        with guests.life(guest):
            guest.create()
            lines = [line.split() for line in lab.agent.must("cat /run/lifetime").splitlines()]
            probes = [line for line in lines if line[4] == "probe"]
            expect(len(probes) == 1, f"{len(probes)} probe runs seen: {lines}")
            seconds, ending, cpu = int(probes[0][0]) / 1000, " ".join(probes[0][1:3]), probes[0][3]
            expect(ending == "exit 0", f"the probe run ended: {ending}")
            expect(seconds <= LIMIT, f"it took {seconds:.2f} s")
            notes.append(f"{seconds:.2f} s in dom0, {cpu} ms of CPU; xl create {guest.create_seconds:.1f} s")
