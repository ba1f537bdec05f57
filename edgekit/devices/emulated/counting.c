/* SPDX-License-Identifier: MIT
 *
 * A TCG plugin for qemu-user: counts the instructions of a guest's thread between two marks, by class, and the misses
 * of simulated data caches. QEMU is GPL-2.0; this file is under the MIT licence, which goes with it:
 *
 * Permission is hereby granted, free of charge, to any person obtaining a copy of this software, to deal in it without
 * restriction, including the rights to use, copy, modify, merge, publish, distribute, sublicense and sell copies,
 * provided that this notice is included in all copies or substantial portions. The software is provided "as is",
 * without warranty of any kind; in no event shall the authors be liable for any claim, damages or other liability.
 *
 * A guest begins a region with getpriority(0x45444745, 1) and ends it with getpriority(0x45444745, 2). On a real
 * kernel both calls do nothing: they fail with EINVAL. Each region becomes one line of JSON in the file out=. Within a
 * region every clock that the thread reads goes on by a nanosecond with each instruction, and by nothing else: what a
 * runtime's own profiler times there are instructions.
 *
 * Arguments: out=FILE, and l1=BYTES:WAYS, l2=…, l3=… where caches are to be simulated. The prototypes are those of
 * plugin API version 1, as docs/devel/tcg-plugins of QEMU 7.2 has them; no QEMU header is needed. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct tb; struct insn;
struct info { const char *target_name; };   /* its first field is all that is read */

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_vcpu_mem_cb(struct insn *, void (*)(unsigned, uint32_t, uint64_t, void *), int flags, int rw, void *);
void qemu_plugin_register_vcpu_syscall_ret_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, int64_t));
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t, uint64_t,
        uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));
size_t qemu_plugin_tb_n_insns(const struct tb *);
struct insn *qemu_plugin_tb_get_insn(const struct tb *, size_t);
const void *qemu_plugin_insn_data(const struct insn *);
unsigned qemu_plugin_mem_size_shift(uint32_t);
bool qemu_plugin_mem_is_store(uint32_t);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

enum class { FMA, INT_MAC, DOT, I8MM, VECTOR, VECTOR_LOAD, VECTOR_STORE, LOAD, STORE, BRANCH, SCALAR, CLASSES };
static const char *const NAMES[CLASSES] = { "fma", "int_mac", "dot", "i8mm", "vector", "vector_load", "vector_store",
                                            "load", "store", "branch", "scalar" };
enum { LEVELS = 3, MAX_CPUS = 256, LINE_SHIFT = 6, MARK = 0x45444745 };
enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };   /* qemu_plugin_cb_flags, qemu_plugin_mem_rw */

struct block { uint16_t counts[CLASSES]; };
struct cache { uint64_t *lines, sets; unsigned ways; };   /* lines of a set: the one used last comes first */
struct region { bool open; uint64_t counts[CLASSES], misses[LEVELS], written[LEVELS], clock; };
/* written: misses that a store makes; clock: where the guest wants it */

static struct region regions[MAX_CPUS];
static struct cache caches[LEVELS];
static bool arm64;
static int64_t getpriority_number, clock_gettime_number;
static FILE *out;

static bool is(uint32_t word, uint32_t mask, uint32_t value) { return (word & mask) == value; }

/* Encodings: Arm Architecture Reference Manual, DDI 0487, chapter C4. */
static enum class simd(uint32_t w)
{
    if (is(w, 0x5f000000, 0x1f000000)                                         /* FMADD, FMSUB … */
        || is(w, 0xbf20fc00, 0x0e20cc00) || is(w, 0xbf60fc00, 0x0e400c00)     /* FMLA, FMLS: vectors; in half precision */
        || is(w, 0x9f80b400, 0x0f801000) || is(w, 0x9fc0b400, 0x0f001000)     /* … by element */
        || is(w, 0xff80b400, 0x5f801000))
        return FMA;
    if (is(w, 0x9f20fc00, 0x0e009400) || is(w, 0x9f00f400, 0x0f00e000)        /* SDOT, UDOT */
        || is(w, 0xbfe0fc00, 0x0e809c00) || is(w, 0xbfc0f400, 0x0f80f000)     /* USDOT */
        || is(w, 0xbfc0f400, 0x0f00f000))                                     /* SUDOT */
        return DOT;
    if (is(w, 0xdfe0f400, 0x4e80a400))                                        /* SMMLA, UMMLA, USMMLA */
        return I8MM;
    if (is(w, 0x9f20fc00, 0x0e209400) || is(w, 0xbf20fc00, 0x0e209c00)        /* MLA, MLS; MUL */
        || is(w, 0x9f20cc00, 0x0e208000) || is(w, 0x9f20fc00, 0x0e20c000)     /* xMLAL, xMLSL; SMULL, UMULL */
        || is(w, 0xbf00b400, 0x2f000000) || is(w, 0xbf00f400, 0x0f008000)     /* … by element */
        || is(w, 0x9f00a400, 0x0f002000) || is(w, 0x9f00f400, 0x0f00a000))
        return INT_MAC;
    return VECTOR;
}

static bool loads(uint32_t w)
{
    if (is(w, 0x3b000000, 0x18000000))                                        /* literal */
        return true;
    if (is(w, 0x3b000000, 0x39000000) || is(w, 0x3b000000, 0x38000000))       /* one register */
        return w >> 26 & 1 ? w >> 22 & 1 : (w >> 22 & 3) != 0;
    return w >> 22 & 1;                                                       /* pairs, structures, exclusive */
}

static enum class classify(uint32_t w)
{
    if (is(w, 0x0a000000, 0x08000000)) {
        bool vector = w >> 26 & 1;
        return loads(w) ? (vector ? VECTOR_LOAD : LOAD) : (vector ? VECTOR_STORE : STORE);
    }
    if (is(w, 0x0e000000, 0x0e000000))
        return simd(w);
    return is(w, 0x1c000000, 0x14000000) ? BRANCH : SCALAR;
}

static void executed(unsigned cpu, void *data)
{
    if (cpu >= MAX_CPUS || !regions[cpu].open)
        return;
    const struct block *block = data;
    for (int i = 0; i < CLASSES; i++)
        regions[cpu].counts[i] += block->counts[i];
}

/* Is the line in the cache? Either way it is the set's first afterwards. */
static bool hit(struct cache *cache, uint64_t line)
{
    uint64_t *set = cache->lines + line % cache->sets * cache->ways;
    unsigned at = 0;
    while (at < cache->ways - 1 && set[at] != line + 1)                        /* 0 is an empty place */
        at++;
    bool found = set[at] == line + 1;
    memmove(set + 1, set, at * sizeof *set);
    set[0] = line + 1;
    return found;
}

static void touched(unsigned cpu, uint32_t access, uint64_t address, void *unused)
{
    if (cpu >= MAX_CPUS || !regions[cpu].open)
        return;
    uint64_t last = (address + (1u << qemu_plugin_mem_size_shift(access)) - 1) >> LINE_SHIFT;
    bool store = qemu_plugin_mem_is_store(access);
    for (uint64_t line = address >> LINE_SHIFT; line <= last; line++)
        for (int level = 0; level < LEVELS && caches[level].sets; level++) {
            if (hit(&caches[level], line))
                break;
            regions[cpu].misses[level]++;
            regions[cpu].written[level] += store;
        }
}

static void translated(plugin_id id, struct tb *tb)
{
    struct block *block = calloc(1, sizeof *block);                            /* lives as long as the translation */
    size_t count = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < count; i++) {
        struct insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint32_t word = 0;
        if (arm64)
            memcpy(&word, qemu_plugin_insn_data(insn), sizeof word);
        block->counts[arm64 ? classify(word) : SCALAR]++;
        if (caches[0].sets)
            qemu_plugin_register_vcpu_mem_cb(insn, touched, NO_REGISTERS, READS_AND_WRITES, NULL);
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, NO_REGISTERS, block);
}

static uint64_t total(const struct region *region)
{
    uint64_t sum = 0;
    for (int i = 0; i < CLASSES; i++)
        sum += region->counts[i];
    return sum;
}

static void write_region(const struct region *region)
{
    fprintf(out, "{\"total\": %llu", (unsigned long long)total(region));
    for (int i = 0; arm64 && i < CLASSES; i++)
        fprintf(out, ", \"%s\": %llu", NAMES[i], (unsigned long long)region->counts[i]);
    for (int level = 0; level < LEVELS && caches[level].sets; level++)
        fprintf(out, ", \"l%d_misses\": %llu, \"l%d_written\": %llu", level + 1,
                (unsigned long long)region->misses[level], level + 1, (unsigned long long)region->written[level]);
    fputs("}\n", out);
    fflush(out);
}

static void called(plugin_id id, unsigned cpu, int64_t number, uint64_t which, uint64_t who, uint64_t a3, uint64_t a4,
                   uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    if (cpu >= MAX_CPUS)
        return;
    struct region *region = &regions[cpu];
    if (number == clock_gettime_number)
        region->clock = who;                                                   /* the second argument */
    if (number != getpriority_number || (uint32_t)which != MARK)
        return;
    if (who == 1)
        *region = (struct region){ .open = true };
    else if (who == 2 && region->open) {
        region->open = false;
        write_region(region);
    }
}

static void returned(plugin_id id, unsigned cpu, int64_t number, int64_t result)
{
    if (number != clock_gettime_number || result || cpu >= MAX_CPUS || !regions[cpu].open)
        return;
    /* qemu runs with -B 0: an address of the guest is one of ours */
    int64_t *timespec = (int64_t *)(uintptr_t)regions[cpu].clock;
    uint64_t now = total(&regions[cpu]);
    timespec[0] = now / 1000000000;
    timespec[1] = now % 1000000000;
}

static bool add_cache(struct cache *cache, const char *size)
{
    char *end;
    unsigned long long bytes = strtoull(size, &end, 10);
    cache->ways = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
    cache->sets = cache->ways ? bytes / cache->ways >> LINE_SHIFT : 0;
    cache->lines = calloc(cache->sets * cache->ways + 1, sizeof *cache->lines);
    return cache->sets > 0;
}

EXPORT int qemu_plugin_install(plugin_id id, const struct info *info, int count, char **arguments)
{
    arm64 = strcmp(info->target_name, "aarch64") == 0;
    getpriority_number = arm64 ? 141 : 140;                                    /* the others: x86-64 */
    clock_gettime_number = arm64 ? 113 : 228;
    for (int i = 0; i < count; i++) {
        const char *given = arguments[i];
        if (strncmp(given, "out=", 4) == 0)
            out = fopen(given + 4, "a");
        else if (given[0] != 'l' || given[1] < '1' || given[1] > '0' + LEVELS || given[2] != '='
                 || !add_cache(&caches[given[1] - '1'], given + 3)) {
            fprintf(stderr, "counting: %s: unknown\n", given);
            return 1;
        }
    }
    if (!out) {
        fputs("counting: out=FILE is missing or cannot be written\n", stderr);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_vcpu_syscall_cb(id, called);
    qemu_plugin_register_vcpu_syscall_ret_cb(id, returned);
    return 0;
}
