# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds what Xen boots: dom0's small initramfs and its system disk."""

import gzip
import lzma
import os
import shutil
import subprocess
from pathlib import Path

from cpio import Cpio
from roots import Roots
from work import HERE, REPO, WORK, LabError, cached, fresh_dir, made, place, sh

STOCK = "/usr/libexec/xen-qemu-system-i386"
DISK_MODULES = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"]
XEN_MODULES = ["xen-evtchn", "xen-gntdev", "xen-gntalloc", "xen-privcmd", "xenfs", "virtio_net",
               "loop", "tun", "llc", "stp", "bridge", "8021q", "xen-netback"]
XEN_PROGRAMS = ["xl", "xenstored", "xenconsoled", "xen-init-dom0", "xenstore-control", "libxl-save-helper"]
XENSTORE = ["read", "ls", "list", "write", "rm", "exists", "watch"]
DISK_MIB = 4096


def plain_module(path):
    """A module's bytes as insmod takes them: newer Debians compress theirs."""
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc", path], stdout=subprocess.PIPE, check=True).stdout
    return data


def module_name(path):
    return path.name[:path.name.index(".ko")] + ".ko"


def applets(busybox):
    return subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def initramfs(tree, dest):
    archive = Cpio()
    for folder in ("proc", "sys", "dev", "root"):
        archive.directory(folder)
    archive.node("dev/console", 5, 1)
    archive.file("bin/busybox", tree.roots.need("/bin/busybox").read_bytes(), 0o755)
    archive.link("bin/sh", "busybox")
    archive.file("init", (HERE / "dom0-init").read_bytes(), 0o755)
    modules = tree.module_order(DISK_MODULES)
    for module in modules:
        archive.file("modules/" + module_name(module), plain_module(module))
    archive.file("modules/order", "".join(module_name(m) + "\n" for m in modules).encode())
    archive.write(dest)


def put_modules(tree, root):
    have = {m.name for m in tree.module_order(DISK_MODULES)}
    modules = [m for m in tree.module_order(XEN_MODULES) if m.name not in have]
    folder = root / "lab" / "modules"
    folder.mkdir(parents=True)
    for module in modules:
        (folder / module_name(module)).write_bytes(plain_module(module))
    (folder / "order").write_text("".join(module_name(m) + "\n" for m in modules))


class Stage:
    """The folder that becomes dom0's disk."""

    def __init__(self, tree, folder):
        self.tree, self.root = tree, fresh_dir(folder)
        for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc/xen", "sys", "dev", "run", "tmp", "root",
                     "etc/xen", "var/log", "var/lib", "scratch", "dm"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to("usr/" + name)
        (self.root / "var/run").symlink_to("/run")

    def put(self, path, source):
        place(source, self.root / path.strip("/"))

    def write(self, path, text, mode=0o644):
        dest = self.root / path.strip("/")
        dest.parent.mkdir(parents=True, exist_ok=True)
        dest.write_text(text)
        dest.chmod(mode)

    def program(self, path, source=None, extra=None):
        """A program of the tree (or `source` from outside it) and the libraries it needs."""
        source = source or self.tree.roots.need(path)
        self.put(path, source)
        for lib, host in self.tree.roots.libraries(source, extra).items():
            if not (self.root / lib.strip("/")).exists():
                self.put(lib, host)

    def folder(self, path):
        for name, source in self.tree.roots.walk(path):
            self.put(name, source)


def build_tool(name, *options):
    """One of the lab's own static programs, from NAME.c."""
    program, source = WORK / name, HERE / f"{name}.c"
    if not cached(program, source, *options):
        sh("gcc", "-O2", "-Wall", "-static", *options, "-o", program, source)
        made(program, source, *options)
    return program


def stage_system(stage):
    tree = stage.tree
    busybox = tree.roots.need("/bin/busybox")
    stage.put("/usr/bin/busybox", busybox)
    for name in applets(busybox):
        link = stage.root / "usr/bin" / name
        if not link.exists():
            link.symlink_to("busybox")
    for name in XEN_PROGRAMS:
        stage.program(f"{tree.bindir}/{name}")
    for name in XENSTORE:
        stage.program(f"/usr/bin/xenstore-{name}")
    stage.put(f"/usr/lib/xen-{tree.version}/boot/hvmloader",
              tree.roots.need(f"/usr/lib/xen-{tree.version}/boot/hvmloader"))
    stage.folder("/usr/share/seabios")
    stage.program(STOCK)
    stage.program("/usr/bin/qemu-img")
    stage.program("/sbin/e2fsck")
    for path in ("/usr/lib/ipxe/qemu", "/usr/share/qemu/keymaps"):  # each is elsewhere in some suite
        if tree.roots.find(path):
            stage.folder(path)
    stage.put("/lab/agent", build_tool("agent"))
    stage.put("/lab/labio", build_tool("labio"))
    stage.put("/lab/labnet", build_tool("labnet"))
    stage.put("/etc/xen/scripts/vif-lab", HERE / "vif-lab")
    stage.put("/dm/timed", build_tool("lifetime", '-DPROGRAM="/dm/test"'))
    stage.put("/lab/start", HERE / "dom0-start")
    put_modules(tree, stage.root)
    stage.write("/etc/profile", f"export PATH=/usr/lib/xen-{tree.version}/bin:/usr/bin:/usr/sbin:/bin:/sbin\n"
                                "export HOME=/root\nexport ENV=/etc/profile\n")
    stage.write("/etc/xen/xl.conf", "")
    stage.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    stage.write("/etc/group", "root:x:0:\nnogroup:x:65534:\n")


def device_model(stage, binary):
    """Puts the device model under test at /dm/test, or links it to the stock one."""
    if binary is None:
        (stage.root / "dm/test").symlink_to(STOCK)
        return
    binary = Path(binary).resolve()
    if not os.access(binary, os.X_OK):
        raise LabError(f"--dm {binary}: not an executable file")
    host = Roots("/")
    stage.program("/dm/test", binary, extra=host)
    for name in ("vnc.so", "web.so"):  # it looks for them in its own folder
        module = binary.parent / name
        if module.exists():
            stage.program("/dm/" + name, module, extra=host)
    for path, source in host.walk("/usr/share/X11/xkb"):  # keyboard layouts
        stage.put(path, source)


def build(tree, binary, files, folder):
    """Makes `folder`/system.img with dom0's system, the device model and `files` under /scratch."""
    stage = Stage(tree, folder / "dom0")
    stage_system(stage)
    device_model(stage, binary)
    for name, source in files.items():
        stage.put("/scratch/" + name, source)
    image = folder / "system.img"
    image.unlink(missing_ok=True)
    with open(image, "wb") as f:
        f.truncate(DISK_MIB << 20)
    sh("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-m", "0", "-N", "20000",
       "-E", "lazy_itable_init=0,nodiscard", "-d", stage.root, image)
    shutil.rmtree(stage.root)
    initramfs(tree, folder / "initramfs")
    xen = folder / "xen.bin"
    xen.write_bytes(gzip.decompress(tree.hypervisor.read_bytes()))
    return folder


def version_of(binary):
    """How a report names the device model."""
    return "stock xen-qemu-system-i386" if binary is None else os.path.relpath(Path(binary).resolve(), REPO)
