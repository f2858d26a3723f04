"""What all peers' programs share: they name one picture, then do what they are told, a line at a time.

    frames N     classify the frame in memory N times; answer: seconds
    folder DIR   read and classify every picture of a folder; answer: seconds
    memory       answer: the most bytes that this process held in RAM (VmHWM, proc(5))

The first line that they print is the label of the picture: the end of the cold start. Imports stand in
the programs themselves, since they are part of it.
"""

import sys
from time import perf_counter


def serve(read, classify):
    """Run the loop.

    Args:
        read: Takes a path, gives a picture as `classify` wants it.
        classify: Takes a picture, gives its label.
    """
    picture = read(sys.argv[2])
    print(classify(picture), flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "memory":
            print(peak_bytes(), flush=True)
            continue
        start = perf_counter()
        if command == "frames":
            for _ in range(int(argument)):
                classify(picture)
        else:
            from pathlib import Path

            for path in sorted(Path(argument).iterdir()):
                classify(read(str(path)))
        print(perf_counter() - start, flush=True)


def peak_bytes():
    with open("/proc/self/status") as status:  # noqa: PTH123
        for line in status:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0
