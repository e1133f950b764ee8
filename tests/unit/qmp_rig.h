/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qmp_rig: a machine that remembers what QMP asked of it, and a client. */
#ifndef TESTS_UNIT_QMP_RIG_H
#define TESTS_UNIT_QMP_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "hw/core/loop.h"
#include "toolstack/qmp.h"

/* ---- a machine that remembers what was asked of it ---- */

static struct {
    enum qmp_run_state state;
    bool floppy, read_only, retain; /* the removable drive is one; what its medium was said to be */
    int stops, conts, quits, resets, presses, ejects, changes, saves;
    bool fail, force, live, dirty_log, vnc, web, viewers, view_only;
    time_t expires;
    char password[64];
    bool password_set;
    size_t index;
    char pv_name[32];
    bool unplugged;
    char file[128];
    char contents[32];
    int medium_fd;
    uint64_t bytes;
    struct block_limits limits;
    char usb[128];
    char opaque[8];
} machine;

static struct loop *loop;
static struct qmp *qmp;
static struct qmp_target target;
static char dir[] = "/tmp/hvm-dm-test-qmp-XXXXXX";
static char path[2][64];

static inline bool outcome(struct err *err)
{
    return machine.fail ? err_set(err, "the machine\nrefuses") : true;
}

static inline enum qmp_run_state t_state(void *opaque)
{
    assert_ptr_equal(opaque, machine.opaque);
    return machine.state;
}

static inline bool t_stop(void *opaque, struct err *err)
{
    (void)opaque;
    machine.stops++;
    if (machine.state == QMP_RUNNING)
        qmp_event(qmp, "STOP");
    machine.state = QMP_PAUSED;
    return outcome(err);
}

static inline bool t_cont(void *opaque, struct err *err)
{
    (void)opaque;
    machine.conts++;
    machine.state = QMP_RUNNING;
    return outcome(err);
}

static inline void t_quit(void *opaque)
{
    (void)opaque;
    machine.quits++;
}

static inline bool t_reset(void *opaque, struct err *err)
{
    (void)opaque;
    machine.resets++;
    return outcome(err);
}

static inline bool t_save(void *opaque, int fd, bool live, struct err *err)
{
    (void)opaque;
    machine.saves++;
    machine.live = live;
    if (write(fd, "state", 5) != 5)
        return err_set(err, "write: %s", strerror(errno));
    return outcome(err);
}

static inline bool t_dirty_log(void *opaque, bool enable, struct err *err)
{
    (void)opaque;
    machine.dirty_log = enable;
    return outcome(err);
}

static inline bool t_chardev(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    (void)opaque;
    *info = (struct qmp_chardev_info){"serial0", "pty:/dev/pts/3", true};
    return index == 0;
}

static const struct vnc_address web = {"::1", "5700", "ipv6", true};

static inline bool t_vnc(void *opaque, struct qmp_vnc_info *info)
{
    (void)opaque;
    *info = (struct qmp_vnc_info){.host = "127.0.0.1", .service = "5900", .password = true};
    if (machine.web)
        info->web = &web;
    if (machine.viewers) {
        info->clients = 2;
        info->viewers[0] = (struct vnc_address){"192.0.2.1", "1234", "ipv4", true};
        info->viewers[1] = (struct vnc_address){"", "", "unix", false};
    }
    return machine.vnc;
}

static inline bool t_expire(void *opaque, time_t when, struct err *err)
{
    (void)opaque;
    machine.expires = when;
    return outcome(err);
}

static inline bool t_password(void *opaque, const char *password, bool view_only, struct err *err)
{
    (void)opaque;
    machine.view_only = view_only;
    machine.password_set = password;
    snprintf(machine.password, sizeof(machine.password), "%s", password ? password : "");
    return outcome(err);
}

static const struct block_stats disk_stats = {
    .rd_bytes = 1, .wr_bytes = 2, .rd_operations = 3, .wr_operations = 4, .flush_operations = 5};

static inline bool t_block(void *opaque, size_t index, struct qmp_block_info *info)
{
    (void)opaque;
    if (index == 0)
        *info = (struct qmp_block_info){.id = "ide0-hd0",
                                        .inserted = !machine.unplugged,
                                        .file = "/guest/\xff.img",
                                        .cache = BLOCK_CACHE_WRITEBACK,
                                        .bytes = 1 << 20,
                                        .stats = &disk_stats,
                                        .io_status = BLOCK_IO_NOSPACE,
                                        .detect_zeroes = BLOCK_DETECT_ZEROES_ON,
                                        .limits = &machine.limits};
    else if (index == 1)
        *info = (struct qmp_block_info){.id = "ide-5632",
                                        .qdev = "ide-5632",
                                        .cdrom = !machine.floppy,
                                        .floppy = machine.floppy};
    return index < 2;
}

static inline bool t_eject(void *opaque, size_t index, bool force, struct err *err)
{
    (void)opaque;
    machine.ejects++;
    machine.index = index;
    machine.force = force;
    return outcome(err);
}

static inline bool t_change(void *opaque, size_t index, const struct qmp_medium *medium,
                            struct err *err)
{
    (void)opaque;
    machine.changes++;
    machine.index = index;
    machine.medium_fd = medium->fd;
    snprintf(machine.file, sizeof(machine.file), "%s", medium->file);
    assert_true(medium->read_only || machine.floppy);
    machine.read_only = medium->read_only;
    machine.retain = medium->retain;
    memset(machine.contents, 0, sizeof(machine.contents));
    if (medium->fd >= 0) {
        assert_true(pread(medium->fd, machine.contents, sizeof(machine.contents) - 1, 0) >= 0);
        assert_int_equal(fcntl(medium->fd, F_GETFD), FD_CLOEXEC);
        close(medium->fd); /* taken over */
    }
    return outcome(err);
}

static inline bool t_resize(void *opaque, size_t index, uint64_t bytes, struct err *err)
{
    (void)opaque;
    machine.index = index;
    machine.bytes = bytes;
    return outcome(err);
}

static inline bool t_resize_pv(void *opaque, int index, const char *name, uint64_t bytes,
                               struct err *err)
{
    snprintf(machine.pv_name, sizeof(machine.pv_name), "%s", name);
    return t_resize(opaque, (size_t)index, bytes, err);
}

static inline bool t_limits(void *opaque, size_t index, const struct block_limits *limits,
                            struct err *err)
{
    (void)opaque;
    machine.index = index;
    machine.limits = *limits;
    return outcome(err);
}

static inline bool t_pci(void *opaque, size_t index, struct qmp_pci_info *info)
{
    (void)opaque;
    *info = (struct qmp_pci_info){.qdev_id = index ? "vga" : "",
                                  .slot = (unsigned)index * 2,
                                  .class_code = 0x030000,
                                  .vendor = 0x1234,
                                  .device = 0x1111,
                                  .irq_pin = 1,
                                  .irq = 11,
                                  .regions = {{.bar = 0, .address = 0xf0000000, .size = 0x1000000}},
                                  .region_count = 1};
    return index < 2;
}

static inline bool t_usb_plug(void *opaque, const struct config_usb_device *what, struct err *err)
{
    (void)opaque;
    snprintf(machine.usb, sizeof(machine.usb), "%d %s %s %s", what->kind, what->id ? what->id : "-",
             what->bus ? what->bus : "-", what->port ? what->port : "-");
    return outcome(err);
}

static inline bool t_usb_unplug(void *opaque, const char *id, struct err *err)
{
    (void)opaque;
    (void)err;
    return !strcmp(id, "tablet");
}

static inline bool t_usb_add_controller(void *opaque, const struct config_usb_controller *what,
                                        struct err *err)
{
    (void)opaque;
    if (what->host == CONFIG_UHCI)
        snprintf(machine.usb, sizeof(machine.usb), "controller %s", what->id);
    else
        snprintf(machine.usb, sizeof(machine.usb), "xHCI %s %u+%u", what->id, what->usb2,
                 what->usb3);
    return outcome(err);
}

static inline bool t_press_power(void *opaque, struct err *err)
{
    (void)opaque;
    machine.presses++;
    return outcome(err);
}

/* ---- a client ---- */

static inline int setup(void **state)
{
    (void)state;
    struct err err;
    memset(&machine, 0, sizeof(machine));
    target = (struct qmp_target){.opaque = machine.opaque,
                                 .name = "guest",
                                 .vcpus = 2,
                                 .run_state = t_state,
                                 .stop = t_stop,
                                 .cont = t_cont,
                                 .quit = t_quit,
                                 .reset = t_reset,
                                 .save_state = t_save,
                                 .set_dirty_log = t_dirty_log,
                                 .chardev = t_chardev,
                                 .vnc = t_vnc,
                                 .set_vnc_password = t_password,
                                 .expire_vnc_password = t_expire,
                                 .block = t_block,
                                 .eject = t_eject,
                                 .change_medium = t_change,
                                 .resize = t_resize,
                                 .resize_pv = t_resize_pv,
                                 .set_limits = t_limits,
                                 .pci = t_pci,
                                 .press_power = t_press_power,
                                 .usb_plug = t_usb_plug,
                                 .usb_unplug = t_usb_unplug,
                                 .usb_add_controller = t_usb_add_controller};
    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    loop = loop_new(&err);
    assert_non_null(loop);
    qmp = qmp_new(loop, &target, &err);
    assert_non_null(qmp);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof(path[i]), "%s/%d", dir, i);
        struct config_monitor m = {
            .chardev_id = (char *)(i ? "libxenstat-cmd" : "libxl-cmd"), .path = path[i], .fd = -1};
        assert_true(qmp_listen(qmp, &m, &err));
    }
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    struct stat st;
    qmp_free(qmp);
    loop_free(loop);
    assert_int_equal(lstat(path[0], &st), -1); /* our sockets are gone */
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static inline void turns(int n)
{
    while (n-- > 0)
        loop_turn(loop, 0);
}

static inline int dial(int which)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path[which]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    turns(3);
    return fd;
}

static inline void send_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EPIPE)) {
            if (errno == EPIPE)
                return;
            turns(1);
            continue;
        }
        assert_true(n > 0);
        bytes += n;
        len -= (size_t)n;
    }
    turns(3);
}

static inline void say(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* The next line, without its CR LF; NULL if there is none. */
static inline char *line(int fd)
{
    static char buffer[1 << 20];
    size_t n = 0;
    for (int tries = 0; tries < 200; tries++) {
        ssize_t got = recv(fd, buffer + n, 1, 0);
        if (got == 0)
            return NULL;
        if (got < 0) {
            turns(1);
            continue;
        }
        n++;
        tries = 0;
        assert_true(n < sizeof(buffer));
        if (buffer[n - 1] == '\n') {
            assert_true(n >= 2 && buffer[n - 2] == '\r');
            buffer[n - 2] = '\0';
            return buffer;
        }
    }
    assert_int_equal(n, 0); /* no half lines */
    return NULL;
}

static inline json_t *answer(int fd)
{
    char *text = line(fd);
    if (!text)
        fail_msg("no answer");
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json)
        fail_msg("not JSON: %s", text);
    return json;
}

/* Sends a command; the answer must have exactly this text. */
static inline void expect(int fd, const char *command, const char *wanted)
{
    say(fd, command);
    char *got = line(fd);
    if (!got)
        fail_msg("no answer to %s", command);
    assert_string_equal(got, wanted);
}

/* The same for an error: class, and words of the text separated by '|'. */
static inline void expect_error(int fd, const char *command, const char *class, const char *words)
{
    say(fd, command);
    json_t *json = answer(fd);
    json_t *error = json_object_get(json, "error");
    if (!error)
        fail_msg("no error: %s", command);
    assert_string_equal(json_string_value(json_object_get(error, "class")), class);
    const char *text = json_string_value(json_object_get(error, "desc"));
    char *copy = strdup(words), *rest = copy;
    for (char *w; (w = strsep(&rest, "|"));)
        if (!strstr(text, w))
            fail_msg("'%s' is not in: %s (%s)", w, text, command);
    free(copy);
    json_decref(json);
}

static inline json_t *query(int fd, const char *command)
{
    char text[256];
    snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\r\n", command);
    say(fd, text);
    json_t *json = answer(fd), *value = json_object_get(json, "return");
    if (!value)
        fail_msg("%s failed", command);
    json_incref(value);
    json_decref(json);
    return value;
}

static inline int client(int which)
{
    int fd = dial(which);
    json_decref(answer(fd));
    expect(fd, "{\"execute\":\"qmp_capabilities\"}\r\n", "{\"return\":{}}");
    return fd;
}

static inline void goodbye(int fd)
{
    close(fd);
    turns(3);
}

#define GENERIC "GenericError"

/* ---- descriptors ---- */

static inline void send_fds(int sock, const char *text, const int *fds, size_t count)
{
    char control[CMSG_SPACE(64 * sizeof(int))] = {0};
    struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control,
                         .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    assert_int_equal(sendmsg(sock, &msg, MSG_NOSIGNAL), (ssize_t)iov.iov_len);
    turns(3);
}

static inline int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static inline int scratch(const char *contents)
{
    char name[80];
    snprintf(name, sizeof(name), "%s/file", dir);
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, contents, strlen(contents)), strlen(contents));
    return fd;
}

#endif
