# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what points 9 and 10 need: system disks with drivers of all controllers, a CD of tools, a floppy that boots."""

import struct
from pathlib import Path

import debs
from guestimg import CMDLINE, GRUB, PV_CMDLINE, hard_disk, initramfs, inputs_of, iso
from work import HERE, WORK, LabError, cached, fresh_dir, made, sh

MODULES = ["ahci", "crc32c_generic", "ext4", "floppy"]
# A floppy that boots something whole by itself: GRUB, and a memory tester that speaks on the serial port.
FLOPPY_KIB, FLOPPY_FS_KIB = 1440, 1000
FLOPPY_MENU = """serial --unit=0 --speed=115200
terminal_output --append serial
echo LAB grub
linux /memtest console=ttyS0,115200
boot
"""
TOOLS = ["/usr/bin/fio", "/sbin/mke2fs", "/sbin/e2fsck"]

def floppy(dest, memtest):
    """A 1.44M floppy: an ext2 file system with GRUB's core behind it."""
    root = fresh_dir(dest.with_suffix(".root"))
    (root / "boot/grub").mkdir(parents=True)
    (root / "boot/grub/grub.cfg").write_text(FLOPPY_MENU)
    (root / "memtest").write_bytes(memtest)
    core = dest.with_suffix(".core")
    sh("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-o", core, "-p", "(fd0)/boot/grub", "biosdisk", "ext2", "normal",
       "linux", "serial", "terminal", "echo", "boot", "configfile")
    dest.unlink(missing_ok=True)
    with open(dest, "wb") as f:
        f.truncate(FLOPPY_KIB << 10)
    sh("mke2fs", "-q", "-F", "-t", "ext2", "-b", "1024", "-m", "0", "-N", "32", "-O", "none,filetype", "-d", root, dest,
       f"{FLOPPY_FS_KIB}k")
    code, boot, at = bytearray(core.read_bytes()), bytearray((GRUB / "boot.img").read_bytes()), FLOPPY_FS_KIB * 2
    if at * 512 + len(code) > FLOPPY_KIB << 10:
        raise LabError("GRUB's core does not fit on the floppy")
    # Where the boot sector finds the core, and where the core's first sector finds the rest of it.
    boot[0x5c:0x64] = struct.pack("<Q", at)
    code[500:508] = struct.pack("<Q", at + 1)
    with open(dest, "r+b") as f:
        f.write(boot[:510] + b"\x55\xaa")
        f.seek(at * 512)
        f.write(code)


def tools(roots):
    """{name: bytes} of a folder with programs and all they need to run anywhere."""
    files = {}
    for tool in TOOLS:
        source = roots.need(tool)
        files["tools/" + Path(tool).name] = source.read_bytes()
        for path, host in roots.libraries(source).items():
            name = "ld.so" if "ld-linux" in path else Path(path).name
            files["tools/" + name] = host.read_bytes()
    return files


def build(tree):
    """{name under /scratch: image}"""
    folder = WORK / "guest"
    images = {name: folder / name for name in ("storage.img", "storage-pv.img", "tools.iso", "floppy.img")}
    roots = debs.with_group(tree, "storage")
    inputs = (*inputs_of(tree), HERE / "storageimg.py")
    if not cached(images["floppy.img"], *inputs):
        kernel, initrd = tree.kernel.read_bytes(), folder / "initrd-storage"
        initramfs(tree, initrd, MODULES)
        hard_disk(images["storage.img"], kernel, initrd.read_bytes(), CMDLINE)
        hard_disk(images["storage-pv.img"], kernel, initrd.read_bytes(), PV_CMDLINE)
        iso(images["tools.iso"], "", tools(roots) | {"vmlinuz": kernel})
        floppy(images["floppy.img"], roots.need("/boot/memtest86+x64.bin").read_bytes())
        made(images["floppy.img"], *inputs)
    return images
