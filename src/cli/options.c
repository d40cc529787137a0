/* src/cli/options.c - the command line. */
#include "cli/options.h"
#include <bsd/stdlib.h>
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Every option once: getopt's tables and --help are made from this. The manual (docs/segmap.1) and
 * the completions (docs/completions/) have them too, and a test says which they lack. */
struct option_row {
	int value; /* its letter, or an OPTION_ if it has none; 0: a heading, which is in help */
	const char *name; /* NULL if it has none */
	int has_arg;
	const char *arg; /* as --help shows it */
	const char *help;
};

enum {
	OPTION_COLOUR = 256,
	OPTION_OUTPUT_FILE,
	OPTION_EXPLAIN,
	OPTION_AS,
	OPTION_MOMENT,
	OPTION_NO_DEPS,
	OPTION_NO_ASLR,
	OPTION_PAGE_SIZE,
	OPTION_VERIFY,
	OPTION_SUMMARY,
	OPTION_SORT,
	OPTION_MAPS,
	OPTION_CORE,
	OPTION_SYSROOT,
	OPTION_AT,
	OPTION_RUN,
	OPTION_TRACE,
	OPTION_ALL,
	OPTION_NO_SANDBOX,
	OPTION_QUIZ,
	OPTION_SEED,
	OPTION_SVG,
	OPTION_HTML,
	OPTION_LEGEND,
	OPTION_DIFF,
	OPTION_WATCH,
	OPTION_AUDIT,
};

static const struct option_row rows[] = {
	{ .help = "Which map:" },
	{ OPTION_ALL, "all", no_argument, "",
	  "every process: one summary of them; with -J, -x, -X or -S each" },
	{ OPTION_RUN, "run", no_argument, "",
	  "run a program, stop it at its entry point, show it, let it go on" },
	{ OPTION_TRACE, "trace", no_argument, "",
	  "with --run: each call by which its memory came about, and what it is for" },
	{ OPTION_EXPLAIN, "explain", no_argument, "",
	  "predict the map of programs or libraries, and say why; nothing is run" },
	{ OPTION_VERIFY, "verify", no_argument, "",
	  "with --explain: run the program, compare, and kill it" },
	{ OPTION_NO_DEPS, "no-deps", no_argument, "",
	  "with --explain: the program and its interpreter only" },
	{ OPTION_AS, "as", required_argument, " WHAT",
	  "with --explain: take the file for a program, or for a library" },
	{ OPTION_QUIZ, "quiz", no_argument, "",
	  "ask about a program's predicted map; -J: questions and key, -q: questions" },
	{ OPTION_SEED, "seed", required_argument, " N", "with --quiz: the same questions again" },
	{ OPTION_MAPS, "maps", required_argument, " FILE",
	  "not a process: a saved /proc/PID/maps or smaps, - for standard input" },
	{ OPTION_CORE, "core", required_argument, " FILE", "not a process: a core dump" },
	{ OPTION_SYSROOT, "sysroot", required_argument, " DIR",
	  "with --maps, --core: look for the files below DIR" },
	{ OPTION_MOMENT, "moment", required_argument, " LIST",
	  "of a program: exec, entry (the default), exit (only --run), or a list" },
	{ OPTION_NO_ASLR, "no-aslr", no_argument, "",
	  "with --explain, --run: without address randomization" },
	{ OPTION_PAGE_SIZE, "page-size", required_argument, " BYTES",
	  "with --explain, --maps, --core: of the machine in question" },
	{ OPTION_DIFF, "diff", no_argument, " A B",
	  "what differs but for load bases: two processes, documents, explain:PROGRAM" },
	{ OPTION_WATCH, "watch", optional_argument, "[=SECONDS]",
	  "again and again, each second or so often, marking what changed" },
	{ .help = "What of it:" },
	{ OPTION_AT, "at", required_argument, " ADDRESS",
	  "what is at this address, symbol, image!symbol, image+0xoff, .section" },
	{ 'S', "sections", no_argument, "",
	  "a row for each section, header, padding and spill under its VMA" },
	{ 'x', "extended", no_argument, "",
	  "memory use: Rss, Pss, Dirty, Anonymous, Swap; with -S of each section" },
	{ 'X', NULL, no_argument, "", "memory use, the columns of pmap -X; -XX: all that smaps has" },
	{ OPTION_SUMMARY, "summary", no_argument, "",
	  "what the memory is made of: a row for each file and use" },
	{ OPTION_SORT, "sort", required_argument, " COLUMN", "with --summary: by this column" },
	{ OPTION_AUDIT, "audit", no_argument, "",
	  "what is not as the files promise; with --all, --explain too" },
	{ 'o', "output", required_argument, " LIST",
	  "show these columns; +LIST adds to the default ones" },
	{ 'H', "list-columns", no_argument, "", "describe all columns (--summary -H: of a summary)" },
	{ 'p', "show-path", no_argument, "", "full paths instead of base names" },
	{ 'A', "range", required_argument, " LOW[,HIGH]",
	  "only VMAs that overlap these addresses (hexadecimal, HIGH included)" },
	{ .help = "In which form:" },
	{ 'q', "quiet", no_argument, "", "no header and footer lines" },
	{ 'n', "noheadings", no_argument, "", "no line with the names of the columns" },
	{ 'b', "bytes", no_argument, "", "exact sizes in bytes" },
	{ OPTION_COLOUR, "color", optional_argument, "[=WHEN]",
	  "in colour: auto (the default: on a terminal), always, never" },
	{ OPTION_LEGEND, "legend", no_argument, "", "say what colours and marks mean" },
	{ 'r', "raw", no_argument, "", "one record a line, fields separated by one blank" },
	{ 'J', "json", no_argument, "", "one JSON document a line for each process" },
	{ OPTION_SVG, "svg", no_argument, "", "a picture: the files, the memory, what went where" },
	{ OPTION_HTML, "html", no_argument, "",
	  "the same as a page with a table, to look around in" },
	{ OPTION_OUTPUT_FILE, "output-file", required_argument, " FILE", "write there, whole or not at all" },
	{ OPTION_NO_SANDBOX, "no-sandbox", no_argument, "", "give up no privileges, for debugging segmap" },
	{ 'h', "help", no_argument, "", "show this help" },
	{ 'V', "version", no_argument, "", "show the version" },
};

enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* The option's letter; 0 if it has none. */
static char letter_of(const struct option_row *row)
{
	return row->value < OPTION_COLOUR ? (char)row->value : '\0';
}

static struct segmap_error *usage(const char *what, const char *why)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, what, "%s", why);
}

/* An address as pmap takes it: hexadecimal, with or without 0x. */
static bool parse_address(const char *text, size_t size, uint64_t *ret)
{
	uint64_t value = 0;

	if (size > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		text += 2;
		size -= 2;
	}
	if (!size || size > 16)
		return false;
	for (size_t i = 0; i < size; i++) {
		const char *digits = "0123456789abcdef", *at;
		char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 32) : text[i];

		at = c ? strchr(digits, c) : NULL;
		if (!at)
			return false;
		value = value << 4 | (uint64_t)(at - digits);
	}
	*ret = value;
	return true;
}

static struct segmap_error *parse_range(const char *text, struct range *ret)
{
	const char *comma = strchr(text, ',');
	size_t low_size = comma ? (size_t)(comma - text) : strlen(text);
	struct range range;

	/* As pmap: a side that is left out is open; one address alone is just that. */
	range.low = 0;
	range.high = UINT64_MAX;
	if ((low_size || !comma) && !parse_address(text, low_size, &range.low))
		return usage(text, "an address range is LOW[,HIGH], in hexadecimal");
	if (!comma)
		range.high = range.low;
	else if (comma[1] && !parse_address(comma + 1, strlen(comma + 1), &range.high))
		return usage(text, "an address range is LOW[,HIGH], in hexadecimal");
	if (range.low > range.high)
		return usage(text, "LOW lies behind HIGH");
	*ret = range;
	return NULL;
}

/* @list: the options that list those there are. */
static struct segmap_error *no_column(const char *option, const char *name, size_t size,
				      const char *list)
{
	return segmap_error_new(SEGMAP_ERROR_FORMAT, option,
				"there is no column \"%.*s\" (%s has all)",
				(int)(size < 64 ? size : 64), name, list);
}

/* Append the columns that @list names, separated by commas. */
static struct segmap_error *add_columns(struct selection *selection, const char *list)
{
	const struct column **array;
	size_t n = 1;

	for (const char *at = list; *at; at++)
		n += *at == ',';
	array = reallocarray(selection->array, selection->n + n, sizeof(*array));
	if (!array)
		return segmap_error_no_memory();
	selection->array = array;
	for (const char *at = list;; at++) {
		size_t size = strcspn(at, ",");
		const struct column *column = column_find(at, size);

		if (!column)
			return no_column("--output", at, size, "--list-columns");
		array[selection->n++] = column;
		at += size;
		if (!*at)
			return NULL;
	}
}

static struct segmap_error *add_summary_columns(struct summary_selection *selection,
						const char *list)
{
	for (const char *at = list;; at++) {
		size_t size = strcspn(at, ",");
		int column = summary_column_find(at, size);

		if (column < 0)
			return no_column("--output", at, size, "--summary --list-columns");
		if (selection->n == sizeof(selection->array) / sizeof(selection->array[0]))
			return usage("--output", "these are too many columns");
		selection->array[selection->n++] = column;
		at += size;
		if (!*at)
			return NULL;
	}
}

static struct segmap_error *make_summary_selection(struct options *options, const char *list,
						   const char *sort)
{
	struct summary_selection *selection = &options->summary_selection;
	struct segmap_error *error = NULL;

	selection->sort = -1;
	if (sort && (selection->sort = summary_column_find(sort, strlen(sort))) < 0)
		return no_column("--sort", sort, strlen(sort), "--summary --list-columns");
	if (!list || list[0] == '+')
		error = add_summary_columns(selection, options->all ? default_census_columns :
								      default_summary_columns);
	if (!error && list)
		error = add_summary_columns(selection, list[0] == '+' ? list + 1 : list);
	return error;
}

static struct segmap_error *make_selection(struct options *options, const char *list,
					   const char *sort)
{
	bool watched = options->watch_seconds > 0;
	const char *basic = default_columns(options->style.figures, options->style.pieces || watched);
	struct segmap_error *error = NULL;

	if (options->summary)
		return make_summary_selection(options, list, sort);
	if (watched && (!list || list[0] == '+'))
		error = add_columns(&options->selection, "CHANGE");
	if (!error && (!list || list[0] == '+'))
		error = add_columns(&options->selection, basic);
	if (!error && list)
		error = add_columns(&options->selection, list[0] == '+' ? list + 1 : list);
	return error;
}

/* What has to be read for the columns that are shown. */
static unsigned int what_is_wanted(const struct options *options)
{
	bool figures = options->style.figures != FIGURES_NONE, pages = false;
	unsigned int beside = (options->audit ? SEGMAP_WANT_AUDIT : 0) |
			      (options->n_asked ? SEGMAP_WANT_STATES : 0);

	if (options->summary)
		return SEGMAP_WANT_FIGURES | SEGMAP_WANT_PAGES |
		       (options->all ? SEGMAP_WANT_BRIEF : SEGMAP_WANT_ROLLUP);
	for (size_t i = 0; i < options->selection.n; i++) {
		figures |= options->selection.array[i]->costs;
		pages |= options->selection.array[i]->pages;
	}
	if (!figures)
		return beside;
	if (pages)
		return SEGMAP_WANT_FIGURES | SEGMAP_WANT_PAGES | SEGMAP_WANT_ALL_PAGES;
	return beside | SEGMAP_WANT_FIGURES |
	       (options->style.pieces || options->form == FORM_JSON || options->diff ?
			SEGMAP_WANT_PAGES :
			0);
}

static struct segmap_error *parse_colour(const char *text, enum colour *ret)
{
	static const char *const words[] = {
		[COLOUR_AUTO] = "auto", [COLOUR_ALWAYS] = "always", [COLOUR_NEVER] = "never",
	};

	for (int i = 0; i < 3; i++) {
		if (!text || strcmp(text, words[i]) == 0) {
			*ret = text ? (enum colour)i : COLOUR_ALWAYS;
			return NULL;
		}
	}
	return usage("--color", "it is auto, always or never");
}

static struct segmap_error *parse_as(const char *text, enum segmap_as *ret)
{
	if (strcmp(text, "program") == 0)
		*ret = SEGMAP_AS_PROGRAM;
	else if (strcmp(text, "library") == 0)
		*ret = SEGMAP_AS_LIBRARY;
	else
		return usage("--as", "it is program or library");
	return NULL;
}

/* A comma list of moments, each at most once, in the order in which they will be shown. */
static struct segmap_error *parse_moments(const char *text, struct options *options)
{
	static const struct {
		const char *word;
		enum segmap_moment moment;
	} words[MOST_MOMENTS] = { { "exec", SEGMAP_MOMENT_EXEC },
				  { "entry", SEGMAP_MOMENT_ENTRY },
				  { "exit", SEGMAP_MOMENT_EXIT } };

	options->n_moments = 0;
	for (const char *at = text;; at++) {
		size_t size = strcspn(at, ","), i;

		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strlen(words[i].word) == size && strncmp(at, words[i].word, size) == 0)
				break;
		if (i == sizeof(words) / sizeof(words[0]))
			return usage("--moment", "moments are exec, entry and exit, parted by commas");
		for (size_t j = 0; j < options->n_moments; j++)
			if (options->moments[j] == words[i].moment)
				return usage("--moment", "a moment is named twice");
		options->moments[options->n_moments++] = words[i].moment;
		at += size;
		if (!*at)
			return NULL;
	}
}

static struct segmap_error *parse_page_size(const char *text, uint64_t *ret)
{
	enum { SMALLEST = 4096, LARGEST = 16 << 20 };
	const char *problem = NULL;
	long long value = strtonum(text, SMALLEST, LARGEST, &problem);

	if (problem || (value & (value - 1)))
		return usage("--page-size", "it is a power of two, from 4096 bytes to 16777216");
	*ret = (uint64_t)value;
	return NULL;
}

static struct segmap_error *parse_seed(const char *text, struct options *options)
{
	const char *problem = NULL;

	options->seed = (uint32_t)strtonum(text, 0, UINT32_MAX, &problem);
	options->has_seed = true;
	return problem ? usage("--seed", "it is a number from 0 to 4294967295") : NULL;
}

static struct segmap_error *parse_seconds(const char *text, double *ret)
{
	const double least = 0.01, most = 86400;
	char *end;
	double seconds;

	*ret = 1;
	if (!text)
		return NULL;
	seconds = strtod(text, &end);
	if (!text[0] || *end || !(seconds >= least && seconds <= most))
		return usage("--watch", "it is a number of seconds from 0.01 to 86400");
	*ret = seconds;
	return NULL;
}

static struct segmap_error *apply(struct options *options, int value, const char *arg,
				  const char **list)
{
	switch (value) {
	case 'x':
		if (options->style.figures < FIGURES_FEW)
			options->style.figures = FIGURES_FEW;
		break;
	case 'X':
		options->style.figures = options->style.figures < FIGURES_MOST ? FIGURES_MOST :
										 FIGURES_ALL;
		break;
	case 'S':
		options->style.pieces = true;
		break;
	case 'o':
		*list = arg;
		break;
	case 'H':
		options->list_columns = true;
		break;
	case 'p':
		options->style.full_paths = true;
		break;
	case 'A':
		options->has_range = true;
		return parse_range(arg, &options->range);
	case 'q':
		options->style.frame = options->style.heading = false;
		break;
	case 'n':
		options->style.heading = false;
		break;
	case 'b':
		options->style.bytes = true;
		break;
	case 'r':
		options->form = FORM_RAW;
		break;
	case 'J':
		options->form = FORM_JSON;
		break;
	case OPTION_SVG:
		options->form = FORM_SVG;
		break;
	case OPTION_HTML:
		options->form = FORM_HTML;
		break;
	case OPTION_LEGEND:
		options->legend = true;
		break;
	case OPTION_EXPLAIN:
		options->explain = true;
		break;
	case OPTION_RUN:
		options->run = true;
		break;
	case OPTION_TRACE:
		options->trace = true;
		break;
	case OPTION_VERIFY:
		options->verify = true;
		break;
	case OPTION_AS:
		return parse_as(arg, &options->predict.as);
	case OPTION_MOMENT:
		return parse_moments(arg, options);
	case OPTION_NO_DEPS:
		options->predict.no_deps = true;
		break;
	case OPTION_NO_ASLR:
		options->predict.no_aslr = true;
		break;
	case OPTION_PAGE_SIZE:
		return parse_page_size(arg, &options->predict.page_size);
	case OPTION_QUIZ:
		options->quiz = true;
		break;
	case OPTION_SEED:
		return parse_seed(arg, options);
	case OPTION_AT:
		options->asked[options->n_asked++] = arg;
		break;
	case OPTION_MAPS:
		options->n_sources++;
		options->maps = arg;
		break;
	case OPTION_CORE:
		options->n_sources++;
		options->core = arg;
		break;
	case OPTION_SYSROOT:
		options->elsewhere.sysroot = arg;
		break;
	case OPTION_COLOUR:
		return parse_colour(arg, &options->colour);
	case OPTION_AUDIT:
		options->audit = true;
		break;
	case OPTION_ALL:
		options->all = true;
		break;
	case OPTION_NO_SANDBOX:
		options->no_sandbox = true;
		break;
	case OPTION_WATCH:
		return parse_seconds(arg, &options->watch_seconds);
	case OPTION_DIFF:
		options->diff = true;
		break;
	case OPTION_SUMMARY:
		options->summary = true;
		break;
	case OPTION_OUTPUT_FILE:
		options->output_file = arg;
		break;
	case 'h':
		options->help = true;
		break;
	case 'V':
		options->version = true;
		break;
	}
	return NULL;
}

static void make_getopt_tables(char *letters, struct option *names)
{
	*letters++ = '-'; /* what is no option comes in its place: see take_word() */
	*letters++ = ':'; /* tell a missing argument from an unknown option */
	for (size_t i = 0; i < N_ROWS; i++) {
		if (!rows[i].value)
			continue;
		if (rows[i].name)
			*names++ = (struct option){ rows[i].name, rows[i].has_arg, NULL,
						    rows[i].value };
		if (!letter_of(&rows[i]))
			continue;
		*letters++ = letter_of(&rows[i]);
		if (rows[i].has_arg == required_argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

static struct segmap_error *check_explain(struct options *options)
{
	if (!options->n_targets)
		return usage("--explain", "name a program or a library");
	for (size_t i = 0; i < options->n_moments; i++)
		if (options->moments[i] == SEGMAP_MOMENT_EXIT)
			return usage("--moment", "how a program exits cannot be explained before it runs");
	if (options->verify && options->predict.no_deps)
		return usage("--verify", "it does not go with --no-deps: libraries would be compared "
					 "with nothing");
	if (options->verify && options->predict.as == SEGMAP_AS_LIBRARY)
		return usage("--verify", "a library cannot be run");
	if (options->verify && options->predict.page_size &&
	    options->predict.page_size != (uint64_t)sysconf(_SC_PAGESIZE))
		return usage("--verify", "this machine has another page size");
	options->all_moments = options->verify && !options->n_moments;
	if (options->all_moments)
		options->moments[options->n_moments++] = SEGMAP_MOMENT_EXEC;
	if (options->all_moments || !options->n_moments)
		options->moments[options->n_moments++] = SEGMAP_MOMENT_ENTRY;
	return NULL;
}

/* An option that was given and means something for --explain alone; NULL if there is none. */
static const char *of_explain(const struct options *options)
{
	return options->verify		    ? "--verify" :
	       options->predict.as	    ? "--as" :
	       options->predict.no_deps	    ? "--no-deps" :
	       options->predict.page_size ? "--page-size" : NULL;
}

/* Likewise for --explain and --run. */
static const char *of_program(const struct options *options)
{
	return options->n_moments ? "--moment" : options->predict.no_aslr ? "--no-aslr" : NULL;
}

/* --maps or --core: what is to be shown is named once, in one way. */
static struct segmap_error *check_source(struct options *options)
{
	const char *source = options->maps ? "--maps" : "--core", *alien;

	options->elsewhere.page_size = options->predict.page_size;
	options->predict.page_size = 0;
	alien = of_explain(options) ? of_explain(options) : of_program(options);
	if (options->n_sources > 1)
		return usage(source, "one file at a time: one --maps or one --core");
	if (options->n_targets)
		return usage(options->targets[0], options->maps ?
							  "a process does not go with --maps" :
							  "a process does not go with --core");
	if (options->explain || options->run || alien)
		return usage(alien ? alien : options->run ? "--run" : "--explain", "it does not go with --maps or --core");
	return (options->maps ? options->maps : options->core)[0] ?
		       NULL :
		       usage(source, "its name is empty");
}

static struct segmap_error *check_run(struct options *options)
{
	bool entry = !options->n_moments;

	if (options->explain)
		return usage("--run", "it does not go with --explain, which runs nothing");
	if (!options->n_targets)
		return usage("--run", "name a program, and its arguments behind it");
	if (of_explain(options))
		return usage(of_explain(options), "it goes with --explain");
	for (size_t i = 0; i < options->n_moments; i++)
		entry |= options->moments[i] == SEGMAP_MOMENT_ENTRY;
	for (size_t i = 0; i < options->n_asked; i++)
		if (strcmp(options->asked[i], "-") == 0)
			return usage("--at", "standard input is the program's own");
	if (options->trace && options->n_asked)
		return usage("--trace", "it does not go with --at");
	if (options->trace && !entry)
		return usage("--trace", "it goes up to the entry point, which --moment leaves out");
	if (options->trace && options->form == FORM_RAW)
		return usage("--trace", "it does not go with --raw");
	if ((options->form == FORM_SVG || options->form == FORM_HTML) && options->n_moments > 1)
		return usage("--moment", "of a program that is run a picture is of one moment");
	if (!options->n_moments)
		options->moments[options->n_moments++] = SEGMAP_MOMENT_ENTRY;
	return NULL;
}

/* What would be asked is the map of one program, here, and as it is always shown. */
static struct segmap_error *check_quiz(struct options *options, const char *list)
{
	const char *alien = of_explain(options) ? of_explain(options) : of_program(options);

	if (options->n_targets != 1)
		return usage("--quiz", "name one program");
	if (options->explain || options->run || options->all || options->n_sources)
		return usage("--quiz", "it does not go with --explain, --run, --all, --maps and --core");
	if (alien)
		return usage(alien, "it does not go with --quiz");
	if ((options->form != FORM_TABLE && options->form != FORM_JSON) || options->legend ||
	    list || options->has_range || options->style.pieces || options->summary ||
	    options->style.figures != FIGURES_NONE || options->n_asked)
		return usage("--quiz", "it has no table: of the forms only --json and --quiet go "
				       "with it");
	if (options->output_file && options->form != FORM_JSON && options->style.frame)
		return usage("--output-file", "with --quiz it goes with --json or --quiet");
	options->moments[options->n_moments++] = SEGMAP_MOMENT_EXEC;
	options->moments[options->n_moments++] = SEGMAP_MOMENT_ENTRY;
	return NULL;
}

const char *options_explained(const char *target)
{
	static const char prefix[] = "explain:";

	return strncmp(target, prefix, sizeof(prefix) - 1) == 0 ? target + sizeof(prefix) - 1 : NULL;
}

static struct segmap_error *check_diff(struct options *options, const char *list)
{
	bool predicts = false;

	if (options->n_targets != 2)
		return usage("--diff", "name two: a process, a saved JSON document, explain:PROGRAM");
	for (int i = 0; i < options->n_targets; i++)
		predicts |= options_explained(options->targets[i]) != NULL;
	if (options->explain || options->run || options->n_sources || options->all)
		return usage("--diff", "it does not go with --explain, --run, --maps, --core and --all");
	if (options->summary || options->n_asked || options->has_range || options->style.pieces || list)
		return usage("--diff", "it does not go with --summary, --at, --range, --sections and "
				       "--output");
	if (options->form == FORM_SVG || options->form == FORM_HTML)
		return usage("--diff", "of the forms only the table, --raw and --json go with it");
	if (of_explain(options))
		return usage(of_explain(options), "it goes with --explain");
	if (of_program(options) && !predicts)
		return usage(of_program(options), "with --diff, it goes with explain:PROGRAM");
	if (options->n_moments > 1 || (options->n_moments && options->moments[0] == SEGMAP_MOMENT_EXIT))
		return usage("--moment", "with --diff, it is exec or entry");
	if (!options->n_moments)
		options->moments[options->n_moments++] = SEGMAP_MOMENT_ENTRY;
	return NULL;
}

static struct segmap_error *check_watch(struct options *options)
{
	if (options->n_targets != 1)
		return usage("--watch", "name one process");
	if (options->explain || options->run || options->n_sources || options->all || options->diff)
		return usage("--watch", "it does not go with --explain, --run, --maps, --core, --all and "
					"--diff");
	if (options->summary || options->n_asked || options->legend)
		return usage("--watch", "it does not go with --summary, --at and --legend");
	if (options->form != FORM_TABLE && options->form != FORM_JSON)
		return usage("--watch", "of the forms only the table and --json go with it");
	if (options->output_file)
		return usage("--output-file", "it does not go with --watch, which does not end");
	if (of_explain(options) || of_program(options))
		return usage(of_explain(options) ? of_explain(options) : of_program(options),
			     "it does not go with --watch");
	return NULL;
}

/* Which forms were asked for. */
struct forms {
	bool raw, json, svg, html;
};

/* --svg or --html: a picture is of a whole map, and of nothing else. */
static struct segmap_error *check_picture(const struct options *options, const char *list)
{
	const char *form = options->form == FORM_SVG ? "--svg" : "--html";

	if (options->all)
		return usage(form, "it does not go with --all: name the processes");
	if (options->summary)
		return usage(form, "it does not go with --summary");
	if (options->n_asked)
		return usage(form, "it does not go with --at; --range narrows a picture");
	if (options->trace)
		return usage(form, "it does not go with --trace");
	if (list || options->style.figures != FIGURES_NONE)
		return usage(form, "a picture has no columns: it does not go with -o, -x and -X");
	return NULL;
}

static struct segmap_error *check_forms(const struct options *options, const struct forms *forms,
					const char *list)
{
	if (forms->raw && forms->json)
		return usage("--raw", "it does not go with --json");
	if (forms->svg && forms->html)
		return usage("--svg", "it does not go with --html");
	if ((forms->svg || forms->html) && (forms->raw || forms->json))
		return usage(forms->svg ? "--svg" : "--html", "it does not go with --raw and --json");
	if (forms->json && list)
		return usage("--output", "JSON is always whole: it does not go with --json");
	if (options->legend && (options->form != FORM_TABLE || options->summary || options->n_asked ||
				options->diff))
		return usage("--legend", "it goes with the table of a map");
	return forms->svg || forms->html ? check_picture(options, list) : NULL;
}

/* Findings are shown instead of the map; a JSON document has both. */
static struct segmap_error *check_audit(const struct options *options, bool json, const char *list)
{
	if (list || options->style.pieces || options->has_range || options->summary)
		return usage("--audit", "it does not go with --output, --sections, --range and "
					"--summary: it has its own form");
	if (options->style.figures != FIGURES_NONE && !json)
		return usage("--audit", "figures of memory go with it in JSON only");
	if (options->run || options->n_asked || options->quiz || options->legend)
		return usage("--audit", "it does not go with --run, --at, --quiz and --legend");
	if (options->watch_seconds > 0 || options->diff)
		return usage("--audit", "it does not go with --watch and --diff");
	if (options->form == FORM_SVG || options->form == FORM_HTML)
		return usage("--audit", "a picture has no findings");
	if (options->verify)
		return usage("--audit", "it does not go with --verify");
	return NULL;
}

/* --all is a summary, unless what is asked for is of each process. */
static void settle_summary(struct options *options, bool json)
{
	options->summary |= options->all && !json && !options->style.pieces && !options->audit &&
			    options->style.figures == FIGURES_NONE;
}

static struct segmap_error *check(struct options *options, const struct forms *forms,
				  const char *list, const char *sort)
{
	struct segmap_error *error;

	if (options->audit && (error = check_audit(options, forms->json, list)))
		return error;
	if (sort && !options->summary)
		return usage("--sort", "it goes with --summary");
	error = check_forms(options, forms, list);
	if (error)
		return error;
	if (options->output_file && !options->output_file[0])
		return usage("--output-file", "its name is empty");
	if (options->elsewhere.sysroot && !options->n_sources)
		return usage("--sysroot", "it goes with --maps or --core");
	if (options->trace && !options->run)
		return usage("--trace", "it goes with --run");
	if (options->quiz)
		return check_quiz(options, list);
	if (options->has_seed)
		return usage("--seed", "it goes with --quiz");
	if (options->watch_seconds > 0)
		return check_watch(options);
	if (options->diff)
		return check_diff(options, list);
	if (options->all && (options->explain || options->run || options->n_sources))
		return usage("--all", "it does not go with --explain, --run, --maps and --core");
	if (options->all && options->n_asked)
		return usage("--all", "it does not go with --at: addresses are of one process");
	if (options->all && options->n_targets)
		return usage("--all", "it shows every process: name none");
	if (options->explain && (options->summary || options->style.figures != FIGURES_NONE))
		return usage("--explain", "a program that is not run takes no memory");
	if (options->n_asked && (list || options->style.pieces || options->has_range))
		return usage("--at", "it does not go with --output, --sections and --range");
	if (options->n_asked && (options->summary || options->style.figures != FIGURES_NONE))
		return usage("--at", "it does not go with figures of memory: it has each page's state");
	if (options->n_asked && options->explain)
		return usage("--at", "it does not go with --explain: nothing is there yet");
	if (options->n_sources)
		return check_source(options);
	if (options->run)
		return check_run(options);
	if (options->explain)
		return check_explain(options);
	if (of_explain(options))
		return usage(of_explain(options), options->predict.page_size &&
								  of_explain(options)[2] == 'p' ?
							  "it goes with --explain, --maps or --core" :
							  "it goes with --explain");
	if (of_program(options))
		return usage(of_program(options), "it goes with --explain or --run");
	if (!options->n_targets && !options->all && !options->legend)
		return usage("", "name a process: a pid, /proc/PID, or its name");
	return NULL;
}

/* After all else was found right: standard input is read once. */
static struct segmap_error *read_questions(struct options *options)
{
	struct segmap_error *error = NULL;
	bool has_read = options->maps && strcmp(options->maps, "-") == 0;

	for (size_t i = 0; i < options->n_asked && !error; i++) {
		bool reads = strcmp(options->asked[i], "-") == 0;

		if (reads && has_read)
			return usage("--at", "standard input can be read for one thing only");
		has_read |= reads;
		error = questions_add(&options->questions, options->asked[i], stdin);
	}
	return error;
}

/*
 * The word before argv[optind] is no option: a target, kept in order at the front
 * of argv, where everything has been read. Behind --run it is the program, and
 * all that follows is the program's own; then false: nothing more is read.
 */
static bool take_word(struct options *options, char **argv)
{
	if (options->run) {
		optind--;
		return false;
	}
	argv[1 + options->n_targets++] = argv[optind - 1];
	return true;
}

/* What getopt has left unread, behind "--" or from the program on, are targets too. */
static struct segmap_error *take_rest(struct options *options, int argc, char **argv)
{
	if (options->run && options->n_targets)
		return usage("--run", "the program stands behind it");
	if (options->run) {
		options->targets = argv + optind;
		options->n_targets = argc - optind;
		return NULL;
	}
	options->targets = argv + 1;
	while (optind < argc)
		argv[1 + options->n_targets++] = argv[optind++];
	return NULL;
}

/* getopt_long() has returned @value for something in @word. */
static struct segmap_error *not_understood(int value, const char *word)
{
	char letter[3] = { '-', (char)optopt, '\0' };
	bool is_letter = optopt > 0 && optopt < 256 && strncmp(word, "--", 2) != 0;

	return usage(is_letter ? letter : word,
		     value == ':'	  ? "an argument is missing" :
		     optopt && !is_letter ? "it takes no argument" :
					    "there is no such option");
}

struct segmap_error *options_parse(int argc, char **argv, struct options *ret)
{
	struct options options = {
		.style = { .heading = true, .frame = true },
		.range = { 0, UINT64_MAX },
	};
	struct option names[N_ROWS + 1] = { 0 };
	char letters[2 * N_ROWS + 3];
	struct forms forms = { 0 };
	const char *list = NULL, *sort = NULL;
	int value;

	options.asked = reallocarray(NULL, (size_t)argc + 1, sizeof(*options.asked));
	if (!options.asked)
		return segmap_error_no_memory();
	make_getopt_tables(letters, names);
	opterr = 0;
	for (;;) {
		struct segmap_error *error = NULL;
		int at = optind; /* of the word that is read, or of that with more letters to come */

		value = getopt_long(argc, argv, letters, names, NULL);
		if (value == -1)
			break;
		if (value == 1) {
			if (!take_word(&options, argv))
				break;
			continue;
		}
		if (value == ':' || value == '?') {
			options_free(&options);
			return not_understood(value, argv[at]);
		}
		forms.raw |= value == 'r';
		forms.json |= value == 'J';
		forms.svg |= value == OPTION_SVG;
		forms.html |= value == OPTION_HTML;
		if (value == OPTION_SORT)
			sort = optarg;
		error = apply(&options, value, optarg, &list);
		if (error) {
			options_free(&options);
			return error;
		}
		if (options.help || options.version) {
			*ret = options;
			return NULL;
		}
	}
	settle_summary(&options, forms.json);
	/* Which columns there are is for what stands behind it to say, too. */
	if (options.list_columns) {
		*ret = options;
		return NULL;
	}
	struct segmap_error *error = take_rest(&options, argc, argv);

	if (!error)
		error = check(&options, &forms, list, sort);
	if (!error)
		error = make_selection(&options, list, sort);
	if (!error)
		error = read_questions(&options);
	if (!error && (forms.svg || forms.html))
		error = page_new(forms.html, &options.page);
	if (error) {
		options_free(&options);
		return error;
	}
	options.wanted = what_is_wanted(&options);
	*ret = options;
	return NULL;
}

void options_free(struct options *options)
{
	free(options->selection.array);
	options->selection = (struct selection){ 0 };
	questions_free(&options->questions);
	page_free(options->page);
	options->page = NULL;
	free(options->asked);
	options->asked = NULL;
}

/* Words, in lines of the width of a terminal: those after the first begin at column @indent. */
static void print_wrapped(FILE *file, const char *text, int indent)
{
	enum { WIDTH = 80 };
	int column = indent;

	while (*text) {
		int size = (int)strcspn(text, " ");

		if (column > indent && column + 1 + size > WIDTH)
			column = fprintf(file, "\n%*s", indent, "") - 1;
		else if (column > indent)
			column += fprintf(file, " ");
		column += fprintf(file, "%.*s", size, text);
		text += size;
		text += strspn(text, " ");
	}
	fputc('\n', file);
}

static void print_row(FILE *file, const struct option_row *row)
{
	enum { HELP_COLUMN = 28 };
	int width = letter_of(row) ? fprintf(file, "  -%c", letter_of(row)) : fprintf(file, "    ");

	if (row->name)
		width += fprintf(file, "%s--%s%s", letter_of(row) ? ", " : "  ", row->name, row->arg);
	fprintf(file, "%*s", width < HELP_COLUMN ? HELP_COLUMN - width : 2, "");
	print_wrapped(file, row->help, HELP_COLUMN);
}

void options_print_help(FILE *file)
{
	fputs("Usage: segmap [options] TARGET...\n"
	      "       segmap [options] --all\n"
	      "       segmap [options] --run [--] PROGRAM [ARG...]\n"
	      "       segmap [options] --explain [--] PROGRAM...\n"
	      "       segmap [options] --quiz PROGRAM\n"
	      "       segmap [options] --maps FILE | --core FILE\n"
	      "       segmap [options] --diff A B\n"
	      "Show which sections of which ELF files the memory of a process is made of.\n"
	      "\n"
	      "TARGET is a pid, /proc/PID, or the name of processes. For each VMA there is a\n"
	      "row with the names of its sections under it; > marks a section that begins in\n"
	      "an earlier VMA or goes on in a later one.\n",
	      file);
	for (size_t i = 0; i < N_ROWS; i++) {
		if (rows[i].value)
			print_row(file, &rows[i]);
		else
			fprintf(file, "\n%s\n", rows[i].help);
	}
	fputs("\n"
	      "An ADDRESS is hexadecimal and begins with a digit; --at - reads one a line from\n"
	      "standard input. --all leaves out segmap itself, kernel threads, zombies and,\n"
	      "unless run by root, processes of other users.\n"
	      "\n"
	      "Exit status: 0 all was shown; 1 nothing could be shown, or a program is\n"
	      "predicted to be refused or killed; 2 wrong usage; 3 --verify or --diff has\n"
	      "found a difference, --audit something that is more than information; 64 some\n"
	      "targets were shown and some not. With --run: the program's own; 1 if it could\n"
	      "not be started. The manual is segmap(1).\n",
	      file);
}

void options_print_columns(FILE *file)
{
	for (size_t i = 0; all_columns[i].name; i++)
		fprintf(file, "%-15s %s\n", all_columns[i].name, all_columns[i].help);
}

void options_print_summary_columns(FILE *file)
{
	for (size_t i = 0; summary_column_names[i]; i++)
		fprintf(file, "%-15s %s\n", summary_column_names[i], summary_column_help(i));
}
