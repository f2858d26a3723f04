"""What the doctor's limits are measured on: `python -m patients`."""

from __future__ import annotations

import argparse
import sys

from hemline_convert.doctor import diagnose
from hemline_convert.doctor.patient import Patient as Examined
from hemline_convert.recipe import QuantizationRecipe
from patients import networks, spoilt


def main() -> int:
    """Print noise and diagnosis of each; 1 if a sound network is accused or a spoilt one is not."""
    parser = argparse.ArgumentParser(prog="python -m patients", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="networks of each sound kind")
    seeds = range(1, parser.parse_args().seeds + 1)
    print(f"{'':<34} {'same answer':>11} {'int8':>8} {'weights':>8} {'activations':>11}  cause")
    sound_db, spoilt_db, wrong = [], [], 0
    for kind in networks.EPOCHS:
        for seed in seeds:
            quantizer = networks.quantizer_of(networks.trained(kind, seed))
            noise_db, cause = _show(
                f"sound {kind} {seed}", spoilt.Patient(quantizer, networks.exam())
            )
            sound_db.append(noise_db)
            wrong += cause != "none"
    for name, make in spoilt.SPOILT.items():
        noise_db, cause = _show(f"spoilt: {name}", make())
        wrong += cause == "none"
        if cause != "preprocessing":  # which is no fault of int8
            spoilt_db.append(noise_db)
    print(
        f"noise below the signal: at least {min(sound_db):.1f} dB in {len(sound_db)} sound networks, at most "
        f"{max(spoilt_db):.1f} dB in {len(spoilt_db)} that are spoilt"
    )
    return 1 if wrong else 0


def _show(name: str, patient: spoilt.Patient) -> tuple[float, str]:
    recipe = QuantizationRecipe().for_card(patient.quantizer.source.card)
    examined = Examined(patient.quantizer, patient.pictures)
    outcome = examined.outcome(patient.quantizer.deployable(recipe))
    found = diagnose(examined, recipe)
    noise = found.noise_db or {"int8": outcome.signal_to_noise_db}
    parts = [
        f"{noise[part]:.1f} dB" if part in noise else "–"
        for part in ("int8", "weights", "activations")
    ]
    print(
        f"{name:<34} {outcome.agreement:>11.1%} {parts[0]:>8} {parts[1]:>8} {parts[2]:>11}  {found.cause}"
        f"{' (' + found.layer + ')' if found.layer else ''}",
        flush=True,
    )
    return noise["int8"], found.cause.value


if __name__ == "__main__":
    sys.exit(main())
