/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main of the qtest door: the product's domain, opened as main.c of the product opens it, with
 * three of its calls taken aside by the linker (--wrap): which clock the guest has, which machine
 * was made, and the display card's ROM, which a test machine need not have installed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bios/rom.h"
#include "hw/core/log.h"
#include "hw/pc/machine.h"
#include "tests/qtest/door.h"
#include "toolstack/optstr.h"
#include "toolstack/qmp.h"

#define TIMERS_AT_ONCE 100000 /* at one moment of the clock: more is a timer that never stops */

static struct door door;
static struct err err; /* too large for a stack */

struct clock *__wrap_loop_guest_clock(struct loop *loop);
struct machine *__real_machine_new(const struct machine_config *config, struct err *err);
struct machine *__wrap_machine_new(const struct machine_config *config, struct err *err);
bool __real_rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
                     uint16_t vendor, uint16_t device, struct err *err);
bool __wrap_rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
                     uint16_t vendor, uint16_t device, struct err *err);

/* ---- The clock ---- */

static uint64_t clock_time(const struct clock *clock)
{
    return ((const struct door *)((const char *)clock - offsetof(struct door, clock)))->now;
}

struct clock *__wrap_loop_guest_clock(struct loop *loop)
{
    (void)loop;
    return &door.clock;
}

bool door_clock_to(struct door *d, uint64_t until)
{
    unsigned at_once = 0;
    for (;;) {
        uint64_t next = clock_deadline(&d->clock);
        if (next == CLOCK_NEVER || next > until)
            break;
        at_once = next > d->now ? 0 : at_once + 1;
        if (at_once > TIMERS_AT_ONCE)
            return false;
        if (next > d->now)
            d->now = next;
        clock_run(&d->clock, d->now);
        loop_turn(d->loop, 0); /* what the timer has put off must not see a later time */
    }
    if (until > d->now)
        d->now = until;
    return true;
}

/* ---- The machine ---- */

static uint8_t boot_device(char letter)
{
    const char *p = strchr("acdn", letter);
    return p && *p ? (uint8_t)(p - "acdn" + 1) : 0;
}

/* The product has only one boot order, as no toolstack of Xen says more: the rest is written into
 * CMOS RAM as firmware setup would. */
static void write_boot_order(const char *order)
{
    uint8_t device[3] = {0};
    for (unsigned i = 0; i < 3 && order[i]; i++)
        device[i] = boot_device(order[i]);
    door_out(&door, 0x70, 1, 0x3D);
    door_out(&door, 0x71, 1, (uint8_t)(device[1] << 4 | device[0]));
    door_out(&door, 0x70, 1, 0x38);
    door_out(&door, 0x71, 1, (uint8_t)(device[2] << 4 | door.args.no_floppy_check));
    door_out(&door, 0x70, 1, 0);
}

static void rtc_interrupt(void *opaque, bool level)
{
    struct door *d = opaque;
    hv_drive_pin(d->hv, HV_SOURCE_RTC, 8, level);
}

struct machine *__wrap_machine_new(const struct machine_config *config, struct err *e)
{
    struct machine *m = __real_machine_new(config, e);
    if (!m)
        return NULL;
    door.machine = m;
    door.hv = config->hv;
    door.display = config->display;
    door.input = config->input;
    door.bus = machine_bus(m);
    rtc_init(&door.rtc, &door.clock, door.args.base, rtc_interrupt, &door);
    write_boot_order(door.args.have_once ? door.args.boot_once : door.args.boot_order);
    return m;
}

bool __wrap_rom_load(struct rom *rom, const char *name, const char *const *dirs, size_t dir_count,
                     uint16_t vendor, uint16_t device, struct err *e)
{
    if (!__real_rom_load(rom, name, dirs, dir_count, vendor, device, e))
        *rom = (struct rom){0}; /* a card without a ROM */
    return true;
}

void door_reset_if_wanted(struct door *d)
{
    if (!d->reset_wanted)
        return;
    d->reset_wanted = false;
    devices_quiesce(machine_devices(d->machine));
    machine_reset(d->machine);
    rtc_reset(&d->rtc);
    d->config_address = 0;
    write_boot_order(d->args.boot_order);
    if (hv_running(d->hv))
        devices_resume(machine_devices(d->machine));
}

static void deferred_reset(void *opaque)
{
    door_reset_if_wanted(opaque);
}

/* A toolstack would make a new domain; here the machine is reset once the access has ended. */
static void shut_down(void *opaque, enum hv_shutdown reason)
{
    struct door *d = opaque;
    if (reason != HV_SHUTDOWN_REBOOT)
        return;
    d->reset_wanted = true;
    loop_defer(d->loop, &d->reset);
}

static void pin_changed(void *opaque, enum hv_pin_kind kind, unsigned n, bool level)
{
    struct door *d = opaque;
    protocol_pin(d->protocol, kind, n, level);
}

/* ---- Sockets ---- */

static bool address(const char *path, struct sockaddr_un *a)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(a->sun_path))
        return err_set(&err, "%s: the path of a UNIX socket is too long", path);
    memcpy(a->sun_path, path, strlen(path) + 1);
    return true;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a;
    if (!address(path, &a))
        return -1;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    err_set(&err, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int wait_for_peer(const char *path)
{
    struct sockaddr_un a;
    if (!address(path, &a))
        return -1;
    unlink(path);
    int peer = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0)
        peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (peer < 0)
        err_set(&err, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    unlink(path);
    return peer;
}

static bool open_protocol(struct door *d)
{
    const struct door_args *a = &d->args;
    int in = 0, out = 1, log = -1;
    if (a->qtest_log && strcmp(a->qtest_log, "/dev/null")) {
        log = open(a->qtest_log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (log < 0)
            return err_set(&err, "-qtest-log %s: %s", a->qtest_log, strerror(errno));
    }
    if (strcmp(a->qtest, "stdio")) {
        in = a->qtest_server ? wait_for_peer(a->qtest) : connect_to(a->qtest);
        out = in;
    }
    d->protocol = in < 0 ? NULL : protocol_new(d, in, out, log, &err);
    return d->protocol != NULL;
}

/* ---- Life ---- */

static void quit(void *opaque)
{
    struct door *d = opaque;
    loop_quit(d->loop, 0);
}

static int add_monitor(struct config *config)
{
    if (config->monitor_count == CONFIG_MAX_MONITORS) {
        err_set(&err, "more than %d monitors", CONFIG_MAX_MONITORS);
        return -1;
    }
    int fd = monitor_listen(&err);
    if (fd >= 0)
        config->monitors[config->monitor_count++] =
            (struct config_monitor){.chardev_id = xstrdup("door"), .fd = fd};
    return fd;
}

/* -machine none has the monitor alone. */
static bool serve_probe(struct door *d)
{
    const struct qmp_target target = {.opaque = d, .quit = quit};
    struct qmp *qmp = qmp_new(d->loop, &target, &err);
    bool ok = qmp != NULL;
    int listener = -1;
    if (ok && d->args.qmp) {
        int fd = connect_to(d->args.qmp);
        listener = fd >= 0 ? add_monitor(&d->args.config) : -1;
        ok = listener >= 0 && qmp_listen(qmp, &d->args.config.monitors[0], &err) &&
             (d->monitor = monitor_new(d, fd, listener, &err));
    }
    if (ok && open_protocol(d))
        loop_run(d->loop);
    else
        ok = false;
    monitor_free(d->monitor);
    qmp_free(qmp);
    return ok;
}

static bool serve(struct door *d)
{
    int qmp = -1, listener = -1;
    const struct hv_pins pins = {.changed = pin_changed, .shutdown = shut_down, .opaque = d};
    hv_set_pins(&pins);
    if (!open_protocol(d))
        return false;
    if (d->args.qmp &&
        ((qmp = connect_to(d->args.qmp)) < 0 || (listener = add_monitor(&d->args.config)) < 0))
        return false;
    d->domain = domain_open(&d->args.config, d->loop, &err);
    bool ok = d->domain != NULL;
    if (ok && qmp >= 0)
        ok = (d->monitor = monitor_new(d, qmp, listener, &err)) != NULL;
    if (ok && d->args.firmware)
        ok = hv_load_firmware(d->hv, d->args.firmware, &err);
    ok = ok && domain_start(d->domain, &err);
    if (ok)
        loop_run(d->loop);
    rtc_destroy(&d->rtc);
    domain_close(d->domain);
    monitor_free(d->monitor);
    if (hv_leaked_maps())
        ok = err_set(&err, "%u mappings of guest memory were not given back", hv_leaked_maps());
    return ok;
}

static bool run(struct door *d)
{
    d->loop = loop_new(&err);
    if (!d->loop)
        return false;
    signal(SIGPIPE, SIG_IGN);
    clock_init(&d->clock, clock_time);
    deferred_init(&d->reset, deferred_reset, d);
    bool ok = loop_on_signal(d->loop, SIGTERM, quit, d, &err) &&
              loop_on_signal(d->loop, SIGINT, quit, d, &err) &&
              loop_on_signal(d->loop, SIGHUP, quit, d, &err);
    if (ok)
        ok = d->args.config.action == CONFIG_PROBE ? serve_probe(d) : serve(d);
    protocol_free(d->protocol);
    clock_destroy(&d->clock);
    loop_free(d->loop);
    return ok;
}

int main(int argc, char **argv)
{
    log_init(-1);
    bool ok = door_args_parse(&door.args, argc, argv, &err) && run(&door);
    if (!ok)
        log_error("%s", err.text);
    door_args_free(&door.args);
    return ok ? 0 : 1;
}
