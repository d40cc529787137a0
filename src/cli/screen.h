/* src/cli/screen.h - the terminal as a screen that is redrawn, and that is left as it was. */
#ifndef CLI_SCREEN_H
#define CLI_SCREEN_H

#include <segmap/text.h>
#include <stdbool.h>
#include <stddef.h>
#include <termios.h>

struct screen {
	bool is_open;	   /* standard output is a terminal that can be redrawn */
	bool has_keys;	   /* standard input is one, too, and keys come one by one */
	bool is_shown;	   /* the alternate screen is there */
	struct termios as_it_was;
	size_t rows, columns;
	size_t top; /* the first line of the text that is shown */
	size_t n_lines; /* of the text */
};

/* What the user wants, by a key. */
enum key {
	KEY_NONE,
	KEY_QUIT,
	KEY_SCROLLED, /* the screen has another top line now */
};

/* Take the terminal, if standard output is one; else @screen is not open. */
void screen_open(struct screen *screen);

/* Give it back as it was, for the time being or for good; screen_show() takes it again. */
void screen_hide(struct screen *screen);
void screen_show(struct screen *screen);

/* Ask how large it is; whether that is another size than before. */
bool screen_measure(struct screen *screen);

/* Show @head, whose lines stay, and below it as much of @body as there is room for. */
void screen_draw(struct screen *screen, const struct segmap_text *head,
		 const struct segmap_text *body);

/* Take the keys that were pressed. */
enum key screen_keys(struct screen *screen);

#endif
