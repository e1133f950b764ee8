/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sdl_ask: the question before the guest is ended. SDL's own message box forks, and opens a second
 * connection to the X server: the confined process may do neither. So it is a panel in the window.
 */
#include "ui/sdl_window.h"
#include "ui/words.h"

#define SCALE  2
#define WIDTH  416
#define HEIGHT 112
#define LINE   (WORDS_HEIGHT * SCALE)

#define PAPER 0x00202020u
#define EDGE  0x00C0C0C0u
#define INK   0x00FFFFFFu

static const char question[] = "Power off the guest?";
static const char warning[] = "It is not asked to shut down.";
static const struct {
    const char *text;
    SDL_Rect place; /* in the panel */
    enum window_answer answer;
} buttons[] = {
    {"Yes", {48, 72, 128, 28}, WINDOW_ANSWER_YES},
    {"No", {240, 72, 128, 28}, WINDOW_ANSWER_NO},
};
#define BUTTONS (sizeof(buttons) / sizeof(buttons[0]))

static SDL_Rect place_of_panel(int width, int height)
{
    return (SDL_Rect){(width - WIDTH) / 2, (height - HEIGHT) / 2, WIDTH, HEIGHT};
}

static void frame(SDL_Surface *on, const SDL_Rect *r)
{
    const SDL_Rect inner = {r->x + 2, r->y + 2, r->w - 4, r->h - 4};

    SDL_FillRect(on, r, EDGE);
    SDL_FillRect(on, &inner, PAPER);
}

static void centre(const struct surface *s, const SDL_Rect *in, int y, const char *text)
{
    words_draw(s, in->x + (in->w - words_width(text, SCALE)) / 2, y, SCALE, INK, text);
}

void window_ask_draw(SDL_Surface *target)
{
    static uint32_t pixels[WIDTH * HEIGHT];
    const struct surface words = {.width = WIDTH, .height = HEIGHT, .pixels = pixels};
    const SDL_Rect whole = {0, 0, WIDTH, HEIGHT};
    SDL_Rect to = place_of_panel(target->w, target->h);
    SDL_Surface *panel = SDL_CreateRGBSurfaceWithFormatFrom(pixels, WIDTH, HEIGHT, 32, WIDTH * 4,
                                                            SDL_PIXELFORMAT_RGB888);

    if (!panel)
        return;
    frame(panel, &whole);
    centre(&words, &whole, 16, question);
    centre(&words, &whole, 40, warning);
    for (size_t i = 0; i < BUTTONS; i++) {
        const SDL_Rect *r = &buttons[i].place;

        frame(panel, r);
        centre(&words, r, r->y + (r->h - LINE) / 2, buttons[i].text);
    }
    SDL_BlitSurface(panel, NULL, target, &to);
    SDL_FreeSurface(panel);
}

enum window_answer window_ask_event(const struct window *w, const SDL_Event *event)
{
    SDL_Rect at;
    SDL_Point hit;
    int width, height;

    if (event->type == SDL_KEYDOWN && event->key.keysym.sym == SDLK_y)
        return WINDOW_ANSWER_YES;
    if (event->type == SDL_KEYDOWN &&
        (event->key.keysym.sym == SDLK_n || event->key.keysym.sym == SDLK_ESCAPE))
        return WINDOW_ANSWER_NO;
    if (event->type != SDL_MOUSEBUTTONDOWN || event->button.button != SDL_BUTTON_LEFT)
        return WINDOW_ANSWER_NONE;
    SDL_GetWindowSize(w->window, &width, &height);
    at = place_of_panel(width, height);
    hit = (SDL_Point){event->button.x - at.x, event->button.y - at.y};
    for (size_t i = 0; i < BUTTONS; i++)
        if (SDL_PointInRect(&hit, &buttons[i].place))
            return buttons[i].answer;
    return WINDOW_ANSWER_NONE;
}
