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

#include "hw/core/child.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "hw/xen/blkback_bus.h"
#include "hw/xen/confine.h"
#include "hw/xen/vkbd_bus.h"
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
    WORD_TAKEN,    /* child: the PV keyboard and pointer take `what` (VKBD_*) */
    WORD_KEY,      /* parent: `code` went down, or up */
    WORD_POINT,    /* parent: the pointer is at x, y, with `buttons`, and `wheel` notches on */
    WORD_RELEASE,  /* parent: no key is down */
};

/* Sent up to `text`, or to its end. */
struct word {
    uint32_t kind;
    int32_t error;
    uint32_t disks;
    int32_t disk;
    uint64_t bytes;
    uint32_t serial; /* of a question, and its answer's */
    uint32_t what, code, down, buttons;
    int32_t x, y, wheel;
    char text[sizeof(struct err)];
};

#define WORD_SHORT offsetof(struct word, text)

static bool send_word(int fd, const struct word *word)
{
    size_t size = *word->text ? sizeof(*word) : WORD_SHORT;

    return send(fd, word, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

/* 1: a word; 0: none, now; -1: the other side has gone, or is not the program we know. */
static int receive_word(int fd, struct word *word)
{
    ssize_t n = recv(fd, word, sizeof(*word), MSG_DONTWAIT | MSG_TRUNC);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n != sizeof(*word) && n != WORD_SHORT)
        return -1;
    word->text[n == sizeof(*word) ? sizeof(word->text) - 1 : 0] = 0;
    return 1;
}

/* --- the child --- */

struct child {
    unsigned domid;
    struct loop *loop;
    struct xenbus *xenbus, *keys_xenbus;
    xengnttab_handle *grants;
    xenevtchn_handle *evtchn;
    struct blkback_bus *bus; /* NULL: no disks */
    struct vkbd_bus *keys;
    struct loop_source parent_source, xenbus_source, keys_source, evtchn_source;
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
        vkbd_bus_notified(c->keys, (uint32_t)port);
        if (c->bus)
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

static void keys_ready(void *opaque, uint32_t events)
{
    struct child *c = opaque;
    (void)events;

    if (!vkbd_bus_look(c->keys))
        loop_unwatch(c->loop, &c->keys_source);
}

static void say_taken(void *opaque, unsigned what)
{
    struct word word = {.kind = WORD_TAKEN, .what = what};
    (void)opaque;

    send_word(CHILD_SOCKET, &word);
}

static void resize(struct child *c, const struct word *asked)
{
    struct word answer = {.kind = WORD_RESIZED, .serial = asked->serial};
    struct err err = {.text = ""};

    if (!blkback_bus_resize(c->bus, asked->disk, asked->text, asked->bytes, &err))
        snprintf(answer.text, sizeof(answer.text), "%s", err.text);
    send_word(CHILD_SOCKET, &answer);
}

/* The parent's words; or its end. */
static void parent_ready(void *opaque, uint32_t events)
{
    struct child *c = opaque;
    struct word word;
    (void)events;

    int got = receive_word(CHILD_SOCKET, &word);
    if (got < 0)
        loop_quit(c->loop, 0);
    if (got <= 0)
        return;
    if (word.kind == WORD_KEY)
        vkbd_bus_key(c->keys, word.code, word.down);
    else if (word.kind == WORD_POINT)
        vkbd_bus_point(c->keys, word.x, word.y, word.wheel, word.buttons);
    else if (word.kind == WORD_RELEASE)
        vkbd_bus_release(c->keys);
    else if (word.kind == WORD_RELEASED && c->bus)
        blkback_bus_released(c->bus, word.disks);
    else if (word.kind == WORD_RESIZE && c->bus)
        resize(c, &word);
}

static bool open_disks(struct child *c, uint32_t emulated, struct err *err)
{
    struct blkback_bus_doors doors = {
        .disk = {.map = map, .unmap = unmap, .copy = copy, .notify = notify, .opaque = c},
        .bind = bind_port,
        .unbind = unbind_port,
    };

    c->bus = blkback_bus_open(c->loop, c->xenbus, c->domid, emulated, &doors, err);
    return c->bus && loop_watch(c->loop, &c->xenbus_source, xenbus_fd(c->xenbus), EPOLLIN,
                                xenbus_ready, c, err);
}

static bool open_keys(struct child *c, struct err *err)
{
    const struct vkbd_doors doors = {
        .map = map,
        .unmap = unmap,
        .bind = bind_port,
        .unbind = unbind_port,
        .notify = notify,
        .taken = say_taken,
        .opaque = c,
    };

    c->keys = vkbd_bus_open(c->loop, c->keys_xenbus, c->domid, &doors, err);
    return c->keys && loop_watch(c->loop, &c->keys_source, xenbus_fd(c->keys_xenbus), EPOLLIN,
                                 keys_ready, c, err);
}

static bool open_child(struct child *c, const struct backend_config *config, struct err *err)
{
    c->domid = config->domid;
    c->loop = loop_new(err);
    if (!c->loop)
        return false;
    c->keys_xenbus = xenbus_open(err);
    if (!c->keys_xenbus)
        return false;
    if (config->disks)
        c->xenbus = xenbus_open(err);
    if (config->disks && !c->xenbus)
        return false;
    c->grants = xengnttab_open(NULL, 0);
    c->evtchn = xenevtchn_open(NULL, 0);
    if (!c->grants || !c->evtchn)
        return err_set(err, "cannot open %s: %s", c->grants ? "event channels" : "grants",
                       strerror(errno));
    fcntl(xenevtchn_fd(c->evtchn), F_SETFL, O_NONBLOCK);
    const struct confine_config confinement = {
        .run_as = config->run_as,
        .uid = config->uid,
        .gid = config->gid,
        .seccomp = config->filter,
        .open_files = config->disks,
    };
    return confine_backend(&confinement, err) &&
           (!config->disks || open_disks(c, config->emulated, err)) &&
           loop_watch(c->loop, &c->parent_source, CHILD_SOCKET, EPOLLIN, parent_ready, c, err) &&
           loop_watch(c->loop, &c->evtchn_source, xenevtchn_fd(c->evtchn), EPOLLIN, evtchn_ready, c,
                      err);
}

static int child(const void *arg)
{
    struct err err;
    struct child *c = calloc(1, sizeof(*c));

    if (!c)
        return 1;
    bool ok = open_child(c, arg, &err);
    struct word said = {.kind = WORD_READY, .error = ok ? 0 : errno ? errno : EIO};
    send_word(CHILD_SOCKET, &said);
    if (!ok) {
        log_error("PV devices: %s", err.text);
        free(c); /* what it holds goes with the process */
        return 1;
    }
    /* Nobody waits for these: the guest looks for its keyboard much later. */
    int code = 1;
    if (open_keys(c, &err)) {
        /* What came while we asked. */
        keys_ready(c, 0);
        if (c->bus)
            xenbus_ready(c, 0);
        code = loop_run(c->loop);
    } else {
        log_error("PV keyboard: %s", err.text);
    }
    vkbd_bus_close(c->keys);
    blkback_bus_close(c->bus);
    return code;
}

/* --- the parent --- */

struct backend {
    int fd;
    pid_t pid;
    uint32_t serial; /* of the last question */
    struct loop *loop;
    struct loop_source source;
    void (*taken)(void *opaque, unsigned what);
    void *opaque;
    bool behind; /* what was typed found no room: until there is some, the rest is lost too */
};

struct backend *backend_open(const struct backend_config *config, struct err *err)
{
    struct child_spec spec = {.name = "hvm-dm-pv",
                              .what = "the PV devices' process",
                              .log = true,
                              .run = child,
                              .arg = config};
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

static void hear_taken(struct backend *b, const struct word *word)
{
    if (word->kind == WORD_TAKEN && b->taken)
        b->taken(b->opaque, (word->what & VKBD_POINTER ? BACKEND_POINTER : 0) |
                                (word->what & VKBD_KEYS ? BACKEND_KEYS : 0));
}

/* The child's next word of this kind. False: it is gone, or silent. */
static bool hear(struct backend *b, enum word_kind kind, uint32_t serial, int ms, struct word *word)
{
    struct pollfd p = {.fd = b->fd, .events = POLLIN};

    for (;;) {
        int n = poll(&p, 1, ms);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || receive_word(b->fd, word) < 1)
            return false;
        if (word->kind == kind && word->serial == serial) /* not an answer that came too late */
            return true;
        hear_taken(b, word);
    }
}

/* What it says by itself, its end, or that it has caught up. */
static void said(void *opaque, uint32_t events)
{
    static const struct word release = {.kind = WORD_RELEASE};
    struct backend *b = opaque;
    struct word word;

    if (events & EPOLLOUT && b->behind && send_word(b->fd, &release)) {
        b->behind = false;
        loop_watch_events(b->loop, &b->source, EPOLLIN);
    }
    int got = receive_word(b->fd, &word);
    if (got > 0)
        hear_taken(b, &word);
    if (got >= 0)
        return;
    log_warn("the PV devices' process has ended: PV disks, keyboard and pointer won't work");
    loop_unwatch(b->loop, &b->source);
    b->taken(b->opaque, 0);
}

bool backend_ready(struct backend *b, struct loop *loop, void (*taken)(void *opaque, unsigned what),
                   void *opaque, struct err *err)
{
    struct word word;

    if (!hear(b, WORD_READY, 0, READY_MS, &word))
        return err_set(err, "the PV devices' process does not start");
    if (word.error)
        return err_set(err, "the PV devices' process cannot start: %s", strerror(word.error));
    b->loop = loop;
    b->taken = taken;
    b->opaque = opaque;
    return loop_watch(loop, &b->source, b->fd, EPOLLIN, said, b, err);
}

static bool tell(struct backend *b, const struct word *word, struct err *err)
{
    return send_word(b->fd, word) ||
           err_set(err, "the PV devices' process has ended: %s", strerror(errno));
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
        return err_set(err, "the PV devices' process does not answer");
    return !*word.text || err_set(err, "%s", word.text);
}

static void tell_input(struct backend *b, const struct word *word)
{
    if (b->behind || send_word(b->fd, word) || errno != EAGAIN)
        return;
    b->behind = true;
    loop_watch_events(b->loop, &b->source, EPOLLIN | EPOLLOUT);
}

void backend_key(struct backend *b, unsigned code, bool down)
{
    struct word word = {.kind = WORD_KEY, .code = code, .down = down};

    tell_input(b, &word);
}

void backend_point(struct backend *b, int x, int y, int wheel, unsigned buttons)
{
    struct word word = {.kind = WORD_POINT, .x = x, .y = y, .wheel = wheel, .buttons = buttons};

    tell_input(b, &word);
}

void backend_close(struct backend *b)
{
    struct pollfd p;

    if (!b)
        return;
    if (b->loop)
        loop_unwatch(b->loop, &b->source);
    shutdown(b->fd, SHUT_WR);
    /* It closes its end as it exits. */
    p = (struct pollfd){.fd = b->fd, .events = 0};
    if (poll(&p, 1, CLOSE_MS) <= 0)
        log_warn("the PV devices' process is still writing");
    waitpid(b->pid, NULL, WNOHANG);
    close(b->fd);
    free(b);
}
