/* src/correlate/trace.c - what each system call is for, and which of them were predicted. */
#include <segmap/trace.h>
#include "base/range.h"
#include "base/scope.h"
#include <elf.h>
#include <segmap/layout.h>
#include <string.h>

/* Where a predicted image is in reality. */
struct place {
	bool known;
	uint64_t bias;
	int32_t image; /* in the layout; -1 */
};

struct tracing {
	struct segmap_layout *layout;
	struct segmap_trace *trace;
	const struct segmap_layout *predicted; /* NULL: there is no prediction */
	struct place *places;		       /* of the images of the prediction */
};

/* ---- images ---- */

static const struct segmap_file *file_of(const struct segmap_layout *layout, int32_t image)
{
	int32_t backing = image < 0 ? -1 : layout->images[image].backing;

	return backing < 0 ? NULL : layout->backings[backing].file;
}

static bool is_file(const struct segmap_file *file, const struct segmap_traced *call)
{
	return file && call->st_ino && file->st_dev == call->st_dev && file->st_ino == call->st_ino;
}

/* The image of the layout that @addr is in; -1 for none. */
static int32_t image_at(const struct segmap_layout *layout, uint64_t addr)
{
	for (size_t i = 0; i < layout->n_images; i++)
		if (addr >= layout->images[i].start && addr < layout->images[i].end)
			return (int32_t)i;
	return -1;
}

/* The image of the layout that is @image of the prediction; -1 if it is there no more. */
static int32_t find_image(const struct tracing *tracing, int32_t image)
{
	const struct segmap_file *file = file_of(tracing->predicted, image);
	const struct segmap_layout *layout = tracing->layout;
	const struct place *place = &tracing->places[image];

	for (size_t i = 0; file && i < layout->n_images; i++)
		if (file_of(layout, (int32_t)i) == file &&
		    layout->images[i].role != SEGMAP_ROLE_ALIAS &&
		    (!place->known || layout->images[i].bias == place->bias))
			return (int32_t)i;
	return -1;
}

/* What the kernel has loaded is where the layout has it; where a library comes to lie, its first
 * mapping says. */
static void place_images(struct tracing *tracing)
{
	for (size_t i = 0; i < tracing->predicted->n_images; i++) {
		enum segmap_role role = tracing->predicted->images[i].role;
		struct place *place = &tracing->places[i];

		place->image = -1;
		if (role != SEGMAP_ROLE_PROGRAM && role != SEGMAP_ROLE_INTERPRETER)
			continue;
		place->image = find_image(tracing, (int32_t)i);
		place->known = place->image >= 0;
		if (place->known)
			place->bias = tracing->layout->images[place->image].bias;
	}
}

/* ---- which call was predicted ---- */

/* Permissions and what is mapped. */
static bool asks_the_same(const struct segmap_traced *call, const struct segmap_call *predicted)
{
	bool maps = call->name == SEGMAP_CALL_MMAP;

	if (call->name != predicted->name || !call->errnum != !predicted->errnum)
		return false;
	if (call->name != SEGMAP_CALL_MUNMAP && call->prot != predicted->prot)
		return false;
	return !maps || (call->anonymous == predicted->anonymous &&
			 (call->anonymous || call->off == predicted->off));
}

/* Room in which an alignment is found has a size, but no place. */
static bool has_size(const struct segmap_traced *call, const struct segmap_call *predicted)
{
	return call->end - call->start == predicted->end - predicted->start;
}

/* Whether a library is mapped for the first time by @call, as @predicted has it: then it is known
 * where it lies. */
static bool begins_image(struct tracing *tracing, const struct segmap_traced *call,
			 const struct segmap_call *predicted)
{
	const struct segmap_image *image;
	struct place *place;

	if (predicted->image < 0 || predicted->reason != SEGMAP_REASON_SPAN)
		return false;
	place = &tracing->places[predicted->image];
	image = &tracing->predicted->images[predicted->image];
	if (place->known || !is_file(file_of(tracing->predicted, predicted->image), call) ||
	    !has_size(call, predicted))
		return false;
	place->known = !call->errnum;
	place->bias = call->start - (predicted->start - image->bias);
	place->image = find_image(tracing, predicted->image);
	return true;
}

/* The range of @predicted, of an image that has its place, in runtime addresses. */
static bool has_range(const struct tracing *tracing, const struct segmap_traced *call,
		      const struct segmap_call *predicted)
{
	const struct place *place;
	uint64_t bias;

	if (predicted->image < 0)
		return false;
	place = &tracing->places[predicted->image];
	bias = tracing->predicted->images[predicted->image].bias;
	return place->known &&
	       call->start == segmap_addr(segmap_vaddr(predicted->start, bias), place->bias) &&
	       call->end == segmap_addr(segmap_vaddr(predicted->end, bias), place->bias);
}

/* What is given back around an aligned place lies in the room that was just made for it. */
static bool is_around(const struct tracing *tracing, size_t index)
{
	const struct segmap_traced *call = &tracing->trace->calls[index];

	for (size_t i = index; i-- > 0;) {
		const struct segmap_traced *before = &tracing->trace->calls[i];

		if (before->predicted >= 0 &&
		    tracing->predicted->prediction->calls[before->predicted].reason ==
			    SEGMAP_REASON_ALIGN_ROOM)
			return call->start >= before->start && call->end <= before->end;
	}
	return false;
}

/* A page of the stack: which one depends on the arguments. */
static bool is_of_stack(const struct tracing *tracing, const struct segmap_traced *call)
{
	int64_t vma = segmap_layout_find(tracing->layout, call->start);

	return vma >= 0 && tracing->layout->annotations[vma].kind == SEGMAP_KIND_STACK;
}

static bool is_predicted(struct tracing *tracing, size_t index, const struct segmap_call *predicted)
{
	const struct segmap_traced *call = &tracing->trace->calls[index];

	if (predicted->actor == SEGMAP_ACTOR_KERNEL || !asks_the_same(call, predicted))
		return false;
	if (predicted->reason == SEGMAP_REASON_ALIGN_ROOM)
		return has_size(call, predicted);
	if (predicted->reason == SEGMAP_REASON_ALIGN_REST)
		return is_around(tracing, index);
	if (predicted->reason == SEGMAP_REASON_STACK_EXEC)
		return has_size(call, predicted) && is_of_stack(tracing, call);
	return begins_image(tracing, call, predicted) || has_range(tracing, call, predicted);
}

/* Find the predicted call that call @index is, the first that has not been made yet. */
static bool match(struct tracing *tracing, size_t index)
{
	const struct segmap_prediction *prediction =
		tracing->predicted ? tracing->predicted->prediction : NULL;
	struct segmap_trace *trace = tracing->trace;
	struct segmap_traced *call = &trace->calls[index];

	for (size_t i = 0; prediction && i < prediction->n_calls; i++) {
		const struct segmap_call *predicted = &prediction->calls[i];

		if (trace->made[i] || !is_predicted(tracing, index, predicted))
			continue;
		/* Either side of the aligned place, or both, or none. */
		trace->made[i] = predicted->reason != SEGMAP_REASON_ALIGN_REST;
		trace->n_made += segmap_call_must_be_made(predicted);
		call->predicted = (int32_t)i;
		call->purpose = SEGMAP_PURPOSE_PREDICTED;
		call->segment = predicted->segment;
		if (predicted->image >= 0)
			call->image = tracing->places[predicted->image].image;
		if (call->image < 0)
			call->segment = -1;
		return true;
	}
	return false;
}

/* ---- what the others are for ---- */

/* The last call before @index that mapped what is at its start; -1. */
static int32_t find_mapping(const struct segmap_trace *trace, size_t index)
{
	const struct segmap_traced *call = &trace->calls[index];

	for (size_t i = index; i-- > 0;) {
		const struct segmap_traced *before = &trace->calls[i];

		if ((before->name == SEGMAP_CALL_MMAP || before->name == SEGMAP_CALL_MREMAP) &&
		    !before->errnum && call->start >= before->start && call->start < before->end)
			return (int32_t)i;
	}
	return -1;
}

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);

	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* A PT_LOAD of @image that @call maps a part of, or changes; -1. */
static int32_t find_segment(const struct segmap_image *image, const struct segmap_traced *call)
{
	for (size_t i = 0; image->elf && i < image->elf->n_segments; i++) {
		const struct segmap_segment *segment = &image->elf->segments[i];

		if (segment->type == SEGMAP_SEGMENT_LOAD && segment->mappable &&
		    call->start >= segmap_addr(segment->map_start, image->bias) &&
		    call->start < segmap_addr(segment->mem_end, image->bias))
			return (int32_t)i;
	}
	return -1;
}

static enum segmap_purpose purpose_of_file(struct tracing *tracing, struct segmap_traced *call)
{
	if (call->file && ends_with(call->file, "/ld.so.cache"))
		return SEGMAP_PURPOSE_CACHE;
	call->image = image_at(tracing->layout, call->start);
	if (call->image < 0 || !is_file(file_of(tracing->layout, call->image), call)) {
		call->image = -1;
		return SEGMAP_PURPOSE_FILE;
	}
	call->segment = find_segment(&tracing->layout->images[call->image], call);
	return SEGMAP_PURPOSE_IMAGE;
}

static bool is_of_linker(const struct tracing *tracing, int32_t image)
{
	return image >= 0 && tracing->layout->images[image].role == SEGMAP_ROLE_INTERPRETER;
}

/* Memory without a file. */
static enum segmap_purpose purpose_of_memory(struct tracing *tracing, struct segmap_traced *call)
{
	uint64_t thread = tracing->trace->thread;
	int32_t within = call->flags & MAP_FIXED ? image_at(tracing->layout, call->start) : -1;

	if (thread >= call->start && thread < call->end)
		return SEGMAP_PURPOSE_THREAD;
	if (call->flags & MAP_STACK)
		return SEGMAP_PURPOSE_STACK;
	if (within >= 0) {
		call->image = within;
		call->segment = find_segment(&tracing->layout->images[within], call);
		return SEGMAP_PURPOSE_IMAGE;
	}
	if (call->prot == PROT_NONE)
		return SEGMAP_PURPOSE_GUARD;
	call->image = image_at(tracing->layout, call->counter);
	if (is_of_linker(tracing, call->image))
		return SEGMAP_PURPOSE_LINKER;
	return call->image >= 0 ? SEGMAP_PURPOSE_CALLER : SEGMAP_PURPOSE_UNKNOWN;
}

/* A change to what is there already: it serves what the mapping does. */
static enum segmap_purpose purpose_of_change(struct tracing *tracing, size_t index)
{
	struct segmap_traced *call = &tracing->trace->calls[index];
	int64_t vma;

	call->undoes = find_mapping(tracing->trace, index);
	if (call->undoes >= 0) {
		const struct segmap_traced *before = &tracing->trace->calls[call->undoes];

		call->image = before->image;
		call->segment = before->segment;
		if (before->purpose != SEGMAP_PURPOSE_PREDICTED)
			return before->purpose;
	}
	call->image = image_at(tracing->layout, call->start);
	if (call->image >= 0) {
		call->segment = find_segment(&tracing->layout->images[call->image], call);
		return SEGMAP_PURPOSE_IMAGE;
	}
	vma = segmap_layout_find(tracing->layout, call->start);
	if (vma >= 0 && tracing->layout->annotations[vma].kind == SEGMAP_KIND_HEAP)
		return call->prot == PROT_NONE ? SEGMAP_PURPOSE_GUARD : SEGMAP_PURPOSE_HEAP;
	return is_of_stack(tracing, call) ? SEGMAP_PURPOSE_STACK : SEGMAP_PURPOSE_UNKNOWN;
}

static enum segmap_purpose find_purpose(struct tracing *tracing, size_t index)
{
	struct segmap_traced *call = &tracing->trace->calls[index];

	switch (call->name) {
	case SEGMAP_CALL_EXECVE:
		return SEGMAP_PURPOSE_PROGRAM;
	case SEGMAP_CALL_BRK:
		return call->start == call->end ? SEGMAP_PURPOSE_HEAP_END : SEGMAP_PURPOSE_HEAP;
	case SEGMAP_CALL_MMAP:
		return call->anonymous ? purpose_of_memory(tracing, call) :
					 purpose_of_file(tracing, call);
	default:
		return purpose_of_change(tracing, index);
	}
}

/* Whose code makes the call. */
static enum segmap_actor find_actor(const struct tracing *tracing, const struct segmap_traced *call)
{
	int32_t image = image_at(tracing->layout, call->counter);
	bool has_linker = false;

	if (call->name == SEGMAP_CALL_EXECVE)
		return SEGMAP_ACTOR_PROGRAM;
	for (size_t i = 0; i < tracing->layout->n_images; i++)
		has_linker |= is_of_linker(tracing, (int32_t)i);
	if (is_of_linker(tracing, image))
		return SEGMAP_ACTOR_LDSO;
	return has_linker ? SEGMAP_ACTOR_PROGRAM : SEGMAP_ACTOR_STARTUP;
}

static void count_predicted(struct tracing *tracing)
{
	const struct segmap_prediction *prediction = tracing->predicted->prediction;

	for (size_t i = 0; i < prediction->n_calls; i++)
		tracing->trace->n_predicted += segmap_call_must_be_made(&prediction->calls[i]);
}

static struct segmap_error *prepare(struct tracing *tracing)
{
	const struct segmap_layout *predicted = tracing->predicted;

	if (!predicted)
		return NULL;
	tracing->places = calloc(predicted->n_images + 1, sizeof(*tracing->places));
	tracing->trace->made = calloc(predicted->prediction->n_calls + 1, sizeof(bool));
	if (!tracing->places || !tracing->trace->made)
		return segmap_error_no_memory();
	place_images(tracing);
	count_predicted(tracing);
	return NULL;
}

struct segmap_error *segmap_layout_take_trace(struct segmap_layout *layout,
					      struct segmap_trace *trace,
					      struct segmap_layout *prediction)
{
	struct tracing tracing = { .layout = layout, .trace = trace, .predicted = prediction };
	scope_free struct place *places = NULL;
	struct segmap_error *error;

	segmap_trace_free(layout->trace);
	layout->trace = trace;
	trace->prediction = prediction;
	error = prepare(&tracing);
	places = tracing.places;
	for (size_t i = 0; i < trace->n_calls && !error; i++) {
		struct segmap_traced *call = &trace->calls[i];

		call->image = call->segment = call->predicted = call->undoes = -1;
		call->actor = find_actor(&tracing, call);
		if (match(&tracing, i))
			continue;
		call->purpose = find_purpose(&tracing, i);
		trace->n_more += call->name != SEGMAP_CALL_EXECVE;
	}
	return error;
}
