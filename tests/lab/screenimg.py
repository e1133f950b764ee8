# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what point 11 needs: system disks with drivers of screens and pointers, a disk with an X server."""

import debs
from dom0 import applets
from guestimg import CMDLINE, PV_CMDLINE, hard_disk, initramfs, inputs_of
from work import HERE, WORK, cached, fresh_dir, made, place, sh

MODULES = ["crc32c_generic", "ext4", "uhci-hcd", "usbhid", "hid-generic", "xen-kbdfront"]
LATER = ["cirrus"]  # there, but the guest is told when
X_MIB = 160
X_CONFIG = """Section "ServerFlags"
	Option "AutoAddDevices" "false"
	Option "AutoAddGPU" "false"
EndSection
Section "Device"
	Identifier "card"
	Driver "{driver}"
	Option "AccelMethod" "none"
EndSection
Section "Screen"
	Identifier "screen"
	Device "card"
	DefaultDepth {depth}
	SubSection "Display"
		Depth {depth}
		Modes "{mode}"
	EndSubSection
EndSection
"""
DRIVERS = {"modesetting": (24, "1024x768"), "cirrus": (16, "640x480"), "vesa": (16, "800x600")}


def x_disk(dest, roots):
    """A file system to chroot into: the X server, its drivers, what it runs."""
    root = fresh_dir(dest.with_suffix(".root"))
    for name in ("dev", "proc", "sys", "tmp", "var/log", "var/lib/xkb", "etc", "usr/bin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to("usr/" + name)

    def put(path, source):
        place(source, root / path.strip("/"))
        for lib, host in roots.libraries(source).items():
            if not (root / lib.strip("/")).exists():
                place(host, root / lib.strip("/"))

    put("/usr/lib/xorg/Xorg", roots.need("/usr/lib/xorg/Xorg"))
    put("/usr/bin/xkbcomp", roots.need("/usr/bin/xkbcomp"))
    for path, source in roots.walk("/usr/lib/xorg/modules"):
        if not path.endswith(("libglx.so", "libglamoregl.so")):
            put(path, source)
    for folder in ("/usr/share/X11/xkb", "/usr/lib/xorg"):
        for path, source in roots.walk(folder):
            if not (root / path.strip("/")).exists() and "modules" not in path:
                place(source, root / path.strip("/"))
    busybox = roots.need("/bin/busybox")
    place(busybox, root / "usr/bin/busybox")
    for name in applets(busybox):
        if not (root / "usr/bin" / name).exists():
            (root / "usr/bin" / name).symlink_to("busybox")
    for driver, (depth, mode) in DRIVERS.items():
        (root / f"etc/{driver}.conf").write_text(X_CONFIG.format(driver=driver, depth=depth, mode=mode))
    dest.unlink(missing_ok=True)
    with open(dest, "wb") as f:
        f.truncate(X_MIB << 20)
    sh("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", root, dest)


def build(tree):
    """{name under /scratch: image}"""
    folder = WORK / "guest"
    images = {name: folder / name for name in ("screen.img", "screen-pv.img", "x.img")}
    roots = debs.with_group(tree, "screens")
    inputs = (*inputs_of(tree), HERE / "screenimg.py")
    if not cached(images["x.img"], *inputs):
        kernel, initrd = tree.kernel.read_bytes(), folder / "initrd-screen"
        initramfs(tree, initrd, MODULES, LATER)
        hard_disk(images["screen.img"], kernel, initrd.read_bytes(), CMDLINE)
        hard_disk(images["screen-pv.img"], kernel, initrd.read_bytes(), PV_CMDLINE)
        x_disk(images["x.img"], roots)
        made(images["x.img"], *inputs)
    return images
