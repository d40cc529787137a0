/* src/correlate/audit.h - judging a layout: what the families of findings share. */
#ifndef CORRELATE_AUDIT_H
#define CORRELATE_AUDIT_H

#include <segmap/audit.h>

struct auditing {
	struct segmap_layout *layout;
	const struct segmap_evidence *evidence; /* NULL: there is only the map */
	struct segmap_audit *audit;
	bool is_glibc;		       /* a loaded file defines the versions of its symbols */
	bool failed;		       /* out of memory */
	struct segmap_finding nobodys; /* what is handed out then */
};

/* What a finding is about, and how grave and how sure it is. */
struct verdict {
	enum segmap_finding_id id;
	enum segmap_severity severity;
	enum segmap_confidence confidence;
	int64_t vma;	     /* index; -1 */
	int32_t image;	     /* index; -1 */
	uint64_t start, end; /* 0, 0: those of the VMA, if there is one */
	const char *benign;  /* constant; NULL */
};

/*
 * Add a finding; @reason as for printf. Never NULL: out of memory it is one that belongs
 * to nobody. It stays where it is only until the next is added.
 */
struct segmap_finding *audit_add(struct auditing *auditing, const struct verdict *verdict,
				 const char *reason, ...) SEGMAP_PRINTF(3, 4);

/* What @finding expects and what there is, each as for printf. */
void audit_expect(struct auditing *auditing, struct segmap_finding *finding, const char *expected,
		  ...) SEGMAP_PRINTF(3, 4);
void audit_actual(struct auditing *auditing, struct segmap_finding *finding, const char *actual,
		  ...) SEGMAP_PRINTF(3, 4);

/* The base name of image @index's file. */
const char *audit_image_name(const struct segmap_layout *layout, int32_t index);

/* The piece that holds @addr, one of the layout's own addresses, and its VMA into *@vma; NULL. */
const struct segmap_piece *audit_piece_at(const struct segmap_layout *layout, uint64_t addr,
					  int64_t *vma);

/* Whether @image is one that the dynamic linker or the kernel has loaded. */
bool audit_is_loaded(const struct segmap_image *image);

/* Whether a loaded image defines a symbol version that begins with @prefix ("GLIBC_"). */
bool audit_has_version(const struct segmap_layout *layout, const char *prefix);

/* The families. */
void audit_memory(struct auditing *auditing); /* permissions, what can be executed */
void audit_text(struct auditing *auditing);   /* bytes that are not the file's */
void audit_files(struct auditing *auditing);  /* files, the dynamic linker's list, hardening */

#endif
