# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the lab keeps things, how it runs host commands, what it prints."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
WORK = Path(os.environ.get("LAB_DIR", REPO / "build" / "lab")).resolve()
# Every wait has an upper bound; on a busy or slow machine multiply them all.
PATIENCE = float(os.environ.get("LAB_PATIENCE", "1"))
VERBOSE = bool(os.environ.get("V"))
ONLY = os.environ.get("LAB_ONLY", "").replace(",", " ").split()
START = time.monotonic()


def wanted(*names):
    """Whether this part of a long point is asked for; all of it without LAB_ONLY."""
    return not ONLY or any(name in ONLY for name in names)


class LabError(Exception):
    """Something the lab itself needs did not work; its text says what."""


def say(text):
    print(f"[{time.monotonic() - START:6.1f}s] {text}", flush=True)


def sh(*argv, **kw):
    """Run a host command quietly; on failure raise with what it printed."""
    argv = [str(a) for a in argv]
    if VERBOSE:
        print("+", " ".join(argv), file=sys.stderr)
    env = dict(os.environ, PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin", LC_ALL="C")
    try:
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, env=env, **kw)
    except FileNotFoundError:
        raise LabError(f"{argv[0]} is not installed; tests/lab/run packages lists what the lab needs")
    if done.returncode:
        text = (done.stdout + done.stderr).decode(errors="replace").strip()
        raise LabError(f"{' '.join(argv)[:300]} failed ({done.returncode}): {text[-1500:]}")
    return done.stdout.decode(errors="replace")


def fresh_dir(path):
    if path.exists():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def place(source, dest):
    """Put a file at dest without copying its bytes where the file system allows."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    if dest.exists() or dest.is_symlink():
        dest.unlink()
    try:
        os.link(source, dest)
    except OSError:
        shutil.copy2(source, dest)


def key_of(*things):
    """A short name for a set of inputs: paths count with their contents."""
    h = hashlib.sha256()
    for thing in things:
        if isinstance(thing, Path):
            h.update(thing.name.encode() + b"\0" + hashlib.sha256(thing.read_bytes()).digest())
        else:
            h.update(str(thing).encode() + b"\0")
    return h.hexdigest()[:16]


def cached(path, *inputs):
    """True when path was made from just these inputs; otherwise call made() after making it."""
    stamp = path.with_name(path.name + ".key")
    return path.exists() and stamp.exists() and stamp.read_text() == key_of(*inputs)


def made(path, *inputs):
    path.with_name(path.name + ".key").write_text(key_of(*inputs))


def lock():
    """One lab at a time on this machine: two take ten times as long as one after the other.
    The returned file holds the lock while open (the outer machine inherits it, so a lab left
    running keeps it)."""
    WORK.mkdir(parents=True, exist_ok=True)
    handle = open(os.environ.get("LAB_LOCK") or Path(tempfile.gettempdir()) / "hvm-dm-lab.lock", "a+")
    deadline = time.monotonic() + 3600 * PATIENCE
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if not told:
                handle.seek(0)
                say(f"another lab is running on this machine ({handle.read().strip() or 'unknown'}); waiting for it")
                told = True
            if time.monotonic() > deadline:
                raise LabError("another lab held the lock all the time")
            time.sleep(2)
    handle.truncate(0)
    handle.write(f"pid {os.getpid()}: {' '.join(sys.argv[1:])}\n")
    handle.flush()
    return handle
