"""Reads a run's event files as TensorBoard does and compares them to the run's own files.

    python train/tests/python/check_events.py FOLDER

The scalars must be those of metrics.jsonl, the histograms those of histograms.jsonl, the texts those
of samples.jsonl: the same steps, in order, and nothing else.
"""

import json
import pathlib
import sys

import numpy as np
from tensorboard.backend.event_processing import plugin_event_accumulator as reader
from tensorboard.util import tensor_util


def lines(folder, name):
    """The objects of a file, which may be absent."""
    path = folder / name
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def expected_scalars(folder):
    """tag: [(step, value)]"""
    found = {}
    for line in lines(folder, "metrics.jsonl"):
        values = {
            "loss/train": line["loss"],
            "learning_rate": line["lr"],
            "gradient_norm": line["grad_norm"],
            "tokens_per_second": line["tokens"] / line["seconds"],
        }
        if line.get("valid_loss") is not None:
            values["loss/valid"] = line["valid_loss"]
        for tag, value in values.items():
            found.setdefault(tag, []).append((line["step"], value))
    return found


def expected_histograms(folder):
    """tag: [(step, rows of lower edge, upper edge, count)]"""
    found = {}
    for line in lines(folder, "histograms.jsonl"):
        counts = line["counts"]
        edges = np.linspace(line["low"], line["high"], len(counts) + 1)
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
        found.setdefault(f"{line['kind']}/{line['name']}", []).append((line["step"], rows))
    return found


def expected_texts(folder):
    """tag: [(step, the parts that the text must hold)]"""
    found, of_step = {}, {}
    for line in lines(folder, "samples.jsonl"):
        number = of_step[line["step"]] = of_step.get(line["step"], 0) + 1
        parts = [line[name] for name in ("prompt", "text", "target") if line.get(name)]
        found.setdefault(f"samples/{number}", []).append((line["step"], parts))
    return found


def main(folder):
    everything = {"scalars": 0, "histograms": 0, "text": 0}
    events = reader.EventAccumulator(
        str(folder), {reader.TENSORS: 0}, tensor_size_guidance=everything
    )
    events.Reload()
    kinds = {
        "scalars": expected_scalars(folder),
        "histograms": expected_histograms(folder),
        "text": expected_texts(folder),
    }
    count = 0
    for plugin, expected in kinds.items():
        try:
            tags = set(events.PluginTagToContent(plugin))
        except KeyError:
            tags = set()
        assert tags == set(expected), f"{plugin}: {sorted(tags ^ set(expected))}"
        for tag, values in expected.items():
            found = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)]
            steps = [step for step, _ in found]
            assert steps == [step for step, _ in values], f"{tag}: steps {steps}"
            for (step, actual), (_, value) in zip(found, values):
                where = f"{tag}, step {step}"
                if plugin == "text":
                    plain = actual[0].decode("utf-8").replace("\n    ", "\n")
                    missing = [part for part in value if part not in plain]
                    assert not missing, f"{where}: {missing} not in {plain}"
                elif plugin == "scalars":
                    np.testing.assert_equal(np.float32(actual), np.float32(value), where)
                else:
                    np.testing.assert_allclose(actual, value, 1e-5, 1e-6, err_msg=where)
                count += 1
    assert count > 0, "there is no event"
    print(f"TensorBoard reads {count} values that are the run's own")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
