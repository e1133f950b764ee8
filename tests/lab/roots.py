# SPDX-License-Identifier: GPL-2.0-or-later
"""Trees of Debian files: found through several roots as one, with the libraries a program needs."""

import os
import re
import subprocess
from pathlib import Path

from work import LabError

LIBDIRS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib", "/usr/lib64"]
MERGED = ("bin", "sbin", "lib", "lib64")


def usr(path):
    """/lib/x as /usr/lib/x: the trees differ in whether they are merged, we always are."""
    parts = path.strip("/").split("/")
    return "/usr/" + "/".join(parts) if parts[0] in MERGED else "/" + "/".join(parts)


class Roots:
    def __init__(self, *folders):
        self.folders = [Path(f) for f in folders]

    def _in(self, root, path, depth=0):
        """The real file behind path inside one root, whose absolute links point inside it."""
        full = root / path.strip("/")
        if full.is_symlink():
            if depth > 20:
                return None
            link = os.readlink(full)
            target = link if link.startswith("/") else os.path.normpath(os.path.join("/", path, "..", link))
            return self._in(root, target, depth + 1) or self.find(target, depth + 1)
        if full.exists():
            return full
        return None

    def find(self, path, depth=0):
        """The host path of a file of the tree, or None."""
        names = [usr(path)]
        if names[0].startswith("/usr/") and names[0].split("/")[2] in MERGED:
            names.append(names[0][4:])
        if depth > 20:
            return None
        for root in self.folders:
            for name in names:
                hit = self._in(root, name, depth)
                if hit:
                    return hit
        return None

    def need(self, path):
        hit = self.find(path)
        if not hit:
            raise LabError(f"{path} is in none of {', '.join(map(str, self.folders))}")
        return hit

    def walk(self, folder):
        """(path in the tree, host path) of all files under a folder, in whichever root."""
        seen = {}
        for root in self.folders:
            base = root / folder.strip("/")
            for where, _dirs, files in os.walk(base):
                for name in files:
                    path = "/" + os.path.relpath(os.path.join(where, name), root)
                    if path not in seen:
                        hit = self._in(root, path)
                        if hit and hit.is_file():
                            seen[path] = hit
        if not seen:
            raise LabError(f"{folder} is in none of {', '.join(map(str, self.folders))}")
        return sorted(seen.items())

    def libraries(self, program, extra=None):
        """{path in the tree: host file} of all shared objects a program needs, its loader too.

        Looked up here first, then in `extra` (another Roots): a program built elsewhere
        brings along only what this tree does not have.
        """
        out, todo, seen = {}, [Path(program)], set()
        while todo:
            item = todo.pop()
            text = subprocess.run(["readelf", "-Wld", item], capture_output=True, text=True, check=True).stdout
            dirs = []
            for line in re.findall(r"R(?:UN)?PATH.*\[(.*)\]", text):
                dirs += [d for d in line.split(":") if d.startswith("/")]
            names = re.findall(r"\(NEEDED\).*\[(.*)\]", text)
            names += re.findall(r"interpreter: (\S+)\]", text)
            for name in names:
                if name in seen:
                    continue
                seen.add(name)
                hit = self._library(name, dirs) or (extra and extra._library(name, dirs))
                if not hit:
                    raise LabError(f"{program} needs {name}, which is not to be found")
                path, source = hit
                out[path] = source
                todo.append(source)
        return out

    def _library(self, name, dirs):
        if name.startswith("/"):
            hit = self.find(name)
            return (usr(name), hit) if hit else None
        for folder in dirs + LIBDIRS:
            hit = self.find(f"{folder}/{name}")
            if hit:
                return usr(f"{folder}/{name}"), hit
        return None
