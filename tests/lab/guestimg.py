# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds the guests: a CD image, a hard disk image with GRUB on it, a CD that stops at GRUB's menu."""

import hashlib
import random
import struct
from pathlib import Path

from cpio import Cpio
from dom0 import applets, build_tool, module_name, plain_module
from work import HERE, WORK, LabError, cached, fresh_dir, made, sh

GRUB = Path("/usr/lib/grub/i386-pc")
MODULES = ["ata_piix", "sd_mod", "sr_mod", "isofs", "button", "evdev", "xen-blkfront"]
# iommu=off saves 12 s of AGP probing, xen_emul_unplug=never keeps the emulated disks.
PV_CMDLINE = "console=ttyS0 quiet panic=-1 iommu=off"
CMDLINE = PV_CMDLINE + " xen_emul_unplug=never"
DISK_MIB = 192          # of the hard disk images
BOOT_MIB = 48           # the boot partition, from 1 MiB on
AREA_MIB = 64           # where the tests may write: from here to the end
# The marks on the serial port: GRUB is up; kernel and initramfs are loaded and about to run.
MENU = """serial --unit=0 --speed=115200
terminal_output --append serial
echo LAB grub
terminal_output --remove serial
linux {prefix}/vmlinuz {cmdline}
initrd {prefix}/initrd
terminal_output --append serial
echo LAB kernel
terminal_output --remove serial
boot
"""
GRUB_MENU = """serial --unit=0 --speed=115200
terminal_output --append serial
echo LAB grub
terminal_output --remove serial
set timeout=-1
set default=0
menuentry 'First entry' { true }
menuentry 'Second entry' { true }
menuentry 'Graphics 1024x768' --hotkey=g {
	insmod vbe
	insmod gfxterm
	loadfont /boot/unicode.pf2
	set gfxmode=1024x768x32
	terminal_output gfxterm
}
"""


def initramfs(tree, dest, modules=(), later=(), programs=None):
    archive = Cpio()
    archive.node("dev/console", 5, 1)
    busybox = tree.roots.need("/bin/busybox")
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    for name in applets(busybox):
        if name != "busybox":
            archive.link("bin/" + name, "busybox")
    archive.file("bin/labio", build_tool("labio").read_bytes(), 0o755)
    for name, program in (programs or {}).items():
        archive.file("bin/" + name, program.read_bytes(), 0o755)
    archive.file("init", (HERE / "guest-init").read_bytes(), 0o755)
    archive.file("lab.sh", (HERE / "guest.sh").read_bytes())
    order = tree.module_order([*MODULES, *modules])
    for module in order:
        archive.file("modules/" + module_name(module), plain_module(module))
    for module in tree.module_order(later):
        if module in order:
            continue
        if module_name(module) in [name + ".ko" for name in later]:
            archive.file("modules/later/" + module_name(module), plain_module(module))
        else:
            archive.file("modules/" + module_name(module), plain_module(module))
            order.append(module)
    archive.file("modules/order", "".join(module_name(m) + "\n" for m in order).encode())
    archive.write(dest, compress=True)


def iso(dest, config, files):
    if not (GRUB / "boot.img").exists():
        raise LabError("grub-pc-bin is not installed")
    root = fresh_dir(dest.with_suffix(".root"))
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/grub/grub.cfg").write_text(config)
    for name, data in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
        (root / name).chmod(0o755)
    sh("grub-mkrescue", "-d", GRUB, "-o", dest, root, "--", "-volid", "LAB")


def hard_disk(dest, kernel, initrd, cmdline=CMDLINE):
    """A partitioned disk, made of files only: boot sector and GRUB's core before the first partition; the
    second is where the tests may write."""
    root = fresh_dir(dest.with_suffix(".root"))
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/vmlinuz").write_bytes(kernel)
    (root / "boot/initrd").write_bytes(initrd)
    (root / "boot/grub/grub.cfg").write_text(MENU.format(prefix="/boot", cmdline=cmdline))
    core = dest.with_suffix(".core")
    sh("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-o", core, "-p", "(hd0,msdos1)/boot/grub", "biosdisk",
       "part_msdos", "ext2", "normal", "linux", "serial", "terminal", "echo", "boot", "configfile")
    dest.unlink(missing_ok=True)
    with open(dest, "wb") as f:
        f.truncate(DISK_MIB << 20)
    sh("mke2fs", "-q", "-F", "-t", "ext2", "-b", "4096", "-m", "0", "-E", f"offset={1 << 20},nodiscard", "-d", root,
       dest, f"{BOOT_MIB}M")
    first, sectors = 2048, BOOT_MIB * 2048
    partition = b"".join(
        struct.pack("<B3sB3sII", flag, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff", start, count)
        for flag, start, count in ((0x80, first, sectors), (0, AREA_MIB * 2048, (DISK_MIB - AREA_MIB) * 2048)))
    boot = bytearray((GRUB / "boot.img").read_bytes())
    boot[440:446] = b"LAB\0\0\0"
    boot[446:510] = partition + bytes(32)
    boot[510:512] = b"\x55\xaa"
    code = core.read_bytes()
    if len(code) > (first - 1) * 512:
        raise LabError("GRUB's core does not fit before the partition")
    with open(dest, "r+b") as f:
        f.write(boot + code)


def inputs_of(tree):
    """What every guest's image depends on."""
    return (tree.kernel, *[HERE / name for name in ("guest-init", "guest.sh", "labio.c", "guestimg.py", "cpio.py")])


class Guests:
    """The images, built once for a set of inputs."""

    def __init__(self, tree):
        folder = WORK / "guest"
        folder.mkdir(parents=True, exist_ok=True)
        self.pv = folder / "pv.iso"
        self.iso, self.disk, self.menu = folder / "cd.iso", folder / "disk.img", folder / "menu.iso"
        inputs = inputs_of(tree)
        if not cached(self.menu, *inputs):
            initrd = folder / "initrd"
            initramfs(tree, initrd)
            files = {"boot/vmlinuz": tree.kernel.read_bytes(), "boot/initrd": initrd.read_bytes(),
                     "noise": random.Random(4711).randbytes(16 << 20)}
            iso(self.iso, MENU.format(prefix="/boot", cmdline=CMDLINE), files)
            pv_files = {name: data for name, data in files.items() if name != "noise"}
            iso(self.pv, MENU.format(prefix="/boot", cmdline=PV_CMDLINE), pv_files)
            hard_disk(self.disk, files["boot/vmlinuz"], files["boot/initrd"])
            font = Path("/usr/share/grub/unicode.pf2").read_bytes()
            iso(self.menu, GRUB_MENU, {"boot/unicode.pf2": font})
            made(self.menu, *inputs)
        self.release = tree.release
        self.iso_bytes = self.iso.stat().st_size

    def iso_md5(self):
        return hashlib.md5(self.iso.read_bytes()).hexdigest()

    def files(self):
        """What goes to dom0's /scratch."""
        return {"cd.iso": self.iso, "disk.img": self.disk, "menu.iso": self.menu, "pv.iso": self.pv}
