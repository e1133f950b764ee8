/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * monitor: QMP for a test program. The product's QMP server listens and knows no test; here its
 * one client connects out, hands on what both sides say, and answers itself the questions by which
 * the field's tests find out what there is to test.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hw/core/log.h"
#include "tests/qtest/blkdebug.h"
#include "tests/qtest/door.h"

#define READ_SIZE 4096
#define MAX_TEXT  (1u << 20)

struct side {
    int fd;
    struct loop_source source;
    char *text;
    size_t len;
};

struct monitor {
    struct door *door;
    struct side peer, server;
    unsigned outstanding; /* commands the server has not answered */
    char *held;           /* events that came before the answer: they follow it, as in QEMU */
    size_t held_len;
};

/* What this version of the product can be asked for with -device, or has built in. */
static const char *const device_types[] = {
    "i440FX",     "PIIX3",       "piix3-ide", "PIIX4_PM",      "ide-hd",
    "ide-cd",     "VGA",         "isa-fdc",   "floppy",        "i8042",
    "isa-serial", "mc146818rtc", "i8257",     "isabus-bridge", "piix3-usb-uhci",
    "usb-tablet", "usb-mouse",   "usb-kbd",   "usb-hub",
};

int monitor_listen(struct err *err)
{
    /* Linux gives a nameless socket an abstract name. */
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(sa_family_t)) == 0 &&
        listen(fd, 1) == 0)
        return fd;
    err_set(err, "QMP: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static int connect_back(int listen_fd, struct err *err)
{
    struct sockaddr_un a;
    socklen_t len = sizeof(a);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && getsockname(listen_fd, (struct sockaddr *)&a, &len) == 0 &&
        connect(fd, (const struct sockaddr *)&a, len) == 0)
        return fd;
    err_set(err, "QMP: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

static void close_side(struct monitor *m, struct side *s)
{
    loop_unwatch(m->door->loop, &s->source);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void say(struct monitor *m, struct side *to, const char *text, size_t len)
{
    while (len && to->fd >= 0) {
        ssize_t n = send(to->fd, text, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            close_side(m, to);
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

static void say_json(struct monitor *m, struct side *to, const json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    if (!text)
        return;
    say(m, to, text, strlen(text));
    say(m, to, "\r\n", 2);
    free(text);
}

/* ---- What is answered here ---- */

static json_t *machines(void)
{
    json_t *list = json_array();
    static const struct {
        const char *name;
        int cpus;
    } all[] = {{"pc", 128}, {"none", 1}};
    /* These keys and no others: tests compare them with their schema's. */
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        json_array_append_new(list, json_pack("{s:s,s:i,s:b,s:b,s:b}", "name", all[i].name,
                                              "cpu-max", all[i].cpus, "hotpluggable-cpus", 0,
                                              "numa-mem-supported", 0, "deprecated", 0));
    return list;
}

static json_t *types(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof(device_types) / sizeof(device_types[0]); i++)
        json_array_append_new(list,
                              json_pack("{s:s,s:s}", "name", device_types[i], "parent", "device"));
    return list;
}

/* NULL: not one of ours. */
static json_t *human(const json_t *arguments)
{
    const char *line = json_string_value(json_object_get(arguments, "command-line"));
    return line && blkdebug_command(line) ? json_string("") : NULL;
}

/* The answer to a request, or NULL: it is the server's. */
static json_t *answer(const json_t *request)
{
    const char *command = json_string_value(json_object_get(request, "execute"));
    json_t *result = NULL;
    if (command && !strcmp(command, "query-machines"))
        result = machines();
    else if (command && !strcmp(command, "qom-list-types"))
        result = types();
    else if (command && !strcmp(command, "human-monitor-command"))
        result = human(json_object_get(request, "arguments"));
    if (!result)
        return NULL;
    json_t *reply = json_pack("{s:o}", "return", result);
    json_t *id = json_object_get(request, "id");
    if (id)
        json_object_set(reply, "id", id);
    return reply;
}

/* ---- Both directions ---- */

static void forget(struct side *s, size_t len)
{
    memmove(s->text, s->text + len, s->len - len + 1); /* with the final NUL */
    s->len -= len;
}

/* Whole requests from the peer, one at a time: an answer of ours must not overtake the server's. */
static void from_peer(struct monitor *m)
{
    struct side *s = &m->peer;
    while (s->len && !m->outstanding) {
        json_error_t error;
        json_t *request = json_loadb(s->text, s->len, JSON_DISABLE_EOF_CHECK, &error);
        size_t used = request ? (size_t)error.position : s->len;
        if (!request && (json_error_code(&error) == json_error_premature_end_of_input ||
                         strspn(s->text, " \t\r\n") >= s->len))
            return; /* the rest is still to come */
        json_t *reply = request ? answer(request) : NULL;
        if (reply) {
            say_json(m, &m->peer, reply);
        } else {
            m->outstanding++; /* also for what is no JSON: that gets an error */
            say(m, &m->server, s->text, used);
            say(m, &m->server, "\n", 1);
        }
        json_decref(reply);
        json_decref(request);
        forget(s, used);
    }
}

static void hold(struct monitor *m, const char *line, size_t len)
{
    char *bigger = realloc(m->held, m->held_len + len);
    if (!bigger)
        abort();
    m->held = bigger;
    memcpy(m->held + m->held_len, line, len);
    m->held_len += len;
}

/* Whole lines from the server. */
static void from_server(struct monitor *m)
{
    struct side *s = &m->server;
    char *end;
    while (s->len && (end = memchr(s->text, '\n', s->len))) {
        size_t len = (size_t)(end - s->text) + 1;
        json_t *message = json_loadb(s->text, len, 0, NULL);
        bool event = json_object_get(message, "event") != NULL;
        bool is_answer = json_object_get(message, "return") || json_object_get(message, "error");
        json_decref(message);
        if (is_answer && m->outstanding)
            m->outstanding--;
        if (event && m->outstanding)
            hold(m, s->text, len);
        else
            say(m, &m->peer, s->text, len);
        if (!m->outstanding) {
            say(m, &m->peer, m->held, m->held_len);
            m->held_len = 0;
        }
        forget(s, len);
    }
    from_peer(m);
}

static void readable(struct monitor *m, struct side *s)
{
    if (s->len + READ_SIZE + 1 > MAX_TEXT) {
        close_side(m, s);
        return;
    }
    char *bigger = realloc(s->text, s->len + READ_SIZE + 1);
    if (!bigger)
        abort();
    s->text = bigger;
    ssize_t n = recv(s->fd, s->text + s->len, READ_SIZE, MSG_DONTWAIT);
    if (n > 0) {
        s->len += (size_t)n;
        s->text[s->len] = '\0';
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_side(m, s);
    }
}

static void peer_event(void *opaque, uint32_t events)
{
    struct monitor *m = opaque;
    (void)events;
    readable(m, &m->peer);
    from_peer(m);
    if (m->peer.fd < 0)
        close_side(m, &m->server);
}

static void server_event(void *opaque, uint32_t events)
{
    struct monitor *m = opaque;
    (void)events;
    readable(m, &m->server);
    from_server(m);
    if (m->server.fd < 0)
        close_side(m, &m->peer);
}

struct monitor *monitor_new(struct door *door, int fd, int listen_fd, struct err *err)
{
    struct monitor *m = calloc(1, sizeof(*m));
    if (!m) {
        err_set(err, "out of memory");
        return NULL;
    }
    m->door = door;
    m->peer.fd = fd;
    m->server.fd = connect_back(listen_fd, err);
    if (m->server.fd < 0 ||
        !loop_watch(door->loop, &m->peer.source, fd, EPOLLIN, peer_event, m, err) ||
        !loop_watch(door->loop, &m->server.source, m->server.fd, EPOLLIN, server_event, m, err)) {
        monitor_free(m);
        return NULL;
    }
    return m;
}

void monitor_free(struct monitor *m)
{
    if (!m)
        return;
    close_side(m, &m->peer);
    close_side(m, &m->server);
    free(m->peer.text);
    free(m->server.text);
    free(m->held);
    free(m);
}
