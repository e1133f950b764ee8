/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vcpu: see vcpu.h. Follows Xen 4.17: xen/common/ioreq.c, xen/arch/x86/hvm/{ioreq,io}.c. */
#include "vcpu.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/hvm/ioreq.h>
#include <xen/hvm/params.h>

#include "xsd.h"

#define FOUR_GIB    UINT64_C(0x100000000)
#define HANG_S      20             /* a request that takes longer ends the device model */
#define EXTRA_PAGES (32768u + 64u) /* 128 MiB beside RAM: video memory, ROMs, shared pages */
#define READY_BYTES (24u << 20)
#define STATE_BYTE  30

struct xenstub {
    struct stub_shm *shm;
    uint8_t *pages;
    size_t pages_bytes;
    int fds; /* the first of its descriptors in this process */
    char dir[64];
    struct xsd *xsd;
    uint32_t cf8;
    uint64_t unclaimed;

    pid_t pid;
    int status; /* of wait, when gone */
    bool gone, reaping;
    pthread_t reaper;
    uint64_t requests; /* counts begun and ended ones: odd while one is under way */
};

/* --- the domain --- */

/* Where this process has what the device model has at `number`. */
static int fd_at(const struct xenstub *x, int number)
{
    return x->fds + number - STUB_FD;
}

static bool take_fd(const struct xenstub *x, int fd, int number)
{
    if (fd < 0)
        return false;
    bool ok = dup2(fd, fd_at(x, number)) >= 0;
    close(fd);
    return ok;
}

/* The first of so many numbers that no other domain of this process has; -1: all are taken. */
static int find_fds(void)
{
    struct rlimit l;
    int first = STUB_FD;
    while (fcntl(first, F_GETFD) >= 0)
        first += STUB_FDS;
    const rlim_t end = (rlim_t)first + STUB_FDS;
    if (getrlimit(RLIMIT_NOFILE, &l) || first >= STUB_FD + STUB_DOMAINS * STUB_FDS)
        return -1;
    if (l.rlim_cur < end) {
        l.rlim_cur = end;
        if (setrlimit(RLIMIT_NOFILE, &l))
            return -1;
    }
    return first;
}

static void close_fds(const struct xenstub *x, unsigned vcpus)
{
    for (int i = STUB_FD; i < STUB_FD_VCPU + (int)vcpus; i++)
        close(fd_at(x, i));
}

static bool open_fds(struct xenstub *x, uint64_t bytes, unsigned vcpus)
{
    x->fds = find_fds();
    bool ok = x->fds >= 0 && take_fd(x, memfd_create("xenstub", 0), STUB_FD) &&
              !ftruncate(x->fds, (off_t)bytes) &&
              take_fd(x, eventfd(0, EFD_NONBLOCK), STUB_FD_KICK);
    for (int i = 0; ok && i < STUB_HANDLES; i++)
        ok = take_fd(x, eventfd(0, EFD_SEMAPHORE), STUB_FD_PORTS + i);
    for (int i = 0; ok && i < (int)vcpus; i++)
        ok = take_fd(x, eventfd(0, 0), STUB_FD_VCPU + i);
    for (int i = STUB_FD; ok && i < STUB_FD_VCPU + (int)vcpus; i++)
        fcntl(fd_at(x, i), F_SETFD, FD_CLOEXEC); /* only device models inherit them */
    if (!ok && x->fds >= 0)
        close_fds(x, vcpus);
    return ok;
}

static void populate(struct stub_shm *s, uint64_t first, uint64_t end)
{
    for (uint64_t gfn = first / STUB_PAGE; gfn < end / STUB_PAGE; gfn++)
        if (gfn < 0xA0 || gfn > 0xBF)
            s->p2m[gfn] = ++s->mfn_next;
}

struct xenstub *xenstub_new(const struct xenstub_config *config)
{
    unsigned vcpus = config->vcpus ? config->vcpus : 1;
    uint64_t ram = config->ram_bytes ? config->ram_bytes : UINT64_C(64) << 20;
    uint64_t low = config->below_4g_end ? config->below_4g_end : 0xF0000000;
    uint32_t mfns = (uint32_t)(ram / STUB_PAGE) + EXTRA_PAGES;
    uint64_t bytes = STUB_PAGES + (uint64_t)mfns * STUB_PAGE;
    struct xenstub *x = calloc(1, sizeof(*x));
    if (!x || vcpus > STUB_VCPUS || !open_fds(x, bytes, vcpus)) {
        free(x);
        return NULL;
    }
    x->shm = mmap(NULL, STUB_PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, x->fds, 0);
    x->pages_bytes = bytes - STUB_PAGES;
    /* Pages that a device model asks for are Xen's already: their zeroing is not its time. */
    x->pages = mmap(NULL, x->pages_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, x->fds, STUB_PAGES);
    madvise(x->pages + ram, READY_BYTES, MADV_POPULATE_WRITE);
    struct stub_shm *s = x->shm;
    s->magic = STUB_MAGIC;
    s->domid = config->domid ? config->domid : 1;
    s->vcpus = vcpus;
    s->mfns = mfns;
    if (ram > low) {
        populate(s, 0, low);
        populate(s, FOUR_GIB, FOUR_GIB + ram - low);
    } else {
        populate(s, 0, ram);
    }
    /* libxc's builder: pages below 4 GiB that are the domain's own. */
    populate(s, 0xFEFF0000, 0xFEFF8000);
    s->hvm_param[HVM_PARAM_STORE_PFN] = 0xFEFF7;
    s->hvm_param[HVM_PARAM_CONSOLE_PFN] = 0xFEFF6;

    strcpy(x->dir, "/tmp/xenstub.XXXXXX");
    char path[128];
    if (mkdtemp(x->dir)) {
        snprintf(path, sizeof(path), "%s/xenstored", x->dir);
        x->xsd = xsd_new(path);
    }
    if (!x->xsd) {
        xenstub_free(x);
        return NULL;
    }
    snprintf(path, sizeof(path), "/local/domain/%u/vm", s->domid);
    xsd_write(x->xsd, path, "/vm/12345678-1234-1234-1234-123456789abc");
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u", s->domid);
    xsd_write(x->xsd, path, "");
    xsd_write(x->xsd, "/local/domain/0/domid", "0");
    return x;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void xenstub_free(struct xenstub *x)
{
    if (!x)
        return;
    if (x->reaping)
        xenstub_end(x, SIGKILL, 0);
    xsd_free(x->xsd);
    nftw(x->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    unsigned vcpus = x->shm->vcpus;
    munmap(x->pages, x->pages_bytes);
    munmap(x->shm, STUB_PAGES);
    close_fds(x, vcpus);
    free(x);
}

const char *xenstub_dir(const struct xenstub *x)
{
    return x->dir;
}

struct stub_shm *xenstub_shm(struct xenstub *x)
{
    return x->shm;
}

uint64_t xenstub_unclaimed(const struct xenstub *x)
{
    return x->unclaimed;
}

/* --- the device model's process --- */

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void post(int fd)
{
    uint64_t one = 1;
    ssize_t n = write(fd, &one, sizeof(one));
    (void)n;
}

/* Waits for its end, and ends it when it does not answer. */
static void *reap(void *opaque)
{
    struct xenstub *x = opaque;
    int pidfd = (int)syscall(SYS_pidfd_open, x->pid, 0);
    uint64_t last = 0;
    for (unsigned seconds = 0;; seconds++) {
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        if (poll(&p, 1, 1000) > 0)
            break;
        uint64_t now = __atomic_load_n(&x->requests, __ATOMIC_RELAXED);
        if (now != last || !(now & 1))
            seconds = 0;
        last = now;
        if (seconds < HANG_S)
            continue;
        fprintf(stderr, "xenstub: no answer for %u s: process %d is ended\n", HANG_S, (int)x->pid);
        kill(x->pid, SIGKILL);
    }
    close(pidfd);
    waitpid(x->pid, &x->status, 0);
    stub_release_grants(x->shm);
    __atomic_store_n(&x->gone, true, __ATOMIC_SEQ_CST);
    post(fd_at(x, STUB_FD_KICK));
    for (unsigned v = 0; v < x->shm->vcpus; v++)
        post(fd_at(x, STUB_FD_VCPU + (int)v));
    return NULL;
}

static void library_path(char *out, size_t size)
{
    const char *given = getenv("XENSTUB_LIBS");
    if (given) {
        snprintf(out, size, "%s", given);
        return;
    }
    ssize_t n = readlink("/proc/self/exe", out, size - 8);
    out[n > 0 ? n : 0] = 0;
    char *slash = strrchr(out, '/');
    strcpy(slash ? slash + 1 : out, "lib");
}

/* After fork. */
static void become(struct xenstub *x, const char *const argv[], char *const env[])
{
    char path[128];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that crashes */
    snprintf(path, sizeof(path), "%s/log", x->dir);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644), null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    close(null);
    close(log);
    for (int i = STUB_FD_KICK; i < STUB_FD_VCPU + (int)x->shm->vcpus; i++) {
        if (fd_at(x, i) == i)
            fcntl(i, F_SETFD, 0);
        else
            dup2(fd_at(x, i), i);
    }
    execve(argv[0], (char *const *)argv, env);
    _exit(127);
}

bool xenstub_start(struct xenstub *x, const char *const argv[])
{
    extern char **environ;
    char libs[512], ld[600], file[64], store[160], id[32];
    if (x->reaping)
        xenstub_end(x, SIGKILL, 0);
    library_path(libs, sizeof(libs));
    snprintf(ld, sizeof(ld), "LD_LIBRARY_PATH=%s", libs);
    snprintf(file, sizeof(file), STUB_ENV "=/proc/%d/fd/%d", (int)getpid(), x->fds);
    snprintf(store, sizeof(store), "XENSTORED_PATH=%s/xenstored", x->dir);
    snprintf(id, sizeof(id), "XEN_DOMAIN_ID=%u", x->shm->domid);
    /* As from libxl, with what else a developer may want to pass (sanitizer options). */
    const char *env[16] = {ld, file, store, id, "XEN_QEMU_CONSOLE_LIMIT=1048576"};
    size_t n = 5;
    for (char **e = environ; *e && n < 14; e++)
        if (!strncmp(*e, "PATH=", 5) || !strncmp(*e, "DISPLAY=", 8) ||
            !strncmp(*e, "XAUTHORITY=", 11) || strstr(*e, "SAN_OPTIONS="))
            env[n++] = *e;
    /* To look for leaks is to stop threads, by means that the confinement forbids. */
    if (!getenv("ASAN_OPTIONS"))
        env[n++] = "ASAN_OPTIONS=detect_leaks=0";

    /* What the kernel does when the last process ended: its event channels are closed. */
    memset(x->shm->port, 0, sizeof(x->shm->port));
    memset(x->shm->handle, 0, sizeof(x->shm->handle));
    for (unsigned i = 0; i < STUB_PORTS; i++)
        x->shm->remote[i].local = 0;
    x->shm->shutdown = 0;
    char state[64];
    snprintf(state, sizeof(state), "/local/domain/0/device-model/%u/state", x->shm->domid);
    xsd_write(x->xsd, state, "");

    x->gone = false;
    x->pid = vfork();
    if (!x->pid)
        become(x, argv, (char *const *)env);
    if (x->pid < 0)
        return false;
    x->reaping = true;
    return !pthread_create(&x->reaper, NULL, reap, x);
}

pid_t xenstub_pid(const struct xenstub *x)
{
    return x->pid;
}

bool xenstub_gone(struct xenstub *x)
{
    return __atomic_load_n(&x->gone, __ATOMIC_SEQ_CST);
}

static bool is_gone(struct xenstub *x, uint64_t arg)
{
    (void)arg;
    return xenstub_gone(x);
}

int xenstub_end(struct xenstub *x, int signo, unsigned timeout_ms)
{
    if (!x->reaping)
        return -1;
    if (signo && !xenstub_gone(x))
        kill(x->pid, signo);
    if (!xenstub_wait(x, is_gone, 0, timeout_ms))
        kill(x->pid, SIGKILL);
    pthread_join(x->reaper, NULL);
    x->reaping = false;
    return x->status;
}

char *xenstub_xs_read(struct xenstub *x, const char *path)
{
    return xsd_read(x->xsd, path);
}

void xenstub_xs_write(struct xenstub *x, const char *path, const char *value)
{
    xsd_write(x->xsd, path, value);
}

void xenstub_xs_remove(struct xenstub *x, const char *path)
{
    xsd_remove(x->xsd, path);
}

static bool stop_waiting(void *opaque)
{
    return xenstub_gone(opaque);
}

bool xenstub_xs_wait(struct xenstub *x, const char *path, const char *value, unsigned timeout_ms)
{
    return xsd_wait(x->xsd, path, value, timeout_ms, stop_waiting, x);
}

bool xenstub_wait_state(struct xenstub *x, const char *state, unsigned timeout_ms)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/state", x->shm->domid);
    if (!xenstub_xs_wait(x, path, state, timeout_ms))
        return false;
    /* A toolstack lets the domain run only when the monitor answers; we look at what that waits
     * for. */
    uint64_t end = now_ms() + timeout_ms;
    while (!strcmp(state, "running") &&
           !__atomic_load_n(&x->shm->server[0].enabled, __ATOMIC_ACQUIRE)) {
        if (now_ms() >= end || xenstub_gone(x))
            return false;
        usleep(100);
    }
    return true;
}

/* --- guest memory --- */

void *guest_page(struct xenstub *x, uint64_t gfn)
{
    uint32_t page = stub_p2m(x->shm, gfn);
    return page ? x->pages + (uint64_t)(page - 1) * STUB_PAGE : NULL;
}

static bool guest_copy(struct xenstub *x, uint64_t addr, uint8_t *buf, size_t len, bool write)
{
    while (len) {
        uint64_t gfn = addr / STUB_PAGE, offset = addr % STUB_PAGE;
        size_t n = STUB_PAGE - offset < len ? STUB_PAGE - offset : len;
        uint8_t *page = guest_page(x, gfn);
        if (!page)
            return false;
        if (write) {
            memcpy(page + offset, buf, n);
            stub_set_bit(x->shm->vram_dirty, gfn);
            if (x->shm->log_dirty)
                stub_set_bit(x->shm->dirty, gfn);
        } else {
            memcpy(buf, page + offset, n);
        }
        addr += n;
        buf += n;
        len -= n;
    }
    return true;
}

bool guest_read(struct xenstub *x, uint64_t addr, void *buf, size_t len)
{
    return guest_copy(x, addr, buf, len, false);
}

bool guest_write(struct xenstub *x, uint64_t addr, const void *buf, size_t len)
{
    return guest_copy(x, addr, (uint8_t *)(uintptr_t)buf, len, true);
}

void guest_fill(struct xenstub *x, uint64_t addr, int byte, size_t len)
{
    uint8_t block[STUB_PAGE];
    memset(block, byte, sizeof(block));
    for (size_t n; len; addr += n, len -= n) {
        n = len < sizeof(block) ? len : sizeof(block);
        guest_write(x, addr, block, n);
    }
}

void guest_balloon(struct xenstub *x, uint64_t gfn, uint32_t pages, bool out)
{
    for (uint32_t i = 0; i < pages; i++) {
        uint32_t mfn = out ? UINT32_MAX : stub_take_pages(x->shm, 1);
        __atomic_store_n(&x->shm->p2m[gfn + i], mfn == UINT32_MAX ? 0 : mfn + 1, __ATOMIC_SEQ_CST);
    }
}

void guest_log_dirty(struct xenstub *x, bool on)
{
    if (on)
        memset(x->shm->dirty, 0, sizeof(x->shm->dirty));
    x->shm->log_dirty = on;
}

bool guest_clean(struct xenstub *x, uint64_t gfn)
{
    uint64_t bit = UINT64_C(1) << (gfn % 64);
    return __atomic_fetch_and(&x->shm->dirty[gfn / 64], ~bit, __ATOMIC_RELAXED) & bit;
}

/* --- requests --- */

static struct ioreq *slot_of(struct xenstub *x, const struct stub_server *s, unsigned vcpu)
{
    return (struct ioreq *)(void *)(x->pages + (uint64_t)s->sync_mfn * STUB_PAGE) + vcpu;
}

static uint8_t *state_of(struct ioreq *req)
{
    return (uint8_t *)req + STATE_BYTE;
}

void xenstub_signal(struct xenstub *x, uint32_t remote)
{
    uint32_t port = __atomic_load_n(&x->shm->remote[remote].local, __ATOMIC_ACQUIRE);
    int handle = port ? stub_send(x->shm, port) : -1;
    if (handle >= 0)
        post(fd_at(x, STUB_FD_PORTS + handle));
}

/* Sends and waits as a vCPU does that leaves the guest for it: blocked until it is notified. */
static bool request(struct xenstub *x, struct stub_server *s, unsigned vcpu, struct ioreq *req)
{
    struct ioreq *slot = slot_of(x, s, vcpu);
    uint8_t *state = state_of(slot);
    if (xenstub_gone(x))
        return false;
    __atomic_fetch_add(&x->requests, 1, __ATOMIC_RELAXED);
    req->vp_eport = s->vcpu_remote[vcpu];
    req->state = STATE_IOREQ_NONE;
    memcpy(slot, req, sizeof(*slot));
    __atomic_store_n(state, (uint8_t)(*state | STATE_IOREQ_READY), __ATOMIC_SEQ_CST);
    xenstub_signal(x, s->vcpu_remote[vcpu]);
    while ((__atomic_load_n(state, __ATOMIC_ACQUIRE) & 15) != STATE_IORESP_READY) {
        uint64_t n;
        if (xenstub_gone(x) || read(fd_at(x, STUB_FD_VCPU + (int)vcpu), &n, sizeof(n)) != sizeof(n))
            break;
    }
    bool ok = (*state & 15) == STATE_IORESP_READY;
    req->data = slot->data;
    __atomic_store_n(state, STATE_IOREQ_NONE, __ATOMIC_RELEASE);
    __atomic_fetch_add(&x->requests, 1, __ATOMIC_RELAXED);
    return ok;
}

/* The newest server whose range holds all of it (Xen looks from the last one down). */
static struct stub_server *select_server(struct xenstub *x, enum stub_space space, uint64_t first,
                                         uint64_t last)
{
    struct stub_server *found = NULL;
    stub_lock(x->shm);
    for (unsigned i = STUB_SERVERS; !found && i--;) {
        struct stub_server *s = &x->shm->server[i];
        if (s->used && s->enabled && stub_in_ranges(&s->ranges[space], first, last))
            found = s;
    }
    stub_unlock(x->shm);
    return found;
}

bool vcpu_raw(struct xenstub *x, unsigned vcpu, struct ioreq *req)
{
    return x->shm->server[0].enabled && request(x, &x->shm->server[0], vcpu, req);
}

/* A request in its space; nobody's: ones. */
static bool access_at(struct xenstub *x, unsigned vcpu, struct ioreq *req)
{
    enum stub_space space = STUB_MEMORY_SPACE;
    uint64_t first = req->addr, last = req->addr + req->size - 1;
    if (req->type == IOREQ_TYPE_PIO) {
        space = STUB_PORT_SPACE;
        if ((req->addr & ~UINT64_C(3)) == 0xCFC && x->cf8 >> 31) {
            req->type = IOREQ_TYPE_PCI_CONFIG;
            req->addr = (uint64_t)(x->cf8 >> 8 & 0xFFFF) << 32 | (x->cf8 & 0xFC) | (req->addr & 3);
        }
    } else if (req->type == IOREQ_TYPE_COPY) {
        uint64_t run = (uint64_t)(req->count - 1) * req->size;
        if (req->df)
            first -= run;
        else
            last += run;
    }
    if (req->type == IOREQ_TYPE_PCI_CONFIG) {
        space = STUB_PCI_SPACE;
        first = last = req->addr >> 32;
    }
    struct stub_server *s = select_server(x, space, first, last);
    if (!s) {
        __atomic_fetch_add(&x->unclaimed, 1, __ATOMIC_RELAXED);
        req->data = UINT64_MAX;
    }
    return s && request(x, s, vcpu, req);
}

static uint64_t ones(unsigned size)
{
    return size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

static uint64_t single(struct xenstub *x, unsigned vcpu, uint8_t type, uint64_t addr, unsigned size,
                       bool read, uint64_t value)
{
    struct ioreq req = {
        .type = type, .addr = addr, .size = size, .count = 1, .data = value, .dir = read};
    if (!access_at(x, vcpu, &req))
        return ones(size);
    return req.data & ones(size);
}

uint32_t vcpu_in(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size)
{
    return (uint32_t)single(x, vcpu, IOREQ_TYPE_PIO, port, size, true, 0);
}

void vcpu_out(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t value)
{
    if (port == 0xCF8 && size == 4)
        x->cf8 = value; /* Xen keeps it and goes on */
    single(x, vcpu, IOREQ_TYPE_PIO, port, size, false, value);
}

uint64_t vcpu_read(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size)
{
    return single(x, vcpu, IOREQ_TYPE_COPY, addr, size, true, 0);
}

void vcpu_write(struct xenstub *x, unsigned vcpu, uint64_t addr, unsigned size, uint64_t value)
{
    single(x, vcpu, IOREQ_TYPE_COPY, addr, size, false, value);
}

static uint64_t config_addr(uint8_t devfn, unsigned reg)
{
    return (uint64_t)devfn << 32 | reg;
}

uint32_t vcpu_pci_read(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg, unsigned size)
{
    return (uint32_t)single(x, vcpu, IOREQ_TYPE_PCI_CONFIG, config_addr(devfn, reg), size, true, 0);
}

void vcpu_pci_write(struct xenstub *x, unsigned vcpu, uint8_t devfn, unsigned reg, unsigned size,
                    uint32_t value)
{
    single(x, vcpu, IOREQ_TYPE_PCI_CONFIG, config_addr(devfn, reg), size, false, value);
}

/* Xen splits what is longer. */
#define REP_MAX 4096u

static void string(struct xenstub *x, unsigned vcpu, struct ioreq req, uint32_t count)
{
    while (count) {
        uint32_t n = count < REP_MAX ? count : REP_MAX;
        struct ioreq part = req;
        part.count = n;
        if (!access_at(x, vcpu, &part) && req.dir == IOREQ_READ && req.data_is_ptr) {
            uint64_t all = UINT64_MAX;
            for (uint32_t i = 0; i < n; i++)
                guest_write(x,
                            req.df ? req.data - (uint64_t)i * req.size
                                   : req.data + (uint64_t)i * req.size,
                            &all, req.size);
        }
        uint64_t run = (uint64_t)n * req.size;
        if (req.data_is_ptr)
            req.data = req.df ? req.data - run : req.data + run;
        if (req.type == IOREQ_TYPE_COPY)
            req.addr = req.df ? req.addr - run : req.addr + run;
        count -= n;
    }
}

void vcpu_ins(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t count,
              uint64_t addr, bool df)
{
    string(x, vcpu,
           (struct ioreq){.type = IOREQ_TYPE_PIO,
                          .addr = port,
                          .size = size,
                          .data = addr,
                          .data_is_ptr = 1,
                          .dir = IOREQ_READ,
                          .df = df},
           count);
}

void vcpu_outs(struct xenstub *x, unsigned vcpu, uint16_t port, unsigned size, uint32_t count,
               uint64_t addr, bool df)
{
    string(x, vcpu,
           (struct ioreq){.type = IOREQ_TYPE_PIO,
                          .addr = port,
                          .size = size,
                          .data = addr,
                          .data_is_ptr = 1,
                          .dir = IOREQ_WRITE,
                          .df = df},
           count);
}

void vcpu_movs(struct xenstub *x, unsigned vcpu, uint64_t device, unsigned size, uint32_t count,
               uint64_t addr, bool to_guest, bool df)
{
    string(x, vcpu,
           (struct ioreq){.type = IOREQ_TYPE_COPY,
                          .addr = device,
                          .size = size,
                          .data = addr,
                          .data_is_ptr = 1,
                          .dir = to_guest ? IOREQ_READ : IOREQ_WRITE,
                          .df = df},
           count);
}

void vcpu_stos(struct xenstub *x, unsigned vcpu, uint64_t device, unsigned size, uint32_t count,
               uint64_t value, bool df)
{
    string(x, vcpu,
           (struct ioreq){.type = IOREQ_TYPE_COPY,
                          .addr = device,
                          .size = size,
                          .data = value,
                          .dir = IOREQ_WRITE,
                          .df = df},
           count);
}

/* The page's first eight bytes: read pointer below, write pointer above. */
static uint64_t *pointers(struct buffered_iopage *page)
{
    return (uint64_t *)(void *)page;
}

bool vcpu_post(struct xenstub *x, uint64_t addr, unsigned size, uint64_t value)
{
    struct stub_server *s = select_server(x, STUB_MEMORY_SPACE, addr, addr + size - 1);
    if (!s || !s->buffered || addr > 0xFFFFF || xenstub_gone(x))
        return false;
    struct buffered_iopage *page = (void *)(x->pages + (uint64_t)s->buffered_mfn * STUB_PAGE);
    uint32_t slots = size == 8 ? 2 : 1;
    uint64_t both = __atomic_load_n(pointers(page), __ATOMIC_ACQUIRE);
    uint32_t read_at = (uint32_t)both, write_at = (uint32_t)(both >> 32);
    if (write_at - read_at >= IOREQ_BUFFER_SLOT_NUM - (slots - 1))
        return false;
    struct buf_ioreq b = {.type = IOREQ_TYPE_COPY,
                          .dir = IOREQ_WRITE,
                          .size = (uint8_t)(__builtin_ctz(size) & 3),
                          .addr = (uint32_t)addr & 0xFFFFF,
                          .data = (uint32_t)value};
    page->buf_ioreq[write_at % IOREQ_BUFFER_SLOT_NUM] = b;
    if (slots == 2) {
        b.data = (uint32_t)(value >> 32);
        page->buf_ioreq[(write_at + 1) % IOREQ_BUFFER_SLOT_NUM] = b;
    }
    __atomic_fetch_add(pointers(page), (uint64_t)slots << 32, __ATOMIC_SEQ_CST);
    /* Whole rounds are taken off both pointers together. */
    both = __atomic_load_n(pointers(page), __ATOMIC_ACQUIRE);
    while ((uint32_t)both >= IOREQ_BUFFER_SLOT_NUM) {
        uint64_t n = (uint32_t)both / IOREQ_BUFFER_SLOT_NUM * IOREQ_BUFFER_SLOT_NUM;
        if (__atomic_compare_exchange_n(pointers(page), &both, both - (n << 32 | n), false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE))
            break;
    }
    xenstub_signal(x, s->buffered_remote);
    return true;
}

void vcpu_invalidate(struct xenstub *x, unsigned vcpu)
{
    for (unsigned i = 0; i < STUB_SERVERS; i++) {
        struct ioreq req = {
            .type = IOREQ_TYPE_INVALIDATE, .size = 4, .dir = IOREQ_WRITE, .data = ~0UL};
        if (x->shm->server[i].used && x->shm->server[i].enabled)
            request(x, &x->shm->server[i], vcpu, &req);
    }
}

void vcpu_time_offset(struct xenstub *x, unsigned vcpu, int64_t seconds)
{
    struct ioreq req = {.type = IOREQ_TYPE_TIMEOFFSET,
                        .size = 8,
                        .count = 1,
                        .dir = IOREQ_WRITE,
                        .data = (uint64_t)seconds};
    vcpu_raw(x, vcpu, &req);
}

/* --- waiting --- */

bool xenstub_wait(struct xenstub *x, bool (*cond)(struct xenstub *x, uint64_t arg), uint64_t arg,
                  unsigned timeout_ms)
{
    uint64_t end = now_ms() + timeout_ms;
    bool ok;
    __atomic_fetch_add(&x->shm->waiting, 1, __ATOMIC_SEQ_CST);
    while (!(ok = cond(x, arg)) && !xenstub_gone(x)) {
        uint64_t now = now_ms(), n;
        if (now >= end)
            break;
        struct pollfd p = {.fd = fd_at(x, STUB_FD_KICK), .events = POLLIN};
        /* A helper of the device model may have changed something without a kick. */
        int ms = end - now < 20 ? (int)(end - now) : 20;
        if (poll(&p, 1, ms) > 0 && read(p.fd, &n, sizeof(n)) < 0)
            continue;
    }
    __atomic_fetch_sub(&x->shm->waiting, 1, __ATOMIC_SEQ_CST);
    return ok || cond(x, arg);
}

static bool isa_is(struct xenstub *x, uint64_t arg)
{
    return __atomic_load_n(&x->shm->isa[arg & 15], __ATOMIC_SEQ_CST) == arg >> 4;
}

bool xenstub_wait_isa(struct xenstub *x, unsigned irq, bool level, unsigned timeout_ms)
{
    return xenstub_wait(x, isa_is, irq | (uint64_t)level << 4, timeout_ms);
}

static bool shutdown_is(struct xenstub *x, uint64_t arg)
{
    return __atomic_load_n(&x->shm->shutdown, __ATOMIC_SEQ_CST) == arg;
}

void xenstub_set_paging(struct xenstub *x, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
    x->shm->cr0 = cr0;
    x->shm->cr3 = cr3;
    x->shm->cr4 = cr4;
    x->shm->efer = efer;
}

static bool power_is(struct xenstub *x, uint64_t arg)
{
    return __atomic_load_n(&x->shm->power_presses, __ATOMIC_SEQ_CST) == arg;
}

bool xenstub_wait_power(struct xenstub *x, unsigned count, unsigned timeout_ms)
{
    return xenstub_wait(x, power_is, count, timeout_ms);
}

bool xenstub_wait_shutdown(struct xenstub *x, unsigned reason, unsigned timeout_ms)
{
    return xenstub_wait(x, shutdown_is, reason + 1, timeout_ms);
}
