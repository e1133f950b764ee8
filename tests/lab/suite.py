# SPDX-License-Identifier: GPL-2.0-or-later
"""Which points share a guest's life, and in which order they run."""

import os

import guest as guests
import point1
import point2
import point3
import point4
import point5
import point6
import point7
import point8
import point9
import point10
import point11
import point12
import point13
import point14
from report import Report
from work import LabError, say


def starts(report, number, title, guest):
    """The check that a guest comes up; False when it did not."""
    before = report.failed
    with report.check(number, title) as notes:
        guest.create()
        guest.boot()
        notes.append(f"xl create {guest.create_seconds:.1f} s")
    return report.failed == before


def skip_all(report, titles, points, reason):
    for number, title in titles:
        if int(number.split(".")[0]) in points:
            report.skip(number, title, reason)


def cd_life(lab, report, points):
    point1.prepare(lab)
    with guests.life(guests.cd_guest(lab.outer)) as guest:
        if not starts(report, "1.1", "a guest boots from CD to its shell", guest):
            skip_all(report, list(point1.TITLES.items()) + list(point2.SHELL_TITLES.items()), points,
                     "the guest did not start")
            return
        if 2 in points:
            point2.shell(lab, report, guest)
        if 1 in points:
            point1.cd_checks(lab, report, guest)
        if 3 in points:
            point3.power_off(lab, report, guest)
        else:
            guest.tell("poweroff -f")
            guest.wait_gone()
        if 1 in points:
            point1.after_power_off(lab, report)


def disk_life(lab, report, points):
    with guests.life(guests.disk_guest(lab.outer)) as guest:
        if not starts(report, "1.9", "a guest boots from its hard disk with GRUB on it", guest):
            skip_all(report, [i for i in point3.TITLES.items() if i[0] != "3.1"], points, "the guest did not start")
            return
        if 1 in points:
            point1.same_pci(lab, report, "1.10", guest)
        if 3 not in points:
            return
        if 1 not in points and 2 not in points:  # no CD guest has shown it
            point3.power_off(lab, report, guest)
            guest.create()
            guest.boot()
        if not point3.reboot(lab, report, guest):
            skip_all(report, [(n, point3.TITLES[n]) for n in ("3.3", "3.4", "3.5")], points, "the guest is not up")
            return
        point3.pause(lab, report, guest)
        point3.button(lab, report, guest)
        point3.destroy(lab, report, guest)


def run(lab, points):
    """Runs points and gives the exit status."""
    report = Report("7/" if lab.args.xen == "4.20" else "")
    steps = [({1, 2}, cd_life), ({2}, point2.menu), ({1, 3}, disk_life), ({4}, point4.run), ({5}, point5.run),
             ({6}, point6.run), ({8}, point8.run), ({9}, point9.run), ({10}, point10.run), ({11}, point11.run), ({12}, point12.run),
             ({13}, point13.run), ({14}, point14.run)]
    for wanted, step in steps:
        chosen = points & (wanted | {3} if step is cd_life else wanted)
        if points & wanted:
            try:
                step(lab, report, chosen)
            except LabError as error:
                report.broken(min(points & wanted), error)
                lab.outer.check_alive()
    if lab.args.xen == "4.20":
        point7.probe(lab, report)
    say(f"artefacts: {os.path.relpath(lab.folder)}")
    return report.end()
