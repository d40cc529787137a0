/* src/correlate/kinds.c - what a VMA without an image is, by its name and its file. */
#include "correlate/kinds.h"
#include "model/vma.h"
#include <string.h>

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool is_anonymous(const struct segmap_vma *vma)
{
	return !vma->ino && !vma->shared &&
	       (!vma->name[0] || strcmp(vma->name, "[heap]") == 0 ||
		begins_with(vma->name, "[anon:"));
}

bool is_of_file(const struct segmap_vma *vma)
{
	return vma->ino || (vma->name[0] && vma->name[0] != '[');
}

enum segmap_kind kind_of_vma(const struct segmap_vma *vma, const struct segmap_backing *backing)
{
	/* proc(5); Linux fs/proc/task_mmu.c:get_vma_name and the arch_vma_name() of each machine. */
	static const struct {
		const char *prefix;
		enum segmap_kind kind;
	} names[] = {
		{ "[heap]", SEGMAP_KIND_HEAP },
		{ "[stack", SEGMAP_KIND_STACK }, /* [stack:TID] before Linux 4.5 */
		{ "[vdso", SEGMAP_KIND_VDSO },
		{ "[vvar", SEGMAP_KIND_VVAR }, /* [vvar_vclock] since 6.13 */
		{ "[vsyscall]", SEGMAP_KIND_VSYSCALL },
		{ "[anon:", SEGMAP_KIND_ANON },
		{ "[anon_shmem:", SEGMAP_KIND_SHM },
		{ "[", SEGMAP_KIND_OTHER },
		{ "anon_inode:", SEGMAP_KIND_OTHER },
	};
	enum segmap_kind kind;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (begins_with(vma->name, names[i].prefix))
			return names[i].kind;
	if (!backing)
		return vma->shared ? SEGMAP_KIND_SHM : SEGMAP_KIND_ANON;
	if (!backing->file && vma_is_memory_object(vma, &kind))
		return kind;
	if (backing->file && backing->file->type == SEGMAP_FILE_DEVICE)
		return SEGMAP_KIND_DEVICE;
	return backing->file && backing->file->type == SEGMAP_FILE_OTHER ? SEGMAP_KIND_OTHER :
									   SEGMAP_KIND_FILE;
}
