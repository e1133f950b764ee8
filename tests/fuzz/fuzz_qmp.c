/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_qmp: what a client of the control socket sends, in pieces, with and without descriptors. */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "toolstack/qmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

static bool password(void *opaque, const char *text, struct err *err)
{
    (void)opaque, (void)err;
    if (text && !*text)
        abort();
    return true;
}

static bool block(void *opaque, size_t index, struct qmp_block_info *info)
{
    (void)opaque;
    *info = (struct qmp_block_info){
        .id = "ide-5632", .qdev = "cd", .cdrom = true, .inserted = true, .file = "/a"};
    return index == 0;
}

static bool eject(void *opaque, size_t index, bool force, struct err *err)
{
    (void)opaque, (void)force, (void)err;
    if (index)
        abort();
    return true;
}

static bool change(void *opaque, size_t index, const struct qmp_medium *medium, struct err *err)
{
    (void)opaque, (void)err;
    if (index || !medium->file || !medium->read_only)
        abort();
    if (medium->fd >= 0)
        close(medium->fd);
    return true;
}

static bool pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    (void)opaque;
    *info = (struct qmp_pci_info){.qdev_id = "vga"};
    return index < 3;
}

/* No save_state: the command would write to files of the fuzzer's choice. */
static const struct qmp_target target = {
    .name = "guest",
    .vcpus = 2,
    .stop = run,
    .cont = run,
    .reset = refuse,
    .set_dirty_log = dirty_log,
    .vnc = vnc,
    .set_vnc_password = password,
    .block = block,
    .eject = eject,
    .change_medium = change,
    .pci = pci,
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

    static int null = -1;
    if (null < 0)
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
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
            qmp_event(qmp, "STOP");
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
