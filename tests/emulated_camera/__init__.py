"""A machine with a V4L2 camera, under full emulation; see README.md."""
