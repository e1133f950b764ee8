/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core: see core.h. */
#include "core.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct stub_shm *xenstub_attach(void)
{
    static struct stub_shm *shm;
    if (shm)
        return shm;
    int fd = xenstub_open_pages();
    if (fd < 0)
        return NULL;
    struct stub_shm *s = mmap(NULL, STUB_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (s == MAP_FAILED)
        return NULL;
    if (s->magic != STUB_MAGIC) {
        munmap(s, STUB_PAGES);
        errno = EINVAL;
        return NULL;
    }
    shm = s;
    return shm;
}

int xenstub_open_pages(void)
{
    const char *path = getenv(STUB_ENV);
    if (path)
        return open(path, O_RDWR | O_CLOEXEC);
    errno = ENOENT; /* as where there is no /dev/xen */
    return -1;
}

/* A process that closed all it inherited gets them from where they were made: there they follow the
 * memfd. */
bool xenstub_own_fds(const struct stub_shm *s)
{
    const char *path = getenv(STUB_ENV);
    int pid = 0, first = 0;
    if (fcntl(STUB_FD_KICK, F_GETFD) >= 0)
        return true;
    if (!path || sscanf(path, "/proc/%d/fd/%d", &pid, &first) != 2)
        return false;
    int maker = (int)syscall(SYS_pidfd_open, pid, 0);
    bool ok = maker >= 0;
    for (int fd = STUB_FD_KICK; ok && fd < STUB_FD_VCPU + (int)s->vcpus; fd++) {
        int got = (int)syscall(SYS_pidfd_getfd, maker, first + fd - STUB_FD, 0);
        ok = got >= 0 && dup2(got, fd) == fd;
        close(got);
    }
    close(maker);
    return ok;
}

int xenstub_open_device(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

bool xenstub_ioctl(int fd, unsigned long request)
{
    static struct stub_shm *shm;
    if (!shm)
        shm = xenstub_attach();
    __atomic_fetch_add(&shm->counts.hypercalls, 1, __ATOMIC_RELAXED);
    return ioctl(fd, request, NULL) >= 0 || errno == ENOTTY;
}

bool xenstub_ioctl_kick(int fd, unsigned long request)
{
    struct stub_shm *s = xenstub_attach();
    if (!__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST))
        return xenstub_ioctl(fd, request);
    __atomic_fetch_add(&s->counts.hypercalls, 1, __ATOMIC_RELAXED);
    uint64_t one = 1;
    return write(STUB_FD_KICK, &one, sizeof(one)) == sizeof(one);
}

uint64_t xenstub_populate(struct stub_shm *s, const uint64_t *gfns, uint64_t count)
{
    uint32_t mfn = count <= UINT32_MAX ? stub_take_pages(s, (uint32_t)count) : UINT32_MAX;
    if (mfn == UINT32_MAX)
        return 0;
    for (uint64_t i = 0; i < count; i++) {
        if (gfns[i] >= STUB_GFNS || s->p2m[gfns[i]])
            return i;
        __atomic_store_n(&s->p2m[gfns[i]], mfn + (uint32_t)i + 1, __ATOMIC_RELAXED);
    }
    return count;
}
