/* src/correlate/audit.c - what is not as the files promise: collecting and sorting findings. */
#include "correlate/audit.h"
#include "base/scope.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static __attribute__((format(printf, 3, 0))) void
say(struct auditing *auditing, char **ret, const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0) {
		auditing->failed = true;
		return;
	}
	free(*ret);
	*ret = text;
}

struct segmap_finding *audit_add(struct auditing *auditing, const struct verdict *verdict,
				 const char *reason, ...)
{
	struct segmap_audit *audit = auditing->audit;
	struct segmap_finding *finding;
	va_list arguments;

	if (auditing->failed || !grow(&audit->findings, &audit->cap_findings, audit->n_findings,
				      sizeof(*audit->findings))) {
		auditing->failed = true;
		return &auditing->nobodys;
	}
	finding = &audit->findings[audit->n_findings++];
	*finding = (struct segmap_finding){
		.id = verdict->id,
		.severity = verdict->severity,
		.confidence = verdict->confidence,
		.start = verdict->start,
		.end = verdict->end,
		.vma = verdict->vma,
		.image = verdict->image,
		.benign = verdict->benign,
	};
	if (verdict->vma >= 0 && verdict->start == verdict->end) {
		finding->start = auditing->layout->vmas[verdict->vma].start;
		finding->end = auditing->layout->vmas[verdict->vma].end;
	}
	va_start(arguments, reason);
	say(auditing, &finding->reason, reason, arguments);
	va_end(arguments);
	return finding;
}

void audit_expect(struct auditing *auditing, struct segmap_finding *finding, const char *expected,
		  ...)
{
	va_list arguments;

	if (auditing->failed)
		return;
	va_start(arguments, expected);
	say(auditing, &finding->expected, expected, arguments);
	va_end(arguments);
}

void audit_actual(struct auditing *auditing, struct segmap_finding *finding, const char *actual,
		  ...)
{
	va_list arguments;

	if (auditing->failed)
		return;
	va_start(arguments, actual);
	say(auditing, &finding->actual, actual, arguments);
	va_end(arguments);
}

const char *audit_image_name(const struct segmap_layout *layout, int32_t index)
{
	const char *path = segmap_layout_image_path(layout, index), *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const struct segmap_piece *audit_piece_at(const struct segmap_layout *layout, uint64_t addr,
					  int64_t *vma)
{
	/* Not by halving: the VMAs of a prediction are in the order of loading. */
	for (size_t i = 0; i < layout->n_vmas; i++) {
		const struct segmap_annotation *annotation = &layout->annotations[i];

		if (addr < layout->vmas[i].start || addr >= layout->vmas[i].end)
			continue;
		for (uint32_t j = 0; j < annotation->n_pieces; j++) {
			const struct segmap_piece *piece =
				&layout->pieces[annotation->first_piece + j];

			if (addr >= piece->start && addr < piece->end) {
				*vma = (int64_t)i;
				return piece;
			}
		}
	}
	return NULL;
}

bool audit_is_loaded(const struct segmap_image *image)
{
	return image->elf && image->backing >= 0 && image->role != SEGMAP_ROLE_ALIAS &&
	       image->role != SEGMAP_ROLE_VDSO;
}

bool audit_has_version(const struct segmap_layout *layout, const char *prefix)
{
	for (size_t i = 0; i < layout->n_images; i++) {
		const struct segmap_image *image = &layout->images[i];
		const struct segmap_linking *linking =
			audit_is_loaded(image) ? image->elf->linking : NULL;

		for (size_t j = 0; linking && j < linking->n_defined; j++)
			if (strncmp(linking->defined[j].name, prefix, strlen(prefix)) == 0)
				return true;
	}
	return false;
}

static int compare_findings(const void *a, const void *b)
{
	const struct segmap_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	if (x->image != y->image)
		return x->image < y->image ? -1 : 1;
	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

struct segmap_error *segmap_layout_audit(struct segmap_layout *layout)
{
	struct segmap_audit *audit = calloc(1, sizeof(*audit));
	struct auditing auditing = {
		.layout = layout,
		.evidence = layout->evidence,
		.audit = audit,
	};

	if (!audit)
		return segmap_error_no_memory();
	segmap_audit_free(layout->audit);
	layout->audit = audit;
	auditing.is_glibc = audit_has_version(layout, "GLIBC_");
	audit_text(&auditing);
	audit_memory(&auditing);
	audit_files(&auditing);
	if (auditing.failed)
		return segmap_error_no_memory();
	if (audit->n_findings)
		qsort(audit->findings, audit->n_findings, sizeof(*audit->findings),
		      compare_findings);
	for (size_t i = 0; i < audit->n_findings; i++)
		audit->n_serious += audit->findings[i].severity > SEGMAP_SEVERITY_INFO;
	return NULL;
}
