# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's packages, downloaded and unpacked but not installed: a tree for each version of Xen."""

import glob
import os
import re
from pathlib import Path

from roots import Roots
from work import HERE, WORK, LabError, cached, fresh_dir, made, say, sh


def wanted(group=""):
    """The packages that tests/lab/packages says are fetched, not installed: for all points, or for a group."""
    text = (HERE / "packages").read_text()
    return re.findall(rf"^fetch{'-' + group if group else ''} (\S+)", text, re.M)


class Tree:
    """What the lab takes from Debian for one version of Xen."""

    def __init__(self, version, roots):
        self.version = version
        self.roots = roots
        self.bindir = f"/usr/lib/xen-{version}/bin"
        self.hypervisor = self._one(f"/boot/xen-{version}-amd64.gz")
        self.kernel = self._newest("/boot/vmlinuz-*")
        self.release = self.kernel.name.split("-", 1)[1]
        self.modules = self._one(f"/usr/lib/modules/{self.release}", f"/lib/modules/{self.release}")
        if not (self.modules / "modules.dep").exists():
            sh("depmod", "-b", self._base(self.modules), self.release)

    def _one(self, *paths):
        for path in paths:
            hit = self.roots.find(path)
            if hit:
                return hit
        raise LabError(f"{paths[0]} is missing from the unpacked packages")

    def _newest(self, pattern):
        hits = sorted(glob.glob(str(self.roots.folders[0]) + pattern))
        if not hits:
            raise LabError(f"no {pattern} in {self.roots.folders[0]}")
        return Path(hits[-1])

    def _base(self, modules):
        return modules.parents[2] if modules.parents[1].name == "lib" else modules.parents[1]

    def module_order(self, names):
        """The modules of these names and what they need, in the order to insert them: host paths."""
        deps, by_name = {}, {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            deps[path] = rest.split()
            by_name[re.sub(r"\.ko.*", "", os.path.basename(path)).replace("-", "_")] = path
        order = []

        def add(path):
            for need in reversed(deps[path]):
                add(need)
            if path not in order:
                order.append(path)
        for name in names:
            path = by_name.get(name.replace("-", "_"))
            if path:  # not in modules.dep: built into this kernel
                add(path)
        return [self.modules / p for p in order]


def unpacked(folder, packages, what):
    """A folder with those packages, and what they need that is not installed here."""
    tree, archives = WORK / folder, WORK / f"debs-{folder}"
    inputs = (sorted(packages),)
    if not cached(tree, *inputs):
        say(f"fetching {what}")
        (archives / "partial").mkdir(parents=True, exist_ok=True)
        get = ["apt-get", "-y", "-q", "--download-only", "--reinstall", "--no-install-recommends",
               "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1", "install", *packages]
        try:
            sh(*get)
        except LabError:
            sh("apt-get", "-q", "update")
            sh(*get)
        fresh_dir(tree)
        for deb in sorted(archives.glob("*.deb")):
            sh("dpkg-deb", "-x", deb, tree)
        made(tree, *inputs)
    return tree


def bookworm():
    """Xen 4.17 of the suite this host runs: what is not installed here is unpacked beside it."""
    tree = unpacked("xen-4.17", wanted(), "Debian's Xen 4.17, kernel and stock device model (about 90 MB)")
    return Tree("4.17", Roots(tree, "/"))


def with_group(tree, group):
    """The files of a tree, and those of a group of packages that only some points need."""
    packages = wanted(group)
    return Roots(unpacked(group, packages, ", ".join(packages)), *tree.roots.folders)


def trixie():
    from trixie import tree
    return Tree("4.20", Roots(tree()))


def tree_for(version):
    if version == "4.17":
        return bookworm()
    if version == "4.20":
        return trixie()
    raise LabError(f"XEN={version}: the lab knows 4.17 and 4.20")
