/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blkback_bus: see blkback_bus.h. What stands below the back-end's path only dom0 can write and is
 * believed; what stands below the front-end's the guest writes, and is checked. */
#include "hw/xen/blkback_bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/xenbus_keys.h"

#define MAX_DISKS 64 /* of one domain */
#define ROOT_MAX  64

/* public/io/blkif.h, "info" */
#define VDISK_CDROM     1u
#define VDISK_REMOVABLE 2u
#define VDISK_READONLY  4u

struct disk {
    struct blkback_bus *bus;
    struct disk *next;
    uint32_t devid;
    int number;
    char *path;  /* of the back-end */
    char *front; /* of the front-end */
    char name[16];
    char *params; /* as last seen */
    bool cdrom, removable, read_only, discard, direct;
    bool dead;    /* has no image to serve: stays Closed */
    bool refused; /* what this front-end asks for; said why */
    bool waits;   /* for the emulated disk's release: said */
    enum xenbus_state state;
    struct block *block;
    struct blkback *back;
    struct blkback_config config; /* of the connection */
    uint32_t ports[BLKBACK_MAX_QUEUES];
    unsigned queues;
};

struct blkback_bus {
    struct loop *loop;
    struct xenbus *xenbus;
    unsigned domid;
    uint32_t emulated;
    struct blkback_bus_doors doors;
    char root[ROOT_MAX];
    struct deferred again; /* events came while others were being looked at */
    struct disk *disks;
    unsigned count;
};

int blkback_disk_number(uint32_t devid)
{
    uint32_t major = devid >> 8, minor = devid & 0xFF;

    if (devid >> 28 == 1) /* extended: disk << 8 | partition */
        return devid & 0xFF || (devid & 0x0FFFFFFF) >> 8 > 0xFFFFF
                   ? -1
                   : (int)((devid & 0x0FFFFFFF) >> 8);
    if (major == 202) /* xvd */
        return minor & 15 ? -1 : (int)(minor >> 4);
    if (major == 3 || major == 22) /* hda, hdb; hdc, hdd */
        return minor & 63 || minor >> 6 > 1 ? -1 : (int)(minor >> 6) + (major == 22 ? 2 : 0);
    return -1;
}

/* --- xenstore --- */

static char *read_key(struct blkback_bus *b, const char *dir, const char *key)
{
    return xenbus_read_key(b->xenbus, dir, key);
}

static uint32_t read_number(struct blkback_bus *b, const char *dir, const char *key,
                            uint32_t otherwise)
{
    return xenbus_read_number(b->xenbus, dir, key, otherwise);
}

static void write_key(struct disk *d, const char *key, uint64_t value)
{
    xenbus_write_number(d->bus->xenbus, d->path, key, value);
}

static void set_state(struct disk *d, enum xenbus_state state)
{
    d->state = state;
    write_key(d, "state", state);
}

static void watch_front(struct disk *d, bool watch)
{
    char path[XENBUS_PATH_MAX];

    if (!d->front)
        return;
    snprintf(path, sizeof(path), "%s/state", d->front);
    if (watch ? !xenbus_watch(d->bus->xenbus, path, "front")
              : !xenbus_unwatch(d->bus->xenbus, path, "front"))
        log_warn("%s: cannot watch %s: %s", d->name, path, strerror(errno));
}

/* --- the image --- */

static bool format_of(struct disk *d, size_t length, enum block_format *format)
{
    static const struct {
        const char *said; /* libxl's word in front of the path */
        enum block_format format;
    } formats[] = {
        {"aio", BLOCK_FORMAT_RAW}, {"raw", BLOCK_FORMAT_RAW}, {"qcow2", BLOCK_FORMAT_QCOW2},
        {"vhd", BLOCK_FORMAT_VPC}, {"vpc", BLOCK_FORMAT_VPC},
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (strlen(formats[i].said) == length && !memcmp(d->params, formats[i].said, length)) {
            *format = formats[i].format;
            return true;
        }
    }
    return false;
}

/* Opens what "params" names; an empty CD drive has nothing there. */
static bool open_image(struct disk *d)
{
    struct err err;
    const char *colon = strchr(d->params, ':');
    struct block_config config = {
        .id = d->name,
        .file = colon ? colon + 1 : "",
        .fd = -1,
        .cache = d->direct ? BLOCK_CACHE_NONE : BLOCK_CACHE_WRITEBACK,
        .read_only = d->read_only,
    };

    if (!*config.file)
        return d->cdrom;
    if (!format_of(d, (size_t)(colon - d->params), &config.format)) {
        log_error("PV disk %s: format %.*s is not served; convert the image with qemu-img convert "
                  "-O qcow2",
                  d->name, (int)(colon - d->params), d->params);
        return false;
    }
    d->block = block_open(d->bus->loop, &config, &err);
    if (d->block && block_activate(d->block, &err))
        return true;
    log_error("PV disk %s: %s", d->name, err.text);
    block_close(d->block);
    d->block = NULL;
    return false;
}

static void close_image(struct disk *d)
{
    block_close(d->block);
    d->block = NULL;
}

static bool emulated(const struct disk *d)
{
    return !d->cdrom && d->number >= 0 && d->number < 32 &&
           d->bus->emulated & UINT32_C(1) << d->number;
}

/* --- connecting --- */

/* The grant references of a ring; pages is what the front-end says it has, a power of two. */
static bool read_ring(struct disk *d, const char *dir, bool single,
                      struct blkback_queue_config *queue)
{
    char key[XENBUS_KEY_MAX];

    for (unsigned i = 0; i < queue->pages; i++) {
        if (single)
            snprintf(key, sizeof(key), "ring-ref");
        else
            snprintf(key, sizeof(key), "ring-ref%u", i);
        queue->refs[i] = read_number(d->bus, dir, key, XENBUS_NO_NUMBER);
        if (queue->refs[i] == XENBUS_NO_NUMBER)
            return false;
    }
    return true;
}

static bool read_queue(struct disk *d, const char *dir, struct blkback_queue_config *queue)
{
    uint32_t order = read_number(d->bus, d->front, "ring-page-order", 0), remote;

    if (order > BLKIF_MAX_ORDER)
        return false;
    queue->pages = 1u << order;
    /* One page has "ring-ref", and with some front-ends "ring-ref0" (note 6 of blkif.h). */
    if (!(queue->pages == 1 && read_ring(d, dir, true, queue)) && !read_ring(d, dir, false, queue))
        return false;
    remote = read_number(d->bus, dir, "event-channel", XENBUS_NO_NUMBER);
    if (remote == XENBUS_NO_NUMBER)
        return false;
    int local = d->bus->doors.bind(d->bus->doors.disk.opaque, remote);
    if (local < 0)
        return false;
    queue->port = d->ports[d->queues++] = (uint32_t)local;
    return true;
}

static bool read_front(struct disk *d, struct blkback_config *config)
{
    char dir[XENBUS_PATH_MAX];
    char *protocol = read_key(d->bus, d->front, "protocol");
    bool narrow = protocol && !strcmp(protocol, "x86_32-abi");
    bool known = !protocol || narrow || !strcmp(protocol, "x86_64-abi");
    free(protocol);

    config->abi = narrow ? BLKIF_ABI_X86_32 : BLKIF_ABI_X86_64;
    config->persistent = read_number(d->bus, d->front, "feature-persistent", 0) == 1;
    config->queues = read_number(d->bus, d->front, "multi-queue-num-queues", 1);
    if (!known || !config->queues || config->queues > BLKBACK_MAX_QUEUES)
        return false;
    if (config->queues == 1)
        return read_queue(d, d->front, &config->queue[0]);
    for (unsigned i = 0; i < config->queues; i++) {
        snprintf(dir, sizeof(dir), "%s/queue-%u", d->front, i);
        if (!read_queue(d, dir, &config->queue[i]))
            return false;
    }
    return true;
}

static void disconnect(struct disk *d)
{
    blkback_disconnect(d->back);
    d->back = NULL;
    while (d->queues)
        d->bus->doors.unbind(d->bus->doors.disk.opaque, d->ports[--d->queues]);
    close_image(d);
}

/* This front-end is not served; another that starts anew is. */
static void refuse(struct disk *d)
{
    disconnect(d);
    d->refused = true;
    set_state(d, XENBUS_CLOSING);
}

static void publish_size(struct disk *d)
{
    write_key(d, "sectors", block_bytes(d->block) / BLKIF_SECTOR);
    write_key(d, "sector-size", BLKIF_SECTOR);
    write_key(d, "info",
              (d->cdrom ? VDISK_CDROM : 0) | (d->removable ? VDISK_REMOVABLE : 0) |
                  (d->read_only ? VDISK_READONLY : 0));
}

/* Serves the rings that d->config describes, and says so; false: refused. */
static bool serve(struct disk *d)
{
    struct err err;

    d->back = blkback_connect(d->bus->loop, d->block, &d->config, &d->bus->doors.disk, &err);
    if (!d->back) {
        guest_error("blkback", "%s", err.text);
        refuse(d);
        return false;
    }
    publish_size(d);
    set_state(d, XENBUS_CONNECTED); /* to a front-end that has been: it looks at the size */
    for (unsigned i = 0; i < d->queues; i++) /* what came before we listened */
        blkback_event(d->back, i);
    return true;
}

static void connect_front(struct disk *d)
{
    if (emulated(d)) {
        if (!d->waits)
            log_info("PV disk %s waits until the guest has unplugged the emulated disk", d->name);
        d->waits = true;
        return;
    }
    if (!d->block && !open_image(d)) {
        refuse(d);
        return;
    }
    if (!d->block)
        return; /* an empty drive */
    d->config =
        (struct blkback_config){.name = d->name, .read_only = d->read_only, .discard = d->discard};
    if (!read_front(d, &d->config)) {
        guest_error("blkback", "%s: the front-end asks for what is not offered", d->name);
        refuse(d);
        return;
    }
    const struct blkback_config *config = &d->config;
    if (!serve(d))
        return;
    log_info("PV disk %s connected: %u queue%s of %u page%s%s", d->name, config->queues,
             config->queues == 1 ? "" : "s", config->queue[0].pages,
             config->queue[0].pages == 1 ? "" : "s",
             config->persistent ? ", persistent grants" : "");
}

/* What a front-end may use. */
static void offer(struct disk *d)
{
    write_key(d, "feature-flush-cache", 1);
    write_key(d, "feature-persistent", 1);
    write_key(d, "feature-max-indirect-segments", BLKIF_MAX_SEGMENTS);
    write_key(d, "max-ring-page-order", BLKIF_MAX_ORDER);
    write_key(d, "multi-queue-max-queues", BLKBACK_MAX_QUEUES);
    if (d->discard) {
        write_key(d, "feature-discard", 1);
        write_key(d, "discard-granularity", 4096);
        write_key(d, "discard-alignment", 0);
    }
    set_state(d, XENBUS_INIT_WAIT);
}

/* Another disc: told to a connected front-end as a new size. Its rings go on where they are. */
static void look_at_medium(struct disk *d)
{
    char *params = read_key(d->bus, d->path, "params");

    if (!params || !strcmp(params, d->params)) {
        free(params);
        return;
    }
    free(d->params);
    d->params = params;
    if (!d->back)
        return;
    if (!d->cdrom) {
        log_warn("PV disk %s: another image in its place is taken when it is connected anew",
                 d->name);
        return;
    }
    blkback_disconnect(d->back);
    d->back = NULL;
    close_image(d);
    if (!open_image(d) || !d->block) {
        refuse(d);
        return;
    }
    if (serve(d))
        log_info("PV disk %s: the medium is changed", d->name);
}

/* Brings the disk to where both sides' states say. */
static void follow(struct disk *d)
{
    if (d->dead)
        return;
    enum xenbus_state front = xenbus_read_state(d->bus->xenbus, d->front);
    enum xenbus_state said = xenbus_read_state(d->bus->xenbus, d->path);
    bool online = read_number(d->bus, d->path, "online", 1);

    look_at_medium(d);
    /* The toolstack wants the disk away (block-detach): it has written Closing in our place. */
    if (said == XENBUS_CLOSING && d->state != XENBUS_CLOSING && d->state != XENBUS_CLOSED) {
        d->state = XENBUS_CLOSING;
        if (front != XENBUS_INITIALISED && front != XENBUS_CONNECTED && front != XENBUS_CLOSING)
            disconnect(d);
    }
    switch (front) {
    case XENBUS_INITIALISING:
    case XENBUS_INIT_WAIT:
        disconnect(d);
        if (!online && (d->state == XENBUS_CLOSING || d->state == XENBUS_CLOSED)) {
            if (d->state == XENBUS_CLOSING)
                set_state(d, XENBUS_CLOSED);
        } else if (d->state == XENBUS_CLOSED || d->state == XENBUS_CLOSING) {
            d->refused = false; /* a new driver, from the start */
            offer(d);
        }
        break;
    case XENBUS_INITIALISED:
    case XENBUS_CONNECTED:
        if (!d->back && d->state == XENBUS_INIT_WAIT && !d->refused)
            connect_front(d);
        break;
    case XENBUS_CLOSING:
        disconnect(d);
        if (d->state != XENBUS_CLOSING && d->state != XENBUS_CLOSED)
            set_state(d, XENBUS_CLOSING);
        break;
    case XENBUS_CLOSED:
    case XENBUS_UNKNOWN:
    default:
        disconnect(d);
        if (d->state == XENBUS_CLOSING || d->state == XENBUS_CONNECTED)
            set_state(d, XENBUS_CLOSED);
        break;
    }
}

/* --- a new size --- */

static struct disk *find_named(struct blkback_bus *b, int number, const char *name)
{
    struct disk *d = b->disks;

    while (d && (number >= 0 ? d->number != number : strcmp(d->name, name) != 0))
        d = d->next;
    return d;
}

bool blkback_bus_resize(struct blkback_bus *b, int number, const char *name, uint64_t bytes,
                        struct err *err)
{
    struct disk *d = find_named(b, number, name);

    if (!d && number >= 0)
        return err_set(err, "there is no PV disk in its place");
    if (!d)
        return err_set(err, "there is no PV disk %s", name);
    if (d->cdrom || d->dead || emulated(d))
        return err_set(err, "PV disk %s: %s", d->name,
                       d->cdrom  ? "is a CD drive"
                       : d->dead ? "has no image"
                                 : "its image is the emulated disk's");
    bool connected = d->back != NULL;
    if (!d->block && !open_image(d))
        return err_set(err, "PV disk %s: its image cannot be opened", d->name);
    bool ok = block_resize(d->block, bytes, err);
    if (!connected)
        close_image(d);
    if (ok && connected) { /* blkif.h: the new size, then Connected again: the front-end looks */
        publish_size(d);
        set_state(d, XENBUS_CONNECTED);
    }
    return ok;
}

/* --- disks come and go --- */

static struct disk *find(struct blkback_bus *b, uint32_t devid)
{
    struct disk *d = b->disks;

    while (d && d->devid != devid)
        d = d->next;
    return d;
}

static void free_disk(struct disk *d)
{
    disconnect(d);
    free(d->path);
    free(d->front);
    free(d->params);
    free(d);
}

static bool says(struct disk *d, const char *key, const char *value)
{
    char *text = read_key(d->bus, d->path, key);
    bool same = text && !strcmp(text, value);

    free(text);
    return same;
}

static bool read_back(struct disk *d)
{
    char *dev = read_key(d->bus, d->path, "dev");

    snprintf(d->name, sizeof(d->name), "%s", dev ? dev : "?");
    free(dev);
    d->front = read_key(d->bus, d->path, "frontend");
    d->params = read_key(d->bus, d->path, "params");
    char *said = read_key(d->bus, d->path, "state"); /* the last one to be written */
    free(said);
    if (!d->front || !d->params || !said)
        return false; /* an event will come */
    d->cdrom = says(d, "device-type", "cdrom");
    d->removable = d->cdrom || says(d, "removable", "1");
    d->read_only = d->cdrom || !says(d, "mode", "w");
    d->direct = says(d, "direct-io-safe", "1");
    d->discard = !d->read_only && !says(d, "discard-enable", "0");
    return true;
}

static void add_disk(struct blkback_bus *b, uint32_t devid)
{
    char path[XENBUS_PATH_MAX];
    struct disk *d = calloc(1, sizeof(*d));

    if (!d)
        return;
    snprintf(path, sizeof(path), "%s/%u", b->root, devid);
    d->bus = b;
    d->devid = devid;
    d->number = blkback_disk_number(devid);
    d->path = strdup(path);
    if (!d->path || !read_back(d)) {
        free_disk(d);
        return;
    }
    if (!xenbus_is_front(d->front, b->domid)) {
        log_error("PV disk %s: %s is not a path of domain %u", d->name, d->front, b->domid);
        free_disk(d);
        return;
    }
    d->next = b->disks;
    b->disks = d;
    b->count++;
    watch_front(d, true);
    /* An image that cannot be opened is a failed block-attach, and not a guest that hangs later.
     * What the machine has open is opened when it has been closed there. */
    if (!emulated(d) && !open_image(d)) {
        d->dead = true;
        set_state(d, XENBUS_CLOSED);
        return;
    }
    offer(d);
}

static void remove_disk(struct blkback_bus *b, struct disk **at)
{
    struct disk *d = *at;

    *at = d->next;
    b->count--;
    watch_front(d, false);
    free_disk(d);
}

/* Names in the directory that are numbers; those that are gone, and new ones. */
static void scan(struct blkback_bus *b)
{
    size_t bytes = 0;
    char *names = xenbus_list(b->xenbus, b->root, &bytes), *end;

    for (struct disk **at = &b->disks; *at;) {
        /* The path is gone only if a read says so: one name can be a part of another. */
        char *frontend = read_key(b, (*at)->path, "frontend");
        if (!frontend && errno == ENOENT)
            remove_disk(b, at);
        else
            at = &(*at)->next;
        free(frontend);
    }
    for (size_t i = 0; names && i < bytes; i += strlen(names + i) + 1) {
        errno = 0;
        unsigned long n = strtoul(names + i, &end, 10);
        if (end != names + i && !*end && !errno && n <= UINT32_MAX && !find(b, (uint32_t)n) &&
            b->count < MAX_DISKS)
            add_disk(b, (uint32_t)n);
    }
    free(names);
}

static void look_again(void *opaque)
{
    blkback_bus_look(opaque);
}

struct blkback_bus *blkback_bus_open(struct loop *loop, struct xenbus *xenbus, unsigned domid,
                                     uint32_t emulated_disks, const struct blkback_bus_doors *doors,
                                     struct err *err)
{
    struct blkback_bus *b = calloc(1, sizeof(*b));

    if (!b) {
        err_set(err, "out of memory");
        return NULL;
    }
    b->loop = loop;
    b->xenbus = xenbus;
    b->domid = domid;
    b->emulated = emulated_disks;
    b->doors = *doors;
    deferred_init(&b->again, look_again, b);
    /* Relative: below the home of the domain we run in. */
    snprintf(b->root, sizeof(b->root), "backend/qdisk/%u", domid);
    if (xenbus_watch(xenbus, b->root, "back"))
        return b;
    err_set(err, "cannot watch %s: %s", b->root, strerror(errno));
    free(b);
    return NULL;
}

bool blkback_bus_look(struct blkback_bus *b)
{
    char path[XENBUS_PATH_MAX], token[64];
    enum xenbus_next next;
    bool any = false;

    while ((next = xenbus_next(b->xenbus, path, token)) == XENBUS_EVENT)
        any = true;
    if (any) {
        scan(b);
        for (struct disk *d = b->disks; d; d = d->next)
            follow(d);
    }
    if (xenbus_pending(b->xenbus))
        loop_defer(b->loop, &b->again);
    return next != XENBUS_GONE;
}

void blkback_bus_notified(struct blkback_bus *b, uint32_t local)
{
    for (struct disk *d = b->disks; d; d = d->next) {
        for (unsigned q = 0; q < d->queues; q++) {
            if (d->ports[q] != local)
                continue;
            if (d->back)
                blkback_event(d->back, q);
            if (d->back && blkback_broken(d->back))
                refuse(d);
            return;
        }
    }
}

void blkback_bus_released(struct blkback_bus *b, uint32_t disks)
{
    b->emulated &= ~disks;
    for (struct disk *d = b->disks; d; d = d->next)
        if (!d->back && d->number >= 0 && d->number < 32 && disks & UINT32_C(1) << d->number)
            follow(d);
    if (xenbus_pending(b->xenbus))
        loop_defer(b->loop, &b->again);
}

void blkback_bus_close(struct blkback_bus *b)
{
    if (!b)
        return;
    while (b->disks)
        remove_disk(b, &b->disks);
    loop_undefer(b->loop, &b->again);
    free(b);
}
