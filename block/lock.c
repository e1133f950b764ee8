/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lock: see lock.h. */
#include "block/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Interface facts: qemu 2.10 and later, files in docs/system (image locking) and every
 * /proc/locks of a running one. */
#define USED_BASE   100
#define DENIED_BASE 200
#define RIGHTS      4

static const char *const verbs[RIGHTS] = {"is reading", "is writing", "is rewriting",
                                          "is resizing"};
static const char *const nouns[RIGHTS] = {"reading", "writing", "rewriting", "resizing"};

static int set_bytes(int fd, off_t start, off_t len, short type)
{
    struct flock lock = {.l_whence = SEEK_SET, .l_start = start, .l_len = len, .l_type = type};
    int r;
    do {
        r = fcntl(fd, F_OFD_SETLK, &lock);
    } while (r < 0 && errno == EINTR);
    return r;
}

/* Does another open file hold this byte? -1 with errno if the kernel can't say. */
static int held_by_other(int fd, off_t byte, pid_t *pid)
{
    struct flock lock = {.l_whence = SEEK_SET, .l_start = byte, .l_len = 1, .l_type = F_WRLCK};
    int r;
    do {
        r = fcntl(fd, F_OFD_GETLK, &lock);
    } while (r < 0 && errno == EINTR);
    *pid = lock.l_pid;
    return r < 0 ? -1 : lock.l_type != F_UNLCK;
}

/* An old-style lock has an owner's pid; open-file locks have none (-1). */
static bool busy(struct err *err, pid_t pid, const char *does, const char *what)
{
    if (pid > 0)
        return err_set(err, "process %d %s%s", (int)pid, does, what);
    return err_set(err, "another process or disk %s%s", does, what);
}

static enum image_lock check_bytes(int fd, unsigned used, unsigned denied, struct err *err)
{
    for (int i = 0; i < RIGHTS; i++) {
        pid_t pid;
        if (denied & (1u << i)) {
            int held = held_by_other(fd, USED_BASE + i, &pid);
            if (held < 0)
                goto unavailable;
            if (held) {
                busy(err, pid, verbs[i], " it");
                return IMAGE_LOCK_BUSY;
            }
        }
        if (used & (1u << i)) {
            int held = held_by_other(fd, DENIED_BASE + i, &pid);
            if (held < 0)
                goto unavailable;
            if (held) {
                busy(err, pid, "has it open and does not allow ", nouns[i]);
                return IMAGE_LOCK_BUSY;
            }
        }
    }
    return IMAGE_LOCK_TAKEN;

unavailable:
    err_set(err, "%s", strerror(errno));
    return IMAGE_LOCK_UNAVAILABLE;
}

enum image_lock image_lock(int fd, unsigned used, unsigned denied, struct err *err)
{
    enum image_lock result = IMAGE_LOCK_TAKEN;

    for (int i = 0; i < RIGHTS && result == IMAGE_LOCK_TAKEN; i++) {
        if (((used & (1u << i)) && set_bytes(fd, USED_BASE + i, 1, F_RDLCK) < 0) ||
            ((denied & (1u << i)) && set_bytes(fd, DENIED_BASE + i, 1, F_RDLCK) < 0)) {
            /* A shared lock fails with these two only against somebody's exclusive one. */
            bool held = errno == EAGAIN || errno == EACCES;
            result = held ? IMAGE_LOCK_BUSY : IMAGE_LOCK_UNAVAILABLE;
            if (held)
                err_set(err, "another process or disk has it locked");
            else
                err_set(err, "%s", strerror(errno));
        }
    }
    if (result == IMAGE_LOCK_TAKEN)
        result = check_bytes(fd, used, denied, err);
    if (result != IMAGE_LOCK_TAKEN)
        image_unlock(fd);
    return result;
}

void image_unlock(int fd)
{
    set_bytes(fd, USED_BASE, RIGHTS, F_UNLCK);
    set_bytes(fd, DENIED_BASE, RIGHTS, F_UNLCK);
}
