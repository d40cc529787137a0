/* src/render/words.c - words for what a program, the kernel or a file says. */
#include "render/words.h"
#include <string.h>

const char *words_of_vm_flag(const char *flag)
{
	/* proc_pid_smaps(5), Linux Documentation/filesystems/proc.rst */
	static const struct {
		char flag[3];
		const char *words;
	} rows[] = {
		{ "rd", "readable" },		 { "wr", "writable" },
		{ "ex", "executable" },		 { "sh", "shared" },
		{ "mr", "may be readable" },	 { "mw", "may be writable" },
		{ "me", "may be executable" },	 { "ms", "may be shared" },
		{ "gd", "grows down" },		 { "pf", "page frames without bookkeeping" },
		{ "dw", "writing denied" },	 { "lo", "locked in memory" },
		{ "io", "device memory" },	 { "sr", "read in sequence" },
		{ "rr", "read at random" },	 { "dc", "not copied by fork" },
		{ "de", "cannot be expanded" },	 { "lf", "locked when touched" },
		{ "ac", "accounted" },		 { "nr", "no swap reserved" },
		{ "ht", "hugetlbfs" },		 { "sf", "faults are synchronous" },
		{ "ar", "of this architecture" }, { "wf", "zeros after fork" },
		{ "dd", "not in core dumps" },	 { "sd", "soft-dirty" },
		{ "mm", "mixed with page frames" }, { "hg", "huge pages wanted" },
		{ "nh", "no huge pages" },	 { "mg", "same pages may be merged" },
		{ "bt", "branch targets guarded" }, { "mt", "memory tags" },
		{ "um", "userfaultfd: missing" }, { "uw", "userfaultfd: write-protected" },
		{ "ui", "userfaultfd: minor" },	 { "ss", "shadow stack" },
		{ "sl", "sealed" },		 { "dp", "may be dropped" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].flag, flag) == 0)
			return rows[i].words;
	return flag;
}

const char *words_of_outcome(const struct segmap_outcome *outcome)
{
	bool killed = strncmp(outcome->error, "SIG", 3) == 0;

	if (outcome->by == SEGMAP_ACTOR_KERNEL)
		return killed ? "the kernel will kill it" : "the kernel will refuse it";
	return killed ? "it will die in the dynamic linker" : "the dynamic linker will give up";
}
