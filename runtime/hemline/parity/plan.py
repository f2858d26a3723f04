"""From what a user names to what belongs together: each candidate with its reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hemline import models
from hemline.backends import check_num_threads, lacking_for
from hemline.errors import UserError
from hemline.modelfile import LoadedModel, find_model, load_model
from hemline.parity.golden import PACK_SUFFIX, GoldenPack
from hemline.parity.reference import Reference
from hemline.parity.run import CandidateError

CANDIDATE_SUFFIXES = (".tflite", ".onnx")
_FLOAT_SUFFIXES = ("_float32.tflite", "_float32.onnx")


@dataclass(frozen=True)
class Request:
    """What `hemline parity` was asked.

    Attributes:
        candidates: Model files, names of shipped models, or folders with model files.
        reference: A model to measure against; by default the scores in the golden pack, or with
            `data` the file `NAME_float32` beside the candidate.
        data: A data set, by name or folder; by default the pictures in the golden pack.
        golden: A golden pack; by default `NAME.golden.npz` beside the candidate.
        limit: Take no more than so many pictures, evenly spread.
        backend: What runs the candidates; by default the first installed one for each file.
        num_threads: Threads of one inference.
    """

    candidates: tuple[str, ...]
    reference: str | None = None
    data: str | None = None
    golden: Path | None = None
    limit: int | None = None
    backend: str | None = None
    num_threads: int = 1

    def __post_init__(self) -> None:
        if self.data is not None and self.golden is not None:
            raise UserError(
                "both --data and --golden are given", "the pictures come from one of them: choose"
            )
        check_num_threads(self.num_threads)
        if self.limit is not None and self.limit < 1:
            raise UserError(f"the limit is {self.limit} pictures", "it must be at least 1")


@dataclass
class Plan:
    """References with their candidates, and what has to be left out.

    Attributes:
        groups: Each reference with its candidates.
        errors: Candidates that cannot be measured, though they should be.
        left_out: Files that lie in a folder, and that nothing installed here runs: a device needs no
            backend for each kind of file. One that is named is an error.
    """

    groups: list[tuple[Reference, list[LoadedModel]]] = field(default_factory=list)
    errors: list[CandidateError] = field(default_factory=list)
    left_out: list[CandidateError] = field(default_factory=list)


def prepare(request: Request) -> Plan:
    """Load the candidates, and find or compute what each is measured against.

    A candidate that cannot be loaded becomes one of the plan's errors; so does one without a
    reference, as long as another has one.

    Raises:
        UserError: Nothing can be measured: no such file, no pack, a damaged pack, no data.
    """
    plan = Plan()
    loaded = []
    for path in _files(request, plan):
        try:
            model = load_model(path, backend=request.backend, num_threads=request.num_threads)
            loaded.append(model)
        except UserError as error:
            plan.errors.append(CandidateError(path.name, error.problem, error.hint))
    if not loaded and not plan.errors:
        raise UserError(
            "nothing that is installed runs a model of these",
            "; ".join(f"{entry.candidate}: {entry.problem}" for entry in plan.left_out),
        )
    _refuse_only_itself(loaded, request)
    finder = _DataReferences(request) if request.data is not None else _PackReferences(request)
    lacking: list[UserError] = []
    groups: dict[Path, tuple[Reference, list[LoadedModel]]] = {}
    for model in loaded:
        try:
            key = finder.path_for(model)
        except UserError as error:
            lacking.append(error)
            plan.errors.append(CandidateError(model.file_name, error.problem, error.hint))
            continue
        if key not in groups:
            groups[key] = (finder.open(key, model), [])
        groups[key][1].append(model)
    if lacking and not groups:
        raise lacking[0]
    plan.groups = list(groups.values())
    return plan


def _refuse_only_itself(loaded: list[LoadedModel], request: Request) -> None:
    """A model always agrees with itself, so a gate on nothing else would say nothing."""
    if request.reference is None or not loaded:
        return
    reference = Path(find_model(request.reference)).resolve()
    if all(Path(model.path).resolve() == reference for model in loaded):
        raise UserError(
            f"{loaded[0].file_name} is its own reference",
            "give the float model it was made of: --reference NAME.keras or NAME_float32.tflite",
        )


def _files(request: Request, plan: Plan) -> list[Path]:
    """The candidates' files, each once."""
    files: dict[Path, None] = {}
    for named in request.candidates:
        if Path(named).is_dir():
            for path in _files_in(Path(named), request):
                if lacking := lacking_for(path):
                    plan.left_out.append(CandidateError(path.name, f"to measure it, {lacking}"))
                else:
                    files[path] = None
        else:
            files[Path(find_model(named, request.backend))] = None
    return list(files)


def _files_in(folder: Path, request: Request) -> list[Path]:
    suffixes: tuple[str, ...] = CANDIDATE_SUFFIXES
    if request.backend is not None:  # it was chosen for the files that it can run
        suffixes = (".onnx",) if request.backend == "onnxruntime" else (".tflite",)
    files = sorted(path for path in folder.iterdir() if path.suffix in suffixes)
    if not files:
        float_one = folder / "model.keras"
        raise UserError(
            f"the folder {folder} has no {' or '.join(suffixes)} file in it",
            f"make some of its float model: hemline convert {float_one} --int8 --data DATA"
            if float_one.is_file()
            else "name a folder that hemline convert wrote",
        )
    needs_pack = request.data is None and request.golden is None
    if needs_pack and not any(folder.glob(f"*{PACK_SUFFIX}")):
        if request.reference is not None:
            raise UserError(
                f"there are no pictures to run {request.reference} on: none are named, and the "
                f"folder {folder} has no golden pack (NAME{PACK_SUFFIX})",
                "give --data fashion-mnist|FOLDER, or --golden FILE, beside --reference",
            )
        raise UserError(
            f"the folder {folder} has no golden pack (NAME{PACK_SUFFIX})",
            "hemline convert writes one beside the models; or give --golden FILE, or --data with "
            "--reference",
        )
    return files


class _PackReferences:
    """Golden packs, by path."""

    def __init__(self, request: Request) -> None:
        self._request = request

    def path_for(self, model: LoadedModel) -> Path:
        """The pack of a candidate. Raises UserError if there is none."""
        if self._request.golden is not None:
            return self._request.golden
        beside = Path(model.path).parent / f"{model.card.name}{PACK_SUFFIX}"
        if beside.is_file():
            return beside
        shipped = models.golden_path_of(model.card.name)
        if shipped is not None and model.path == models.path_of(
            model.card.name, self._request.backend
        ):
            return Path(shipped)
        raise UserError(
            f"there is no golden pack {beside}",
            "give --golden FILE, or --data fashion-mnist|FOLDER with --reference MODEL",
        )

    def open(self, path: Path, model: LoadedModel) -> Reference:
        pack = GoldenPack.load(path)
        limit = self._request.limit
        if self._request.reference is None:
            return Reference.from_pack(pack, path.name, limit)
        reference = load_model(self._request.reference, card=model.card)
        name = f"{reference.file_name} on the pictures of {path.name}"
        return Reference.from_model_on_pack(reference, pack, name, limit)


class _DataReferences:
    """Reference models, by path, on the evaluation split of a data set."""

    def __init__(self, request: Request) -> None:
        from hemline.datasets import open_dataset  # not needed where there is a pack

        assert request.data is not None
        self._request = request
        self._dataset = open_dataset(request.data)

    def path_for(self, model: LoadedModel) -> Path:
        """The reference model of a candidate. Raises UserError if there is none."""
        if self._request.reference is not None:
            return Path(find_model(self._request.reference))
        folder, name = Path(model.path).parent, model.card.name
        for suffix in _FLOAT_SUFFIXES:
            if (folder / f"{name}{suffix}").is_file():
                return folder / f"{name}{suffix}"
        # Not taken unasked: it wants TensorFlow.
        keras = folder / f"{name}.keras"
        example = f"such as {keras}" if keras.is_file() else "a .keras, .tflite or .onnx file"
        raise UserError(
            f"there is no reference for {model.file_name}: neither {name}{_FLOAT_SUFFIXES[0]} nor "
            f"{name}{_FLOAT_SUFFIXES[1]} is in {folder}",
            f"give --reference MODEL, the float model, {example}",
        )

    def open(self, path: Path, model: LoadedModel) -> Reference:
        reference = load_model(path, num_threads=self._request.num_threads, card=model.card)
        from hemline.datasets.wardrobe import wardrobe_for

        split = wardrobe_for(model.card.labels, self._dataset).evaluation_split()
        name = f"{path.name} on {self._dataset.name} ({split.name})"
        return Reference.from_model(reference, split, name, self._request.limit)
