from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from hemline.card import InputSpec, ModelCard
from hemline.datasets import open_dataset
from hemline_convert.calibration import choose_calibration_images
from hemline_convert.calibration_manifest import calibration_manifest

VERSIONS = {"hemline": "1.2.3"}


def manifest_of(data, spec, count=20, method="min-max"):
    dataset = open_dataset(data)
    card = ModelCard("net", dataset.labels, spec, source_sha256="ab" * 32)
    calibration = choose_calibration_images(dataset, spec, count)
    return calibration, calibration_manifest(calibration, card, method, VERSIONS)


@pytest.fixture
def folder(class_folders):
    """Two classes of drawn garments; a third has a name that no text encoding has."""
    odd = class_folders / "train" / "Bag" / "t\udcffsche.png"
    (class_folders / "train" / "Bag" / "0.png").rename(odd)
    return class_folders


def test_each_picture_is_told_with_its_place_its_class_and_the_hash_of_its_tensor():
    spec = InputSpec((28, 28), "gray")
    calibration, content = manifest_of("drawn", spec)
    manifest = json.loads(content)
    split = open_dataset("drawn").split("train")
    assert len(manifest["pictures"]) == manifest["images"] == 20
    for entry in manifest["pictures"]:
        where, _, number = entry["source"].rpartition("/")
        assert where == "drawn/train"
        at = next(i for i in range(len(split)) if split.source(i) == entry["source"])
        tensor = split.tensors(spec, [at])[0]
        assert number.isdigit()
        assert entry["sha256"] == hashlib.sha256(tensor.tobytes()).hexdigest()
        assert entry["class"] == split.labels[split.targets[at]]
    whole = hashlib.sha256(calibration.tensors.tobytes()).hexdigest()
    assert manifest["tensors_sha256"] == whole
    assert manifest["classes"] == dict.fromkeys(sorted(split.labels), 2)
    assert manifest["data"] == "drawn/train"
    assert manifest["versions"] == VERSIONS
    assert manifest["model"] == {"name": "net", "source_sha256": "ab" * 32}


def test_the_same_conversion_gives_the_same_bytes_and_another_one_does_not():
    spec = InputSpec((28, 28), "gray")
    assert manifest_of("drawn", spec)[1] == manifest_of("drawn", spec)[1]
    for other in ({"count": 21}, {"method": "mse"}, {"spec": InputSpec((27, 28), "gray")}):
        assert manifest_of("drawn", **{"spec": spec, **other})[1] != manifest_of("drawn", spec)[1]


def test_pictures_of_a_folder_are_told_by_their_path_in_it_and_nothing_of_where_it_lies(folder):
    _, content = manifest_of(folder, InputSpec((28, 28), "rgb"), 24)
    assert str(folder.parent) not in content.decode()
    sources = [entry["source"] for entry in json.loads(content)["pictures"]]
    assert "train/Sandal/3.png" in sources
    assert "train/Bag/t\udcffsche.png" in sources
    assert np.array([entry["class"] for entry in json.loads(content)["pictures"]]).tolist() == [
        source.split("/")[1] for source in sources
    ]
