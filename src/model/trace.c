/* src/model/trace.c - the system calls by which a program's memory came about. */
#include <segmap/layout.h>
#include <segmap/trace.h>
#include <stdlib.h>

void segmap_trace_free(struct segmap_trace *trace)
{
	if (!trace)
		return;
	for (size_t i = 0; i < trace->n_calls; i++)
		free(trace->calls[i].file);
	free(trace->calls);
	free(trace->made);
	segmap_layout_free(trace->prediction);
	free(trace);
}
