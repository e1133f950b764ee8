/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_qmp: what a client of the control socket sends, in pieces, with and without descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wires.h"
#include "toolstack/qmp.h"

static bool run(void *opaque, struct err *err)
{
    (void)opaque, (void)err;
    return true;
}

static bool refuse(void *opaque, struct err *err)
{
    (void)opaque;
    return err_set(err, "refused");
}

static bool dirty_log(void *opaque, bool enable, struct err *err)
{
    (void)opaque, (void)enable, (void)err;
    return true;
}

static bool vnc(void *opaque, struct qmp_vnc_info *info)
{
    (void)opaque;
    *info = (struct qmp_vnc_info){.host = "::", .service = "5900", .ipv6 = true};
    return true;
}

static bool expire(void *opaque, time_t when, struct err *err)
{
    (void)opaque, (void)err;
    fuzz_assert(when >= 0);
    return true;
}

static bool password(void *opaque, const char *text, bool view_only, struct err *err)
{
    (void)opaque, (void)view_only, (void)err;
    fuzz_assert(!text || *text);
    return true;
}

/* Nothing is written to files of a fuzzer's choice. */
static int null = -1;

int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    (void)flags;
    if (path[0] == '/')
        return fcntl(null, F_DUPFD_CLOEXEC, 0);
    errno = ENOENT;
    return -1;
}

static bool save_state(void *opaque, int fd, bool live, struct err *err)
{
    (void)opaque;
    fuzz_assert(fcntl(fd, F_GETFD) >= 0);
    return live || err_set(err, "refused");
}

static void quit(void *opaque)
{
    (void)opaque;
}

static enum qmp_run_state run_state(void *opaque)
{
    static unsigned n; /* set back at each run */
    if (opaque)
        n = 0;
    return n++ % (QMP_POSTMIGRATE + 1);
}

static bool chardev(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    (void)opaque;
    *info = (struct qmp_chardev_info){
        .label = "serial0", .filename = "pty:/dev/pts/3", .frontend_open = index == 0};
    return index < 2;
}

static bool block(void *opaque, size_t index, struct qmp_block_info *info)
{
    static const struct block_stats stats = {.rd_bytes = 1};
    static const struct block_limits limits = {.of = {{1, 2, 3}, {0, 0, 0}, {5, 6, 0}},
                                               .iops_size = 7};
    (void)opaque;
    *info = (struct qmp_block_info){.id = "ide-5632",
                                    .qdev = "cd",
                                    .cdrom = true,
                                    .inserted = true,
                                    .file = "/a",
                                    .stats = &stats};
    if (index == 1)
        *info = (struct qmp_block_info){.id = "ide0-hd0",
                                        .inserted = true,
                                        .locked = true,
                                        .node_name = "disk",
                                        .io_status = BLOCK_IO_NOSPACE,
                                        .limits = &limits};
    return index < 2;
}

static bool eject(void *opaque, size_t index, bool force, struct err *err)
{
    (void)opaque;
    fuzz_assert(index == 0);
    return force || err_set(err, "locked");
}

static bool change(void *opaque, size_t index, const struct qmp_medium *medium, struct err *err)
{
    (void)opaque, (void)err;
    fuzz_assert(index == 0 && medium->file && medium->read_only);
    if (medium->fd >= 0)
        close(medium->fd);
    return true;
}

static bool resize(void *opaque, size_t index, uint64_t bytes, struct err *err)
{
    (void)opaque;
    fuzz_assert(index < 2);
    return bytes < UINT64_C(1) << 40 || err_set(err, "too large");
}

static bool set_limits(void *opaque, size_t index, const struct block_limits *limits,
                       struct err *err)
{
    (void)opaque;
    fuzz_assert(index < 2 && limits); /* how large they may be is the disk's to say */
    return index == 0 || err_set(err, "refused");
}

static bool pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    (void)opaque;
    if (index == 3)
        return false;
    *info = (struct qmp_pci_info){
        .qdev_id = "vga", .slot = 2, .irq_pin = index == 1, .subsystem = (uint16_t)index};
    info->region_count = index * 3;
    for (size_t i = 0; i < info->region_count; i++)
        info->regions[i] = (struct qmp_pci_region){
            .bar = (unsigned)i, .io = i & 1, .prefetch = i & 2, .address = i << 20, .size = 4096};
    return true;
}

static const struct qmp_target target = {
    .name = "guest",
    .vcpus = 2,
    .stop = run,
    .cont = run,
    .reset = refuse,
    .quit = quit,
    .run_state = run_state,
    .save_state = save_state,
    .chardev = chardev,
    .set_dirty_log = dirty_log,
    .vnc = vnc,
    .set_vnc_password = password,
    .expire_vnc_password = expire,
    .block = block,
    .eject = eject,
    .change_medium = change,
    .resize = resize,
    .set_limits = set_limits,
    .pci = pci,
    .net = wires_net,
    .set_link = wires_set_link,
    .announce = wires_announce,
    .capture = wires_capture,
    .end_capture = wires_end_capture,
};

static void drain(int fd)
{
    char bytes[4096];
    while (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
}

static void pass(int fd, const uint8_t *data, size_t len, int with)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (with >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &with, sizeof(int));
    }
    sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}";
    if (size < 2)
        return 0;
    /* The first byte: negotiated, with descriptors, read the answers; the second: how long pieces
     * are. */
    uint8_t flags = data[0];
    size_t piece = data[1] ? data[1] * 8u : 65536;
    data += 2;
    size -= 2;

    if (null < 0)
        null = memfd_create("null", MFD_CLOEXEC);
    run_state((void *)&target);
    struct err err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t); /* the kernel chooses an abstract name */
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct loop *loop = loop_new(&err);
    struct qmp *qmp = loop ? qmp_new(loop, &target, &err) : NULL;
    struct config_monitor monitor = {.chardev_id = (char *)"fuzz", .fd = listening};
    if (!qmp || bind(listening, (struct sockaddr *)&address, len) || listen(listening, 1) ||
        !qmp_listen(qmp, &monitor, &err))
        abort();
    len = sizeof(address);
    if (getsockname(listening, (struct sockaddr *)&address, &len) ||
        connect(fd, (struct sockaddr *)&address, len))
        abort();
    if (flags & 1)
        pass(fd, (const uint8_t *)negotiate, sizeof(negotiate) - 1, -1);
    while (size) {
        size_t n = size < piece ? size : piece;
        pass(fd, data, n, flags & 2 ? null : -1);
        data += n;
        size -= n;
        loop_turn(loop, 0);
        if (flags & 4)
            drain(fd);
        if (flags & 8)
            qmp_event_tray(qmp, "ide-5632", NULL, flags & 2);
    }
    for (int i = 0; i < 8; i++)
        loop_turn(loop, 0);
    if (flags & 16)
        close(fd);
    loop_turn(loop, 0);
    if (!(flags & 16))
        close(fd);
    qmp_free(qmp);
    loop_free(loop);
    return 0;
}
