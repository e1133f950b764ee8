# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 10: removable media: CDs that are changed under a guest, floppies."""

import re

import guest as guests
from guest import cdrom
from point1 import OTHER_SIZES, SIZES, labio_in_dom0
from report import expect

FLOPPY_BYTES = 1440 << 10
TITLES = {"10.2": "xl cd-insert while nothing is mounted: the guest sees the other CD",
          "10.3": "while the CD is mounted xl cd-insert is refused, as the guest holds the drive's lock; after umount it works",
          "10.4": "a forced eject takes a mounted CD away: the guest lives",
          "10.5": "xl cd-eject empties the drive; cd-insert fills it again",
          "10.6": "Linux's floppy driver writes and reads a whole 1.44M floppy",
          "10.7": "after power-off dom0 finds on the floppy what the guest wrote"}
FLOPPY = (0, FLOPPY_BYTES, 33)


def cd_now(guest):
    return re.search(r"CD (.*)", guest.command("cd_now", 120))[1].strip()


def expect_cd(guest, lab, name, size):
    """The guest's drive has the image of that name (of so many bytes), by size and first MiB."""
    want = f"{size // 512} " + lab.agent.must(f"dd if=/scratch/{name} bs=2048 count=512 2>/dev/null | md5sum").split()[0]
    have = cd_now(guest)
    expect(have == want, f"the guest has {have}; {name} is {want}")


def changes(lab, report, guest):
    sizes = {name: lab.files[name].stat().st_size for name in ("tools.iso", "menu.iso", "cd.iso")}
    with report.check("10.2", TITLES["10.2"]):
        expect_cd(guest, lab, "tools.iso", sizes["tools.iso"])
        lab.agent.must(f"xl cd-insert {guest.name} hdc /scratch/menu.iso", 120)
        expect_cd(guest, lab, "menu.iso", sizes["menu.iso"])
    with report.check("10.3", TITLES["10.3"]):
        guest.command("mount -t iso9660 -o ro /dev/sr0 /mnt")
        result = lab.agent.run(f"xl cd-insert {guest.name} hdc /scratch/cd.iso", 120)
        expect(result.code and "locked" in result.text, f"xl cd-insert: status {result.code}: {result.text[-300:]}")
        guest.command("cat /mnt/boot/grub/grub.cfg")
        guest.command("umount /mnt")
        lab.agent.must(f"xl cd-insert {guest.name} hdc /scratch/cd.iso", 120)
        expect_cd(guest, lab, "cd.iso", sizes["cd.iso"])
        guest.command("mount -t iso9660 -o ro /dev/sr0 /mnt")
        guest.command("test -f /mnt/noise")
    with report.check("10.4", TITLES["10.4"]):
        lab.agent.must(f"xl qemu-monitor-command {guest.name} 'eject -f ide-5632'", 120)
        guest.command("umount /mnt")
        have = cd_now(guest)
        expect(have == "none", f"the guest has {have}")
    with report.check("10.5", TITLES["10.5"]):
        lab.agent.must(f"xl cd-eject {guest.name} hdc", 120)
        have = cd_now(guest)
        expect(have == "none", f"the guest has {have}")
        lab.agent.must(f"xl cd-insert {guest.name} hdc /scratch/menu.iso", 120)
        expect_cd(guest, lab, "menu.iso", sizes["menu.iso"])


def linux(lab, report):
    lab.agent.must("cd /scratch; rm -f st.* fd.img; truncate -s 1440K fd.img; cp storage.img st.raw")
    text = guests.config("cdfd", [guests.raw_disk("/scratch/st.raw"), cdrom("/scratch/tools.iso")], "c",
                         device_model_args_hvm=["-fda", "/scratch/fd.img"])
    guest = guests.Guest(lab.outer, "cdfd", text)
    with guests.life(guest):
        before = report.failed
        with report.check("10.1", "a guest with CD and floppy drive boots to its shell"):
            guest.create()
            guest.boot()
        if report.failed != before:
            for number, title in TITLES.items():
                report.skip(number, title, "the guest did not start")
            return
        changes(lab, report, guest)
        with report.check("10.6", TITLES["10.6"]):
            guest.command(f"labio write /dev/fd0 {FLOPPY[0]} {FLOPPY[1]} {FLOPPY[2]} {SIZES}", 900)
            guest.command(f"labio verify /dev/fd0 {FLOPPY[0]} {FLOPPY[1]} {FLOPPY[2]} {OTHER_SIZES}", 900)
        with report.check("10.7", TITLES["10.7"]):
            guest.tell("poweroff -f")
            guest.wait_gone()
            labio_in_dom0(lab, "verify", FLOPPY, "0", "/scratch/fd.img")


def floppy_boot(lab, report):
    text = guests.config("floppy", [], "a", device_model_args_hvm=["-fda", "/scratch/floppy.img"])
    guest = guests.Guest(lab.outer, "floppy", text)
    with guests.life(guest):
        with report.check("10.8", "a floppy boots: GRUB, and a memory tester that starts"):
            guest.create()
            guest.wait(r"LAB grub", 300, "GRUB from the floppy")
            guest.wait(r"Memtest86", 300, "the memory tester from the floppy")


def run(lab, report, _points):
    linux(lab, report)
    floppy_boot(lab, report)
