/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user: a network of the guest's own behind its NIC, without any right of dom0's: DHCP, DNS, TFTP,
 * and the host's sockets for what goes out or comes in (hostfwd). libslirp does it, in a process of
 * its own, hvm-dm-user, since it reads what a hostile guest sends. This file is both processes'
 * beginning and the main one's part.
 */
#include "net/backends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hw/core/child.h"
#include "hw/core/log.h"
#include "hw/core/loop.h"
#include "net/stream.h"
#include "net/user_module.h"

#define READY_MS 10000 /* the host may be busy: it is only about not waiting for ever */
#define CLOSE_MS 1000
/* What fits on a wire with an MTU of 1500, with a VLAN tag; libslirp takes no more. */
#define MAX_SENT 1518

/* The child's first message: how it went. */
struct ready {
    int32_t ok;
    struct err err;
};

/* ---- The child ---- */

/* The folder by the name that it has in the root directory to come as well. */
static bool find_folder(struct netdev_config *config, struct err *err)
{
    struct stat st;
    const char *given = config->tftp;
    if (!given)
        return true;
    config->tftp = realpath(given, NULL);
    if (!config->tftp || stat(config->tftp, &st))
        return err_set(err, "tftp=%s: %s", given, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return err_set(err, "tftp=%s is no folder", given);
    return strcmp(config->tftp, "/") || err_set(err, "tftp=/ would be all of the host's files");
}

/* What is to serve, confined; NULL and *err. */
static const struct user_module *prepare(struct netdev_config *config, struct user_slirp **slirp,
                                         struct err *err)
{
    const struct user_module *module = user_module_load(err);
    if (!module || !find_folder(config, err))
        return NULL;
    *slirp = module->open(config, err);
    return *slirp && (!config->confine || config->confine(config, err)) ? module : NULL;
}

static int child(const void *arg)
{
    struct netdev_config config = *(const struct netdev_config *)arg;
    struct user_slirp *slirp;
    struct ready *ready = calloc(1, sizeof(*ready));
    if (!ready)
        return 1;
    signal(SIGPIPE, SIG_IGN);
    const struct user_module *module = prepare(&config, &slirp, &ready->err);
    ready->ok = module != NULL;
    bool said = send(CHILD_SOCKET, ready, sizeof(*ready), MSG_NOSIGNAL) > 0;
    free(ready);
    return module && said ? module->serve(slirp, CHILD_SOCKET) : 1;
}

/* ---- The main process ---- */

struct user {
    struct net *net;
    struct stream *stream;
    int fd; /* the stream's, to say when we close it */
    pid_t pid;
    char text[128];
};

static enum net_sent user_send(void *opaque, const uint8_t *frame, size_t len,
                               const struct net_offload *offload)
{
    struct user *u = opaque;
    (void)offload;
    return len <= MAX_SENT ? stream_send(u->stream, frame, len) : NET_FAILED;
}

static void user_read(void *opaque, bool on, bool fresh)
{
    struct user *u = opaque;
    stream_read(u->stream, on, fresh);
}

static void user_describe(const void *opaque, char *out, size_t size)
{
    const struct user *u = opaque;
    snprintf(out, size, "%s%s", u->text, u->pid < 0 ? " (its process has ended)" : "");
}

static void user_close(void *opaque)
{
    struct user *u = opaque;
    struct pollfd p = {.fd = u->fd};
    if (u->pid > 0) {
        shutdown(u->fd, SHUT_WR);
        /* It closes its end as it exits. */
        poll(&p, 1, CLOSE_MS);
        waitpid(u->pid, NULL, WNOHANG);
    }
    stream_free(u->stream);
    free(u);
}

static const struct net_backend backend = {
    .type = "user",
    .send = user_send,
    .read = user_read,
    .describe = user_describe,
    .close = user_close,
};

static void noted(void *opaque, const uint8_t *bytes, size_t len)
{
    struct user *u = opaque;
    uint64_t lost;
    if (len != USER_NOTE_LEN)
        return;
    memcpy(&lost, bytes, sizeof(lost));
    net_stale(u->net, lost);
}

static void ended(void *opaque, const char *why)
{
    struct user *u = opaque;
    int status = 0;
    (void)why;
    pid_t got = waitpid(u->pid, &status, WNOHANG);
    log_warn("-netdev %s: its process has ended%s%s: the guest has this network no more",
             net_name(u->net), got == u->pid && WIFSIGNALED(status) ? ": " : "",
             got == u->pid && WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "");
    u->pid = -1;
}

/* Waits until it serves. */
static bool await(int fd, pid_t pid, struct err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    struct ready *ready = malloc(sizeof(*ready));
    int n;
    if (!ready)
        return err_set(err, "out of memory");
    do
        n = poll(&p, 1, READY_MS);
    while (n < 0 && errno == EINTR);
    bool said = n > 0 && recv(fd, ready, sizeof(*ready), MSG_DONTWAIT) == sizeof(*ready);
    ready->err.text[said ? sizeof(ready->err.text) - 1 : 0] = '\0';
    bool ok = said && ready->ok;
    if (!ok) {
        err_set(err, "%s", said ? ready->err.text : "the user network's process does not start");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    free(ready);
    return ok;
}

static bool start(struct user *u, const struct netdev_config *config, struct loop *loop,
                  struct err *err)
{
    const struct child_spec spec = {.name = "hvm-dm-user",
                                    .what = "the user network's process",
                                    .log = true,
                                    .stream = true,
                                    .run = child,
                                    .arg = config};
    u->pid = child_start(&spec, &u->fd, err);
    if (u->pid < 0)
        return false;
    if (!await(u->fd, u->pid, err)) {
        close(u->fd);
        return false;
    }
    const struct stream_events events = {.ended = ended, .note = noted, .opaque = u};
    u->stream = stream_new(loop, u->net, u->fd, &events, err);
    if (u->stream)
        return true;
    waitpid(u->pid, NULL, 0); /* its socket is closed */
    return false;
}

/* What `info network` shows. */
static void make_text(struct user *u, const struct netdev_config *config)
{
    char network[INET_ADDRSTRLEN] = "10.0.2.0";
    if (config->network.s_addr)
        inet_ntop(AF_INET, &config->network, network, sizeof(network));
    snprintf(u->text, sizeof(u->text), "user,net=%s,restrict=%s,hostfwd=%zu",
             config->no_ipv4 ? "none" : network, config->restricted ? "on" : "off",
             config->forward_count);
}

bool netdev_open_user(const struct netdev_config *config, struct loop *loop, struct net *net,
                      struct err *err)
{
    struct err why = {""};
    struct user *u = calloc(1, sizeof(*u));
    if (!u)
        return err_set(err, "out of memory");
    u->net = net;
    if (!start(u, config, loop, &why)) {
        free(u);
        return err_set(err, "-netdev %s: %s", net_name(net), why.text);
    }
    make_text(u, config);
    net_attach_backend(net, &backend, u);
    return true;
}
