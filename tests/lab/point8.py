# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 8: the guest's own PV drivers take the disks over from the emulated ones."""

import guest as guests
from guest import cdrom, raw_disk
from point1 import SIZES, OTHER_SIZES, labio_in_dom0, seconds_of
from report import expect

MIB = 1 << 20
FROM_DOM0 = (0, 4 * MIB, 17)         # written in dom0 before
BY_GUEST = (32 * MIB, 64 * MIB, 11)  # written by the guest on its first disk
ON_SECOND = (8 * MIB, 16 * MIB, 12)  # … on the disk that was never emulated
ADDED = (0, 8 * MIB, 13)             # … on the one that came while it ran
TITLES = {"8.2": "the emulated disk is gone and its PV twin has the image; the CD drive stays",
          "8.3": "what dom0 wrote the guest reads; 64 MiB written and read back",
          "8.4": "a disk that was never emulated",
          "8.5": "block-attach, data on it, block-detach",
          "8.6": "after power-off the images are what the guest wrote, and nothing is left"}
IMAGES = ("pv0.img", "pv1.img", "pv2.img")


def in_guest(guest, what, disk, area, sizes, seconds=600):
    return guest.command(f"labio {what} /dev/{disk} {area[0]} {area[1]} {area[2]} {sizes}", seconds)


def there(guest, disk):
    """Waits until the guest has a disk (or, with a minus sign before it, has it no more)."""
    guest.command(f"{'no_' if disk.startswith('-') else ''}disk_there {disk.lstrip('-')}", 120)


def prepare(lab):
    for name in IMAGES:
        guests.blank_disk(lab.outer, name)
    labio_in_dom0(lab, "write", FROM_DOM0, SIZES, "/scratch/pv0.img")


def hot(lab, guest):
    spec = "format=raw,vdev=xvdf,access=rw,backendtype=qdisk,target=/scratch/pv2.img"
    lab.agent.must(f"xl block-attach {guest.name} {spec}")
    there(guest, "xvdf")
    in_guest(guest, "write", "xvdf", ADDED, SIZES)
    in_guest(guest, "verify", "xvdf", ADDED, OTHER_SIZES)
    lab.agent.must(f"xl block-detach {guest.name} xvdf")
    there(guest, "-xvdf")


def run(lab, report, _points):
    prepare(lab)
    disks = [raw_disk("/scratch/pv0.img"), raw_disk("/scratch/pv1.img", "xvde"), cdrom("/scratch/pv.iso")]
    guest = guests.Guest(lab.outer, "pv", guests.config("pv", disks, "d"))
    with guests.life(guest):
        before = report.failed
        with report.check("8.1", "a guest with its own PV drivers boots to its shell") as notes:
            guest.create()
            guest.boot()
            notes.append(f"xl create {guest.create_seconds:.1f} s")
        if report.failed != before:
            for number, title in TITLES.items():
                report.skip(number, title, "the guest did not start")
            return
        with report.check("8.2", TITLES["8.2"]):
            there(guest, "xvda")
            listed = guest.command("disks")
            expect("sda" not in listed and "sr0" in listed, f"the guest has {listed}")
            expect("take the disks over" in guest.log_text(), guest.log_tail())
        with report.check("8.3", TITLES["8.3"]) as notes:
            in_guest(guest, "verify", "xvda", FROM_DOM0, OTHER_SIZES)
            wrote = in_guest(guest, "write", "xvda", BY_GUEST, SIZES)
            read = in_guest(guest, "verify", "xvda", BY_GUEST, OTHER_SIZES)
            notes.append(f"write {seconds_of(wrote)}, read {seconds_of(read)} in the guest")
        with report.check("8.4", TITLES["8.4"]):
            there(guest, "xvde")
            in_guest(guest, "write", "xvde", ON_SECOND, SIZES)
            in_guest(guest, "verify", "xvde", ON_SECOND, OTHER_SIZES)
        with report.check("8.5", TITLES["8.5"]):
            hot(lab, guest)
        with report.check("8.6", TITLES["8.6"]):
            guest.tell("poweroff -f")
            guest.wait_gone()
            lab.agent.must("echo 3 > /proc/sys/vm/drop_caches")
            labio_in_dom0(lab, "verify", FROM_DOM0, "1048576", "/scratch/pv0.img")
            labio_in_dom0(lab, "verify", BY_GUEST, "1048576", "/scratch/pv0.img")
            labio_in_dom0(lab, "verify", ON_SECOND, "1048576", "/scratch/pv1.img")
            labio_in_dom0(lab, "verify", ADDED, "1048576", "/scratch/pv2.img")
            left = lab.agent.run("ps | grep '[h]vm-dm-disks'").out
            expect(not left, f"a process is left: {left}")
