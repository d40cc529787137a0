/* src/cli/watch.c - segmap --watch: one process, as long as it lives. */
#include "cli/watch.h"
#include "cli/screen.h"
#include "cli/show.h"
#include "cli/status.h"
#include "cli/target.h"
#include "render/watch.h"
#include <errno.h>
#include <poll.h>
#include <segmap/process.h>
#include <segmap/watch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct watching {
	struct options *options;
	struct segmap_watch *watch;
	struct segmap_files *files; /* each file is parsed once, */
	size_t n_read;		    /* of so many maps */
	struct segmap_layout *layout; /* as it is; NULL: nothing was read yet */
	struct segmap_text history;   /* a line for all that has happened */
	struct segmap_text latest;    /* the last of it */
	size_t n_changes;	      /* since the beginning */
	bool dropped;		      /* the history has lost its first lines */
	bool marked;		      /* the screen has marks, which stay for one round */
	struct output output;
	struct screen screen;
	int signals; /* descriptor that tells of the signals that wait to act */
	sigset_t awaited;
	bool called_off;  /* by a signal, or: */
	bool reader_gone; /* nobody takes the output any more */
};

/* ---- reading ---- */

/* Files of which only what is in memory can be read pile up: begin anew from time to time. */
static struct segmap_error *choose_files(struct watching *watching, struct segmap_files **old)
{
	enum { MANY = 64 };
	const struct options *options = watching->options;

	*old = NULL;
	if (watching->files && ++watching->n_read % MANY)
		return NULL;
	*old = watching->files;
	watching->files = NULL;
	return segmap_files_new((uint64_t)sysconf(_SC_PAGESIZE),
				options->form == FORM_JSON ? SEGMAP_WANT_SONAME : 0,
				&watching->files);
}

static struct segmap_error *read_map(struct watching *watching, struct segmap_layout **ret)
{
	const struct options *options = watching->options;
	struct segmap_error *error =
		segmap_watch_read(watching->watch, watching->files, options->wanted, ret);

	if (error)
		return error;
	(*ret)->target = strdup(options->targets[0]);
	error = (*ret)->target ? examine(options, watching->files, *ret) :
				 segmap_error_no_memory();
	if (!error)
		return NULL;
	segmap_layout_free(*ret);
	*ret = NULL;
	return error;
}

/* ---- what has happened ---- */

/* The newest lines of a long history are worth more than the oldest. */
static void shorten_history(struct watching *watching)
{
	enum { MOST = 1 << 20 };
	struct segmap_text *history = &watching->history;
	const char *newline;
	size_t cut;

	if (history->size <= MOST)
		return;
	newline = memchr(history->bytes + MOST / 2, '\n', history->size - MOST / 2);
	cut = newline ? (size_t)(newline + 1 - history->bytes) : history->size;
	memmove(history->bytes, history->bytes + cut, history->size - cut);
	history->size -= cut;
	watching->dropped = true;
}

/* The lines of @watching->latest go where they are wanted. */
static struct segmap_error *publish(struct watching *watching)
{
	const struct segmap_text *latest = &watching->latest;

	if (!watching->screen.is_open && watching->options->form == FORM_TABLE) {
		fwrite(latest->bytes, 1, latest->size, stdout);
		fflush(stdout);
	} else if (watching->screen.is_open) {
		segmap_text_append_bytes(&watching->history, latest->bytes, latest->size);
		shorten_history(watching);
	}
	return latest->failed || watching->history.failed ? segmap_error_no_memory() : NULL;
}

static struct segmap_error *tell(struct watching *watching, const struct timespec *time,
				 const char *words)
{
	watching->latest.size = 0;
	append_event(&watching->latest, time, words);
	return publish(watching);
}

/* A whole document for each event. */
static struct segmap_error *write_document(const struct watching *watching)
{
	struct segmap_error *error;

	if (watching->options->form != FORM_JSON)
		return NULL;
	error = show_layout(watching->options, watching->layout, stdout);
	fflush(stdout);
	return error;
}

/* Take @layout for what is, and free what was. */
static void take_layout(struct watching *watching, struct segmap_layout *layout)
{
	segmap_layout_free(watching->layout);
	watching->layout = layout;
}

/* Where it is not a screen that is redrawn, the first map is shown as ever. */
static struct segmap_error *begin(struct watching *watching, struct segmap_layout *layout)
{
	bool is_first = layout->event == SEGMAP_EVENT_FIRST;
	struct segmap_error *error = NULL;

	if (!is_first) {
		char words[64];

		snprintf(words, sizeof(words), "executes another program: %.32s",
			 layout->comm ? layout->comm : "");
		error = tell(watching, &layout->time, words);
	}
	take_layout(watching, layout);
	if (error)
		return error;
	if (watching->options->form == FORM_JSON)
		return write_document(watching);
	if (watching->screen.is_open)
		return NULL;
	if (watching->options->style.frame) {
		error = show_layout(watching->options, layout, stdout);
		fflush(stdout);
	}
	return error;
}

static struct segmap_error *go_on(struct watching *watching, struct segmap_layout *layout)
{
	struct segmap_error *error =
		segmap_layout_follow(watching->layout, layout, &layout->followed);
	struct segmap_text *latest = &watching->latest;
	size_t before = latest->size, n;

	if (error) {
		segmap_layout_free(layout);
		return error;
	}
	n = append_followed(latest, watching->layout, layout, &watching->options->range,
			    &watching->options->style);
	take_layout(watching, layout);
	if (!n)
		return NULL;
	latest->size -= before;
	if (before)
		memmove(latest->bytes, latest->bytes + before, latest->size);
	watching->n_changes += n;
	error = publish(watching);
	return error ? error : write_document(watching);
}

/* It has ended: the last document has no map. */
static struct segmap_error *finish(struct watching *watching)
{
	struct timespec now;
	struct segmap_layout *last = watching->layout, *empty;
	struct segmap_error *error;
	bool copied;

	clock_gettime(CLOCK_REALTIME, &now);
	error = tell(watching, &now, "it has ended");
	if (error || watching->options->form != FORM_JSON)
		return error;
	error = segmap_layout_new(&empty);
	if (error)
		return error;
	empty->event = SEGMAP_EVENT_EXIT;
	empty->source = last->source;
	empty->pid = last->pid;
	empty->page_size = last->page_size;
	empty->time = now;
	empty->target = strdup(last->target);
	empty->comm = last->comm ? strdup(last->comm) : NULL;
	copied = empty->target && (empty->comm || !last->comm);
	take_layout(watching, empty); /* the last one is gone now */
	return copied ? write_document(watching) : segmap_error_no_memory();
}

/* Look at it once; *@ends: there is nothing more to come. */
static struct segmap_error *look(struct watching *watching, bool *changed, bool *ends)
{
	struct segmap_layout *layout = NULL;
	struct segmap_files *old = NULL;
	enum segmap_event event;
	struct segmap_error *error = segmap_watch_look(watching->watch, &event);

	*changed = *ends = false;
	if (error || event == SEGMAP_EVENT_NONE)
		return error;
	*changed = true;
	/* Where there was no map yet, the error is why: it is a zombie, for one. */
	if (event != SEGMAP_EVENT_EXIT || !watching->layout) {
		error = choose_files(watching, &old);
		if (!error)
			error = read_map(watching, &layout);
	}
	/* It can end at any time, and then has no map, or a zombie's. */
	if (watching->layout &&
	    (event == SEGMAP_EVENT_EXIT ||
	     (error && (error->code == SEGMAP_ERROR_NO_PROCESS ||
			error->code == SEGMAP_ERROR_NO_MEMORY_MAP)))) {
		segmap_error_free(error);
		*ends = true;
		error = finish(watching);
	} else if (!error) {
		layout->event = event;
		error = event == SEGMAP_EVENT_CHANGE && watching->layout ? go_on(watching, layout) :
									  begin(watching, layout);
	}
	segmap_files_free(old);
	return error;
}

/* ---- the screen ---- */

/* What stays above the map: whose it is, how much has changed, and how last. */
static void make_head(const struct watching *watching, struct segmap_text *head)
{
	enum { MOST = 6 };
	const char *at = watching->latest.bytes, *end = at + watching->latest.size;
	char words[128];

	snprintf(words, sizeof(words),
		 "every %g s, %zu change%s; q quits, arrows scroll", watching->options->watch_seconds,
		 watching->n_changes, watching->n_changes == 1 ? "" : "s");
	segmap_text_append_trusted(head, words);
	segmap_text_append_char(head, '\n');
	for (int i = 0; i < MOST && at && at < end; i++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t size = (size_t)((newline ? newline + 1 : end) - at);

		segmap_text_append_bytes(head, at, size);
		at += size;
	}
}

static struct segmap_error *redraw(struct watching *watching)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text head = { 0 }, body = { 0 };
	struct segmap_error *error;
	FILE *file;

	if (!watching->screen.is_open || !watching->layout)
		return NULL;
	settle_style(watching->options, stdout);
	file = open_memstream(&body.bytes, &body.size);
	if (!file)
		return segmap_error_no_memory();
	error = show_layout(watching->options, watching->layout, file);
	if (fclose(file) && !error)
		error = segmap_error_no_memory();
	make_head(watching, &head);
	if (!error && head.failed)
		error = segmap_error_no_memory();
	if (!error)
		screen_draw(&watching->screen, &head, &body);
	return error;
}

/* Marks stay until the next round. */
static void clear_marks(struct watching *watching)
{
	if (!watching->layout)
		return;
	segmap_followed_free(watching->layout->followed);
	watching->layout->followed = NULL;
	watching->latest.size = 0;
}

/* ---- signals, keys and time ---- */

static const int awaited_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH };

/* They wait until the terminal is as it was, and then act. What is ignored or waits already is left so. */
static struct segmap_error *await_signals(struct watching *watching)
{
	sigset_t before;

	sigemptyset(&watching->awaited);
	sigprocmask(SIG_SETMASK, NULL, &before);
	for (size_t i = 0; i < sizeof(awaited_signals) / sizeof(awaited_signals[0]); i++) {
		int number = awaited_signals[i];
		struct sigaction action;

		if (!sigismember(&before, number) && !sigaction(number, NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			sigaddset(&watching->awaited, number);
	}
	sigprocmask(SIG_BLOCK, &watching->awaited, NULL);
	watching->signals = signalfd(-1, &watching->awaited, SFD_CLOEXEC | SFD_NONBLOCK);
	return watching->signals < 0 ? segmap_error_system(errno, "--watch", "wait for signals") :
				       NULL;
}

/* Has @number come it acts now; this returns if that does not end it. */
static void let_act(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* See to the signals that have come; whether the screen has to be drawn again. */
static bool take_signals(struct watching *watching)
{
	sigset_t come;

	sigpending(&come);
	sigandset(&come, &come, &watching->awaited);
	if (sigisemptyset(&come))
		return false;
	if (sigismember(&come, SIGTSTP)) {
		screen_hide(&watching->screen);
		let_act(SIGTSTP); /* and is back when it is continued */
		screen_show(&watching->screen);
	} else if (sigismember(&come, SIGWINCH)) {
		let_act(SIGWINCH); /* does nothing, and is gone */
	} else {
		watching->called_off = true;
	}
	screen_measure(&watching->screen);
	return true;
}

static int64_t now_in_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Wait until @deadline, or the process has ended. Keys and signals are seen to meanwhile; *@ends: one
 * of them says that it is enough.
 */
static struct segmap_error *wait_until(struct watching *watching, int64_t deadline, bool *ends)
{
	enum { SIGNALS, PROCESS, KEYS, READER, N };
	struct pollfd polls[N] = {
		[SIGNALS] = { .fd = watching->signals, .events = POLLIN },
		[PROCESS] = { .fd = segmap_watch_fd(watching->watch), .events = POLLIN },
		[KEYS] = { .fd = watching->screen.has_keys ? STDIN_FILENO : -1, .events = POLLIN },
		/* Whoever reads it may have gone: that shows without anything being written. */
		[READER] = { .fd = watching->screen.is_open ? -1 : STDOUT_FILENO },
	};
	struct segmap_error *error = NULL;
	bool has_looked = false;
	int64_t left;

	*ends = false;
	/* At least once, where one look takes as long as the time between two. */
	while (!error && !*ends && ((left = deadline - now_in_ms()) > 0 || !has_looked)) {
		bool again = false;

		has_looked = true;
		if (left < 0)
			left = 0;

		if (poll(polls, N, left < INT32_MAX ? (int)left : INT32_MAX) < 0 && errno != EINTR)
			return segmap_error_system(errno, "--watch", "wait");
		again = take_signals(watching);
		if (polls[KEYS].revents) {
			enum key key = screen_keys(&watching->screen);

			*ends = key == KEY_QUIT || polls[KEYS].revents & (POLLERR | POLLHUP);
			again |= key == KEY_SCROLLED;
		}
		if (polls[READER].revents & (POLLERR | POLLHUP))
			watching->reader_gone = watching->called_off = true;
		*ends |= watching->called_off;
		if (polls[PROCESS].revents)
			break;
		if (again && !*ends)
			error = redraw(watching);
	}
	return error;
}

/* ---- all ---- */

static struct segmap_error *run_rounds(struct watching *watching)
{
	int64_t interval = (int64_t)(watching->options->watch_seconds * 1000);
	bool ends = false;

	while (!ends) {
		int64_t began = now_in_ms();
		bool changed;
		struct segmap_error *error = look(watching, &changed, &ends);

		if (!error && (changed || watching->marked) && !ends) {
			if (!changed)
				clear_marks(watching);
			error = redraw(watching);
			watching->marked = changed;
		}
		ends |= output_failed(&watching->output);
		if (!error && !ends)
			error = wait_until(watching, began + interval, &ends);
		if (error)
			return error;
	}
	return NULL;
}

/* What has happened, for the normal screen. */
static void leave_history(const struct watching *watching)
{
	const struct segmap_text *history = &watching->history;

	if (!watching->screen.is_open || !watching->layout)
		return;
	printf("%d: %zu change%s\n", watching->layout->pid, watching->n_changes,
	       watching->n_changes == 1 ? "" : "s");
	if (watching->dropped)
		puts("(earlier ones are left out)");
	if (history->size)
		fwrite(history->bytes, 1, history->size, stdout);
	fflush(stdout);
}

static void watching_free(struct watching *watching)
{
	screen_hide(&watching->screen);
	segmap_layout_free(watching->layout);
	segmap_files_free(watching->files);
	segmap_watch_free(watching->watch);
	segmap_text_free(&watching->history);
	segmap_text_free(&watching->latest);
	if (watching->signals >= 0)
		close(watching->signals);
}

/* What has called it off acts now, as if it had not been awaited. */
static void end_by_signal(const struct watching *watching)
{
	/* Nobody will read it, but it makes a SIGPIPE. */
	if (watching->reader_gone) {
		putchar('\n');
		fflush(stdout);
	}
	sigprocmask(SIG_UNBLOCK, &watching->awaited, NULL);
}

/* All that is left to do; the exit status. */
static int end(struct watching *watching, struct segmap_error *error)
{
	struct segmap_error *unwritten;

	screen_hide(&watching->screen);
	leave_history(watching);
	if (error)
		report(error);
	if (watching->called_off)
		end_by_signal(watching);
	unwritten = output_commit(&watching->output, true);
	if (unwritten)
		report(unwritten);
	return error || unwritten ? STATUS_NOT_SHOWN : STATUS_SHOWN;
}

int watch_process(struct options *options)
{
	__attribute__((cleanup(watching_free))) struct watching watching = { .options = options,
									     .signals = -1 };
	bool figures = options->style.figures != FIGURES_NONE;
	struct segmap_error *error;
	int pid;

	tzset();
	settle_style(options, stdout);
	error = output_open(NULL, &watching.output);
	if (error) {
		report(error);
		return STATUS_NOT_SHOWN;
	}
	error = target_one(options->targets[0], &pid);
	if (!error)
		error = segmap_watch_open(pid, figures, &watching.watch);
	if (!error)
		error = await_signals(&watching);
	if (!error && options->form == FORM_TABLE) {
		screen_open(&watching.screen);
		screen_show(&watching.screen);
	}
	if (!error)
		error = confine(options, NULL, SANDBOX_WATCHED, NULL);
	if (!error)
		error = run_rounds(&watching);
	return end(&watching, error);
}
