/* src/model/vma.c - one line of /proc/PID/maps. */
#include "model/vma.h"
#include <endian.h>
#include <string.h>
#include <sys/mman.h>

/* The value of each lower-case hex digit, plus one; 0 for every other byte. */
static const unsigned char hex_figures[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

/*
 * The value of the eight lower-case hex digits at @text, all at once; false if
 * they are not. The digits that the value would be written with are compared
 * with those that are there, so whatever else stands there is found out.
 */
static inline bool parse_eight(const char *text, uint64_t *ret)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t bytes, nibbles, above_nine;

	memcpy(&bytes, text, sizeof(bytes));
	bytes = be64toh(bytes);
	nibbles = (bytes & 15 * ones) + (bytes >> 6 & ones) * 9;
	above_nine = (nibbles + 6 * ones) >> 4 & ones;
	/* Without the first condition 'g' to 'o' would be digits of 16 to 24. */
	if ((nibbles & 16 * ones) || nibbles + '0' * ones + above_nine * ('a' - '0' - 10) != bytes)
		return false;
	nibbles = (nibbles | nibbles >> 4) & 0x00ff00ff00ff00ff;
	nibbles = (nibbles | nibbles >> 8) & 0x0000ffff0000ffff;
	*ret = (nibbles | nibbles >> 16) & 0xffffffff;
	return true;
}

/* The same for the twelve digits of an address; there are sixteen bytes at @text. */
static inline bool parse_twelve(const char *text, uint64_t *ret)
{
	typedef unsigned char bytes_16 __attribute__((vector_size(16)));
	typedef unsigned short shorts_8 __attribute__((vector_size(16)));
	typedef unsigned char bytes_8 __attribute__((vector_size(8)));
	bytes_16 v, is_figure, is_letter, nibbles;
	uint64_t valid[2], value;
	shorts_8 pairs;
	bytes_8 joined;

	memcpy(&v, text, sizeof(v));
	is_figure = (bytes_16)(v - '0' < 10);
	is_letter = (bytes_16)(v - 'a' < 6);
	nibbles = ((v - '0') & is_figure) | ((v - 'a' + 10) & is_letter);
	is_figure |= is_letter;
	memcpy(valid, &is_figure, sizeof(valid));
	if (~valid[0] || ~be64toh(valid[1]) >> 32)
		return false;
	/* Digits in pairs, the first of each the higher. */
	memcpy(&pairs, &nibbles, sizeof(pairs));
	pairs = BYTE_ORDER == LITTLE_ENDIAN ? pairs << 4 | pairs >> 8 : pairs >> 4 | pairs;
	joined = __builtin_convertvector(pairs & 0xff, bytes_8);
	memcpy(&value, &joined, sizeof(value));
	*ret = be64toh(value) >> 16;
	return true;
}

/*
 * The number of 1 to 16 lower-case hex digits at @at, as the kernel prints it:
 * no sign, no 0x. Returns what follows it, or NULL.
 *
 * Addresses have eight or twelve digits, offsets eight. To ask for these
 * lengths, and not to compute a length, lets the processor begin with the next
 * field before this one is done.
 */
static inline const char *parse_hex(const char *at, const char *end, uint64_t *ret)
{
	const char *start = at;
	uint64_t value = 0;
	unsigned int figure;

	if (end - at >= 16 && hex_figures[(unsigned char)at[8]] &&
	    !hex_figures[(unsigned char)at[12]] && parse_twelve(at, ret))
		return at + 12;
	if (end - at >= 8 && parse_eight(at, &value))
		at += 8;
	for (; (figure = hex_figures[(unsigned char)*at]); at++)
		value = (value << 4) + figure - 1;
	*ret = value;
	return at > start && at - start <= 16 ? at : NULL;
}

/* As parse_hex() for a device number: a few digits, at most @most. */
static inline const char *parse_device(const char *at, int most, uint32_t *ret)
{
	const char *start = at;
	uint32_t value = 0, figure;

	for (; (figure = hex_figures[(unsigned char)*at]); at++)
		value = (value << 4) + figure - 1;
	*ret = value;
	return at > start && at - start <= most ? at : NULL;
}

static inline const char *parse_decimal(const char *at, uint64_t *ret)
{
	const char *start = at;
	uint64_t value = 0;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return NULL;
	*ret = value;
	return at > start ? at : NULL;
}

/* "r-xp": each place has its letter or a dash. */
static inline const char *parse_perms(const char *at, struct segmap_vma *vma)
{
	if ((at[0] != 'r' && at[0] != '-') || (at[1] != 'w' && at[1] != '-') ||
	    (at[2] != 'x' && at[2] != '-') || (at[3] != 'p' && at[3] != 's'))
		return NULL;
	vma->prot = (uint8_t)((at[0] == 'r' ? PROT_READ : 0) | (at[1] == 'w' ? PROT_WRITE : 0) |
			      (at[2] == 'x' ? PROT_EXEC : 0));
	vma->shared = at[3] == 's';
	vma->unknown_prot = 0;
	vma->unknown_shared = false;
	return at + 4;
}

/* Offset, device and inode: NULL, or what is wrong. *@ret becomes what follows them. */
static inline const char *parse_file(const char *at, const char *end, struct segmap_vma *vma,
				     const char **ret)
{
	static const char none[] = " 00000000 00:00 0";
	uint32_t dev_major;

	/* Memory without a file: most VMAs of a process that has very many. */
	if ((size_t)(end - at) >= strlen(none) && memcmp(at, none, strlen(none)) == 0 &&
	    (at[strlen(none)] == ' ' || !at[strlen(none)])) {
		vma->off = vma->ino = 0;
		vma->dev_major = vma->dev_minor = 0;
		*ret = at + strlen(none);
		return NULL;
	}
	if (*at != ' ' || !(at = parse_hex(at + 1, end, &vma->off)))
		return "a hexadecimal offset is missing after the permissions";
	if (*at != ' ' || !(at = parse_device(at + 1, 4, &dev_major)) || *at != ':' ||
	    !(at = parse_device(at + 1, 8, &vma->dev_minor)))
		return "a device like fe:01 is missing after the offset";
	vma->dev_major = (uint16_t)dev_major;
	if (*at != ' ' || !(at = parse_decimal(at + 1, &vma->ino)))
		return "an inode number is missing after the device";
	/* The kernel pads to column 73 with blanks; a name begins with none (seq_pad). */
	if (*at && *at != ' ')
		return "something other than a blank follows the inode number";
	*ret = at;
	return NULL;
}

/* Fill in @vma; NULL, or what is wrong. */
static const char *parse_fields(const char *at, const char *end, struct segmap_vma *vma)
{
	const char *problem;

	at = parse_hex(at, end, &vma->start);
	if (!at || *at != '-' || !(at = parse_hex(at + 1, end, &vma->end)))
		return "it does not begin with an address range";
	if (vma->start >= vma->end)
		return "its address range is empty or turned round";
	if (*at != ' ' || !(at = parse_perms(at + 1, vma)))
		return "permissions like r-xp are missing after the range";
	problem = parse_file(at, end, vma, &at);
	if (problem)
		return problem;
	while (*at == ' ')
		at++;
	vma->name = at;
	return NULL;
}

struct segmap_error *vma_parse(const char *line, const char *end, struct segmap_vma *ret)
{
	const char *problem = parse_fields(line, end, ret);

	return problem ? segmap_error_new(SEGMAP_ERROR_FORMAT, "", "%s", problem) : NULL;
}

struct segmap_error *segmap_vma_parse(const char *line, struct segmap_vma *ret)
{
	struct segmap_vma vma;
	struct segmap_error *error = vma_parse(line, line + strlen(line), &vma);

	if (!error)
		*ret = vma;
	return error;
}

bool vma_is_memory_object(const struct segmap_vma *vma, enum segmap_kind *ret)
{
	static const struct {
		const char *prefix;
		size_t n_digits; /* hexadecimal, behind it: the key */
		bool shared;	 /* always */
		enum segmap_kind kind;
	} objects[] = {
		{ "/SYSV", 8, true, SEGMAP_KIND_SHM },
		{ "/dev/zero", 0, true, SEGMAP_KIND_SHM },
		{ "/anon_hugepage", 0, false, SEGMAP_KIND_ANON },
		{ "/secretmem", 0, true, SEGMAP_KIND_OTHER },
	};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]) && !vma->dev_major; i++) {
		size_t size = strlen(objects[i].prefix);

		if (strncmp(vma->name, objects[i].prefix, size) != 0)
			continue;
		*ret = objects[i].kind;
		return strspn(vma->name + size, "0123456789abcdef") == objects[i].n_digits &&
		       strcmp(vma->name + size + objects[i].n_digits, " (deleted)") == 0 &&
		       (vma->shared || vma->unknown_shared || !objects[i].shared);
	}
	return false;
}
