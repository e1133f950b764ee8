/* SPDX-License-Identifier: GPL-2.0-or-later */
/* own_root: see own_root.h. mount_namespaces(7), user_namespaces(7), pivot_root(2). */
#include "hw/xen/own_root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RESOLVER "etc/resolv.conf"
#define HARMLESS (MS_NOSUID | MS_NODEV | MS_NOEXEC)
/* A folder that is everywhere; in a namespace of its own nobody else sees what is done to it. */
#define PLACE "/tmp"

/* Not an error if it can't be read: there is no resolver then. */
static size_t read_resolver(char *text, size_t size)
{
    int fd = open("/" RESOLVER, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

static bool write_file(const char *name, const char *text, size_t len)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write(fd, text, len) == (ssize_t)len;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* For who is not root: the mounts of a namespace whose user it is are its own. */
static bool new_user_namespace(void)
{
    char map[32];
    unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) || !write_file("/proc/self/setgroups", "deny", 4))
        return false;
    int n = snprintf(map, sizeof(map), "%u %u 1", uid, uid);
    if (!write_file("/proc/self/uid_map", map, (size_t)n))
        return false;
    n = snprintf(map, sizeof(map), "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", map, (size_t)n);
}

static bool new_namespace(struct err *err)
{
    if (unshare(CLONE_NEWNS) && !new_user_namespace())
        return err_set(err, "cannot have file systems of its own (-sandbox off does without): %s",
                       strerror(errno));
    /* What is done here is nobody else's from now on. */
    return !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
           err_set(err, "cannot have mounts of its own: %s", strerror(errno));
}

/* In the new root, where we are, the open folder gets its old name. */
static bool add_folder(int fd, const char *folder, struct err *err)
{
    char path[PATH_MAX], from[32];
    if (snprintf(path, sizeof(path), "%s", folder + 1) >= (int)sizeof(path))
        return err_set(err, "%s: name too long", folder);
    for (char *c = path; (c = strchr(c, '/')); c++) {
        *c = '\0';
        mkdir(path, 0755); /* may be there */
        *c = '/';
    }
    mkdir(path, 0755);
    snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    if (mount(from, path, NULL, MS_BIND | MS_REC, NULL) ||
        mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARMLESS, NULL))
        return err_set(err, "cannot show %s in a root directory of its own: %s", folder,
                       strerror(errno));
    return true;
}

static bool fill(int fd, const char *folder, const char *resolver, size_t len, struct err *err)
{
    if (mount("none", PLACE, "tmpfs", HARMLESS, "size=256k,nr_inodes=256,mode=0755") ||
        chdir(PLACE) || mkdir("etc", 0755) || !write_file(RESOLVER, resolver, len))
        return err_set(err, "cannot make a root directory: %s", strerror(errno));
    if (fd >= 0 && !add_folder(fd, folder, err))
        return false;
    return !mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | HARMLESS, NULL) ||
           err_set(err, "cannot protect a root directory: %s", strerror(errno));
}

/* Where we are becomes the root. The old one is let go of where that can be done (it can't be if it
 * is the kernel's first one, an initramfs), else only out of reach without CAP_SYS_CHROOT. */
static bool enter(struct err *err)
{
    bool ok = syscall(SYS_pivot_root, ".", ".") ? !chroot(".") : !umount2(".", MNT_DETACH);
    return (ok && !chdir("/")) ||
           err_set(err, "cannot enter a root directory of its own: %s", strerror(errno));
}

bool own_root(const char *folder, struct err *err)
{
    char resolver[16384];
    size_t len = read_resolver(resolver, sizeof(resolver));
    if (!new_namespace(err))
        return false;
    /* It may be below PLACE, and is wanted as this namespace has it. */
    int fd = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder && fd < 0)
        return err_set(err, "%s: %s", folder, strerror(errno));
    bool ok = fill(fd, folder, resolver, len, err) && enter(err);
    if (fd >= 0)
        close(fd);
    return ok;
}
