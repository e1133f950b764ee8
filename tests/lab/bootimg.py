# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what point 14 boots: Debian's installer with a 64-bit and a 32-bit kernel, and a disk that sets every mode."""

import gzip

import debs
from guestimg import iso
from work import HERE, WORK, cached, made, sh

FOLDER = "/usr/lib/debian-installer/images/12/{arch}/text/debian-installer/{arch}/"
# The first in the card's text mode; the second in a linear framebuffer that GRUB has set up by the VGA BIOS.
INSTALLERS = {"installer": ("amd64", "text", "vga=normal fb=false"),
              "vesafb": ("i386", "1024x768x16,1024x768x32", "nomodeset")}
MENU = """serial --unit=0 --speed=115200
terminal_output --append serial
echo LAB grub
terminal_output --remove serial
insmod vbe
set gfxpayload={payload}
linux /boot/vmlinuz {cmdline} quiet iommu=off xen_emul_unplug=never
initrd /boot/initrd
boot
"""
LINK = "SECTIONS { . = 0x7C00; .all : { *(.boot) *(.text*) *(.rodata*) *(.data*) *(.bss*) } /DISCARD/ : { *(.*) } }"
MODES_SECTORS = 25


def without_modules(initrd):
    """The installer's initramfs without its kernel's modules: two thirds of it, which take minutes to load here, and
    none of which the first screens need. A driver of the card would change the mode, besides."""
    old, new, at = gzip.decompress(initrd), [], 0
    while old[at:at + 6] == b"070701":
        size, name_size = int(old[at + 54:at + 62], 16), int(old[at + 94:at + 102], 16)
        name = old[at + 110:at + 110 + name_size - 1]
        end = at + (110 + name_size + 3 & ~3) + (size + 3 & ~3)
        if not name.endswith(b".ko"):
            new.append(old[at:end])
        at = end
        if name == b"TRAILER!!!":
            break
    return gzip.compress(b"".join(new), 6, mtime=0)


def modes_disk(dest):
    """modes.c as a flat image; the rest of a small disk is empty."""
    script, obj = dest.with_suffix(".ld"), dest.with_suffix(".o")
    script.write_text(LINK)
    sh("gcc", "-m16", "-march=i386", "-Os", "-ffreestanding", "-fno-pic", "-fno-stack-protector",
       "-fno-asynchronous-unwind-tables", "-Wall", "-Wextra", "-c", "-o", obj, HERE / "modes.c")
    sh("ld", "-m", "elf_i386", "-T", script, "--oformat=binary", "-o", dest, obj)
    code = dest.read_bytes()
    assert len(code) <= MODES_SECTORS * 512
    dest.write_bytes(code + bytes((1 << 20) - len(code)))


def build(tree):
    """{name under /scratch: image}"""
    folder = WORK / "guest"
    images = {name + ".iso": folder / (name + ".iso") for name in INSTALLERS} | {"modes.img": folder / "modes.img"}
    roots = debs.with_group(tree, "installer")
    inputs = (tree.kernel, HERE / "guestimg.py", HERE / "bootimg.py", HERE / "modes.c")
    if not cached(images["modes.img"], *inputs):
        for name, (arch, payload, cmdline) in INSTALLERS.items():
            files = {"boot/vmlinuz": roots.need(FOLDER.format(arch=arch) + "linux").read_bytes(),
                     "boot/initrd": without_modules(roots.need(FOLDER.format(arch=arch) + "initrd.gz").read_bytes())}
            iso(images[name + ".iso"], MENU.format(payload=payload, cmdline=cmdline), files)
        modes_disk(images["modes.img"])
        made(images["modes.img"], *inputs)
    return images
