/* src/render/markup.c - text for SVG and HTML, in which a hostile name is only a name. */
#include "render/markup.h"
#include "render/say.h"
#include "render/table.h"

/* Whether the three bytes at @bytes are U+FFFE or U+FFFF. */
static bool is_noncharacter(const char *bytes, size_t size)
{
	return size >= 3 && (memcmp(bytes, "\xef\xbf\xbe", 3) == 0 ||
			     memcmp(bytes, "\xef\xbf\xbf", 3) == 0);
}

/* Append text that is safe for a terminal. */
static void append_escaped(struct segmap_text *markup, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		const char *entity = bytes[i] == '&'  ? "&amp;" :
				     bytes[i] == '<'  ? "&lt;" :
				     bytes[i] == '>'  ? "&gt;" :
				     bytes[i] == '"'  ? "&quot;" :
				     bytes[i] == '\'' ? "&#39;" : NULL;

		if (entity) {
			segmap_text_append_trusted(markup, entity);
		} else if (is_noncharacter(bytes + i, size - i)) {
			say(markup, "\\357\\277\\%o", (unsigned char)bytes[i + 2]);
			i += 2;
		} else {
			segmap_text_append_char(markup, bytes[i]);
		}
	}
}

void markup_append(struct segmap_text *markup, const char *bytes, size_t size)
{
	markup_append_cut(markup, bytes, size, SIZE_MAX);
}

void markup_append_cut(struct segmap_text *markup, const char *bytes, size_t size, size_t columns)
{
	__attribute__((cleanup(segmap_text_free))) struct segmap_text safe = { 0 }, cut = { 0 };
	const struct segmap_text *shown = &safe;

	segmap_text_append_safe(&safe, bytes, size);
	if (segmap_text_columns(safe.bytes, safe.size) > columns) {
		append_cut(&cut, safe.bytes, safe.size, columns, true);
		shown = &cut;
	}
	append_escaped(markup, shown->bytes, shown->size);
	markup->failed |= safe.failed || cut.failed;
}

void markup_append_amount(struct segmap_text *markup, uint64_t bytes)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t rest = 0;
	size_t unit = 0;

	while (bytes >= 1024) {
		rest = bytes % 1024;
		bytes /= 1024;
		unit++;
	}
	if (rest * 10 / 1024)
		say(markup, "%ju.%ju %s", (uintmax_t)bytes, (uintmax_t)(rest * 10 / 1024),
			      units[unit]);
	else
		say(markup, "%ju %s", (uintmax_t)bytes, units[unit]);
}
