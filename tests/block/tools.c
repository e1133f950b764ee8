/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tools: see tools.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/block/tools.h"

static char dir[256];

const char *tools_dir(void)
{
    if (dir[0])
        return dir;
    /* The build directory first: /tmp may be a tmpfs, which is unlike what images live on. */
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof(dir), "%s/image-test.XXXXXX",
             tmp                          ? tmp
             : access("build", W_OK) == 0 ? "build"
                                          : "/tmp");
    if (!mkdtemp(dir))
        fail_msg("no scratch directory");
    return dir;
}

void tools_leave(void)
{
    char command[512];

    if (!dir[0])
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command))
        print_message("cannot remove %s\n", dir);
    dir[0] = 0;
}

bool tools_there(void)
{
    static int there = -1;

    if (there < 0) {
        there = !system("qemu-img --version >/dev/null 2>&1 && qemu-io --version >/dev/null 2>&1");
        if (!there)
            print_message("skip: qemu-img and qemu-io are missing (Debian package qemu-utils)\n");
    }
    return there;
}

static int run(const char *fmt, va_list args)
{
    char line[8192], command[8700];

    vsnprintf(line, sizeof(line), fmt, args);
    snprintf(command, sizeof(command), "{ %s ; } >'%s/log' 2>&1", line, tools_dir());
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int tools_run(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int r = run(fmt, args);
    va_end(args);
    return r;
}

const char *tools_output(void)
{
    static char text[4096];
    char path[512];

    snprintf(path, sizeof(path), "%s/log", tools_dir());
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    text[n] = 0;
    if (f)
        fclose(f);
    return text;
}

void tools_must(const char *fmt, ...)
{
    char line[2048];
    va_list args;

    va_start(args, fmt);
    int r = run(fmt, args);
    va_end(args);
    if (!r)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    fail_msg("%s: exit status %d\n%s", line, r, tools_output());
}

int tools_check(const char *format, const char *path)
{
    return tools_run("qemu-img check -f %s '%s'", format, path);
}
