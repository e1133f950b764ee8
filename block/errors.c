/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errors: rerror= and werror=: who is told of a failed request, and the ones that are kept until
 * the guest goes on. */
#include "block/block_int.h"

#include <errno.h>
#include <string.h>

#include "hw/core/log.h"

bool block_error_is_space(int error)
{
    return error == ENOSPC || error == EDQUOT;
}

/* One line for each kind of operation, however often the guest tries again. */
static void log_failure(struct block *block, const struct block_request *request, const char *fate)
{
    static const char *const names[] = {"read", "write", "flush", "discard", "write of zeroes"};

    if (block->logged & (1u << request->op))
        return;
    block->logged |= 1u << request->op;
    if (request->op == BLOCK_FLUSH)
        log_error("disk %s: %s: flush failed: %s; %s", block->id, block->file,
                  strerror(request->error), fate);
    else
        log_error("disk %s: %s: %s of %zu bytes at %llu failed: %s; %s", block->id, block->file,
                  names[request->op], request->bytes, (unsigned long long)request->offset,
                  strerror(request->error), fate);
}

static enum block_action action(enum block_on_error on, int error)
{
    switch (on) {
    case BLOCK_ON_ERROR_IGNORE:
        return BLOCK_ACTION_IGNORE;
    case BLOCK_ON_ERROR_STOP:
        return BLOCK_ACTION_STOP;
    case BLOCK_ON_ERROR_ENOSPC:
        return block_error_is_space(error) ? BLOCK_ACTION_STOP : BLOCK_ACTION_REPORT;
    case BLOCK_ON_ERROR_REPORT:
        break;
    }
    return BLOCK_ACTION_REPORT;
}

static void notify(struct block *block, const struct block_request *request, enum block_action what)
{
    const struct block_failure failure = {request->op, request->error, what};
    uint64_t now = clock_now(loop_clock(block->loop));

    /* A guest can have as many errors as it likes; the toolstack's socket has only so much room. */
    if (!block->failed || (what != BLOCK_ACTION_STOP && now < block->next_notice))
        return;
    if (what != BLOCK_ACTION_STOP)
        block->next_notice = now + NS_PER_S;
    block->failed(block->opaque, &failure);
}

bool block_judge(struct block_request *request)
{
    static const char *const fates[] = {
        [BLOCK_ACTION_REPORT] = "the guest is told",
        [BLOCK_ACTION_IGNORE] = "the guest is told that it worked (error policy 'ignore')",
        [BLOCK_ACTION_STOP] = "the guest is paused until QMP's cont",
    };
    struct block *block = request->block;

    if (block->below)
        return true;
    enum block_action what =
        action(request->op == BLOCK_READ ? block->rerror : block->werror, request->error);
    if (request->internal)
        what = BLOCK_ACTION_REPORT;
    log_failure(block, request, fates[what]);
    notify(block, request, what);
    if (what == BLOCK_ACTION_IGNORE)
        request->error = 0;
    if (what != BLOCK_ACTION_STOP)
        return true;
    block->in_flight--;
    block_list_add(&block->held, request);
    if (block->io_status != BLOCK_IO_NOSPACE)
        block->io_status =
            block_error_is_space(request->error) ? BLOCK_IO_NOSPACE : BLOCK_IO_FAILED;
    return false;
}

void block_end_held(struct block *block)
{
    struct block_list held = block->held;

    block->held = (struct block_list){NULL, NULL};
    while (held.first) {
        struct block_request *request = block_list_take(&held);
        block->in_flight++;
        block_queue_ended(request);
    }
}

void block_keep_failed(struct block *block, bool keep)
{
    block->keep_failed = keep;
}

void block_retry(struct block *block)
{
    struct block_list held = block->held;

    block->held = (struct block_list){NULL, NULL};
    block->io_status = BLOCK_IO_OK;
    block->logged = 0;
    while (held.first) {
        struct block_request *request = block_list_take(&held);
        block->in_flight++;
        block_start_checked(request);
    }
}

bool block_has_failed(const struct block *block)
{
    return block->held.first != NULL;
}

enum block_io_status block_io_status(const struct block *block)
{
    return block->io_status;
}
