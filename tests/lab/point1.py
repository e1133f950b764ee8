# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 1: boots from CD and from disk; PCI, CD and disk as they should be."""

import re

import guest as guests
import pci
from report import expect

MIB = 1 << 20
FROM_DOM0 = (0, 8 * MIB, 7)            # start, bytes, seed: written in dom0, read by the guest
BY_DMA = (64 * MIB, 64 * MIB, 1)       # written by the guest
BY_PIO = (130 * MIB, 2 * MIB, 2)
SIZES = "512,1024,4096,65536,8192,131072,2048,1048576,16384,262144,32768,524288"
OTHER_SIZES = "1048576,512,262144,8192,524288,1024,65536,32768,2048,131072,4096,16384"
TITLES = {"1.2": "PCI configuration spaces equal the stock device model's",
          "1.3": "the CD reads back with the right checksum",
          "1.4": "what dom0 wrote into the image, the guest reads from its disk",
          "1.5": "64 MiB written and read back by DMA, 512 bytes to 1 MiB at a time",
          "1.6": "2 MiB written and read back by PIO",
          "1.7": "the image on dom0's side is what the guest wrote",
          "1.8": "a sparse image stays sparse"}


def prepare(lab):
    """A sparse image of which the guest will find the beginning written."""
    guests.blank_disk(lab.outer)
    labio_in_dom0(lab, "write", FROM_DOM0, SIZES)


def labio_in_dom0(lab, what, area, sizes, image="/scratch/blank.img"):
    out = lab.agent.run(f"/lab/labio {what} {image} {area[0]} {area[1]} {area[2]} {sizes}", 300)
    expect(out.code == 0, f"{image} in dom0: {out.text}")


def in_guest(guest, what, area, sizes, seconds=600):
    return guest.command(f"labio {what} /dev/sda {area[0]} {area[1]} {area[2]} {sizes}", seconds)


def seconds_of(answer):
    match = re.search(r"(\d+) ms", answer)
    return f"{int(match[1]) / 1000:.1f} s" if match else "?"


def same_pci(lab, report, number, guest):
    with report.check(number, TITLES["1.2"]) as notes:
        listed = pci.compare(pci.dump(guest), lab.stock_pci(), lab.folder / f"pci-{guest.name}.txt")
        if listed:
            notes.append(f"{listed} bytes for listed reasons")


def cd_checks(lab, report, guest):
    """What a guest that was booted from CD is asked."""
    same_pci(lab, report, "1.2", guest)
    with report.check("1.3", TITLES["1.3"]):
        size, md5 = re.search(r"CD (\d+) ([0-9a-f]{32})", guest.command("cd_sum", 300)).groups()
        expect(int(size) == lab.images.iso_bytes, f"{size} bytes, the image has {lab.images.iso_bytes}")
        expect(md5 == lab.images.iso_md5(), f"{md5}, the image has {lab.images.iso_md5()}")
    with report.check("1.4", TITLES["1.4"]):
        in_guest(guest, "verify", FROM_DOM0, OTHER_SIZES)
    with report.check("1.5", TITLES["1.5"]) as notes:
        modes = guest.command("ata_modes")
        expect("DMA" in modes and "PIO" not in modes, f"the guest's driver says {modes}")
        wrote = in_guest(guest, "write", BY_DMA, SIZES)
        read = in_guest(guest, "verify", BY_DMA, OTHER_SIZES)
        notes.append(f"write {seconds_of(wrote)}, read {seconds_of(read)} in the guest")
    with report.check("1.6", TITLES["1.6"]) as notes:
        modes = guest.command("ata_mode 0", 300)
        expect("PIO" in modes and "DMA" not in modes, f"the guest's driver says {modes}")
        wrote = in_guest(guest, "write", BY_PIO, "512,65536,4096,1048576,8192")
        read = in_guest(guest, "verify", BY_PIO, "1048576,512,131072,4096")
        again = in_guest(guest, "verify", (BY_DMA[0], 2 * MIB, BY_DMA[2]), "262144,512")
        notes.append(f"write {seconds_of(wrote)}, read {seconds_of(read)}, what DMA wrote {seconds_of(again)}")


def after_power_off(lab, report):
    """The image as dom0 has it, once its device model has let go of it."""
    with report.check("1.7", TITLES["1.7"]):
        lab.agent.must("echo 3 > /proc/sys/vm/drop_caches")
        for area in (FROM_DOM0, BY_DMA, BY_PIO):
            labio_in_dom0(lab, "verify", area, "1048576")
    with report.check("1.8", TITLES["1.8"]) as notes:
        used = int(lab.agent.must("du -k /scratch/blank.img").split()[0]) / 1024
        notes.append(f"{used:.0f} of 192 MiB in use")
        expect(used <= 76, f"{used:.0f} MiB in use, 74 were written")
