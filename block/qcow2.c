/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2: see qcow2.h; opening an image and what backs it, taking it into use and leaving it. */
#include "block/qcow2.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/image_file.h"
#include "block/qcow2_int.h"
#include "hw/core/log.h"

/* An image on the way from the one that the guest uses to the last one behind it. */
struct chain {
    const struct chain *above;
    dev_t dev;
    ino_t ino;
    unsigned depth;
};

static struct block *open_image(struct loop *loop, const struct block_config *config,
                                struct block *file, const struct chain *above, struct err *err);

/* ---- What backs an image ----------------------------------------------------------------------
 */

/* The name as a path: what is not absolute is meant from the image's directory. NULL: no memory. */
static char *resolve(const char *image, const char *name)
{
    const char *slash = strrchr(image, '/');
    size_t directory = name[0] == '/' || !slash ? 0 : (size_t)(slash - image) + 1;
    char *path = malloc(directory + strlen(name) + 1);

    if (path) {
        memcpy(path, image, directory);
        memcpy(path + directory, name, strlen(name) + 1);
    }
    return path;
}

/* The header's word for the format. What it is not is never guessed: a guest that once wrote to the
 * backing file could have put another format's header there. */
static bool backing_format(const struct qcow2 *q, enum block_format *format, struct err *err)
{
    const char *name = q->backing_format;

    if (name && !strcmp(name, "raw")) {
        *format = BLOCK_FORMAT_RAW;
        return true;
    }
    if (name && !strcmp(name, "qcow2")) {
        *format = BLOCK_FORMAT_QCOW2;
        return true;
    }
    if (!name)
        return err_set(err,
                       "disk %s: %s: does not say which format its backing file %s has; tell it: "
                       "qemu-img rebase -u -F raw|qcow2 -b %s %s",
                       q->id, q->name, q->backing_name, q->backing_name, q->name);
    return err_set(err,
                   "disk %s: %s: its backing file %s has format %s; raw and qcow2 are supported "
                   "(qemu-img convert makes such a file, qemu-img rebase puts it there)",
                   q->id, q->name, q->backing_name, name);
}

static bool is_protocol(const char *name)
{
    size_t n = strcspn(name, ":/");
    return name[n] == ':';
}

static bool open_backing(struct qcow2 *q, const struct block_config *config,
                         const struct chain *chain, struct err *err)
{
    struct block_config below = {
        .id = config->id, .fd = -1, .cache = config->cache, .read_only = true};

    if (!q->backing_name)
        return true;
    if (is_protocol(q->backing_name))
        return err_set(
            err,
            "disk %s: %s: its backing file %s is not a plain file name; only local files "
            "are supported (qemu-img rebase -u -b FILE -F FORMAT %s)",
            q->id, q->name, q->backing_name, q->name);
    if (chain->depth + 1 >= QCOW2_CHAIN_MAX)
        return err_set(err,
                       "disk %s: %s: more than %u images one behind the other; join some: qemu-img "
                       "commit",
                       q->id, q->name, QCOW2_CHAIN_MAX);
    if (!backing_format(q, &below.format, err))
        return false;
    char *path = resolve(config->file, q->backing_name);
    if (!path)
        return err_set(err, "disk %s: out of memory", q->id);
    below.file = path;
    if (below.format == BLOCK_FORMAT_RAW)
        q->backing = block_open(q->loop, &below, err);
    else
        q->backing = open_image(q->loop, &below, NULL, chain, err);
    free(path);
    return q->backing;
}

/* ---- Into use, and out of it ------------------------------------------------------------------
 */

static bool refuse_corrupt(const struct qcow2 *q, struct err *err)
{
    return err_set(
        err,
        "disk %s: %s: the image is marked as corrupt; repair it (qemu-img check -r all) or "
        "attach it read-only",
        q->id, q->name);
}

/* Somebody else may have had it: everything is read anew. */
static bool load(struct qcow2 *q, struct err *err)
{
    uint64_t bytes = q->bytes;
    uint32_t cluster_bits = q->cluster_bits;

    qcow2_cache_drop(q, true, QCOW2_L1);
    qcow2_inflate_forget(q);
    q->corrupt = false;
    q->broken = 0;
    q->hint = 0;
    if (!qcow2_read_header(q, err))
        return false;
    if (q->bytes != bytes || q->cluster_bits != cluster_bits)
        return err_set(err, "disk %s: %s: the image has been replaced since it was opened", q->id,
                       q->name);
    if (q->read_only)
        return true;
    if (q->incompatible & QCOW2_INCOMPAT_CORRUPT)
        return refuse_corrupt(q, err);
    if (!qcow2_find_tables(q, err))
        return false;
    /* Which may add tables. */
    return !(q->incompatible & QCOW2_INCOMPAT_DIRTY) ||
           (qcow2_repair(q, err) && qcow2_find_tables(q, err));
}

static bool qcow2_lock(struct block *block, struct err *err)
{
    struct qcow2 *q = block->image;

    if (!block_activate(q->file, err))
        return false;
    if ((!q->backing || block_activate(q->backing, err)) && load(q, err)) {
        q->active = true;
        return true;
    }
    struct err ignored;
    if (q->backing)
        block_inactivate(q->backing, &ignored);
    block_inactivate(q->file, &ignored);
    return false;
}

static bool qcow2_lies_on(const struct block *block, const struct stat *file)
{
    const struct qcow2 *q = block->image;
    struct stat st;

    return q->backing && block_stat(q->backing, &st) && file->st_dev == st.st_dev &&
           file->st_ino == st.st_ino;
}

static bool qcow2_stat(const struct block *block, struct stat *file)
{
    const struct qcow2 *q = block->image;

    return block_stat(q->file, file);
}

static void qcow2_wait(struct block *block)
{
    struct qcow2 *q = block->image;

    if (q->later.first) {
        loop_undefer(q->loop, &q->deferred);
        qcow2_run_later(q);
    } else if (q->file->in_flight) {
        block_step(q->file);
    } else if (q->port.outstanding) {
        qcow2_inflate_wait(q);
    } else if (q->backing && q->backing->in_flight) {
        block_step(q->backing);
    } else {
        qcow2_run_tasks(q);
    }
}

/* What is under way for nobody's request any more, too. */
static void drain_own(struct qcow2 *q)
{
    while (q->file->in_flight || q->port.outstanding || (q->backing && q->backing->in_flight) ||
           q->ready.first || q->later.first)
        qcow2_wait(q->block);
}

static void qcow2_unlock(struct block *block)
{
    struct qcow2 *q = block->image;
    struct err err;

    drain_own(q);
    if (q->active && !q->read_only) {
        int error = qcow2_settle(q);
        if (error)
            log_error("disk %s: %s: what was not flushed is lost: %s", q->id, q->name,
                      strerror(-error));
    }
    q->active = false;
    qcow2_set_clear(&q->meta);
    if (timer_armed(&q->commit.timer))
        timer_disarm(&q->commit.timer);
    qcow2_cache_drop(q, true, QCOW2_L1);
    q->unlinked.count = q->loose.count = 0;
    if (!block_inactivate(q->file, &err))
        log_error("%s", err.text);
    if (q->backing)
        block_inactivate(q->backing, &err);
}

/* ---- The driver -------------------------------------------------------------------------------
 */

static void free_image(struct qcow2 *q)
{
    if (!q)
        return;
    block_close(q->file);
    block_close(q->backing);
    qcow2_inflate_free(q);
    loop_undefer(q->loop, &q->deferred);
    if (q->commit.timer.fn)
        timer_destroy(&q->commit.timer);
    qcow2_free_pools(q);
    qcow2_cache_free(q);
    qcow2_set_clear(&q->meta);
    free(q->commit.saves);
    free(q->unlinked.v);
    free(q->unlinking.v);
    free(q->loose.v);
    free(q->sector);
    free(q->writing);
    free(q->backing_name);
    free(q->backing_format);
    free(q->id);
    free(q->name);
    free(q);
}

static void qcow2_close(struct block *block)
{
    drain_own(block->image);
    free_image(block->image);
}

static const struct block_driver qcow2_driver = {
    .over_container = true,
    .submit = qcow2_submit,
    .wait = qcow2_wait,
    .lock = qcow2_lock,
    .unlock = qcow2_unlock,
    .resize = qcow2_resize,
    .lies_on = qcow2_lies_on,
    .stat = qcow2_stat,
    .close = qcow2_close,
};

/* ---- Opening ----------------------------------------------------------------------------------
 */

static struct qcow2 *new_image(struct loop *loop, const struct block_config *config,
                               struct block *file)
{
    struct qcow2 *q = calloc(1, sizeof(*q));
    void *sector = NULL, *writing = NULL;

    if (!q) {
        block_close(file);
        return NULL;
    }
    q->loop = loop;
    q->file = file;
    q->event_fd = -1;
    q->read_only = config->read_only;
    q->sync = cache_is_sync(config->cache);
    worker_port_init(&q->port, -1);
    deferred_init(&q->deferred, qcow2_run_later, q);
    q->id = strdup(config->id);
    q->name = strdup(config->file);
    if (!posix_memalign(&sector, 4096, QCOW2_SECTOR))
        q->sector = sector;
    if (!posix_memalign(&writing, 4096, QCOW2_SECTOR))
        q->writing = writing;
    if (q->id && q->name && q->sector && q->writing)
        return q;
    free_image(q);
    return NULL;
}

/* An overlay has most of the memory for tables, each image behind it half as much as the one
 * before.
 */
static bool init_parts(struct qcow2 *q, unsigned depth, struct err *err)
{
    size_t bytes = QCOW2_CACHE_BYTES >> (depth ? depth + 1 : 0);

    if (!qcow2_cache_init(q, bytes))
        return err_set(err, "disk %s: out of memory", q->id);
    qcow2_commit_init(q);
    qcow2_make_init(q);
    qcow2_free_init(q);
    return qcow2_inflate_init(q, err);
}

static bool check_chain(const struct qcow2 *q, const struct chain *chain, struct err *err)
{
    for (const struct chain *c = chain->above; c && chain->ino; c = c->above)
        if (c->dev == chain->dev && c->ino == chain->ino)
            return err_set(err, "disk %s: %s: is behind itself as a backing file", q->id, q->name);
    return true;
}

/* `file`: what the image is in, or NULL to open it. */
static struct block *open_image(struct loop *loop, const struct block_config *config,
                                struct block *file, const struct chain *above, struct err *err)
{
    struct chain chain = {.above = above, .depth = above ? above->depth + 1 : 0};
    struct block_config below = {.id = config->id,
                                 .file = config->file,
                                 .fd = config->fd,
                                 .cache = config->cache,
                                 .read_only = config->read_only};
    struct stat st;

    if (!file)
        file = raw_open_container(loop, &below, err);
    if (!file)
        return NULL;
    if (block_stat(file, &st)) {
        chain.dev = st.st_dev;
        chain.ino = st.st_ino;
    }
    struct qcow2 *q = new_image(loop, config, file);
    if (!q) {
        err_set(err, "disk %s: out of memory", config->id);
        return NULL;
    }
    struct block *block = NULL;
    if (check_chain(q, &chain, err) && qcow2_read_header(q, err) &&
        init_parts(q, chain.depth, err) && open_backing(q, config, &chain, err)) {
        if (q->incompatible & QCOW2_INCOMPAT_CORRUPT && !q->read_only)
            refuse_corrupt(q, err);
        else
            block = block_new(loop, config, &qcow2_driver, q, q->bytes, err);
    }
    if (!block) {
        free_image(q);
        return NULL;
    }
    q->block = block;
    return block;
}

struct block *qcow2_open(struct loop *loop, const struct block_config *config, struct err *err)
{
    return open_image(loop, config, NULL, NULL, err);
}

struct block *qcow2_open_over(struct loop *loop, const struct block_config *config,
                              struct block *file, struct err *err)
{
    return open_image(loop, config, file, NULL, err);
}
