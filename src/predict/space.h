/* src/predict/space.h - a model of an address space: system calls and what they leave. */
#ifndef PREDICT_SPACE_H
#define PREDICT_SPACE_H

#include <segmap/call.h>
#include <stddef.h>

/* In the number of a file: its file system is mounted noexec. */
#define SPACE_NOEXEC (UINT32_C(1) << 31)

/*
 * VMAs as Linux keeps them (mm/vma.c). Two neighbours become one where they
 * touch and have the same file, the same prot and account, offsets that go on,
 * and no two different anon_vmas. That is looked at when something is mapped or
 * protected, for the range concerned and its two neighbours, and never again.
 */
struct space_vma {
	uint64_t start, end; /* [start, end), page-aligned, start < end */
	uint64_t off;	     /* bytes into the file; 0 if anonymous */
	uint32_t file;	     /* which file, by a number that the caller gives; 0: anonymous */
	int prot;	     /* PROT_* */
	/*
	 * VM_ACCOUNT: the kernel has counted the pages as memory that could be
	 * needed. A private mapping has it from the moment it is writable, and keeps
	 * it (mm/vma.c:accountable_mapping, mm/mprotect.c:mprotect_fixup).
	 */
	bool account;
	uint32_t anon_vma; /* whose pages were written; 0: no page was */
	uint32_t cause;	   /* see space_causes() */
};

/* Bounds that the caller knows; a mapping outside fails as the kernel's would. */
struct space_limits {
	uint64_t page_size; /* bytes, a power of two */
	uint64_t min_addr;  /* vm.mmap_min_addr, or 0 for whoever may map below it */
	uint64_t task_size; /* first address that no mapping can have (TASK_SIZE) */
	uint64_t mmap_base; /* below this, as high as possible, goes what has no place of its own */
	/*
	 * Bytes of private writable memory that one call can have: RAM and swap, with
	 * vm.overcommit_memory=0 (mm/util.c:__vm_enough_memory). 0: no limit.
	 */
	uint64_t commit;
	/*
	 * The processor has protection keys: what is executable and neither readable
	 * nor writable has a key of its own (mm/mmap.c:do_mmap, execute_only_pkey),
	 * and shares no anon_vma with a neighbour that has not.
	 */
	bool pkeys;
	size_t max_vmas; /* vm.max_map_count; 0: 65530 */
};

/* One node of what made a VMA: a call, after what two others made (0: nothing). */
struct space_cause {
	uint32_t call;
	uint32_t before[2];
};

/* Zero-initialize, set @limits; free with space_free(). */
struct space {
	struct space_limits limits;
	bool read_implies_exec; /* personality(2): whatever is readable becomes executable */
	struct space_vma *vmas; /* sorted */
	size_t n_vmas, cap_vmas;
	struct segmap_call *calls; /* in the order they were made */
	size_t n_calls, cap_calls;
	struct space_cause *causes; /* causes[0] is none */
	size_t n_causes, cap_causes;
	uint32_t last_anon_vma;
	bool failed; /* out of memory: what follows means nothing. Checked once, at the end */
};

void space_free(struct space *space);

/*
 * Make @call, which is kept in @calls with its errnum set to what is returned:
 * 0 or an errno value, as the kernel would. @file is what is mapped, 0 for
 * anonymous memory. The changes that Linux makes before it fails are made.
 */

/*
 * mmap(MAP_PRIVATE | MAP_FIXED) of [call->start, call->end) (mm/vma.c:__mmap_region). What is
 * mounted noexec is not mapped executable: EPERM (mm/mmap.c:do_mmap, path_noexec()).
 */
int space_mmap(struct space *space, struct segmap_call *call, uint32_t file);

/*
 * Anonymous memory as the kernel's loader makes it (mm/mmap.c:vm_brk_flags,
 * mm/vma.c:do_brk_flags): rw-, and x if call->prot has it; merged with what is
 * before it only. An empty range is no call at all.
 */
int space_brk(struct space *space, struct segmap_call *call);
int space_munmap(struct space *space, struct segmap_call *call);

/*
 * mprotect (mm/mprotect.c): up to the first address that is not mapped, then ENOMEM, or
 * that may not become executable, then EACCES.
 */
int space_mprotect(struct space *space, struct segmap_call *call);

/*
 * Keep a call that changes no VMA: bytes are written. With @written the pages
 * of [call->start, call->end) get an anon_vma, which they share with a
 * neighbour that is like them (mm/vma.c:find_mergeable_anon_vma).
 */
void space_note(struct space *space, struct segmap_call *call, bool written);

/* Pages of [start, end) are written, as by relocations; no call. */
void space_touch(struct space *space, uint64_t start, uint64_t end);

/*
 * The highest page-aligned place of @size bytes below limits.mmap_base where
 * nothing is, as mmap without an address takes it; 0 if there is none
 * (mm/mmap.c:generic_get_unmapped_area_topdown).
 */
uint64_t space_find_room(const struct space *space, uint64_t size);

/* The VMA that holds @addr, or the first above it; n_vmas if there is none. */
size_t space_find(const struct space *space, uint64_t addr);

/*
 * The calls that made @vma, as ascending indices in calls: the first @max of
 * them into @ret. Returns how many there are. SIZE_MAX: out of memory.
 */
size_t space_causes(const struct space *space, const struct space_vma *vma, uint32_t *ret,
		    size_t max);

#endif
