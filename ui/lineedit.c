/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lineedit: see lineedit.h. The library is in its server mode: gl_get_line returns as soon as there
 * is nothing more to read, and goes on where it was at the next call.
 */
#include "ui/lineedit.h"

#ifdef HVM_DM_LINEEDIT

#include <libtecla.h>
#include <stdlib.h>
#include <string.h>

#include "ui/lineedit_box.h"

struct lineedit {
    GetLine *gl;
    struct lineedit_box box;
    const char *prompt;
    const struct lineedit_user *user;
    void *opaque;
};

struct lineedit_words {
    WordCompletion *cpl;
    const char *line;
    int end;
    unsigned count;
};

/* All that keys do: the library gets none of its own (lineedit_box_add_bindings). So none reads
 * files or completes their names, sends signals, or starts a repetition count (a loop as long as
 * the peer likes) or vi's mode (whose start frees a table that is in use). */
static const struct {
    const char *keys, *action;
} bindings[] = {
    {"^A", "beginning-of-line"},
    {"\\e[H", "beginning-of-line"},
    {"\\e[1~", "beginning-of-line"},
    {"\\eOH", "beginning-of-line"},
    {"^E", "end-of-line"},
    {"\\e[F", "end-of-line"},
    {"\\e[4~", "end-of-line"},
    {"\\eOF", "end-of-line"},
    {"^B", "cursor-left"},
    {"\\e[D", "cursor-left"},
    {"\\eOD", "cursor-left"},
    {"^F", "cursor-right"},
    {"\\e[C", "cursor-right"},
    {"\\eOC", "cursor-right"},
    {"^P", "up-history"},
    {"\\e[A", "up-history"},
    {"\\eOA", "up-history"},
    {"^N", "down-history"},
    {"\\e[B", "down-history"},
    {"\\eOB", "down-history"},
    {"^R", "history-search-backward"},
    {"\\e[5~", "history-search-backward"},
    {"\\e[6~", "history-search-forward"},
    {"^H", "backward-delete-char"},
    {"^?", "backward-delete-char"},
    {"^D", "forward-delete-char"},
    {"\\e[3~", "forward-delete-char"},
    {"^W", "backward-delete-word"},
    {"\\eb", "backward-word"},
    {"\\ef", "forward-word"},
    {"\\ed", "forward-delete-word"},
    {"^K", "kill-line"},
    {"^U", "delete-line"},
    {"^C", "delete-line"},
    {"^Y", "yank"},
    {"^T", "transpose-chars"},
    {"^L", "clear-screen"},
    {"^I", "complete-word"},
    {"^J", "newline"},
    {"^M", "newline"},
};

static int complete(WordCompletion *cpl, void *opaque, const char *line, int end)
{
    struct lineedit *le = opaque;
    char text[LINEEDIT_MAX_LINE + 1];
    if (end < 0 || end > LINEEDIT_MAX_LINE)
        return 0;
    memcpy(text, line, (size_t)end);
    text[end] = '\0';
    struct lineedit_words words = {.cpl = cpl, .line = line, .end = end};
    le->user->complete(le->opaque, text, &words);
    return 0;
}

void lineedit_offer(struct lineedit_words *words, size_t start, const char *word, bool final)
{
    size_t end = (size_t)words->end, have = end - start;
    if (start > end || words->count == LINEEDIT_MAX_WORDS ||
        strncmp(words->line + start, word, have) != 0)
        return;
    words->count++;
    cpl_add_completion(words->cpl, words->line, (int)start, (int)end, word + have, "",
                       final ? " " : "");
}

bool lineedit_available(struct err *err)
{
    (void)err;
    return true;
}

/* Configured by us, it looks for no file of somebody's. */
static bool configure(struct lineedit *le)
{
    if (gl_configure_getline(le->gl, "edit-mode emacs", NULL, NULL) ||
        gl_change_terminal(le->gl, lineedit_box_stdin, lineedit_box_stdout, "vt100") ||
        gl_set_term_size(le->gl, LINEEDIT_COLUMNS, LINEEDIT_LINES) < 0)
        return false;
    for (size_t i = 0; i < sizeof(bindings) / sizeof(bindings[0]); i++)
        if (gl_bind_keyseq(le->gl, GL_APP_KEY, bindings[i].keys, bindings[i].action))
            return false;
    return !gl_customize_completion(le->gl, le, complete) && !gl_io_mode(le->gl, GL_SERVER_MODE);
}

/* A new object of the library's, or NULL. */
static GetLine *new_editor(struct lineedit *le)
{
    lineedit_box_enter(&le->box);
    le->gl = new_GetLine(LINEEDIT_MAX_LINE, LINEEDIT_HISTORY);
    bool ok = le->gl && configure(le);
    lineedit_box_enter(NULL);
    if (!ok)
        le->gl = del_GetLine(le->gl);
    return le->gl;
}

struct lineedit *lineedit_new(const char *prompt, const struct lineedit_user *user, void *opaque)
{
    struct lineedit *le = calloc(1, sizeof(*le));
    if (!le)
        return NULL;
    *le = (struct lineedit){.prompt = prompt,
                            .user = user,
                            .opaque = opaque,
                            .box = {.output = user->output, .opaque = opaque}};
    if (new_editor(le))
        return le;
    free(le);
    return NULL;
}

void lineedit_free(struct lineedit *le)
{
    if (!le)
        return;
    del_GetLine(le->gl); /* outside the box: what it would still say nobody hears */
    free(le);
}

/* A line that is complete, copied out of the library, or false: it wants more input. */
static bool next_line(struct lineedit *le, char *line, size_t size)
{
    lineedit_box_enter(&le->box);
    const char *text = gl_get_line(le->gl, le->prompt, NULL, -1);
    if (text) {
        size_t len = strcspn(text, "\r\n");
        if (len >= size)
            len = size - 1;
        memcpy(line, text, len);
        line[len] = '\0';
    } else if (gl_return_status(le->gl) != GLR_BLOCKED) {
        gl_abandon_line(le->gl);
    }
    lineedit_box_enter(NULL);
    return text != NULL;
}

void lineedit_show(struct lineedit *le)
{
    lineedit_feed(le, NULL, 0);
}

void lineedit_feed(struct lineedit *le, const uint8_t *buf, size_t len)
{
    char line[LINEEDIT_MAX_LINE + 1];
    if (!le->gl) /* there was no memory for another */
        return;
    le->box.in = buf;
    le->box.in_len = len;
    do {
        if (next_line(le, line, sizeof(line)))
            le->user->line(le->opaque, line);
        else if (!le->box.in_len)
            return;
    } while (1);
}

/* Anew from the start: the library's own gl_clear_history leaves a search that points into it. */
void lineedit_clear(struct lineedit *le)
{
    del_GetLine(le->gl);
    new_editor(le);
}

#else

bool lineedit_available(struct err *err)
{
    return err_set(err, "this build has no line editor (configure --disable-lineedit); QMP's "
                        "human-monitor-command takes monitor lines");
}

struct lineedit *lineedit_new(const char *prompt, const struct lineedit_user *user, void *opaque)
{
    (void)prompt, (void)user, (void)opaque;
    return NULL;
}

void lineedit_free(struct lineedit *le)
{
    (void)le;
}

void lineedit_show(struct lineedit *le)
{
    (void)le;
}

void lineedit_feed(struct lineedit *le, const uint8_t *buf, size_t len)
{
    (void)le, (void)buf, (void)len;
}

void lineedit_clear(struct lineedit *le)
{
    (void)le;
}

void lineedit_offer(struct lineedit_words *words, size_t start, const char *word, bool final)
{
    (void)words, (void)start, (void)word, (void) final;
}

#endif
