"""Is the converted model still the same model? Measured from pixel to label, in counts.

    from hemline.modelfile import load_model
    from hemline.parity.compare import compare
    from hemline.parity.golden import GoldenPack

    report = compare(load_model("paper_int8.tflite"), GoldenPack.load(Path("paper.golden.npz")))
    print(report.agreeing, "of", report.images, "pass" if report else report.failures)

`metrics` has the formulas, `golden` the pack, `compare` the measurement, `run` several candidates
at once, `plan` finds what belongs together on disk, `stages` tells which step on the way to the label
broke and `layers` which layer of a network, `table` and `report` show it.
"""
