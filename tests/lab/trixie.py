# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian 13's tree, for Xen 4.20: debootstrap makes it, then it fetches its own kernel and hypervisor."""

import os
import re
import shutil

from work import WORK, LabError, cached, fresh_dir, made, say, sh

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
INSIDE = ["xen-utils-4.20", "qemu-system-xen", "busybox-static", "seabios", "ipxe-qemu"]
UNPACKED = ["xen-hypervisor-4.20-amd64", "linux-image-amd64"]


def mirror():
    """Where this host's own apt gets Debian from."""
    text = sh("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(RELEASE)")
    for line in text.splitlines():
        uri, _, rest = line.partition(" ")
        if rest.startswith("Debian ") and not re.search("security|updates|backports", uri + rest):
            return uri
    raise LabError("apt names no Debian repository (apt-get indextargets): add one to its sources, then apt-get update")


def tree():
    root = WORK / "trixie"
    inputs = (INSIDE, UNPACKED)
    if cached(root, *inputs):
        return root
    if os.geteuid():
        raise LabError("debootstrap of Debian 13 needs root")
    say("debootstrap of Debian 13 with Xen 4.20 (some minutes)")
    fresh_dir(root)
    shutil.rmtree(root)
    sh("debootstrap", "--variant=minbase", f"--keyring={KEYRING}", f"--include={','.join(INSIDE)}", "trixie", root,
       mirror())
    folder = root / "var/cache/lab"
    folder.mkdir(parents=True)
    # The packages' own scripts are of no use here: unpack.
    sh("chroot", root, "sh", "-c",
       f"cd /var/cache/lab && for p in {' '.join(UNPACKED)}; do "
       "apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces "
       "--no-enhances $p | grep -E '^(linux-image-[0-9].*-amd64|xen-hypervisor-4.20-amd64)$'; done | "
       "sort -u | xargs apt-get download && for d in *.deb; do dpkg-deb -x $d /; done")
    made(root, *inputs)
    return root
