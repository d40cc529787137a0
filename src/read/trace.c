/* src/read/trace.c - what ptrace can do to a stopped process, on each machine. */
#include "read/trace.h"
#include "base/scope.h"
#include "read/bytes.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#if defined(__x86_64__) || defined(__i386__)
#include <sys/user.h>
#endif

bool trace_place(pid_t pid, struct trace_place *ret)
{
	struct __ptrace_syscall_info info = { 0 };
	struct trace_place place = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
		return false;
	place.counter = info.instruction_pointer;
	place.enters = info.op == PTRACE_SYSCALL_INFO_ENTRY;
	place.leaves = info.op == PTRACE_SYSCALL_INFO_EXIT;
	place.is_i386 = info.arch == AUDIT_ARCH_I386;
	if (place.enters) {
		place.call = info.entry.nr;
		for (size_t i = 0; i < 6; i++)
			place.arguments[i] = info.entry.args[i];
	}
	if (place.leaves) {
		place.result = info.exit.rval;
		place.failed = info.exit.is_error;
	}
	*ret = place;
	return true;
}

static int open_memory(pid_t pid, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	return open(path, flags | O_CLOEXEC);
}

bool trace_read(pid_t pid, uint64_t addr, void *buffer, size_t size)
{
	scope_close int mem = open_memory(pid, O_RDONLY);

	return mem >= 0 && fd_read(mem, buffer, size, addr) == (int64_t)size;
}

bool trace_write(pid_t pid, uint64_t addr, const void *buffer, size_t size)
{
	scope_close int mem = open_memory(pid, O_RDWR);

	return mem >= 0 && addr <= INT64_MAX &&
	       pwrite(mem, buffer, size, (off_t)addr) == (ssize_t)size;
}

/* ---- hardware breakpoints ---- */

#if defined(__x86_64__) || defined(__i386__)

/* Debug register 0 holds the address; bit 0 of register 7 enables it, for execution of one byte. */
static bool set_debug_registers(pid_t pid, uint64_t addr, bool on)
{
	size_t at = offsetof(struct user, u_debugreg);
	size_t step = sizeof(((struct user *)0)->u_debugreg[0]);

	if (on && ptrace(PTRACE_POKEUSER, pid, (void *)at, (void *)(uintptr_t)addr))
		return false;
	return ptrace(PTRACE_POKEUSER, pid, (void *)(at + 7 * step), (void *)(uintptr_t)on) == 0;
}

#elif defined(__aarch64__)

#ifndef NT_ARM_HW_BREAK
#define NT_ARM_HW_BREAK 0x402
#endif

/* As much of struct user_hwdebug_state (asm/ptrace.h) as one breakpoint needs. */
struct debug_state {
	uint32_t info, pad;
	uint64_t addr;
	uint32_t control, pad2;
};

/* DBGBCR: enabled, for unprivileged code, all four bytes of the instruction. */
static bool set_debug_registers(pid_t pid, uint64_t addr, bool on)
{
	enum { ENABLE = 1, USER = 2 << 1, WHOLE = 0xf << 5 };
	struct debug_state state = {
		.addr = on ? addr : 0,
		.control = on ? ENABLE | USER | WHOLE : 0,
	};
	struct iovec vector = { &state, sizeof(state) };

	return ptrace(PTRACE_SETREGSET, pid, (void *)NT_ARM_HW_BREAK, &vector) == 0;
}

#else

static bool set_debug_registers(pid_t pid, uint64_t addr, bool on)
{
	(void)pid, (void)addr, (void)on;
	return false;
}

#endif

/* ---- breakpoints that are instructions ---- */

#if defined(__x86_64__) || defined(__i386__)
static const unsigned char trap[] = { 0xcc };		      /* int3 */
enum { COUNTER_BEHIND = 1 }; /* the program counter is then behind it */
#elif defined(__aarch64__)
static const unsigned char trap[] = { 0x00, 0x00, 0x20, 0xd4 }; /* brk #0 */
enum { COUNTER_BEHIND = 0 };
#elif defined(__riscv)
static const unsigned char trap[] = { 0x73, 0x00, 0x10, 0x00 }; /* ebreak */
enum { COUNTER_BEHIND = 0 };
#else
#define NO_TRAP
static const unsigned char trap[] = { 0 };
enum { COUNTER_BEHIND = 0 };
#endif

static bool set_trap(pid_t pid, uint64_t addr, struct breakpoint *breakpoint)
{
#ifdef NO_TRAP
	(void)pid, (void)addr, (void)breakpoint;
	return false;
#else
	_Static_assert(sizeof(trap) <= MOST_TRAP_BYTES, "no room for what it replaces");
	return trace_read(pid, addr, breakpoint->replaced, sizeof(trap)) &&
	       trace_write(pid, addr, trap, sizeof(trap));
#endif
}

bool breakpoint_set(pid_t pid, uint64_t addr, struct breakpoint *ret)
{
	if (!set_debug_registers(pid, addr, true))
		return breakpoint_set_software(pid, addr, ret);
	*ret = (struct breakpoint){ .addr = addr, .set = true, .hardware = true };
	return true;
}

bool breakpoint_set_software(pid_t pid, uint64_t addr, struct breakpoint *ret)
{
	struct breakpoint breakpoint = { .addr = addr, .set = true };

	if (!set_trap(pid, addr, &breakpoint))
		return false;
	*ret = breakpoint;
	return true;
}

bool breakpoint_reached(pid_t pid, const struct breakpoint *breakpoint)
{
	uint64_t behind = breakpoint->hardware ? 0 : COUNTER_BEHIND;
	struct trace_place place;

	return breakpoint->set && trace_place(pid, &place) &&
	       place.counter - behind == breakpoint->addr;
}

/* Only where the processor leaves the program counter behind the trap. */
static void move_counter(pid_t pid, uint64_t addr)
{
#if defined(__x86_64__)
	ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, regs.rip),
	       (void *)(uintptr_t)addr);
#elif defined(__i386__)
	ptrace(PTRACE_POKEUSER, pid, (void *)offsetof(struct user, regs.eip),
	       (void *)(uintptr_t)addr);
#else
	(void)pid, (void)addr;
#endif
}

void breakpoint_clear(pid_t pid, struct breakpoint *breakpoint)
{
	if (!breakpoint->set)
		return;
	if (breakpoint->hardware) {
		set_debug_registers(pid, 0, false);
	} else {
		if (COUNTER_BEHIND && breakpoint_reached(pid, breakpoint))
			move_counter(pid, breakpoint->addr);
		trace_write(pid, breakpoint->addr, breakpoint->replaced, sizeof(trap));
	}
	breakpoint->set = false;
}
