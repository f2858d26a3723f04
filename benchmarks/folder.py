"""A folder of JPEGs to labels, in pictures a second, against only reading them with as many threads."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import _measure
import cv2
from _measure import Comparison, Target

from hemline import Classifier
from hemline.batch import classify_sources, default_workers
from hemline.errors import UserError
from hemline.images import read_image
from hemline.sources import expand

TARGET = Target("at least", 0.8)
TARGET_OF_LARGE = Target("at least", 2.0)  # they are decoded at reduced scale
LARGE_SIDE = 1600
MADE_SIZE_WH = (400, 533)


def main() -> int:
    """Run the benchmark from the command line."""
    parser = _measure.parser(__doc__ or "", rounds=7, warm_up=1)
    parser.add_argument("--pictures", type=_measure.positive, default=2000, help="JPEGs to make")
    parser.add_argument(
        "--size", type=_measure.size_wh, help="of each, WIDTHxHEIGHT; made ones have 400x533"
    )
    parser.add_argument("--quality", type=int, default=85, help="of the JPEGs that are written")
    parser.add_argument(
        "--folder",
        type=Path,
        help="JPEGs of your own instead, --pictures at most; with --size written anew in that size",
    )
    parser.add_argument(
        "--workers", type=_measure.positive, default=default_workers(), help="threads of each side"
    )
    return _measure.main(parser, measure)


def measure(arguments: argparse.Namespace) -> list[Comparison]:
    """The library and the command, both against `cv2.imread` in a pool."""
    if arguments.pictures < 2:
        raise UserError("one picture is no folder", "give --pictures 2 or more")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as bytecode:
        environment = _measure.child_environment(bytecode)
        if arguments.folder is None:
            names = make_pictures(Path(folder), arguments)
        else:
            names = copied_pictures(Path(folder), arguments)
        is_large = max(read_image(names[0]).shape) >= LARGE_SIDE
        target = TARGET_OF_LARGE if is_large else TARGET
        print_changed_labels(names, arguments)
        seconds = _measure.seconds_of_rounds(
            {
                "library": lambda: classify_all(folder, arguments),
                "command": lambda: run_command([folder], arguments, environment),
                # The same two threads and models, so the difference is what the other pictures cost.
                "start-up": lambda: run_command(names[:2], arguments, environment),
                "imread": lambda: read_all(names, arguments.workers),
            },
            arguments.rounds,
            arguments.warm_up,
        )
    count = len(names)
    library, imread = ([count / s for s in seconds[name]] for name in ("library", "imread"))
    command = [count / s for s in seconds["command"]]
    running = [
        # On a busy machine so few pictures can seem to take no time at all.
        (count - 2) / max(whole - start_up, 1e-6)
        for whole, start_up in zip(seconds["command"], seconds["start-up"], strict=True)
    ]
    peer = f"cv2.imread, {arguments.workers} threads"
    return [
        Comparison(
            "classify_sources(expand([FOLDER]))", peer, "pictures/s", library, imread, target
        ),
        Comparison(
            "hemline classify FOLDER --json, less start-up",
            peer,
            "pictures/s",
            running,
            imread,
            target,
        ),
        Comparison("  the whole of it", peer, "pictures/s", command, imread),
    ]


def make_pictures(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Write the pictures, each with a seed of its own."""
    size_wh = arguments.size or MADE_SIZE_WH

    def make(number: int) -> str:
        name = str(folder / f"{number:05d}.jpg")
        image = _measure.photo(number, size_wh)
        cv2.imwrite(name, image, [cv2.IMWRITE_JPEG_QUALITY, arguments.quality])
        return name

    with ThreadPoolExecutor(arguments.workers) as pool:
        names = list(pool.map(make, range(arguments.pictures)))
    width, height = size_wh
    print(f"{len(names)} JPEGs of {width}×{height}, {kilobytes_each(names)} kB each on average\n")
    return names


def kilobytes_each(names: list[str]) -> int:
    """The mean size of files."""
    return round(sum(Path(name).stat().st_size for name in names) / len(names) / 1e3)


def copied_pictures(folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Take pictures from the user's folder, evenly spread."""
    found = [source.name for source in expand([str(arguments.folder)])]
    found = [name for name in found if name.lower().endswith((".jpg", ".jpeg"))]
    if len(found) < 2:
        raise UserError(
            f"{arguments.folder} has {len(found)} JPEGs", "give a folder with 2 or more"
        )
    count = min(arguments.pictures, len(found))
    names = []
    for number in range(count):
        name, original = folder / f"{number:05d}.jpg", found[number * len(found) // count]
        if arguments.size is None:
            shutil.copy(original, name)
        else:
            image = cv2.resize(read_image(original), arguments.size, interpolation=cv2.INTER_CUBIC)
            cv2.imwrite(str(name), image, [cv2.IMWRITE_JPEG_QUALITY, arguments.quality])
        names.append(str(name))
    print(
        f"{count} of the {len(found)} JPEGs in {arguments.folder}, {kilobytes_each(names)} kB each on "
        "average\n"
    )
    return names


def print_changed_labels(names: list[str], arguments: argparse.Namespace) -> None:
    """What decoding at reduced scale costs: labels that are not those of the whole picture."""
    classifier = Classifier(arguments.model)
    changed = sum(
        classifier.classify_file(name).label != classifier.classify(read_image(name)).label
        for name in names
    )
    print(f"{changed} of {len(names)} labels differ from those of the pictures decoded whole\n")


def classify_all(folder: str, arguments: argparse.Namespace) -> None:
    """From the folder's name to the last answer, loading of the model included."""

    def make() -> Classifier:
        return Classifier(arguments.model)

    for outcome in classify_sources(expand([folder]), make(), make, arguments.workers):
        if outcome.answer is None:
            raise UserError(f"a picture was not classified: {outcome.error}")


def run_command(
    sources: list[str], arguments: argparse.Namespace, environment: dict[str, str]
) -> None:
    """A whole process, its answers thrown away."""
    command = [sys.executable, "-m", "hemline", "classify", *sources, "--json"]
    command += ["--model", arguments.model, "--workers", str(arguments.workers)]
    done = subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise UserError(f"hemline classify returned {done.returncode}", done.stderr.strip())


def read_all(names: list[str], workers: int) -> None:
    """The peer: decode, and drop the picture at once."""
    with ThreadPoolExecutor(workers) as pool:
        if not all(pool.map(lambda name: cv2.imread(name) is not None, names)):
            raise UserError("cv2.imread could not read its own pictures")


if __name__ == "__main__":
    sys.exit(main())
