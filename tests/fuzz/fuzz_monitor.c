/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_monitor: what two people type at monitors, one privileged and one not, and how slowly they
 * read; and lines as QMP's human-monitor-command brings them. The streams are of no kind: the
 * monitor's end of each is in our hands.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "hw/core/loop.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/wires.h"
#include "toolstack/hmp.h"
#include "toolstack/keysend.h"
#include "toolstack/qmp.h"
#include "ui/chardev.h"
#include "ui/display.h"
#include "ui/input.h"

/* ---- streams ---- */

struct chardev {
    const struct chardev_user *user;
    void *opaque;
    bool connected;
    size_t takes; /* bytes that the reader still takes */
};

static struct chardev streams[2];

/* While a line of one who may not name files is carried out. */
static bool unprivileged;

void __wrap_chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque);
size_t __wrap_chardev_write(struct chardev *c, const uint8_t *buf, size_t len);
void __wrap_chardev_accept_input(struct chardev *c);
bool __wrap_chardev_connected(const struct chardev *c);
bool __wrap_keysend_press(struct keysend *k, const unsigned *codes, size_t count, unsigned hold_ms,
                          struct err *err);
int __wrap_open(const char *path, int flags, ...);

void __wrap_chardev_set_user(struct chardev *c, const struct chardev_user *user, void *opaque)
{
    c->user = user;
    c->opaque = opaque;
}

size_t __wrap_chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    size_t n = len < c->takes ? len : c->takes;
    volatile uint8_t byte = 0;
    for (size_t i = 0; i < len; i++) /* all of it is there */
        byte = buf[i];
    (void)byte;
    fuzz_assert(len <= HMP_MAX_OUTPUT + 64 * 1024); /* one answer and its echo */
    c->takes -= n;
    return n;
}

void __wrap_chardev_accept_input(struct chardev *c)
{
    (void)c; /* what there is comes with the input's next bytes */
}

bool __wrap_chardev_connected(const struct chardev *c)
{
    return c->connected;
}

/* Time is not the input's. */
bool __wrap_keysend_press(struct keysend *k, const unsigned *codes, size_t count, unsigned hold_ms,
                          struct err *err)
{
    (void)k, (void)err;
    fuzz_assert(count >= 1 && count <= KEYSEND_MAX_KEYS && hold_ms >= 1 &&
                hold_ms <= KEYSEND_MAX_HOLD_MS);
    for (size_t i = 0; i < count; i++)
        fuzz_assert(codes[i] > 0 && codes[i] < 0x300);
    return count != 3 || err_set(err, "too many");
}

int __wrap_open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    fuzz_assert(!unprivileged);
    errno = EPERM;
    return -1;
}

/* ---- the machine ---- */

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

static void quit(void *opaque)
{
    (void)opaque;
}

static bool block(void *opaque, size_t index, struct qmp_block_info *info)
{
    static const struct block_stats stats = {.rd_bytes = 1};
    (void)opaque;
    *info = (struct qmp_block_info){
        .id = "ide-5632", .qdev = "cd", .cdrom = true, .inserted = true, .file = "/a"};
    if (index == 1)
        *info = (struct qmp_block_info){
            .id = "ide0-hd0", .inserted = true, .file = "/b", .stats = &stats};
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
    fuzz_assert(!unprivileged && index == 0 && *medium->file && medium->fd < 0);
    return true;
}

static bool password(void *opaque, const char *text, bool view_only, struct err *err)
{
    (void)opaque, (void)text, (void)view_only, (void)err;
    fuzz_assert(!unprivileged);
    return true;
}

static bool commit(void *opaque, size_t index, const struct qmp_medium *below, struct err *err)
{
    (void)opaque;
    fuzz_assert(!unprivileged && index < 2);
    if (below && below->fd >= 0)
        close(below->fd);
    return index || err_set(err, "refused");
}

static bool read_memory(void *opaque, uint64_t addr, void *buf, size_t len)
{
    (void)opaque;
    memset(buf, (int)addr, len);
    return addr < 0x10000 || addr > UINT64_MAX - 16;
}

static unsigned paging_asked; /* in this run */

/* Each way of paging once, one after the other; the tables are what read_memory gives. */
static bool paging(void *opaque, struct hv_paging *p, struct err *err)
{
    unsigned n = paging_asked++ % 33;
    (void)opaque;
    *p = (struct hv_paging){.cr0 = (uint64_t)(n & 1) << 31,
                            .cr3 = n * 0x101u,
                            .cr4 = (uint64_t)(n >> 1 & 3) << 4 | (uint64_t)(n >> 3 & 1) << 12,
                            .efer = (uint64_t)(n >> 4 & 1) << 10};
    return n < 32 || err_set(err, "refused");
}

static bool io_range(void *opaque, size_t index, struct qmp_io_range *range)
{
    (void)opaque;
    *range = (struct qmp_io_range){.name = "chip", .memory = index == 1, .last = 7};
    return index < 2;
}

static bool memory(void *opaque, struct qmp_memory_info *info)
{
    (void)opaque;
    *info = (struct qmp_memory_info){.ram_bytes = 1, .vram_bytes = 1};
    return true;
}

static bool ioreq_stats(void *opaque, struct hv_ioreq_stats *stats)
{
    (void)opaque;
    *stats = (struct hv_ioreq_stats){.latency = {1, 1, [HV_IOREQ_BUCKETS - 1] = 1}};
    return true;
}

static void key(void *opaque, unsigned keycode, bool down)
{
    (void)opaque, (void)down;
    fuzz_assert(keycode < 0x300);
}

static void move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    (void)opaque;
    fuzz_assert(x >= -32768 && x <= 32768 && y >= -32768 && y <= 32768 && wheel >= -128 &&
                wheel <= 128 && buttons < 32);
}

static const struct input_keyboard keyboard = {.key = key};
static const struct input_pointer mouse = {.name = "mouse", .move = move};
static const struct input_pointer tablet = {.name = "tablet", .absolute = true, .move = move};

static struct qmp_target target = {
    .name = "guest",
    .vcpus = 2,
    .stop = run,
    .cont = refuse,
    .reset = run,
    .quit = quit,
    .set_vnc_password = password,
    .block = block,
    .eject = eject,
    .change_medium = change,
    .wakeup = run,
    .press_power = run,
    .commit = commit,
    .read_memory = read_memory,
    .paging = paging,
    .io_range = io_range,
    .memory = memory,
    .ioreq_stats = ioreq_stats,
    .net = wires_net,
    .set_link = wires_set_link,
    .announce = wires_announce,
    .capture = wires_capture,
    .end_capture = wires_end_capture,
};

/* ---- the people ---- */

enum act { TYPE, TAKE, TAKE_ALL, LEAVE, TURN, LINE, ACTS };

/* Types what the monitor has room for. */
static void type(struct chardev *c, const uint8_t *bytes, size_t len)
{
    unprivileged = c == &streams[1];
    while (len && c->user) {
        size_t room = c->user->room(c->opaque), n = len < room ? len : room;
        if (!n)
            break;
        c->user->receive(c->opaque, bytes, n);
        bytes += n;
        len -= n;
    }
    unprivileged = false;
}

static void carry_out(struct qmp *qmp, const uint8_t *bytes, size_t len, bool privileged)
{
    char line[2048], *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out || len >= sizeof(line))
        abort();
    memcpy(line, bytes, len);
    line[len] = '\0';
    unprivileged = !privileged;
    hmp_line(qmp, privileged, line, out);
    unprivileged = false;
    fclose(out);
    fuzz_assert(size <= HMP_MAX_OUTPUT);
    free(text);
}

static void act(struct fuzz_input *in, struct loop *loop, struct qmp *qmp)
{
    uint8_t what = (uint8_t)fuzz_take(in, 1);
    struct chardev *c = &streams[what >> 7];
    size_t len;
    const uint8_t *bytes;
    switch ((what & 0x7F) % ACTS) {
    case TYPE:
        bytes = fuzz_take_bytes(in, fuzz_take(in, 1), &len);
        type(c, bytes, len);
        break;
    case TAKE:
        c->takes += fuzz_take(in, 1);
        c->user->writable(c->opaque);
        break;
    case TAKE_ALL:
        c->takes = SIZE_MAX;
        c->user->writable(c->opaque);
        break;
    case LEAVE:
        c->connected = !c->connected;
        c->user->event(c->opaque, c->connected);
        break;
    case TURN:
        loop_turn(loop, 0);
        break;
    case LINE:
        bytes = fuzz_take_bytes(in, fuzz_take(in, 1), &len);
        carry_out(qmp, bytes, len, c == &streams[0]);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    paging_asked = 0;
    struct fuzz_input in = {data, size};
    struct err err;
    struct loop *loop = loop_new(&err);
    if (!loop)
        abort();
    target.input = input_new();
    target.display = display_new(loop_clock(loop));
    input_set_keyboard(target.input, &keyboard);
    input_add_pointer(target.input, &tablet);
    input_set_pointer(target.input, &mouse);
    struct qmp *qmp = qmp_new(loop, &target, &err);
    struct hmp_console *consoles[2];
    if (!qmp)
        abort();
    for (int i = 0; i < 2; i++) {
        streams[i] = (struct chardev){.connected = true, .takes = SIZE_MAX};
        consoles[i] = hmp_console_open(qmp, &streams[i], i == 0, &err);
        if (!consoles[i]) /* a build without */
            goto out;
    }
    loop_turn(loop, 0);
    while (in.left)
        act(&in, loop, qmp);
    loop_turn(loop, 0);
out:
    hmp_console_close(consoles[0]);
    if (consoles[0])
        hmp_console_close(consoles[1]);
    qmp_free(qmp);
    input_free(target.input);
    display_free(target.display);
    loop_free(loop);
    return 0;
}
