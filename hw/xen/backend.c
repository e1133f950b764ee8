/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backend: see backend.h. */
#include "hw/xen/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xengnttab.h>
#include <xenevtchn.h>

#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/blkback_bus.h"
#include "hw/xen/child.h"
#include "hw/xen/confine.h"
#include "hw/xen/xenbus.h"

#define READY_MS  10000 /* the host may be busy: it is only about not waiting for ever */
#define CLOSE_MS  5000  /* for what is under way to reach the images */
#define PORTS     16    /* looked at in one turn of the loop */
#define RESIZE_MS 3000  /* for what is under way to end, and the image to grow */

/* What the two tell each other, a message each. */
enum word_kind {
    WORD_READY,    /* child: it serves; `error`: an errno value, it does not */
    WORD_RELEASED, /* parent: the machine has closed the images of `disks` */
    WORD_RESIZE,   /* parent: disk number `disk` or, if that is -1, `text`, is to have `bytes` */
    WORD_RESIZED,  /* child: that is done; `text`: why it is not */
};

struct word {
    uint32_t kind;
    int32_t error;
    uint32_t disks;
    int32_t disk;
    uint64_t bytes;
    uint32_t serial; /* of a question, and its answer's */
    char text[sizeof(struct err)];
};

/* --- the child --- */

struct child {
    unsigned domid;
    struct loop *loop;
    struct xenbus *xenbus;
    xengnttab_handle *grants;
    xenevtchn_handle *evtchn;
    struct blkback_bus *bus;
    struct loop_source parent_source, xenbus_source, evtchn_source;
    xengnttab_grant_copy_segment_t segments[BLKIF_MAX_SEGMENTS];
};

static void *map(void *opaque, const uint32_t *refs, unsigned count, bool writable)
{
    struct child *c = opaque;
    uint32_t copy[BLKIF_MAX_SEGMENTS];

    memcpy(copy, refs, count * sizeof(*refs));
    return xengnttab_map_domain_grant_refs(c->grants, count, c->domid, copy,
                                           writable ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void unmap(void *opaque, void *where, unsigned count)
{
    struct child *c = opaque;

    xengnttab_unmap(c->grants, where, count);
}

static bool copy(void *opaque, const struct blkback_piece *pieces, unsigned count, bool to_guest)
{
    struct child *c = opaque;

    for (unsigned i = 0; i < count; i++) {
        union xengnttab_copy_ptr local = {.virt = pieces[i].local};
        union xengnttab_copy_ptr guest = {.foreign = {.ref = pieces[i].ref,
                                                      .offset = pieces[i].offset,
                                                      .domid = (uint16_t)c->domid}};
        c->segments[i] = (xengnttab_grant_copy_segment_t){
            .source = to_guest ? local : guest,
            .dest = to_guest ? guest : local,
            .len = pieces[i].bytes,
            .flags = to_guest ? GNTCOPY_dest_gref : GNTCOPY_source_gref,
        };
    }
    if (xengnttab_grant_copy(c->grants, count, c->segments))
        return false;
    for (unsigned i = 0; i < count; i++) {
        if (c->segments[i].status != GNTST_okay) {
            errno = EACCES;
            return false;
        }
    }
    return true;
}

static void notify(void *opaque, uint32_t port)
{
    xenevtchn_notify(((struct child *)opaque)->evtchn, port);
}

static int bind_port(void *opaque, uint32_t remote)
{
    struct child *c = opaque;

    return xenevtchn_bind_interdomain(c->evtchn, c->domid, remote);
}

static void unbind_port(void *opaque, uint32_t local)
{
    xenevtchn_unbind(((struct child *)opaque)->evtchn, local);
}

static void evtchn_ready(void *opaque, uint32_t events)
{
    struct child *c = opaque;
    (void)events;

    for (unsigned i = 0; i < PORTS; i++) {
        xenevtchn_port_or_error_t port = xenevtchn_pending(c->evtchn);
        if (port < 0)
            return;
        xenevtchn_unmask(c->evtchn, (evtchn_port_t)port);
        blkback_bus_notified(c->bus, (uint32_t)port);
    }
}

static void xenbus_ready(void *opaque, uint32_t events)
{
    struct child *c = opaque;
    (void)events;

    if (blkback_bus_look(c->bus))
        return;
    log_error("xenstored has gone: PV disks no longer come or go");
    loop_unwatch(c->loop, &c->xenbus_source);
}

static void resize(struct child *c, const struct word *asked)
{
    struct word answer = {.kind = WORD_RESIZED, .serial = asked->serial};
    struct err err = {.text = ""};

    if (!blkback_bus_resize(c->bus, asked->disk, asked->text, asked->bytes, &err))
        snprintf(answer.text, sizeof(answer.text), "%s", err.text);
    send(CHILD_SOCKET, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The parent's words; or its end. */
static void parent_ready(void *opaque, uint32_t events)
{
    struct child *c = opaque;
    struct word word;
    (void)events;

    ssize_t n = recv(CHILD_SOCKET, &word, sizeof(word), MSG_DONTWAIT | MSG_TRUNC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n != sizeof(word)) {
        loop_quit(c->loop, n ? 1 : 0);
        return;
    }
    word.text[sizeof(word.text) - 1] = 0;
    if (word.kind == WORD_RELEASED)
        blkback_bus_released(c->bus, word.disks);
    else if (word.kind == WORD_RESIZE)
        resize(c, &word);
}

static bool open_child(struct child *c, uint32_t emulated, bool filter, struct err *err)
{
    static const struct blkback_bus_doors template = {
        .disk = {.map = map, .unmap = unmap, .copy = copy, .notify = notify},
        .bind = bind_port,
        .unbind = unbind_port,
    };
    struct blkback_bus_doors doors = template;
    doors.disk.opaque = c;

    c->loop = loop_new(err);
    if (!c->loop)
        return false;
    c->xenbus = xenbus_open(err);
    if (!c->xenbus)
        return false;
    c->grants = xengnttab_open(NULL, 0);
    c->evtchn = xenevtchn_open(NULL, 0);
    if (!c->grants || !c->evtchn)
        return err_set(err, "cannot open %s: %s", c->grants ? "event channels" : "grants",
                       strerror(errno));
    fcntl(xenevtchn_fd(c->evtchn), F_SETFL, O_NONBLOCK);
    if (!confine_backend(filter, err))
        return false;
    c->bus = blkback_bus_open(c->loop, c->xenbus, c->domid, emulated, &doors, err);
    return c->bus &&
           loop_watch(c->loop, &c->parent_source, CHILD_SOCKET, EPOLLIN, parent_ready, c, err) &&
           loop_watch(c->loop, &c->xenbus_source, xenbus_fd(c->xenbus), EPOLLIN, xenbus_ready, c,
                      err) &&
           loop_watch(c->loop, &c->evtchn_source, xenevtchn_fd(c->evtchn), EPOLLIN, evtchn_ready, c,
                      err);
}

struct start {
    unsigned domid;
    uint32_t emulated;
    bool filter;
};

static int child(const void *arg)
{
    const struct start *start = arg;
    struct err err;
    struct child *c = calloc(1, sizeof(*c));

    if (!c)
        return 1;
    c->domid = start->domid;
    bool ok = open_child(c, start->emulated, start->filter, &err);
    struct word said = {.kind = WORD_READY, .error = ok ? 0 : errno ? errno : EIO};
    send(CHILD_SOCKET, &said, sizeof(said), MSG_NOSIGNAL);
    if (!ok) {
        log_error("PV disks: %s", err.text);
        return 1;
    }
    xenbus_ready(c, 0); /* what came while we asked */
    int code = loop_run(c->loop);
    blkback_bus_close(c->bus);
    return code;
}

/* --- the parent --- */

struct backend {
    int fd;
    pid_t pid;
    uint32_t serial; /* of the last question */
};

struct backend *backend_open(unsigned domid, uint32_t emulated, bool filter, struct err *err)
{
    struct start start = {.domid = domid, .emulated = emulated, .filter = filter};
    struct child_spec spec = {.name = "hvm-dm-disks",
                              .what = "the PV disks' process",
                              .log = true,
                              .run = child,
                              .arg = &start};
    struct backend *b = calloc(1, sizeof(*b));

    if (!b) {
        err_set(err, "out of memory");
        return NULL;
    }
    b->pid = child_start(&spec, &b->fd, err);
    if (b->pid > 0)
        return b;
    free(b);
    return NULL;
}

/* The child's next word of this kind. False: it is gone, or silent. */
static bool hear(struct backend *b, enum word_kind kind, uint32_t serial, int ms, struct word *word)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};

    for (;;) {
        int n = poll(&p, 1, ms);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || recv(b->fd, word, sizeof(*word), MSG_DONTWAIT) != sizeof(*word))
            return false;
        if (word->kind == kind && word->serial == serial) /* not an answer that came too late */
            return true;
    }
}

bool backend_ready(struct backend *b, struct err *err)
{
    struct word word;

    if (!hear(b, WORD_READY, 0, READY_MS, &word))
        return err_set(err, "the PV disks' process does not start");
    return !word.error ||
           err_set(err, "the PV disks' process cannot start: %s", strerror(word.error));
}

static bool tell(struct backend *b, const struct word *word, struct err *err)
{
    if (send(b->fd, word, sizeof(*word), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*word))
        return true;
    return err_set(err, "the PV disks' process has ended: %s", strerror(errno));
}

bool backend_release(struct backend *b, uint32_t disks, struct err *err)
{
    struct word word = {.kind = WORD_RELEASED, .disks = disks};

    return tell(b, &word, err);
}

bool backend_resize(struct backend *b, int disk, const char *name, uint64_t bytes, struct err *err)
{
    struct word word = {.kind = WORD_RESIZE, .disk = disk, .bytes = bytes, .serial = ++b->serial};

    snprintf(word.text, sizeof(word.text), "%s", name);
    if (!tell(b, &word, err))
        return false;
    if (!hear(b, WORD_RESIZED, b->serial, RESIZE_MS, &word))
        return err_set(err, "the PV disks' process does not answer");
    word.text[sizeof(word.text) - 1] = 0;
    return !*word.text || err_set(err, "%s", word.text);
}

void backend_close(struct backend *b)
{
    struct pollfd p;

    if (!b)
        return;
    shutdown(b->fd, SHUT_WR);
    /* It closes its end as it exits. */
    p = (struct pollfd){.fd = b->fd, .events = POLLIN};
    if (poll(&p, 1, CLOSE_MS) <= 0)
        log_warn("the PV disks' process is still writing");
    waitpid(b->pid, NULL, WNOHANG);
    close(b->fd);
    free(b);
}
