/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc_handshake: what a connection's thread reads before the viewer is let in (RFC 6143 7.1 to
 * 7.3), and how it reads at all. Ours, since what a stranger sends should meet little code.
 * libvncserver's own handshake draws its challenge from random() seeded with the time, waits 100 ms
 * for a WebSocket, and keeps the security types in a list that all threads share.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "ui/vnc_session.h"

#define SECURITY_NONE 1
#define SECURITY_VNC  2

bool vnc_session_end(struct session *s, const char *reason)
{
    if (!s->end)
        s->end = reason;
    return false;
}

bool vnc_session_wait(struct session *s, bool input)
{
    struct pollfd fds[2] = {
        {.fd = s->client->wake, .events = POLLIN},
        {.fd = input ? s->client->sock : -1, .events = POLLIN},
    };
    uint64_t count;

    if (poll(fds, 2, -1) < 0 && errno != EINTR)
        return vnc_session_end(s, "poll failed");
    if (fds[0].revents) {
        ssize_t n = read(s->client->wake, &count, sizeof(count));
        (void)n;
    }
    return !atomic_load_explicit(&s->client->closing, memory_order_acquire);
}

bool vnc_session_fill(struct session *s)
{
    while (s->have < sizeof(s->in)) {
        ssize_t n = recv(s->client->sock, s->in + s->have, sizeof(s->in) - s->have, MSG_DONTWAIT);

        if (n > 0) {
            s->have += (size_t)n;
        } else if (n == 0) {
            return vnc_session_end(s, NULL);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return true;
        } else if (errno != EINTR) {
            return vnc_session_end(s, "connection lost");
        }
    }
    return true;
}

void vnc_session_consume(struct session *s, size_t n)
{
    s->have -= n;
    memmove(s->in, s->in + n, s->have);
}

/* Waits for `size` bytes of the handshake; the loop watches its deadline. */
static bool expect(struct session *s, uint8_t *to, size_t size)
{
    while (s->have < size) {
        if (!vnc_session_wait(s, true) || !vnc_session_fill(s))
            return false;
    }
    memcpy(to, s->in, size);
    vnc_session_consume(s, size);
    return true;
}

/* The handshake's few bytes fit any socket buffer; a peer that has filled its own is not served. */
static bool say(struct session *s, const void *data, size_t size)
{
    if (send(s->client->sock, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        return vnc_session_end(s, "connection lost");
    return true;
}

/* RFB 7.2.2: whether the response is the challenge encrypted with that password. */
static bool matches(const uint8_t *challenge, const uint8_t *response, char *password)
{
    uint8_t expected[CHALLENGESIZE];
    unsigned difference = 0;
    bool usable;

    memcpy(expected, challenge, sizeof(expected));
    rfbEncryptBytes(expected, password);
    /* libgcrypt refuses DES's weak keys, and then the challenge is returned as it was: an answer
     * that anybody could give. */
    usable = password[0] && memcmp(expected, challenge, sizeof(expected)) != 0;
    for (unsigned i = 0; i < sizeof(expected); i++)
        difference |= expected[i] ^ response[i];
    explicit_bzero(expected, sizeof(expected));
    return usable && difference == 0;
}

static bool response_is_right(struct session *s, const uint8_t *challenge, const uint8_t *response)
{
    struct vnc_secrets secrets;
    bool full, view;

    pthread_mutex_lock(&s->vnc->secrets_lock);
    secrets = s->vnc->secrets;
    pthread_mutex_unlock(&s->vnc->secrets_lock);
    full = matches(challenge, response, secrets.password);
    view = matches(challenge, response, secrets.view_password);
    explicit_bzero(secrets.password, sizeof(secrets.password));
    explicit_bzero(secrets.view_password, sizeof(secrets.view_password));
    s->client->view_only = view && !full;
    return (full || view) && time(NULL) < secrets.expires;
}

static bool authenticate(struct session *s, int minor)
{
    static const char why[] = "password check failed";
    uint8_t challenge[CHALLENGESIZE], response[CHALLENGESIZE], result[8 + sizeof(why)];

    if (getrandom(challenge, sizeof(challenge), 0) != (ssize_t)sizeof(challenge))
        return vnc_session_end(s, "no random numbers");
    if (!say(s, challenge, sizeof(challenge)) || !expect(s, response, sizeof(response)))
        return false;
    if (response_is_right(s, challenge, response)) {
        vnc_put32(result, 0);
        return say(s, result, 4);
    }
    vnc_put32(result, 1);
    vnc_put32(result + 4, sizeof(why) - 1);
    memcpy(result + 8, why, sizeof(why) - 1);
    say(s, result, minor >= 8 ? 8 + sizeof(why) - 1 : 4); /* RFB 7.1.3 and appendix A.2 */
    return vnc_session_end(s, "wrong password");
}

/* Appendix A for the older versions. */
bool vnc_handshake(struct session *s, uint8_t *shared)
{
    static const char version[] = "RFB 003.008\n";
    uint8_t offer = s->vnc->password_required ? SECURITY_VNC : SECURITY_NONE;
    uint8_t said[12], chosen, word[4];
    int minor;

    if (!say(s, version, 12) || !expect(s, said, sizeof(said)))
        return false;
    if (memcmp(said, "RFB 003.", 8) != 0 || said[11] != '\n')
        return vnc_session_end(s, memcmp(said, "GET ", 4) == 0
                                      ? "a web browser or WebSocket, not RFB"
                                      : "not an RFB viewer");
    for (int i = 8; i < 11; i++) {
        if (said[i] < '0' || said[i] > '9')
            return vnc_session_end(s, "not an RFB viewer");
    }
    minor = (said[8] - '0') * 100 + (said[9] - '0') * 10 + said[10] - '0';

    if (minor < 7) { /* 3.3 and what must be treated like it: the server decides */
        vnc_put32(word, offer);
        if (!say(s, word, 4))
            return false;
    } else {
        const uint8_t list[2] = {1, offer};

        if (!say(s, list, 2) || !expect(s, &chosen, 1))
            return false;
        if (chosen != offer)
            return vnc_session_end(s, "unknown security type");
    }
    if (offer == SECURITY_VNC) {
        if (!authenticate(s, minor))
            return false;
    } else if (minor == 8) {
        vnc_put32(word, 0);
        if (!say(s, word, 4))
            return false;
    } else if (minor == 889) { /* Apple's viewer, which then sends no ClientInit either */
        *shared = 1;
        return true;
    }
    return expect(s, shared, 1);
}
