/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_monitor: the commands of the human monitor, who may give which, and monitors on streams. */
#include <errno.h>
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>
#include <zlib.h>

#include "hw/core/log.h"
#include "toolstack/hmp.h"
#include "toolstack/keynames.h"
#include "toolstack/keysend.h"
#include "toolstack/qmp_internal.h"
#include "ui/chardev.h"
#include "ui/console.h"
#include "ui/display.h"
#include "ui/input.h"
#include "ui/lineedit.h"

/* ---- a machine ---- */

static struct {
    bool below;
    struct hv_paging paging;
    bool paging_fails;
    unsigned stops, conts, quits, resets, presses, ejects, changes, wakes, commits;
    bool force, read_only;
    char file[64];
    enum block_format format;
    char events[512]; /* keys and the pointer, in their order */
    uint8_t memory[4096];
} machine;

static struct loop *loop;
static struct qmp *qmp;
static struct qmp_target target;
static char dir[] = "/tmp/hvm-dm-test-monitor-XXXXXX";
static char text[2 * HMP_MAX_OUTPUT];

static bool t_stop(void *opaque, struct err *err)
{
    (void)opaque, (void)err;
    machine.stops++;
    return true;
}

static bool t_cont(void *opaque, struct err *err)
{
    (void)opaque;
    machine.conts++;
    return err_set(err, "the image is another's");
}

static void t_quit(void *opaque)
{
    (void)opaque;
    machine.quits++;
}

static bool t_reset(void *opaque, struct err *err)
{
    (void)opaque, (void)err;
    machine.resets++;
    return true;
}

static bool t_press_power(void *opaque, struct err *err)
{
    (void)opaque, (void)err;
    machine.presses++;
    return true;
}

static bool t_wakeup(void *opaque, struct err *err)
{
    (void)opaque, (void)err;
    machine.wakes++;
    return true;
}

static bool t_block(void *opaque, size_t index, struct qmp_block_info *info)
{
    (void)opaque;
    if (index == 0)
        *info = (struct qmp_block_info){.id = "ide0-hd0",
                                        .inserted = true,
                                        .file = "/host/disk.qcow2",
                                        .format = BLOCK_FORMAT_QCOW2,
                                        .bytes = 1 << 20};
    else
        *info = (struct qmp_block_info){.id = "ide1-cd0", .qdev = "ide-5632", .cdrom = true};
    return index < 2;
}

static bool t_eject(void *opaque, size_t index, bool force, struct err *err)
{
    (void)opaque, (void)err;
    assert_int_equal(index, 1);
    machine.ejects++;
    machine.force = force;
    return true;
}

static bool t_change(void *opaque, size_t index, const struct qmp_medium *medium, struct err *err)
{
    (void)opaque, (void)err;
    assert_int_equal(index, 1);
    machine.changes++;
    machine.format = medium->format;
    snprintf(machine.file, sizeof(machine.file), "%s", medium->file);
    return true;
}

static bool t_commit(void *opaque, size_t index, const struct qmp_medium *below, struct err *err)
{
    (void)opaque;
    machine.below = below != NULL;
    if (below) {
        machine.format = below->format;
        snprintf(machine.file, sizeof(machine.file), "%s", below->file);
        if (below->fd >= 0)
            close(below->fd);
    }
    machine.commits++;
    return index == 0 || err_set(err, "nothing to commit");
}

static bool t_read_memory(void *opaque, uint64_t addr, void *buf, size_t len)
{
    (void)opaque;
    if (addr > sizeof(machine.memory) - len)
        return false;
    memcpy(buf, machine.memory + addr, len);
    return true;
}

static bool t_paging(void *opaque, struct hv_paging *paging, struct err *err)
{
    (void)opaque;
    *paging = machine.paging;
    return !machine.paging_fails || err_set(err, "no registers today");
}

static bool t_io_range(void *opaque, size_t index, struct qmp_io_range *range)
{
    (void)opaque;
    *range = index ? (struct qmp_io_range){"vga.mem", true, 0xA0000, 0xBFFFF}
                   : (struct qmp_io_range){"serial0", false, 0x3F8, 0x3FF};
    return index < 2;
}

static bool t_memory(void *opaque, struct qmp_memory_info *info)
{
    (void)opaque;
    *info = (struct qmp_memory_info){1 << 30, 0xF0000000, 16 << 20, UINT64_MAX};
    return true;
}

static bool t_stats(void *opaque, struct hv_ioreq_stats *stats)
{
    (void)opaque;
    *stats = (struct hv_ioreq_stats){.count = {7, 8}, .posted = 3, .latency = {[2] = 5}};
    return true;
}

static bool t_vnc(void *opaque, struct qmp_vnc_info *info)
{
    (void)opaque;
    *info = (struct qmp_vnc_info){.host = "192.0.2.7", .service = "5900", .clients = 1};
    info->viewers[0] = (struct vnc_address){"192.0.2.8", "7000", "ipv4", false};
    return true;
}

static bool t_chardev(void *opaque, size_t index, struct qmp_chardev_info *info)
{
    (void)opaque;
    *info = (struct qmp_chardev_info){"serial0", "file:/host/log", true};
    return index == 0;
}

static void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void note(const char *fmt, ...)
{
    size_t len = strlen(machine.events);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(machine.events + len, sizeof(machine.events) - len, fmt, ap);
    va_end(ap);
}

static void got_key(void *opaque, unsigned keycode, bool down)
{
    (void)opaque;
    note("%c%u ", down ? '+' : '-', keycode);
}

static void got_move(void *opaque, int x, int y, int wheel, unsigned buttons)
{
    (void)opaque;
    note("%d,%d,%d,%u ", x, y, wheel, buttons);
}

static const struct input_keyboard keyboard = {.key = got_key};
static const struct input_pointer mouse = {.name = "PS/2 mouse", .move = got_move};
static const struct input_pointer tablet = {.name = "tablet", .absolute = true, .move = got_move};

/* Two pixels: red, blue. */
static void refresh(void *opaque, struct display *display, bool full)
{
    (void)opaque, (void)full;
    display_resize(display, 2, 1);
    display_surface(display)->pixels[0] = 0xFFFF0000;
    display_surface(display)->pixels[1] = 0x000000FF;
    display_damage(display, 0, 0, 2, 1);
}

static const struct display_source source = {.refresh = refresh};

static int setup(void **state)
{
    struct err err;
    (void)state;
    memset(&machine, 0, sizeof(machine));
    loop = loop_new(&err);
    assert_non_null(loop);
    target = (struct qmp_target){
        .name = "guest",
        .vcpus = 1,
        .stop = t_stop,
        .cont = t_cont,
        .quit = t_quit,
        .reset = t_reset,
        .wakeup = t_wakeup,
        .press_power = t_press_power,
        .block = t_block,
        .eject = t_eject,
        .change_medium = t_change,
        .commit = t_commit,
        .read_memory = t_read_memory,
        .paging = t_paging,
        .io_range = t_io_range,
        .memory = t_memory,
        .ioreq_stats = t_stats,
        .vnc = t_vnc,
        .chardev = t_chardev,
        .input = input_new(),
        .display = display_new(loop_clock(loop)),
    };
    input_set_keyboard(target.input, &keyboard);
    input_set_pointer(target.input, &mouse);
    display_set_source(target.display, &source, NULL);
    qmp = qmp_new(loop, &target, &err);
    assert_non_null(qmp);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    qmp_free(qmp);
    input_free(target.input);
    display_free(target.display);
    loop_free(loop);
    return 0;
}

static int group_setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

/* ---- lines ---- */

static bool quits;

static const char *say(bool privileged, const char *line)
{
    FILE *out = fmemopen(text, sizeof(text), "w");
    assert_non_null(out);
    quits = hmp_line(qmp, privileged, line, out);
    fputc('\0', out);
    assert_int_equal(fclose(out), 0);
    return text;
}

#define EXPECT(privileged, line, words)                             \
    do {                                                            \
        if (!strstr(say(privileged, line), words))                  \
            fail_msg("%s: '%s' is not in '%s'", line, words, text); \
    } while (0)
#define SILENT(privileged, line) assert_string_equal(say(privileged, line), "")

static void test_help(void **state)
{
    (void)state;
    EXPECT(true, "help", "sendkey KEY[-KEY");
    EXPECT(true, "help", "stop|s -- ");
    EXPECT(true, "? xp", "xp/FMT ADDR -- memory");
    EXPECT(true, "help info", "info mtree -- ");
    EXPECT(true, "help nothing", "unknown command: 'nothing'");
    EXPECT(false, "help", "(not from this monitor)");
    assert_null(strstr(say(true, "help"), "(not from this monitor)"));
    EXPECT(true, "info", "info ioreq -- ");
    EXPECT(true, "stop now", "stop|s -- ");
    EXPECT(true, "stop/4", "stop|s -- ");
    EXPECT(true, "info \"block", "quote is not closed");
    EXPECT(true, "\"info\" \"st\"at\\us", "unknown command: 'info stat\\us'");
    EXPECT(true, "a\033[2Jb", "unknown command: 'a'");
    EXPECT(true, "help 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17", "too many words");
    SILENT(true, "");
    SILENT(true, " \t ");
    SILENT(true, "\"\"");
    char longest[HMP_MAX_OUTPUT];
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    EXPECT(true, longest, "a line has at most");
    longest[1024] = '\0';
    EXPECT(true, longest, "unknown command");
}

static void test_control(void **state)
{
    (void)state;
    SILENT(false, "stop");
    EXPECT(false, "c", "Error: the image is another's");
    SILENT(false, "system_reset");
    SILENT(false, "system_wakeup");
    SILENT(false, "system_powerdown");
    assert_int_equal(machine.presses, 1);
    assert_int_equal(machine.stops + machine.conts + machine.resets + machine.wakes, 4);
    SILENT(false, "q");
    assert_true(quits);
    assert_int_equal(machine.quits, 0); /* only when the answer has left */
    EXPECT(false, "set_link net0 off", "Error: Device 'net0' not found");
    EXPECT(false, "set_link net0 maybe", "set_link NAME");
    SILENT(true, "log warning");
    SILENT(true, "log guest");
    EXPECT(true, "log all", "log error|warning");
    target.stop = NULL;
    EXPECT(false, "stop", "not available");
}

static void test_media(void **state)
{
    (void)state;
    SILENT(false, "eject ide1-cd0");
    assert_false(machine.force);
    SILENT(false, "eject -f ide-5632");
    assert_true(machine.force);
    assert_int_equal(machine.ejects, 2);
    EXPECT(false, "eject ide0-hd0", "cannot be changed");
    EXPECT(false, "eject -f", "eject [-f]");
    EXPECT(false, "eject nothing", "no drive");
    SILENT(true, "change ide-5632 \"/a b.qcow2\" qcow2 retain");
    assert_int_equal(machine.changes, 1);
    assert_string_equal(machine.file, "/a b.qcow2");
    assert_int_equal(machine.format, BLOCK_FORMAT_QCOW2);
    EXPECT(true, "change ide-5632 /dev/fdset/3", "fdset");
    SILENT(true, "commit ide0-hd0");
    assert_false(machine.below);
    SILENT(true, "commit ide0-hd0 /images/base.qcow2 qcow2");
    assert_true(machine.below);
    assert_string_equal(machine.file, "/images/base.qcow2");
    assert_int_equal(machine.format, BLOCK_FORMAT_QCOW2);
    EXPECT(true, "commit ide0-hd0 /dev/fdset/77", "fdset");
    EXPECT(true, "commit ide0-hd0 /images/base vmdk", "vmdk");
    EXPECT(true, "commit all /images/base", "below one drive");
    EXPECT(true, "commit ide1-cd0", "nothing to commit");
    SILENT(true, "commit all"); /* those with a medium */
    EXPECT(true, "commit hdz", "no drive 'hdz'");
    assert_int_equal(machine.commits, 4);
}

/* XSA-19: the guest's console is no way to the host's files. */
static void test_privilege(void **state)
{
    (void)state;
    static const char *const host[] = {"change ide-5632 /etc/shadow", "change vnc password x",
                                       "commit all", "screendump /etc/passwd", "log error"};
    for (size_t i = 0; i < sizeof(host) / sizeof(host[0]); i++)
        EXPECT(false, host[i], "declared privileged");
    assert_int_equal(machine.changes + machine.commits, 0);
    EXPECT(true, "info block", "/host/disk.qcow2");
    EXPECT(false, "info block", "ide0-hd0: [an image]");
    assert_null(strstr(text, "/host"));
    EXPECT(true, "info chardev", "file:/host/log");
    EXPECT(false, "info chardev", "serial0: filename=file");
    assert_null(strstr(text, "/host"));
    EXPECT(true, "info vnc", "192.0.2.7");
    EXPECT(true, "info vnc", "Client: 192.0.2.8:7000 (ipv4)");
    EXPECT(false, "info vnc", "Clients: 1");
    assert_null(strstr(text, "192"));
}

static void test_info(void **state)
{
    (void)state;
    EXPECT(false, "info mice", "* Mouse #0: PS/2 mouse\r\n");
    EXPECT(false, "info mtree", "03f8-03ff  serial0");
    EXPECT(false, "info mtree", "00000000000a0000-00000000000bffff  vga.mem");
    EXPECT(false, "info memory", "RAM: 1073741824 bytes");
    EXPECT(false, "info memory", "not mapped");
    EXPECT(false, "info ioreq", "port writes        8");
    EXPECT(false, "info ioreq", "less than 1024 ns: 5");
    EXPECT(false, "info network", "no emulated network cards");
    EXPECT(false, "info usb", "USB support not enabled");
    EXPECT(false, "info name", "guest");
}

static void test_memory(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0x78, 0x56, 0x34, 0x92, 'A', 0, 0xFF, '~'};
    memcpy(machine.memory + 16, bytes, sizeof(bytes));
    EXPECT(false, "xp 16", "0000000000000010: 0x92345678\r\n");
    EXPECT(false, "xp/2xw 0x10", "0x92345678 0x7eff0041");
    EXPECT(false, "xp /1dw 0x10", " -1842063752\r\n");
    EXPECT(false, "xp/uh 0x12", " 37428\r\n");
    EXPECT(false, "xp/4c 0x14", " 'A' '\\x00' '\\xff' '~'");
    EXPECT(false, "xp/ob 0x10", " 0170");
    EXPECT(false, "xp/1xg 0x10", " 0x7eff004192345678");
    EXPECT(false, "xp/2xg 0xff8", "no memory here");
    EXPECT(false, "xp/4096xw 0", "0000000000000ff0:");
    EXPECT(false, "xp/4097xw 0", "units at once");
    EXPECT(false, "xp/0xw 0", "units at once");
    EXPECT(false, "xp/99999999999999999999xw 0", "units at once");
    EXPECT(false, "xp/2i 0", "no disassembler");
    EXPECT(false, "xp/z 0", "a format is");
    EXPECT(false, "xp zero", "not an address");
    EXPECT(false, "xp -1", "not an address");
    EXPECT(false, "xp 0xffffffffffffffff", "no memory here");
    EXPECT(false, "x 16", "0000000000000010: 0x92345678\r\n"); /* without paging */
    /* A page that is its own directory and table, at 0xC0300000. */
    static const uint32_t itself = 1;
    memcpy(machine.memory + 0x300 * 4, &itself, 4);
    machine.paging = (struct hv_paging){.cr0 = UINT64_C(1) << 31};
    EXPECT(false, "x/2xw 0xC0300010", "00000000c0300010: 0x92345678 0x7eff0041\r\n");
    EXPECT(false, "x 16", "0000000000000010: not mapped\r\n");
    EXPECT(false, "x/2xw 0xc0300ffc", " 0x00000000 not mapped\r\n");
    EXPECT(false, "x/xg 0xc0300ffc", ": not mapped\r\n"); /* half of it */
    EXPECT(false, "x zero", "not an address");
    machine.paging_fails = true;
    EXPECT(false, "x/4xw 0", "no registers today");
}

static void wait_for(const char *events)
{
    for (int i = 0; i < 1000 && strcmp(machine.events, events) != 0; i++)
        loop_turn(loop, 10 * NS_PER_MS);
    assert_string_equal(machine.events, events);
}

static void test_keys(void **state)
{
    (void)state;
    SILENT(false, "sendkey ctrl-alt-delete 1");
    assert_string_equal(machine.events, "+29 +56 +111 ");
    SILENT(false, "sendkey a 1"); /* waits */
    assert_string_equal(machine.events, "+29 +56 +111 ");
    wait_for("+29 +56 +111 -111 -56 -29 +30 -30 ");
    machine.events[0] = '\0';
    SILENT(false, "sendkey 0x1c-0x9d-- 1");
    assert_string_equal(machine.events, "+28 +97 +12 ");
    EXPECT(false, "sendkey ctrl-nokey", "unknown key: 'nokey'");
    EXPECT(false, "sendkey a-", "unknown key");
    EXPECT(false, "sendkey 0xffff", "unknown key");
    EXPECT(false, "sendkey a 0", "not a number from 1");
    EXPECT(false, "sendkey a 999999", "not a number from 1");
    EXPECT(false, "sendkey a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q", "more than 16 keys");
    for (int i = 0; i < KEYSEND_MAX_WAITING; i++)
        say(false, "sendkey a");
    EXPECT(false, "sendkey a", "wait already");
    /* Every name is a key, and found. */
    const char *name;
    unsigned n = 0;
    for (; (name = keyname_nth(n)); n++) {
        assert_int_not_equal(keyname_code(name), 0);
        assert_true(!n || strcmp(keyname_nth(n - 1), name) < 0);
    }
    assert_true(n > 140);
}

static void test_pointer(void **state)
{
    (void)state;
    SILENT(false, "mouse_button 3");
    SILENT(false, "mouse_move 5 -6 1");
    SILENT(false, "mouse_button 4");
    assert_string_equal(machine.events, "0,0,0,5 5,-6,-1,5 0,0,0,2 ");
    machine.events[0] = '\0';
    input_add_pointer(target.input, &tablet);
    EXPECT(false, "info mice", "  Mouse #1: tablet (absolute)");
    SILENT(false, "mouse_set 1");
    EXPECT(false, "info mice", "* Mouse #1: tablet (absolute)");
    machine.events[0] = '\0';
    SILENT(false, "mouse_button 0");
    SILENT(false, "mouse_move 32767 0");
    assert_non_null(strstr(machine.events, "32767,0,0,0 "));
    EXPECT(false, "mouse_set 7", "no pointer 7");
    EXPECT(false, "mouse_move 1", "mouse_move DX DY");
    EXPECT(false, "mouse_move 1 99999999999999999999", "not a number");
    EXPECT(false, "mouse_button 8", "not a number");
    input_free(target.input);
    target.input = NULL;
    EXPECT(false, "mouse_move 1 1", "no keyboard");
    EXPECT(false, "sendkey a", "no keyboard");
    EXPECT(false, "info mice", "No mouse");
}

/* ---- pictures ---- */

static size_t contents(const char *path, uint8_t *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, buf, size);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static void test_screendump(void **state)
{
    (void)state;
    static const uint8_t ppm[] = "P6\n2 1\n255\n\xFF\0\0\0\0\xFF";
    char file[64], line[128];
    uint8_t buf[4096], pixels[16];
    snprintf(file, sizeof(file), "%s/screen", dir);
    snprintf(line, sizeof(line), "screendump %s", file);
    SILENT(true, line);
    assert_int_equal(contents(file, buf, sizeof(buf)), sizeof(ppm) - 1);
    assert_memory_equal(buf, ppm, sizeof(ppm) - 1);
    snprintf(line, sizeof(line), "screendump %s -f png", file);
    SILENT(true, line);
    size_t len = contents(file, buf, sizeof(buf));
    /* Signature, IHDR (25 bytes), IDAT, IEND (12 bytes). */
    assert_memory_equal(buf, "\x89PNG\r\n\x1A\n\0\0\0\rIHDR\0\0\0\2\0\0\0\1\10\2\0\0\0", 29);
    assert_memory_equal(buf + 37, "IDAT", 4);
    uLongf got = sizeof(pixels);
    assert_int_equal(uncompress(pixels, &got, buf + 41, len - 41 - 16), Z_OK);
    assert_int_equal(got, 7);
    assert_memory_equal(pixels, "\0\xFF\0\0\0\0\xFF", 7);
    assert_memory_equal(buf + len - 12, "\0\0\0\0IEND\xAE\x42\x60\x82", 12);

    struct err err;
    assert_int_equal(qmp_fd_add(qmp, 5, open(file, O_RDWR), NULL, true, &err), 5);
    SILENT(true, "screendump /dev/fdset/5 -f ppm");
    assert_int_equal(contents(file, buf, sizeof(buf)), sizeof(ppm) - 1);
    EXPECT(true, "screendump /dev/fdset/6", "fdset");
    EXPECT(true, "screendump /nowhere/file", "add-fd");
    EXPECT(true, "screendump /dev/null", "not a file");
    snprintf(line, sizeof(line), "screendump %s -f gif", file);
    EXPECT(true, line, "not png or ppm");
    EXPECT(true, "screendump a b", "screendump FILE");
    unlink(file);
    qmp_fd_clear(qmp, true);
}

/* ---- QMP's twins ---- */

static const char *ask(const char *command, const char *args)
{
    static char error[sizeof(struct err)];
    struct qmp_call call = {.qmp = qmp};
    json_t *parsed = json_loads(args, 0, NULL);
    assert_non_null(parsed);
    qmp_dispatch(&call, command, parsed);
    snprintf(error, sizeof(error), "%s", call.error_class ? call.err.text : "");
    assert_true(call.error_class || call.result);
    char *result = call.result ? json_dumps(call.result, JSON_COMPACT) : NULL;
    if (!call.error_class)
        snprintf(error, sizeof(error), "%s", result);
    free(result);
    json_decref(call.result);
    json_decref(parsed);
    return error;
}

static void test_qmp(void **state)
{
    (void)state;
    assert_string_equal(ask("send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":\"ctrl\"},{"
                                        "\"type\":\"number\",\"data\":28}],\"hold-time\":1}"),
                        "{}");
    wait_for("+29 +28 -28 -29 ");
    machine.events[0] = '\0';
    assert_non_null(strstr(ask("send-key", "{\"keys\":[]}"), "1 to 16 keys"));
    assert_non_null(strstr(ask("send-key", "{\"keys\":[7]}"), "not a key"));
    assert_non_null(
        strstr(ask("send-key", "{\"keys\":[{\"type\":\"qcode\",\"data\":\"x y\"}]}"), "'x y'"));
    assert_string_equal(
        ask("input-send-event",
            "{\"events\":[{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\","
            "\"data\":\"a\"}}},{\"type\":\"rel\",\"data\":{\"axis\":\"x\",\"value\":3}},{\"type\":"
            "\"btn\",\"data\":{\"down\":true,\"button\":\"right\"}},{\"type\":\"btn\",\"data\":{"
            "\"down\":true,\"button\":\"wheel-up\"}}]}"),
        "{}");
    assert_string_equal(machine.events, "+30 3,0,0,4 0,0,1,4 ");
    static const char *const bad[] = {
        "[7]", "[{}]", "[{\"type\":\"abs\",\"data\":{\"axis\":\"z\",\"value\":1}}]",
        "[{\"type\":\"abs\",\"data\":{\"axis\":\"x\",\"value\":-1}}]",
        "[{\"type\":\"btn\",\"data\":{\"down\":true,\"button\":\"none\"}}]"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char args[128];
        snprintf(args, sizeof(args), "{\"events\":%s}", bad[i]);
        assert_non_null(strstr(ask("input-send-event", args), "is not a key, btn"));
    }
    assert_string_equal(
        ask("query-mice", "{}"),
        "[{\"name\":\"PS/2 mouse\",\"index\":0,\"current\":true,\"absolute\":false}]");
    assert_string_equal(ask("query-current-machine", "{}"), "{\"wakeup-suspend-support\":true}");
    assert_string_equal(ask("system_wakeup", "{}"), "{}");
    assert_non_null(strstr(ask("screendump", "{\"filename\":\"/x\",\"format\":\"bmp\"}"), "bmp"));
    assert_non_null(strstr(ask("screendump", "{\"filename\":\"/x\",\"head\":1}"), "one screen"));
    assert_non_null(strstr(ask("set_link", "{\"name\":\"a\",\"up\":true}"), "not found"));
}

/* ---- monitors on streams ---- */

struct person {
    struct chardev *chardev;
    struct hmp_console *console;
    char path[108];
    int fd;
    char got[65536];
    size_t len;
};

static void dial(struct person *p)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", p->path);
    p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(p->fd, (struct sockaddr *)&a, sizeof(a)), 0);
    p->len = 0;
}

static void open_console(struct person *p, const char *name, bool privileged)
{
    struct err err;
    memset(p, 0, sizeof(*p));
    snprintf(p->path, sizeof(p->path), "%s/%s", dir, name);
    struct chardev_config config = {
        .kind = CHARDEV_UNIX, .path = p->path, .server = true, .fd = -1};
    p->chardev = chardev_open(loop, "monitor", &config, &err);
    assert_non_null(p->chardev);
    p->console = hmp_console_open(qmp, p->chardev, privileged, &err);
    assert_non_null(p->console);
    dial(p);
}

static void close_console(struct person *p)
{
    hmp_console_close(p->console);
    chardev_close(p->chardev);
    close(p->fd);
    unlink(p->path);
}

/* Reads until `words` have come. */
static void await(struct person *p, const char *words)
{
    for (int i = 0; i < 1000; i++) {
        loop_turn(loop, 10 * NS_PER_MS);
        ssize_t n = read(p->fd, p->got + p->len, sizeof(p->got) - 1 - p->len);
        if (n > 0)
            p->len += (size_t)n;
        p->got[p->len] = '\0';
        if (strstr(p->got, words))
            return;
    }
    fail_msg("'%s' has not come: %s", words, p->got);
}

static void type(struct person *p, const char *keys)
{
    assert_int_equal(write(p->fd, keys, strlen(keys)), strlen(keys));
}

static void test_console(void **state)
{
    (void)state;
    static struct person a, b;
    open_console(&a, "a", true);
    open_console(&b, "b", false);
    await(&a, "(qemu) ");
    await(&b, "(qemu) ");
    type(&a, "info na\t\r");
    await(&a, "guest\r\n");
    type(&b, "sto");
    type(&a, "info bl\t\tstats\r"); /* two begin so */
    await(&a, "blockstats");
    await(&a, "rd_bytes=0");
    type(&b, "p\r");
    while (!machine.stops)
        loop_turn(loop, 10 * NS_PER_MS);
    type(&b, "change ide-5632 /etc/passwd\r");
    await(&b, "declared privileged");
    type(&a, "sendkey ctrl-alt-del\t 1\r");
    while (!strstr(machine.events, "+111"))
        loop_turn(loop, 10 * NS_PER_MS);
    /* The next person finds an empty line and no history. */
    type(&a, "secret");
    await(&a, "secret");
    close(a.fd);
    for (int i = 0; i < 100 && chardev_connected(a.chardev); i++)
        loop_turn(loop, 10 * NS_PER_MS);
    dial(&a);
    await(&a, "(qemu) ");
    type(&a, "\033[A\rinfo name\r");
    await(&a, "guest\r\n");
    assert_null(strstr(a.got, "secret"));
    assert_null(strstr(a.got, "sendkey"));
    close_console(&a);
    close_console(&b);
}

/* Who asks and does not read waits for itself alone, and what waits for it is bounded. */
static void test_slow_reader(void **state)
{
    (void)state;
    static struct person a, b;
    static char flood[65536];
    open_console(&a, "a", true);
    open_console(&b, "b", true);
    await(&a, "(qemu) ");
    for (size_t i = 0; i + 16 < sizeof(flood); i += 16)
        memcpy(flood + i, "xp/4096xb 0    \r", 16);
    for (int i = 0; i < 200; i++) {
        ssize_t n = write(a.fd, flood, strlen(flood));
        (void)n; /* sooner or later there is no room */
        loop_turn(loop, 0);
    }
    type(&b, "info name\r");
    await(&b, "guest\r\n");
    /* It reads again, and finds everything in order. */
    await(&a, "0000000000000ff8: 0x00 0x00 0x00 0x00 0x00 0x00 0x00 0x00");
    close_console(&a);
    close_console(&b);
}

/* On the guest's screen: Ctrl+Alt+2, and typing. */
static void test_screen(void **state)
{
    (void)state;
    static const unsigned select[] = {KEY_LEFTCTRL, KEY_LEFTALT, KEY_2};
    struct err err;
    struct consoles *consoles = consoles_new(loop, target.display, target.input);
    assert_non_null(consoles);
    struct chardev *c = console_open(consoles, "compat_monitor0", true, 0, 0, &err);
    assert_non_null(c);
    struct hmp_console *console = hmp_console_open(qmp, c, false, &err);
    assert_non_null(console);
    loop_turn(loop, 0);
    for (int down = 1; down >= 0; down--)
        for (int i = 0; i < 3; i++)
            input_key(target.input, select[i], down);
    assert_int_equal(consoles_shown(consoles), CONSOLE_MONITOR);
    for (const char *at = "stop"; *at; at++)
        input_character(target.input, (unsigned char)*at);
    input_key(target.input, KEY_ENTER, true);
    input_key(target.input, KEY_ENTER, false);
    for (int i = 0; i < 100 && !machine.stops; i++)
        loop_turn(loop, 10 * NS_PER_MS);
    assert_int_equal(machine.stops, 1);
    /* What the monitor types is the guest's, though its own console is shown. */
    machine.events[0] = '\0';
    for (const char *at = "sendkey a 1"; *at; at++)
        input_character(target.input, (unsigned char)*at);
    input_key(target.input, KEY_ENTER, true);
    input_key(target.input, KEY_ENTER, false);
    wait_for("+30 -30 ");
    hmp_console_close(console);
    chardev_close(c);
    consoles_free(consoles);
}

/* Nobody knows who is at a pty before something is typed there. */
static void test_pty(void **state)
{
    (void)state;
    static struct person a;
    struct err err;
    struct chardev_config config = {.kind = CHARDEV_PTY, .fd = -1};
    memset(&a, 0, sizeof(a));
    a.chardev = chardev_open(loop, "monitor", &config, &err);
    assert_non_null(a.chardev);
    a.console = hmp_console_open(qmp, a.chardev, false, &err);
    a.fd = open(chardev_filename(a.chardev) + strlen("pty:"), O_RDWR | O_NONBLOCK | O_NOCTTY);
    assert_true(a.fd >= 0);
    type(&a, "info name\r");
    await(&a, "guest\r\n");
    assert_true(strstr(a.got, "type 'help'") < strstr(a.got, "info name"));
    hmp_console_close(a.console);
    chardev_close(a.chardev);
    close(a.fd);
}

static void test_quit(void **state)
{
    (void)state;
    static struct person a;
    open_console(&a, "a", false);
    await(&a, "(qemu) ");
    type(&a, "quit\rstop\r");
    for (int i = 0; i < 100 && !machine.quits; i++)
        loop_turn(loop, 10 * NS_PER_MS);
    assert_int_equal(machine.quits, 1);
    assert_int_equal(machine.stops, 0);
    close_console(&a);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    struct err err;
    log_init(-1);
    const struct CMUnitTest commands[] = {
        T(test_help),   T(test_control), T(test_media),   T(test_privilege),  T(test_info),
        T(test_memory), T(test_keys),    T(test_pointer), T(test_screendump), T(test_qmp),
    };
    const struct CMUnitTest consoles[] = {T(test_console), T(test_slow_reader), T(test_screen),
                                          T(test_pty), T(test_quit)};
    int failed = cmocka_run_group_tests(commands, group_setup, NULL);
    if (lineedit_available(&err))
        failed += cmocka_run_group_tests(consoles, NULL, group_teardown);
    else
        printf("[  SKIPPED ] consoles: %s\n", err.text);
    return failed;
}
