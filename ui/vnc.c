/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vnc: the loop's side of the VNC server: connections, sharing, pictures and events. */
#include "ui/vnc.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/thread.h"
#include "ui/vnc_internal.h"

#define HANDSHAKE_TIME (60 * NS_PER_S) /* time enough to type a password */
#define IDLE_TIME      (2 * NS_PER_S)  /* nobody asks for pictures: the chip need not draw any */
#define TEND_PERIOD    NS_PER_S        /* of the timer that watches over these two */
#define DRAIN_BATCH    64              /* events of one viewer at a time … */
#define DRAIN_PERIOD   NS_PER_MS /* … and when the next may come: it is a person who types */
#define ACCEPT_BURST   32        /* connections a second */
#define LOG_BURST      16        /* lines a minute */
#define LOG_PERIOD     (60 * NS_PER_S)
#define TILE_WIDTH     16 /* pixels that are sent when one of them changed */
#define TILE_HEIGHT    8
#define THREAD_STACK   (256 * 1024)
#define KEEPALIVE_S    60    /* silence after which the kernel asks whether the peer still is */
#define DEAD_PEER_MS   30000 /* no acknowledgement for that long: it is not */

/* Lines about peers */

static bool may_log(struct vnc *vnc)
{
    struct vnc_ration *r = &vnc->ration;
    uint64_t now = clock_now(loop_clock(vnc->loop));

    if (now - r->since >= LOG_PERIOD || r->since == 0) {
        if (r->suppressed)
            log_info("VNC: %u more lines about viewers were left out", r->suppressed);
        *r = (struct vnc_ration){.allowance = LOG_BURST, .since = now};
    }
    if (r->allowance == 0) {
        r->suppressed++;
        return false;
    }
    r->allowance--;
    return true;
}

static unsigned viewers(const struct vnc *vnc)
{
    unsigned n = 0;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++)
        n += vnc->clients[i] && vnc->clients[i]->welcomed;
    return n;
}

static void tell(const struct vnc *vnc, enum vnc_change change, const struct vnc_client *client)
{
    if (vnc->event)
        vnc->event(vnc->event_opaque, change, &client->address);
}

/* Ending connections */

/* Asks the session to end: whatever it waits for, it finds out. */
static void drop(struct vnc_client *client, const char *why)
{
    if (!client->dropped)
        client->dropped = why;
    atomic_store_explicit(&client->closing, true, memory_order_release);
    shutdown(client->sock, SHUT_RDWR);
    vnc_poke(client->wake);
}

static void free_client(struct vnc_client *client)
{
    picture_free(&client->frame.picture);
    pixman_region32_fini(&client->damage);
    if (client->sock >= 0)
        close(client->sock);
    if (client->wake >= 0)
        close(client->wake);
    free(client);
}

/* The session has ended: what it held is let go, and its place is free again. */
static void reap(struct vnc *vnc, unsigned slot)
{
    struct vnc_client *client = vnc->clients[slot];
    const char *why = client->dropped ? client->dropped : client->end;
    char text[128];

    pthread_join(client->thread, NULL);
    vnc_input_release(vnc, client);
    vnc->clients[slot] = NULL;
    vnc_address_text(&client->address, text, sizeof(text));
    if (client->welcomed) {
        if (may_log(vnc))
            log_info("VNC: %s has left%s%s", text, why ? ": " : "", why ? why : "");
    } else if (why && may_log(vnc)) {
        log_info("VNC: %s was not let in: %s", text, why);
    }
    tell(vnc, VNC_DISCONNECTED, client);
    free_client(client);
}

/* Pictures */

static bool waits_for_picture(const struct vnc_client *client)
{
    int owner = atomic_load_explicit(&client->frame_owner, memory_order_acquire);

    return owner == VNC_LOOP_HAS || owner == VNC_LOOP_HAS_HURRY;
}

static void merge(struct display_rect *a, const struct display_rect *b)
{
    a->x1 = a->x1 < b->x1 ? a->x1 : b->x1;
    a->y1 = a->y1 < b->y1 ? a->y1 : b->y1;
    a->x2 = a->x2 > b->x2 ? a->x2 : b->x2;
    a->y2 = a->y2 > b->y2 ? a->y2 : b->y2;
}

/* Rectangles come in lines of tiles from the top down: what is as wide as one that ends where it
 * begins is the rest of that one. What is not is not joined: text that scrolls, sent line by line
 * again, is what Tight's and ZRLE's zlib has had before. */
static void add_rect(struct vnc_frame *frame, const struct display_rect *r)
{
    for (unsigned i = frame->count; i-- > 0;) {
        struct display_rect *above = &frame->rects[i];

        if (above->y2 == r->y1 && above->x1 == r->x1 && above->x2 == r->x2) {
            above->y2 = r->y2;
            return;
        }
    }
    if (frame->count == VNC_MAX_RECTS) { /* too many to tell apart */
        while (--frame->count)
            merge(&frame->rects[0], &frame->rects[frame->count]);
        frame->count = 1;
        merge(&frame->rects[0], r);
        return;
    }
    frame->rects[frame->count++] = *r;
}

/* Copies a part of the surface. True: it was not the same already. */
static bool copy_tile(const struct vnc *vnc, struct picture *picture,
                      const struct display_rect *tile)
{
    size_t step = (size_t)picture->width, at = (size_t)tile->y1 * step + (size_t)tile->x1;
    size_t bytes = (size_t)(tile->x2 - tile->x1) * 4;
    struct display_rect rest = *tile;

    while (rest.y1 < rest.y2 && memcmp(picture->pixels + at, vnc->surface->pixels + at, bytes) == 0)
        rest.y1++, at += step;
    picture_copy(picture, vnc->surface, &rest);
    return rest.y1 < rest.y2;
}

/* What really changed in a rectangle that the chip said has: a viewer's time and line are dearer
 * than a look at the last picture that it got. */
static void copy_changes(const struct vnc *vnc, struct vnc_frame *frame, const pixman_box32_t *box)
{
    for (int y = box->y1; y < box->y2; y += TILE_HEIGHT) {
        int bottom = y + TILE_HEIGHT < box->y2 ? y + TILE_HEIGHT : box->y2;
        struct display_rect run = {0};

        for (int x = box->x1; x < box->x2; x += TILE_WIDTH) {
            int right = x + TILE_WIDTH < box->x2 ? x + TILE_WIDTH : box->x2;
            const struct display_rect tile = {x, y, right, bottom};

            if (!copy_tile(vnc, &frame->picture, &tile))
                continue;
            if (run.x2 && run.x2 == x) {
                run.x2 = right;
                continue;
            }
            if (run.x2)
                add_rect(frame, &run);
            run = tile;
        }
        if (run.x2)
            add_rect(frame, &run);
    }
}

static void copy_all(const struct vnc *vnc, struct vnc_frame *frame)
{
    frame->rects[0] = (struct display_rect){0, 0, frame->picture.width, frame->picture.height};
    frame->count = 1;
    picture_copy(&frame->picture, vnc->surface, &frame->rects[0]);
}

/* Gives a viewer that waits what has changed for it. */
static void deliver(struct vnc *vnc, struct vnc_client *client)
{
    struct vnc_frame *frame = &client->frame;
    int owner = atomic_load_explicit(&client->frame_owner, memory_order_acquire);
    const pixman_box32_t *boxes;
    int count;

    if ((owner != VNC_LOOP_HAS && owner != VNC_LOOP_HAS_HURRY) || !vnc->surface)
        return;
    if (owner == VNC_LOOP_HAS && !client->whole && !pixman_region32_not_empty(&client->damage))
        return;
    if (!picture_fit(&frame->picture, vnc->surface)) {
        drop(client, "out of memory");
        return;
    }
    frame->count = 0;
    if (client->whole || frame->picture.resized) {
        copy_all(vnc, frame);
    } else {
        boxes = picture_boxes(&frame->picture, &client->damage, &count);
        for (int i = 0; i < count; i++)
            copy_changes(vnc, frame, &boxes[i]);
    }
    client->whole = false;
    pixman_region32_clear(&client->damage);
    if (owner == VNC_LOOP_HAS && !frame->count)
        return; /* it looks as before */
    atomic_store_explicit(&client->frame_owner, VNC_SESSION_MAY_TAKE, memory_order_release);
    vnc_poke(client->wake);
}

/* The tending timer runs once more; to be called whenever what it looks at may have changed. */
static void tend_again(struct vnc *vnc)
{
    if (!timer_armed(&vnc->tend_timer))
        timer_arm_in(&vnc->tend_timer, TEND_PERIOD);
}

static void want_updates(struct vnc *vnc, bool wants)
{
    if (wants)
        vnc->last_wanted = clock_now(loop_clock(vnc->loop));
    if (vnc->wants != wants) {
        vnc->wants = wants;
        display_viewer_wants(vnc->display, &vnc->viewer, wants);
    }
}

static void screen_damaged(void *opaque, const struct surface *surface,
                           const struct display_damage *damage)
{
    struct vnc *vnc = opaque;

    vnc->surface = surface;
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        struct vnc_client *client = vnc->clients[i];

        if (!client || !client->welcomed)
            continue;
        picture_note(&client->damage, damage);
        deliver(vnc, client);
    }
    tend_again(vnc);
}

static void screen_resized(void *opaque, const struct surface *surface)
{
    struct vnc *vnc = opaque;

    vnc->surface = surface;
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        struct vnc_client *client = vnc->clients[i];

        if (!client || !client->welcomed)
            continue;
        client->whole = true;
        deliver(vnc, client);
    }
    tend_again(vnc);
}

/* The guest has set its LEDs, or uses another pointer: every viewer hears it. */
static void input_changed(void *opaque)
{
    struct vnc *vnc = opaque;

    atomic_store(&vnc->leds, input_leds(vnc->input));
    atomic_store(&vnc->absolute, input_pointer_is_absolute(vnc->input));
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (vnc->clients[i] && vnc->clients[i]->welcomed)
            vnc_poke(vnc->clients[i]->wake);
    }
}

/* Letting viewers in */

/* RFB 7.3.1: a viewer may ask to be the only one. */
static void admit(struct vnc *vnc, struct vnc_client *client)
{
    char text[128];

    if (client->exclusive && vnc->share_force) {
        drop(client, "it wanted the screen for itself (share=force-shared)");
        return;
    }
    for (unsigned i = 0; i < VNC_MAX_CLIENTS && !vnc->share_ignore; i++) {
        struct vnc_client *other = vnc->clients[i];

        if (!other || other == client || !other->welcomed)
            continue;
        if (client->exclusive) {
            drop(other, "another viewer wanted the screen for itself");
        } else if (other->exclusive && !atomic_load(&other->closing)) {
            drop(client, "another viewer has the screen for itself");
            return;
        }
    }
    client->welcomed = true;
    client->whole = true;
    want_updates(vnc, true);
    display_quicken(vnc->display); /* others may have looked at a still picture for long */
    client->frame.picture.width = vnc->surface ? vnc->surface->width : 640;
    client->frame.picture.height = vnc->surface ? vnc->surface->height : 480;
    atomic_store_explicit(&client->phase, VNC_VIEWING, memory_order_release);
    vnc_poke(client->wake);
    vnc_address_text(&client->address, text, sizeof(text));
    if (may_log(vnc))
        log_info("VNC: %s is connected%s (viewers: %u)", text,
                 client->view_only ? " and may look only" : "", viewers(vnc));
    tell(vnc, VNC_INITIALIZED, client);
}

/* Events: only a batch at a time, so that a viewer that floods costs the guest little. True: there
 * are more. */
static bool drain(struct vnc *vnc, struct vnc_client *client)
{
    unsigned tail = atomic_load_explicit(&client->tail, memory_order_relaxed);
    unsigned head = atomic_load_explicit(&client->head, memory_order_acquire);
    unsigned taken = 0;
    uint64_t now;

    if (tail == head)
        return false;
    now = clock_now(loop_clock(vnc->loop));
    if (now < client->drain_after)
        return true;
    for (; tail != head && taken < DRAIN_BATCH; tail++, taken++) {
        const struct vnc_event *event = &client->ring[tail % VNC_RING];
        const struct vnc_event *next = &client->ring[(tail + 1) % VNC_RING];

        /* Of a run of moves with the same buttons the last one tells it all. */
        if (event->kind == VNC_POINTER && tail + 1 != head && next->kind == VNC_POINTER &&
            event->buttons == client->held.buttons && next->buttons == event->buttons)
            continue;
        vnc_input_event(vnc, client, event);
    }
    atomic_store(&client->tail, tail);
    if (taken == DRAIN_BATCH)
        client->drain_after = now + DRAIN_PERIOD;
    if (atomic_exchange(&client->starved, false))
        vnc_poke(client->wake);
    return tail != head;
}

static void accept_again(struct vnc *vnc);

/* Looks at every session: who wants in, what was typed, who waits for a picture, who has ended. */
static void look(struct vnc *vnc)
{
    bool more = false, freed = false;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        struct vnc_client *client = vnc->clients[i];
        int phase;

        if (!client)
            continue;
        phase = atomic_load_explicit(&client->phase, memory_order_acquire);
        if (phase == VNC_ASKING && !client->dropped)
            admit(vnc, client);
        if (!drain(vnc, client)) {
            if (phase == VNC_ENDED) {
                reap(vnc, i);
                freed = true;
                continue;
            }
        } else {
            more = true;
        }
        if (waits_for_picture(client)) {
            want_updates(vnc, true);
            deliver(vnc, client);
        }
    }
    if (more)
        timer_arm_in(&vnc->drain_timer, DRAIN_PERIOD);
    if (viewers(vnc) == 0)
        want_updates(vnc, false);
    else
        tend_again(vnc);
    if (freed)
        accept_again(vnc);
}

static void woken(void *opaque, uint32_t events)
{
    struct vnc *vnc = opaque;
    uint64_t count;
    ssize_t n = read(vnc->wake, &count, sizeof(count));

    (void)n;
    (void)events;
    /* Cleared before looking: what comes while we look wakes us again. */
    atomic_store(&vnc->woken, false);
    look(vnc);
}

static void drain_again(void *opaque)
{
    look(opaque);
}

/* Handshakes that take too long, viewers that are not looking. It does not run while all there are
 * look and nothing changes. */
static void tend(void *opaque)
{
    struct vnc *vnc = opaque;
    uint64_t now = clock_now(loop_clock(vnc->loop));
    bool waiting = false, shaking = false;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        struct vnc_client *client = vnc->clients[i];

        if (!client)
            continue;
        if (!client->welcomed && now >= client->deadline && !client->dropped)
            drop(client, "the handshake took too long");
        shaking |= !client->welcomed;
        waiting |= waits_for_picture(client);
    }
    if (waiting)
        vnc->last_wanted = now;
    else if (now - vnc->last_wanted >= IDLE_TIME)
        want_updates(vnc, false);
    accept_again(vnc);
    if (shaking || vnc->parked || (vnc->wants && !waiting))
        tend_again(vnc);
}

/* Connections */

static void park(struct vnc *vnc)
{
    vnc->parked = true;
    for (unsigned i = 0; i < vnc->listener_count; i++)
        loop_watch_events(vnc->loop, &vnc->listeners[i].source, 0);
    tend_again(vnc);
}

static void accept_again(struct vnc *vnc)
{
    if (!vnc->parked)
        return;
    vnc->parked = false;
    for (unsigned i = 0; i < vnc->listener_count; i++)
        loop_watch_events(vnc->loop, &vnc->listeners[i].source, EPOLLIN);
}

static bool may_accept(struct vnc *vnc)
{
    uint64_t now = clock_now(loop_clock(vnc->loop));

    if (now - vnc->accept_since >= NS_PER_S || vnc->accept_since == 0) {
        vnc->accept_since = now;
        vnc->accept_tokens = ACCEPT_BURST;
    }
    if (vnc->accept_tokens == 0)
        return false;
    vnc->accept_tokens--;
    return true;
}

/* A free place. If there is none, the stranger that has been here longest has to go. */
static int find_place(struct vnc *vnc)
{
    struct vnc_client *oldest = NULL;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        struct vnc_client *client = vnc->clients[i];

        if (!client)
            return (int)i;
        if (!client->welcomed && (!oldest || client->deadline < oldest->deadline))
            oldest = client;
    }
    if (oldest && !oldest->dropped)
        drop(oldest, "others want its place");
    return -1;
}

static bool start_session(struct vnc_client *client)
{
    return thread_start(&client->thread, THREAD_STACK, false, vnc_session, client) == 0;
}

static void take_connection(struct vnc *vnc, int sock, const struct vnc_address *peer,
                            unsigned place)
{
    struct vnc_client *client = calloc(1, sizeof(*client));
    int on = 1, timeout = DEAD_PEER_MS, idle = KEEPALIVE_S;

    if (!client) {
        close(sock);
        return;
    }
    client->vnc = vnc;
    client->sock = sock;
    client->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    client->deadline = clock_now(loop_clock(vnc->loop)) + HANDSHAKE_TIME;
    client->address = *peer;
    pixman_region32_init(&client->damage);
    setsockopt(sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(sock, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    setsockopt(sock, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof(timeout));
    /* libvncserver waits with select(). */
    if (client->wake < 0 || sock >= FD_SETSIZE || !start_session(client)) {
        if (may_log(vnc))
            log_warn("VNC: a connection was refused: out of descriptors or threads");
        free_client(client);
        return;
    }
    vnc->clients[place] = client;
    tell(vnc, VNC_CONNECTED, client);
    tend_again(vnc);
}

static void incoming(void *opaque, uint32_t events)
{
    struct vnc_listener *listener = opaque;
    struct vnc *vnc = listener->vnc;
    struct sockaddr_storage peer = {0};
    struct vnc_address address;
    socklen_t len = sizeof(peer);
    int sock, place = find_place(vnc);

    (void)events;
    /* Those that must wait do so in the kernel's queue. */
    if (place < 0 || !may_accept(vnc)) {
        park(vnc);
        return;
    }
    sock = accept4(listener->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (sock >= 0) {
        vnc_address_of(&peer, &address);
        take_connection(vnc, sock, &address, (unsigned)place);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        park(vnc); /* the connection stays, and would wake us for ever */
    }
}

void vnc_adopt(struct vnc *vnc, int sock, const struct vnc_address *peer)
{
    int place = find_place(vnc);

    if (place < 0 || !may_accept(vnc))
        close(sock);
    else
        take_connection(vnc, sock, peer, (unsigned)place);
}

/* Opening and closing */

struct vnc *vnc_open(const struct vnc_config *config, struct err *err)
{
    struct vnc *vnc = calloc(1, sizeof(*vnc));
    char text[128];

    if (!vnc) {
        err_set(err, "VNC: out of memory");
        return NULL;
    }
    vnc->loop = config->loop;
    vnc->display = config->display;
    vnc->input = config->input;
    vnc->keymap = config->keymap;
    vnc->password_required = config->options->password;
    vnc->share_force = config->options->share_force;
    vnc->share_ignore = config->options->share_ignore;
    vnc->lock_key_sync = config->options->lock_key_sync;
    vnc->event = config->event;
    vnc->event_opaque = config->opaque;
    vnc->secrets.expires = VNC_NEVER;
    vnc->wake = -1;
    if (config->name)
        snprintf(vnc->title, sizeof(vnc->title), "hvm-dm (%s)", config->name);
    else
        snprintf(vnc->title, sizeof(vnc->title), "hvm-dm");
    pthread_mutex_init(&vnc->secrets_lock, NULL);
    timer_init(&vnc->drain_timer, loop_clock(vnc->loop), drain_again, vnc);
    timer_init(&vnc->tend_timer, loop_clock(vnc->loop), tend, vnc);

    if (!vnc_session_prepare(vnc, err))
        goto failed;
    vnc->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (vnc->wake < 0) {
        err_set(err, "VNC: eventfd: %s", strerror(errno));
        goto failed;
    }
    if (!loop_watch(vnc->loop, &vnc->wake_source, vnc->wake, EPOLLIN, woken, vnc, err))
        goto failed;
    for (unsigned i = 0; i < config->listen->count; i++) {
        struct vnc_listener *listener = &vnc->listeners[vnc->listener_count++];

        listener->vnc = vnc;
        listener->fd = config->listen->fds[i];
        if (!loop_watch(vnc->loop, &listener->source, listener->fd, EPOLLIN, incoming, listener,
                        err))
            goto failed;
    }
    vnc->viewer = (struct display_viewer){
        .resized = screen_resized, .damaged = screen_damaged, .opaque = vnc};
    display_add_viewer(vnc->display, &vnc->viewer);
    vnc->watch = (struct input_watch){.changed = input_changed, .opaque = vnc};
    input_watch(vnc->input, &vnc->watch);
    input_changed(vnc);
    vnc_address_text(&config->listen->address, text, sizeof(text));
    log_info("VNC: listening on %s", text);
    if (!vnc->password_required && !vnc_listen_is_local(config->listen))
        log_warn(
            "VNC: whoever reaches %s has the guest's screen and keyboard: no password is asked",
            text);
    return vnc;

failed:
    vnc_close(vnc);
    return NULL;
}

void vnc_close(struct vnc *vnc)
{
    if (!vnc)
        return;
    for (unsigned i = 0; i < vnc->listener_count; i++)
        loop_unwatch(vnc->loop, &vnc->listeners[i].source);
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (vnc->clients[i])
            drop(vnc->clients[i], "the device model ends");
    }
    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (vnc->clients[i]) {
            vnc->clients[i]->held.count = 0; /* the guest is not told any more */
            vnc->clients[i]->held.buttons = 0;
            reap(vnc, i);
        }
    }
    if (vnc->viewer.opaque)
        display_remove_viewer(vnc->display, &vnc->viewer);
    input_unwatch(vnc->input, &vnc->watch);
    loop_unwatch(vnc->loop, &vnc->wake_source);
    if (vnc->wake >= 0)
        close(vnc->wake);
    timer_destroy(&vnc->drain_timer);
    timer_destroy(&vnc->tend_timer);
    vnc_session_cleanup(vnc);
    pthread_mutex_destroy(&vnc->secrets_lock);
    explicit_bzero(&vnc->secrets, sizeof(vnc->secrets));
    free(vnc);
}

static bool asks_for_password(const struct vnc *vnc, struct err *err)
{
    return vnc->password_required ||
           err_set(err, "VNC asks for no password (-vnc ...,password=on makes it)");
}

bool vnc_set_password(struct vnc *vnc, const char *password, bool view_only, struct err *err)
{
    char *secret = view_only ? vnc->secrets.view_password : vnc->secrets.password;

    if (!asks_for_password(vnc, err))
        return false;
    pthread_mutex_lock(&vnc->secrets_lock);
    explicit_bzero(secret, VNC_PASSWORD_SIZE);
    if (password)
        memcpy(secret, password, strnlen(password, VNC_PASSWORD_SIZE));
    pthread_mutex_unlock(&vnc->secrets_lock);
    return true;
}

bool vnc_expire_password(struct vnc *vnc, time_t when, struct err *err)
{
    if (!asks_for_password(vnc, err))
        return false;
    pthread_mutex_lock(&vnc->secrets_lock);
    vnc->secrets.expires = when;
    pthread_mutex_unlock(&vnc->secrets_lock);
    return true;
}

size_t vnc_clients(const struct vnc *vnc, struct vnc_address list[VNC_MAX_CLIENTS])
{
    size_t n = 0;

    for (unsigned i = 0; i < VNC_MAX_CLIENTS; i++) {
        if (vnc->clients[i] && vnc->clients[i]->welcomed)
            list[n++] = vnc->clients[i]->address;
    }
    return n;
}
