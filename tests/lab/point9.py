# SPDX-License-Identifier: GPL-2.0-or-later
"""Point 9: raw, qcow2 and VHD images under load, on IDE, AHCI and PV disks; the device model killed."""

import re

import guest as guests
from guest import cdrom, raw_disk
from point1 import labio_in_dom0
from report import expect

MIB = 1 << 20
SIZE_MIB = 192
FLOOD_AT = 128 * MIB
SEED = 21
ENOUGH = 4 * MIB  # flushed on each disk before the kill
# controller: (number of its checks, the system disk's image, options of xl)
KINDS = {"IDE": ("1", "storage.img", {}), "AHCI": ("2", "storage.img", {"hdtype": "ahci"}),
         "PV": ("3", "storage-pv.img", {})}
IMAGES = {"qcow2": "/scratch/st.qcow2", "raw": "/scratch/st.raw", "vpc": "/scratch/st.vhd"}


def make_images(lab, system):
    lab.agent.must(
        f"cd /scratch; rm -f st.*; qemu-img convert -f raw -O qcow2 {system} {IMAGES['qcow2']} && "
        f"truncate -s {SIZE_MIB}M {IMAGES['raw']} && "
        f"qemu-img create -q -f vpc -o force_size=on {IMAGES['vpc']} {SIZE_MIB}M", 120)


def disks():
    return [raw_disk(IMAGES["qcow2"], "hda").replace("format=raw", "format=qcow2"), raw_disk(IMAGES["raw"], "hdb"),
            cdrom("/scratch/tools.iso"), raw_disk(IMAGES["vpc"], "hdd").replace("format=raw", "format=vhd")]


def check_images(lab, allow_leaks):
    """qemu-img check of the qcow2 image: 0 is faultless, 3 is leaked clusters and nothing else."""
    result = lab.agent.run(f"qemu-img check -f qcow2 {IMAGES['qcow2']}", 120)
    expect(result.code in ((0, 3) if allow_leaks else (0,)), f"qemu-img check: status {result.code}: {result.text[-300:]}")
    return "leaked clusters" if result.code == 3 else "no leaks"


def as_raw(lab, form):
    """An image's contents as a raw file in dom0, while a guest may have it open but writes nothing."""
    if form == "raw":
        return IMAGES["raw"]
    lab.agent.must(f"qemu-img convert -U -f {form} -O raw {IMAGES[form]} /scratch/st.out", 120)
    return "/scratch/st.out"


def flushed(guest, name):
    return max((int(n) for n in re.findall(rf"^FLUSHED {name} (\d+)\r?$", guest.serial.text, re.M)), default=0)


def kill_under_load(lab, guest, names):
    """Kills the device model while it writes; what was flushed of each disk by then."""
    guest.tell(f"flood {FLOOD_AT} {' '.join(names)}")
    for name in names:
        if flushed(guest, name) < ENOUGH:
            guest.wait(rf"FLUSHED {name} {ENOUGH}\s", 600, f"{ENOUGH >> 20} MiB flushed on {name}")
    lab.agent.must(f"kill -9 {guest.pid}")
    lab.agent.until(f"[ ! -d /proc/{guest.pid} ]", 30, "the killed device model to be gone")
    guest.destroy()
    return {name: flushed(guest, name) for name in names}


def disk_names(guest, kind):
    """What the guest calls the qcow2, the raw and the VHD disk."""
    listed = re.findall(r"DISK (\S+)", guest.command("disks" if kind == "PV" else "disk_order"))
    names = [name for name in listed if not name.startswith("sr")]
    expect(len(names) == 3, f"the guest has {listed}")
    return names


def tables(names):
    """Where tests may write: the second partition of the disk that has the system, all of the others."""
    return [names[0] + "2", *names[1:]]


def one(lab, report, kind):
    place, system, options = KINDS[kind]
    number = f"9.{place}"
    make_images(lab, system)
    guest = guests.Guest(lab.outer, "st" + kind.lower(), guests.config("st" + kind.lower(), disks(), "c", memory=320, **options))
    steps = {f"{number}.2": f"{kind}: random reads and writes verified by fio on qcow2, raw and VHD",
             f"{number}.3": f"{kind}: file systems on qcow2, raw and VHD: contents and e2fsck",
             f"{number}.4": f"{kind}: kill -9 of the device model under load: images sound, all that was flushed is there"}
    with guests.life(guest):
        before = report.failed
        with report.check(f"{number}.1", f"{kind}: a guest boots from a qcow2 image") as notes:
            guest.create()
            guest.boot()
            guest.command("mount -t iso9660 -o ro /dev/sr0 /mnt")
            names = disk_names(guest, kind)
            notes.append(f"xl create {guest.create_seconds:.1f} s")
        if report.failed != before:
            for item, title in steps.items():
                report.skip(item, title, "the guest did not start")
            return
        areas = tables(names)
        with report.check(f"{number}.2", steps[f"{number}.2"]):
            guest.command("fio_verify " + " ".join(areas), 1200)
        with report.check(f"{number}.3", steps[f"{number}.3"]):
            for area in areas:
                guest.command(f"fs_torture {area}", 900)
            guest.command("sync")
            for form, offset in (("qcow2", 64 * MIB), ("raw", 0), ("vpc", 0)):
                image = as_raw(lab, form)
                where = f"{image}?offset={offset}" if offset else image
                lab.agent.must(f"e2fsck -fn '{where}'", 120)
        with report.check(f"{number}.4", steps[f"{number}.4"]) as notes:
            done = kill_under_load(lab, guest, names)
            notes.append(check_images(lab, True))
            for form, name in zip(IMAGES, names):
                labio_in_dom0(lab, "verify", (FLOOD_AT, done[name], SEED), "0", as_raw(lab, form))
            notes.append(", ".join(f"{form} {done[name] / MIB:.1f} MiB" for form, name in zip(IMAGES, names)))
            left = lab.agent.run("ps | grep '[h]vm-dm'").out
            expect(not left, f"a process is left: {left}")


def run(lab, report, _points):
    for kind in KINDS:
        one(lab, report, kind)
