/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay: feeds text replays (the .qtest files of tests/replay) to the qtest door, requires an OK
 * for each line, and ends each with tests/replay/alive, which sees that the devices still answer.
 * The language is in docs/testing.md: qtest lines, and around them expectations, loops and
 * variables.
 */
#include <ctype.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/qtest/client.h"

#define MAX_LINE     8192
#define MAX_DEPTH    8
#define WINDOW       64
#define WINDOW_BYTES (16u << 10)
#define UNTIL_S      10
#define DISK_BYTES   (8 << 20)
#define CD_BYTES     (2 << 20)

struct variable {
    char name[32];
    uint64_t value;
};

/* A line on its way, and what its reply must be. */
struct sent {
    unsigned number; /* of the line in its file */
    char text[96];
    char expected[256]; /* "": any value */
    uint64_t mask;
};

struct replay {
    struct client client;
    const char *file; /* of the lines now */
    char **lines;
    unsigned count;
    struct variable vars[MAX_DEPTH];
    unsigned depth;
    struct sent window[WINDOW];
    unsigned first, waiting, waiting_bytes;
    uint64_t random;
    bool failed;
};

static void fail(struct replay *r, unsigned number, const char *text, const char *why)
{
    if (!r->failed)
        printf("%s:%u: %.200s: %s\n", r->file, number, text, why);
    r->failed = true;
}

/* ---- Numbers and words ---- */

static uint32_t next_random(struct replay *r)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u; /* Knuth, MMIX */
    return (uint32_t)(r->random >> 32);
}

static bool number(const char *s, uint64_t *value)
{
    char *end;
    *value = strtoull(s, &end, 0);
    return *s && !*end;
}

/* $NAME, $rand (a byte), $rand32 in `from` become numbers. */
static void substitute(struct replay *r, const char *from, char *to, size_t size)
{
    size_t len = 0;
    while (*from && len + 24 < size) {
        if (*from != '$') {
            to[len++] = *from++;
            continue;
        }
        char name[32];
        size_t n = 0;
        for (from++; isalnum((unsigned char)*from) && n + 1 < sizeof(name); from++)
            name[n++] = *from;
        name[n] = '\0';
        uint64_t value = 0;
        if (!strcmp(name, "rand"))
            value = next_random(r) & 0xFF;
        else if (!strcmp(name, "rand32"))
            value = next_random(r);
        else
            for (unsigned i = 0; i < r->depth; i++)
                if (!strcmp(r->vars[i].name, name))
                    value = r->vars[i].value;
        len += (size_t)snprintf(to + len, size - len, "%llu", (unsigned long long)value);
    }
    to[len] = '\0';
}

/* A word that is a sum of products of numbers (0xa0+1*16) becomes its value; others stay. */
static void calculate(const char *word, char *out, size_t size)
{
    uint64_t sum = 0, product = 1;
    const char *p = word;
    bool sums = strpbrk(word, "+*") != NULL;
    while (sums) {
        char *end;
        if (!isdigit((unsigned char)*p))
            sums = false;
        product *= strtoull(p, &end, 0);
        if (*end && *end != '+' && *end != '*')
            sums = false;
        if (*end != '*') {
            sum += product;
            product = 1;
        }
        if (!*end)
            break;
        p = end + 1;
    }
    if (sums)
        snprintf(out, size, "%llu", (unsigned long long)sum);
    else
        snprintf(out, size, "%s", word);
}

/* ---- Replies ---- */

static bool matches(const struct sent *s, const char *value)
{
    uint64_t got, wanted;
    if (!s->expected[0])
        return true;
    if (number(value, &got) && number(s->expected, &wanted))
        return (got & s->mask) == wanted;
    return !strcmp(value, s->expected);
}

/* Takes the oldest reply. */
static const char *take(struct replay *r, struct sent *s)
{
    *s = r->window[r->first];
    r->first = (r->first + 1) % WINDOW;
    r->waiting--;
    const char *reply = client_reply(&r->client);
    if (!reply)
        fail(r, s->number, s->text, "no reply: the program is gone or hangs");
    else if (strncmp(reply, "OK", 2))
        fail(r, s->number, s->text, reply);
    else
        return reply[2] ? reply + 3 : "";
    return NULL;
}

static void drain(struct replay *r)
{
    while (r->waiting && !r->failed) {
        struct sent s;
        const char *value = take(r, &s);
        if (value && !matches(&s, value)) {
            char why[640];
            snprintf(why, sizeof(why), "is %.300s, not %s", value, s.expected);
            fail(r, s.number, s.text, why);
        }
    }
    r->waiting_bytes = 0;
}

static void post(struct replay *r, const struct sent *s, const char *line)
{
    if (r->waiting == WINDOW || r->waiting_bytes + strlen(line) > WINDOW_BYTES)
        drain(r);
    r->window[(r->first + r->waiting++) % WINDOW] = *s;
    r->waiting_bytes += (unsigned)strlen(line);
    client_send(&r->client, line);
}

/* ---- Lines ---- */

static void until(struct replay *r, const struct sent *s, const char *line)
{
    struct timespec now, start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    drain(r);
    while (!r->failed) {
        struct sent again;
        post(r, s, line);
        const char *value = take(r, &again);
        if (!value || matches(s, value))
            return;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec > UNTIL_S)
            fail(r, s->number, s->text, "does not come");
    }
}

/* [until] REQUEST [& MASK] [= VALUE] */
static void one_line(struct replay *r, unsigned n, char *text)
{
    static char line[MAX_LINE];
    struct sent s = {.number = n + 1, .mask = UINT64_MAX};
    bool wait = false;
    char *save = NULL, *w = strtok_r(text, " \t", &save);
    if (w && !strcmp(w, "until")) {
        wait = true;
        w = strtok_r(NULL, " \t", &save);
    }
    size_t len = 0;
    line[0] = '\0';
    for (; w; w = strtok_r(NULL, " \t", &save)) {
        bool mask = !strcmp(w, "&"), value = !strcmp(w, "=");
        if (mask || value) {
            w = strtok_r(NULL, " \t", &save);
            if (!w || (mask && !number(w, &s.mask))) {
                fail(r, s.number, line, "a number is missing");
                return;
            }
            if (value)
                snprintf(s.expected, sizeof(s.expected), "%s", w);
            continue;
        }
        char word[MAX_LINE];
        calculate(w, word, sizeof(word));
        len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s", len ? " " : "", word);
        if (len >= sizeof(line)) {
            fail(r, s.number, line, "the line is too long");
            return;
        }
    }
    snprintf(s.text, sizeof(s.text), "%.90s", line);
    if (wait)
        until(r, &s, line);
    else
        post(r, &s, line);
}

/* pause MS: of the host's time, for what would still happen to the disk and must not. */
static void pause_for(struct replay *r, unsigned n, const char *text)
{
    unsigned ms;
    if (sscanf(text, "pause %u", &ms) != 1 || ms > 10000) {
        fail(r, n + 1, text, "pause MS, up to 10000");
        return;
    }
    drain(r);
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static bool is_word(const char *line, const char *word)
{
    size_t len = strlen(word);
    return !strncmp(line, word, len) && (!line[len] || isspace((unsigned char)line[len]));
}

/* The line of the `end` that belongs to the `for` on line n. */
static unsigned block_end(const struct replay *r, unsigned n)
{
    unsigned depth = 0;
    for (; n < r->count; n++) {
        if (is_word(r->lines[n], "for"))
            depth++;
        else if (is_word(r->lines[n], "end") && --depth == 0)
            return n;
    }
    return r->count;
}

static void run_lines(struct replay *r, unsigned first, unsigned end);

/* for NAME FIRST LAST ... end */
static void loop(struct replay *r, unsigned n, unsigned end)
{
    char name[32], from[64], to[64], text[MAX_LINE];
    uint64_t a, b;
    substitute(r, r->lines[n], text, sizeof(text));
    if (sscanf(text, "for %31s %63s %63s", name, from, to) != 3 || !number(from, &a) ||
        !number(to, &b) || r->depth == MAX_DEPTH || end == r->count) {
        fail(r, n + 1, r->lines[n], "for NAME FIRST LAST ... end");
        return;
    }
    struct variable *v = &r->vars[r->depth++];
    snprintf(v->name, sizeof(v->name), "%s", name);
    for (; a <= b && !r->failed; a++) {
        v->value = a;
        run_lines(r, n + 1, end);
    }
    r->depth--;
}

static void run_lines(struct replay *r, unsigned first, unsigned end)
{
    static char text[MAX_LINE];
    for (unsigned n = first; n < end && !r->failed; n++) {
        const char *line = r->lines[n];
        if (!*line || *line == '#')
            continue;
        if (is_word(line, "for")) {
            unsigned at = block_end(r, n);
            loop(r, n, at);
            n = at;
            continue;
        }
        substitute(r, line, text, sizeof(text));
        if (is_word(text, "pause"))
            pause_for(r, n, text);
        else
            one_line(r, n, text);
    }
}

/* ---- Files ---- */

static void free_lines(struct replay *r)
{
    for (unsigned i = 0; i < r->count; i++)
        free(r->lines[i]);
    free(r->lines);
    r->lines = NULL;
    r->count = 0;
}

static bool read_lines(struct replay *r, const char *file)
{
    FILE *f = fopen(file, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    r->file = file;
    if (!f) {
        printf("%s: cannot be read\n", file);
        return false;
    }
    while ((len = getline(&line, &size, f)) >= 0) {
        while (len && isspace((unsigned char)line[len - 1]))
            line[--len] = '\0';
        char *start = line + strspn(line, " \t");
        r->lines = realloc(r->lines, (r->count + 1) * sizeof(*r->lines));
        if (!r->lines || !(r->lines[r->count++] = strdup(start)))
            abort();
    }
    free(line);
    fclose(f);
    return true;
}

static void make_image(const char *path, const char *first_bytes, long bytes)
{
    FILE *f = fopen(path, "we");
    if (!f || fputs(first_bytes, f) < 0 || fclose(f) != 0 || truncate(path, bytes) < 0)
        abort();
}

/* Behind the disk's name in its -drive. */
static void add_disk_keys(char *words, size_t size, const char *disk, const char *keys)
{
    char rest[2048];
    char *end = strstr(words, disk);
    if (!end)
        return;
    end += strlen(disk);
    snprintf(rest, sizeof(rest), "%s", end);
    snprintf(end, size - (size_t)(end - words), ",%s%s", keys, rest);
}

/* Another display card in the place of the usual one; its name is as long. */
static void put_card(char *words, const char *card)
{
    char *at = strstr(words, "-device VGA       ");
    if (at)
        memcpy(at + strlen("-device "), card, strlen(card));
}

static bool replay(const char *program, const char *file)
{
    struct replay r = {.random = 1};
    char dir[] = "/tmp/qtest-replay-XXXXXX", disk[64], cd[64], words[2048], alive[4096];
    char copy[4096];
    int status = 0;
    bool unplugged = false;
    if (!read_lines(&r, file))
        return false;
    if (!mkdtemp(dir))
        abort();
    snprintf(disk, sizeof(disk), "%s/disk", dir);
    snprintf(cd, sizeof(cd), "%s/cd", dir);
    make_image(disk, "replay: sector 0", DISK_BYTES);
    make_image(cd, "replay: block 0", CD_BYTES);
    snprintf(words, sizeof(words),
             "-nodefaults -m 16 -device VGA        -serial null -drive "
             "if=ide,index=0,format=raw,file=%s "
             "-drive if=ide,index=2,media=cdrom,format=raw,file=%s "
             "-drive if=ide,index=3,media=cdrom",
             disk, cd);
    for (unsigned n = 0; n < r.count; n++) {
        size_t used = strlen(words);
        if (!strncmp(r.lines[n], "#args: ", 7))
            snprintf(words, sizeof(words), "%s", r.lines[n] + 7);
        else if (!strcmp(r.lines[n], "#unplugged"))
            unplugged = true;
        else if (!strncmp(r.lines[n], "#args+: ", 8))
            snprintf(words + used, sizeof(words) - used, " %s", r.lines[n] + 8);
        else if (!strcmp(r.lines[n], "#cirrus"))
            put_card(words, "cirrus-vga");
        else if (!strncmp(r.lines[n], "#disk: ", 7))
            add_disk_keys(words, sizeof(words), disk, r.lines[n] + 7);
    }
    if (client_start(&r.client, program, words, false, &status)) {
        run_lines(&r, 0, r.count);
        drain(&r);
        for (unsigned n = 0; n < (unplugged ? 1 : 2); n++) {
            free_lines(&r);
            snprintf(copy, sizeof(copy), "%s", file);
            snprintf(alive, sizeof(alive), "%.4000s/%s", dirname(copy), n ? "alive-disk" : "alive");
            if (!r.failed && read_lines(&r, alive)) {
                run_lines(&r, 0, r.count);
                drain(&r);
            }
        }
        status = client_stop(&r.client, SIGTERM);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            printf("%s: the program ended with status %#x\n", file, (unsigned)status);
            r.failed = true;
        }
    } else {
        printf("%s: the program does not start (status %#x)\n", file, (unsigned)status);
        r.failed = true;
    }
    free_lines(&r);
    unlink(disk);
    unlink(cd);
    rmdir(dir);
    return !r.failed;
}

int main(int argc, char **argv)
{
    bool ok = true;
    if (argc < 3) {
        fprintf(stderr, "usage: %s PROGRAM FILE...\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 2; i < argc; i++) {
        bool passed = replay(argv[1], argv[i]);
        printf("%s%s\n", passed ? "[       OK ] " : "[  FAILED  ] ", argv[i]);
        ok = ok && passed;
    }
    return !ok;
}
