/* tests/unit/correlate_kinds.c - what a VMA without an image is, by its name and its file. */
#include "correlate/kinds.h"
#include "unit.h"
#include <string.h>

/* What stands behind the VMA. */
enum backing { NOTHING, NO_FILE, REGULAR, DEVICE, OTHER };

static const struct {
	const char *name;
	bool shared;
	enum backing backing;
	enum segmap_kind kind;
	bool anonymous; /* private memory that no file backs: .bss could be there */
} cases[] = {
	{ "", false, NOTHING, SEGMAP_KIND_ANON, true },
	{ "", true, NOTHING, SEGMAP_KIND_SHM, false },
	{ "[heap]", false, NOTHING, SEGMAP_KIND_HEAP, true },
	{ "[anon:glibc: malloc]", false, NOTHING, SEGMAP_KIND_ANON, true },
	{ "[anon: .bss]", false, NOTHING, SEGMAP_KIND_ANON, true },
	{ "[stack]", false, NOTHING, SEGMAP_KIND_STACK, false },
	{ "[stack:4242]", false, NOTHING, SEGMAP_KIND_STACK, false },
	{ "[vdso]", false, NOTHING, SEGMAP_KIND_VDSO, false },
	{ "[vdso32]", false, NOTHING, SEGMAP_KIND_VDSO, false },
	{ "[vvar]", false, NOTHING, SEGMAP_KIND_VVAR, false },
	{ "[vvar_vclock]", false, NOTHING, SEGMAP_KIND_VVAR, false },
	{ "[vsyscall]", false, NOTHING, SEGMAP_KIND_VSYSCALL, false },
	{ "[vectors]", false, NOTHING, SEGMAP_KIND_OTHER, false },
	{ "[sigpage]", false, NOTHING, SEGMAP_KIND_OTHER, false },
	{ "[uprobes]", false, NOTHING, SEGMAP_KIND_OTHER, false },
	{ "[mpx]", false, NOTHING, SEGMAP_KIND_OTHER, false },
	{ "[a name of the future]", false, NOTHING, SEGMAP_KIND_OTHER, false },
	{ "[anon_shmem:cache]", true, NO_FILE, SEGMAP_KIND_SHM, false },
	{ "/SYSV0000002a (deleted)", true, NO_FILE, SEGMAP_KIND_SHM, false },
	{ "/dev/zero (deleted)", true, NO_FILE, SEGMAP_KIND_SHM, false },
	{ "/anon_hugepage (deleted)", false, NO_FILE, SEGMAP_KIND_ANON, false },
	{ "anon_inode:[io_uring]", true, NO_FILE, SEGMAP_KIND_OTHER, false },
	{ "anon_inode:[perf_event]", true, OTHER, SEGMAP_KIND_OTHER, false },
	{ "/usr/lib/libc.so.6", false, REGULAR, SEGMAP_KIND_FILE, false },
	{ "/usr/lib/libc.so.6", true, REGULAR, SEGMAP_KIND_FILE, false },
	{ "/memfd:x (deleted)", true, REGULAR, SEGMAP_KIND_FILE, false },
	{ "/memfd:x (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/gone", false, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/dev/dri/card0", true, DEVICE, SEGMAP_KIND_DEVICE, false },
	{ "/dev/mem", false, DEVICE, SEGMAP_KIND_DEVICE, false },
	/* A real file that is called so is a file. */
	{ "/dev/zero-and-more", false, REGULAR, SEGMAP_KIND_FILE, false },
	{ "/SYSV/data", false, REGULAR, SEGMAP_KIND_FILE, false },
	/* So is one that is gone, or that cannot be read. */
	{ "/SYSV0000002a", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/SYSV0000002a (deleted)", false, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/SYSV2a (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/SYSV0000002ab (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/SYSVprogram (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/SYSV0000002A (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/dev/zero", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/dev/zero (deleted) (deleted)", true, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/anon_hugepages (deleted)", false, NO_FILE, SEGMAP_KIND_FILE, false },
	{ "/secretmem (deleted)", true, NO_FILE, SEGMAP_KIND_OTHER, false },
	{ "/secretmem (deleted)", false, NO_FILE, SEGMAP_KIND_FILE, false },
};

START_TEST(kind_follows_from_name_and_file)
{
	enum backing behind = cases[_i].backing;
	struct segmap_file file = {
		.type = behind == DEVICE ? SEGMAP_FILE_DEVICE :
			behind == OTHER	 ? SEGMAP_FILE_OTHER : SEGMAP_FILE_REGULAR,
	};
	struct segmap_backing backing = { .file = behind == NO_FILE ? NULL : &file };
	struct segmap_vma vma = {
		.start = 0x1000,
		.end = 0x2000,
		.name = cases[_i].name,
		.shared = cases[_i].shared,
		.ino = behind == NOTHING ? 0 : 7,
	};

	ck_assert_msg(kind_of_vma(&vma, behind == NOTHING ? NULL : &backing) == cases[_i].kind,
		      "\"%s\" is of another kind", cases[_i].name);
	ck_assert_msg(is_anonymous(&vma) == cases[_i].anonymous, "\"%s\" is %sanonymous",
		      cases[_i].name, cases[_i].anonymous ? "not " : "");
}
END_TEST

/* Those of the kernel have device 0:N. A core tells neither that nor what is shared. */
START_TEST(shared_memory_is_told_from_a_file_by_its_device)
{
	static const struct {
		uint16_t major;
		bool shared, unknown_shared;
		enum segmap_kind kind;
	} of[] = {
		{ 0, true, false, SEGMAP_KIND_SHM },
		{ 0, false, true, SEGMAP_KIND_SHM },
		{ 8, true, false, SEGMAP_KIND_FILE },
	};
	struct segmap_backing backing = { 0 };
	struct segmap_vma vma = {
		.start = 0x1000,
		.end = 0x2000,
		.name = "/SYSV0000002a (deleted)",
		.shared = of[_i].shared,
		.unknown_shared = of[_i].unknown_shared,
		.dev_major = of[_i].major,
		.ino = 7,
	};

	ck_assert_int_eq(kind_of_vma(&vma, &backing), of[_i].kind);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("correlate/kinds");
	TCase *tcase = unit_case(suite, "kinds");

	tcase_add_loop_test(tcase, kind_follows_from_name_and_file, 0, N_ROWS(cases));
	tcase_add_loop_test(tcase, shared_memory_is_told_from_a_file_by_its_device, 0, 3);
	return unit_run(suite);
}
