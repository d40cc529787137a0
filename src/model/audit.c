/* src/model/audit.c - evidence and findings: their words, and freeing them. */
#include <segmap/audit.h>
#include <stdlib.h>
#include <unistd.h>

const char *segmap_finding_word(enum segmap_finding_id id)
{
	static const char *const words[SEGMAP_N_FINDING_IDS] = {
		[SEGMAP_FINDING_TEXT_HOOK] = "text-hook",
		[SEGMAP_FINDING_TEXT_MODIFIED] = "text-modified",
		[SEGMAP_FINDING_TEXT_BREAKPOINT] = "text-breakpoint",
		[SEGMAP_FINDING_TEXT_UPROBE] = "text-uprobe",
		[SEGMAP_FINDING_TEXT_RELOCATED] = "text-relocated",
		[SEGMAP_FINDING_RODATA_MODIFIED] = "rodata-modified",
		[SEGMAP_FINDING_HEADERS_MODIFIED] = "headers-modified",
		[SEGMAP_FINDING_IMAGE_UNLISTED] = "image-unlisted",
		[SEGMAP_FINDING_LISTED_NOT_MAPPED] = "listed-not-mapped",
		[SEGMAP_FINDING_LIST_BROKEN] = "list-broken",
		[SEGMAP_FINDING_RELRO_NOT_APPLIED] = "relro-not-applied",
		[SEGMAP_FINDING_TEXT_WRITABLE] = "text-writable",
		[SEGMAP_FINDING_DATA_EXECUTABLE] = "data-executable",
		[SEGMAP_FINDING_PERMS_DRIFT] = "perms-drift",
		[SEGMAP_FINDING_READ_IMPLIES_EXEC] = "read-implies-exec",
		[SEGMAP_FINDING_STACK_EXECUTABLE] = "stack-executable",
		[SEGMAP_FINDING_WX_VMA] = "wx-vma",
		[SEGMAP_FINDING_ANON_EXECUTABLE] = "anon-executable",
		[SEGMAP_FINDING_FILE_EXECUTABLE] = "file-executable",
		[SEGMAP_FINDING_TEXT_ANONYMOUS] = "text-anonymous",
		[SEGMAP_FINDING_IMAGE_IN_MEMORY] = "image-in-memory",
		[SEGMAP_FINDING_FILE_REPLACED] = "file-replaced",
		[SEGMAP_FINDING_FILE_DELETED] = "file-deleted",
		[SEGMAP_FINDING_FILE_REWRITTEN] = "file-rewritten",
		[SEGMAP_FINDING_FILE_TRUNCATED] = "file-truncated",
		[SEGMAP_FINDING_HEADER_MISLEADS] = "header-misleads",
		[SEGMAP_FINDING_NO_PIE] = "no-pie",
		[SEGMAP_FINDING_RELRO_ABSENT] = "relro-absent",
		[SEGMAP_FINDING_TEXTREL] = "textrel",
		[SEGMAP_FINDING_STACK_ASKED] = "stack-asked",
		[SEGMAP_FINDING_RUNPATH_RELATIVE] = "runpath-relative",
		[SEGMAP_FINDING_RELRO_PARTIAL] = "relro-partial",
		[SEGMAP_FINDING_NO_BIND_NOW] = "no-bind-now",
	};

	return words[id];
}

const char *segmap_severity_word(enum segmap_severity severity)
{
	static const char *const words[] = {
		[SEGMAP_SEVERITY_INFO] = "info",
		[SEGMAP_SEVERITY_LOW] = "low",
		[SEGMAP_SEVERITY_MEDIUM] = "medium",
		[SEGMAP_SEVERITY_HIGH] = "high",
	};

	return words[severity];
}

const char *segmap_confidence_word(enum segmap_confidence confidence)
{
	static const char *const words[] = {
		[SEGMAP_CONFIDENCE_POSSIBLE] = "possible",
		[SEGMAP_CONFIDENCE_LIKELY] = "likely",
		[SEGMAP_CONFIDENCE_CERTAIN] = "certain",
	};

	return words[confidence];
}

void segmap_evidence_free(struct segmap_evidence *evidence)
{
	if (!evidence)
		return;
	if (evidence->mem >= 0)
		close(evidence->mem);
	if (evidence->pagemap >= 0)
		close(evidence->pagemap);
	if (evidence->maps >= 0)
		close(evidence->maps);
	if (evidence->listing >= 0)
		close(evidence->listing);
	for (size_t i = 0; i < evidence->n_probes; i++)
		free(evidence->probes[i].path);
	for (size_t i = 0; i < evidence->n_altered; i++)
		free(evidence->altered[i].symbol);
	for (size_t i = 0; i < evidence->n_linked; i++)
		free(evidence->linked[i].name);
	free(evidence->probes);
	free(evidence->generated);
	free(evidence->altered);
	free(evidence->linked);
	free(evidence);
}

void segmap_audit_free(struct segmap_audit *audit)
{
	if (!audit)
		return;
	for (size_t i = 0; i < audit->n_findings; i++) {
		free(audit->findings[i].expected);
		free(audit->findings[i].actual);
		free(audit->findings[i].reason);
	}
	free(audit->findings);
	free(audit);
}
