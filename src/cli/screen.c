/* src/cli/screen.c - the terminal as a screen that is redrawn. */
#include "cli/screen.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ECMA-48 and, for the alternate screen (1049), the line wrap (7) and the cursor (25), xterm's private modes. */
#define SHOW "\033[?1049h\033[?7l\033[?25l"
#define HIDE "\033[?25h\033[?7h\033[?1049l"
#define HOME "\033[H"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"

static void set_keys(const struct screen *screen, bool raw)
{
	struct termios mode = screen->as_it_was;

	if (!screen->has_keys)
		return;
	if (raw) {
		/* Signals keep their keys. */
		mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		mode.c_cc[VMIN] = 0;
		mode.c_cc[VTIME] = 0;
	}
	tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

void screen_show(struct screen *screen)
{
	if (!screen->is_open || screen->is_shown)
		return;
	set_keys(screen, true);
	fputs(SHOW, stdout);
	fflush(stdout);
	screen->is_shown = true;
}

void screen_hide(struct screen *screen)
{
	if (!screen->is_shown)
		return;
	fputs(HIDE, stdout);
	fflush(stdout);
	set_keys(screen, false);
	screen->is_shown = false;
}

void screen_open(struct screen *screen)
{
	const char *term = getenv("TERM");

	screen->is_open = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	screen->has_keys = screen->is_open && isatty(STDIN_FILENO) &&
			   tcgetattr(STDIN_FILENO, &screen->as_it_was) == 0;
	screen_measure(screen);
}

bool screen_measure(struct screen *screen)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	size_t rows = screen->rows, columns = screen->columns;

	if (screen->is_open && (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_row))
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	screen->rows = size.ws_row;
	screen->columns = size.ws_col;
	return rows != screen->rows || columns != screen->columns;
}

static size_t count_lines(const struct segmap_text *text)
{
	size_t n = 0;

	for (size_t i = 0; i < text->size; i++)
		n += text->bytes[i] == '\n';
	return n;
}

/* The beginning of line @number, or the end. */
static const char *find_line(const struct segmap_text *text, size_t number)
{
	const char *at = text->bytes, *end = text->bytes + text->size;

	while (number && at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));

		at = newline ? newline + 1 : end;
		number--;
	}
	return at;
}

/* Write up to @most lines of @text from line @first on; returns how many there were. */
static size_t put_lines(const struct segmap_text *text, size_t first, size_t most)
{
	const char *at = find_line(text, first), *end = text->bytes + text->size;
	size_t n = 0;

	for (; at < end && n < most; n++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((newline ? newline : end) - at);

		fwrite(at, 1, size, stdout);
		fputs(CLEAR_LINE, stdout);
		/* Behind the last row a newline would scroll. */
		if (n + 1 < most)
			fputc('\n', stdout);
		at += size + (newline != NULL);
	}
	return n;
}

void screen_draw(struct screen *screen, const struct segmap_text *head,
		 const struct segmap_text *body)
{
	size_t n_head = count_lines(head), room;

	if (n_head >= screen->rows)
		n_head = screen->rows - 1;
	room = screen->rows - n_head;
	screen->n_lines = count_lines(body);
	if (screen->n_lines <= room)
		screen->top = 0;
	else if (screen->top > screen->n_lines - room)
		screen->top = screen->n_lines - room;
	fputs(HOME, stdout);
	put_lines(head, 0, n_head);
	if (n_head)
		fputc('\n', stdout);
	put_lines(body, screen->top, room);
	fputs(CLEAR_BELOW, stdout);
	fflush(stdout);
}

/* Scroll by so many lines, as far as there are any; screen_draw() sees to the end. */
static void scroll(struct screen *screen, long lines)
{
	if (lines < 0 && (size_t)-lines > screen->top)
		screen->top = 0;
	else
		screen->top += (size_t)lines;
	if (screen->top > screen->n_lines)
		screen->top = screen->n_lines;
}

enum key screen_keys(struct screen *screen)
{
	static const struct {
		const char *bytes; /* as xterm sends it */
		int pages, lines;
	} keys[] = {
		{ "j", 0, 1 },		{ "k", 0, -1 },		{ "\033[B", 0, 1 },
		{ "\033OB", 0, 1 },	{ "\033[A", 0, -1 },	{ "\033OA", 0, -1 },
		{ " ", 1, 0 },		{ "\033[6~", 1, 0 },	{ "\033[5~", -1, 0 },
		{ "\033[H", -1000000, 0 }, { "\033[F", 1000000, 0 },
	};
	char bytes[256];
	ssize_t size = screen->has_keys ? read(STDIN_FILENO, bytes, sizeof(bytes)) : 0;
	enum key result = KEY_NONE;

	for (ssize_t at = 0; at < size; at++) {
		if (bytes[at] == 'q' || bytes[at] == 'Q')
			return KEY_QUIT;
		for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
			size_t length = strlen(keys[i].bytes);

			if ((size_t)(size - at) < length ||
			    memcmp(bytes + at, keys[i].bytes, length) != 0)
				continue;
			scroll(screen, keys[i].lines + keys[i].pages * (long)screen->rows / 2);
			at += (ssize_t)length - 1;
			result = KEY_SCROLLED;
			break;
		}
	}
	return result;
}
