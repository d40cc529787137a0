/*
 * tests/predict/driver.c - what the model says of files.
 *
 *     driver [OPTION...] [PROGRAM] [+LIBRARY...]
 *
 *     --interp=FILE    the program's interpreter, if it can be opened
 *     --musl           the dynamic linker is musl's, else glibc's
 *     --glibc=MINOR    its version, 36 (the default) for 2.36
 *     --no-libc        nothing loaded has ld.so in its DT_NEEDED
 *     --static         a static program's start-up applies its RELRO
 *     --preload        libraries are of LD_PRELOAD: what cannot be mapped is left out
 *     --pkeys          the processor has protection keys
 *     --calls          print the calls as well
 *
 * Each moment is a line "moment exec END REASON ERRNO SIGNAL" and then a line
 * for each VMA: image (0 program, 1 interpreter, then libraries), addresses
 * minus the image's bias, permissions, file offset, "file" or "anon".
 */
#include "predict/exec.h"
#include "predict/ldso.h"
#include "predict/musl.h"
#include "read/bytes.h"
#include "read/elf.h"
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <segmap/vma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, MAX_LIBRARIES = 512 };

static struct {
	const char *interp;
	unsigned int minor;
	bool musl, no_libc, is_static, preload, pkeys, calls;
	int interp_errnum;
} options = { .minor = 36 };

static const char *const ends[] = { "goes-on", "refused", "killed", "exits", "left-out" };
static const char *const reasons[] = {
	"-", "foreign", "bad-interp-path", "no-interp", "interp-foreign", "interp-no-load",
	"unaligned-off", "filesz-over-memsz", "out-of-range", "not-mapped", "zero-past-eof",
	"not-writable", "no-load", "no-dynamic", "not-a-library", "order", "relro-not-mapped",
	"textrel-not-mapped",
};

/* NULL: it is no ELF file, or one that segmap refuses. */
static struct segmap_elf *parse(const char *path, int *errnum)
{
	struct elf_scratch scratch = { 0 };
	struct segmap_error *error;
	struct segmap_elf *elf = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	*errnum = 0;
	if (fd < 0 || fstat(fd, &st)) {
		*errnum = errno;
		return NULL;
	}
	struct bytes bytes = { .read = bytes_read_fd, .name = path, .fd = fd,
			       .size = (uint64_t)st.st_size, .on_disk = (uint64_t)st.st_size };

	error = elf_parse(&bytes, 0, PAGE, SEGMAP_WANT_SONAME, &scratch, &elf);
	if (error)
		warnx("%s: %s", path, error->why);
	segmap_error_free(error);
	elf_scratch_free(&scratch);
	close(fd);
	return elf;
}

static void print_moment(const char *moment, struct fate fate, const struct space *space,
			 const struct load *const *loads)
{
	printf("moment %s %s %s %d %d\n", moment, ends[fate.end], reasons[fate.reason], fate.errnum,
	       fate.signal);
	for (size_t i = 0; i < space->n_vmas; i++) {
		const struct space_vma *vma = &space->vmas[i];
		uint32_t first;
		const struct load *load;
		char perms[5];

		if (space_causes(space, vma, &first, 1) < 1)
			errx(1, "a VMA that no call made");
		load = loads[space->calls[first].image];
		segmap_perms_format(vma->prot, false, perms);
		printf("%" PRId32 " %" PRIx64 " %" PRIx64 " %s %" PRIx64 " %s\n", load->image,
		       segmap_vaddr(vma->start, load->bias), segmap_vaddr(vma->end, load->bias),
		       perms, vma->off, vma->file ? "file" : "anon");
	}
}

static void print_calls(const struct space *space)
{
	for (size_t i = 0; i < space->n_calls; i++) {
		const struct segmap_call *call = &space->calls[i];
		char perms[5];

		segmap_perms_format(call->prot, false, perms);
		printf("call %zu %s %s %" PRIx64 "-%" PRIx64 " %s %" PRIx64 " image %" PRId32
		       " segment %" PRId32 " = %d: %s", i, segmap_actor_word(call->actor),
		       segmap_call_word(call->name), call->start, call->end, perms, call->off,
		       call->image, call->segment, call->errnum, segmap_reason_word(call->reason));
		for (unsigned int n = 0; segmap_reason_number(call->reason, n); n++)
			printf(" %s=0x%" PRIx64, segmap_reason_number(call->reason, n),
			       call->numbers[n]);
		printf(" (%s)\n", call->source);
	}
}

/* The dynamic linker: libraries are mapped in order and relocated from the last to the first. */
static struct fate link_all(struct load *program, struct load *interp, struct load *libraries,
			    size_t n)
{
	struct fate fates[MAX_LIBRARIES], fate;

	for (size_t i = 0; i < n; i++) {
		fates[i] = options.musl ? musl_map(&libraries[i], options.preload) :
					  ldso_map(&libraries[i], options.preload);
		printf("library %zu %s %s\n", i, ends[fates[i].end], reasons[fates[i].reason]);
		if (fates[i].end == FATE_KILLED || fates[i].end == FATE_EXITS)
			return fates[i];
	}
	for (size_t i = n; i-- > 0;) {
		if (fates[i].end != FATE_GOES_ON)
			continue;
		fate = options.musl ? musl_relocate(&libraries[i]) : ldso_relocate(&libraries[i]);
		if (fate.end != FATE_GOES_ON)
			return fate;
	}
	fate = fate_goes_on();
	if (program)
		fate = options.musl ? musl_relocate(program) : ldso_relocate(program);
	if (fate.end == FATE_GOES_ON && interp && options.musl)
		fate = musl_relocate(interp);
	else if (fate.end == FATE_GOES_ON && interp &&
		 ldso_protects_itself(options.minor, !options.no_libc))
		fate = ldso_protect_itself(interp);
	return fate;
}

static bool take_option(const char *option)
{
	struct {
		const char *name;
		bool *flag;
	} flags[] = { { "--musl", &options.musl },	  { "--no-libc", &options.no_libc },
		      { "--static", &options.is_static }, { "--preload", &options.preload },
		      { "--pkeys", &options.pkeys },	  { "--calls", &options.calls } };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(option, flags[i].name) == 0)
			return *flags[i].flag = true;
	if (strncmp(option, "--interp=", 9) == 0)
		return (options.interp = option + 9);
	if (strncmp(option, "--glibc=", 8) == 0)
		return (options.minor = (unsigned int)atoi(option + 8));
	return false;
}

int main(int argc, char **argv)
{
	static struct load libraries[MAX_LIBRARIES];
	static const struct load *loads[MAX_LIBRARIES + 2];
	struct space space = { 0 };
	struct load program = { .space = &space }, interp = { .space = &space, .image = 1 };
	struct exec_params params;
	struct exec_result result = { .fate = fate_goes_on() };
	size_t n_libraries = 0;
	int i, errnum;

	for (i = 1; i < argc && argv[i][0] == '-'; i++)
		if (!take_option(argv[i]))
			errx(2, "%s: unknown option", argv[i]);
	if (i < argc && argv[i][0] != '+') {
		program.elf = parse(argv[i++], &errnum);
		if (!program.elf)
			errx(3, "%s: no program", argv[i - 1]);
	}
	for (; i < argc && n_libraries < MAX_LIBRARIES; i++) {
		struct load *library = &libraries[n_libraries];

		*library = (struct load){ .space = &space, .image = (int32_t)n_libraries + 2 };
		library->elf = parse(argv[i] + 1, &errnum);
		if (!library->elf)
			errx(3, "%s: no library", argv[i]);
		loads[library->image] = library;
		n_libraries++;
	}
	if (options.interp)
		interp.elf = parse(options.interp, &options.interp_errnum);
	loads[0] = &program;
	loads[1] = &interp;
	if (program.elf || n_libraries)
		exec_defaults(program.elf ? program.elf : libraries[0].elf, PAGE, &space.limits,
			      &params);
	space.limits.pkeys = options.pkeys;
	params.interp_errnum = options.interp_errnum;
	if (program.elf) {
		exec_program(&params, &program, interp.elf ? &interp : NULL, &result);
		printf("bias %" PRIx64 " %" PRIx64 "\n", program.bias, interp.bias);
		print_moment("exec", result.fate, &space, loads);
	}
	if (result.fate.end == FATE_GOES_ON) {
		if (program.elf && !program.elf->interp)
			result.fate = options.is_static ? ldso_start_static(&program) :
							  fate_goes_on();
		else
			result.fate = link_all(program.elf ? &program : NULL,
					       interp.elf ? &interp : NULL, libraries,
					       n_libraries);
		print_moment("entry", result.fate, &space, loads);
	}
	if (options.calls)
		print_calls(&space);
	for (size_t n = 0; n < n_libraries + 2; n++)
		segmap_elf_free((struct segmap_elf *)loads[n]->elf);
	if (space.failed)
		errx(4, "out of memory");
	space_free(&space);
	return 0;
}
