/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hmp: the table of the human monitor's commands, lines and words, help and completion. */
#include "toolstack/hmp_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "toolstack/keynames.h"
#include "ui/lineedit.h"

/* What a command's words are, for completion. */
enum words {
    WORDS_NONE,
    WORDS_COMMAND,
    WORDS_INFO,
    WORDS_DRIVE,
    WORDS_KEY,
    WORDS_LOG,
    WORDS_NET /* cards and back-ends */
};

struct command {
    const char *name, *alias; /* alias may be NULL */
    const char *arguments, *help;
    enum words words;
    unsigned min, max; /* words behind it */
    bool format;       /* takes /FORMAT */
    bool privileged;   /* names files or devices of the host, or concerns more than the guest */
    void (*run)(struct hmp *h);
};

static void help(struct hmp *h);
static void info(struct hmp *h);

static const struct command commands[] = {
    {"announce_self", NULL, "[CARD[,CARD…]]", "tell switches where the guest's network cards are",
     WORDS_NET, 0, 1, false, false, hmp_announce},
    {"change", NULL, "DEVICE FILE [FORMAT [MODE]]",
     "put another medium into a drive (FORMAT raw, qcow2 …; MODE retain, read-only, read-write), "
     "or "
     "'change vnc password WORD'",
     WORDS_DRIVE, 2, 4, false, true, hmp_change},
    {"commit", NULL, "DEVICE|all [FILE [FORMAT]]",
     "write an overlay's contents to the image it lies on", WORDS_DRIVE, 1, 3, false, true,
     hmp_commit},
    {"cont", "c", "", "let the guest run", WORDS_NONE, 0, 0, false, false, hmp_cont},
    {"eject", NULL, "[-f] DEVICE",
     "take the medium out of a drive (-f: though the guest locked it)", WORDS_DRIVE, 1, 2, false,
     false, hmp_eject},
    {"help", "?", "[COMMAND]", "what there is", WORDS_COMMAND, 0, 2, false, false, help},
    {"info", NULL, "[SUBJECT]", "show something; without SUBJECT: what there is", WORDS_INFO, 0, 1,
     false, false, info},
    {"log", NULL, "error|warning|info|guest", "what goes to the log: all up to this", WORDS_LOG, 1,
     1, false, true, hmp_log},
    {"mouse_button", NULL, "STATE", "which buttons are down: 1 left + 2 right + 4 middle",
     WORDS_NONE, 1, 1, false, false, hmp_mouse_button},
    {"mouse_move", NULL, "DX DY [DZ]", "move the pointer (a tablet: to 0..32767), turn the wheel",
     WORDS_NONE, 2, 3, false, false, hmp_mouse_move},
    {"mouse_set", NULL, "INDEX", "which pointer gets events ('info mice' numbers them)", WORDS_NONE,
     1, 1, false, false, hmp_mouse_set},
    {"object_add", NULL, "filter-dump,id=ID,netdev=ID,file=FILE[,maxlen=N]",
     "write the packets of a network card to a pcap file (/dev/fdset/N in a confined process)",
     WORDS_NONE, 1, 1, false, true, hmp_object_add},
    {"object_del", NULL, "ID", "end what object_add began", WORDS_NONE, 1, 1, false, true,
     hmp_object_del},
    {"quit", "q", "", "end the device model; the guest does not outlive it", WORDS_NONE, 0, 0,
     false, false, hmp_quit},
    {"screendump", NULL, "FILE [-f png|ppm]",
     "write the guest's screen to a file (/dev/fdset/N in a confined process)", WORDS_NONE, 1, 3,
     false, true, hmp_screendump},
    {"sendkey", NULL, "KEY[-KEY…] [HOLD]", "press keys together, for HOLD ms (100)", WORDS_KEY, 1,
     2, false, false, hmp_sendkey},
    {"set_link", NULL, "NAME on|off", "plug a network card's cable in, or pull it out", WORDS_NET,
     2, 2, false, false, hmp_set_link},
    {"stop", "s", "", "stop the guest", WORDS_NONE, 0, 0, false, false, hmp_stop},
    {"system_powerdown", NULL, "", "press the power button", WORDS_NONE, 0, 0, false, false,
     hmp_powerdown},
    {"system_reset", NULL, "", "reset the guest", WORDS_NONE, 0, 0, false, false, hmp_reset},
    {"system_wakeup", NULL, "", "wake the guest from S3", WORDS_NONE, 0, 0, false, false,
     hmp_wakeup},
    {"x", NULL, "/FMT ADDR", "memory at a virtual address", WORDS_NONE, 1, 1, true, false, hmp_x},
    {"xp", NULL, "/FMT ADDR",
     "memory at a guest-physical address; FMT: count, x d u o c, b h w g (as 4xw)", WORDS_NONE, 1,
     1, true, false, hmp_xp},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

/* ---- what commands use ---- */

void hmp_say(struct hmp *h, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vfprintf(h->out, fmt, ap);
    va_end(ap);
    fputs("\r\n", h->out);
}

const char *hmp_word(const struct hmp *h, size_t index)
{
    return index < h->count ? h->words[index] : NULL;
}

bool hmp_number(struct hmp *h, const char *word, long long min, long long max, long long *out)
{
    char *end;
    errno = 0;
    *out = strtoll(word, &end, 0);
    if (!errno && *word && !*end && *out >= min && *out <= max)
        return true;
    hmp_say(h, "'%.64s' is not a number from %lld to %lld", word, min, max);
    return false;
}

void hmp_done(struct hmp *h, bool offered, bool success, const struct err *err)
{
    if (!offered)
        hmp_say(h, "Error: this command is not available here");
    else if (!success)
        hmp_say(h, "Error: %s", err->text);
}

/* ---- help ---- */

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (!strcmp(commands[i].name, name) ||
            (commands[i].alias && !strcmp(commands[i].alias, name)))
            return &commands[i];
    return NULL;
}

static void help_line(struct hmp *h, const struct command *c)
{
    hmp_say(h, "%s%s%s%s%s -- %s%s", c->name, c->alias ? "|" : "", c->alias ? c->alias : "",
            *c->arguments == '/' || !*c->arguments ? "" : " ", c->arguments, c->help,
            c->privileged && !h->privileged ? " (not from this monitor)" : "");
}

static void help_infos(struct hmp *h, const char *only)
{
    for (const struct hmp_info *i = hmp_infos; i->name; i++)
        if (!only || !strcmp(only, i->name))
            hmp_say(h, "info %s -- %s", i->name, i->help);
}

static void help(struct hmp *h)
{
    const char *name = hmp_word(h, 0);
    const struct command *c = name ? find(name) : NULL;
    if (!name)
        for (size_t i = 0; i < COMMAND_COUNT; i++)
            help_line(h, &commands[i]);
    else if (!c)
        hmp_say(h, "unknown command: '%.64s'", name);
    else if (c->run == info)
        help_infos(h, hmp_word(h, 1));
    else
        help_line(h, c);
}

static void info(struct hmp *h)
{
    const char *name = hmp_word(h, 0);
    if (!name) {
        help_infos(h, NULL);
        return;
    }
    for (const struct hmp_info *i = hmp_infos; i->name; i++)
        if (!strcmp(i->name, name)) {
            i->print(h);
            return;
        }
    hmp_say(h, "unknown command: 'info %.64s' (help info lists them)", name);
}

/* ---- lines ---- */

/* One word out of *at, in place: blanks end it, unless they are in quotes; in those, a backslash
 * takes the next byte as it is. NULL: there is none. False: the quotes are not closed. */
static bool next_word(char **at, char **word)
{
    char *from = *at + strspn(*at, " \t"), *to = from;
    bool quoted = false;
    *word = *from ? from : NULL;
    for (; *from && (quoted || (*from != ' ' && *from != '\t')); from++) {
        if (*from == '"')
            quoted = !quoted;
        else if (quoted && *from == '\\' && from[1])
            *to++ = *++from;
        else
            *to++ = *from;
    }
    *at = *from ? from + 1 : from;
    *to = '\0';
    return !quoted;
}

/* Takes the line apart. False: said why not. */
static bool split(struct hmp *h, char **name)
{
    char *at = h->text, *word;
    if (!next_word(&at, name)) {
        hmp_say(h, "a quote is not closed");
        return false;
    }
    if (!*name || !**name)
        return false;
    for (;;) {
        if (!next_word(&at, &word)) {
            hmp_say(h, "a quote is not closed");
            return false;
        }
        if (!word)
            break;
        if (h->count == HMP_MAX_WORDS) {
            hmp_say(h, "too many words");
            return false;
        }
        h->words[h->count++] = word;
    }
    /* "xp/4xw ADDR" and "xp /4xw ADDR" */
    static char none[] = "";
    char *slash = strchr(*name, '/');
    h->format = none;
    if (slash) {
        *slash = '\0';
        h->format = slash + 1;
    } else if (h->count && h->words[0][0] == '/' && (!strcmp(*name, "x") || !strcmp(*name, "xp"))) {
        h->format = h->words[0] + 1;
        memmove(&h->words[0], &h->words[1], --h->count * sizeof(h->words[0]));
    }
    return true;
}

static void carry_out(struct hmp *h)
{
    char *name = NULL;
    if (!split(h, &name))
        return;
    const struct command *c = find(name);
    if (!c)
        hmp_say(h, "unknown command: '%.64s' (help lists them; all others are QMP's)", name);
    else if (c->privileged && !h->privileged)
        hmp_say(h,
                "Error: %s concerns the host: it needs a monitor that the toolstack has declared "
                "privileged, or QMP",
                c->name);
    else if (h->count < c->min || h->count > c->max || (*h->format && !c->format))
        help_line(h, c);
    else
        c->run(h);
}

bool hmp_line(struct qmp *qmp, bool privileged, const char *line, FILE *out)
{
    struct hmp h = {.qmp = qmp, .target = qmp->target, .out = out, .privileged = privileged};
    size_t len = strlen(line);
    if (len > HMP_MAX_LINE) {
        hmp_say(&h, "a line has at most %d bytes", HMP_MAX_LINE);
        return false;
    }
    /* Control characters are blanks: what is echoed in messages must not move a terminal. */
    for (size_t i = 0; i <= len; i++)
        h.text[i] = (line[i] && iscntrl((unsigned char)line[i])) ? ' ' : line[i];
    carry_out(&h);
    return h.quit;
}

/* ---- completion ---- */

static void offer_commands(struct lineedit_words *words, size_t start, bool privileged)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (privileged || !commands[i].privileged)
            lineedit_offer(words, start, commands[i].name, true);
}

static void offer_drives(struct qmp *qmp, struct lineedit_words *words, size_t start)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_block_info block = {0};
    for (size_t i = 0; t->block && t->block(t->opaque, i, &block); i++) {
        if (block.id)
            lineedit_offer(words, start, block.id, true);
        if (block.qdev)
            lineedit_offer(words, start, block.qdev, true);
        block = (struct qmp_block_info){0};
    }
}

static void offer_nets(struct qmp *qmp, struct lineedit_words *words, size_t start)
{
    const struct qmp_target *t = qmp->target;
    struct qmp_net_info net = {0};
    for (size_t i = 0; t->net && t->net(t->opaque, i, &net); i++) {
        if (net.nic)
            lineedit_offer(words, start, net.nic, true);
        if (net.netdev)
            lineedit_offer(words, start, net.netdev, true);
        net = (struct qmp_net_info){0};
    }
}

static void offer_keys(struct lineedit_words *words, size_t start, const char *line)
{
    const char *dash = strrchr(line + start, '-');
    if (dash)
        start = (size_t)(dash + 1 - line);
    const char *name;
    for (unsigned i = 0; (name = keyname_nth(i)); i++)
        lineedit_offer(words, start, name, false);
}

void hmp_complete(struct qmp *qmp, bool privileged, const char *line, struct lineedit_words *words)
{
    static const char *const levels[] = {"error", "warning", "info", "guest"};
    size_t start = strlen(line), at = strspn(line, " \t"), end = at + strcspn(line + at, " \t");
    while (start && line[start - 1] != ' ' && line[start - 1] != '\t')
        start--;
    char name[32];
    if (start <= at) {
        offer_commands(words, start, privileged);
        return;
    }
    if (end - at >= sizeof(name))
        return;
    memcpy(name, line + at, end - at);
    name[end - at] = '\0';
    const struct command *c = find(name);
    switch (c ? c->words : WORDS_NONE) {
    case WORDS_COMMAND:
        offer_commands(words, start, true);
        break;
    case WORDS_INFO:
        for (const struct hmp_info *i = hmp_infos; i->name; i++)
            lineedit_offer(words, start, i->name, true);
        break;
    case WORDS_DRIVE:
        offer_drives(qmp, words, start);
        break;
    case WORDS_NET:
        offer_nets(qmp, words, start);
        break;
    case WORDS_KEY:
        offer_keys(words, start, line);
        break;
    case WORDS_LOG:
        for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
            lineedit_offer(words, start, levels[i], true);
        break;
    case WORDS_NONE:
        break;
    }
}
