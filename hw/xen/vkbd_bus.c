/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vkbd_bus: see vkbd_bus.h. What stands below the back-end's path only dom0 can write and is
 * believed; what stands below the front-end's the guest writes, and is checked. */
#include "hw/xen/vkbd_bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/vkbd.h"
#include "hw/xen/xenbus_keys.h"

#define MAX_DEVICES 4 /* of one domain: libxl makes one */
#define ROOT_MAX    64

struct device {
    struct device *next;
    uint32_t devid;
    char path[ROOT_MAX + 16]; /* of the back-end */
    char *front;              /* of the front-end */
    enum xenbus_state state;
    bool no_keyboard, no_pointer; /* the toolstack's wish */
    uint32_t width, height;       /* the range of positions */
    bool refused;                 /* what this front-end asks for */
    struct vkbd *ring;
    void *page;
    uint32_t port;
    unsigned takes; /* VKBD_*, from when the front-end is connected too */
};

struct vkbd_bus {
    struct loop *loop;
    struct xenbus *xenbus;
    unsigned domid;
    struct vkbd_doors doors;
    char root[ROOT_MAX], screens[ROOT_MAX];
    struct deferred again; /* events came while others were being looked at */
    struct device *devices;
    unsigned count, taken;
};

static void set_state(struct vkbd_bus *b, struct device *d, enum xenbus_state state)
{
    d->state = state;
    xenbus_write_number(b->xenbus, d->path, "state", state);
}

static void watch_front(struct vkbd_bus *b, struct device *d, bool watch)
{
    char path[XENBUS_PATH_MAX];

    snprintf(path, sizeof(path), "%s/state", d->front);
    if (watch ? !xenbus_watch(b->xenbus, path, "front") : !xenbus_unwatch(b->xenbus, path, "front"))
        log_warn("PV keyboard: cannot watch %s: %s", path, strerror(errno));
}

/* --- who takes the events --- */

static struct device *taker(struct vkbd_bus *b)
{
    struct device *d = b->devices;

    while (d && !d->takes)
        d = d->next;
    return d;
}

static void tell_taken(struct vkbd_bus *b)
{
    const struct device *d = taker(b);
    unsigned what = d ? d->takes : 0;

    if (what == b->taken)
        return;
    b->taken = what;
    b->doors.taken(b->doors.opaque, what);
}

/* --- connecting --- */

static void disconnect(struct vkbd_bus *b, struct device *d)
{
    if (!d->ring)
        return;
    vkbd_close(d->ring);
    d->ring = NULL;
    d->takes = 0;
    b->doors.unbind(b->doors.opaque, d->port);
    b->doors.unmap(b->doors.opaque, d->page, 1);
}

/* This front-end is not served; another that starts anew is. */
static void refuse(struct vkbd_bus *b, struct device *d, const char *why)
{
    guest_error("vkbd", "PV keyboard %u is not served: %s", d->devid, why);
    disconnect(b, d);
    d->refused = true;
    set_state(b, d, XENBUS_CLOSING);
}

static bool open_ring(struct vkbd_bus *b, struct device *d, uint32_t port, struct err *err)
{
    uint32_t ref = xenbus_read_number(b->xenbus, d->front, "page-gref", XENBUS_NO_NUMBER);

    if (ref == XENBUS_NO_NUMBER)
        return err_set(err, "its page is not granted (page-gref)");
    d->page = b->doors.map(b->doors.opaque, &ref, 1, true);
    if (!d->page)
        return err_set(err, "its page cannot be mapped: %s", strerror(errno));
    d->ring = vkbd_open(d->page, d->width, d->height, err);
    d->port = port;
    if (!d->ring)
        b->doors.unmap(b->doors.opaque, d->page, 1);
    return d->ring != NULL;
}

static void connect_front(struct vkbd_bus *b, struct device *d)
{
    struct err err;
    uint32_t remote = xenbus_read_number(b->xenbus, d->front, "event-channel", XENBUS_NO_NUMBER);
    int port = remote == XENBUS_NO_NUMBER ? -1 : b->doors.bind(b->doors.opaque, remote);

    if (port < 0) {
        refuse(b, d, "it has no event channel");
        return;
    }
    if (!open_ring(b, d, (uint32_t)port, &err)) {
        b->doors.unbind(b->doors.opaque, (uint32_t)port);
        refuse(b, d, err.text);
        return;
    }
    set_state(b, d, XENBUS_CONNECTED);
}

/* Older drivers ask only when they have seen the back-end's states; all have asked when they are
 * connected. One that asks for raw positions is made to be the guest's keyboard and pointer
 * (Windows); others (Linux) are there beside PS/2's, which keeps the keys. */
static void read_wishes(struct vkbd_bus *b, struct device *d)
{
    bool absolute =
        !d->no_pointer && xenbus_read_number(b->xenbus, d->front, "request-abs-pointer", 0) == 1;
    bool raw = xenbus_read_number(b->xenbus, d->front, "request-raw-pointer", 0) == 1;

    d->takes = (absolute ? VKBD_POINTER : 0) | (absolute && raw && !d->no_keyboard ? VKBD_KEYS : 0);
    if (d->takes)
        log_info("the guest's PV driver takes %s",
                 d->takes & VKBD_KEYS ? "pointer and keyboard" : "the pointer");
}

/* What a front-end may use. The range of positions is said for those that take them for pixels of a
 * screen; it is that of raw ones unless the toolstack has named another. */
static void offer(struct vkbd_bus *b, struct device *d)
{
    xenbus_write_number(b->xenbus, d->path, "feature-abs-pointer", !d->no_pointer);
    xenbus_write_number(b->xenbus, d->path, "feature-raw-pointer",
                        !d->no_pointer && d->width == VKBD_ABS_MAX && d->height == VKBD_ABS_MAX);
    xenbus_write_number(b->xenbus, d->path, "feature-multi-touch", 0);
    xenbus_write_number(b->xenbus, d->path, "width", d->width);
    xenbus_write_number(b->xenbus, d->path, "height", d->height);
    set_state(b, d, XENBUS_INIT_WAIT);
}

/* Brings the device to where both sides' states say. */
static void follow(struct vkbd_bus *b, struct device *d)
{
    enum xenbus_state front = xenbus_read_state(b->xenbus, d->front);
    enum xenbus_state said = xenbus_read_state(b->xenbus, d->path);
    bool online = xenbus_read_number(b->xenbus, d->path, "online", 1);

    /* The toolstack wants it away: it has written Closing in our place. */
    if (said == XENBUS_CLOSING && d->state != XENBUS_CLOSING && d->state != XENBUS_CLOSED) {
        d->state = XENBUS_CLOSING;
        disconnect(b, d);
    }
    switch (front) {
    case XENBUS_INITIALISING:
    case XENBUS_INIT_WAIT:
        disconnect(b, d);
        if (!online && (d->state == XENBUS_CLOSING || d->state == XENBUS_CLOSED)) {
            if (d->state == XENBUS_CLOSING)
                set_state(b, d, XENBUS_CLOSED);
        } else if (d->state != XENBUS_INIT_WAIT) {
            d->refused = false; /* a new driver, from the start */
            offer(b, d);
        }
        break;
    case XENBUS_INITIALISED:
    case XENBUS_CONNECTED:
        if (!d->ring && d->state == XENBUS_INIT_WAIT && !d->refused)
            connect_front(b, d);
        if (d->ring && front == XENBUS_CONNECTED && !d->takes)
            read_wishes(b, d);
        break;
    case XENBUS_CLOSING:
        disconnect(b, d);
        if (d->state != XENBUS_CLOSING && d->state != XENBUS_CLOSED)
            set_state(b, d, XENBUS_CLOSING);
        break;
    case XENBUS_CLOSED:
    case XENBUS_UNKNOWN:
    default:
        disconnect(b, d);
        if (d->state == XENBUS_CLOSING || d->state == XENBUS_CONNECTED)
            set_state(b, d, XENBUS_CLOSED);
        break;
    }
}

/* --- devices come and go --- */

static struct device *find(struct vkbd_bus *b, uint32_t devid)
{
    struct device *d = b->devices;

    while (d && d->devid != devid)
        d = d->next;
    return d;
}

static void remove_device(struct vkbd_bus *b, struct device **at)
{
    struct device *d = *at;

    *at = d->next;
    b->count--;
    watch_front(b, d, false);
    disconnect(b, d);
    free(d->front);
    free(d);
}

/* Another back-end's (libxl: backend-type=linux). */
static bool is_others(struct vkbd_bus *b, const char *path)
{
    char *type = xenbus_read_key(b->xenbus, path, "backend-type");
    bool others = type && strcasecmp(type, "qemu") != 0;

    free(type);
    return others;
}

static uint32_t read_range(struct vkbd_bus *b, const char *path, const char *key)
{
    uint32_t n = xenbus_read_number(b->xenbus, path, key, VKBD_ABS_MAX);

    return n && n <= INT32_MAX ? n : VKBD_ABS_MAX;
}

static void add_device(struct vkbd_bus *b, uint32_t devid)
{
    struct device *d = calloc(1, sizeof(*d)), **at = &b->devices;

    if (!d)
        return;
    d->devid = devid;
    snprintf(d->path, sizeof(d->path), "%s/%u", b->root, devid);
    d->front = xenbus_read_key(b->xenbus, d->path, "frontend");
    /* The state is the last one to be written: an event will come. */
    if (!d->front || xenbus_read_state(b->xenbus, d->path) == XENBUS_UNKNOWN ||
        is_others(b, d->path) || !xenbus_is_front(d->front, b->domid)) {
        free(d->front);
        free(d);
        return;
    }
    d->no_keyboard = xenbus_read_number(b->xenbus, d->path, "feature-disable-keyboard", 0) == 1;
    d->no_pointer = xenbus_read_number(b->xenbus, d->path, "feature-disable-pointer", 0) == 1;
    d->width = read_range(b, d->path, "width");
    d->height = read_range(b, d->path, "height");
    while (*at)
        at = &(*at)->next;
    *at = d;
    b->count++;
    watch_front(b, d, true);
    offer(b, d);
}

/* Calls back for the names in a directory that are numbers. */
static void each_number(struct vkbd_bus *b, const char *dir,
                        void (*call)(struct vkbd_bus *b, uint32_t n))
{
    size_t bytes = 0;
    char *names = xenbus_list(b->xenbus, dir, &bytes), *end;

    for (size_t i = 0; names && i < bytes; i += strlen(names + i) + 1) {
        errno = 0;
        unsigned long n = strtoul(names + i, &end, 10);
        if (end != names + i && !*end && !errno && n <= UINT32_MAX)
            call(b, (uint32_t)n);
    }
    free(names);
}

static void found(struct vkbd_bus *b, uint32_t devid)
{
    if (!find(b, devid) && b->count < MAX_DEVICES)
        add_device(b, devid);
}

static void found_screen(struct vkbd_bus *b, uint32_t devid)
{
    char path[ROOT_MAX + 16];

    snprintf(path, sizeof(path), "%s/%u", b->screens, devid);
    enum xenbus_state state = xenbus_read_state(b->xenbus, path);
    if (state == XENBUS_UNKNOWN || state == XENBUS_CLOSED)
        return;
    log_warn("a PV screen (vfb) is not served: the guest has an emulated one");
    xenbus_write_number(b->xenbus, path, "state", XENBUS_CLOSED);
}

static void scan(struct vkbd_bus *b)
{
    for (struct device **at = &b->devices; *at;) {
        char *front = xenbus_read_key(b->xenbus, (*at)->path, "frontend");
        if (!front && errno == ENOENT)
            remove_device(b, at);
        else
            at = &(*at)->next;
        free(front);
    }
    each_number(b, b->root, found);
    each_number(b, b->screens, found_screen);
}

/* --- the bus --- */

static void look_again(void *opaque)
{
    vkbd_bus_look(opaque);
}

struct vkbd_bus *vkbd_bus_open(struct loop *loop, struct xenbus *xenbus, unsigned domid,
                               const struct vkbd_doors *doors, struct err *err)
{
    struct vkbd_bus *b = calloc(1, sizeof(*b));

    if (!b) {
        err_set(err, "out of memory");
        return NULL;
    }
    b->loop = loop;
    b->xenbus = xenbus;
    b->domid = domid;
    b->doors = *doors;
    deferred_init(&b->again, look_again, b);
    /* Relative: below the home of the domain we run in. */
    snprintf(b->root, sizeof(b->root), "backend/vkbd/%u", domid);
    snprintf(b->screens, sizeof(b->screens), "backend/vfb/%u", domid);
    if (xenbus_watch(xenbus, b->root, "back") && xenbus_watch(xenbus, b->screens, "back"))
        return b;
    err_set(err, "cannot watch %s: %s", b->root, strerror(errno));
    free(b);
    return NULL;
}

void vkbd_bus_close(struct vkbd_bus *b)
{
    if (!b)
        return;
    while (b->devices)
        remove_device(b, &b->devices);
    loop_undefer(b->loop, &b->again);
    free(b);
}

bool vkbd_bus_look(struct vkbd_bus *b)
{
    char path[XENBUS_PATH_MAX], token[64];
    enum xenbus_next next;
    bool any = false;

    while ((next = xenbus_next(b->xenbus, path, token)) == XENBUS_EVENT)
        any = true;
    if (any) {
        scan(b);
        for (struct device *d = b->devices; d; d = d->next)
            follow(b, d);
        tell_taken(b);
    }
    if (xenbus_pending(b->xenbus))
        loop_defer(b->loop, &b->again);
    return next != XENBUS_GONE;
}

/* What was done with a ring: its page may turn out to be a lie. */
static void after(struct vkbd_bus *b, struct device *d, bool notify)
{
    if (notify)
        b->doors.notify(b->doors.opaque, d->port);
    if (!vkbd_broken(d->ring))
        return;
    refuse(b, d, "its ring says what cannot be");
    tell_taken(b);
}

void vkbd_bus_notified(struct vkbd_bus *b, uint32_t local)
{
    for (struct device *d = b->devices; d; d = d->next) {
        if (!d->ring || d->port != local)
            continue;
        after(b, d, vkbd_look(d->ring));
        return;
    }
}

void vkbd_bus_key(struct vkbd_bus *b, uint32_t code, bool down)
{
    struct device *d = taker(b);

    if (d && d->takes & VKBD_KEYS)
        after(b, d, vkbd_key(d->ring, code, down));
}

void vkbd_bus_release(struct vkbd_bus *b)
{
    struct device *d = taker(b);

    if (d)
        after(b, d, vkbd_release(d->ring));
}

void vkbd_bus_point(struct vkbd_bus *b, int32_t x, int32_t y, int32_t wheel, uint32_t buttons)
{
    struct device *d = taker(b);

    if (d && d->takes & VKBD_POINTER)
        after(b, d, vkbd_point(d->ring, x, y, wheel, buttons));
}
