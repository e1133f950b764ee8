/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xsd: see xsd.h. Interface: Xen's docs/misc/xenstore.txt and xen/io/xs_wire.h. */
#include "xsd.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

#define CLIENTS      32
#define TRANSACTIONS 10                 /* of a client, as xenstored's quota */
#define HOME         "/local/domain/0/" /* what is not absolute is below our own domain's */

struct node {
    char *path, *value;
    uint32_t len;
};

struct tree {
    struct node *node;
    size_t count;
};

struct watch {
    struct watch *next;
    char *path, *token; /* as given */
};

struct transaction {
    uint32_t id; /* 0: none */
    uint64_t generation;
    struct tree tree;
};

struct client {
    int fd; /* -1: free */
    struct watch *watches;
    struct transaction tx[TRANSACTIONS];
    size_t have;
    char in[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX + 1];
};

struct xsd {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int listener, stop;
    uint64_t generation;
    uint32_t next_tx;
    struct tree tree;
    struct client client[CLIENTS];
};

/* --- the tree: nodes sorted by path --- */

static size_t position(const struct tree *t, const char *path, bool *found)
{
    size_t low = 0, high = t->count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(t->node[mid].path, path);
        if (!c) {
            *found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    *found = false;
    return low;
}

static struct node *lookup(const struct tree *t, const char *path)
{
    bool found;
    size_t i = position(t, path, &found);
    return found ? &t->node[i] : NULL;
}

static char *copy(const char *s, size_t len)
{
    char *p = malloc(len + 1);
    memcpy(p, s, len);
    p[len] = 0;
    return p;
}

static void put(struct tree *t, const char *path, const char *value, size_t len)
{
    bool found;
    size_t i = position(t, path, &found);
    if (!found) {
        const char *slash = strrchr(path, '/');
        if (slash > path) {
            char *parent = copy(path, (size_t)(slash - path));
            if (!lookup(t, parent))
                put(t, parent, "", 0);
            free(parent);
            i = position(t, path, &found);
        }
        t->node = realloc(t->node, (t->count + 1) * sizeof(*t->node));
        memmove(&t->node[i + 1], &t->node[i], (t->count - i) * sizeof(*t->node));
        t->count++;
        t->node[i] = (struct node){.path = strdup(path)};
    }
    free(t->node[i].value);
    t->node[i].value = copy(value, len);
    t->node[i].len = (uint32_t)len;
}

static bool below(const char *path, const char *top)
{
    size_t n = strlen(top);
    return !strcmp(top, "/") || (!strncmp(path, top, n) && (!path[n] || path[n] == '/'));
}

static void take(struct tree *t, const char *path)
{
    size_t to = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (below(t->node[i].path, path)) {
            free(t->node[i].path);
            free(t->node[i].value);
        } else {
            t->node[to++] = t->node[i];
        }
    }
    t->count = to;
}

static void tree_free(struct tree *t)
{
    take(t, "/");
    free(t->node);
    *t = (struct tree){0};
}

static struct tree tree_copy(const struct tree *from)
{
    struct tree t = {.node = calloc(from->count + 1, sizeof(*t.node)), .count = from->count};
    for (size_t i = 0; i < t.count; i++)
        t.node[i] = (struct node){.path = strdup(from->node[i].path),
                                  .value = copy(from->node[i].value, from->node[i].len),
                                  .len = from->node[i].len};
    return t;
}

/* --- messages --- */

static void send_message(struct client *c, uint32_t type, uint32_t req_id, uint32_t tx_id,
                         const char *body, size_t len)
{
    char out[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg m = {.type = type, .req_id = req_id, .tx_id = tx_id, .len = (uint32_t)len};
    memcpy(out, &m, sizeof(m));
    memcpy(out + sizeof(m), body, len);
    ssize_t n = send(c->fd, out, sizeof(m) + len, MSG_NOSIGNAL);
    (void)n; /* a client that went away is noticed when it is read */
}

static void absolute(const char *path, char *out, size_t size)
{
    bool is = *path == '/' || *path == '@';
    snprintf(out, size, "%s%s", is ? "" : HOME, path);
    size_t n = strlen(out);
    if (n > 1 && out[n - 1] == '/')
        out[n - 1] = 0;
}

static void fire(struct client *c, const struct watch *w, const char *path)
{
    char body[XENSTORE_PAYLOAD_MAX];
    /* A relative watch gets relative paths. */
    if (*w->path != '/' && !strncmp(path, HOME, strlen(HOME)))
        path += strlen(HOME);
    int n = snprintf(body, sizeof(body), "%s%c%s", path, 0, w->token);
    if (n > 0 && (size_t)n < sizeof(body))
        send_message(c, XS_WATCH_EVENT, 0, 0, body, (size_t)n + 1);
}

static void changed(struct xsd *x, const char *path, bool removed)
{
    x->generation++;
    pthread_cond_broadcast(&x->changed);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client *c = &x->client[i];
        for (struct watch *w = c->fd >= 0 ? c->watches : NULL; w; w = w->next) {
            char at[XENSTORE_ABS_PATH_MAX];
            absolute(w->path, at, sizeof(at));
            if (below(path, at))
                fire(c, w, path);
            else if (removed && below(at, path))
                fire(c, w, at);
        }
    }
}

/* --- requests --- */

/* Fires what differs; takes the transaction's tree over. */
static void commit(struct xsd *x, struct transaction *tx)
{
    struct tree old = x->tree;
    x->tree = tx->tree;
    tx->tree = (struct tree){0};
    for (size_t i = 0; i < x->tree.count; i++) {
        const struct node *n = &x->tree.node[i], *was = lookup(&old, n->path);
        if (!was || was->len != n->len || memcmp(was->value, n->value, n->len))
            changed(x, n->path, false);
    }
    for (size_t i = 0; i < old.count; i++)
        if (!lookup(&x->tree, old.node[i].path))
            changed(x, old.node[i].path, true);
    tree_free(&old);
}

/* The names of a node's children, each with its NUL. */
static size_t children(const struct tree *t, const char *path, char *out, size_t size)
{
    size_t top = strcmp(path, "/") ? strlen(path) : 0, len = 0;
    for (size_t i = 0; i < t->count; i++) {
        const char *p = t->node[i].path;
        if (strncmp(p, path, top) || p[top] != '/' || !p[top + 1] || strchr(p + top + 1, '/'))
            continue;
        size_t n = strlen(p + top + 1) + 1;
        if (len + n > size)
            break;
        memcpy(out + len, p + top + 1, n);
        len += n;
    }
    return len;
}

/* The client's transaction of that id; 0: a free one. NULL: there is none. */
static struct transaction *transaction(struct client *c, uint32_t id)
{
    for (unsigned i = 0; i < TRANSACTIONS; i++)
        if (c->tx[i].id == id)
            return &c->tx[i];
    return NULL;
}

static void drop_transaction(struct transaction *tx)
{
    tree_free(&tx->tree);
    tx->id = 0;
}

/* Answers one request; 0 or the error to answer with. `arg` ends in a NUL beyond its len. */
static int answer(struct xsd *x, struct client *c, const struct xsd_sockmsg *m, char *arg,
                  char *out, size_t *out_len)
{
    char path[XENSTORE_ABS_PATH_MAX];
    size_t first = strnlen(arg, m->len);
    char *rest = first < m->len ? arg + first + 1 : arg + first;
    size_t rest_len = first < m->len ? m->len - first - 1 : 0;
    struct transaction *inside = m->tx_id ? transaction(c, m->tx_id) : NULL;
    if (m->tx_id && !inside)
        return ENOENT;
    struct tree *t = inside ? &inside->tree : &x->tree;
    absolute(arg, path, sizeof(path));
    strcpy(out, "OK");
    *out_len = 3;

    switch (m->type) {
    case XS_READ: {
        const struct node *n = lookup(t, path);
        if (!n)
            return ENOENT;
        memcpy(out, n->value, n->len);
        *out_len = n->len;
        return 0;
    }
    case XS_DIRECTORY:
        if (!lookup(t, path) && strcmp(path, "/"))
            return ENOENT;
        *out_len = children(t, path, out, XENSTORE_PAYLOAD_MAX);
        return 0;
    case XS_WRITE:
        put(t, path, rest, rest_len);
        if (!inside)
            changed(x, path, false);
        return 0;
    case XS_MKDIR:
        if (lookup(t, path))
            return 0;
        put(t, path, "", 0);
        if (!inside)
            changed(x, path, false);
        return 0;
    case XS_RM:
        if (!lookup(t, path))
            return ENOENT;
        take(t, path);
        if (!inside)
            changed(x, path, true);
        return 0;
    case XS_GET_PERMS:
        strcpy(out, "n0");
        return lookup(t, path) ? 0 : ENOENT;
    case XS_SET_PERMS:
        return lookup(t, path) ? 0 : ENOENT;
    case XS_GET_DOMAIN_PATH:
        *out_len = (size_t)snprintf(out, 64, "/local/domain/%d", atoi(arg)) + 1;
        return 0;
    case XS_WATCH: {
        struct watch *w = calloc(1, sizeof(*w));
        *w = (struct watch){.next = c->watches, .path = strdup(arg), .token = strdup(rest)};
        c->watches = w;
        return 0;
    }
    case XS_UNWATCH:
        for (struct watch **p = &c->watches; *p; p = &(*p)->next) {
            struct watch *w = *p;
            if (strcmp(w->path, arg) || strcmp(w->token, rest))
                continue;
            *p = w->next;
            free(w->path);
            free(w->token);
            free(w);
            return 0;
        }
        return ENOENT;
    case XS_TRANSACTION_START: {
        struct transaction *tx = transaction(c, 0);
        if (!tx)
            return ENOSPC;
        *tx = (struct transaction){
            .id = ++x->next_tx, .generation = x->generation, .tree = tree_copy(&x->tree)};
        *out_len = (size_t)snprintf(out, 16, "%u", tx->id) + 1;
        return 0;
    }
    case XS_TRANSACTION_END: {
        if (!inside)
            return ENOENT;
        /* Any change since, not only of what was looked at: a caller must be able to repeat. */
        bool stale = inside->generation != x->generation, keep = *arg == 'T';
        if (keep && !stale)
            commit(x, inside);
        drop_transaction(inside);
        return keep && stale ? EAGAIN : 0;
    }
    default:
        return ENOSYS;
    }
}

static void serve(struct xsd *x, struct client *c, const struct xsd_sockmsg *m, char *arg)
{
    char out[XENSTORE_PAYLOAD_MAX];
    size_t len = 0;
    int err = answer(x, c, m, arg, out, &len);
    const char *name = "EINVAL";
    for (size_t i = 0; err && i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        if (xsd_errors[i].errnum == err)
            name = xsd_errors[i].errstring;
    if (err)
        send_message(c, XS_ERROR, m->req_id, m->tx_id, name, strlen(name) + 1);
    else
        send_message(c, m->type, m->req_id, m->tx_id, out, len);
    if (!err && m->type == XS_WATCH) /* a new watch fires once */
        fire(c, c->watches, c->watches->path);
}

static void drop(struct client *c)
{
    close(c->fd);
    c->fd = -1;
    c->have = 0;
    for (unsigned i = 0; i < TRANSACTIONS; i++)
        if (c->tx[i].id)
            drop_transaction(&c->tx[i]);
    while (c->watches) {
        struct watch *w = c->watches;
        c->watches = w->next;
        free(w->path);
        free(w->token);
        free(w);
    }
}

static void receive(struct xsd *x, struct client *c)
{
    struct xsd_sockmsg m;
    ssize_t n = recv(c->fd, c->in + c->have, sizeof(c->in) - 1 - c->have, MSG_DONTWAIT);
    if (n <= 0) {
        if (!n || errno != EAGAIN)
            drop(c);
        return;
    }
    c->have += (size_t)n;
    while (c->fd >= 0 && c->have >= sizeof(m)) {
        memcpy(&m, c->in, sizeof(m));
        if (m.len > XENSTORE_PAYLOAD_MAX) {
            drop(c);
            return;
        }
        size_t whole = sizeof(m) + m.len;
        if (c->have < whole)
            return;
        char arg[XENSTORE_PAYLOAD_MAX + 1];
        memcpy(arg, c->in + sizeof(m), m.len);
        arg[m.len] = 0;
        serve(x, c, &m, arg);
        c->have -= whole;
        memmove(c->in, c->in + whole, c->have);
    }
}

static void *run(void *opaque)
{
    struct xsd *x = opaque;
    for (;;) {
        struct pollfd p[CLIENTS + 2] = {{.fd = x->listener, .events = POLLIN},
                                        {.fd = x->stop, .events = POLLIN}};
        for (unsigned i = 0; i < CLIENTS; i++)
            p[i + 2] = (struct pollfd){.fd = x->client[i].fd, .events = POLLIN};
        poll(p, CLIENTS + 2, -1);
        if (p[1].revents)
            return NULL;
        pthread_mutex_lock(&x->lock);
        for (unsigned i = 0; i < CLIENTS; i++)
            if (p[i + 2].revents && x->client[i].fd >= 0)
                receive(x, &x->client[i]);
        if (p[0].revents) {
            int fd = accept4(x->listener, NULL, NULL, SOCK_CLOEXEC);
            unsigned i = 0;
            while (i < CLIENTS && x->client[i].fd >= 0)
                i++;
            if (i < CLIENTS)
                x->client[i].fd = fd;
            else
                close(fd);
        }
        pthread_mutex_unlock(&x->lock);
    }
}

/* --- for the test --- */

struct xsd *xsd_new(const char *path)
{
    struct xsd *x = calloc(1, sizeof(*x));
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    for (unsigned i = 0; i < CLIENTS; i++)
        x->client[i].fd = -1;
    x->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    x->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->changed, NULL);
    if (bind(x->listener, (struct sockaddr *)&at, sizeof(at)) || listen(x->listener, 8) ||
        pthread_create(&x->thread, NULL, run, x)) {
        free(x);
        return NULL;
    }
    return x;
}

void xsd_free(struct xsd *x)
{
    if (!x)
        return;
    uint64_t one = 1;
    ssize_t n = write(x->stop, &one, sizeof(one));
    (void)n;
    pthread_join(x->thread, NULL);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (x->client[i].fd >= 0)
            drop(&x->client[i]);
    close(x->listener);
    close(x->stop);
    tree_free(&x->tree);
    free(x);
}

char *xsd_read(struct xsd *x, const char *path)
{
    pthread_mutex_lock(&x->lock);
    const struct node *n = lookup(&x->tree, path);
    char *value = n ? copy(n->value, n->len) : NULL;
    pthread_mutex_unlock(&x->lock);
    return value;
}

void xsd_write(struct xsd *x, const char *path, const char *value)
{
    pthread_mutex_lock(&x->lock);
    put(&x->tree, path, value, strlen(value));
    changed(x, path, false);
    pthread_mutex_unlock(&x->lock);
}

void xsd_remove(struct xsd *x, const char *path)
{
    pthread_mutex_lock(&x->lock);
    if (lookup(&x->tree, path)) {
        take(&x->tree, path);
        changed(x, path, true);
    }
    pthread_mutex_unlock(&x->lock);
}

bool xsd_wait(struct xsd *x, const char *path, const char *value, unsigned timeout_ms,
              bool (*stop)(void *opaque), void *opaque)
{
    bool ok = false;
    pthread_mutex_lock(&x->lock);
    for (unsigned waited = 0;; waited += 50) {
        const struct node *n = lookup(&x->tree, path);
        ok = n && (!value || !strcmp(n->value, value));
        if (ok || waited >= timeout_ms || (stop && stop(opaque)))
            break;
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += 50000000;
        if (t.tv_nsec >= 1000000000) {
            t.tv_nsec -= 1000000000;
            t.tv_sec++;
        }
        pthread_cond_timedwait(&x->changed, &x->lock, &t);
    }
    pthread_mutex_unlock(&x->lock);
    return ok;
}
