/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sdl: the loop's side of the SDL window: what changed on the screen goes into the shadow, what the
 * person did comes out of the queue. */
#include "ui/sdl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "hw/core/thread.h"
#include "ui/input.h"
#include "ui/sdl_internal.h"

#define THREAD_STACK (1024 * 1024)
#define CLOSE_TIME_S 2 /* for the window to close by itself */
#define MAX_RECTS    32

void sdl_poke(int eventfd)
{
    uint64_t one = 1;
    ssize_t n = write(eventfd, &one, sizeof(one));

    (void)n; /* it cannot be full; if it were, the reader is awake anyway */
}

/* ---- The queue ---- */

static bool merge(struct window_event *into, const struct window_event *event)
{
    if (into->kind != event->kind || into->buttons != event->buttons || into->wheel || event->wheel)
        return false;
    if (event->kind == WINDOW_AT) {
        *into = *event;
        return true;
    }
    if (event->kind == WINDOW_BY && abs(into->x) < INT16_MAX && abs(into->y) < INT16_MAX) {
        into->x += event->x;
        into->y += event->y;
        return true;
    }
    return false;
}

void sdl_push(struct sdl *sdl, const struct window_event *event)
{
    bool first;

    pthread_mutex_lock(&sdl->queue_lock);
    first = !sdl->queued;
    if (!sdl->queued || !merge(&sdl->queue[sdl->queued - 1], event)) {
        if (sdl->queued == WINDOW_QUEUE) {
            /* The loop is busy for longer than anybody types. */
            sdl->queued = 0;
            sdl->lost = true;
        }
        sdl->queue[sdl->queued++] = *event;
    }
    pthread_mutex_unlock(&sdl->queue_lock);
    if (first)
        sdl_poke(sdl->wake_loop);
}

/* ---- The shadow ---- */

/* Brings what has changed to the shadow, unless the window is at it. */
static void publish(struct sdl *sdl)
{
    struct shadow *shadow = &sdl->shadow;
    const pixman_box32_t *boxes;
    int count;

    if (sdl->gone || (!sdl->whole && !pixman_region32_not_empty(&sdl->damage)))
        return;
    atomic_store(&sdl->missed, true);
    if (pthread_mutex_trylock(&shadow->lock))
        return; /* it will call */
    atomic_store(&sdl->missed, false);
    if (!picture_fit(&shadow->picture, sdl->surface)) {
        pthread_mutex_unlock(&shadow->lock);
        return; /* out of memory: the window keeps what it has */
    }
    if (sdl->whole)
        pixman_region32_union_rect(&sdl->damage, &sdl->damage, 0, 0,
                                   (unsigned)shadow->picture.width,
                                   (unsigned)shadow->picture.height);
    boxes = picture_boxes(&shadow->picture, &sdl->damage, &count);
    if (count > MAX_RECTS) {
        boxes = pixman_region32_extents(&sdl->damage);
        count = 1;
    }
    for (int i = 0; i < count; i++) {
        const struct display_rect r = {boxes[i].x1, boxes[i].y1, boxes[i].x2, boxes[i].y2};

        picture_copy(&shadow->picture, sdl->surface, &r);
        pixman_region32_union_rect(&shadow->fresh, &shadow->fresh, boxes[i].x1, boxes[i].y1,
                                   (unsigned)(boxes[i].x2 - boxes[i].x1),
                                   (unsigned)(boxes[i].y2 - boxes[i].y1));
    }
    pthread_mutex_unlock(&shadow->lock);
    pixman_region32_clear(&sdl->damage);
    sdl->whole = false;
    sdl_poke(sdl->wake);
}

/* Tells the window if the guest's pointer is another one, or a text console has come or gone (which
 * is always seen on the screen). */
static void look_at_guest(void *opaque)
{
    struct sdl *sdl = opaque;
    const struct input *input = sdl->config.input;
    unsigned now = (input_pointer_is_absolute(input) ? WINDOW_GUEST_ABSOLUTE : 0) |
                   (input_to_console(input) ? WINDOW_GUEST_CONSOLE : 0);

    if (atomic_exchange(&sdl->guest, now) != now)
        sdl_poke(sdl->wake);
}

static void screen_damaged(void *opaque, const struct surface *surface,
                           const struct display_damage *damage)
{
    struct sdl *sdl = opaque;

    sdl->surface = surface;
    picture_note(&sdl->damage, damage);
    look_at_guest(sdl);
    publish(sdl);
}

static void screen_resized(void *opaque, const struct surface *surface)
{
    struct sdl *sdl = opaque;

    sdl->surface = surface;
    sdl->whole = true;
    look_at_guest(sdl);
    publish(sdl);
}

/* ---- Events ---- */

static void lose_window(struct sdl *sdl)
{
    if (sdl->gone)
        return;
    sdl->gone = true;
    log_warn("SDL: %s; the guest goes on without a window", sdl->why);
    input_release_all(sdl->config.input);
    display_remove_viewer(sdl->config.display, &sdl->viewer);
    sdl->viewer.opaque = NULL;
    input_unwatch(sdl->config.input, &sdl->watch);
}

static void act(struct sdl *sdl, const struct window_event *e)
{
    struct input *input = sdl->config.input;

    switch (e->kind) {
    case WINDOW_KEY:
        if (e->down)
            input_follow_locks(input, e->code, e->locks);
        input_key(input, e->code, e->down);
        break;
    case WINDOW_CHARACTER:
        input_character(input, e->code);
        break;
    case WINDOW_AT:
        input_pointer_at(input, e->x, e->y, e->width, e->height, e->wheel, e->buttons);
        break;
    case WINDOW_BY:
        input_pointer_by(input, e->x, e->y, e->width, e->height, e->wheel, e->buttons);
        break;
    case WINDOW_VISIBLE:
        display_viewer_wants(sdl->config.display, &sdl->viewer, e->down);
        return;
    case WINDOW_CLOSED:
        sdl->config.closed(sdl->config.opaque);
        return;
    case WINDOW_GONE:
        lose_window(sdl);
        return;
    }
    display_quicken(sdl->config.display);
}

static void woken(void *opaque, uint32_t events)
{
    struct sdl *sdl = opaque;
    struct window_event batch[WINDOW_QUEUE];
    unsigned count;
    bool lost;
    uint64_t n;
    ssize_t got = read(sdl->wake_loop, &n, sizeof(n));

    (void)events, (void)got;
    pthread_mutex_lock(&sdl->queue_lock);
    count = sdl->queued;
    lost = sdl->lost;
    memcpy(batch, sdl->queue, count * sizeof(batch[0]));
    sdl->queued = 0;
    sdl->lost = false;
    pthread_mutex_unlock(&sdl->queue_lock);
    if (lost)
        input_release_all(sdl->config.input);
    for (unsigned i = 0; i < count && !sdl->gone; i++)
        act(sdl, &batch[i]);
    publish(sdl);
}

/* ---- Opening and closing ---- */

static bool start_thread(struct sdl *sdl, struct err *err)
{
    int rc = thread_start(&sdl->thread, THREAD_STACK, false, sdl_window, sdl);

    if (rc)
        return err_set(err, "-display sdl: a thread: %s", strerror(rc));
    sdl->started = true;
    while (sem_wait(&sdl->opened) && errno == EINTR)
        ;
    if (!sdl->ok)
        *err = sdl->err;
    return sdl->ok;
}

struct sdl *sdl_open(const struct sdl_config *config, struct err *err)
{
    struct sdl *sdl = calloc(1, sizeof(*sdl));

    if (!sdl) {
        err_set(err, "-display sdl: out of memory");
        return NULL;
    }
    sdl->config = *config;
    sdl->connection = -1;
    if (config->name)
        snprintf(sdl->title, sizeof(sdl->title), "hvm-dm (%s)", config->name);
    else
        snprintf(sdl->title, sizeof(sdl->title), "hvm-dm");
    pthread_mutex_init(&sdl->shadow.lock, NULL);
    pthread_mutex_init(&sdl->queue_lock, NULL);
    sem_init(&sdl->opened, 0, 0);
    pixman_region32_init(&sdl->shadow.fresh);
    pixman_region32_init(&sdl->damage);
    sdl->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sdl->wake_loop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (sdl->wake < 0 || sdl->wake_loop < 0) {
        err_set(err, "-display sdl: eventfd: %s", strerror(errno));
        goto failed;
    }
    if (!loop_watch(config->loop, &sdl->source, sdl->wake_loop, EPOLLIN, woken, sdl, err) ||
        !start_thread(sdl, err))
        goto failed;
    sdl->viewer = (struct display_viewer){
        .resized = screen_resized, .damaged = screen_damaged, .opaque = sdl, .wants_updates = true};
    display_add_viewer(config->display, &sdl->viewer);
    sdl->watch = (struct input_watch){.changed = look_at_guest, .opaque = sdl};
    input_watch(config->input, &sdl->watch);
    return sdl;

failed:
    sdl_close(sdl);
    return NULL;
}

void sdl_confine(struct sdl *sdl)
{
    if (sdl->gone)
        return;
    atomic_store(&sdl->confine, true);
    sdl_poke(sdl->wake);
}

/* A thread that waits for an X server which does not answer ends when its connection does. */
static void end_thread(struct sdl *sdl)
{
    struct timespec until;

    atomic_store(&sdl->closing, true);
    sdl_poke(sdl->wake);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_TIME_S;
    if (!pthread_timedjoin_np(sdl->thread, NULL, &until))
        return;
    if (sdl->connection >= 0)
        shutdown(sdl->connection, SHUT_RDWR);
    pthread_join(sdl->thread, NULL);
}

void sdl_close(struct sdl *sdl)
{
    if (!sdl)
        return;
    if (sdl->started)
        end_thread(sdl);
    if (sdl->viewer.opaque) {
        display_remove_viewer(sdl->config.display, &sdl->viewer);
        input_unwatch(sdl->config.input, &sdl->watch);
    }
    loop_unwatch(sdl->config.loop, &sdl->source);
    if (sdl->wake >= 0)
        close(sdl->wake);
    if (sdl->wake_loop >= 0)
        close(sdl->wake_loop);
    picture_free(&sdl->shadow.picture);
    pixman_region32_fini(&sdl->shadow.fresh);
    pixman_region32_fini(&sdl->damage);
    sem_destroy(&sdl->opened);
    pthread_mutex_destroy(&sdl->queue_lock);
    pthread_mutex_destroy(&sdl->shadow.lock);
    free(sdl);
}
