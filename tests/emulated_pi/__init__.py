"""Raspberry Pis without one: Debian's userland for Arm and real wheels, run by QEMU's user mode."""
