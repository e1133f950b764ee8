# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 3: power-off, reboot, pause, destroy, the ACPI power button."""

import time

from report import expect
from work import PATIENCE

TITLES = {"3.1": "the guest powers off: the domain is gone, the process exited 0",
          "3.2": "reboot: it comes up again",
          "3.3": "xl pause and unpause",
          "3.4": "xl trigger power: the guest sees the power button",
          "3.5": "xl destroy: domain and process are gone"}


def leftovers(lab, guest):
    """What a domain that is gone must not have left in dom0."""
    out = lab.agent.run(
        f"ls /run/xen | grep -E -- '-{guest.domid}$'; xenstore-ls /local/domain/0/device-model/{guest.domid} 2>/dev/null; "
        f"xenstore-ls /local/domain/{guest.domid} 2>/dev/null").out.split("\n")
    return [line for line in out if line.strip()]


def gone(lab, guest):
    guest.wait_gone()
    ending = guest.ending()
    expect(ending == "exit 0", f"the process ended: {ending}; {guest.log_tail()}")
    left = leftovers(lab, guest)
    expect(not left, f"left behind: {left}")


def power_off(lab, report, guest):
    with report.check("3.1", TITLES["3.1"]):
        guest.tell("poweroff -f")
        gone(lab, guest)


def reboot(lab, report, guest):
    """True when the guest is up again."""
    before = report.failed
    with report.check("3.2", TITLES["3.2"]) as notes:
        old_pid, old_domid = guest.pid, guest.domid
        guest.tell("reboot -f")
        start = time.monotonic()
        guest.wait_gone()
        lab.agent.until(f"d=$(xl domid {guest.name}) && [ $d != {old_domid} ] && "
                        "xenstore-exists /local/domain/$d/serial/0/tty", 120, "the domain to be made anew")
        guest.attach()
        expect(guest.pid != old_pid, "the same process")
        guest.boot()
        notes.append(f"{time.monotonic() - start:.1f} s from reboot to shell")
    return report.failed == before


def pause(lab, report, guest):
    with report.check("3.3", TITLES["3.3"]):
        lab.agent.must(f"xl pause {guest.name}")
        state = lab.agent.must(f"xl list {guest.name} | tail -n 1").split()[4]
        expect("p" in state, f"xl list says {state}")
        at = guest.serial.pos = len(guest.serial.text)
        guest.tell("cpus")
        time.sleep(4 * PATIENCE)  # a running guest answers in a fraction of this
        expect(len(guest.serial.text) == at, f"it answers while paused: {guest.serial.text[at:]!r}")
        lab.agent.must(f"xl unpause {guest.name}")
        guest.wait(r"^1\nLAB done 0$", 60, "an answer after unpause")


def button(lab, report, guest):
    with report.check("3.4", TITLES["3.4"]):
        guest.tell("labio button")
        guest.wait("LAB waiting for the button", 60)
        lab.agent.must(f"xl trigger {guest.name} power")
        guest.wait("LAB power button", 60)
        guest.wait(r"^LAB done 0$", 60)


def destroy(lab, report, guest):
    with report.check("3.5", TITLES["3.5"]):
        lab.agent.must(f"xl destroy {guest.name}", 120)
        gone(lab, guest)
