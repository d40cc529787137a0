/* tests/unit/read_run.c - running a program to a moment, and what can happen before. */
#include "unit.h"
#include <errno.h>
#include <segmap/run.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 60 };

static const char *before_entry(void)
{
	const char *path = getenv("BEFORE_ENTRY");

	ck_assert_msg(path != NULL, "BEFORE_ENTRY names no program");
	return path;
}

/* A file that processes write their pids to; one line for each. */
static char pids[] = "/tmp/segmap-run-XXXXXX";

static void make_pids(void)
{
	int fd;

	strcpy(pids, "/tmp/segmap-run-XXXXXX");
	fd = mkstemp(pids);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* What /proc says of the state of @pid; 0 if there is no such process. */
static char state_of(int pid)
{
	char path[64], line[512], state = 0;
	const char *fields = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fgets(line, sizeof(line), file))
		fields = strrchr(line, ')');
	fclose(file);
	if (fields)
		sscanf(fields + 1, " %c", &state);
	return state;
}

/* All that have written their pid are dead: gone, or waited for by whoever has adopted them. */
static int count_and_check_dead(void)
{
	FILE *file = fopen(pids, "re");
	int pid, n = 0;

	ck_assert_ptr_nonnull(file);
	while (fscanf(file, "%d", &pid) == 1) {
		char state = state_of(pid);

		ck_assert_msg(!state || state == 'Z' || state == 'X', "%d is there still: %c", pid,
			      state);
		n++;
	}
	fclose(file);
	unlink(pids);
	return n;
}

static struct segmap_run *new_run(const char *path, const char *what, unsigned int seconds)
{
	static char setting[64], where[64], *environment[3];
	struct segmap_run_options options = {
		.path = path,
		.environment = environment,
		.apart = true,
		.seconds = seconds,
	};
	struct segmap_run *run;

	memset(environment, 0, sizeof(environment));
	if (what) {
		make_pids();
		snprintf(setting, sizeof(setting), "DO=%s", what);
		snprintf(where, sizeof(where), "PIDS=%s", pids);
		environment[0] = setting;
		environment[1] = where;
	}
	unit_no_error(segmap_run_new(&options, &run));
	return run;
}

/* Whether a line of /proc/@pid/maps has @words. */
static bool has_map(int pid, const char *words)
{
	char path[64], line[4096];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, words) != NULL;
	fclose(file);
	return found;
}

static const struct {
	const char *what;
	unsigned int seconds;
	enum segmap_run_state state;
	int number;  /* signal or exit status */
	int n_pids; /* processes that there were */
} situations[] = {
	{ "nothing", SECONDS, SEGMAP_RUN_STOPPED, 0, 1 },
	{ "exit", SECONDS, SEGMAP_RUN_EXITED, 41, 1 },
	{ "abort", SECONDS, SEGMAP_RUN_KILLED, SIGABRT, 1 },
	{ "hang", 1, SEGMAP_RUN_TIMED_OUT, 0, 1 },
	{ "spin", 1, SEGMAP_RUN_TIMED_OUT, 0, 1 },
	{ "stop", 1, SEGMAP_RUN_TIMED_OUT, 0, 1 },
	{ "ignore", 1, SEGMAP_RUN_TIMED_OUT, 0, 1 },
	{ "handle", SECONDS, SEGMAP_RUN_STOPPED, 0, 1 },
	{ "read", SECONDS, SEGMAP_RUN_STOPPED, 0, 1 },
	{ "thread", SECONDS, SEGMAP_RUN_STOPPED, 0, 1 },
	{ "fork", SECONDS, SEGMAP_RUN_STOPPED, 0, 2 },
	{ "leave", SECONDS, SEGMAP_RUN_STOPPED, 0, 2 },
	{ "wait", SECONDS, SEGMAP_RUN_STOPPED, 0, 1 },
	{ "replace", SECONDS, SEGMAP_RUN_REPLACED, 0, 1 },
};

START_TEST(way_to_the_entry_ends_as_the_program_has_it)
{
	struct segmap_run *run =
		new_run(before_entry(), situations[_i].what, situations[_i].seconds);
	struct segmap_stop stop;

	unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_EXEC, &stop));
	ck_assert_int_eq(stop.state, SEGMAP_RUN_STOPPED);
	ck_assert_int_gt(stop.pid, 0);
	ck_assert_msg(!has_map(stop.pid, "libc.so"), "a library is there at exec");
	unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
	ck_assert_msg(stop.state == situations[_i].state, "%s: state %d", situations[_i].what,
		      stop.state);
	ck_assert_int_eq(stop.signal + stop.status, situations[_i].number);
	ck_assert_int_eq(stop.pid > 0, stop.state == SEGMAP_RUN_STOPPED);
	if (stop.state == SEGMAP_RUN_STOPPED) {
		ck_assert_msg(has_map(stop.pid, "libc.so"), "no library is there at the entry");
		ck_assert_uint_ge(stop.n_linked, 2);
	} else {
		/* It stays so. */
		unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
		ck_assert_int_eq(stop.state, situations[_i].state);
	}
	segmap_run_free(run);
	ck_assert_int_eq(count_and_check_dead(), situations[_i].n_pids);
	ck_assert_msg(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a child is left");
}
END_TEST

START_TEST(entry_is_reached_without_a_stop_before)
{
	struct segmap_run *run = new_run(before_entry(), NULL, SECONDS);
	struct segmap_stop stop;

	unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
	ck_assert_int_eq(stop.state, SEGMAP_RUN_STOPPED);
	ck_assert(has_map(stop.pid, "libc.so"));
	segmap_run_free(run);
}
END_TEST

START_TEST(run_that_never_began_is_freed)
{
	segmap_run_free(new_run("/bin/true", NULL, SECONDS));
	segmap_run_free(NULL);
}
END_TEST

START_TEST(other_children_and_signals_of_the_caller_are_left_alone)
{
	struct segmap_run *run = new_run(before_entry(), NULL, SECONDS);
	sigset_t before, after;
	struct segmap_stop stop;
	int status;
	pid_t pid;

	sigemptyset(&before);
	sigemptyset(&after);
	sigprocmask(SIG_SETMASK, NULL, &before);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(3);
	unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
	ck_assert_int_eq(stop.state, SEGMAP_RUN_STOPPED);
	segmap_run_free(run);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3);
	sigprocmask(SIG_SETMASK, NULL, &after);
	for (int i = 1; i < 32; i++)
		ck_assert_msg(sigismember(&before, i) == sigismember(&after, i), "signal %d", i);
}
END_TEST

/* Bytes of a file, or none, with a mode. */
static void check_refused(const void *bytes, size_t size, mode_t mode, int errnum)
{
	char path[] = "/tmp/segmap-run-XXXXXX";
	int fd = mkstemp(path);
	struct segmap_run *run;
	struct segmap_stop stop;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	ck_assert_int_eq(fchmod(fd, mode), 0);
	close(fd);
	run = new_run(path, NULL, SECONDS);
	for (int i = 0; i < 2; i++) {
		unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_EXEC, &stop));
		ck_assert_int_eq(stop.state, SEGMAP_RUN_REFUSED);
		ck_assert_int_eq(stop.errnum, errnum);
		ck_assert_int_eq(stop.pid, 0);
	}
	segmap_run_free(run);
	unlink(path);
}

START_TEST(execve_that_is_refused_says_why)
{
	static const char script[] = "#!/no/such/interpreter\n";

	check_refused("", 0, 0700, ENOEXEC);
	check_refused("nonsense", 8, 0700, ENOEXEC);
	check_refused("nonsense", 8, 0600, EACCES);
	check_refused(script, sizeof(script) - 1, 0700, ENOENT);
}
END_TEST

START_TEST(file_that_is_not_there_is_refused)
{
	struct segmap_run *run = new_run("/no/such/program", NULL, SECONDS);
	struct segmap_stop stop;

	unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
	ck_assert_int_eq(stop.state, SEGMAP_RUN_REFUSED);
	ck_assert_int_eq(stop.errnum, ENOENT);
	segmap_run_free(run);
}
END_TEST

/* However segmap ends, the program ends with it: also when nothing is left that could clean up. */
START_TEST(program_dies_with_whoever_runs_it)
{
	int ready[2], status, pid = 0;
	char state;
	pid_t runner;

	make_pids();
	ck_assert_int_eq(pipe(ready), 0);
	runner = fork();
	ck_assert_int_ge(runner, 0);
	if (runner == 0) {
		struct segmap_run *run = new_run(before_entry(), "nothing", 0);
		struct segmap_stop stop;

		unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_ENTRY, &stop));
		unlink(pids);
		if (write(ready[1], &stop.pid, sizeof(stop.pid)) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(ready[0], &pid, sizeof(pid)), sizeof(pid));
	ck_assert_int_eq(state_of(pid), 't');
	kill(runner, SIGKILL);
	ck_assert_int_eq(waitpid(runner, &status, 0), runner);
	for (int i = 0; i < 1000 && (state = state_of(pid)) && state != 'Z' && state != 'X'; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	state = state_of(pid);
	ck_assert_msg(!state || state == 'Z' || state == 'X', "%d outlived it: %c", pid, state);
	unlink(pids);
}
END_TEST

/* A program without randomization is at the same place every time. */
START_TEST(no_aslr_is_for_the_program_alone)
{
	struct segmap_run_options options = { .path = before_entry(), .apart = true,
					      .seconds = SECONDS, .no_aslr = true };
	char first[2][64] = { "", "" };

	for (int i = 0; i < 2; i++) {
		struct segmap_run *run;
		struct segmap_stop stop;
		char path[64];
		FILE *file;

		unit_no_error(segmap_run_new(&options, &run));
		unit_no_error(segmap_run_to(run, SEGMAP_MOMENT_EXEC, &stop));
		ck_assert_int_eq(stop.state, SEGMAP_RUN_STOPPED);
		snprintf(path, sizeof(path), "/proc/%d/maps", stop.pid);
		file = fopen(path, "re");
		ck_assert(file && fgets(first[i], sizeof(first[i]), file));
		fclose(file);
		snprintf(path, sizeof(path), "/proc/%d/personality", stop.pid);
		file = fopen(path, "re");
		ck_assert(file && fgets(path, sizeof(path), file));
		fclose(file);
		ck_assert_uint_eq(strtoul(path, NULL, 16) & 0x0040000, 0x0040000);
		segmap_run_free(run);
	}
	ck_assert_str_eq(first[0], first[1]);
	ck_assert_str_ne(first[0], "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("read/run");
	TCase *tcase = unit_case(suite, "run");

	tcase_add_loop_test(tcase, way_to_the_entry_ends_as_the_program_has_it, 0,
			    N_ROWS(situations));
	tcase_add_test(tcase, entry_is_reached_without_a_stop_before);
	tcase_add_test(tcase, run_that_never_began_is_freed);
	tcase_add_test(tcase, other_children_and_signals_of_the_caller_are_left_alone);
	tcase_add_test(tcase, execve_that_is_refused_says_why);
	tcase_add_test(tcase, file_that_is_not_there_is_refused);
	tcase_add_test(tcase, program_dies_with_whoever_runs_it);
	tcase_add_test(tcase, no_aslr_is_for_the_program_alone);
	return unit_run(suite);
}
