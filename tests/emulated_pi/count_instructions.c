/* A plugin of QEMU (API version 1): how many instructions ran until each write to standard output.
 *
 * count_instructions.so,out=FILE writes to FILE, a line for each: those of the first thread, and of all others. A block of instructions is counted when it
 * is entered, on a counter of its processor, so that no thread's instructions are lost.
 *
 * Debian has no header of this interface; what is used of it is declared here, as QEMU's documentation tells it.
 */

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct qemu_plugin_tb;

void qemu_plugin_register_vcpu_tb_trans_cb(
    plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned processor, void *given), int flags, void *given);
void qemu_plugin_register_vcpu_syscall_cb(
    plugin_id, void (*)(plugin_id, unsigned processor, int64_t number, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

enum { NO_REGISTERS = 0, PROCESSORS = 1024, STANDARD_OUTPUT = 1, WRITE_ON_ARM64 = 64 };

int qemu_plugin_version = 1;

static uint64_t executed[PROCESSORS]; /* a thread of an emulated program is a processor of its own */
static FILE *out;

static void count(unsigned processor, void *instructions)
{
    if (processor >= PROCESSORS) {
        fprintf(stderr, "count_instructions: more than %d threads\n", PROCESSORS);
        abort();
    }
    executed[processor] += (uintptr_t)instructions;
}

static void on_translated(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);
    qemu_plugin_register_vcpu_tb_exec_cb(block, count, NO_REGISTERS, instructions);
}

static void on_system_call(
    plugin_id id, unsigned processor, int64_t number, uint64_t file, uint64_t b, uint64_t c,
    uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)processor, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (number != WRITE_ON_ARM64 || file != STANDARD_OUTPUT)
        return;
    uint64_t others = 0;
    for (unsigned each = 1; each < PROCESSORS; each++)
        others += executed[each];
    fprintf(out, "%" PRIu64 " %" PRIu64 "\n", executed[0], others);
    fflush(out);
}

__attribute__((visibility("default"))) int qemu_plugin_install(
    plugin_id id, const void *qemu, int count_of_options, char **options)
{
    (void)qemu;
    if (count_of_options != 1 || strncmp(options[0], "out=", 4) != 0) {
        fprintf(stderr, "count_instructions: the one option is out=FILE\n");
        return -1;
    }
    out = fopen(options[0] + 4, "w");
    if (out == NULL) {
        perror(options[0] + 4);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translated);
    qemu_plugin_register_vcpu_syscall_cb(id, on_system_call);
    return 0;
}
